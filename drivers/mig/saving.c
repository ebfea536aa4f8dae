// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data_fd of PRE_COPY and STOP_COPY, from which the user reads the stream.
 *
 * In PRE_COPY the stream has the initial part, and the initial part again
 * whenever what it says has changed and the user has read all there was. The
 * arc to STOP_COPY adds the final part and the end.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/uaccess.h>
#include <linux/vfio_pci_mig_compat.h>

#include "data_fd.h"

/*
 * Copies what comes next to the bounce buffer; returns its length. Whether
 * nothing left means the end is decided under the lock under which STOP_COPY
 * adds to the stream.
 */
static ssize_t peek(struct vfio_mig_file *file, size_t count)
{
	ssize_t ret = -ENODEV;

	mutex_lock(&file->lock);
	if (!READ_ONCE(file->dead)) {
		ret = min3(count, file->len - file->pos,
			   (size_t)VFIO_MIG_BOUNCE_SIZE);
		memcpy(file->bounce, file->buf + file->pos, ret);
		if (!ret && count && file->precopy)
			ret = -ENOMSG;
	}
	mutex_unlock(&file->lock);
	return ret;
}

static void advance(struct vfio_mig_file *file, size_t n)
{
	mutex_lock(&file->lock);
	file->pos += n;
	mutex_unlock(&file->lock);
}

static ssize_t copy_out(struct vfio_mig_file *file, char __user *ubuf, size_t count)
{
	ssize_t n = peek(file, count);

	if (n > 0 && copy_to_user(ubuf, file->bounce, n))
		return -EFAULT;
	if (n > 0)
		advance(file, n);
	return n;
}

static ssize_t saving_read(struct file *filp, char __user *ubuf, size_t count,
			   loff_t *ppos)
{
	struct vfio_mig_file *file = filp->private_data;
	ssize_t n, done = 0;

	if (ppos)
		return -ESPIPE;
	if (mutex_lock_interruptible(&file->io_lock))
		return -ERESTARTSYS;
	n = copy_out(file, ubuf, count);
	if (n == -ENOMSG && READ_ONCE(file->mdev->initial_changed)) {
		n = vfio_mig_update(file->mdev, file);
		/* No longer in PRE_COPY, it may have all the rest. */
		if (!n || n == -EINVAL)
			n = copy_out(file, ubuf, count);
	}
	while (n > 0) {
		done += n;
		if (done == count)
			break;
		n = copy_out(file, ubuf + done, count - done);
	}
	mutex_unlock(&file->io_lock);

	return done ?: n;
}

/* A stream must not grow without bounds however often its initial part changes. */
static bool may_update(struct vfio_mig_file *file)
{
	size_t max = file->mdev->ops->format->max_size;

	return READ_ONCE(file->mdev->initial_changed) &&
	       file->writer.total + 2 * max <= VFIO_MIG_STREAM_MAX;
}

static __poll_t saving_poll(struct file *filp, struct poll_table_struct *wait)
{
	struct vfio_mig_file *file = filp->private_data;
	bool more;

	poll_wait(filp, &file->wait, wait);
	mutex_lock(&file->lock);
	more = !file->precopy || file->pos < file->len || may_update(file);
	mutex_unlock(&file->lock);
	if (READ_ONCE(file->dead))
		return EPOLLERR | EPOLLHUP;
	return more ? EPOLLIN | EPOLLRDNORM : 0;
}

static int get_precopy_info(struct vfio_mig_file *file, struct vfio_precopy_info *info)
{
	/* What has changed is put into the stream first, and then counted. */
	int ret = vfio_mig_update(file->mdev, file);

	if (ret)
		return ret;
	mutex_lock(&file->lock);
	info->initial_bytes = max(file->initial_end, file->pos) - file->pos;
	info->dirty_bytes = file->len - file->pos - info->initial_bytes;
	if (vfio_mig_precopy_flags(&file->mdev->core.vdev))
		info->flags = file->reinit && info->initial_bytes ?
			      VFIO_MIG_PRECOPY_REINIT : 0;
	mutex_unlock(&file->lock);
	return 0;
}

static long saving_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	unsigned long minsz = offsetofend(struct vfio_precopy_info, dirty_bytes);
	struct vfio_mig_file *file = filp->private_data;
	struct vfio_precopy_info info;
	int ret;

	if (cmd != VFIO_MIG_GET_PRECOPY_INFO)
		return -ENOTTY;
	if (copy_from_user(&info, (void __user *)arg, minsz))
		return -EFAULT;
	if (info.argsz < minsz)
		return -EINVAL;

	if (mutex_lock_interruptible(&file->io_lock))
		return -ERESTARTSYS;
	ret = get_precopy_info(file, &info);
	mutex_unlock(&file->io_lock);
	if (ret)
		return ret;
	return copy_to_user((void __user *)arg, &info, minsz) ? -EFAULT : 0;
}

static const struct file_operations saving_fops = {
	.owner = THIS_MODULE,
	.read = saving_read,
	.poll = saving_poll,
	.unlocked_ioctl = saving_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.release = vfio_mig_release_file,
};

static struct vfio_mig_file *begin(struct vfio_mig_device *mdev,
				   struct vfio_mig_writer *w)
{
	const struct vfio_mig_stream_format *format = mdev->ops->format;
	size_t size = 2 * format->max_size;
	struct vfio_mig_file *file;

	/* Room for what PRE_COPY left unread and for what STOP_COPY adds. */
	file = vfio_mig_alloc_file(mdev, &saving_fops, O_RDONLY, size);
	if (!IS_ERR(file))
		vfio_mig_writer_init(w, format, file->buf, size);
	return file;
}

static int put_initial(struct vfio_mig_device *mdev, struct vfio_mig_writer *w)
{
	int ret;

	vfio_mig_begin_part(w, VFIO_MIG_PART_INITIAL);
	ret = mdev->ops->save_initial(mdev, w);
	if (!ret)
		ret = vfio_mig_put_seal(w);
	if (!ret)
		WRITE_ONCE(mdev->initial_changed, false);
	return ret;
}

static int put_rest(struct vfio_mig_device *mdev, struct vfio_mig_writer *w)
{
	int ret;

	vfio_mig_begin_part(w, VFIO_MIG_PART_FINAL);
	ret = mdev->ops->save_final(mdev, w);
	if (!ret)
		ret = vfio_mig_put_seal(w);
	if (!ret)
		ret = vfio_mig_put_end(w);
	return ret;
}

/* What has been written with a copy of the file's writer becomes readable. */
static void commit(struct vfio_mig_file *file, const struct vfio_mig_writer *w,
		   bool precopy)
{
	mutex_lock(&file->lock);
	file->writer = *w;
	file->len = w->len;
	file->precopy = precopy;
	mutex_unlock(&file->lock);
	wake_up_poll(&file->wait, EPOLLIN | EPOLLRDNORM);
}

static int open_session(struct vfio_mig_device *mdev, bool precopy)
{
	struct vfio_mig_writer w;
	struct vfio_mig_file *file;
	int ret;

	file = begin(mdev, &w);
	if (IS_ERR(file))
		return PTR_ERR(file);
	ret = put_initial(mdev, &w);
	file->initial_end = w.len;
	if (!ret && !precopy)
		ret = put_rest(mdev, &w);
	if (ret) {
		fput(file->filp);
		return ret;
	}
	commit(file, &w, precopy);
	vfio_mig_publish_file(mdev, &mdev->saving, file);
	return 0;
}

/**
 * vfio_mig_open_precopy() - begin a session with the initial part
 * @mdev: the device, which runs
 *
 * Context: called by run_arc(): state lock, memory_lock and trap lock held; may
 * sleep.
 * Return: 0 with @mdev->saving set, -ENOMEM, or what the device half says.
 */
int vfio_mig_open_precopy(struct vfio_mig_device *mdev)
{
	return open_session(mdev, true);
}

/**
 * vfio_mig_open_saving() - STOP -> STOP_COPY: begin a session with all of the stream
 * @mdev: the device
 *
 * Context: as vfio_mig_open_precopy().
 * Return: 0 with @mdev->saving set, -ENOMEM, or what the device half says.
 */
int vfio_mig_open_saving(struct vfio_mig_device *mdev)
{
	return open_session(mdev, false);
}

/*
 * A copy of the file's writer to go on with; where the user has read all there
 * was, the buffer is free again.
 */
static struct vfio_mig_writer go_on(struct vfio_mig_file *file)
{
	struct vfio_mig_writer w = file->writer;

	mutex_lock(&file->lock);
	if (file->pos == file->len) {
		vfio_mig_writer_rewind(&w);
		file->writer = w;
		file->len = 0;
		file->pos = 0;
		file->initial_end = 0;
	}
	mutex_unlock(&file->lock);
	return w;
}

/**
 * vfio_mig_save_changes() - in PRE_COPY: the initial part again, if it has changed
 * @mdev: the device
 *
 * Does nothing while the user has not read all there is.
 *
 * Context: as vfio_mig_open_precopy(), and the io_lock of @mdev->saving held.
 * Return: 0 or what the device half says.
 */
int vfio_mig_save_changes(struct vfio_mig_device *mdev)
{
	struct vfio_mig_file *file = mdev->saving;
	struct vfio_mig_writer w;
	int ret;

	/* Only readers move @pos, and they are kept away. */
	if (file->pos < file->len || !may_update(file))
		return 0;
	w = go_on(file);
	ret = put_initial(mdev, &w);
	if (ret)
		return ret;
	file->reinit = vfio_mig_precopy_flags(&mdev->core.vdev);
	file->initial_end = file->reinit ? w.len : 0;
	commit(file, &w, true);
	return 0;
}

/**
 * vfio_mig_save_rest() - PRE_COPY_P2P -> STOP_COPY: what is left of the stream
 * @mdev: the device, which has been stopped
 *
 * Context: as vfio_mig_open_precopy().
 * Return: 0, or what the device half says, and then the session is as before.
 */
int vfio_mig_save_rest(struct vfio_mig_device *mdev)
{
	struct vfio_mig_file *file = mdev->saving;
	struct vfio_mig_writer w = go_on(file);
	bool changed = mdev->initial_changed;
	int ret = 0;

	if (changed)
		ret = put_initial(mdev, &w);
	if (!ret)
		ret = put_rest(mdev, &w);
	if (ret) {
		WRITE_ONCE(mdev->initial_changed, changed);
		return ret;
	}
	commit(file, &w, false);
	return 0;
}

/**
 * vfio_mig_initial_changed() - what the initial part says is no longer true
 * @mdev: the device
 *
 * For the device half, where the guest has told the PF something new.
 * Context: trap lock held.
 */
void vfio_mig_initial_changed(struct vfio_mig_device *mdev)
{
	lockdep_assert_held(&mdev->trap_lock);

	WRITE_ONCE(mdev->initial_changed, true);
	spin_lock(&mdev->lock.flag_lock);
	if (mdev->saving)
		wake_up_poll(&mdev->saving->wait, EPOLLIN | EPOLLRDNORM);
	spin_unlock(&mdev->lock.flag_lock);
}
EXPORT_SYMBOL_GPL(vfio_mig_initial_changed);
