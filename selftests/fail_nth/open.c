// SPDX-License-Identifier: GPL-2.0-only
/* Opening the device, and closing it */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fail.h"

static int begin_alone(struct fail *fail)
{
	vfio_close(fail->dev);
	vfio_iommu_close(&fail->lab.iommu);
	return 0;
}

static int join_container(struct fail *fail)
{
	int container = fail->lab.iommu.fd, group;

	group = open(fail->file, O_RDWR | O_CLOEXEC);
	fail->dev->group = group;
	if (group < 0 || ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		return -errno;
	return 0;
}

static int go_container(struct fail *fail)
{
	int ret = vfio_iommu_open(&fail->lab.iommu);

	if (!ret)
		ret = join_container(fail);
	if (ret)
		begin_alone(fail);
	return ret;
}

static int begin_in_container(struct fail *fail)
{
	close_device(fail);
	return fail->lab.iommu.fd < 0 ? go_container(fail) : 0;
}

static int go_get_device_fd(struct fail *fail)
{
	struct vfio_dev *dev = fail->dev;

	dev->fd = ioctl(dev->group, VFIO_GROUP_GET_DEVICE_FD, dev->bdf);
	return dev->fd < 0 ? -errno : 0;
}

static int go_iommufd(struct fail *fail)
{
	return vfio_iommufd_open(&fail->lab.iommu);
}

static int begin_with_ioas(struct fail *fail)
{
	close_device(fail);
	return fail->lab.iommu.fd < 0 ? go_iommufd(fail) : 0;
}

static int go_bind(struct fail *fail)
{
	struct vfio_device_bind_iommufd bind = {
		.argsz = sizeof(bind),
		.iommufd = fail->lab.iommu.fd,
	};
	int ret = 0;

	fail->dev->fd = open(fail->file, O_RDWR | O_CLOEXEC);
	if (fail->dev->fd < 0)
		return -errno;
	if (ioctl(fail->dev->fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
		ret = -errno;
	if (ret)
		close_device(fail);
	return ret;
}

static int begin_detached(struct fail *fail)
{
	struct vfio_device_detach_iommufd_pt detach = {
		.argsz = sizeof(detach),
	};

	if (fail->dev->fd < 0)
		return go_bind(fail);
	return ioctl(fail->dev->fd, VFIO_DEVICE_DETACH_IOMMUFD_PT, &detach) ?
	       -errno : 0;
}

static int go_attach(struct fail *fail)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = fail->lab.iommu.ioas,
	};

	return ioctl(fail->dev->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach) ?
	       -errno : 0;
}

static int go_close(struct fail *fail)
{
	close_device(fail);
	return 0;
}

static int look_reopened(struct fail *fail)
{
	int ret = begin_open(fail);

	return ret ? ret : look_at_device(fail);
}

const struct path open_group_paths[] = {
	{ .name = "SET_IOMMU", .begin = begin_alone, .go = go_container,
	  .least = 8 },
	{ .name = "GET_DEVICE_FD", .begin = begin_in_container,
	  .go = go_get_device_fd, .look = look_at_device, .also = -EBUSY,
	  .least = 8 },
	{}
};

const struct path open_cdev_paths[] = {
	{ .name = "IOAS_ALLOC", .begin = begin_alone, .go = go_iommufd,
	  .least = 4 },
	{ .name = "BIND_IOMMUFD", .begin = begin_with_ioas, .go = go_bind,
	  .look = look_at_device, .also = -EBUSY, .least = 8 },
	{ .name = "ATTACH_IOMMUFD_PT", .begin = begin_detached, .go = go_attach,
	  .look = look_at_device, .least = 4 },
	{}
};

/* Nothing can be done about a failure there, and nothing must be left */
const struct path close_paths[] = {
	{ .name = "close", .begin = begin_open, .go = go_close,
	  .look = look_reopened },
	{}
};
