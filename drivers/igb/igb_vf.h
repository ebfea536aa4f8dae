/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of igb_vfio_pci share with each other. */
#ifndef _IGB_VFIO_IGB_VF_H
#define _IGB_VFIO_IGB_VF_H

#include <linux/io.h>
#include <linux/vfio_pci_mig.h>

#include "pf_state.h"
#include "regs.h"
#include "trace.h"
#include "vf_stream.h"

/**
 * struct igb_vf_mbx - what the trap knows of the mailbox
 * @kept: bits of V2PMAILBOX that the driver has read, and so cleared, while they
 *	were the guest's to see
 * @pending: the guest has sent @msg, and the PF's answer has not been seen
 * @sent: jiffies when it was sent
 * @msg: the message
 */
struct igb_vf_mbx {
	u32 kept;
	bool pending;
	unsigned long sent;
	u32 msg[IGB_VF_MBX_DWORDS];
};

/**
 * struct igb_vf_slot - the buffers of a receive descriptor
 * @packet: address of the packet's
 * @header: address of the header's
 */
struct igb_vf_slot {
	u64 packet;
	u64 header;
};

/**
 * struct igb_vf_rx_log - what the device may write for a receive queue
 * @known: what is below is right
 * @lost: it was not, while the device could receive
 * @seq: changes with all of it but @head
 * @base: address of the ring
 * @count: descriptors in it
 * @head: the first of those that the device was found to have
 * @tail: the first behind them, as in RDT
 * @packet_size: bytes of a packet's buffer: the most since the ring is known
 * @header_size: bytes of a header's, likewise
 * @slots: the buffers of each descriptor; right from @head to @tail
 * @room: entries of @slots
 */
struct igb_vf_rx_log {
	bool known;
	bool lost;
	unsigned int seq;
	u64 base;
	u32 count;
	u32 head;
	u32 tail;
	u32 packet_size;
	u32 header_size;
	struct igb_vf_slot *slots;
	u32 room;
};

/**
 * struct igb_vf_tx_ring - what the device may write for a transmit queue
 * @base: address of the ring
 * @len: its bytes; 0 where there is none
 * @wb: TDWBAL and TDWBAH: where the head is written to
 */
struct igb_vf_tx_ring {
	u64 base;
	u32 len;
	u64 wb;
};

/**
 * struct igb_vf - an 82576 virtual function
 * @mig: the migratable device; must stay first
 * @mbx: the mailbox
 * @pf: what the PF was told
 * @counter_offset: what to add to each counter for the guest, modulo 2^32
 * @vteims_is_last_write: VTEIMS reads as what was last written to it, not as the
 *	mask that is in force; found out when the driver binds
 * @running: the queues that DMA was on for when they were quiesced
 * @vteims: vectors that were unmasked when the device was stopped
 * @vteicr: vectors that were pending then
 * @pf_forgot: the PF has to be told again before the VF is loaded
 * @raise: vectors to raise once DMA goes on, since they were masked for a while
 * @rx_log: for the DMA log
 * @tx_ring: for the DMA log: as of the last look
 *
 * The trap lock protects all that is not constant.
 */
struct igb_vf {
	struct vfio_mig_device mig;

	struct igb_vf_mbx mbx;
	struct igb_pf_state pf;
	u32 counter_offset[IGB_VF_NR_COUNTERS];

	bool vteims_is_last_write;
	struct igb_vf_queues running;
	u32 vteims;
	u32 vteicr;
	u32 raise;
	bool pf_forgot;

	struct igb_vf_rx_log rx_log[IGB_VF_NR_QUEUES];
	struct igb_vf_tx_ring tx_ring[IGB_VF_NR_QUEUES];
};

static inline struct igb_vf *igb_vf_from_mig(struct vfio_mig_device *mdev)
{
	return container_of(mdev, struct igb_vf, mig);
}

static inline u32 igb_vf_read(struct igb_vf *vf, u32 offset)
{
	u32 val = readl(vf->mig.io + offset);

	trace_igb_vf_mmio_read(&vf->mig.core.pdev->dev, offset, val);
	return val;
}

static inline void igb_vf_write(struct igb_vf *vf, u32 offset, u32 val)
{
	trace_igb_vf_mmio_write(&vf->mig.core.pdev->dev, offset, val);
	writel(val, vf->mig.io + offset);
}

static inline u64 igb_vf_read_pair(struct igb_vf *vf, u32 low, u32 high)
{
	return igb_vf_read(vf, low) | (u64)igb_vf_read(vf, high) << 32;
}

/* main.c */
#if IS_ENABLED(CONFIG_KUNIT)
extern const struct vfio_mig_ops igb_vf_mig_ops;
#endif

/* mailbox.c */
void igb_vf_access(struct vfio_mig_device *mdev, u32 offset, u32 *val, bool write);
void igb_vf_mbx_settle(struct igb_vf *vf);
bool igb_vf_mbx_has_news(struct igb_vf *vf);
int igb_vf_mbx_exchange(struct igb_vf *vf, const u32 *msg, unsigned int len,
			u32 *reply, unsigned int reply_len);
int igb_vf_mbx_acquire(struct igb_vf *vf);
void igb_vf_mbx_save(struct igb_vf *vf, struct igb_vf_mailbox *mbx);
int igb_vf_mbx_load(struct igb_vf *vf, const struct igb_vf_mailbox *mbx);

/* pf_replay.c */
int igb_vf_pf_replay(struct igb_vf *vf, const struct igb_pf_state *pf);

/* vf_state.c */
void igb_vf_forget(struct igb_vf *vf);
extern const u32 igb_vf_counters[IGB_VF_NR_COUNTERS];
int igb_vf_quiesce(struct vfio_mig_device *mdev);
int igb_vf_unquiesce(struct vfio_mig_device *mdev);
int igb_vf_stop(struct vfio_mig_device *mdev);
int igb_vf_start(struct vfio_mig_device *mdev);
int igb_vf_save_initial(struct vfio_mig_device *mdev, struct vfio_mig_writer *w);
int igb_vf_save_final(struct vfio_mig_device *mdev, struct vfio_mig_writer *w);
int igb_vf_load_initial(struct vfio_mig_device *mdev,
			const struct vfio_mig_reader *r, const void *stream);
int igb_vf_load_final(struct vfio_mig_device *mdev,
		      const struct vfio_mig_reader *r, const void *stream);
void igb_vf_reset(struct vfio_mig_device *mdev);

/* rx_log.c */
bool igb_vf_log_is_doorbell(u32 offset);
bool igb_vf_log_post(struct vfio_mig_device *mdev, u32 offset, u32 val,
		     struct vfio_mig_fetch *fetch);
bool igb_vf_log_sync(struct vfio_mig_device *mdev, struct vfio_mig_fetch *fetch);
int igb_vf_log_take(struct vfio_mig_device *mdev, const struct vfio_mig_fetch *fetch,
		    const void *data);
void igb_vf_rx_log_on(struct igb_vf *vf, unsigned int q);
void igb_vf_rx_log_changed(struct igb_vf *vf, unsigned int q);
void igb_vf_rx_log_guest_writes(struct igb_vf *vf, u32 offset, u32 val);
void igb_vf_rx_log_stopped(struct igb_vf *vf);
void igb_vf_rx_log_forget(struct igb_vf *vf);
int igb_vf_rx_log_look(struct igb_vf *vf, unsigned int q);
void igb_vf_rx_log_end(struct igb_vf *vf);

/* dma_log.c */
int igb_vf_log_tx_look(struct igb_vf *vf);
int igb_vf_log_look(struct vfio_mig_device *mdev);
void igb_vf_log_end(struct vfio_mig_device *mdev);
void igb_vf_log_guest_writes(struct igb_vf *vf, u32 offset, u32 val);

/* probe.c */
int igb_vf_probe_device(struct igb_vf *vf);

#endif /* _IGB_VFIO_IGB_VF_H */
