/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/vfio_pci_mig.h>
