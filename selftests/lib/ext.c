// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ext.h"

#define CAP_ROOM	4096

static bool is_ext(const struct vfio_region_info *info)
{
	const struct vfio_region_info_cap_type *type;
	const struct vfio_info_cap_header *cap;
	__u32 at = info->flags & VFIO_REGION_INFO_FLAG_CAPS ? info->cap_offset : 0;

	while (at && at + sizeof(*type) <= info->argsz) {
		cap = (const void *)((const char *)info + at);
		type = (const void *)cap;
		if (cap->id == VFIO_REGION_INFO_CAP_TYPE &&
		    type->type & VFIO_REGION_TYPE_PCI_VENDOR_TYPE &&
		    type->subtype == VFIO_MIG_REGION_SUBTYPE)
			return true;
		at = cap->next;
	}
	return false;
}

int ext_find(struct vfio_dev *dev, __u32 *index, __u64 *offset)
{
	struct vfio_device_info device = { .argsz = sizeof(device) };
	struct vfio_region_info *info = calloc(1, CAP_ROOM);
	__u32 i;
	int ret = -ENOENT;

	if (!info)
		return -ENOMEM;
	if (ioctl(dev->fd, VFIO_DEVICE_GET_INFO, &device))
		ret = -errno;
	for (i = VFIO_PCI_NUM_REGIONS; ret == -ENOENT && i < device.num_regions;
	     i++) {
		memset(info, 0, sizeof(*info));
		info->argsz = CAP_ROOM;
		info->index = i;
		if (ioctl(dev->fd, VFIO_DEVICE_GET_REGION_INFO, info)) {
			ret = -errno;
		} else if (is_ext(info)) {
			*index = i;
			*offset = info->offset;
			ret = 0;
		}
	}
	free(info);
	return ret;
}

int ext_read(struct vfio_dev *dev, struct vfio_mig_ext *ext)
{
	__u64 offset = 0;
	__u32 index;
	ssize_t n;
	int ret;

	ret = ext_find(dev, &index, &offset);
	if (ret)
		return ret;
	n = pread(dev->fd, ext, sizeof(*ext), offset);
	if (n != sizeof(*ext))
		return n < 0 ? -errno : -EIO;
	return ext->magic == VFIO_MIG_EXT_MAGIC ? 0 : -EINVAL;
}

/* What the kernel's aer_inject module takes */
struct error_injection {
	__u8 bus;
	__u8 dev;
	__u8 fn;
	__u32 uncor_status;
	__u32 cor_status;
	__u32 header_log[4];
	__u32 domain;
};

int inject_error(const char *bdf, __u32 uncor_status, const __u32 *header_log)
{
	struct error_injection error = { .uncor_status = uncor_status };
	int ret = 0;
	int fd;

	if (sscanf(bdf, "%x:%hhx:%hhx.%hhx", &error.domain, &error.bus,
		   &error.dev, &error.fn) != 4)
		return -EINVAL;
	memcpy(error.header_log, header_log, sizeof(error.header_log));
	/* Where it is built in there is no such module */
	if (system("modprobe -q aer_inject") < 0)
		return -errno;
	fd = open("/dev/aer_inject", O_WRONLY);
	if (fd < 0)
		return -errno;
	if (write(fd, &error, sizeof(error)) != sizeof(error))
		ret = -errno;
	close(fd);
	return ret;
}
