// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "vfmig.h"

#define FIRST_ROOM	4096

static int make_room(struct buffer *buf)
{
	size_t room = buf->room ? 2 * buf->room : FIRST_ROOM;
	void *data;

	if (buf->len < buf->room)
		return 0;
	data = realloc(buf->data, room);
	if (!data)
		return -ENOMEM;
	buf->data = data;
	buf->room = room;
	return 0;
}

/* Adds what a file has to give; -EFBIG where that makes it more than @max bytes */
int buffer_read(struct buffer *buf, int fd, size_t max)
{
	ssize_t n = 0;
	int ret;

	do {
		if (stopped_by())
			return -EINTR;
		ret = make_room(buf);
		if (ret)
			return ret;
		n = read(fd, buf->data + buf->len, buf->room - buf->len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			buf->len += n;
		if (buf->len > max)
			return -EFBIG;
	} while (n);
	return 0;
}

void buffer_free(struct buffer *buf)
{
	free(buf->data);
	*buf = (struct buffer) {};
}
