// SPDX-License-Identifier: GPL-2.0-only
/*
 * The callbacks of struct vfio_device_ops that every device half uses, around
 * those of vfio_pci_core.
 */
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>
#include <linux/vfio_pci_mig_compat.h>

#include "mig.h"

static const struct vfio_migration_ops migration_ops = {
	.migration_set_state = vfio_mig_set_state,
	.migration_get_state = vfio_mig_get_state,
	.migration_get_data_size = vfio_mig_get_data_size,
};

/**
 * vfio_mig_init_dev() - the init callback
 * @vdev: the device, embedded in a struct vfio_mig_device
 *
 * Context: may sleep.
 * Return: 0 or an errno from vfio_pci_core_init_dev().
 */
int vfio_mig_init_dev(struct vfio_device *vdev)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);
	int ret;

	ret = vfio_pci_core_init_dev(vdev);
	if (ret)
		return ret;
	vfio_mig_lock_init(&mdev->lock);
	vfio_mig_gate_init(mdev);
	vfio_mig_log_init(mdev);
	spin_lock_init(&mdev->irq_lock);
	spin_lock_init(&mdev->error_lock);
	init_waitqueue_head(&mdev->recovery_end);
	vfio_mig_hot_reset_init(mdev);
	vfio_mig_faults_init(mdev);
	mdev->state = VFIO_DEVICE_STATE_RUNNING;
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_mig_init_dev);

static void let_sleep(struct vfio_mig_device *mdev)
{
	if (mdev->kept_awake)
		pm_runtime_put_noidle(&mdev->core.pdev->dev);
	mdev->kept_awake = false;
}

/**
 * vfio_mig_release_dev() - the release callback
 * @vdev: the device
 */
void vfio_mig_release_dev(struct vfio_device *vdev)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);

	vfio_mig_faults_destroy(mdev);
	vfio_mig_log_destroy(mdev);
	vfio_mig_gate_destroy(mdev);
	vfio_mig_lock_destroy(&mdev->lock);
	let_sleep(mdev);
	vfio_pci_core_release_dev(vdev);
}
EXPORT_SYMBOL_GPL(vfio_mig_release_dev);

/**
 * vfio_mig_offer() - offer migration on a device
 * @mdev: the device, initialized and not registered yet
 * @ops: the device half; kept
 *
 * Without it the device is a plain vfio-pci device. Context: any.
 */
void vfio_mig_offer(struct vfio_mig_device *mdev, const struct vfio_mig_ops *ops)
{
	mdev->ops = ops;
	mdev->core.vdev.mig_ops = &migration_ops;
	mdev->core.vdev.migration_flags = VFIO_MIGRATION_STOP_COPY |
					  VFIO_MIGRATION_P2P |
					  VFIO_MIGRATION_PRE_COPY;
}
EXPORT_SYMBOL_GPL(vfio_mig_offer);

static int map_registers(struct vfio_mig_device *mdev)
{
	void __iomem *io;

	if (!mdev->ops)
		return 0;
	io = vfio_mig_iomap(&mdev->core, mdev->ops->gated_bar);
	if (IS_ERR(io))
		return PTR_ERR(io);
	mdev->io = io;
	return 0;
}

/* Whether it can be opened, and what to tell by later that it still could. */
static int begin_open(struct vfio_mig_device *mdev, unsigned int *blocks)
{
	int ret;

	down_read(&mdev->gate.lock);
	*blocks = mdev->gate.blocks;
	ret = mdev->gate.blocked ? -EIO : 0;
	up_read(&mdev->gate.lock);
	return ret;
}

/*
 * From here on errors and resets are acted on. What VFIO has read of config space
 * may be worth nothing if a fatal error came before, whose recovery knew of no user.
 */
static int set_opened(struct vfio_mig_device *mdev, unsigned int blocks)
{
	vfio_mig_lock(mdev);
	if (READ_ONCE(mdev->gate.blocks) != blocks) {
		vfio_mig_unlock(mdev);
		kfree(mdev->core.pci_saved_state);
		mdev->core.pci_saved_state = NULL;
		return -EIO;
	}
	down_read(&mdev->core.memory_lock);
	mutex_lock(&mdev->trap_lock);
	WRITE_ONCE(mdev->opened, true);
	atomic64_inc(&mdev->stats.opens);
	if (mdev->ops)
		vfio_mig_reset_device(mdev);
	mutex_unlock(&mdev->trap_lock);
	up_read(&mdev->core.memory_lock);
	if (mdev->ops)
		vfio_mig_do_reset(mdev);
	vfio_mig_unlock(mdev);
	return 0;
}

/*
 * VFIO resets a device that is closed, and lets it sleep. For one that does not answer
 * the PCI core waits a minute then; and it saves config space before a device sleeps,
 * which is all ones here, and writes that when the device is back. This one is reset
 * before anybody uses it next, and stays awake until then.
 */
static void leave_alone_if_blocked(struct vfio_mig_device *mdev)
{
	if (!READ_ONCE(mdev->gate.blocked))
		return;
	mdev->core.reset_works = false;
	if (!mdev->kept_awake)
		pm_runtime_get_noresume(&mdev->core.pdev->dev);
	mdev->kept_awake = true;
}

/**
 * vfio_mig_open_device() - the open_device callback
 * @vdev: the device
 *
 * Context: may sleep.
 * Return: 0 with the device in state RUNNING; -EIO while an error is being
 * recovered, or where one came meanwhile; or an errno.
 */
int vfio_mig_open_device(struct vfio_device *vdev)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);
	unsigned int blocks;
	int ret;

	ret = begin_open(mdev, &blocks);
	if (!ret)
		ret = vfio_mig_gate_get_ones(mdev);
	if (ret)
		return ret;
	ret = vfio_pci_core_enable(&mdev->core);
	if (ret)
		goto err_ones;
	let_sleep(mdev);
	ret = map_registers(mdev);
	if (!ret)
		ret = vfio_mig_add_ext_region(mdev);
	if (ret)
		goto err_disable;

	vfio_mig_forget_error(mdev);
	ret = set_opened(mdev, blocks);
	if (ret)
		goto err_disable;
	vfio_pci_core_finish_enable(&mdev->core);
	vfio_mig_hot_reset_open(mdev);
	return 0;

err_disable:
	mdev->io = NULL;
	leave_alone_if_blocked(mdev);
	vfio_pci_core_disable(&mdev->core);
err_ones:
	vfio_mig_gate_put_ones(mdev);
	return ret;
}
EXPORT_SYMBOL_GPL(vfio_mig_open_device);

static void set_closed(struct vfio_mig_device *mdev)
{
	vfio_mig_lock(mdev);
	if (mdev->ops)
		vfio_mig_kill_files(mdev);
	/* From here on no reset opens the gate. */
	mutex_lock(&mdev->trap_lock);
	WRITE_ONCE(mdev->opened, false);
	mdev->io = NULL;
	mutex_unlock(&mdev->trap_lock);
	if (mdev->ops)
		vfio_mig_gate_close(mdev, VFIO_MIG_CLOSED);
	vfio_mig_unlock(mdev);
}

/**
 * vfio_mig_close_device() - the close_device callback
 * @vdev: the device
 *
 * data_fds that the user still holds are dead when it returns.
 * Context: may sleep.
 */
void vfio_mig_close_device(struct vfio_device *vdev)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);

	vfio_mig_log_close(mdev);
	set_closed(mdev);
	vfio_mig_release_irqs(mdev);
	vfio_mig_hot_reset_close(mdev);
	leave_alone_if_blocked(mdev);
	vfio_pci_core_close_device(vdev);
	vfio_mig_gate_put_ones(mdev);
}
EXPORT_SYMBOL_GPL(vfio_mig_close_device);

#ifdef VFIO_MIG_HAVE_REGION_INFO_CAPS
/**
 * vfio_mig_get_region_info_caps() - the get_region_info_caps callback
 * @vdev: the device
 * @info: filled in
 * @caps: capabilities to report
 *
 * Context: may sleep.
 * Return: 0 or an errno.
 */
int vfio_mig_get_region_info_caps(struct vfio_device *vdev,
				  struct vfio_region_info *info,
				  struct vfio_info_cap *caps)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);

	if (!mdev->ops || info->index != mdev->ops->gated_bar)
		return vfio_pci_ioctl_get_region_info(vdev, info, caps);
	return vfio_mig_region_caps(mdev, info, caps);
}
EXPORT_SYMBOL_GPL(vfio_mig_get_region_info_caps);
#else
/* Hands @caps over to the user, or says how much room they need. */
static int put_caps(struct vfio_region_info *info, struct vfio_info_cap *caps,
		    struct vfio_region_info __user *arg)
{
	int ret = 0;

	if (!caps->size)
		return 0;
	info->flags |= VFIO_REGION_INFO_FLAG_CAPS;
	info->cap_offset = 0;
	if (info->argsz < sizeof(*info) + caps->size) {
		info->argsz = sizeof(*info) + caps->size;
	} else {
		vfio_info_cap_shift(caps, sizeof(*info));
		if (copy_to_user(arg + 1, caps->buf, caps->size))
			ret = -EFAULT;
		info->cap_offset = sizeof(*info);
	}
	kfree(caps->buf);
	return ret;
}

static long get_region_info(struct vfio_mig_device *mdev, unsigned int cmd,
			    struct vfio_region_info __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_region_info, offset);
	struct vfio_info_cap caps = {};
	struct vfio_region_info info;
	int ret;

	if (copy_from_user(&info, arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;
	if (info.index != mdev->ops->gated_bar)
		return vfio_pci_core_ioctl(&mdev->core.vdev, cmd, (unsigned long)arg);

	ret = vfio_mig_region_caps(mdev, &info, &caps);
	if (!ret)
		ret = put_caps(&info, &caps, arg);
	if (ret)
		return ret;
	return copy_to_user(arg, &info, minsz) ? -EFAULT : 0;
}
#endif

/**
 * vfio_mig_ioctl() - the ioctl callback
 * @vdev: the device
 * @cmd: the request
 * @arg: its argument
 *
 * VFIO_DEVICE_IOEVENTFD is refused with -ENOTTY: the core would write to
 * registers behind the gate's back. While a PCI error is being recovered a reset
 * waits, and a hot reset gets -EBUSY. Context: may sleep.
 * Return: what the core returns.
 */
long vfio_mig_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);

	switch (cmd) {
	case VFIO_DEVICE_GET_INFO:
		return vfio_mig_get_info(mdev, (void __user *)arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return vfio_mig_get_irq_info(mdev, (void __user *)arg);
	case VFIO_DEVICE_SET_IRQS:
		return vfio_mig_set_irqs(mdev, (void __user *)arg);
	case VFIO_DEVICE_RESET:
		return vfio_mig_reset_by_user(mdev);
	case VFIO_DEVICE_PCI_HOT_RESET:
		if (READ_ONCE(mdev->gate.blocked))
			return -EBUSY;
		return vfio_mig_hot_reset(mdev, (void __user *)arg);
	case VFIO_DEVICE_IOEVENTFD:
		if (mdev->ops)
			return -ENOTTY;
		return vfio_pci_core_ioctl(vdev, cmd, arg);
#ifndef VFIO_MIG_HAVE_REGION_INFO_CAPS
	case VFIO_DEVICE_GET_REGION_INFO:
		if (mdev->ops)
			return get_region_info(mdev, cmd, (void __user *)arg);
		fallthrough;
#endif
	default:
		return vfio_pci_core_ioctl(vdev, cmd, arg);
	}
}
EXPORT_SYMBOL_GPL(vfio_mig_ioctl);

/**
 * vfio_mig_feature() - the device_feature callback
 * @vdev: the device
 * @flags: the feature and what to do with it
 * @arg: its data
 * @argsz: bytes of @arg
 *
 * VFIO_DEVICE_FEATURE_DMA_BUF is refused with -ENOTTY, like IOEVENTFD.
 * Context: may sleep.
 * Return: what the core returns.
 */
int vfio_mig_feature(struct vfio_device *vdev, u32 flags, void __user *arg,
		     size_t argsz)
{
#ifdef VFIO_DEVICE_FEATURE_DMA_BUF
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);

	if (mdev->ops && (flags & VFIO_DEVICE_FEATURE_MASK) ==
			 VFIO_DEVICE_FEATURE_DMA_BUF)
		return -ENOTTY;
#endif
	return vfio_pci_core_ioctl_feature(vdev, flags, arg, argsz);
}
EXPORT_SYMBOL_GPL(vfio_mig_feature);

static int __init vfio_mig_start(void)
{
	vfio_mig_debugfs_init();
	vfio_mig_faults_start();
	return 0;
}
module_init(vfio_mig_start);

static void __exit vfio_mig_stop(void)
{
	vfio_mig_faults_stop();
	vfio_mig_debugfs_exit();
}
module_exit(vfio_mig_stop);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The vfmig authors");
MODULE_DESCRIPTION("Device-independent half of migratable VFIO PCI devices");
