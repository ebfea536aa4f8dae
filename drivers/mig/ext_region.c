// SPDX-License-Identifier: GPL-2.0-only
/* The extension region: where the user finds all that is not standard uAPI. */
#include <kunit/visibility.h>
#include <linux/pci.h>
#include <linux/uaccess.h>

#include "mig.h"

static struct vfio_mig_ext snapshot(struct vfio_mig_device *mdev)
{
	struct vfio_mig_ext ext = {
		.magic = VFIO_MIG_EXT_MAGIC,
		.size = sizeof(ext),
		.irq_nonfatal = VFIO_PCI_NUM_IRQS + VFIO_MIG_IRQ_NONFATAL,
		.irq_recovered = VFIO_PCI_NUM_IRQS + VFIO_MIG_IRQ_RECOVERED,
	};

	vfio_mig_get_error(mdev, &ext.error);
	return ext;
}

static ssize_t ext_rw(struct vfio_pci_core_device *core, char __user *buf,
		      size_t count, loff_t *ppos, bool write)
{
	struct vfio_mig_ext ext = snapshot(vfio_mig_from_core(&core->vdev));
	loff_t pos = *ppos & VFIO_PCI_OFFSET_MASK;
	ssize_t ret;

	if (write || pos >= sizeof(ext))
		return -EINVAL;
	ret = simple_read_from_buffer(buf, count, &pos, &ext, sizeof(ext));
	if (ret > 0)
		*ppos += ret;
	return ret;
}

static void ext_release(struct vfio_pci_core_device *core,
			struct vfio_pci_region *region)
{
}

static const struct vfio_pci_regops ext_regops = {
	.rw = ext_rw,
	.release = ext_release,
};

/**
 * vfio_mig_add_ext_region() - add the region to a device that is being opened
 * @mdev: the device, enabled; the core removes the region when it is disabled
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int vfio_mig_add_ext_region(struct vfio_mig_device *mdev)
{
	struct vfio_pci_core_device *core = &mdev->core;

	return vfio_pci_core_register_dev_region(core,
			VFIO_REGION_TYPE_PCI_VENDOR_TYPE | core->pdev->vendor,
			VFIO_MIG_REGION_SUBTYPE, &ext_regops,
			sizeof(struct vfio_mig_ext), VFIO_REGION_INFO_FLAG_READ,
			NULL);
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_add_ext_region);
