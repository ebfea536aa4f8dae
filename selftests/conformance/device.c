// SPDX-License-Identifier: GPL-2.0-only
/* The device under test: opening it, and finding out what it claims */
#include <stdio.h>
#include <sys/ioctl.h>

#include "conformance.h"

/* Whatever the call's arguments are worth; @data is copied both ways */
int call_feature(struct vfio_dev *dev, __u32 argsz, __u32 flags, void *data,
		 size_t size)
{
	union {
		struct vfio_device_feature arg;
		char room[256];
	} u;
	int ret;

	memset(&u, 0, sizeof(u));
	u.arg.argsz = argsz;
	u.arg.flags = flags;
	memcpy(u.arg.data, data, size);
	ret = ioctl(dev->fd, VFIO_DEVICE_FEATURE, &u) < 0 ? -errno : 0;
	memcpy(data, u.arg.data, size);
	return ret;
}

static bool probe(struct vfio_dev *dev, __u32 feature)
{
	return !vfio_feature(dev, VFIO_DEVICE_FEATURE_PROBE, feature, NULL, 0);
}

/* A device that says nothing of a reset may know one: it is needed to tidy up */
static bool can_reset(struct conf *c)
{
	return !vfio_reset(&c->dev);
}

static void find_claims(struct conf *c)
{
	if (c->flags & VFIO_MIGRATION_P2P)
		c->has |= NEEDS_P2P;
	if (c->flags & VFIO_MIGRATION_PRE_COPY)
		c->has |= NEEDS_PRE_COPY;
	if (can_reset(c))
		c->has |= NEEDS_RESET;
	if (probe(&c->dev, VFIO_DEVICE_FEATURE_MIG_DATA_SIZE))
		c->has |= NEEDS_DATA_SIZE;
	if (probe(&c->dev, VFIO_DEVICE_FEATURE_DMA_LOGGING_START))
		c->has |= NEEDS_DMA_LOG;
	if (probe(&c->dev, PRECOPY_INFO_V2))
		c->has |= NEEDS_INFO_V2;
	if (c->opt->hostile)
		c->has |= NEEDS_HOSTILE;
}

static int open_devices(struct conf *c)
{
	int ret;

	ret = vfio_iommu_open_as(&c->iommu, c->cdev);
	if (ret)
		return ret;
	ret = vfio_open(&c->dev, &c->iommu, c->opt->device);
	if (ret || !c->opt->peer)
		return ret;
	return vfio_open(&c->peer, &c->iommu, c->opt->peer);
}

/* -ENOTTY where the device offers no migration */
int conf_open(struct conf *c, const struct conf_options *opt, bool cdev)
{
	int ret;

	c->opt = opt;
	c->cdev = cdev;
	ret = open_devices(c);
	if (!ret)
		ret = vfio_device_flags(&c->dev, &c->info);
	if (!ret)
		ret = vfio_mig_flags(&c->dev, &c->flags);
	if (ret)
		return ret;
	c->to = opt->peer ? &c->peer : &c->dev;
	find_claims(c);
	return 0;
}

void conf_reopen(struct conf *c)
{
	if (c->opt->peer)
		vfio_close(&c->peer);
	vfio_close(&c->dev);
	vfio_iommu_close(&c->iommu);
	need(c, !open_devices(c), "the device cannot be opened again");
}

/* Why a test cannot run, or NULL */
const char *conf_lacks(const struct conf *c, unsigned int needs)
{
	static const struct {
		unsigned int need;
		const char *why;
	} reasons[] = {
		{ NEEDS_P2P, "P2P is not claimed" },
		{ NEEDS_PRE_COPY, "PRE_COPY is not claimed" },
		{ NEEDS_RESET, "VFIO_DEVICE_RESET does not work" },
		{ NEEDS_DATA_SIZE, "MIG_DATA_SIZE is not offered" },
		{ NEEDS_DMA_LOG, "DMA logging is not offered" },
		{ NEEDS_INFO_V2, "MIG_PRECOPY_INFOv2 is not offered" },
		{ NEEDS_HOSTILE, "may take the machine down: --hostile runs it" },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_LEN(reasons); i++)
		if (needs & reasons[i].need && !(c->has & reasons[i].need))
			return reasons[i].why;
	return NULL;
}

/* RUNNING and without a session, as nearly as the device can */
int fresh(struct vfio_dev *dev)
{
	if (vfio_reset(dev))
		vfio_mig_set_state(dev, VFIO_DEVICE_STATE_RUNNING, NULL);
	return vfio_mig_get_state(dev) == VFIO_DEVICE_STATE_RUNNING ? 0 : -EIO;
}
