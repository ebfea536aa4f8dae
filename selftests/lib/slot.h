/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two PFs in one slot, named by VFMIG_SLOT, which the tests bind to drivers as
 * they like.
 */
#ifndef SELFTESTS_LIB_SLOT_H
#define SELFTESTS_LIB_SLOT_H

#include "vfio.h"

#define BDF_LEN		16
#define NO_DRIVER	"none"

/* The address of function @nth */
int slot_name(unsigned int nth, char *bdf);

/* Takes a function from the driver that has it, and gives it to another */
int slot_bind(const char *bdf, const char *driver);

int slot_set_vfs(const char *bdf, unsigned int nr);
int slot_vf_name(const char *bdf, unsigned int nth, char *vf);
int slot_driver(const char *bdf, char *driver, size_t size);

/* The number of its IOMMU group */
int slot_group(const char *bdf);

/* Like vfio_open(), of a PF with VFs or one of these */
int slot_open(struct vfio_dev *dev, struct vfio_iommu *iommu, const char *bdf,
	      const char *token);

#endif
