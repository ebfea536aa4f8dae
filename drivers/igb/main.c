// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO variant driver for the virtual functions of the Intel 82576: the device
 * half of vfio_pci_mig.
 */
#include <kunit/visibility.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/vfio_pci_mig_compat.h>

#include "igb_vf.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

/* Both count for VFs that are bound from then on. */
static bool dma_log = true;
module_param(dma_log, bool, 0644);
MODULE_PARM_DESC(dma_log, "Offer a log of the pages that the device writes, for which the registers of the receive queues are trapped (default on)");

static bool dma_log_trap_tx;
module_param(dma_log_trap_tx, bool, 0644);
MODULE_PARM_DESC(dma_log_trap_tx, "Trap the registers of the transmit queues as well: for a guest that gives a queue new rings without a reset (default off)");

/* Page 0 has the mailbox and the counters, and is trapped. */
static const struct vfio_mig_areas igb_vf_mmap = {
	.nr = 1,
	.area = { { .offset = 0x1000, .size = IGB_VF_BAR0_SIZE - 0x1000 } },
};

VISIBLE_IF_KUNIT const struct vfio_mig_ops igb_vf_mig_ops = {
	.owner = THIS_MODULE,
	.format = &igb_vf_format,
	.gated_bar = 0,
	.mmap = &igb_vf_mmap,
	.quiesce = igb_vf_quiesce,
	.unquiesce = igb_vf_unquiesce,
	.stop = igb_vf_stop,
	.start = igb_vf_start,
	.save_initial = igb_vf_save_initial,
	.save_final = igb_vf_save_final,
	.load_initial = igb_vf_load_initial,
	.load_final = igb_vf_load_final,
	.reset = igb_vf_reset,
	.access = igb_vf_access,
};
EXPORT_SYMBOL_IF_KUNIT(igb_vf_mig_ops);

/* Page 2 has the receive queues. */
static const struct vfio_mig_areas igb_vf_log_mmap = {
	.nr = 2,
	.area = {
		{ .offset = 0x1000, .size = 0x1000 },
		{ .offset = 0x3000, .size = 0x1000 },
	},
};

/* Page 3 has the transmit queues. */
static const struct vfio_mig_areas igb_vf_trap_tx_mmap = {
	.nr = 1,
	.area = { { .offset = 0x1000, .size = 0x1000 } },
};

static const struct vfio_mig_log_ops igb_vf_log_ops = {
	.nr_rings = IGB_VF_NR_QUEUES,
	.is_doorbell = igb_vf_log_is_doorbell,
	.post = igb_vf_log_post,
	.sync = igb_vf_log_sync,
	.take = igb_vf_log_take,
	.look = igb_vf_log_look,
	.end = igb_vf_log_end,
};

static const struct vfio_device_ops igb_vf_ops = {
	/* VFs that are made of a PF in its hands are bound to a driver of this name. */
	.name = KBUILD_MODNAME,
	.init = vfio_mig_init_dev,
	.release = vfio_mig_release_dev,
	.open_device = vfio_mig_open_device,
	.close_device = vfio_mig_close_device,
	.ioctl = vfio_mig_ioctl,
	.device_feature = vfio_mig_feature,
	.read = vfio_mig_read,
	.write = vfio_mig_write,
	.mmap = vfio_mig_mmap,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
	.bind_iommufd = vfio_mig_bind_iommufd,
	.unbind_iommufd = vfio_mig_unbind_iommufd,
	.attach_ioas = vfio_mig_attach_ioas,
	.detach_ioas = vfio_mig_detach_ioas,
	VFIO_MIG_COMPAT_REGION_OPS
	VFIO_MIG_COMPAT_TOKEN_OPS
};

static const struct pci_device_id igb_vf_pci_table[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_INTEL, 0x10ca) },
	{}
};
MODULE_DEVICE_TABLE(pci, igb_vf_pci_table);

/*
 * A device that cannot be migrated is still good for everything else. One of which
 * that cannot be found out just now is not bound: it would stay so.
 */
static int offer_migration(struct igb_vf *vf)
{
	struct pci_dev *pdev = vf->mig.core.pdev;
	int ret;

	/* An administrator can bind anything. */
	if (!pci_match_id(igb_vf_pci_table, pdev))
		return 0;
	ret = igb_vf_probe_device(vf);
	if (ret == -ENOMEM || ret == -EBUSY)
		return ret;
	if (ret) {
		pci_warn(pdev, "no migration: %s (%pe)\n",
			 ret == -EOPNOTSUPP ?
			 "the device does not take the heads of its rings" :
			 "the device cannot be probed", ERR_PTR(ret));
		return 0;
	}
	vfio_mig_offer(&vf->mig, &igb_vf_mig_ops);
	if (dma_log)
		vfio_mig_offer_log(&vf->mig, &igb_vf_log_ops,
				   dma_log_trap_tx ? &igb_vf_trap_tx_mmap :
						     &igb_vf_log_mmap);
	return 0;
}

static int igb_vf_pci_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct igb_vf *vf;
	int ret;

	vf = vfio_alloc_device(igb_vf, mig.core.vdev, &pdev->dev, &igb_vf_ops);
	if (IS_ERR(vf))
		return PTR_ERR(vf);

	dev_set_drvdata(&pdev->dev, &vf->mig.core);
	ret = offer_migration(vf);
	if (!ret)
		ret = vfio_mig_register_device(&vf->mig);
	if (ret)
		vfio_put_device(&vf->mig.core.vdev);
	return ret;
}

static void igb_vf_pci_remove(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	vfio_mig_unregister_device(vfio_mig_from_core(&core->vdev));
	vfio_put_device(&core->vdev);
}

/*
 * For a PF. Its VFs can only be opened by who knows the token that the PF's user
 * has set.
 */
static int igb_vf_pci_sriov_configure(struct pci_dev *pdev, int nr_virtfn)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	return vfio_pci_core_sriov_configure(core, nr_virtfn);
}

static struct pci_driver igb_vf_pci_driver = {
	.name = KBUILD_MODNAME,
	.id_table = igb_vf_pci_table,
	.probe = igb_vf_pci_probe,
	.remove = igb_vf_pci_remove,
	.sriov_configure = igb_vf_pci_sriov_configure,
	.err_handler = &vfio_mig_err_handlers,
	.driver_managed_dma = true,
};
module_pci_driver(igb_vf_pci_driver);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The vfmig authors");
MODULE_DESCRIPTION("VFIO PCI driver with migration for the virtual functions of the Intel 82576");
