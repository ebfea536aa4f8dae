// SPDX-License-Identifier: GPL-2.0-only
/*
 * IRQ indexes behind those of vfio-pci, by which the user is told of what has no
 * standard one. Each has one interrupt, which is an eventfd.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/pci.h>
#include <linux/uaccess.h>

#include "mig.h"

#define NUM_IRQS	(VFIO_PCI_NUM_IRQS + VFIO_MIG_NR_IRQS)

/**
 * vfio_mig_signal() - signal the eventfd of an index
 * @mdev: the device
 * @irq: VFIO_MIG_IRQ_*
 *
 * Context: any.
 * Return: whether there is one.
 */
bool vfio_mig_signal(struct vfio_mig_device *mdev, unsigned int irq)
{
	unsigned long flags;
	bool set;

	spin_lock_irqsave(&mdev->irq_lock, flags);
	set = mdev->irq[irq];
	if (set)
		eventfd_signal(mdev->irq[irq]);
	spin_unlock_irqrestore(&mdev->irq_lock, flags);
	return set;
}

static void set_eventfd(struct vfio_mig_device *mdev, unsigned int irq,
			struct eventfd_ctx *ctx)
{
	struct eventfd_ctx *old;
	unsigned long flags;

	spin_lock_irqsave(&mdev->irq_lock, flags);
	old = mdev->irq[irq];
	mdev->irq[irq] = ctx;
	spin_unlock_irqrestore(&mdev->irq_lock, flags);
	if (old)
		eventfd_ctx_put(old);
}

/**
 * vfio_mig_release_irqs() - forget the eventfds of a user who has gone
 * @mdev: the device
 *
 * Context: may sleep.
 */
void vfio_mig_release_irqs(struct vfio_mig_device *mdev)
{
	unsigned int irq;

	for (irq = 0; irq < VFIO_MIG_NR_IRQS; irq++)
		set_eventfd(mdev, irq, NULL);
}

/**
 * vfio_mig_get_info() - VFIO_DEVICE_GET_INFO
 * @mdev: the device
 * @arg: the user's struct vfio_device_info
 *
 * The core fills it in; the number of IRQ indexes is ours to correct.
 *
 * Context: may sleep.
 * Return: what the core returns, or -EFAULT.
 */
long vfio_mig_get_info(struct vfio_mig_device *mdev,
		       struct vfio_device_info __user *arg)
{
	long ret = vfio_pci_core_ioctl(&mdev->core.vdev, VFIO_DEVICE_GET_INFO,
				       (unsigned long)arg);

	if (!ret && put_user(NUM_IRQS, &arg->num_irqs))
		ret = -EFAULT;
	return ret;
}

/**
 * vfio_mig_get_irq_info() - VFIO_DEVICE_GET_IRQ_INFO
 * @mdev: the device
 * @arg: the user's struct vfio_irq_info
 *
 * Context: may sleep.
 * Return: 0 or an errno.
 */
long vfio_mig_get_irq_info(struct vfio_mig_device *mdev,
			   struct vfio_irq_info __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_irq_info, count);
	struct vfio_irq_info info;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz || info.index >= NUM_IRQS)
		return -EINVAL;
	if (info.index < VFIO_PCI_NUM_IRQS)
		return vfio_pci_core_ioctl(&mdev->core.vdev,
					   VFIO_DEVICE_GET_IRQ_INFO,
					   (unsigned long)arg);
	info.flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
	info.count = 1;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}

static int assign(struct vfio_mig_device *mdev, unsigned int irq, s32 fd)
{
	struct eventfd_ctx *ctx = NULL;

	if (fd < -1)
		return -EINVAL;
	if (fd >= 0) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	set_eventfd(mdev, irq, ctx);
	return 0;
}

/* @data: what follows the header, as long as the header has been checked to say. */
static int set_irq(struct vfio_mig_device *mdev, unsigned int irq,
		   const struct vfio_irq_set *hdr, const void __user *data)
{
	u8 raise = hdr->count;
	s32 fd;

	switch (hdr->flags) {
	case VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER:
		if (!hdr->count)
			return assign(mdev, irq, -1);
		break;
	case VFIO_IRQ_SET_DATA_BOOL | VFIO_IRQ_SET_ACTION_TRIGGER:
		if (hdr->count && get_user(raise, (const u8 __user *)data))
			return -EFAULT;
		break;
	case VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER:
		if (!hdr->count)
			return -EINVAL;
		if (get_user(fd, (const s32 __user *)data))
			return -EFAULT;
		return assign(mdev, irq, fd);
	default:
		return -ENOTTY;
	}
	if (raise)
		vfio_mig_signal(mdev, irq);
	return 0;
}

/*
 * The PCI core sets interrupts up by what config space says of them, and a device
 * that is being recovered says all ones.
 */
static bool may_set(struct vfio_mig_device *mdev, const struct vfio_irq_set *hdr)
{
	return hdr->index > VFIO_PCI_MSIX_IRQ_INDEX || !hdr->count ||
	       !READ_ONCE(mdev->gate.blocked);
}

/**
 * vfio_mig_set_irqs() - VFIO_DEVICE_SET_IRQS
 * @mdev: the device
 * @arg: the user's struct vfio_irq_set
 *
 * Context: may sleep.
 * Return: 0; -EBUSY while an error is being recovered, unless it is to take
 * interrupts away, or for an index that needs no device; or an errno.
 */
long vfio_mig_set_irqs(struct vfio_mig_device *mdev,
		       struct vfio_irq_set __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_irq_set, count);
	struct vfio_irq_set hdr;
	size_t size;
	int ret;

	if (copy_from_user(&hdr, arg, minsz))
		return -EFAULT;
	if (!may_set(mdev, &hdr))
		return -EBUSY;
	if (hdr.index < VFIO_PCI_NUM_IRQS)
		return vfio_pci_core_ioctl(&mdev->core.vdev, VFIO_DEVICE_SET_IRQS,
					   (unsigned long)arg);
	ret = vfio_set_irqs_validate_and_prepare(&hdr, 1, NUM_IRQS, &size);
	if (ret)
		return ret;
	return set_irq(mdev, hdr.index - VFIO_PCI_NUM_IRQS, &hdr, arg->data);
}
