// SPDX-License-Identifier: GPL-2.0-only
/*
 * The extension region: where the user finds all that is not standard uAPI. Its
 * pages are those of the fault ring, whose header is the header of the region.
 */
#include <kunit/visibility.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/uaccess.h>

#include "mig.h"

static ssize_t ext_rw(struct vfio_pci_core_device *core, char __user *buf,
		      size_t count, loff_t *ppos, bool write)
{
	loff_t pos = *ppos & VFIO_PCI_OFFSET_MASK;
	struct vfio_mig_ext ext;
	ssize_t ret;

	if (write || pos >= sizeof(ext))
		return -EINVAL;
	vfio_mig_faults_get_ext(vfio_mig_from_core(&core->vdev), &ext);
	ret = simple_read_from_buffer(buf, count, &pos, &ext, sizeof(ext));
	if (ret > 0)
		*ppos += ret;
	return ret;
}

/* How many pages there are from @page to the end of the part that it is in. */
static unsigned long pages_left(unsigned long page)
{
	if (page < VFIO_MIG_ENTRIES_PAGE)
		return 1;
	return page < VFIO_MIG_EXT_PAGES ? VFIO_MIG_EXT_PAGES - page : 0;
}

/* The mapping keeps the file, and so the device, open. The core wants it shared. */
static int ext_mmap(struct vfio_pci_core_device *core,
		    struct vfio_pci_region *region, struct vm_area_struct *vma)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(&core->vdev);
	unsigned long page = vma->vm_pgoff &
			     ((1UL << (VFIO_PCI_OFFSET_SHIFT - PAGE_SHIFT)) - 1);
	bool writable = page == VFIO_MIG_CONSUMER_PAGE;

	if (vma_pages(vma) > pages_left(page))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC || (vma->vm_flags & VM_WRITE && !writable))
		return -EACCES;
	/* What is not there cannot be added by mprotect() either. */
	vm_flags_mod(vma, VM_DONTEXPAND | VM_DONTDUMP,
		     VM_MAYEXEC | (writable ? 0 : VM_MAYWRITE));
	return vm_map_pages_zero(vma, mdev->faults.page + page, pages_left(page));
}

static int ext_add_capability(struct vfio_pci_core_device *core,
			      struct vfio_pci_region *region,
			      struct vfio_info_cap *caps)
{
	DEFINE_RAW_FLEX(struct vfio_region_info_cap_sparse_mmap, sparse, areas, 3);
	static const unsigned int first[] = {
		VFIO_MIG_HEADER_PAGE,
		VFIO_MIG_CONSUMER_PAGE,
		VFIO_MIG_ENTRIES_PAGE,
	};
	unsigned int i;

	sparse->header.id = VFIO_REGION_INFO_CAP_SPARSE_MMAP;
	sparse->header.version = 1;
	sparse->nr_areas = ARRAY_SIZE(first);
	for (i = 0; i < ARRAY_SIZE(first); i++) {
		sparse->areas[i].offset = first[i] * PAGE_SIZE;
		sparse->areas[i].size = pages_left(first[i]) * PAGE_SIZE;
	}
	return vfio_info_add_capability(caps, &sparse->header,
					struct_size(sparse, areas, ARRAY_SIZE(first)));
}

static void ext_release(struct vfio_pci_core_device *core,
			struct vfio_pci_region *region)
{
	vfio_mig_faults_close(vfio_mig_from_core(&core->vdev));
}

static const struct vfio_pci_regops ext_regops = {
	.rw = ext_rw,
	.mmap = ext_mmap,
	.add_capability = ext_add_capability,
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
	u32 flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_MMAP;
	struct vfio_pci_core_device *core = &mdev->core;
	u32 type = VFIO_REGION_TYPE_PCI_VENDOR_TYPE | core->pdev->vendor;
	int ret;

	ret = vfio_mig_faults_open(mdev);
	if (ret)
		return ret;
	ret = vfio_pci_core_register_dev_region(core, type,
						VFIO_MIG_REGION_SUBTYPE, &ext_regops,
						VFIO_MIG_EXT_PAGES * PAGE_SIZE,
						flags, NULL);
	if (ret)
		vfio_mig_faults_close(mdev);
	return ret;
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_add_ext_region);
