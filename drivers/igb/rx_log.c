// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the device may write for a receive queue: packets and headers into the
 * buffers that the guest has posted, and over each descriptor that it has used.
 *
 * Descriptors are read when the guest posts them, and remembered slot by slot. What
 * belongs to a slot counts as written when the head has passed it, and also when it
 * is posted anew, when the queue is reprogrammed or reset, or when the VF is stopped,
 * as silicon may have begun on it. So at any time nothing can be missing but what a
 * later look finds. A ring whose slots are not known has everything count as written
 * until it has been read.
 */
#include <linux/bitfield.h>
#include <linux/minmax.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "igb_vf.h"

/* As the guest writes it, in all formats but for the second half of the legacy one. */
struct rx_desc {
	__le64 packet;
	__le64 header;
};

/* Where SRRCTL has no size it is the PF's RCTL that counts, which a VF cannot read. */
#define MAX_BUFFER	SZ_16K

static bool is_on(struct igb_vf *vf, unsigned int q)
{
	return igb_vf_read(vf, RXDCTL(q)) & XDCTL_ENABLE;
}

/* How far it is from one index to another, as the device goes. */
static u32 distance(const struct igb_vf_rx_log *rx, u32 from, u32 to)
{
	return to >= from ? to - from : to + rx->count - from;
}

static u32 next(const struct igb_vf_rx_log *rx, u32 index)
{
	return index + 1 == rx->count ? 0 : index + 1;
}

static void dirty_slot(struct igb_vf *vf, const struct igb_vf_rx_log *rx, u32 index)
{
	const struct igb_vf_slot *slot = &rx->slots[index];

	vfio_mig_dirty(&vf->mig, rx->base + (u64)index * sizeof(struct rx_desc),
		       sizeof(struct rx_desc));
	vfio_mig_dirty(&vf->mig, slot->packet, rx->packet_size);
	vfio_mig_dirty(&vf->mig, slot->header, rx->header_size);
}

static void retire(struct igb_vf *vf, struct igb_vf_rx_log *rx)
{
	dirty_slot(vf, rx, rx->head);
	rx->head = next(rx, rx->head);
}

/* All that the device has counts as written; it may still have it. */
static void dirty_posted(struct igb_vf *vf, struct igb_vf_rx_log *rx)
{
	u32 i;

	if (!rx->known)
		return;
	for (i = rx->head; i != rx->tail; i = next(rx, i))
		dirty_slot(vf, rx, i);
}

static void forget_ring(struct igb_vf *vf, struct igb_vf_rx_log *rx)
{
	dirty_posted(vf, rx);
	rx->known = false;
	rx->seq++;
}

static void lose_ring(struct igb_vf *vf, struct igb_vf_rx_log *rx)
{
	forget_ring(vf, rx);
	rx->lost = true;
}

/* A device that has read SRRCTL already may go by what was in it before. */
static void note_sizes(struct igb_vf_rx_log *rx, u32 srrctl)
{
	u32 packet = FIELD_GET(SRRCTL_BSIZEPACKET, srrctl) * SZ_1K;
	u32 header = FIELD_GET(SRRCTL_BSIZEHEADER, srrctl) * 64;

	if (FIELD_GET(SRRCTL_DESCTYPE, srrctl) <= SRRCTL_DESCTYPE_ADV_ONE)
		header = 0;
	rx->packet_size = max(rx->packet_size, packet ?: MAX_BUFFER);
	rx->header_size = max(rx->header_size, header);
}

static void learn_ring(struct igb_vf *vf, unsigned int q)
{
	struct igb_vf_rx_log *rx = &vf->rx_log[q];

	rx->base = igb_vf_read_pair(vf, RDBAL(q), RDBAH(q));
	rx->count = igb_vf_read(vf, RDLEN(q)) / sizeof(struct rx_desc);
	rx->packet_size = 0;
	rx->header_size = 0;
	note_sizes(rx, igb_vf_read(vf, SRRCTL(q)));
	rx->seq++;
}

/* Whether the device has no descriptor of the ring; then nothing has to be read. */
static bool learn_if_empty(struct igb_vf *vf, unsigned int q)
{
	struct igb_vf_rx_log *rx = &vf->rx_log[q];
	u32 head = igb_vf_read(vf, RDH(q));

	if (head != igb_vf_read(vf, RDT(q)) || head >= rx->count)
		return false;
	rx->head = head;
	rx->tail = head;
	rx->known = true;
	return true;
}

static void ask(const struct igb_vf_rx_log *rx, struct vfio_mig_fetch *fetch,
		u32 first, u32 count)
{
	u32 to_end = min(count, rx->count - first);

	fetch->first = first;
	fetch->count = count;
	fetch->seq = rx->seq;
	fetch->part[0].iova = rx->base + (u64)first * sizeof(struct rx_desc);
	fetch->part[0].len = to_end * sizeof(struct rx_desc);
	fetch->part[1].iova = rx->base;
	fetch->part[1].len = (count - to_end) * sizeof(struct rx_desc);
}

/**
 * igb_vf_log_is_doorbell() - the is_doorbell op
 * @offset: a register
 *
 * Return: whether it is the tail of a receive queue.
 */
bool igb_vf_log_is_doorbell(u32 offset)
{
	return offset == RDT(0) || offset == RDT(1);
}

/**
 * igb_vf_log_post() - the post op: the guest is about to write RDT
 * @mdev: the device
 * @offset: which one
 * @val: what to
 * @fetch: set to the descriptors that the device gets by it
 *
 * A tail that moves backwards has gone round the ring, as far as can be told: what it
 * passes is read again, and what the device can have is in it.
 *
 * Return: false where it gets none, or where none of it is known.
 */
bool igb_vf_log_post(struct vfio_mig_device *mdev, u32 offset, u32 val,
		     struct vfio_mig_fetch *fetch)
{
	struct igb_vf *vf = igb_vf_from_mig(mdev);
	struct igb_vf_rx_log *rx;

	fetch->ring = offset == RDT(1);
	rx = &vf->rx_log[fetch->ring];
	if (!rx->known || val == rx->tail || val >= rx->count)
		return false;
	ask(rx, fetch, rx->tail, distance(rx, rx->tail, val));
	return true;
}

/**
 * igb_vf_log_sync() - the sync op: what does the device have of a ring?
 * @mdev: the device
 * @fetch: its ring is the queue; set to the descriptors that the device has
 *
 * Return: false where there are none, or where that is known.
 */
bool igb_vf_log_sync(struct vfio_mig_device *mdev, struct vfio_mig_fetch *fetch)
{
	struct igb_vf *vf = igb_vf_from_mig(mdev);
	unsigned int q = fetch->ring;
	struct igb_vf_rx_log *rx = &vf->rx_log[q];
	u32 head, tail;

	if (rx->known || !(is_on(vf, q) || vf->running.rx & BIT(q)))
		return false;
	learn_ring(vf, q);
	if (learn_if_empty(vf, q))
		return false;
	head = igb_vf_read(vf, RDH(q));
	tail = igb_vf_read(vf, RDT(q));
	if (head >= rx->count || tail >= rx->count)
		return false;
	ask(rx, fetch, head, distance(rx, head, tail));
	return true;
}

static int make_room(struct igb_vf_rx_log *rx)
{
	if (rx->room >= rx->count)
		return 0;
	kvfree(rx->slots);
	rx->slots = kvmalloc_array(rx->count, sizeof(*rx->slots),
				   GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	rx->room = rx->slots ? rx->count : 0;
	return rx->slots ? 0 : -ENOMEM;
}

static void fill(struct igb_vf_rx_log *rx, const struct vfio_mig_fetch *fetch,
		 const struct rx_desc *desc)
{
	u32 i, index = fetch->first;

	for (i = 0; i < fetch->count; i++, index = next(rx, index)) {
		rx->slots[index].packet = le64_to_cpu(desc[i].packet);
		rx->slots[index].header = le64_to_cpu(desc[i].header);
	}
	rx->tail = index;
}

/*
 * Of what was read the device may have used some meanwhile, and written over it. But
 * it moves the head after that: what the head has not passed by now was read as it
 * had been posted. What it has passed was written before this look.
 */
static int adopt(struct igb_vf *vf, unsigned int q, const struct vfio_mig_fetch *fetch,
		 const struct rx_desc *desc)
{
	struct igb_vf_rx_log *rx = &vf->rx_log[q];
	u32 head = igb_vf_read(vf, RDH(q));

	if (head >= rx->count || distance(rx, fetch->first, head) > fetch->count)
		return -EAGAIN;
	fill(rx, fetch, desc);
	rx->head = head;
	rx->known = true;
	return 0;
}

/*
 * What is posted anew was used, or is given up. One slot stays out of the guest's
 * reach, as a tail that has caught up with the head means that there is nothing.
 */
static void append(struct igb_vf *vf, struct igb_vf_rx_log *rx,
		   const struct vfio_mig_fetch *fetch, const struct rx_desc *desc)
{
	u32 posted = distance(rx, rx->head, rx->tail);

	for (; posted + fetch->count >= rx->count; posted--)
		retire(vf, rx);
	fill(rx, fetch, desc);
	rx->seq++;
}

/**
 * igb_vf_log_take() - the take op
 * @mdev: the device
 * @fetch: from igb_vf_log_post() or igb_vf_log_sync()
 * @data: the descriptors, or NULL where they could not be read
 *
 * Return: 0, or -EAGAIN where @fetch is void.
 */
int igb_vf_log_take(struct vfio_mig_device *mdev, const struct vfio_mig_fetch *fetch,
		    const void *data)
{
	struct igb_vf *vf = igb_vf_from_mig(mdev);
	struct igb_vf_rx_log *rx = &vf->rx_log[fetch->ring];

	if (fetch->seq != rx->seq)
		return -EAGAIN;
	if (!data || (!rx->known && make_room(rx))) {
		lose_ring(vf, rx);
		return 0;
	}
	if (!rx->known)
		return adopt(vf, fetch->ring, fetch, data);
	if (make_room(rx))
		lose_ring(vf, rx);
	else
		append(vf, rx, fetch, data);
	return 0;
}

/**
 * igb_vf_rx_log_on() - DMA of a receive queue is about to be switched on
 * @vf: the VF
 * @q: the queue
 *
 * Context: trap lock held.
 */
void igb_vf_rx_log_on(struct igb_vf *vf, unsigned int q)
{
	struct igb_vf_rx_log *rx = &vf->rx_log[q];

	if (!vf->mig.log.on || rx->known)
		return;
	learn_ring(vf, q);
	if (!learn_if_empty(vf, q))
		rx->lost = true;
}

/**
 * igb_vf_rx_log_changed() - another ring is about to be put in place of the queue's
 * @vf: the VF
 * @q: the queue
 *
 * Context: trap lock held.
 */
void igb_vf_rx_log_changed(struct igb_vf *vf, unsigned int q)
{
	struct igb_vf_rx_log *rx = &vf->rx_log[q];

	if (!vf->mig.log.on)
		return;
	forget_ring(vf, rx);
	if (is_on(vf, q))
		rx->lost = true;
}

static void guest_writes_rxdctl(struct igb_vf *vf, unsigned int q, u32 val)
{
	if (val & XDCTL_ENABLE)
		igb_vf_rx_log_on(vf, q);
	else
		dirty_posted(vf, &vf->rx_log[q]);
}

static void guest_writes_queue(struct igb_vf *vf, unsigned int q, u32 offset, u32 val)
{
	struct igb_vf_rx_log *rx = &vf->rx_log[q];

	if (offset == RDBAL(q) || offset == RDBAH(q) || offset == RDLEN(q) ||
	    offset == RDH(q))
		igb_vf_rx_log_changed(vf, q);
	else if (offset == SRRCTL(q))
		note_sizes(rx, val);
	else if (offset == RXDCTL(q))
		guest_writes_rxdctl(vf, q, val);
	else if (offset == RDT(q) && rx->known && val != rx->tail)
		lose_ring(vf, rx);
}

/**
 * igb_vf_rx_log_guest_writes() - the guest is about to write a register
 * @vf: the VF
 * @offset: any register
 * @val: what to
 *
 * Context: trap lock held.
 */
void igb_vf_rx_log_guest_writes(struct igb_vf *vf, u32 offset, u32 val)
{
	unsigned int q;

	lockdep_assert_held(&vf->mig.trap_lock);

	for (q = 0; q < IGB_VF_NR_QUEUES; q++)
		guest_writes_queue(vf, q, offset, val);
}

/**
 * igb_vf_rx_log_stopped() - no receive queue goes on with what it has
 * @vf: the VF
 *
 * Context: trap lock held.
 */
void igb_vf_rx_log_stopped(struct igb_vf *vf)
{
	unsigned int q;

	for (q = 0; q < IGB_VF_NR_QUEUES; q++)
		dirty_posted(vf, &vf->rx_log[q]);
}

/**
 * igb_vf_rx_log_forget() - the VF has been reset
 * @vf: the VF
 *
 * Context: trap lock held.
 */
void igb_vf_rx_log_forget(struct igb_vf *vf)
{
	unsigned int q;

	for (q = 0; q < IGB_VF_NR_QUEUES; q++)
		forget_ring(vf, &vf->rx_log[q]);
}

/**
 * igb_vf_rx_log_look() - what has been received by now?
 * @vf: the VF
 * @q: the queue
 *
 * Context: trap lock held.
 * Return: 0, or -EIO where the device does not answer.
 */
int igb_vf_rx_log_look(struct igb_vf *vf, unsigned int q)
{
	struct igb_vf_rx_log *rx = &vf->rx_log[q];
	bool unknown = !rx->known && is_on(vf, q);
	u32 head;

	if (rx->lost || unknown)
		vfio_mig_dirty_all(&vf->mig);
	rx->lost = unknown;
	if (!rx->known || rx->head == rx->tail)
		return 0;

	head = igb_vf_read(vf, RDH(q));
	if (head == U32_MAX)
		return -EIO;
	if (head >= rx->count ||
	    distance(rx, rx->head, head) > distance(rx, rx->head, rx->tail)) {
		lose_ring(vf, rx);
		vfio_mig_dirty_all(&vf->mig);
		return 0;
	}
	while (rx->head != head)
		retire(vf, rx);
	return 0;
}

/**
 * igb_vf_rx_log_end() - the log has ended
 * @vf: the VF
 *
 * Context: trap lock held.
 */
void igb_vf_rx_log_end(struct igb_vf *vf)
{
	unsigned int q;

	for (q = 0; q < IGB_VF_NR_QUEUES; q++) {
		kvfree(vf->rx_log[q].slots);
		vf->rx_log[q] = (struct igb_vf_rx_log) { .seq = vf->rx_log[q].seq + 1 };
	}
}
