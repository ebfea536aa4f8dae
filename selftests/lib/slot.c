// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "slot.h"
#include "sysfs.h"

int slot_name(unsigned int nth, char *bdf)
{
	const char *names = getenv("VFMIG_SLOT");
	char name[2][BDF_LEN];

	if (!names || nth > 1 ||
	    sscanf(names, "%15s %15s", name[0], name[1]) != 2)
		return -ENODEV;
	memcpy(bdf, name[nth], BDF_LEN);
	return 0;
}

int slot_driver(const char *bdf, char *driver, size_t size)
{
	return sysfs_pci_link(bdf, "driver", driver, size);
}

int slot_group(const char *bdf)
{
	char name[16];
	int ret = sysfs_pci_link(bdf, "iommu_group", name, sizeof(name));

	return ret ? ret : atoi(name);
}

int slot_bind(const char *bdf, const char *driver)
{
	char name[32];
	int ret;

	ret = sysfs_pci_put(bdf, "driver_override", driver);
	if (!ret && !slot_driver(bdf, name, sizeof(name)))
		ret = sysfs_pci_put(bdf, "driver/unbind", bdf);
	if (ret || !strcmp(driver, NO_DRIVER))
		return ret;
	ret = sysfs_put("/sys/bus/pci/drivers_probe", bdf);
	if (!ret)
		ret = slot_driver(bdf, name, sizeof(name));
	return ret ? ret : strcmp(name, driver) ? -ENODEV : 0;
}

int slot_set_vfs(const char *bdf, unsigned int nr)
{
	char what[16];

	snprintf(what, sizeof(what), "%u", nr);
	return sysfs_pci_put(bdf, "sriov_numvfs", what);
}

int slot_vf_name(const char *bdf, unsigned int nth, char *vf)
{
	char what[16];

	snprintf(what, sizeof(what), "virtfn%u", nth);
	return sysfs_pci_link(bdf, what, vf, BDF_LEN);
}

static int join(struct vfio_iommu *iommu, int group)
{
	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &iommu->fd))
		return -errno;
	if (iommu->typed)
		return 0;
	if (ioctl(iommu->fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return -errno;
	iommu->typed = true;
	return 0;
}

int slot_open(struct vfio_dev *dev, struct vfio_iommu *iommu, const char *bdf,
	      const char *token)
{
	char path[64], what[96];
	int ret;

	memset(dev, 0, sizeof(*dev));
	dev->iommu = iommu;
	dev->fd = -1;
	snprintf(dev->bdf, sizeof(dev->bdf), "%s", bdf);
	snprintf(path, sizeof(path), "/dev/vfio/%d", slot_group(bdf));
	dev->group = open(path, O_RDWR | O_CLOEXEC);
	if (dev->group < 0)
		return -errno;

	ret = join(iommu, dev->group);
	if (!ret) {
		snprintf(what, sizeof(what), "%s vf_token=%s", bdf, token);
		dev->fd = ioctl(dev->group, VFIO_GROUP_GET_DEVICE_FD, what);
		ret = dev->fd < 0 ? -errno : vfio_enable(dev);
	}
	if (ret)
		vfio_close(dev);
	return ret;
}
