/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log of the pages that a device writes, and what a VMM does with it: a copy of
 * the guest's memory that gets each page that is reported, and what the guest writes
 * itself. Whatever differs at the end the log has missed.
 */
#ifndef SELFTESTS_LIB_DIRTY_H
#define SELFTESTS_LIB_DIRTY_H

#include "vfio.h"

#define DIRTY_PAGE	4096ULL
#define DIRTY_MAX_PAGES	1024

struct dirty_copy {
	struct vfio_dev *dev;
	struct vfio_dma mem;
	__u8 *copy;
	unsigned long reported;	/* pages, each time that they were */
	unsigned long written;	/* of these, pages that had changed */
};

bool dirty_offered(struct vfio_dev *dev);
int dirty_start(struct vfio_dev *dev, __u64 iova, __u64 length);
int dirty_stop(struct vfio_dev *dev);
int dirty_report(struct vfio_dev *dev, __u64 iova, __u64 length, __u64 page_size,
		 void *bitmap);
unsigned int dirty_count(struct vfio_dev *dev, __u64 iova, __u64 length);

int dirty_copy_open(struct dirty_copy *d, struct vfio_dev *dev, size_t size);
void dirty_copy_close(struct dirty_copy *d);
int dirty_copy_begin(struct dirty_copy *d);
int dirty_copy_update(struct dirty_copy *d);
int dirty_copy_update_part(struct dirty_copy *d, size_t from, size_t len);
void dirty_copy_write(struct dirty_copy *d, size_t at, const void *data, size_t len);
long dirty_copy_missed(struct dirty_copy *d);

#endif
