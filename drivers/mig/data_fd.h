/* SPDX-License-Identifier: GPL-2.0-only */
/* The data_fd, as data_fd.c, saving.c and resuming.c share it. */
#ifndef _VFIO_PCI_MIG_DATA_FD_H
#define _VFIO_PCI_MIG_DATA_FD_H

#include <linux/poll.h>

#include "mig.h"

/* User data goes through a buffer of this many bytes. */
#define VFIO_MIG_BOUNCE_SIZE	4096

/**
 * struct vfio_mig_file - one data_fd
 * @mdev: the device; its memory, not more, is kept for as long as the file lives
 * @owner: module of the device half, without which @mdev cannot be freed
 * @filp: the file; the FSM holds a reference until it kills it
 * @io_lock: serializes the user's reads, writes and ioctls; held over user
 *	copies, and while the state lock is taken
 * @lock: protects what follows; a leaf
 * @wait: for poll()
 * @dead: reads and writes fail; set under @lock or the state lock's flag_lock
 * @bounce: VFIO_MIG_BOUNCE_SIZE bytes, under @io_lock
 * @buf: the stream, or what the user has not read of it yet; NULL once killed
 * @size: bytes that @buf has room for
 * @len: bytes in @buf
 *
 * Of a file that is read:
 *
 * @writer: where the stream goes on; changed under the state lock
 * @pos: bytes of @buf that the user has read; moved under @io_lock and @lock
 * @initial_end: what VFIO calls initial data ends here in @buf
 * @reinit: it is not the first initial data
 * @precopy: more will come: the end of @buf is not that of the stream
 *
 * Of a file that is written:
 *
 * @reader: checks the stream that the user writes
 * @loaded: how many initial parts there were when the device half took the last
 *	one; under the state lock
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
	size_t size;
	size_t len;

	struct vfio_mig_writer writer;
	size_t pos;
	size_t initial_end;
	bool reinit;
	bool precopy;

	struct vfio_mig_reader reader;
	u32 loaded;
};

struct vfio_mig_file *vfio_mig_alloc_file(struct vfio_mig_device *mdev,
					  const struct file_operations *fops,
					  int flags, size_t size);
void vfio_mig_publish_file(struct vfio_mig_device *mdev,
			   struct vfio_mig_file **where,
			   struct vfio_mig_file *file);
int vfio_mig_release_file(struct inode *inode, struct file *filp);

#endif /* _VFIO_PCI_MIG_DATA_FD_H */
