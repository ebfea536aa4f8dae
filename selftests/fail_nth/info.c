// SPDX-License-Identifier: GPL-2.0-only
/* What the device says of itself, and resets */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "fail.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Behind those of vfio-pci come the extension region and two interrupts */
#define NR_REGIONS	(VFIO_PCI_NUM_REGIONS + 1)
#define NR_IRQS		(VFIO_PCI_NUM_IRQS + 2)

static int go_info(struct fail *fail)
{
	union {
		struct vfio_device_info info;
		char room[256];
	} u = { .info = { .argsz = sizeof(u) } };

	if (ioctl(fail->dev->fd, VFIO_DEVICE_GET_INFO, &u))
		return -errno;
	show(fail, &u, sizeof(u));
	return 0;
}

static int go_regions(struct fail *fail)
{
	union {
		struct vfio_region_info info;
		char room[256];
	} u;
	__u32 i;

	for (i = 0; i < NR_REGIONS; i++) {
		/* It is not there */
		if (i == VFIO_PCI_VGA_REGION_INDEX)
			continue;
		memset(&u, 0, sizeof(u));
		u.info.argsz = sizeof(u);
		u.info.index = i;
		if (ioctl(fail->dev->fd, VFIO_DEVICE_GET_REGION_INFO, &u))
			return -errno;
		show(fail, &u, sizeof(u));
	}
	return 0;
}

static int go_irqs(struct fail *fail)
{
	struct vfio_irq_info info = { .argsz = sizeof(info) };

	for (; info.index < NR_IRQS; info.index++) {
		if (ioctl(fail->dev->fd, VFIO_DEVICE_GET_IRQ_INFO, &info))
			return -errno;
		show(fail, &info, sizeof(info));
	}
	return 0;
}

static int go_hot_reset_info(struct fail *fail)
{
	union {
		struct vfio_pci_hot_reset_info info;
		char room[512];
	} u = { .info = { .argsz = sizeof(u) } };

	if (ioctl(fail->dev->fd, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &u))
		return -errno;
	show(fail, &u, sizeof(u));
	return 0;
}

static int go_features(struct fail *fail)
{
	static const struct {
		__u32 which;
		__u32 feature;
		size_t size;
	} call[] = {
		{ VFIO_DEVICE_FEATURE_GET, VFIO_DEVICE_FEATURE_MIGRATION,
		  sizeof(struct vfio_device_feature_migration) },
		{ VFIO_DEVICE_FEATURE_GET, VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
		  sizeof(struct vfio_device_feature_mig_state) },
		{ VFIO_DEVICE_FEATURE_GET, VFIO_DEVICE_FEATURE_MIG_DATA_SIZE,
		  sizeof(struct vfio_device_feature_mig_data_size) },
		{ VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET,
		  VFIO_DEVICE_FEATURE_MIGRATION, 0 },
		{ VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET |
		  VFIO_DEVICE_FEATURE_SET,
		  VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, 0 },
		{ VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET,
		  VFIO_DEVICE_FEATURE_MIG_DATA_SIZE, 0 },
	};
	__u8 data[64];
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(call); i++) {
		memset(data, 0, sizeof(data));
		ret = vfio_feature(fail->dev, call[i].which, call[i].feature,
				   data, call[i].size);
		if (ret)
			return ret;
		show(fail, data, sizeof(data));
	}
	return 0;
}

static int go_hot_reset(struct fail *fail)
{
	struct {
		struct vfio_pci_hot_reset arg;
		__s32 group;
	} u = { .arg = { .argsz = sizeof(u) } };

	if (fail->dev->group >= 0) {
		u.arg.count = 1;
		u.group = fail->dev->group;
	}
	return ioctl(fail->dev->fd, VFIO_DEVICE_PCI_HOT_RESET, &u) ? -errno : 0;
}

static int go_reset(struct fail *fail)
{
	return vfio_reset(fail->dev);
}

const struct path info_paths[] = {
	{ .name = "GET_INFO", .begin = begin_running, .go = go_info,
	  .least = 2 },
	{ .name = "GET_REGION_INFO", .begin = begin_running, .go = go_regions,
	  .least = 2 * (NR_REGIONS - 1) },
	{ .name = "GET_IRQ_INFO", .begin = begin_running, .go = go_irqs,
	  .least = 2 * NR_IRQS },
	{ .name = "GET_PCI_HOT_RESET_INFO", .begin = begin_running,
	  .go = go_hot_reset_info, .least = 3 },
	{ .name = "DEVICE_FEATURE", .begin = begin_running, .go = go_features,
	  .least = 9 },
	{}
};

const struct path reset_paths[] = {
	{ .name = "PCI_HOT_RESET", .begin = begin_running, .go = go_hot_reset,
	  .want = -EPERM, .least = 3 },
	{ .name = "RESET", .begin = begin_running, .go = go_reset,
	  .look = look_at_device },
	{}
};
