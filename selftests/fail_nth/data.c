// SPDX-License-Identifier: GPL-2.0-only
/* The data_fds */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "lib/records.h"

/* One that the guest gets into and out of */
#define VLAN	5

/* Bytes of a read or write: more than a stream has, and less */
#define WHOLE	(MIG_MAX_STREAM / 2)
#define PIECE	100

/* What is there already must not be taken for what was read */
static void forget_data(struct fail *fail)
{
	memset(&fail->data, 0, sizeof(fail->data));
}

static int begin_reading(struct fail *fail)
{
	forget_data(fail);
	return begin_state(fail);
}

/* Each read fails or gives something, and nothing is lost or comes twice */
static int go_read(struct fail *fail)
{
	struct mig_stream *data = &fail->data;
	ssize_t ret;

	do {
		ret = read(fail->old_fd, data->data + data->len, fail->path->piece);
		if (ret > 0)
			data->len += ret;
	} while (ret > 0);
	return ret && errno != ENOMSG ? -errno : 0;
}

static int look_at_data(struct fail *fail)
{
	show(fail, fail->data.data, fail->data.len);
	return 0;
}

/* The guest has told the PF something that is not in the stream */
static int begin_changed(struct fail *fail)
{
	int ret = begin_running(fail);

	if (!ret)
		ret = igbvf_set_vlan(&fail->vf, VLAN, false);
	if (!ret)
		ret = begin_reading(fail);
	if (!ret)
		ret = go_read(fail);
	if (!ret)
		ret = igbvf_set_vlan(&fail->vf, VLAN, true);
	forget_data(fail);
	return ret;
}

static int go_precopy_info(struct fail *fail)
{
	struct vfio_precopy_info info;
	int ret = mig_precopy_info(fail->old_fd, &info);

	if (!ret)
		show(fail, &info, sizeof(info));
	return ret;
}

static int look_at_changes(struct fail *fail)
{
	int ret = go_read(fail);

	return ret ? ret : look_at_data(fail);
}

static int go_poll(struct fail *fail)
{
	struct pollfd pfd = { .fd = fail->old_fd, .events = POLLIN | POLLOUT };

	if (poll(&pfd, 1, 0) < 0)
		return -errno;
	show(fail, &pfd.revents, sizeof(pfd.revents));
	return 0;
}

static int begin_writing(struct fail *fail)
{
	int ret = begin_running(fail);

	fail->done = 0;
	if (!ret)
		ret = reg_write(fail, SCRATCH, INSIDE);
	return ret ? ret : vfio_mig_set_state(fail->dev,
					      VFIO_DEVICE_STATE_RESUMING,
					      &fail->fd);
}

static int go_write(struct fail *fail)
{
	size_t left;
	ssize_t ret;

	while (fail->done < fail->data.len) {
		left = fail->data.len - fail->done;
		ret = write(fail->fd, fail->data.data + fail->done,
			    left < fail->path->piece ? left : fail->path->piece);
		if (ret < 0)
			return -errno;
		fail->done += ret;
	}
	return 0;
}

/* Puts the stream into the device, and takes out what came of it */
static int look_loaded(struct fail *fail)
{
	int ret = vfio_mig_set_state(fail->dev, VFIO_DEVICE_STATE_RUNNING, NULL);
	__u32 val = 0;

	close_data_fds(fail);
	if (!ret)
		ret = reg_read(fail, SCRATCH, &val);
	if (!ret && val != BEFORE)
		ret = -EBADMSG;
	if (!ret)
		ret = vfio_mig_set_state(fail->dev, VFIO_DEVICE_STATE_STOP_COPY,
					 &fail->fd);
	return ret ? ret : look_at_stream(fail);
}

/* A record that means nothing, for a stream that does not fit where others do */
int lengthen(struct mig_stream *stream)
{
	struct layout layout;
	int ret = parse(stream, &layout);

	if (ret)
		return ret;
	insert_record(stream, nth(&layout, VFIO_MIG_RECORD_SEAL, 1)->start,
		      UNKNOWN_RECORD, 0, 10000);
	return sign(stream);
}

#define READ	.begin = begin_reading, .go = go_read, .look = look_at_data, \
		.least = 1
#define CHANGED	.begin = begin_changed, .from = VFIO_DEVICE_STATE_PRE_COPY
#define WRITE	.begin = begin_writing, .go = go_write, .look = look_loaded, \
		.least = 1

const struct path read_paths[] = {
	{ .name = "read in STOP_COPY",
	  .from = VFIO_DEVICE_STATE_STOP_COPY, .piece = WHOLE, READ },
	{ .name = "read pieces in STOP_COPY",
	  .from = VFIO_DEVICE_STATE_STOP_COPY, .piece = PIECE, READ },
	{ .name = "read in PRE_COPY",
	  .from = VFIO_DEVICE_STATE_PRE_COPY, .piece = WHOLE, READ },
	{ .name = "read pieces in PRE_COPY",
	  .from = VFIO_DEVICE_STATE_PRE_COPY, .piece = PIECE, READ },
	{ .name = "read what changes in PRE_COPY", CHANGED, .piece = PIECE,
	  .go = go_read, .look = look_at_data, .least = 1 },
	{ .name = "PRECOPY_INFO", CHANGED, .piece = PIECE,
	  .go = go_precopy_info, .look = look_at_changes, .least = 2 },
	{ .name = "poll", .from = VFIO_DEVICE_STATE_STOP_COPY,
	  .begin = begin_reading, .go = go_poll, .least = 1 },
	{}
};

const struct path write_paths[] = {
	{ .name = "write", .piece = WHOLE, WRITE },
	{ .name = "write pieces", .piece = PIECE, WRITE },
	{}
};

const struct path long_write_paths[] = {
	{ .name = "write a long stream", .piece = WHOLE, WRITE },
	{}
};
