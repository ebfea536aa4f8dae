// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state lock, and what a reset does to the migration state.
 *
 * VFIO holds the core's memory_lock for write while it resets a device, and
 * takes that lock in its fault handler, under mmap_lock. A holder of the state
 * lock may take memory_lock, or sleep for memory. So reset_done must not wait
 * for the state lock:
 *
 *	reset_done			holder of the state lock
 *
 *	lock flag_lock
 *	reset_pending = true
 *	trylock mutex --- fails
 *	unlock flag_lock
 *					lock flag_lock
 *					reset_pending? yes: clear it,
 *					  unlock flag_lock, do the reset work,
 *					  and look again
 *					reset_pending? no: unlock mutex
 *					unlock flag_lock
 *
 * Because the flag is set, and found clear, under flag_lock, there is no moment
 * in which the flag is set and the mutex free. vfio_mig_unlock() is the only way
 * to unlock, so no caller can forget to look.
 *
 * Only the FSM's share can wait for that. Once the reset has returned, the guest
 * sets its device up again, and would neither find the gate closed nor have the
 * work undone: reset_done resets the device half and opens the gate by itself.
 *
 * tools/model/reset.pml is a model of all this, with the same names: a change
 * here is a change there.
 */
#include "mig.h"
#include "trace.h"

void vfio_mig_lock_init(struct vfio_mig_lock *lock)
{
	mutex_init(&lock->mutex);
	spin_lock_init(&lock->flag_lock);
	lock->reset_pending = false;
}

void vfio_mig_lock_destroy(struct vfio_mig_lock *lock)
{
	mutex_destroy(&lock->mutex);
}

#ifdef CONFIG_LOCKDEP
/**
 * vfio_mig_assert_locked() - the caller holds the state lock
 * @mdev: the device
 */
void vfio_mig_assert_locked(struct vfio_mig_device *mdev)
{
	lockdep_assert_held(&mdev->lock.mutex);
}
EXPORT_SYMBOL_GPL(vfio_mig_assert_locked);
#endif

/**
 * vfio_mig_lock() - take the state lock
 * @mdev: the device
 *
 * Context: may sleep; the outermost lock of vfio_pci_mig.
 */
void vfio_mig_lock(struct vfio_mig_device *mdev)
{
	mutex_lock(&mdev->lock.mutex);
}

static bool test_and_clear_reset(struct vfio_mig_lock *lock)
{
	bool pending;

	spin_lock(&lock->flag_lock);
	pending = lock->reset_pending;
	lock->reset_pending = false;
	spin_unlock(&lock->flag_lock);
	return pending;
}

/**
 * vfio_mig_take_reset() - do the work of a reset that came meanwhile
 * @mdev: the device
 *
 * Called before an arc touches the device: a reset that is over by then came
 * first, and the arc has to start from RUNNING. One that is not VFIO's has to
 * wait for the trap lock before it is over.
 *
 * Context: state lock and trap lock held; may sleep.
 * Return: true where there was one.
 */
bool vfio_mig_take_reset(struct vfio_mig_device *mdev)
{
	if (!test_and_clear_reset(&mdev->lock))
		return false;
	vfio_mig_do_reset(mdev);
	return true;
}

/**
 * vfio_mig_unlock() - release the state lock
 * @mdev: the device
 *
 * Does what resets left to do first. Context: may sleep.
 */
void vfio_mig_unlock(struct vfio_mig_device *mdev)
{
	struct vfio_mig_lock *lock = &mdev->lock;

	spin_lock(&lock->flag_lock);
	while (lock->reset_pending) {
		lock->reset_pending = false;
		spin_unlock(&lock->flag_lock);
		vfio_mig_do_reset(mdev);
		spin_lock(&lock->flag_lock);
	}
	mutex_unlock(&lock->mutex);
	spin_unlock(&lock->flag_lock);
}

/**
 * vfio_mig_do_reset() - bring the migration state in line with a reset device
 * @mdev: the device
 *
 * The device half has been reset by then. Context: state lock held; may sleep;
 * memory_lock may be held.
 */
void vfio_mig_do_reset(struct vfio_mig_device *mdev)
{
	vfio_mig_assert_locked(mdev);

	vfio_mig_kill_files(mdev);
	if (!mdev->opened)
		return;
	WRITE_ONCE(mdev->state, VFIO_DEVICE_STATE_RUNNING);
	vfio_mig_gate_open(mdev);
}

/**
 * vfio_mig_reset_device() - have the device half forget the device's earlier life
 * @mdev: the device, opened
 *
 * Context: trap lock held, and memory_lock unless the reset is not VFIO's; may
 * sleep.
 */
void vfio_mig_reset_device(struct vfio_mig_device *mdev)
{
	u16 cmd;

	lockdep_assert_held(&mdev->trap_lock);

	cmd = vfio_mig_decode_on(mdev);
	mdev->ops->reset(mdev);
	vfio_mig_decode_restore(mdev, cmd);
}

/**
 * vfio_mig_reset_prepare() - the reset_prepare callback of the PCI error handlers
 * @pdev: the device, whose drvdata is the vfio_pci_core_device
 *
 * Context: as vfio_mig_reset_done().
 */
void vfio_mig_reset_prepare(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);
	struct vfio_mig_device *mdev = vfio_mig_from_core(&core->vdev);

	mutex_lock(&mdev->trap_lock);
	vfio_mig_log_last_look(mdev);
	mutex_unlock(&mdev->trap_lock);
}

/**
 * vfio_mig_reset_done() - the reset_done callback of the PCI error handlers
 * @pdev: the device, whose drvdata is the vfio_pci_core_device
 *
 * Context: may sleep; the device lock held, and maybe the core's
 * memory_lock for write.
 */
void vfio_mig_reset_done(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);
	struct vfio_mig_device *mdev = vfio_mig_from_core(&core->vdev);
	struct vfio_mig_lock *lock = &mdev->lock;
	bool locked;

	vfio_mig_faults_new_epoch(mdev);
	if (!mdev->ops)
		return;
	/* What is being recovered stays lost: the device may not even be there. */
	if (READ_ONCE(mdev->gate.blocked))
		return;

	/* An arc that a reset by sysfs has found at work ends first. */
	mutex_lock(&mdev->trap_lock);
	if (mdev->opened)
		vfio_mig_reset_device(mdev);
	spin_lock(&lock->flag_lock);
	lock->reset_pending = true;
	/* Whoever saw the reset end must not read the old state any more. */
	vfio_mig_mark_files_dead(mdev);
	locked = mutex_trylock(&lock->mutex);
	if (locked)
		lock->reset_pending = false;
	spin_unlock(&lock->flag_lock);
	/* No arc that comes after this reset gets far without the trap lock. */
	if (mdev->opened) {
		vfio_mig_gate_open(mdev);
		atomic64_inc(&mdev->stats.resets);
	}
	mutex_unlock(&mdev->trap_lock);
	trace_vfio_mig_reset(&pdev->dev, !locked);

	if (locked) {
		vfio_mig_do_reset(mdev);
		vfio_mig_unlock(mdev);
	}
}

/**
 * vfio_mig_error_came() - a fatal error has ended whatever was under way
 * @mdev: the device, which nobody reaches any more
 *
 * The data_fds are dead at once. Unlike a reset this may wait for the state lock:
 * an arc that is at work finds that the device does not answer.
 *
 * Context: may sleep; the device lock held, which keeps resets away, and no lock
 * that VFIO holds around a reset.
 */
void vfio_mig_error_came(struct vfio_mig_device *mdev)
{
	spin_lock(&mdev->lock.flag_lock);
	vfio_mig_mark_files_dead(mdev);
	spin_unlock(&mdev->lock.flag_lock);

	vfio_mig_lock(mdev);
	/* A reset that nobody has acted on yet came before the error. */
	mutex_lock(&mdev->trap_lock);
	vfio_mig_take_reset(mdev);
	mutex_unlock(&mdev->trap_lock);
	if (mdev->ops && mdev->opened)
		vfio_mig_enter_error(mdev);
	vfio_mig_unlock(mdev);
}
