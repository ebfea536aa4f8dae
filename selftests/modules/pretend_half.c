// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device half that has nothing to do: by it any function of the PCI bus can be
 * taken through the migration states, and its stream is empty. Functions are bound to
 * it by driver_override.
 *
 * The 82576 has no functions that share a slot and can be migrated.
 */
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/vfio_pci_mig.h>
#include <linux/vfio_pci_mig_compat.h>

static const struct vfio_mig_stream_format format = {
	.max_size = PAGE_SIZE,
};

static int no_arc(struct vfio_mig_device *mdev)
{
	return 0;
}

static int save(struct vfio_mig_device *mdev, struct vfio_mig_writer *w)
{
	return 0;
}

static int load(struct vfio_mig_device *mdev, const struct vfio_mig_reader *r,
		const void *stream)
{
	return 0;
}

static void no_reset(struct vfio_mig_device *mdev)
{
}

static void no_access(struct vfio_mig_device *mdev, u32 offset, u32 *val, bool write)
{
	if (write)
		writel(*val, mdev->io + offset);
	else
		*val = readl(mdev->io + offset);
}

static const struct vfio_mig_areas pretend_mmap = {
	.nr = 1,
	.area = { { .offset = 0, .size = PAGE_SIZE } },
};

static const struct vfio_mig_ops mig_ops = {
	.owner = THIS_MODULE,
	.format = &format,
	.gated_bar = 0,
	.mmap = &pretend_mmap,
	.quiesce = no_arc,
	.unquiesce = no_arc,
	.stop = no_arc,
	.start = no_arc,
	.save_initial = save,
	.save_final = save,
	.load_initial = load,
	.load_final = load,
	.reset = no_reset,
	.access = no_access,
};

static const struct vfio_device_ops device_ops = {
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
	.bind_iommufd = vfio_iommufd_physical_bind,
	.unbind_iommufd = vfio_iommufd_physical_unbind,
	.attach_ioas = vfio_iommufd_physical_attach_ioas,
	.detach_ioas = vfio_iommufd_physical_detach_ioas,
	VFIO_MIG_COMPAT_REGION_OPS
	VFIO_MIG_COMPAT_TOKEN_OPS
};

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct vfio_mig_device *mdev;
	int ret;

	mdev = vfio_alloc_device(vfio_mig_device, core.vdev, &pdev->dev, &device_ops);
	if (IS_ERR(mdev))
		return PTR_ERR(mdev);
	dev_set_drvdata(&pdev->dev, &mdev->core);
	vfio_mig_offer(mdev, &mig_ops);
	ret = vfio_mig_register_device(mdev);
	if (ret)
		vfio_put_device(&mdev->core.vdev);
	return ret;
}

static void remove(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	vfio_mig_unregister_device(vfio_mig_from_core(&core->vdev));
	vfio_put_device(&core->vdev);
}

static struct pci_driver pretend_half_driver = {
	.name = KBUILD_MODNAME,
	.probe = probe,
	.remove = remove,
	.err_handler = &vfio_mig_err_handlers,
	.driver_managed_dma = true,
};
module_pci_driver(pretend_half_driver);

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The vfmig authors");
MODULE_DESCRIPTION("VFIO PCI driver with a migration in which nothing is moved");
