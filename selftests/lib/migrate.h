/* SPDX-License-Identifier: GPL-2.0-only */
/* Saving and loading a device, as a VMM does it, in one call each */
#ifndef SELFTESTS_LIB_MIGRATE_H
#define SELFTESTS_LIB_MIGRATE_H

#include "vfio.h"

/* The largest stream that a driver may write or has to take */
#define MIG_MAX_STREAM	65536

struct mig_stream {
	__u8 data[MIG_MAX_STREAM];
	size_t len;
};

int mig_read(int fd, struct mig_stream *stream);
int mig_read_on(int fd, struct mig_stream *stream);
int mig_precopy_info(int fd, struct vfio_precopy_info *info);
int mig_write(int fd, const void *data, size_t len);
int mig_save(struct vfio_dev *dev, struct mig_stream *stream);
int mig_load(struct vfio_dev *dev, const struct mig_stream *stream,
	     __u32 state);
int mig_diff(const struct mig_stream *a, const struct mig_stream *b);
int mig_move(struct vfio_dev *from, struct vfio_dev *to, __u32 state);
int mig_move_precopy(struct vfio_dev *from, struct vfio_dev *to, __u32 state);

#endif
