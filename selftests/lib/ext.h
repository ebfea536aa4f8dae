/* SPDX-License-Identifier: GPL-2.0-only */
/* The extension region of a device behind vfio_pci_mig, and PCI errors for it */
#ifndef SELFTESTS_LIB_EXT_H
#define SELFTESTS_LIB_EXT_H

#include <linux/vfio_pci_mig.h>

#include "vfio.h"

/* The region's index, and its offset for pread() and mmap() */
int ext_find(struct vfio_dev *dev, __u32 *index, __u64 *offset);
int ext_read(struct vfio_dev *dev, struct vfio_mig_ext *ext);

/* As a root port would report them: Completion Timeout, Malformed TLP */
#define AER_NONFATAL	0x00004000
#define AER_FATAL	0x00040000

int inject_error(const char *bdf, __u32 uncor_status, const __u32 *header_log);

#endif
