// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lab.h"
#include "nic.h"
#include "peer.h"

#define SRRCTL_SPLIT		0x04000000
#define SRRCTL_SPLIT_ALWAYS	0x0a000000
#define SRRCTL_HEADER(n)	((n) << 8)	/* in 64 bytes */
#define TDWB_ENABLE		1

const __u8 nic_mac[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0a };

/* Whom it sends to: nobody */
static const __u8 nobody[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0b };

int nic_roll(struct nic *nic, int sides)
{
	return rand_r(&nic->dice) % sides;
}

static size_t roll_buffer(struct nic *nic)
{
	return NIC_BUFFERS + nic_roll(nic, (NIC_BUFFERS_END - NIC_BUFFERS) / 2) * 2;
}

static __u32 lower(__u64 val)
{
	return val;
}

__u64 nic_iova(struct nic *nic, size_t at)
{
	return nic->mem.mem.iova + at;
}

void nic_write_desc(struct nic *nic, unsigned int i)
{
	size_t packet = nic->neat ? NIC_BUFFERS + i * IGBVF_BUF : roll_buffer(nic);
	__le64 desc[2] = {
		htole64(nic_iova(nic, packet)),
		htole64(nic_iova(nic, roll_buffer(nic))),
	};

	dirty_copy_write(&nic->mem, nic->rx + i * NIC_DESC, desc, sizeof(desc));
}

void nic_rx_post(struct nic *nic, unsigned int count)
{
	while (count--) {
		nic_write_desc(nic, nic->tail);
		nic->tail = (nic->tail + 1) % nic->count;
	}
	__sync_synchronize();
	igbvf_write(&nic->vf, RDT(0), nic->tail);
}

/* What the device has and has not used */
unsigned int nic_rx_posted(struct nic *nic)
{
	unsigned int head = igbvf_read(&nic->vf, RDH(0));

	return (nic->tail + nic->count - head) % nic->count;
}

/* Posts again what the device has used, or some of it */
void nic_rx_refill(struct nic *nic)
{
	unsigned int room = nic->count - 1 - nic_rx_posted(nic);

	if (room > 1 && !nic_roll(nic, 4))
		room = 1 + nic_roll(nic, room - 1);
	if (room)
		nic_rx_post(nic, room);
}

static void rx_roll_ring(struct nic *nic)
{
	static const unsigned int counts[] = { 8, 16, 64, 256, NIC_MAX_DESCS };

	nic->count = counts[nic_roll(nic, 5)];
	nic->rx = NIC_RX_RINGS +
		  nic_roll(nic, (NIC_TX_RINGS - NIC_RX_RINGS - nic->count * NIC_DESC) / 128) * 128;
}

void nic_rx_switch(struct nic *nic, bool on)
{
	__u32 val = igbvf_read(&nic->vf, RXDCTL(0)) & ~XDCTL_ENABLE;

	igbvf_write(&nic->vf, RXDCTL(0), on ? val | XDCTL_ENABLE : val);
}

void nic_rx_set_base(struct nic *nic)
{
	igbvf_write(&nic->vf, RDBAL(0), lower(nic_iova(nic, nic->rx)));
	igbvf_write(&nic->vf, RDBAH(0), nic_iova(nic, nic->rx) >> 32);
	igbvf_write(&nic->vf, RDLEN(0), nic->count * NIC_DESC);
}

void nic_rx_start(struct nic *nic)
{
	static const __u32 types[] = {
		0, SRRCTL_ADV_ONEBUF, SRRCTL_SPLIT | SRRCTL_HEADER(4),
		SRRCTL_SPLIT_ALWAYS | SRRCTL_HEADER(2),
	};

	nic_rx_switch(nic, false);
	rx_roll_ring(nic);
	nic->srrctl = types[nic_roll(nic, 4)] | (1 + nic_roll(nic, 2));
	nic_rx_set_base(nic);
	igbvf_write(&nic->vf, SRRCTL(0), nic->srrctl | SRRCTL_DROP_EN);
	igbvf_write(&nic->vf, RDH(0), 0);
	igbvf_write(&nic->vf, RDT(0), 0);
	nic->tail = 0;
	nic_rx_switch(nic, true);
	nic_rx_post(nic, nic->count - 1);
}

void nic_tx_start(struct nic *nic)
{
	struct igbvf *vf = &nic->vf;
	__u32 val = igbvf_read(vf, TXDCTL(0)) & ~XDCTL_ENABLE;
	static const __u8 none[NIC_TX_DESCS * NIC_DESC];
	__u64 wb = 0;

	igbvf_write(vf, TXDCTL(0), val);
	nic->tx = NIC_TX_RINGS + nic_roll(nic, (NIC_RINGS_END - NIC_TX_RINGS) / 128 - 1) * 128;
	dirty_copy_write(&nic->mem, nic->tx, none, sizeof(none));
	if (nic_roll(nic, 2))
		wb = nic_iova(nic, NIC_HEADS + nic_roll(nic, DIRTY_PAGE) * 16) |
		     TDWB_ENABLE;
	igbvf_write(vf, TDBAL(0), lower(nic_iova(nic, nic->tx)));
	igbvf_write(vf, TDBAH(0), nic_iova(nic, nic->tx) >> 32);
	igbvf_write(vf, TDLEN(0), NIC_TX_DESCS * NIC_DESC);
	igbvf_write(vf, TDWBAL(0), lower(wb));
	igbvf_write(vf, TDWBAH(0), wb >> 32);
	igbvf_write(vf, TDH(0), 0);
	igbvf_write(vf, TDT(0), 0);
	nic->tx_tail = 0;
	igbvf_write(vf, TXDCTL(0), val | XDCTL_ENABLE);
}

void nic_tx_send(struct nic *nic)
{
	struct {
		__le64 addr;
		__le32 cmd;
		__le32 status;
	} desc = {
		.addr = htole64(nic_iova(nic, NIC_FRAMES)),
		/* Extended, data, end of packet, FCS, report status */
		.cmd = htole32(0x20000000 | 0x00300000 | 0x01000000 | 0x02000000 |
			       0x08000000 | IGBVF_MIN_FRAME),
		.status = htole32(IGBVF_MIN_FRAME << 14),
	};

	dirty_copy_write(&nic->mem, nic->tx + nic->tx_tail * NIC_DESC, &desc,
			 sizeof(desc));
	nic->tx_tail = (nic->tx_tail + 1) % NIC_TX_DESCS;
	__sync_synchronize();
	igbvf_write(&nic->vf, TDT(0), nic->tx_tail);
}

int nic_hello(struct nic *nic)
{
	int tries = 3, ret;

	do {
		ret = igbvf_hello(&nic->vf);
		if (!ret)
			ret = igbvf_set_mac(&nic->vf, nic_mac);
	} while (ret == -ETIMEDOUT && --tries);
	return ret;
}

int nic_open(struct nic *nic, struct vfio_dev *dev)
{
	__u8 frame[IGBVF_MIN_FRAME];
	int ret;

	nic->dice = lab_setting("DMA_LOG_SEED", time(NULL) ^ getpid());
	printf("# DMA_LOG_SEED=%u\n", nic->dice);
	ret = igbvf_open(&nic->vf, dev);
	if (!ret)
		ret = dirty_copy_open(&nic->mem, dev, NIC_MEM);
	if (!ret)
		ret = nic_hello(nic);
	if (ret)
		return ret;
	frame_build(frame, nobody, nic_mac, -1, 1, sizeof(frame));
	dirty_copy_write(&nic->mem, NIC_FRAMES, frame, sizeof(frame));
	/* Left over by another user: a queue has a ring as long as this says so */
	igbvf_write(&nic->vf, TDLEN(1), 0);
	nic_rx_start(nic);
	nic_tx_start(nic);
	return 0;
}
