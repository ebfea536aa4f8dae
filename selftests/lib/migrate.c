// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "migrate.h"

/* Adds what a data_fd has to give; -ENOMSG where there may be more later */
int mig_read_on(int fd, struct mig_stream *stream)
{
	ssize_t ret;

	do {
		if (stream->len == sizeof(stream->data))
			return -EFBIG;
		ret = read(fd, stream->data + stream->len,
			   sizeof(stream->data) - stream->len);
		if (ret < 0)
			return -errno;
		stream->len += ret;
	} while (ret);
	return 0;
}

/* Reads a data_fd to its end */
int mig_read(int fd, struct mig_stream *stream)
{
	stream->len = 0;
	return mig_read_on(fd, stream);
}

int mig_precopy_info(int fd, struct vfio_precopy_info *info)
{
	memset(info, 0, sizeof(*info));
	info->argsz = sizeof(*info);
	return ioctl(fd, VFIO_MIG_GET_PRECOPY_INFO, info) ? -errno : 0;
}

int mig_write(int fd, const void *data, size_t len)
{
	ssize_t ret;

	while (len) {
		ret = write(fd, data, len);
		if (ret < 0)
			return -errno;
		data += ret;
		len -= ret;
	}
	return 0;
}

/* Leaves the device in STOP_COPY */
int mig_save(struct vfio_dev *dev, struct mig_stream *stream)
{
	int fd, ret;

	ret = vfio_mig_set_state(dev, VFIO_DEVICE_STATE_STOP_COPY, &fd);
	if (ret)
		return ret;
	if (fd < 0)
		return -EBADF;
	ret = mig_read(fd, stream);
	close(fd);
	return ret;
}

/* Goes on to @state, which may be RESUMING itself */
int mig_load(struct vfio_dev *dev, const struct mig_stream *stream,
	     __u32 state)
{
	int fd, ret;

	ret = vfio_mig_set_state(dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	if (ret)
		return ret;
	if (fd < 0)
		return -EBADF;
	ret = mig_write(fd, stream->data, stream->len);
	if (!ret)
		ret = vfio_mig_set_state(dev, state, NULL);
	close(fd);
	return ret;
}

/* The offset of the first byte that differs, or -1 */
int mig_diff(const struct mig_stream *a, const struct mig_stream *b)
{
	size_t i;

	for (i = 0; i < a->len && i < b->len; i++)
		if (a->data[i] != b->data[i])
			return i;
	return a->len == b->len ? -1 : (int)i;
}

int mig_move(struct vfio_dev *from, struct vfio_dev *to, __u32 state)
{
	struct mig_stream *stream = malloc(sizeof(*stream));
	int ret;

	if (!stream)
		return -ENOMEM;
	ret = mig_save(from, stream);
	if (!ret)
		ret = mig_load(to, stream, state);
	free(stream);
	return ret;
}

/* The same, where a first part is sent while the device runs */
int mig_move_precopy(struct vfio_dev *from, struct vfio_dev *to, __u32 state)
{
	struct mig_stream *stream = calloc(1, sizeof(*stream));
	int ret, fd;

	if (!stream)
		return -ENOMEM;
	ret = vfio_mig_set_state(from, VFIO_DEVICE_STATE_PRE_COPY, &fd);
	if (!ret) {
		ret = mig_read_on(fd, stream);
		if (ret == -ENOMSG)
			ret = vfio_mig_set_state(from,
						 VFIO_DEVICE_STATE_STOP_COPY,
						 NULL);
		if (!ret)
			ret = mig_read_on(fd, stream);
		close(fd);
	}
	if (!ret)
		ret = mig_load(to, stream, state);
	free(stream);
	return ret;
}
