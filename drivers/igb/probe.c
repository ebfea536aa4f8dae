// SPDX-License-Identifier: GPL-2.0-only
/*
 * What can only be found out by trying, once, when the driver binds: whether
 * the device takes what a migration has to write.
 */
#include <linux/iopoll.h>
#include <linux/pci.h>

#include "igb_vf.h"

/* A ring of 256 descriptors, and places in it that no reset leaves there. */
#define PROBE_RING_LEN	4096
#define PROBE_HEAD	0x5a

static bool switch_on(void __iomem *xdctl)
{
	u32 val;

	iowrite32(ioread32(xdctl) | XDCTL_ENABLE, xdctl);
	return !readl_poll_timeout(xdctl, val, val & XDCTL_ENABLE, 10, 10000);
}

/* Head and tail are the same: an empty ring has no DMA, whatever its base. */
static bool head_sticks(void __iomem *len, void __iomem *head, void __iomem *tail,
			void __iomem *xdctl)
{
	u32 old = ioread32(xdctl);
	bool ok;

	iowrite32(old & ~XDCTL_ENABLE, xdctl);
	iowrite32(PROBE_RING_LEN, len);
	iowrite32(PROBE_HEAD, head);
	iowrite32(PROBE_HEAD, tail);
	ok = ioread32(head) == PROBE_HEAD && switch_on(xdctl) &&
	     ioread32(head) == PROBE_HEAD;

	iowrite32(old & ~XDCTL_ENABLE, xdctl);
	iowrite32(0, tail);
	iowrite32(0, head);
	iowrite32(0, len);
	return ok;
}

static bool heads_stick(void __iomem *io)
{
	unsigned int q;

	for (q = 0; q < IGB_VF_NR_QUEUES; q++) {
		if (!head_sticks(io + RDLEN(q), io + RDH(q), io + RDT(q),
				 io + RXDCTL(q)))
			return false;
		if (!head_sticks(io + TDLEN(q), io + TDH(q), io + TDT(q),
				 io + TXDCTL(q)))
			return false;
	}
	return true;
}

/* The datasheet has VTEIMS read as the mask in force; QEMU's does not. */
static bool vteims_is_last_write(void __iomem *io)
{
	bool last;

	iowrite32(VT_ALL_VECTORS, io + VTEIMC);
	iowrite32(BIT(0), io + VTEIMS);
	iowrite32(BIT(1), io + VTEIMS);
	last = !(ioread32(io + VTEIMS) & BIT(0));
	iowrite32(VT_ALL_VECTORS, io + VTEIMC);
	return last;
}

/**
 * igb_vf_probe_device() - find out how the device behaves
 * @vf: the VF; nobody else uses it yet
 *
 * Context: may sleep.
 * Return: 0 where it can be migrated; -EOPNOTSUPP where it does not take heads;
 * -ENODEV where it does not answer; -ENOMEM; -EBUSY.
 */
int igb_vf_probe_device(struct igb_vf *vf)
{
	struct pci_dev *pdev = vf->mig.core.pdev;
	void __iomem *io;
	int ret;

	ret = pci_enable_device_mem(pdev);
	if (ret)
		return ret;
	ret = pci_request_selected_regions(pdev, BIT(0), KBUILD_MODNAME);
	if (ret)
		goto out_disable;
	ret = -ENOMEM;
	io = pci_iomap(pdev, 0, IGB_VF_BAR0_SIZE);
	if (!io)
		goto out_release;

	if (pci_resource_len(pdev, 0) != IGB_VF_BAR0_SIZE ||
	    ioread32(io + VTSTATUS) == U32_MAX) {
		ret = -ENODEV;
	} else {
		vf->vteims_is_last_write = vteims_is_last_write(io);
		ret = heads_stick(io) ? 0 : -EOPNOTSUPP;
	}

	pci_iounmap(pdev, io);
out_release:
	pci_release_selected_regions(pdev, BIT(0));
out_disable:
	pci_disable_device(pdev);
	return ret;
}
