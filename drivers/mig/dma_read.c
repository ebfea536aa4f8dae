// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading the memory that the device sees. With a container VFIO does it. For a
 * physical device that is bound to an iommufd nobody does: for that there is an access
 * object beside the device, which follows it from one address space to the next.
 */
#include <linux/iommufd.h>

#include "mig.h"

#if IS_ENABLED(CONFIG_IOMMUFD)
/* Nothing is kept pinned that would have to be given back. */
static void no_unmap(void *data, unsigned long iova, unsigned long length)
{
}

/* iommufd calls it for all accesses of an address space if one of them pins. */
static const struct iommufd_access_ops access_ops = {
	.unmap = no_unmap,
};

/**
 * vfio_mig_bind_iommufd() - the bind_iommufd callback
 * @vdev: the device
 * @ictx: the iommufd
 * @out_device_id: set to the device's ID there
 *
 * Context: may sleep.
 * Return: 0 or an errno.
 */
int vfio_mig_bind_iommufd(struct vfio_device *vdev, struct iommufd_ctx *ictx,
			  u32 *out_device_id)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);
	struct iommufd_access *access;
	u32 access_id;
	int ret;

	ret = vfio_iommufd_physical_bind(vdev, ictx, out_device_id);
	if (ret || !mdev->log.ops)
		return ret;
	access = iommufd_access_create(ictx, &access_ops, mdev, &access_id);
	if (IS_ERR(access)) {
		vfio_iommufd_physical_unbind(vdev);
		return PTR_ERR(access);
	}
	mdev->log.access = access;
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_mig_bind_iommufd);

static void leave_ioas(struct vfio_mig_device *mdev)
{
	if (!mdev->log.attached)
		return;
	iommufd_access_detach(mdev->log.access);
	WRITE_ONCE(mdev->log.attached, false);
}

/**
 * vfio_mig_unbind_iommufd() - the unbind_iommufd callback
 * @vdev: the device, closed
 *
 * Context: may sleep.
 */
void vfio_mig_unbind_iommufd(struct vfio_device *vdev)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);

	if (mdev->log.access) {
		leave_ioas(mdev);
		iommufd_access_destroy(mdev->log.access);
		mdev->log.access = NULL;
	}
	vfio_iommufd_physical_unbind(vdev);
}
EXPORT_SYMBOL_GPL(vfio_mig_unbind_iommufd);

/*
 * Of a page table that the user has made himself it cannot be found out which address
 * space it belongs to. Descriptors cannot be read then, and the log says "all".
 */
static void follow(struct vfio_mig_device *mdev, u32 id)
{
	int ret;

	if (mdev->log.attached)
		ret = iommufd_access_replace(mdev->log.access, id);
	else
		ret = iommufd_access_attach(mdev->log.access, id);
	if (ret)
		leave_ioas(mdev);
	else
		WRITE_ONCE(mdev->log.attached, true);
}

/**
 * vfio_mig_attach_ioas() - the attach_ioas callback
 * @vdev: the device
 * @pt_id: ID of an address space or of a page table; set to that of the latter
 *
 * Context: may sleep.
 * Return: 0 or an errno.
 */
int vfio_mig_attach_ioas(struct vfio_device *vdev, u32 *pt_id)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);
	u32 id = *pt_id;
	int ret;

	ret = vfio_iommufd_physical_attach_ioas(vdev, pt_id);
	if (!ret && mdev->log.access)
		follow(mdev, id);
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_mig_attach_ioas);

/**
 * vfio_mig_detach_ioas() - the detach_ioas callback
 * @vdev: the device
 *
 * Context: may sleep.
 */
void vfio_mig_detach_ioas(struct vfio_device *vdev)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);

	if (mdev->log.access)
		leave_ioas(mdev);
	vfio_iommufd_physical_detach_ioas(vdev);
}
EXPORT_SYMBOL_GPL(vfio_mig_detach_ioas);

static int read_by_access(struct vfio_mig_device *mdev, u64 iova, void *buf,
			  size_t len)
{
	return iommufd_access_rw(mdev->log.access, iova, buf, len,
				 IOMMUFD_ACCESS_RW_READ);
}

#else
static int read_by_access(struct vfio_mig_device *mdev, u64 iova, void *buf,
			  size_t len)
{
	return -EOPNOTSUPP;
}
#endif

/**
 * vfio_mig_dma_read() - read memory as the device would
 * @mdev: the device
 * @iova: where
 * @buf: gets it
 * @len: bytes
 *
 * Context: may fault: no lock held that is taken under mmap_lock.
 * Return: 0 or an errno.
 */
int vfio_mig_dma_read(struct vfio_mig_device *mdev, u64 iova, void *buf, size_t len)
{
	if (mdev->log.access)
		return read_by_access(mdev, iova, buf, len);
	return vfio_dma_rw(&mdev->core.vdev, iova, buf, len, false);
}

/**
 * vfio_mig_dma_hint() - words on why memory cannot be read
 * @mdev: the device
 *
 * Return: a hint, or "".
 */
const char *vfio_mig_dma_hint(struct vfio_mig_device *mdev)
{
	if (mdev->log.access && !READ_ONCE(mdev->log.attached))
		return ", as the device is attached to a page table and not to an address space";
	return "";
}
