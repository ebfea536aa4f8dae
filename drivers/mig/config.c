// SPDX-License-Identifier: GPL-2.0-only
/*
 * Config space between the capabilities. The core has users write there, as some
 * devices have registers behind none. Of a device that migrates nobody may: what is
 * left in such bytes lives through every reset, and does not go along, while a VMM may
 * take two devices for different ones if their config spaces are not the same. Such
 * writes are dropped, as by a device that has no register there (PCI Local Bus
 * Specification 3.0, section 6.1).
 */
#include <linux/pci.h>
#include <linux/vfio_pci_core.h>

#include "mig.h"

/* In the core's map of config space, which has a capability's ID for each byte. */
#define NO_CAPABILITY	0xff

static bool is_covered(struct vfio_mig_device *mdev, size_t pos)
{
	return mdev->core.pci_config_map[pos] != NO_CAPABILITY;
}

/* How many bytes from @pos on, up to @count, are like the first of them. */
static size_t run_length(struct vfio_mig_device *mdev, size_t pos, size_t count)
{
	bool covered = is_covered(mdev, pos);
	size_t len;

	for (len = 1; len < count && is_covered(mdev, pos + len) == covered; len++)
		;
	return len;
}

/**
 * vfio_mig_write_config() - a user writes to config space
 * @mdev: the device, which is open
 * @buf: the user's data
 * @count: bytes to write
 * @ppos: offset, moved on by what was written
 *
 * Context: may sleep.
 * Return: bytes written (or dropped), or an errno; -EFAULT behind the end.
 */
ssize_t vfio_mig_write_config(struct vfio_mig_device *mdev, const char __user *buf,
			      size_t count, loff_t *ppos)
{
	u64 pos = *ppos & VFIO_PCI_OFFSET_MASK;
	size_t size = mdev->core.pdev->cfg_size;
	size_t done, len;
	ssize_t ret;

	/* The core has an errno for it. */
	if (pos >= size || count > size - pos)
		return vfio_pci_core_write(&mdev->core.vdev, buf, count, ppos);

	for (done = 0; done < count; done += len) {
		len = run_length(mdev, pos + done, count - done);
		if (!is_covered(mdev, pos + done)) {
			*ppos += len;
			continue;
		}
		ret = vfio_pci_core_write(&mdev->core.vdev, buf + done, len, ppos);
		if (ret < 0)
			return ret;
	}
	return done;
}
