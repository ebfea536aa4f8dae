// SPDX-License-Identifier: GPL-2.0-only
/*
 * PCI error recovery, the driver's part of it.
 *
 * A non-fatal error is only told to the user. After a fatal one nothing reaches
 * the device until the host has reset the link: accesses of the user end in a
 * page of ones or in nothing, so that a guest that polls a register lives on. What
 * comes back then is not the device that the guest knew: the state is ERROR until
 * the user has reset it.
 */
#include <linux/aer.h>
#include <linux/jiffies.h>
#include <linux/pci.h>
#include <linux/sched.h>

#include "mig.h"

/* Resetting a link takes a second or two. */
#define RECOVERY_TIMEOUT	(10 * HZ)

static u32 aer_dword(struct pci_dev *pdev, int offset)
{
	u32 val = U32_MAX;

	if (pdev->aer_cap)
		pci_read_config_dword(pdev, pdev->aer_cap + offset, &val);
	return val;
}

/* The registers as they were when the error was reported, if they still answer. */
static void read_aer(struct pci_dev *pdev, struct vfio_mig_error *error)
{
	unsigned int i;

	error->uncor_status = aer_dword(pdev, PCI_ERR_UNCOR_STATUS);
	error->cor_status = aer_dword(pdev, PCI_ERR_COR_STATUS);
	for (i = 0; i < ARRAY_SIZE(error->header_log); i++)
		error->header_log[i] = aer_dword(pdev, PCI_ERR_HEADER_LOG + 4 * i);
}

static void record(struct vfio_mig_device *mdev, u32 severity, u32 flags)
{
	struct vfio_mig_error error = {
		.time = ktime_get_boottime_ns(),
		.severity = severity,
		.flags = flags,
	};

	read_aer(mdev->core.pdev, &error);
	spin_lock(&mdev->error_lock);
	error.count = mdev->error.count + 1;
	mdev->error = error;
	vfio_mig_faults_show_error(mdev);
	spin_unlock(&mdev->error_lock);
	atomic64_inc(&mdev->stats.errors[severity]);
}

static void record_flag(struct vfio_mig_device *mdev, u32 flag)
{
	spin_lock(&mdev->error_lock);
	mdev->error.flags |= flag;
	vfio_mig_faults_show_error(mdev);
	spin_unlock(&mdev->error_lock);
}

/**
 * vfio_mig_forget_error() - a new user has opened the device
 * @mdev: the device
 *
 * Context: any.
 */
void vfio_mig_forget_error(struct vfio_mig_device *mdev)
{
	spin_lock(&mdev->error_lock);
	mdev->error = (struct vfio_mig_error) {};
	vfio_mig_faults_show_error(mdev);
	spin_unlock(&mdev->error_lock);
}

static struct vfio_mig_device *mdev_of(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	return vfio_mig_from_core(&core->vdev);
}

static void non_fatal(struct vfio_mig_device *mdev)
{
	record(mdev, VFIO_MIG_ERROR_NONFATAL, 0);
	if (!vfio_mig_signal(mdev, VFIO_MIG_IRQ_NONFATAL))
		vfio_pci_core_aer_err_detected(mdev->core.pdev,
					       pci_channel_io_normal);
}

static void end_recovery(struct vfio_mig_device *mdev)
{
	WRITE_ONCE(mdev->recovering, false);
	wake_up_all(&mdev->recovery_end);
}

static void fatal(struct vfio_mig_device *mdev, u32 severity,
		  pci_channel_state_t state)
{
	mdev->link_was_reset = false;
	WRITE_ONCE(mdev->recovering, !mdev->failed);
	vfio_mig_block(mdev);
	record(mdev, severity, VFIO_MIG_ERROR_FROZEN);
	vfio_mig_error_came(mdev);
	vfio_pci_core_aer_err_detected(mdev->core.pdev, state);
}

static pci_ers_result_t error_detected(struct pci_dev *pdev,
				       pci_channel_state_t state)
{
	struct vfio_mig_device *mdev = mdev_of(pdev);

	switch (state) {
	case pci_channel_io_frozen:
		fatal(mdev, VFIO_MIG_ERROR_FATAL, state);
		return PCI_ERS_RESULT_NEED_RESET;
	case pci_channel_io_perm_failure:
		mdev->failed = true;
		fatal(mdev, VFIO_MIG_ERROR_PERMANENT, state);
		return PCI_ERS_RESULT_DISCONNECT;
	default:
		non_fatal(mdev);
		return PCI_ERS_RESULT_CAN_RECOVER;
	}
}

static pci_ers_result_t mmio_enabled(struct pci_dev *pdev)
{
	return PCI_ERS_RESULT_RECOVERED;
}

/*
 * Config space as it was before any user had it, but that registers are decoded if
 * the user's copy of the command register says so: VFIO believes it. Bus mastering
 * stays off until the user allows it anew.
 */
static int restore_config(struct vfio_mig_device *mdev)
{
	struct pci_dev *pdev = mdev->core.pdev;
	u16 cmd;
	int ret;

	ret = pci_load_saved_state(pdev, mdev->core.pci_saved_state);
	if (ret)
		return ret;
	pci_restore_state(pdev);
	pci_read_config_word(pdev, PCI_COMMAND, &cmd);
	if (cmd == U16_MAX)
		return -ENODEV;
	cmd &= ~(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	cmd |= get_unaligned_le16(mdev->core.vconfig + PCI_COMMAND) &
	       PCI_COMMAND_MEMORY;
	pci_write_config_word(pdev, PCI_COMMAND, cmd);
	return 0;
}

static bool answers(struct pci_dev *pdev)
{
	u32 val;

	pci_read_config_dword(pdev, PCI_COMMAND, &val);
	return val != U32_MAX;
}

static int restore_after_reset(struct vfio_mig_device *mdev)
{
	int ret = 0;

	if (mdev->failed || !answers(mdev->core.pdev))
		return -ENODEV;
	vfio_mig_lock(mdev);
	if (mdev->opened) {
		down_write(&mdev->core.memory_lock);
		ret = restore_config(mdev);
		up_write(&mdev->core.memory_lock);
	}
	vfio_mig_unlock(mdev);
	return ret;
}

static pci_ers_result_t slot_reset(struct pci_dev *pdev)
{
	struct vfio_mig_device *mdev = mdev_of(pdev);
	int ret = restore_after_reset(mdev);

	if (ret) {
		pci_err(pdev, "the device does not come back from a reset of its link (%pe)\n",
			ERR_PTR(ret));
		end_recovery(mdev);
		return PCI_ERS_RESULT_DISCONNECT;
	}
	mdev->link_was_reset = true;
	vfio_mig_faults_new_epoch(mdev);
	record_flag(mdev, VFIO_MIG_ERROR_LINK_RESET);
	return PCI_ERS_RESULT_RECOVERED;
}

/* A device that was not reset after a fatal error is not given back. */
static bool give_back(struct vfio_mig_device *mdev)
{
	if (!READ_ONCE(mdev->gate.blocked))
		return true;
	if (mdev->failed || !mdev->link_was_reset)
		return false;
	vfio_mig_unblock(mdev);
	return true;
}

static void resume(struct pci_dev *pdev)
{
	struct vfio_mig_device *mdev = mdev_of(pdev);

	if (give_back(mdev))
		vfio_mig_signal(mdev, VFIO_MIG_IRQ_RECOVERED);
	end_recovery(mdev);
}

static int await_recovery(struct vfio_mig_device *mdev)
{
	long left;

	left = wait_event_killable_timeout(mdev->recovery_end,
					   !READ_ONCE(mdev->recovering),
					   RECOVERY_TIMEOUT);
	if (left < 0)
		return left;
	/* The PCI core tells nobody that it has given up. Who waits, waits once. */
	if (!left)
		end_recovery(mdev);
	return READ_ONCE(mdev->gate.blocked) ? -EBUSY : 0;
}

/**
 * vfio_mig_reset_by_user() - VFIO_DEVICE_RESET
 * @mdev: the device
 *
 * Waits for a recovery that is under way. QEMU stops its guest when the standard
 * error eventfd is signalled, which ends in a reset, and if that fails in abort().
 *
 * Context: may sleep.
 * Return: what the core returns; -EBUSY where the host does not give the device
 * back; -ERESTARTSYS where the user is being killed.
 */
long vfio_mig_reset_by_user(struct vfio_mig_device *mdev)
{
	unsigned long end = jiffies + RECOVERY_TIMEOUT;
	bool waited = READ_ONCE(mdev->recovering);
	long ret;

	do {
		ret = await_recovery(mdev);
		if (!ret)
			ret = vfio_pci_core_ioctl(&mdev->core.vdev,
						  VFIO_DEVICE_RESET, 0);
		/* The host lets go of a device after it has given it back. */
	} while (waited && ret == -EAGAIN && time_before(jiffies, end) &&
		 !schedule_timeout_killable(1));

	return ret;
}

/* What a PCI driver that is a device half has as its err_handler. */
const struct pci_error_handlers vfio_mig_err_handlers = {
	.error_detected = error_detected,
	.mmio_enabled = mmio_enabled,
	.slot_reset = slot_reset,
	.reset_prepare = vfio_mig_reset_prepare,
	.reset_done = vfio_mig_reset_done,
	.resume = resume,
};
EXPORT_SYMBOL_GPL(vfio_mig_err_handlers);
