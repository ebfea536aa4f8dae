// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VMM's migration thread gone mad: any state at any time, and whatever can be
 * done to the data_fds that come of it.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "soak.h"

#define CHUNK	4096

/* Those that there are, and now and then one that nobody can ask for */
static __u32 any_target(struct mover *m)
{
	static const __u32 targets[] = {
		VFIO_DEVICE_STATE_RUNNING,
		VFIO_DEVICE_STATE_RUNNING_P2P,
		VFIO_DEVICE_STATE_STOP,
		VFIO_DEVICE_STATE_STOP_COPY,
		VFIO_DEVICE_STATE_PRE_COPY,
		VFIO_DEVICE_STATE_PRE_COPY_P2P,
	};

	/* Only a stream or a reset leads out of RESUMING: that is for load() */
	if (roll(&m->dice, 50))
		return targets[roll(&m->dice,
				    sizeof(targets) / sizeof(*targets))];
	return roll(&m->dice, 2) ? VFIO_DEVICE_STATE_ERROR :
				   VFIO_DEVICE_STATE_NR + roll(&m->dice, 99);
}

static bool has_saving(__u32 state)
{
	return state == VFIO_DEVICE_STATE_STOP_COPY ||
	       state == VFIO_DEVICE_STATE_PRE_COPY ||
	       state == VFIO_DEVICE_STATE_PRE_COPY_P2P;
}

bool soak_fd_is_dead(const struct soak_fd *f)
{
	struct pollfd pfd = { .fd = f->fd, .events = POLLIN | POLLOUT };

	return poll(&pfd, 1, 0) == 1 && pfd.revents & POLLERR;
}

/* A dead data_fd says so from then on, and poll() says so too */
static void note(struct soak_fd *f, const char *what, int ret)
{
	if (ret == -ENODEV && !soak_fd_is_dead(f))
		soak_bad("%s of a data_fd says ENODEV, poll() does not", what);
	if (ret != -ENODEV && f->dead)
		soak_bad("%s of a dead data_fd: %s", what,
			 ret < 0 ? strerror(-ret) : "success");
	f->dead = ret == -ENODEV;
}

static void close_fd(struct mover *m, struct soak_fd *f)
{
	if (f->fd < 0)
		return;
	soak_begin(SOAK_FD_CLOSE);
	session_end(m->session, SOAK_FD_CLOSE, close(f->fd) ? -errno : 0);
	f->fd = -1;
}

/* In the place of an older one */
static struct soak_fd *keep_fd(struct mover *m, int fd, bool writes)
{
	struct soak_fd *f = &m->fds[roll(&m->dice, SOAK_FDS)];

	close_fd(m, f);
	f->fd = fd;
	f->writes = writes;
	f->dead = false;
	return f;
}

static struct soak_fd *set_state(struct mover *m, __u32 to)
{
	int fd, ret;

	soak_begin(SOAK_SET_STATE);
	ret = vfio_mig_set_state(m->dev, to, &fd);
	session_end(m->session, SOAK_SET_STATE, ret);
	if (fd < 0)
		return NULL;
	if (ret || (!has_saving(to) && to != VFIO_DEVICE_STATE_RESUMING))
		soak_bad("SET_STATE to %s gives a data_fd and %s",
			 vfio_mig_state_name(to), strerror(-ret));
	return keep_fd(m, fd, to == VFIO_DEVICE_STATE_RESUMING);
}

static void get_state(struct mover *m)
{
	int state;

	soak_begin(SOAK_GET_STATE);
	state = vfio_mig_get_state(m->dev);
	session_end(m->session, SOAK_GET_STATE, state < 0 ? state : 0);
	if (state >= (int)VFIO_DEVICE_STATE_NR)
		soak_bad("the state is %d", state);
}

static void data_size(struct mover *m)
{
	__u64 size;

	soak_begin(SOAK_DATA_SIZE);
	session_end(m->session, SOAK_DATA_SIZE,
		    vfio_mig_data_size(m->dev, &size));
}

static int read_fd(struct soak_fd *f, unsigned int size)
{
	char buf[CHUNK];
	int ret;

	soak_begin(SOAK_FD_READ);
	ret = read(f->fd, buf, size);
	ret = ret < 0 ? -errno : ret;
	soak_end(SOAK_FD_READ, ret, true);
	note(f, "a read", ret);
	return ret;
}

static int write_fd(struct soak_fd *f, const void *data, unsigned int size)
{
	int ret;

	soak_begin(SOAK_FD_WRITE);
	ret = write(f->fd, data, size);
	ret = ret < 0 ? -errno : ret;
	soak_end(SOAK_FD_WRITE, ret, true);
	note(f, "a write", ret);
	return ret;
}

static void poll_fd(struct mover *m, struct soak_fd *f)
{
	struct pollfd pfd = { .fd = f->fd, .events = POLLIN | POLLOUT };
	int ret;

	soak_begin(SOAK_FD_POLL);
	ret = poll(&pfd, 1, roll(&m->dice, 3));
	soak_end(SOAK_FD_POLL, ret < 0 ? -errno : 0, true);
	if (f->dead && !(pfd.revents & POLLERR))
		soak_bad("poll() of a dead data_fd gives %#x", pfd.revents);
}

static void ask_fd(struct soak_fd *f)
{
	struct vfio_precopy_info info;
	int ret;

	soak_begin(SOAK_FD_INFO);
	ret = mig_precopy_info(f->fd, &info);
	soak_end(SOAK_FD_INFO, ret, true);
	if (!f->writes)
		note(f, "VFIO_MIG_GET_PRECOPY_INFO", ret);
}

/* All of the stream, or as much as somebody else leaves time for */
static void load(struct mover *m)
{
	const struct mig_stream *stream = m->session->stream;
	struct soak_fd *f = set_state(m, VFIO_DEVICE_STATE_RESUMING);
	size_t done = 0, n;
	int ret;

	if (!f)
		return;
	while (done < stream->len) {
		n = 1 + roll(&m->dice, CHUNK);
		if (n > stream->len - done)
			n = stream->len - done;
		ret = write_fd(f, stream->data + done, n);
		if (ret < 0)
			return;
		done += ret;
	}
	set_state(m, VFIO_DEVICE_STATE_RUNNING);
}

static void save(struct mover *m)
{
	struct soak_fd *f = set_state(m, VFIO_DEVICE_STATE_STOP_COPY);

	while (f && read_fd(f, CHUNK) > 0)
		;
}

static void write_any(struct mover *m, struct soak_fd *f)
{
	const struct mig_stream *stream = m->session->stream;
	unsigned int at = stream->len ? roll(&m->dice, stream->len) : 0;

	if (!roll(&m->dice, 2))
		at = 0;
	write_fd(f, stream->data + at,
		 roll(&m->dice, sizeof(stream->data) - at) % CHUNK);
}

static void use_fd(struct mover *m)
{
	struct soak_fd *f = &m->fds[roll(&m->dice, SOAK_FDS)];

	if (f->fd < 0)
		return;
	/* A dead one is asked a few times more */
	switch (roll(&m->dice, f->dead ? 4 : 8)) {
	case 0:
		close_fd(m, f);
		break;
	case 1:
	case 2:
		poll_fd(m, f);
		break;
	case 3:
		ask_fd(f);
		break;
	default:
		if (f->writes)
			write_any(m, f);
		else
			read_fd(f, roll(&m->dice, CHUNK));
	}
}

static void one_turn(struct mover *m)
{
	switch (roll(&m->dice, 16)) {
	case 0:
		load(m);
		break;
	case 1:
		save(m);
		break;
	case 2:
	case 3:
		get_state(m);
		break;
	case 4:
		data_size(m);
		break;
	case 5 ... 8:
		set_state(m, any_target(m));
		break;
	default:
		use_fd(m);
	}
}

void *soak_mover(void *arg)
{
	struct mover *m = arg;

	soak_enter(m->task);
	while (!session_stopped(m->session)) {
		one_turn(m);
		usleep(roll(&m->dice, 300));
	}
	return NULL;
}
