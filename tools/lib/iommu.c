// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a device is opened, and where its DMA goes: a container and the device's
 * group, or an iommufd and the device's own file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/iommufd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vfio.h"

/* Clear of the interrupt windows and of anything a platform reserves low */
#define FIRST_IOVA	0x100000000ULL

static int xioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

bool vfio_has_cdev(void)
{
	return !access("/dev/iommu", F_OK) &&
	       !access("/dev/vfio/devices", F_OK);
}

static int open_iommu(struct vfio_iommu *iommu, const char *path)
{
	memset(iommu, 0, sizeof(*iommu));
	iommu->next_iova = FIRST_IOVA;
	iommu->fd = open(path, O_RDWR | O_CLOEXEC);
	return iommu->fd < 0 ? -errno : 0;
}

int vfio_iommu_open(struct vfio_iommu *iommu)
{
	return open_iommu(iommu, "/dev/vfio/vfio");
}

int vfio_iommufd_open(struct vfio_iommu *iommu)
{
	struct iommu_ioas_alloc ioas = { .size = sizeof(ioas) };
	int ret = open_iommu(iommu, "/dev/iommu");

	if (ret)
		return ret;
	ret = xioctl(iommu->fd, IOMMU_IOAS_ALLOC, &ioas);
	if (ret)
		vfio_iommu_close(iommu);
	iommu->cdev = true;
	iommu->ioas = ioas.out_ioas_id;
	return ret;
}

int vfio_iommu_open_as(struct vfio_iommu *iommu, bool cdev)
{
	return cdev ? vfio_iommufd_open(iommu) : vfio_iommu_open(iommu);
}

void vfio_iommu_close(struct vfio_iommu *iommu)
{
	if (iommu->fd >= 0)
		close(iommu->fd);
	iommu->fd = -1;
}

static int map_container(struct vfio_iommu *iommu, struct vfio_dma *dma)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (unsigned long)dma->mem,
		.iova = dma->iova,
		.size = dma->size,
	};

	return xioctl(iommu->fd, VFIO_IOMMU_MAP_DMA, &map);
}

static int map_ioas(struct vfio_iommu *iommu, struct vfio_dma *dma)
{
	struct iommu_ioas_map map = {
		.size = sizeof(map),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = iommu->ioas,
		.user_va = (unsigned long)dma->mem,
		.length = dma->size,
		.iova = dma->iova,
	};

	return xioctl(iommu->fd, IOMMU_IOAS_MAP, &map);
}

int vfio_dma_alloc(struct vfio_iommu *iommu, struct vfio_dma *dma, size_t size)
{
	int ret;

	dma->size = size;
	dma->iova = iommu->next_iova;
	dma->mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (dma->mem == MAP_FAILED) {
		ret = -errno;
		goto fail;
	}

	ret = iommu->cdev ? map_ioas(iommu, dma) : map_container(iommu, dma);
	if (ret) {
		munmap(dma->mem, size);
		goto fail;
	}

	/* A hole between two mappings makes the IOMMU catch an overrun */
	iommu->next_iova += size + 0x10000;
	return 0;
fail:
	memset(dma, 0, sizeof(*dma));
	return ret;
}

static void unmap_container(struct vfio_iommu *iommu, struct vfio_dma *dma)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = dma->iova,
		.size = dma->size,
	};

	xioctl(iommu->fd, VFIO_IOMMU_UNMAP_DMA, &unmap);
}

static void unmap_ioas(struct vfio_iommu *iommu, struct vfio_dma *dma)
{
	struct iommu_ioas_unmap unmap = {
		.size = sizeof(unmap),
		.ioas_id = iommu->ioas,
		.iova = dma->iova,
		.length = dma->size,
	};

	xioctl(iommu->fd, IOMMU_IOAS_UNMAP, &unmap);
}

void vfio_dma_free(struct vfio_iommu *iommu, struct vfio_dma *dma)
{
	if (!dma->size)
		return;
	if (iommu->cdev)
		unmap_ioas(iommu, dma);
	else
		unmap_container(iommu, dma);
	munmap(dma->mem, dma->size);
	memset(dma, 0, sizeof(*dma));
}

/* Where sysfs has something of a device, be it a PCI device or an mdev */
static void find_in_sysfs(const char *bdf, const char *what, char *path,
			  size_t size)
{
	snprintf(path, size, "/sys/bus/pci/devices/%s/%s", bdf, what);
	if (access(path, F_OK))
		snprintf(path, size, "/sys/bus/mdev/devices/%s/%s", bdf, what);
}

static int group_path(const char *bdf, char *path, size_t size)
{
	char link[PATH_MAX], target[PATH_MAX];
	ssize_t len;

	find_in_sysfs(bdf, "iommu_group", link, sizeof(link));
	len = readlink(link, target, sizeof(target) - 1);
	if (len < 0)
		return -errno;
	target[len] = '\0';
	snprintf(path, size, "/dev/vfio/%s", strrchr(target, '/') + 1);
	return 0;
}

/* Its name is that of the one directory in the device's vfio-dev */
static int cdev_path(const char *bdf, char *path, size_t size)
{
	struct dirent *entry;
	char name[PATH_MAX];
	DIR *dir;

	find_in_sysfs(bdf, "vfio-dev", name, sizeof(name));
	dir = opendir(name);
	if (!dir)
		return -errno;
	do {
		entry = readdir(dir);
	} while (entry && strncmp(entry->d_name, "vfio", 4));
	if (entry)
		snprintf(path, size, "/dev/vfio/devices/%s", entry->d_name);
	closedir(dir);
	return entry ? 0 : -ENODEV;
}

/* What to open for a device: its group, or its own file */
int vfio_path(const char *bdf, bool cdev, char *path, size_t size)
{
	return cdev ? cdev_path(bdf, path, size) : group_path(bdf, path, size);
}

static int open_path(const char *bdf, bool cdev)
{
	char path[PATH_MAX];
	int ret = vfio_path(bdf, cdev, path, sizeof(path));

	if (ret)
		return ret;
	ret = open(path, O_RDWR | O_CLOEXEC);
	return ret < 0 ? -errno : ret;
}

static int set_container(struct vfio_iommu *iommu, int group)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int ret;

	ret = xioctl(group, VFIO_GROUP_GET_STATUS, &status);
	if (ret)
		return ret;
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return -EPERM;

	ret = xioctl(group, VFIO_GROUP_SET_CONTAINER, &iommu->fd);
	if (ret || iommu->typed)
		return ret;

	ret = xioctl(iommu->fd, VFIO_SET_IOMMU, (void *)VFIO_TYPE1v2_IOMMU);
	iommu->typed = !ret;
	return ret;
}

static int join_container(struct vfio_iommu *iommu, struct vfio_dev *dev)
{
	int ret;

	dev->group = open_path(dev->bdf, false);
	if (dev->group < 0)
		return dev->group;

	ret = set_container(iommu, dev->group);
	if (ret)
		return ret;

	dev->fd = ioctl(dev->group, VFIO_GROUP_GET_DEVICE_FD, dev->bdf);
	return dev->fd < 0 ? -errno : 0;
}

static int join_ioas(struct vfio_iommu *iommu, struct vfio_dev *dev)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = iommu->fd,
	};
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = iommu->ioas,
	};
	int ret;

	dev->fd = open_path(dev->bdf, true);
	if (dev->fd < 0)
		return dev->fd;

	ret = xioctl(dev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind);
	dev->id = bind.out_devid;
	return ret ? ret :
		     xioctl(dev->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach);
}

/* Opens dev->fd; vfio_close() undoes what has come of it */
int vfio_iommu_join(struct vfio_iommu *iommu, struct vfio_dev *dev)
{
	return iommu->cdev ? join_ioas(iommu, dev) : join_container(iommu, dev);
}

/* By what the kernel says of its fd, whatever was meant */
bool vfio_by_cdev(const struct vfio_dev *dev)
{
	static const char files[] = "/dev/vfio/devices/";
	char path[PATH_MAX], link[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", dev->fd);
	len = readlink(path, link, sizeof(link));
	return len > (ssize_t)strlen(files) &&
	       !memcmp(link, files, strlen(files));
}
