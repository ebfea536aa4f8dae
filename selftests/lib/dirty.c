// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dirty.h"

bool dirty_offered(struct vfio_dev *dev)
{
	return !vfio_feature(dev, VFIO_DEVICE_FEATURE_PROBE |
				  VFIO_DEVICE_FEATURE_SET,
			     VFIO_DEVICE_FEATURE_DMA_LOGGING_START, NULL, 0);
}

int dirty_start(struct vfio_dev *dev, __u64 iova, __u64 length)
{
	struct vfio_device_feature_dma_logging_range range = {
		.iova = iova,
		.length = length,
	};
	struct vfio_device_feature_dma_logging_control control = {
		.page_size = DIRTY_PAGE,
		.num_ranges = 1,
		.ranges = (unsigned long)&range,
	};

	return vfio_feature(dev, VFIO_DEVICE_FEATURE_SET,
			    VFIO_DEVICE_FEATURE_DMA_LOGGING_START, &control,
			    sizeof(control));
}

int dirty_stop(struct vfio_dev *dev)
{
	return vfio_feature(dev, VFIO_DEVICE_FEATURE_SET,
			    VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP, NULL, 0);
}

int dirty_report(struct vfio_dev *dev, __u64 iova, __u64 length, __u64 page_size,
		 void *bitmap)
{
	struct vfio_device_feature_dma_logging_report report = {
		.iova = iova,
		.length = length,
		.page_size = page_size,
		.bitmap = (unsigned long)bitmap,
	};

	return vfio_feature(dev, VFIO_DEVICE_FEATURE_GET,
			    VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT, &report,
			    sizeof(report));
}

/* How many pages a report has, of DIRTY_MAX_PAGES at most */
unsigned int dirty_count(struct vfio_dev *dev, __u64 iova, __u64 length)
{
	__u64 bitmap[DIRTY_MAX_PAGES / 64] = {};
	unsigned int i, count = 0;

	if (dirty_report(dev, iova, length, DIRTY_PAGE, bitmap))
		return ~0U;
	for (i = 0; i < DIRTY_MAX_PAGES / 64; i++)
		count += __builtin_popcountll(bitmap[i]);
	return count;
}

int dirty_copy_open(struct dirty_copy *d, struct vfio_dev *dev, size_t size)
{
	int ret;

	memset(d, 0, sizeof(*d));
	if (size > DIRTY_MAX_PAGES * DIRTY_PAGE)
		return -E2BIG;
	ret = vfio_dma_alloc(dev->iommu, &d->mem, size);
	if (ret)
		return ret;
	d->dev = dev;
	d->copy = malloc(size);
	return d->copy ? 0 : -ENOMEM;
}

void dirty_copy_close(struct dirty_copy *d)
{
	if (d->dev)
		vfio_dma_free(d->dev->iommu, &d->mem);
	free(d->copy);
	memset(d, 0, sizeof(*d));
}

/* Starts the log, and then copies all: as a VMM does */
int dirty_copy_begin(struct dirty_copy *d)
{
	int ret = dirty_start(d->dev, d->mem.iova, d->mem.size);

	memcpy(d->copy, d->mem.mem, d->mem.size);
	return ret;
}

static void copy_page(struct dirty_copy *d, size_t at)
{
	d->reported++;
	if (memcmp(d->copy + at, d->mem.mem + at, DIRTY_PAGE))
		d->written++;
	memcpy(d->copy + at, d->mem.mem + at, DIRTY_PAGE);
}

int dirty_copy_update_part(struct dirty_copy *d, size_t from, size_t len)
{
	__u64 bitmap[DIRTY_MAX_PAGES / 64] = {};
	unsigned int i;
	int ret;

	ret = dirty_report(d->dev, d->mem.iova + from, len, DIRTY_PAGE, bitmap);
	for (i = 0; !ret && i < len / DIRTY_PAGE; i++)
		if (bitmap[i / 64] & 1ULL << i % 64)
			copy_page(d, from + i * DIRTY_PAGE);
	return ret;
}

int dirty_copy_update(struct dirty_copy *d)
{
	return dirty_copy_update_part(d, 0, d->mem.size);
}

/* What the guest writes the VMM knows of without the device */
void dirty_copy_write(struct dirty_copy *d, size_t at, const void *data, size_t len)
{
	memcpy(d->mem.mem + at, data, len);
	memcpy(d->copy + at, data, len);
}

/* The first byte that the log has missed, with the device stopped; -1 for none */
long dirty_copy_missed(struct dirty_copy *d)
{
	const __u8 *mem = d->mem.mem;
	size_t i;

	if (!memcmp(mem, d->copy, d->mem.size))
		return -1;
	for (i = 0; mem[i] == d->copy[i]; i++)
		;
	return i;
}
