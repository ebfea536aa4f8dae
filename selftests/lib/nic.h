/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's driver that puts the rings and buffers of its 82576 VF anywhere in its memory,
 * and tells who keeps a copy of that memory what it writes itself.
 */
#ifndef SELFTESTS_LIB_NIC_H
#define SELFTESTS_LIB_NIC_H

#include "dirty.h"
#include "igbvf.h"

/* The guest's memory: rings, buffers, where heads are written to, a page of frames to send */
#define NIC_MEM			(DIRTY_MAX_PAGES * DIRTY_PAGE)
#define NIC_RX_RINGS		0UL
#define NIC_TX_RINGS		0x20000UL
#define NIC_RINGS_END		0x40000UL
#define NIC_BUFFERS		NIC_RINGS_END
#define NIC_FRAMES		(NIC_MEM - DIRTY_PAGE)
#define NIC_HEADS		(NIC_FRAMES - 16 * DIRTY_PAGE)
#define NIC_BUFFERS_END		(NIC_HEADS - 16384)

#define NIC_MAX_DESCS		504
#define NIC_TX_DESCS		8
#define NIC_DESC		16

extern const __u8 nic_mac[6];

struct nic {
	struct igbvf vf;
	struct dirty_copy mem;
	unsigned int dice;
	bool neat;		/* a buffer is the same half page always */
	__u32 srrctl;
	size_t rx;		/* the ring */
	unsigned int count;
	unsigned int tail;
	size_t tx;
	unsigned int tx_tail;
};

int nic_roll(struct nic *nic, int sides);
__u64 nic_iova(struct nic *nic, size_t at);
void nic_write_desc(struct nic *nic, unsigned int i);
void nic_rx_post(struct nic *nic, unsigned int count);
unsigned int nic_rx_posted(struct nic *nic);
void nic_rx_refill(struct nic *nic);
void nic_rx_switch(struct nic *nic, bool on);
void nic_rx_set_base(struct nic *nic);
void nic_rx_start(struct nic *nic);
void nic_tx_start(struct nic *nic);
void nic_tx_send(struct nic *nic);
int nic_hello(struct nic *nic);
int nic_open(struct nic *nic, struct vfio_dev *dev);

#endif
