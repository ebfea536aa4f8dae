// SPDX-License-Identifier: GPL-2.0-only
/* The migration states, and the files that come of them */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "hammer.h"

static int keep_data_fd(struct hand *h, int fd)
{
	return fd < 0 ? fd : keep_fd(h, h->session->fds, HAMMER_FDS, fd);
}

/* There is one in the answer even where the kernel could not tell of it, or not any more */
static void take_data_fd(struct hand *h, int ret, const void *answer)
{
	const struct vfio_device_feature_mig_state *mig = answer;

	if (ret >= 0)
		keep_data_fd(h, mig->data_fd);
}

struct mig_arg {
	struct vfio_device_feature feature;
	struct vfio_device_feature_mig_state mig;
};

/* Only a stream or a reset leads out of RESUMING, so that is not for every day */
static __u32 any_state(struct hand *h)
{
	static const __u32 states[] = {
		VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_RUNNING_P2P,
		VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_STOP_COPY,
		VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_PRE_COPY,
		VFIO_DEVICE_STATE_PRE_COPY_P2P,
	};

	switch (roll(&h->dice, 24)) {
	case 0:
		return VFIO_DEVICE_STATE_RESUMING;
	case 1:
		return any_u32(h);
	default:
		return states[roll(&h->dice, 7)];
	}
}

void do_set_state(struct hand *h)
{
	struct mig_arg arg = {
		.feature = {
			.argsz = any_argsz(h, sizeof(arg)),
			.flags = VFIO_DEVICE_FEATURE_SET |
				 VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
		},
		.mig = {
			.device_state = any_state(h),
			.data_fd = -1,
		},
	};
	int ret;

	ret = hammer_ioctl(h, HAMMER_SET_STATE, any_dev(h), VFIO_DEVICE_FEATURE,
			   &arg, sizeof(arg));
	take_data_fd(h, ret, &arg.mig);
}

void do_get_state(struct hand *h)
{
	struct mig_arg arg = {
		.feature = {
			.argsz = any_argsz(h, sizeof(arg)),
			.flags = VFIO_DEVICE_FEATURE_GET |
				 VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
		},
	};

	hammer_ioctl(h, HAMMER_GET_STATE, any_dev(h), VFIO_DEVICE_FEATURE, &arg,
		     sizeof(arg));
}

void do_data_size(struct hand *h)
{
	struct {
		struct vfio_device_feature feature;
		struct vfio_device_feature_mig_data_size size;
	} arg = {
		.feature = {
			.argsz = any_argsz(h, sizeof(arg)),
			.flags = VFIO_DEVICE_FEATURE_GET |
				 VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
		},
	};

	hammer_ioctl(h, HAMMER_DATA_SIZE, any_dev(h), VFIO_DEVICE_FEATURE, &arg,
		     sizeof(arg));
}

static int read_all(struct hand *h, int fd)
{
	__u8 buf[1024];
	ssize_t ret;

	do {
		ret = read(fd, buf, 1 + roll(&h->dice, sizeof(buf)));
	} while (ret > 0);
	return ret < 0 && errno != ENOMSG ? -errno : 0;
}

/* All that a VMM does on the source, as far as the other threads let it */
void do_save(struct hand *h)
{
	struct vfio_dev dev = { .fd = any_dev(h) };
	struct vfio_precopy_info info;
	int ret, fd;

	books_begin(HAMMER_SAVE);
	ret = vfio_mig_set_state(&dev, VFIO_DEVICE_STATE_PRE_COPY, &fd);
	fd = keep_data_fd(h, fd);
	if (!ret)
		books_count(&hammer->books, HAMMER_FD_INFO,
			    mig_precopy_info(fd, &info));
	if (!ret)
		ret = read_all(h, fd);
	if (!ret)
		ret = vfio_mig_set_state(&dev, VFIO_DEVICE_STATE_STOP_COPY, NULL);
	if (!ret)
		ret = read_all(h, fd);
	if (!ret)
		ret = vfio_mig_set_state(&dev, VFIO_DEVICE_STATE_RUNNING, NULL);
	hammer_end(HAMMER_SAVE, ret);
}

/* In pieces, and now and then with a byte that is not as it was */
static int write_stream(struct hand *h, int fd)
{
	struct mig_stream *stream = &hammer->stream;
	__u8 data[1024];
	size_t at, n;
	int ret = 0;

	for (at = 0; !ret && at < stream->len; at += n) {
		n = 1 + roll(&h->dice, sizeof(data));
		if (n > stream->len - at)
			n = stream->len - at;
		memcpy(data, stream->data + at, n);
		if (!roll(&h->dice, 8))
			data[roll(&h->dice, n)] ^= 1 << roll(&h->dice, 8);
		ret = mig_write(fd, data, n);
	}
	return ret;
}

/* And on the destination; another thread may have gone to RESUMING before */
void do_load(struct hand *h)
{
	struct vfio_dev dev = { .fd = any_dev(h) };
	int ret, fd;

	books_begin(HAMMER_LOAD);
	ret = vfio_mig_set_state(&dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	fd = fd < 0 ? any_data_fd(h) : keep_data_fd(h, fd);
	if (!ret)
		ret = write_stream(h, fd);
	if (!ret)
		ret = vfio_mig_set_state(&dev, VFIO_DEVICE_STATE_RUNNING, NULL);
	hammer_end(HAMMER_LOAD, ret);
}

void do_fd_read(struct hand *h)
{
	__u8 buf[64] = {};
	void *place = room_put(h, buf, sizeof(buf));
	size_t size = roll(&h->dice, 2) ? roll(&h->dice, 512) : any_u64(h);
	ssize_t ret;

	books_begin(HAMMER_FD_READ);
	ret = read(any_data_fd(h), place, room_limit(h, size));
	hammer_end(HAMMER_FD_READ, ret < 0 ? -errno : 0);
}

void do_fd_write(struct hand *h)
{
	struct mig_stream *stream = &hammer->stream;
	size_t at = roll(&h->dice, 2) ? 0 : roll(&h->dice, stream->len);
	size_t size = roll(&h->dice, stream->len - at);
	void *place = room_put(h, stream->data + at, size);
	ssize_t ret;

	if (!roll(&h->dice, 4))
		size = any_u64(h);
	books_begin(HAMMER_FD_WRITE);
	ret = write(any_data_fd(h), place, size);
	hammer_end(HAMMER_FD_WRITE, ret < 0 ? -errno : 0);
}

void do_fd_info(struct hand *h)
{
	struct vfio_precopy_info info = {
		.argsz = any_argsz(h, sizeof(info)),
		.flags = roll(&h->dice, 4) ? 0 : any_u32(h),
	};

	hammer_ioctl(h, HAMMER_FD_INFO, any_data_fd(h),
		     VFIO_MIG_GET_PRECOPY_INFO, &info, sizeof(info));
}

void do_fd_poll(struct hand *h)
{
	struct pollfd pfd = {
		.fd = any_data_fd(h),
		.events = any_u32(h),
	};
	int ret;

	books_begin(HAMMER_FD_POLL);
	ret = poll(&pfd, 1, roll(&h->dice, 5));
	hammer_end(HAMMER_FD_POLL, ret < 0 ? -errno : 0);
}

void do_fd_dup(struct hand *h)
{
	int fd;

	books_begin(HAMMER_FD_DUP);
	fd = dup(any_data_fd(h));
	hammer_end(HAMMER_FD_DUP, fd < 0 ? -errno : 0);
	keep_data_fd(h, fd);
}

void do_fd_close(struct hand *h)
{
	int *where = &h->session->fds[roll(&h->dice, HAMMER_FDS)];
	int fd = __atomic_exchange_n(where, -1, __ATOMIC_SEQ_CST);

	if (fd < 0)
		return;
	books_begin(HAMMER_FD_CLOSE);
	hammer_end(HAMMER_FD_CLOSE, close(fd) ? -errno : 0);
}

void do_fd_other(struct hand *h)
{
	struct iovec iov = {
		.iov_base = h->room,
		.iov_len = 1 + roll(&h->dice, 4096),
	};
	off_t at = any_u64(h);
	int fd = any_data_fd(h);
	void *map = NULL;
	ssize_t ret;

	books_begin(HAMMER_FD_OTHER);
	switch (roll(&h->dice, 6)) {
	case 0:
		ret = lseek(fd, at, roll(&h->dice, 6));
		break;
	case 1:
		ret = pread(fd, iov.iov_base, iov.iov_len, at);
		break;
	case 2:
		ret = pwrite(fd, iov.iov_base, iov.iov_len, at);
		break;
	case 3:
		ret = preadv2(fd, &iov, 1, 0, 0);
		break;
	case 4:
		ret = ftruncate(fd, at);
		break;
	default:
		map = mmap(NULL, iov.iov_len, PROT_READ, MAP_SHARED, fd, 0);
		ret = map == MAP_FAILED ? -1 : 0;
	}
	hammer_end(HAMMER_FD_OTHER, ret < 0 ? -errno : 0);
}
