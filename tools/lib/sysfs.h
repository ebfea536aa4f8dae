/* SPDX-License-Identifier: GPL-2.0-only */
/* Attributes and links of PCI devices in sysfs, and files that are like them */
#ifndef VFMIG_LIB_SYSFS_H
#define VFMIG_LIB_SYSFS_H

#include <stddef.h>

int sysfs_put(const char *path, const char *what);
int sysfs_pci_put(const char *bdf, const char *attribute, const char *what);
int sysfs_pci_link(const char *bdf, const char *link, char *name, size_t size);

#endif
