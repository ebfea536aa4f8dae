/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/vfio_pci_mig.h>

/* Registers of the model do not change by being waited for */
#define read_poll_timeout(op, val, cond, sleep_us, timeout_us, before, ...) \
	((val) = op(__VA_ARGS__), (cond) ? 0 : -ETIMEDOUT)
