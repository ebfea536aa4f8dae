// SPDX-License-Identifier: GPL-2.0-only
/*
 * Moving streams. A read() or write() that waits for ever is ended by the
 * test's time limit.
 */
#include <poll.h>

#include "conformance.h"

#define MAX_STREAM	(256UL << 20)
/* A stream may be long: it is not read byte by byte to its end */
#define MAX_PIECES	4096

/* What poll() says, or 0 if it says nothing for so long */
int poll_fd(int fd, short events, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, ms) > 0 ? pfd.revents : 0;
}

static int make_room(struct blob *blob, size_t len)
{
	size_t room = blob->room ? blob->room : WHOLE;
	__u8 *data;

	while (room < blob->len + len)
		room *= 2;
	if (room > MAX_STREAM)
		return -EFBIG;
	if (room == blob->room)
		return 0;
	data = realloc(blob->data, room);
	if (!data)
		return -ENOMEM;
	blob->data = data;
	blob->room = room;
	return 0;
}

static size_t piece(size_t segment, unsigned int nth)
{
	return nth < MAX_PIECES ? segment : segment + WHOLE;
}

/* Reads on, until the end (0), or an errno, which -ENOMSG is as well */
int read_blob(int fd, struct blob *blob, size_t segment)
{
	unsigned int nth;
	ssize_t done;
	int ret;

	for (nth = 0; ; nth++) {
		ret = make_room(blob, piece(segment, nth));
		if (ret)
			return ret;
		done = read(fd, blob->data + blob->len, piece(segment, nth));
		if (done <= 0)
			return done ? -errno : 0;
		blob->len += done;
	}
}

/* Writes the first @len bytes */
int write_blob(int fd, const struct blob *blob, size_t len, size_t segment)
{
	size_t pos = 0, count;
	unsigned int nth;
	ssize_t done;

	for (nth = 0; pos < len; nth++) {
		count = piece(segment, nth);
		if (count > len - pos)
			count = len - pos;
		done = write(fd, blob->data + pos, count);
		if (done <= 0)
			return done ? -errno : -EIO;
		pos += done;
	}
	return 0;
}

/* The fd of a session that is over takes and gives nothing */
bool session_dead(int fd, bool saving)
{
	char byte = 0;

	if (!poll_fd(fd, POLLIN | POLLOUT, 0))
		return false;
	return (saving ? read(fd, &byte, 1) : write(fd, &byte, 1)) < 0 &&
	       errno != ENOMSG;
}

/* A change of state that is needed to get to what is tested */
void go(struct conf *c, struct vfio_dev *dev, __u32 state, int *fd)
{
	int from = vfio_mig_get_state(dev);
	int ret = vfio_mig_set_state(dev, state, fd);

	need(c, !ret, "%s -> %s: %s", vfio_mig_state_name(from),
	     vfio_mig_state_name(state), strerror(-ret));
	need(c, !fd || *fd >= 0, "%s -> %s gives no data_fd",
	     vfio_mig_state_name(from), vfio_mig_state_name(state));
}

/* Leaves the device in STOP_COPY, with nothing left to read */
void save(struct conf *c, struct vfio_dev *dev, struct blob *blob,
	  size_t segment)
{
	int fd, ret;

	need(c, !fresh(dev), "the device does not get back to RUNNING");
	go(c, dev, VFIO_DEVICE_STATE_STOP_COPY, &fd);
	blob->len = 0;
	ret = read_blob(fd, blob, segment);
	need(c, !ret, "reading in STOP_COPY: %s", strerror(-ret));
	close(fd);
}

/* Goes on to STOP. The device is a fresh one, and left in RESUMING if that fails */
int load(struct vfio_dev *dev, const struct blob *blob, size_t segment)
{
	int fd, ret;

	ret = fresh(dev);
	if (!ret)
		ret = vfio_mig_set_state(dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	if (ret)
		return ret;
	ret = write_blob(fd, blob, blob->len, segment);
	if (!ret)
		ret = vfio_mig_set_state(dev, VFIO_DEVICE_STATE_STOP, NULL);
	close(fd);
	return ret;
}

/*
 * A fresh device goes to @state, with its data_fd if that has one. RESUMING is
 * given @blob, without which there is no way on.
 */
int enter(struct conf *c, struct vfio_dev *dev, __u32 state,
	  const struct blob *blob)
{
	int fd = -1, ret;

	need(c, !fresh(dev), "the device does not get back to RUNNING");
	go(c, dev, state, model_session(state) ? &fd : NULL);
	if (state == VFIO_DEVICE_STATE_RESUMING && blob) {
		ret = write_blob(fd, blob, blob->len, WHOLE);
		need(c, !ret, "writing in RESUMING: %s", strerror(-ret));
	}
	return fd;
}
