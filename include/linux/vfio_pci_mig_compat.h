/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences between the kernels that vfmig builds on, and nothing else. */
#ifndef _LINUX_VFIO_PCI_MIG_COMPAT_H
#define _LINUX_VFIO_PCI_MIG_COMPAT_H

#include <linux/version.h>
#include <linux/vfio_pci_core.h>

/* Some members of struct vfio_device_ops are not in every kernel. */

/* Since 6.19 the core parses VFIO_DEVICE_GET_REGION_INFO for the driver. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#define VFIO_MIG_HAVE_REGION_INFO_CAPS
int vfio_mig_get_region_info_caps(struct vfio_device *vdev,
				  struct vfio_region_info *info,
				  struct vfio_info_cap *caps);
#define VFIO_MIG_COMPAT_REGION_OPS \
	.get_region_info_caps = vfio_mig_get_region_info_caps,
#else
#define VFIO_MIG_COMPAT_REGION_OPS
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 18, 0)
#define VFIO_MIG_COMPAT_TOKEN_OPS \
	.match_token_uuid = vfio_pci_core_match_token_uuid,
#else
#define VFIO_MIG_COMPAT_TOKEN_OPS
#endif

/* Since 7.1 the user may ask for flags in struct vfio_precopy_info. */
#ifdef VFIO_PRECOPY_INFO_REINIT
#define VFIO_MIG_PRECOPY_REINIT	VFIO_PRECOPY_INFO_REINIT
#else
#define VFIO_MIG_PRECOPY_REINIT	0
#endif

static inline bool vfio_mig_precopy_flags(struct vfio_device *vdev)
{
#ifdef VFIO_PRECOPY_INFO_REINIT
	return vdev->precopy_info_v2;
#else
	return false;
#endif
}

/* Maps a BAR for the time that the device is open; ERR_PTR() on failure. */
static inline void __iomem *vfio_mig_iomap(struct vfio_pci_core_device *core,
					   unsigned int bar)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 1, 0)
	int ret = vfio_pci_core_setup_barmap(core, bar);

	return ret ? IOMEM_ERR_PTR(ret) : core->barmap[bar];
#else
	return vfio_pci_core_get_iomap(core, bar);
#endif
}

/* Since 6.13 the name of a namespace is a string. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define VFIO_MIG_IMPORT_IOMMUFD	MODULE_IMPORT_NS(IOMMUFD)
#else
#define VFIO_MIG_IMPORT_IOMMUFD	MODULE_IMPORT_NS("IOMMUFD")
#endif

#endif /* _LINUX_VFIO_PCI_MIG_COMPAT_H */
