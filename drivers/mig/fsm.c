// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration FSM. vfio_mig_get_next_state() breaks each transition that the
 * user asks for into single arcs; here each arc is carried out.
 */
#include <linux/pci.h>

#include "mig.h"

/* The arc was not begun: a reset came first, and the state is RUNNING now. */
#define ARC_RESTARTED	(-ERESTART)

static const char * const state_names[] = {
	[VFIO_DEVICE_STATE_ERROR] = "ERROR",
	[VFIO_DEVICE_STATE_STOP] = "STOP",
	[VFIO_DEVICE_STATE_RUNNING] = "RUNNING",
	[VFIO_DEVICE_STATE_STOP_COPY] = "STOP_COPY",
	[VFIO_DEVICE_STATE_RESUMING] = "RESUMING",
	[VFIO_DEVICE_STATE_RUNNING_P2P] = "RUNNING_P2P",
	[VFIO_DEVICE_STATE_PRE_COPY] = "PRE_COPY",
	[VFIO_DEVICE_STATE_PRE_COPY_P2P] = "PRE_COPY_P2P",
};

/**
 * vfio_mig_state_name() - the name of a state
 * @state: one of the states
 *
 * Context: any.
 * Return: the name, without VFIO_DEVICE_STATE_.
 */
const char *vfio_mig_state_name(enum vfio_device_mig_state state)
{
	return state_names[state];
}

/**
 * vfio_mig_explain() - say why the arc under way fails
 * @mdev: the device
 * @fmt: printf format of a few words, without a newline
 *
 * The words end up in the one line that the kernel log gets for a failed arc.
 * Context: state lock held.
 */
void vfio_mig_explain(struct vfio_mig_device *mdev, const char *fmt, ...)
{
	va_list args;

	vfio_mig_assert_locked(mdev);

	va_start(args, fmt);
	vsnprintf(mdev->reason, sizeof(mdev->reason), fmt, args);
	va_end(args);
}
EXPORT_SYMBOL_GPL(vfio_mig_explain);

static int run_awake(struct vfio_mig_device *mdev,
		     int (*arc)(struct vfio_mig_device *mdev))
{
	u16 cmd;
	int ret;

	if (READ_ONCE(mdev->gate.blocked)) {
		vfio_mig_explain(mdev, "a PCI error is being recovered");
		return -EIO;
	}
	if (vfio_mig_asleep(mdev)) {
		vfio_mig_explain(mdev, "the device is in a low-power state");
		return -EBUSY;
	}
	cmd = vfio_mig_decode_on(mdev);
	ret = arc(mdev);
	vfio_mig_decode_restore(mdev, cmd);
	return ret;
}

/* Run @arc with resets and trapped accesses kept out. */
static int run_arc(struct vfio_mig_device *mdev,
		   int (*arc)(struct vfio_mig_device *mdev))
{
	int ret = ARC_RESTARTED;

	down_read(&mdev->core.memory_lock);
	mutex_lock(&mdev->trap_lock);
	if (!vfio_mig_take_reset(mdev))
		ret = run_awake(mdev, arc);
	mutex_unlock(&mdev->trap_lock);
	up_read(&mdev->core.memory_lock);
	return ret;
}

static int stop_and_save(struct vfio_mig_device *mdev)
{
	int ret = mdev->ops->stop(mdev);

	if (ret)
		return ret;
	ret = vfio_mig_save_rest(mdev);
	if (ret && mdev->ops->start(mdev))
		ret = -EIO;
	return ret;
}

static int arc_stop(struct vfio_mig_device *mdev,
		    int (*stop)(struct vfio_mig_device *mdev))
{
	int ret;

	vfio_mig_gate_close(mdev, VFIO_MIG_CLOSED);
	ret = run_arc(mdev, stop);
	/* After ARC_RESTARTED the reset has opened the gate. */
	if (ret && ret != ARC_RESTARTED && ret != -EIO)
		vfio_mig_gate_open(mdev);
	return ret;
}

static int arc_start(struct vfio_mig_device *mdev)
{
	int ret = run_arc(mdev, mdev->ops->start);

	if (!ret)
		vfio_mig_gate_open(mdev);
	return ret;
}

static int arc_load(struct vfio_mig_device *mdev)
{
	int ret = run_arc(mdev, vfio_mig_load_final);

	if (!ret)
		vfio_mig_kill_files(mdev);
	return ret;
}

static int arc_end_session(struct vfio_mig_device *mdev)
{
	vfio_mig_kill_files(mdev);
	return 0;
}

#define ARC(from, to)	((from) << 8 | (to))

static int do_arc(struct vfio_mig_device *mdev, enum vfio_device_mig_state next)
{
	switch (ARC(mdev->state, next)) {
	case ARC(VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_RUNNING_P2P):
	case ARC(VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_PRE_COPY_P2P):
		return run_arc(mdev, mdev->ops->quiesce);
	case ARC(VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_RUNNING):
	case ARC(VFIO_DEVICE_STATE_PRE_COPY_P2P, VFIO_DEVICE_STATE_PRE_COPY):
		return run_arc(mdev, mdev->ops->unquiesce);
	case ARC(VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_PRE_COPY):
	case ARC(VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_PRE_COPY_P2P):
		return run_arc(mdev, vfio_mig_open_precopy);
	case ARC(VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_RUNNING):
	case ARC(VFIO_DEVICE_STATE_PRE_COPY_P2P, VFIO_DEVICE_STATE_RUNNING_P2P):
	case ARC(VFIO_DEVICE_STATE_STOP_COPY, VFIO_DEVICE_STATE_STOP):
		return arc_end_session(mdev);
	case ARC(VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_STOP):
		return arc_stop(mdev, mdev->ops->stop);
	case ARC(VFIO_DEVICE_STATE_PRE_COPY_P2P, VFIO_DEVICE_STATE_STOP_COPY):
		return arc_stop(mdev, stop_and_save);
	case ARC(VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_RUNNING_P2P):
		return arc_start(mdev);
	case ARC(VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_STOP_COPY):
		return run_arc(mdev, vfio_mig_open_saving);
	case ARC(VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_RESUMING):
		return run_arc(mdev, vfio_mig_open_resuming);
	case ARC(VFIO_DEVICE_STATE_RESUMING, VFIO_DEVICE_STATE_STOP):
		return arc_load(mdev);
	}
	/* vfio_mig_get_next_state() uses no other arcs with our flags. */
	WARN_ON_ONCE(1);
	return -EINVAL;
}

/**
 * vfio_mig_enter_error() - whatever was under way is lost
 * @mdev: the device, which does not answer
 *
 * The VM may run on: what it reads is all ones. Context: state lock held.
 */
void vfio_mig_enter_error(struct vfio_mig_device *mdev)
{
	vfio_mig_kill_files(mdev);
	vfio_mig_gate_close(mdev, VFIO_MIG_ONES);
	if (mdev->state != VFIO_DEVICE_STATE_ERROR)
		atomic64_inc(&mdev->stats.lost);
	WRITE_ONCE(mdev->state, VFIO_DEVICE_STATE_ERROR);
}

static void report_failure(struct vfio_mig_device *mdev, const char *next, int err)
{
	dev_err_ratelimited(&mdev->core.pdev->dev,
			    "migration: %s -> %s failed: %s (%pe)\n",
			    state_names[mdev->state], next,
			    mdev->reason[0] ? mdev->reason : "no reason given",
			    ERR_PTR(err));
	if (err == -EIO)
		vfio_mig_enter_error(mdev);
}

static int step(struct vfio_mig_device *mdev, enum vfio_device_mig_state next)
{
	u64 start = ktime_get_ns();
	int ret;

	mdev->reason[0] = '\0';
	ret = do_arc(mdev, next);
	if (ret == ARC_RESTARTED)
		return 0;
	vfio_mig_count_arc(mdev, mdev->state, next, ret, ktime_get_ns() - start);
	if (ret)
		report_failure(mdev, state_names[next], ret);
	else
		WRITE_ONCE(mdev->state, next);
	return ret;
}

/* What read(), write() and ioctl() of a data_fd have the device do. */
static int run_for_file(struct vfio_mig_device *mdev, const char *what,
			int (*work)(struct vfio_mig_device *mdev))
{
	int ret;

	mdev->reason[0] = '\0';
	ret = run_arc(mdev, work);
	if (ret == ARC_RESTARTED)
		return -ENODEV;
	if (ret)
		report_failure(mdev, what, ret);
	return ret;
}

/**
 * vfio_mig_update() - put into the stream what has changed in PRE_COPY
 * @mdev: the device that @file was opened for; may be closed or gone
 * @file: data_fd to read from, with its io_lock held
 *
 * Context: may sleep; takes the state lock.
 * Return: 0; -EINVAL where the device is not in PRE_COPY or PRE_COPY_P2P;
 * -ENODEV where @file is dead; or what the device half says.
 */
int vfio_mig_update(struct vfio_mig_device *mdev, struct vfio_mig_file *file)
{
	int ret = -EINVAL;

	vfio_mig_lock(mdev);
	if (mdev->saving != file)
		ret = -ENODEV;
	else if (mdev->state == VFIO_DEVICE_STATE_PRE_COPY ||
		 mdev->state == VFIO_DEVICE_STATE_PRE_COPY_P2P)
		ret = run_for_file(mdev, "update", vfio_mig_save_changes);
	vfio_mig_unlock(mdev);
	return ret;
}

/**
 * vfio_mig_load_early() - do what can be refused of a load while it still helps
 * @mdev: the device that @file was opened for; may be closed or gone
 * @file: data_fd that has got a whole initial part, with its io_lock held
 *
 * A VMM leaves RESUMING when it starts the VM on the destination, and by then
 * the source is gone. An error of write() is in time to call it all off.
 *
 * Context: may sleep; takes the state lock.
 * Return: 0; -ENODEV where @file is dead; or what the device half says.
 */
int vfio_mig_load_early(struct vfio_mig_device *mdev, struct vfio_mig_file *file)
{
	int ret = -ENODEV;

	vfio_mig_lock(mdev);
	if (mdev->resuming == file)
		ret = run_for_file(mdev, "load", vfio_mig_load_initial);
	vfio_mig_unlock(mdev);
	return ret;
}

/* The reference that the user's file descriptor to a new session will hold. */
static struct file *new_data_file(struct vfio_mig_device *mdev)
{
	if (!mdev->new_session || !(mdev->saving || mdev->resuming))
		return NULL;
	return vfio_mig_get_file(mdev->saving ?: mdev->resuming);
}

static int next_state(struct vfio_mig_device *mdev,
		      enum vfio_device_mig_state new_state,
		      enum vfio_device_mig_state *next)
{
	/* Only a reset leaves it, and VFIO warns of drivers that ask. */
	if (mdev->state == VFIO_DEVICE_STATE_ERROR)
		return -EINVAL;
	return vfio_mig_get_next_state(&mdev->core.vdev, mdev->state, new_state,
				       next);
}

/**
 * vfio_mig_set_state() - the migration_set_state callback
 * @vdev: the device
 * @new_state: what the user asks for, any value
 *
 * A reset that comes meanwhile ends as if it had come before or after.
 *
 * Context: may sleep; takes the state lock.
 * Return: the data_fd of the session that the call has begun, else NULL; or
 * ERR_PTR(): -EINVAL for a transition that there is not, or what the arc failed
 * with. Then the state is the one that the arc started from.
 */
struct file *vfio_mig_set_state(struct vfio_device *vdev,
				enum vfio_device_mig_state new_state)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);
	enum vfio_device_mig_state next;
	struct file *file = NULL;
	int ret = 0;

	vfio_mig_lock(mdev);
	mdev->new_session = false;
	while (!ret && mdev->state != new_state) {
		ret = next_state(mdev, new_state, &next);
		if (!ret)
			ret = step(mdev, next);
	}
	if (!ret)
		file = new_data_file(mdev);
	vfio_mig_unlock(mdev);

	return ret ? ERR_PTR(ret) : file;
}

/**
 * vfio_mig_get_state() - the migration_get_state callback
 * @vdev: the device
 * @state: set to the state
 *
 * Context: may sleep; takes the state lock.
 * Return: 0.
 */
int vfio_mig_get_state(struct vfio_device *vdev,
		       enum vfio_device_mig_state *state)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);

	vfio_mig_lock(mdev);
	*state = mdev->state;
	vfio_mig_unlock(mdev);
	return 0;
}

/**
 * vfio_mig_get_data_size() - the migration_get_data_size callback
 * @vdev: the device
 * @length: set to an upper bound in bytes of what STOP_COPY gives to read
 *
 * Context: any.
 * Return: 0.
 */
int vfio_mig_get_data_size(struct vfio_device *vdev, unsigned long *length)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);

	*length = mdev->ops->format->max_size;
	return 0;
}
