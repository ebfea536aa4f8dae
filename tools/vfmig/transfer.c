// SPDX-License-Identifier: GPL-2.0-only
/* vfmig save, load and move */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/vfio_pci_mig.h>

#include "session.h"

/* More than any device has; VFIO_MIG_STREAM_MAX is for those of vfio_pci_mig. */
#define MAX_STATE	0x40000000UL

static void show_phases(FILE *file, struct json_object *tree)
{
	struct json_object *phases, *phase;
	const char *bytes;
	size_t i;

	json_object_object_get_ex(tree, "phases", &phases);
	for (i = 0; i < json_object_array_length(phases); i++) {
		phase = json_object_array_get_idx(phases, i);
		bytes = get_text(phase, "bytes");
		fprintf(file, "%-34s %9.1f ms%s%s%s\n", get_text(phase, "phase"),
			get_number(phase, "ns") / 1e6, bytes ? "  " : "",
			bytes ? bytes : "", bytes ? " bytes" : "");
	}
	fprintf(file, "%s\n", get_text(tree, "result"));
}

/* stdout may be where the state goes. */
static int report(struct session *s, FILE *file, const char *result)
{
	struct json_object *tree = json_object_new_object();

	phase_end(s);
	put_text(tree, "result", result);
	json_object_object_add(tree, "phases", json_object_get(s->phases));
	if (s->opt->json)
		put_json(file, tree);
	else
		show_phases(file, tree);
	json_object_put(tree);
	return DONE;
}

/* All that a data_fd has to give just now */
static int take(struct session *s, struct vfio_dev *dev, int fd, struct buffer *buf)
{
	size_t before = buf->len;
	int ret = buffer_read(buf, fd, MAX_STATE);

	/* In PRE_COPY, there may be more later. */
	if (ret == -ENOMSG)
		ret = 0;
	if (ret)
		return session_failed(s, dev, "give its state", ret);
	phase_bytes(s, buf->len - before);
	return DONE;
}

static int give(struct session *s, struct vfio_dev *dev, int fd, const void *data, size_t len)
{
	int ret = write_all(fd, data, len);

	if (ret)
		return session_failed(s, dev, "take the state", ret);
	phase_bytes(s, len);
	return DONE;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int do_save(struct session *s, struct buffer *buf)
{
	struct vfio_dev *dev = &s->dev[0];
	int fd = -1, ret;

	phase_begin(s, "open");
	ret = session_open(s, s->opt->arg[0]);
	if (ret)
		return ret;
	phase_begin(s, "stop");
	ret = session_set_state(s, dev, VFIO_DEVICE_STATE_STOP_COPY, &fd);
	if (!ret) {
		phase_begin(s, "save");
		ret = take(s, dev, fd, buf);
	}
	close_fd(&fd);
	if (ret)
		return ret;
	phase_begin(s, "start");
	return session_set_state(s, dev, VFIO_DEVICE_STATE_RUNNING, NULL);
}

static int complain_of_output(int err)
{
	if (stopped_by()) {
		vfmig_err("stopped by a signal: what has been written is not whole");
		return 128 + stopped_by();
	}
	vfmig_err("the state could not be written: %s; what has been written is not whole",
		  strerror(-err));
	return NOT_WRITTEN;
}

/* A file system may tell of a full disk as late as here. */
static int write_out(const struct buffer *buf)
{
	int ret = write_all(STDOUT_FILENO, buf->data, buf->len);

	if (!ret && fsync(STDOUT_FILENO) &&
	    (errno == EIO || errno == ENOSPC || errno == EDQUOT))
		ret = -errno;
	return ret ? complain_of_output(ret) : DONE;
}

int cmd_save(const struct options *opt)
{
	struct buffer buf = {};
	struct session s;
	int ret;

	if (isatty(STDOUT_FILENO)) {
		vfmig_err("the state is binary, and is not written to a terminal: \"vfmig save %s >FILE\"",
			  opt->arg[0]);
		return USAGE;
	}
	ret = session_begin(&s, opt);
	if (!ret)
		ret = do_save(&s, &buf);
	if (!ret)
		ret = write_out(&buf);
	if (!ret)
		ret = report(&s, stderr, "saved");
	buffer_free(&buf);
	session_end(&s);
	return ret;
}

static int read_in(struct buffer *buf)
{
	char why[256];
	int ret;

	if (isatty(STDIN_FILENO)) {
		vfmig_err("the state is read from a file, not from a terminal: \"vfmig load BDF <FILE\"");
		return USAGE;
	}
	ret = buffer_read(buf, STDIN_FILENO, VFIO_MIG_STREAM_MAX);
	if (stopped_by())
		return 128 + stopped_by();
	if (ret == -EFBIG) {
		vfmig_err("this is not a state that can be loaded: it is longer than %d bytes; no device has been touched",
			  VFIO_MIG_STREAM_MAX);
		return BAD_STREAM;
	}
	if (ret) {
		vfmig_err("the state cannot be read from standard input: %s", strerror(-ret));
		return FAILED;
	}
	if (stream_check(buf, why, sizeof(why)))
		return DONE;
	vfmig_err("this is not a state that can be loaded: %s; no device has been touched", why);
	return BAD_STREAM;
}

static int do_load(struct session *s, const struct buffer *buf)
{
	struct vfio_dev *dev = &s->dev[0];
	int fd = -1, ret;

	phase_begin(s, "open");
	ret = session_open(s, s->opt->arg[0]);
	if (ret)
		return ret;
	phase_begin(s, "stop");
	ret = session_set_state(s, dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	if (!ret) {
		phase_begin(s, "tell the PF");
		ret = give(s, dev, fd, buf->data, buf->len);
	}
	if (!ret) {
		phase_begin(s, "load");
		ret = session_set_state(s, dev, VFIO_DEVICE_STATE_STOP, NULL);
	}
	close_fd(&fd);
	if (ret)
		return ret;
	phase_begin(s, "start");
	return session_set_state(s, dev, VFIO_DEVICE_STATE_RUNNING, NULL);
}

int cmd_load(const struct options *opt)
{
	struct buffer buf = {};
	struct session s;
	int ret;

	ret = read_in(&buf);
	if (ret)
		goto out;
	ret = session_begin(&s, opt);
	if (!ret)
		ret = do_load(&s, &buf);
	if (!ret)
		ret = report(&s, stdout, "loaded: the device takes this state");
	session_end(&s);
out:
	buffer_free(&buf);
	return ret;
}

struct move {
	struct buffer buf;
	size_t given;
	int from;
	int to;
};

static int move_on(struct session *s, struct move *m, const char *take_name,
		   const char *give_name)
{
	int ret;

	phase_begin(s, take_name);
	ret = take(s, &s->dev[0], m->from, &m->buf);
	if (ret)
		return ret;
	phase_begin(s, give_name);
	ret = give(s, &s->dev[1], m->to, m->buf.data + m->given, m->buf.len - m->given);
	m->given = m->buf.len;
	return ret;
}

/* What can be sent, and refused, while the source still runs */
static int move_early(struct session *s, struct move *m)
{
	__u64 flags = 0;
	int ret;

	vfio_mig_flags(&s->dev[0], &flags);
	phase_begin(s, "destination: make ready");
	ret = session_set_state(s, &s->dev[1], VFIO_DEVICE_STATE_RESUMING, &m->to);
	if (ret || !(flags & VFIO_MIGRATION_PRE_COPY))
		return ret;
	phase_begin(s, "source: begin");
	ret = session_set_state(s, &s->dev[0], VFIO_DEVICE_STATE_PRE_COPY, &m->from);
	if (ret)
		return ret;
	return move_on(s, m, "source: save the initial part",
		       "destination: tell the PF");
}

static int move_rest(struct session *s, struct move *m)
{
	int fd = -1, ret;

	phase_begin(s, "source: stop");
	ret = session_set_state(s, &s->dev[0], VFIO_DEVICE_STATE_STOP_COPY, &fd);
	if (fd >= 0) {
		close_fd(&m->from);
		m->from = fd;
	}
	if (ret)
		return ret;
	ret = move_on(s, m, "source: save", "destination: take");
	if (ret)
		return ret;
	phase_begin(s, "destination: load");
	ret = session_set_state(s, &s->dev[1], VFIO_DEVICE_STATE_STOP, NULL);
	if (ret)
		return ret;
	phase_begin(s, "destination: start");
	return session_set_state(s, &s->dev[1], VFIO_DEVICE_STATE_RUNNING, NULL);
}

static int do_move(struct session *s)
{
	struct move m = { .from = -1, .to = -1 };
	int ret;

	phase_begin(s, "open both");
	ret = session_open(s, s->opt->arg[0]);
	if (!ret)
		ret = session_open(s, s->opt->arg[1]);
	if (!ret)
		ret = move_early(s, &m);
	if (!ret)
		ret = move_rest(s, &m);
	close_fd(&m.from);
	close_fd(&m.to);
	buffer_free(&m.buf);
	return ret;
}

int cmd_move(const struct options *opt)
{
	char bdf[2][BDF_LEN];
	struct session s;
	int i, ret;

	for (i = 0; i < 2; i++) {
		ret = pci_find(opt->arg[i], bdf[i]);
		if (ret)
			return ret;
	}
	if (!strcmp(bdf[0], bdf[1])) {
		vfmig_err("%s cannot be moved to itself: name two devices", bdf[0]);
		return USAGE;
	}
	ret = session_begin(&s, opt);
	if (!ret)
		ret = do_move(&s);
	if (!ret)
		ret = report(&s, stdout, "moved");
	session_end(&s);
	return ret;
}
