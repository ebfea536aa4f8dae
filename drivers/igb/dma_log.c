// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the device half does for the DMA log, and what the device may write for a
 * transmit queue: status into the descriptors that it has sent, or the head to a place
 * of its own. All of that is a page or two, which count as written whenever the queue
 * has a ring. Its registers are read for it, as the guest writes them without a trap.
 */
#include "igb_vf.h"

static void dirty_ring(struct igb_vf *vf, const struct igb_vf_tx_ring *ring)
{
	vfio_mig_dirty(&vf->mig, ring->base, ring->len);
	if (ring->len && ring->wb & TDWBAL_ENABLE)
		vfio_mig_dirty(&vf->mig, ring->wb & ~3ULL, sizeof(u64));
}

/* The ring that the queue has, and the one that it had when it was looked at last. */
static int look_at_tx(struct igb_vf *vf, unsigned int q)
{
	struct igb_vf_tx_ring *last = &vf->tx_ring[q];
	struct igb_vf_tx_ring ring = { .len = igb_vf_read(vf, TDLEN(q)) };

	if (ring.len == U32_MAX)
		return -EIO;
	if (ring.len) {
		ring.base = igb_vf_read_pair(vf, TDBAL(q), TDBAH(q));
		ring.wb = igb_vf_read_pair(vf, TDWBAL(q), TDWBAH(q));
	}
	dirty_ring(vf, &ring);
	if (ring.len != last->len || ring.base != last->base || ring.wb != last->wb)
		dirty_ring(vf, last);
	*last = ring;
	return 0;
}

/**
 * igb_vf_log_tx_look() - the transmit rings may be other ones from now on
 * @vf: the VF
 *
 * Context: trap lock held.
 * Return: 0, or -EIO where the device does not answer.
 */
int igb_vf_log_tx_look(struct igb_vf *vf)
{
	unsigned int q;
	int ret = 0;

	lockdep_assert_held(&vf->mig.trap_lock);

	for (q = 0; !ret && q < IGB_VF_NR_QUEUES; q++)
		ret = look_at_tx(vf, q);
	return ret;
}

/**
 * igb_vf_log_look() - the look op
 * @mdev: the device
 *
 * Return: 0, or -EIO where it does not answer.
 */
int igb_vf_log_look(struct vfio_mig_device *mdev)
{
	struct igb_vf *vf = igb_vf_from_mig(mdev);
	unsigned int q;
	int ret;

	ret = igb_vf_log_tx_look(vf);
	for (q = 0; !ret && q < IGB_VF_NR_QUEUES; q++)
		ret = igb_vf_rx_log_look(vf, q);
	return ret;
}

/**
 * igb_vf_log_end() - the end op
 * @mdev: the device
 */
void igb_vf_log_end(struct vfio_mig_device *mdev)
{
	struct igb_vf *vf = igb_vf_from_mig(mdev);

	igb_vf_rx_log_end(vf);
	memset(vf->tx_ring, 0, sizeof(vf->tx_ring));
}

static bool is_tx_ring(u32 offset)
{
	return offset >= TDBAL(0) && offset != TDT(0) && offset != TDT(1);
}

/**
 * igb_vf_log_guest_writes() - the guest is about to write a register
 * @vf: the VF, with a log
 * @offset: the register
 * @val: what to
 *
 * Context: trap lock held.
 */
void igb_vf_log_guest_writes(struct igb_vf *vf, u32 offset, u32 val)
{
	bool reset = (offset == VTCTRL || offset == VTCTRL_DUP) && val & VTCTRL_RST;

	if ((reset || is_tx_ring(offset)) && igb_vf_log_tx_look(vf))
		vfio_mig_dirty_all(&vf->mig);
	igb_vf_rx_log_guest_writes(vf, offset, val);
}
