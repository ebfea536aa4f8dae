// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data_fd files that carry the migration stream.
 *
 * The FSM fills or empties a file, and kills it when the device leaves the state
 * that the file belongs to. User memory is only touched with no lock held but
 * io_lock, which nobody waits for with another lock held: a user copy may fault
 * on a page of the very device, and mmap_lock > memory_lock, while a reset kills
 * files under memory_lock.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "mig.h"

/* User data goes through a buffer of this many bytes. */
#define BOUNCE_SIZE	4096

/**
 * struct vfio_mig_file - one data_fd
 * @mdev: the device; its memory, not more, is kept for as long as the file lives
 * @owner: module of the device half, without which @mdev cannot be freed
 * @filp: the file; the FSM holds a reference until it kills it
 * @io_lock: serializes the user's reads and writes; held over user copies
 * @lock: protects what follows; a leaf
 * @wait: for poll()
 * @dead: reads and writes fail; set under @lock or the state lock's flag_lock
 * @bounce: BOUNCE_SIZE bytes, under @io_lock
 * @buf: the stream; NULL once killed
 * @len: bytes of the stream that are there
 * @pos: bytes that the user has read
 * @reader: checks the stream that the user writes
 * @initial_loaded: the device half has taken the initial part; under the state
 *	lock
 */
struct vfio_mig_file {
	struct vfio_mig_device *mdev;
	struct module *owner;
	struct file *filp;
	struct mutex io_lock;
	struct mutex lock;
	wait_queue_head_t wait;
	bool dead;
	u8 *bounce;
	u8 *buf;
	size_t len;
	size_t pos;
	struct vfio_mig_reader reader;
	bool initial_loaded;
};

/* Copies what comes next to the bounce buffer; returns its length. */
static ssize_t peek(struct vfio_mig_file *file, size_t count)
{
	ssize_t ret = -ENODEV;

	mutex_lock(&file->lock);
	if (!READ_ONCE(file->dead)) {
		ret = min3(count, file->len - file->pos, (size_t)BOUNCE_SIZE);
		memcpy(file->bounce, file->buf + file->pos, ret);
	}
	mutex_unlock(&file->lock);
	return ret;
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
	do {
		n = peek(file, count - done);
		if (n <= 0)
			break;
		if (copy_to_user(ubuf + done, file->bounce, n)) {
			n = -EFAULT;
			break;
		}
		/* Only a reader moves @pos, and io_lock makes us the only one. */
		file->pos += n;
		done += n;
	} while (done < count);
	mutex_unlock(&file->io_lock);

	return done ?: n;
}

static bool has_initial(struct vfio_mig_file *file)
{
	return file->reader.part > VFIO_MIG_PART_INITIAL;
}

/* Takes @n bytes from the bounce buffer into the stream, and checks them. */
static int append(struct vfio_mig_file *file, size_t n)
{
	struct vfio_mig_reader *reader = &file->reader;

	if (READ_ONCE(file->dead))
		return -ENODEV;
	if (reader->error)
		return reader->error;
	/* Once ended, the stream may be in use: leave its bytes alone. */
	if (reader->ended || n > VFIO_MIG_STREAM_MAX - file->len) {
		reader->error = reader->ended ? -EINVAL : -EFBIG;
		return reader->error;
	}
	memcpy(file->buf + file->len, file->bounce, n);
	file->len += n;
	return vfio_mig_read_more(reader, file->buf, file->len);
}

/* One chunk; returns bytes taken. */
static ssize_t write_chunk(struct vfio_mig_file *file, const char __user *ubuf,
			   size_t count)
{
	size_t n = min_t(size_t, count, BOUNCE_SIZE);
	int ret;

	if (copy_from_user(file->bounce, ubuf, n))
		return -EFAULT;
	mutex_lock(&file->lock);
	ret = append(file, n);
	mutex_unlock(&file->lock);
	return ret ?: n;
}

static ssize_t write_chunks(struct vfio_mig_file *file, const char __user *ubuf,
			    size_t count)
{
	size_t done = 0;
	ssize_t n;

	while (done < count) {
		n = write_chunk(file, ubuf + done, count - done);
		/* What comes before a fault is not lost; a bad stream is, for good. */
		if (n == -EFAULT && done)
			break;
		if (n < 0)
			return n;
		done += n;
	}
	return done;
}

static ssize_t resuming_write(struct file *filp, const char __user *ubuf,
			      size_t count, loff_t *ppos)
{
	struct vfio_mig_file *file = filp->private_data;
	ssize_t done;
	int ret = 0;

	if (ppos)
		return -ESPIPE;
	if (mutex_lock_interruptible(&file->io_lock))
		return -ERESTARTSYS;
	done = write_chunks(file, ubuf, count);
	if (done > 0 && has_initial(file))
		ret = vfio_mig_load_early(file->mdev, file);
	mutex_unlock(&file->io_lock);
	return ret ?: done;
}

static __poll_t poll_file(struct vfio_mig_file *file, struct poll_table_struct *wait,
			  __poll_t ready)
{
	poll_wait(file->filp, &file->wait, wait);
	if (READ_ONCE(file->dead))
		return EPOLLERR | EPOLLHUP;
	return ready;
}

static __poll_t saving_poll(struct file *filp, struct poll_table_struct *wait)
{
	return poll_file(filp->private_data, wait, EPOLLIN | EPOLLRDNORM);
}

static __poll_t resuming_poll(struct file *filp, struct poll_table_struct *wait)
{
	return poll_file(filp->private_data, wait, EPOLLOUT | EPOLLWRNORM);
}

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

static int release_file(struct inode *inode, struct file *filp)
{
	free_file(filp->private_data);
	return 0;
}

static const struct file_operations saving_fops = {
	.owner = THIS_MODULE,
	.read = saving_read,
	.poll = saving_poll,
	.release = release_file,
};

static const struct file_operations resuming_fops = {
	.owner = THIS_MODULE,
	.write = resuming_write,
	.poll = resuming_poll,
	.release = release_file,
};

static struct vfio_mig_file *alloc_file(struct vfio_mig_device *mdev,
					const struct file_operations *fops,
					int flags, size_t size)
{
	struct vfio_mig_file *file;
	struct file *filp;

	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return ERR_PTR(-ENOMEM);
	/* The device is open, and with it its driver is in use. */
	__module_get(mdev->ops->owner);
	get_device(&mdev->core.vdev.device);
	file->mdev = mdev;
	file->owner = mdev->ops->owner;
	mutex_init(&file->io_lock);
	mutex_init(&file->lock);
	init_waitqueue_head(&file->wait);
	file->bounce = kmalloc(BOUNCE_SIZE, GFP_KERNEL_ACCOUNT);
	file->buf = kvzalloc(size, GFP_KERNEL_ACCOUNT);
	if (!file->bounce || !file->buf) {
		free_file(file);
		return ERR_PTR(-ENOMEM);
	}

	filp = anon_inode_getfile("vfio-mig", fops, file, flags);
	if (IS_ERR(filp)) {
		free_file(file);
		return ERR_CAST(filp);
	}
	stream_open(filp->f_inode, filp);
	file->filp = filp;
	return file;
}

/* The flag_lock lets a reset find the file without the state lock. */
static void publish(struct vfio_mig_device *mdev, struct vfio_mig_file **where,
		    struct vfio_mig_file *file)
{
	spin_lock(&mdev->lock.flag_lock);
	*where = file;
	spin_unlock(&mdev->lock.flag_lock);
}

/**
 * vfio_mig_open_saving() - STOP -> STOP_COPY: a data_fd with the device's state
 * @mdev: the device
 *
 * Context: state lock and memory_lock held; may sleep.
 * Return: 0 with @mdev->saving set, -ENOMEM, or what the device half says.
 */
int vfio_mig_open_saving(struct vfio_mig_device *mdev)
{
	const struct vfio_mig_stream_format *format = mdev->ops->format;
	struct vfio_mig_writer writer;
	struct vfio_mig_file *file;
	int ret;

	vfio_mig_assert_locked(mdev);

	file = alloc_file(mdev, &saving_fops, O_RDONLY, format->max_size);
	if (IS_ERR(file)) {
		vfio_mig_explain(mdev, "no memory for the data_fd");
		return PTR_ERR(file);
	}
	vfio_mig_writer_init(&writer, format, file->buf, format->max_size);
	ret = mdev->ops->save(mdev, &writer);
	if (ret) {
		fput(file->filp);
		return ret;
	}
	file->len = writer.len;
	publish(mdev, &mdev->saving, file);
	return 0;
}

/**
 * vfio_mig_open_resuming() - STOP -> RESUMING: an empty data_fd to write to
 * @mdev: the device
 *
 * Context: state lock held; may sleep.
 * Return: 0 with @mdev->resuming set, or -ENOMEM.
 */
int vfio_mig_open_resuming(struct vfio_mig_device *mdev)
{
	struct vfio_mig_file *file;

	vfio_mig_assert_locked(mdev);

	file = alloc_file(mdev, &resuming_fops, O_WRONLY, VFIO_MIG_STREAM_MAX);
	if (IS_ERR(file)) {
		vfio_mig_explain(mdev, "no memory for the data_fd");
		return PTR_ERR(file);
	}
	vfio_mig_reader_init(&file->reader, mdev->ops->format);
	publish(mdev, &mdev->resuming, file);
	return 0;
}

/* The stream is bad in a way that the reader cannot know. */
static void condemn(struct vfio_mig_file *file, int err)
{
	mutex_lock(&file->lock);
	file->reader.error = err;
	mutex_unlock(&file->lock);
}

/**
 * vfio_mig_load_initial() - in RESUMING: load the initial part, unless it has been
 * @mdev: the device, whose data_fd has got it
 *
 * Context: state lock and memory_lock held; may sleep.
 * Return: 0 or what the device half says, and then it can be tried again.
 */
int vfio_mig_load_initial(struct vfio_mig_device *mdev)
{
	struct vfio_mig_file *file = mdev->resuming;
	int ret;

	vfio_mig_assert_locked(mdev);

	if (file->initial_loaded)
		return 0;
	/* append() only adds to the stream, and what is there does not move. */
	ret = mdev->ops->load_initial(mdev, &file->reader, file->buf);
	file->initial_loaded = !ret;
	if (ret == -EINVAL || ret == -EXDEV)
		condemn(file, ret);
	return ret;
}

static int check_whole(struct vfio_mig_file *file)
{
	int ret;

	mutex_lock(&file->lock);
	ret = file->reader.error;
	if (!ret && !file->reader.ended)
		ret = -EINVAL;
	mutex_unlock(&file->lock);
	return ret;
}

/**
 * vfio_mig_load_final() - RESUMING -> STOP: put the stream into the device
 * @mdev: the device
 *
 * Context: state lock and memory_lock held; may sleep.
 * Return: 0; the error that a write() found; -EINVAL where the stream is not
 * whole; or what the device half says. The data_fd stays as it is.
 */
int vfio_mig_load_final(struct vfio_mig_device *mdev)
{
	struct vfio_mig_file *file = mdev->resuming;
	int ret;

	vfio_mig_assert_locked(mdev);

	ret = check_whole(file);
	if (ret) {
		vfio_mig_explain(mdev, "the stream is %s after %zu bytes",
				 file->reader.error ? "bad" : "unfinished",
				 file->reader.error ? file->reader.pos : file->len);
		return ret;
	}
	ret = vfio_mig_load_initial(mdev);
	if (ret)
		return ret;
	return mdev->ops->load_final(mdev, &file->reader, file->buf);
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

	publish(mdev, &mdev->saving, NULL);
	publish(mdev, &mdev->resuming, NULL);
	if (saving)
		kill_file(saving);
	if (resuming)
		kill_file(resuming);
}
