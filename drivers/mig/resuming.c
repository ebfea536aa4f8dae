// SPDX-License-Identifier: GPL-2.0-only
/*
 * The data_fd of RESUMING, to which the user writes a stream.
 *
 * The stream is checked as it arrives. Each initial part is given to the device
 * half by the write() that completes it, the final part by the arc.
 */
#include <linux/fs.h>
#include <linux/uaccess.h>

#include "data_fd.h"

/* Bytes for the stream to begin with. */
#define FIRST_SIZE	4096

/* There is an initial part, and not the next one half-way over it. */
static bool has_initial(const struct vfio_mig_reader *reader)
{
	return reader->seals[VFIO_MIG_PART_INITIAL] &&
	       reader->part != VFIO_MIG_PART_INITIAL;
}

/* Most streams are much shorter than the longest that may come. */
static int make_room(struct vfio_mig_file *file, size_t n)
{
	size_t size = file->size;
	u8 *buf;

	if (n <= size - file->len)
		return 0;
	while (n > size - file->len)
		size *= 2;
	buf = kvrealloc(file->buf, size, GFP_KERNEL_ACCOUNT);
	if (!buf)
		return -ENOMEM;
	file->buf = buf;
	file->size = size;
	return 0;
}

static const char *what_is_wrong(int err)
{
	switch (err) {
	case -EPROTONOSUPPORT:
		return "its major version is newer than this driver's";
	case -EXDEV:
		return "it was saved from another kind of device";
	case -EBADMSG:
		return "a checksum is wrong";
	case -EFBIG:
		return "it is too long";
	default:
		return "it is malformed";
	}
}

/*
 * Said at once: a VMM whose write() fails does not go on to the arc. The file is
 * not dead, so the device is there.
 */
static int refuse(struct vfio_mig_file *file, int err)
{
	file->reader.error = err;
	atomic64_inc(&file->mdev->stats.refused);
	dev_err_ratelimited(&file->mdev->core.pdev->dev,
			    "migration: the stream is refused after %zu bytes: %s (%pe)\n",
			    file->reader.pos, what_is_wrong(err), ERR_PTR(err));
	return err;
}

/* Takes @n bytes from the bounce buffer into the stream, and checks them. */
static int append(struct vfio_mig_file *file, size_t n)
{
	struct vfio_mig_reader *reader = &file->reader;
	int ret;

	if (READ_ONCE(file->dead))
		return -ENODEV;
	if (reader->error)
		return reader->error;
	/* Once ended, the stream may be in use: leave its bytes alone. */
	if (reader->ended || n > VFIO_MIG_STREAM_MAX - file->len)
		return refuse(file, reader->ended ? -EINVAL : -EFBIG);
	ret = make_room(file, n);
	if (ret)
		return ret;
	memcpy(file->buf + file->len, file->bounce, n);
	file->len += n;
	ret = vfio_mig_read_more(reader, file->buf, file->len);
	return ret ? refuse(file, ret) : 0;
}

/* One chunk; returns bytes taken. */
static ssize_t write_chunk(struct vfio_mig_file *file, const char __user *ubuf,
			   size_t count)
{
	size_t n = min_t(size_t, count, VFIO_MIG_BOUNCE_SIZE);
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
		/* What comes before is not lost, but a bad stream is, for good. */
		if ((n == -EFAULT || n == -ENOMEM) && done)
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
	if (done > 0 && has_initial(&file->reader))
		ret = vfio_mig_load_early(file->mdev, file);
	mutex_unlock(&file->io_lock);
	/* The stream has the bytes. The next write() or the arc loads them. */
	if (ret == -ENOMEM)
		ret = 0;
	return ret ?: done;
}

static __poll_t resuming_poll(struct file *filp, struct poll_table_struct *wait)
{
	struct vfio_mig_file *file = filp->private_data;

	poll_wait(filp, &file->wait, wait);
	if (READ_ONCE(file->dead))
		return EPOLLERR | EPOLLHUP;
	return EPOLLOUT | EPOLLWRNORM;
}

static const struct file_operations resuming_fops = {
	.owner = THIS_MODULE,
	.write = resuming_write,
	.poll = resuming_poll,
	.release = vfio_mig_release_file,
};

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

	file = vfio_mig_alloc_file(mdev, &resuming_fops, O_WRONLY,
				   FIRST_SIZE);
	if (IS_ERR(file))
		return PTR_ERR(file);
	vfio_mig_reader_init(&file->reader, mdev->ops->format);
	vfio_mig_publish_file(mdev, &mdev->resuming, file);
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
	u32 seals = file->reader.seals[VFIO_MIG_PART_INITIAL];
	int ret;

	vfio_mig_assert_locked(mdev);

	if (file->loaded == seals)
		return 0;
	/* Writers have the io_lock where we come from them, else it has ended. */
	ret = mdev->ops->load_initial(mdev, &file->reader, file->buf);
	if (!ret)
		file->loaded = seals;
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
