/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The registers of an 82576 virtual function, as offsets in its BAR0. Names are
 * those that the Intel 82576 datasheet gives to the registers of a virtual
 * function (chapter 8); fields are those that the driver uses.
 */
#ifndef _IGB_VFIO_REGS_H
#define _IGB_VFIO_REGS_H

#ifdef __KERNEL__
#include <linux/bits.h>
#else
#define BIT(n)		(1u << (n))
#define GENMASK(h, l)	((~0u << (l)) & (~0u >> (31 - (h))))
#endif

#define IGB_VF_BAR0_SIZE	0x4000

#define VTCTRL			0x0000
/* The same register again. */
#define VTCTRL_DUP		0x0004
#define  VTCTRL_RST		BIT(26)
#define VTSTATUS		0x0008
#define  VTSTATUS_LU		BIT(1)

#define VMBMEM(n)		(0x0800 + 4 * (n))

#define V2PMAILBOX		0x0c40
#define  V2PMAILBOX_REQ		BIT(0)
#define  V2PMAILBOX_ACK		BIT(1)
#define  V2PMAILBOX_VFU		BIT(2)
#define  V2PMAILBOX_PFU		BIT(3)
#define  V2PMAILBOX_PFSTS	BIT(4)
#define  V2PMAILBOX_PFACK	BIT(5)
#define  V2PMAILBOX_RSTI	BIT(6)
#define  V2PMAILBOX_RSTD	BIT(7)
/* Reading the register clears these. */
#define  V2PMAILBOX_R2C		(V2PMAILBOX_PFSTS | V2PMAILBOX_PFACK | \
				 V2PMAILBOX_RSTD)

#define PSRTYPE			0x0f0c

#define VFGPRC			0x0f10
#define VFGPTC			0x0f14
#define VFGORC			0x0f18
#define VFGOTC			0x0f34
#define VFMPRC			0x0f3c
#define VFGPRLBC		0x0f40
#define VFGPTLBC		0x0f44
#define VFGORLBC		0x0f48
#define VFGOTLBC		0x0f50

#define VTEICS			0x1520
#define VTEIMS			0x1524
#define VTEIMC			0x1528
#define VTEIAC			0x152c
#define VTEIAM			0x1530
#define VTEICR			0x1580
#define VTEITR(n)		(0x1680 + 4 * (n))
/* A byte for each cause */
#define VTIVAR			0x1700
#define VTIVAR_MISC		0x1740
#define  IVAR_INT_ALLOC		GENMASK(1, 0)
#define  IVAR_VALID		BIT(7)
#define  VT_ALL_VECTORS		GENMASK(2, 0)

#define RDBAL(n)		(0x2800 + 0x100 * (n))
#define RDBAH(n)		(0x2804 + 0x100 * (n))
#define RDLEN(n)		(0x2808 + 0x100 * (n))
#define SRRCTL(n)		(0x280c + 0x100 * (n))
#define  SRRCTL_BSIZEPACKET	GENMASK(6, 0)	/* in KiB */
#define  SRRCTL_BSIZEHEADER	GENMASK(13, 8)	/* in 64 bytes */
#define  SRRCTL_DESCTYPE	GENMASK(27, 25)
/* The legacy format is below it; all others may have a header buffer. */
#define   SRRCTL_DESCTYPE_ADV_ONE	1
#define RDH(n)			(0x2810 + 0x100 * (n))
#define RXCTL(n)		(0x2814 + 0x100 * (n))
#define RDT(n)			(0x2818 + 0x100 * (n))
#define RXDCTL(n)		(0x2828 + 0x100 * (n))

#define TDBAL(n)		(0x3800 + 0x100 * (n))
#define TDBAH(n)		(0x3804 + 0x100 * (n))
#define TDLEN(n)		(0x3808 + 0x100 * (n))
#define TDH(n)			(0x3810 + 0x100 * (n))
#define TXCTL(n)		(0x3814 + 0x100 * (n))
#define TDT(n)			(0x3818 + 0x100 * (n))
#define TXDCTL(n)		(0x3828 + 0x100 * (n))
#define TDWBAL(n)		(0x3838 + 0x100 * (n))
#define  TDWBAL_ENABLE		BIT(0)
#define TDWBAH(n)		(0x383c + 0x100 * (n))

/* In RXDCTL and TXDCTL alike. */
#define XDCTL_ENABLE		BIT(25)

/*
 * The messages that a VF sends to the igb driver on the PF, in the first dword
 * of VMBMEM: what is asked for, a field with more of it, and in the answer
 * whether the PF agreed and whether it takes requests from this VF at all.
 */
#define MSG_TYPE		GENMASK(15, 0)
#define MSG_INFO		GENMASK(23, 16)
#define MSG_CTS			BIT(29)
#define MSG_NACK		BIT(30)
#define MSG_ACK			BIT(31)

#define MSG_VF_RESET		1
#define MSG_SET_MAC_ADDR	2
#define  MAC_FILTER_CLR		1
#define  MAC_FILTER_ADD		2
#define MSG_SET_MULTICAST	3
#define MSG_SET_VLAN		4
#define MSG_SET_LPE		5
#define MSG_SET_PROMISC		6
#define  PROMISC_MULTICAST	2

#endif /* _IGB_VFIO_REGS_H */
