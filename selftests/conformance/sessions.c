// SPDX-License-Identifier: GPL-2.0-only
/* The data_fd, and how long it lives */
#include <poll.h>
#include <sys/ioctl.h>

#include "conformance.h"

static enum req_id who_ends(__u32 from)
{
	switch (from) {
	case VFIO_DEVICE_STATE_STOP_COPY:
		return R_STOP_COPY_STOP;
	case VFIO_DEVICE_STATE_PRE_COPY:
		return R_PRE_COPY_RUNNING;
	default:
		return R_PRE_COPY_P2P_RUNNING_P2P;
	}
}

/* Each of the saving states is left by the arc that its requirement is about */
static const struct {
	__u32 from;
	__u32 to;
} ends[] = {
	{ VFIO_DEVICE_STATE_STOP_COPY, VFIO_DEVICE_STATE_STOP },
	{ VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_RUNNING },
	{ VFIO_DEVICE_STATE_PRE_COPY_P2P, VFIO_DEVICE_STATE_RUNNING_P2P },
};

static void leave_saving(struct conf *c, __u32 from, __u32 to)
{
	const char *name = vfio_mig_state_name(from);
	enum req_id req = who_ends(from);
	int fd, next;

	fd = enter(c, &c->dev, from, NULL);
	go(c, &c->dev, to, NULL);
	holds(c, req, session_dead(fd, true), "after %s -> %s it can be read",
	      name, vfio_mig_state_name(to));

	/* A new session is not a new life for the old fd */
	go(c, &c->dev, from, &next);
	holds(c, req, session_dead(fd, true), "in %s again it can be read",
	      name);
	holds(c, req, !session_dead(next, true), "the next one in %s is dead",
	      name);
	close(fd);
	close(next);
}

CONF_TEST(saving_session_ends, 0, R_STOP_COPY_STOP, R_PRE_COPY_RUNNING,
	  R_PRE_COPY_P2P_RUNNING_P2P)
{
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(ends); i++) {
		if (model_supports(c->flags, ends[i].from))
			leave_saving(c, ends[i].from, ends[i].to);
		else
			give_reason(c, who_ends(ends[i].from), "%s is not claimed",
				    vfio_mig_state_name(ends[i].from));
	}
}

CONF_TEST(resuming_session_ends, 0, R_RESUMING_STOP)
{
	struct blob blob = {};
	int fd, next, ret;

	save(c, &c->dev, &blob, WHOLE);
	fd = enter(c, c->to, VFIO_DEVICE_STATE_RESUMING, &blob);
	go(c, c->to, VFIO_DEVICE_STATE_STOP, NULL);
	holds(c, R_RESUMING_STOP, session_dead(fd, false),
	      "in STOP it can be written");
	/* A full session takes no more either: only the next one can tell */
	go(c, c->to, VFIO_DEVICE_STATE_RESUMING, &next);
	ret = write_blob(fd, &blob, blob.len, WHOLE);
	holds(c, R_RESUMING_STOP, ret, "it can be written in the next session");
	ret = write_blob(next, &blob, blob.len, WHOLE);
	holds(c, R_RESUMING_STOP, !ret, "the next session: %s", strerror(-ret));
	ret = vfio_mig_set_state(c->to, VFIO_DEVICE_STATE_STOP, NULL);
	holds(c, R_RESUMING_STOP, !ret, "the next session ends: %s",
	      strerror(-ret));
}

/* All ways through the saving states, with what is needed for them */
CONF_TEST(saving_states_share, NEEDS_PRE_COPY, R_SHARED)
{
	static const __u32 walk[] = {
		VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_PRE_COPY_P2P,
		VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_PRE_COPY_P2P,
		VFIO_DEVICE_STATE_STOP_COPY,
	};
	struct blob blob = {};
	unsigned int i;
	int fd, other, ret;

	fd = enter(c, &c->dev, walk[0], NULL);
	for (i = 1; i < ARRAY_LEN(walk); i++) {
		if (!model_supports(c->flags, walk[i]))
			continue;
		ret = vfio_mig_set_state(&c->dev, walk[i], &other);
		need(c, !ret, "-> %s: %s", vfio_mig_state_name(walk[i]),
		     strerror(-ret));
		holds(c, R_SHARED, other == -1, "-> %s: data_fd is %d",
		      vfio_mig_state_name(walk[i]), other);
		holds(c, R_SHARED, !session_dead(fd, true),
		      "-> %s: the fd cannot be read any more",
		      vfio_mig_state_name(walk[i]));
	}
	ret = read_blob(fd, &blob, WHOLE);
	holds(c, R_SHARED, !ret, "it gives %s in STOP_COPY", strerror(-ret));
}

static void check_end(struct conf *c, int fd)
{
	unsigned int i;
	char byte;
	ssize_t n;

	for (i = 0; i < 5; i++) {
		holds(c, R_END_POLL, poll_fd(fd, POLLIN, 1000) & POLLIN,
		      "poll() gives %#x", poll_fd(fd, POLLIN, 0));
		n = read(fd, &byte, 1);
		holds(c, R_END, !n, "read() no. %u gives %zd (%s)", i + 1, n,
		      n < 0 ? strerror(errno) : "data");
		holds(c, R_END_ENOMSG, n >= 0 || errno != ENOMSG,
		      "read() no. %u", i + 1);
	}
}

CONF_TEST(stop_copy_end, 0, R_END, R_END_POLL, R_END_ENOMSG)
{
	struct blob blob = {};
	int fd, ret;

	fd = enter(c, &c->dev, VFIO_DEVICE_STATE_STOP_COPY, NULL);
	ret = read_blob(fd, &blob, WHOLE);
	holds(c, R_END_ENOMSG, ret != -ENOMSG, "after %zu bytes", blob.len);
	must(c, R_END, !ret, "%s after %zu bytes", strerror(-ret), blob.len);
	check_end(c, fd);
	if (!(c->flags & VFIO_MIGRATION_PRE_COPY))
		return;

	fd = enter(c, &c->dev, VFIO_DEVICE_STATE_PRE_COPY, NULL);
	ret = read_blob(fd, &blob, WHOLE);
	go(c, &c->dev, VFIO_DEVICE_STATE_STOP_COPY, NULL);
	ret = read_blob(fd, &blob, WHOLE);
	must(c, R_END, !ret, "%s after PRE_COPY", strerror(-ret));
	check_end(c, fd);
}

static void check_no_positions(struct conf *c, int fd, const char *state)
{
	char byte = 0;

	holds(c, R_STREAM, lseek(fd, 0, SEEK_SET) < 0, "lseek() in %s", state);
	holds(c, R_STREAM, lseek(fd, 1, SEEK_CUR) < 0, "lseek() in %s", state);
	holds(c, R_STREAM, lseek(fd, 0, SEEK_END) < 0, "lseek() in %s", state);
	holds(c, R_STREAM, pread(fd, &byte, 1, 0) < 0, "pread() in %s", state);
	holds(c, R_STREAM, pwrite(fd, &byte, 1, 0) < 0, "pwrite() in %s",
	      state);
}

CONF_TEST(data_fd_is_a_stream, 0, R_STREAM)
{
	__u32 state;
	int fd;

	for (state = 0; state < VFIO_DEVICE_STATE_NR; state++) {
		if (!model_supports(c->flags, state) || !model_session(state))
			continue;
		fd = enter(c, &c->dev, state, NULL);
		check_no_positions(c, fd, vfio_mig_state_name(state));
		close(fd);
	}
}

/* Whatever these calls give, they come back, and the device is none the worse */
static void use_orphan(int fd)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) };
	char byte = 0;

	session_dead(fd, true);
	session_dead(fd, false);
	pread(fd, &byte, 1, 0);
	ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, &info);
}

CONF_TEST(data_fd_outlives_device, NEEDS_RESET, R_OWN_FD)
{
	struct blob blob = {}, again = {};
	__u32 state;
	int fd;

	save(c, &c->dev, &blob, WHOLE);
	for (state = 0; state < VFIO_DEVICE_STATE_NR; state++) {
		if (!model_supports(c->flags, state) || !model_session(state))
			continue;
		fd = enter(c, &c->dev, state, NULL);
		conf_reopen(c);
		use_orphan(fd);
		need(c, !fresh(&c->dev), "the device does not get back to RUNNING");
		use_orphan(fd);
		close(fd);
	}
	save(c, &c->dev, &again, WHOLE);
	holds(c, R_OWN_FD, again.len == blob.len,
	      "it gives %zu bytes now, and %zu before", again.len, blob.len);
}
