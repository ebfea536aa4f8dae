// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data_fd files that carry the migration stream: their life.
 *
 * The FSM fills or empties a file, and kills it when the device leaves the states
 * that the file belongs to. User memory is only touched with no lock held but
 * io_lock, which nobody waits for with another lock held: a user copy may fault
 * on a page of the very device, and mmap_lock > memory_lock, while a reset kills
 * files under memory_lock.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/slab.h>

#include "data_fd.h"

static void free_file(struct vfio_mig_file *file)
{
	put_device(&file->mdev->core.vdev.device);
	module_put(file->owner);
	mutex_destroy(&file->io_lock);
	mutex_destroy(&file->lock);
	kvfree(file->buf);
	kfree(file->bounce);
	kfree(file);
}

/**
 * vfio_mig_release_file() - the release file operation of all data_fds
 * @inode: unused
 * @filp: the file
 *
 * Context: may sleep.
 * Return: 0.
 */
int vfio_mig_release_file(struct inode *inode, struct file *filp)
{
	free_file(filp->private_data);
	return 0;
}

static struct vfio_mig_file *new_file(struct vfio_mig_device *mdev, size_t size)
{
	struct vfio_mig_file *file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);

	if (!file)
		return NULL;
	/* The device is open, and with it its driver is in use. */
	__module_get(mdev->ops->owner);
	get_device(&mdev->core.vdev.device);
	file->mdev = mdev;
	file->owner = mdev->ops->owner;
	mutex_init(&file->io_lock);
	mutex_init(&file->lock);
	init_waitqueue_head(&file->wait);
	file->bounce = kmalloc(VFIO_MIG_BOUNCE_SIZE, GFP_KERNEL_ACCOUNT);
	file->buf = kvmalloc(size, GFP_KERNEL_ACCOUNT);
	file->size = size;
	if (!file->bounce || !file->buf) {
		free_file(file);
		return NULL;
	}
	return file;
}

/**
 * vfio_mig_alloc_file() - make a data_fd
 * @mdev: the device
 * @fops: its file operations
 * @flags: O_RDONLY or O_WRONLY
 * @size: bytes of its buffer
 *
 * Context: state lock held; may sleep.
 * Return: the file, which is for the caller to publish or to fput(); or
 * ERR_PTR(), with the reason explained.
 */
struct vfio_mig_file *vfio_mig_alloc_file(struct vfio_mig_device *mdev,
					  const struct file_operations *fops,
					  int flags, size_t size)
{
	struct vfio_mig_file *file = new_file(mdev, size);
	struct file *filp;

	if (!file) {
		vfio_mig_explain(mdev, "no memory for the data_fd");
		return ERR_PTR(-ENOMEM);
	}
	filp = anon_inode_getfile("vfio-mig", fops, file, flags);
	if (IS_ERR(filp)) {
		vfio_mig_explain(mdev, "no file for the data_fd");
		free_file(file);
		return ERR_CAST(filp);
	}
	stream_open(filp->f_inode, filp);
	file->filp = filp;
	return file;
}

/**
 * vfio_mig_publish_file() - set the file that the device uses
 * @mdev: the device
 * @where: @mdev->saving or @mdev->resuming
 * @file: the file
 *
 * The flag_lock lets a reset and the guest's accesses find the file without the
 * state lock. Context: state lock held.
 */
void vfio_mig_publish_file(struct vfio_mig_device *mdev,
			   struct vfio_mig_file **where,
			   struct vfio_mig_file *file)
{
	vfio_mig_assert_locked(mdev);

	spin_lock(&mdev->lock.flag_lock);
	*where = file;
	spin_unlock(&mdev->lock.flag_lock);
	mdev->new_session = true;
}

/**
 * vfio_mig_get_file() - a reference for the user's file descriptor
 * @file: data_fd that has not been killed
 *
 * Context: state lock held.
 * Return: the file.
 */
struct file *vfio_mig_get_file(struct vfio_mig_file *file)
{
	return get_file(file->filp);
}

/**
 * vfio_mig_mark_files_dead() - make reads and writes fail from now on
 * @mdev: the device
 *
 * What a reset can do without the state lock; vfio_mig_kill_files() follows.
 * Context: the state lock's flag_lock held; does not sleep.
 */
void vfio_mig_mark_files_dead(struct vfio_mig_device *mdev)
{
	lockdep_assert_held(&mdev->lock.flag_lock);

	if (mdev->saving)
		WRITE_ONCE(mdev->saving->dead, true);
	if (mdev->resuming)
		WRITE_ONCE(mdev->resuming->dead, true);
}

static void kill_file(struct vfio_mig_file *file)
{
	mutex_lock(&file->lock);
	WRITE_ONCE(file->dead, true);
	/* The user may keep a dead fd for good, but not the memory behind it. */
	kvfree(file->buf);
	file->buf = NULL;
	mutex_unlock(&file->lock);
	wake_up_poll(&file->wait, EPOLLERR | EPOLLHUP);
	fput(file->filp);
}

/**
 * vfio_mig_kill_files() - end the data_fds of the device
 * @mdev: the device
 *
 * Reads and writes fail with -ENODEV and poll() reports EPOLLERR from now on.
 * Context: state lock held; may sleep; memory_lock may be held.
 */
void vfio_mig_kill_files(struct vfio_mig_device *mdev)
{
	struct vfio_mig_file *saving = mdev->saving;
	struct vfio_mig_file *resuming = mdev->resuming;

	vfio_mig_assert_locked(mdev);

	/* A reset finds a file that is still alive, or it is dead already. */
	spin_lock(&mdev->lock.flag_lock);
	vfio_mig_mark_files_dead(mdev);
	mdev->saving = NULL;
	mdev->resuming = NULL;
	spin_unlock(&mdev->lock.flag_lock);
	if (saving)
		kill_file(saving);
	if (resuming)
		kill_file(resuming);
}
