/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A driver for the 82576 virtual function in userspace, on top of vfio.h.
 * struct igbvf is what a guest's driver would hold in its own memory: it stays
 * when the device under it is migrated, and igbvf_move() puts it on top of the
 * VF that it arrived on. Registers have their names from the 82576 datasheet.
 */
#ifndef SELFTESTS_LIB_IGBVF_H
#define SELFTESTS_LIB_IGBVF_H

#include "vfio.h"

#define IGBVF_BAR0_SIZE		0x4000
#define IGBVF_PAGE_SIZE		0x1000
#define IGBVF_PAGES		(IGBVF_BAR0_SIZE / IGBVF_PAGE_SIZE)

#define VTCTRL			0x0000
#define   VTCTRL_RST		0x04000000
#define VTSTATUS		0x0008
#define   VTSTATUS_LU		0x00000002
#define VMBMEM(n)		(0x0800 + 4 * (n))
#define V2PMAILBOX		0x0c40
#define   V2PMAILBOX_REQ	0x00000001
#define   V2PMAILBOX_ACK	0x00000002
#define   V2PMAILBOX_VFU	0x00000004
#define   V2PMAILBOX_PFU	0x00000008
#define   V2PMAILBOX_PFSTS	0x00000010
#define   V2PMAILBOX_PFACK	0x00000020
#define   V2PMAILBOX_RSTI	0x00000040
#define   V2PMAILBOX_RSTD	0x00000080
/* Bits that reading the register clears */
#define   V2PMAILBOX_RC		(V2PMAILBOX_PFSTS | V2PMAILBOX_PFACK | \
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

#define VTFRTIMER		0x1048
#define VTEICS			0x1520
#define VTEIMS			0x1524
#define VTEIMC			0x1528
#define VTEIAC			0x152c
#define VTEIAM			0x1530
#define VTEICR			0x1580
#define VTEITR(n)		(0x1680 + 4 * (n))
#define VTIVAR			0x1700
#define VTIVAR_MISC		0x1740
#define   VTIVAR_VALID		0x80

#define RDBAL(q)		(0x2800 + 0x100 * (q))
#define RDBAH(q)		(0x2804 + 0x100 * (q))
#define RDLEN(q)		(0x2808 + 0x100 * (q))
#define SRRCTL(q)		(0x280c + 0x100 * (q))
#define   SRRCTL_BSIZEPKT_1K	0x00000001
#define   SRRCTL_ADV_ONEBUF	0x02000000
#define   SRRCTL_DROP_EN	0x80000000
#define RDH(q)			(0x2810 + 0x100 * (q))
#define RXCTL(q)		(0x2814 + 0x100 * (q))
#define RDT(q)			(0x2818 + 0x100 * (q))
#define RXDCTL(q)		(0x2828 + 0x100 * (q))
#define RQDPC(q)		(0x2830 + 0x100 * (q))

#define TDBAL(q)		(0x3800 + 0x100 * (q))
#define TDBAH(q)		(0x3804 + 0x100 * (q))
#define TDLEN(q)		(0x3808 + 0x100 * (q))
#define TDH(q)			(0x3810 + 0x100 * (q))
#define TXCTL(q)		(0x3814 + 0x100 * (q))
#define TDT(q)			(0x3818 + 0x100 * (q))
#define TXDCTL(q)		(0x3828 + 0x100 * (q))
#define TDWBAL(q)		(0x3838 + 0x100 * (q))
#define TDWBAH(q)		(0x383c + 0x100 * (q))
#define   XDCTL_ENABLE		0x02000000	/* RXDCTL and TXDCTL alike */

/* Messages to the PF, and what its answer carries on top of them */
#define VF_RESET		0x01
#define VF_SET_MAC_ADDR		0x02
#define VF_SET_MULTICAST	0x03
#define VF_SET_VLAN		0x04
#define VF_SET_LPE		0x05
#define VF_SET_PROMISC		0x06
#define VF_MSG_TYPE		0x0000ffff
#define VF_INFO(n)		((n) << 16)
#define VF_ACK			0x80000000
#define VF_NACK			0x40000000
#define VF_CTS			0x20000000
#define VF_MBOX_WORDS		16

#define IGBVF_QUEUES		2
#define IGBVF_RING		64	/* descriptors in a ring */
#define IGBVF_BUF		2048	/* bytes in a buffer */
#define IGBVF_MIN_FRAME		60

/* Vectors, in the order that Linux's own driver uses */
enum { IGBVF_VEC_TX, IGBVF_VEC_RX, IGBVF_VEC_MBOX, IGBVF_VECTORS };

struct igbvf_ring {
	struct vfio_dma dma;	/* descriptors, then a buffer for each */
	unsigned int next;	/* the next to hand to the device */
	unsigned int clean;	/* the next that the device hands back */
};

struct igbvf {
	struct vfio_dev *dev;
	__u32 *page[IGBVF_PAGES];	/* NULL: not to be mapped */
	__u32 v2p;		/* read-to-clear bits not used up yet */
	__u8 mac[6];
	struct igbvf_ring rx[IGBVF_QUEUES];
	struct igbvf_ring tx[IGBVF_QUEUES];
	int irq[IGBVF_VECTORS];
};

/* A frame as received: vlan is -1 where it came without a stripped tag */
struct igbvf_frame {
	__u8 data[IGBVF_BUF];
	size_t len;
	int vlan;
};

/* One access of 32 bits, which the compiler neither splits nor repeats */
static inline __u32 mmio_read(const __u32 *reg)
{
	return __atomic_load_n(reg, __ATOMIC_RELAXED);
}

static inline void mmio_write(__u32 *reg, __u32 val)
{
	__atomic_store_n(reg, val, __ATOMIC_RELAXED);
}

/* The same, but -EFAULT where the access ends in SIGBUS */
int mmio_try_read(const __u32 *reg, __u32 *val);
int mmio_try_write(__u32 *reg, __u32 val);

int igbvf_open(struct igbvf *vf, struct vfio_dev *dev);
void igbvf_close(struct igbvf *vf);
int igbvf_move(struct igbvf *vf, struct vfio_dev *dev);

__u32 igbvf_read(struct igbvf *vf, __u32 reg);
void igbvf_write(struct igbvf *vf, __u32 reg, __u32 val);

/* Each message: 0, -EACCES where the PF answers NACK, -ETIMEDOUT */
int igbvf_mbox_post(struct igbvf *vf, const __u32 *msg, unsigned int words);
int igbvf_mbox_wait(struct igbvf *vf, __u32 *msg, unsigned int words);
int igbvf_mbox(struct igbvf *vf, __u32 *msg, unsigned int words);
int igbvf_hello(struct igbvf *vf);
int igbvf_set_mac(struct igbvf *vf, const __u8 *mac);
int igbvf_set_multicast(struct igbvf *vf, const __u8 *mac);
int igbvf_set_vlan(struct igbvf *vf, unsigned int vid, bool add);
int igbvf_set_lpe(struct igbvf *vf, unsigned int size);
int igbvf_set_promisc(struct igbvf *vf, bool multicast);

int igbvf_rx_start(struct igbvf *vf, unsigned int q);
int igbvf_tx_start(struct igbvf *vf, unsigned int q);
void igbvf_queues_off(struct igbvf *vf);
void igbvf_tx_post(struct igbvf *vf, unsigned int q, const void *data,
		   size_t len);
void igbvf_tx_kick(struct igbvf *vf, unsigned int q);
unsigned int igbvf_tx_pending(struct igbvf *vf, unsigned int q);
int igbvf_tx_wait(struct igbvf *vf, unsigned int q, int ms);
int igbvf_send(struct igbvf *vf, unsigned int q, const void *data, size_t len);
bool igbvf_rx_ready(struct igbvf *vf, unsigned int q);
int igbvf_recv(struct igbvf *vf, unsigned int q, struct igbvf_frame *frame,
	       int ms);

int igbvf_irq_start(struct igbvf *vf);
int igbvf_irq_wait(struct igbvf *vf, unsigned int vector, int ms);
void igbvf_irq_drain(struct igbvf *vf);

#endif
