// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mailbox between the VF and the PF, from both sides that this driver has in
 * it: the trap, which passes the guest's accesses on and learns from them what
 * the PF was told, and the driver's own messages, which it sends as the VF when
 * it loads a stream.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>

#include "igb_vf.h"

/*
 * How long the PF may take to answer. igbvf waits as long; an igb whose
 * interface is down never answers.
 */
#define MBX_TIMEOUT	HZ

/* igb answers from where it reads: one that has read and is silent stays so. */
#define MBX_SILENCE	(HZ / 5)

/*
 * The PF answers from its interrupt handler, most often at once: sleeping would
 * take longer. Only one that is slow is waited for by sleeping between looks.
 */
#define MBX_SPIN_US	100
#define MBX_POLL_US	20

static void pause_between_looks(ktime_t start)
{
	if (ktime_us_delta(ktime_get(), start) < MBX_SPIN_US)
		cpu_relax();
	else
		usleep_range(MBX_POLL_US, 2 * MBX_POLL_US);
}

static void assert_trap_locked(struct igb_vf *vf)
{
	lockdep_assert_held(&vf->mig.trap_lock);
}

static bool is_reply(const u32 *msg, u32 first)
{
	return (first & MSG_TYPE) == (msg[0] & MSG_TYPE) &&
	       first & (MSG_ACK | MSG_NACK);
}

static void read_vmbmem(struct igb_vf *vf, u32 *buf, unsigned int len)
{
	unsigned int i;

	for (i = 0; i < len; i++)
		buf[i] = igb_vf_read(vf, VMBMEM(i));
}

/* The PF says that VMBMEM holds a message: is it the answer to the guest's? */
static void observe_message(struct igb_vf *vf)
{
	struct igb_vf_mbx *mbx = &vf->mbx;
	u32 reply[3];

	if (!mbx->pending)
		return;
	read_vmbmem(vf, reply, 1);
	if (!is_reply(mbx->msg, reply[0]))
		return;
	if ((reply[0] & MSG_TYPE) == MSG_VF_RESET)
		read_vmbmem(vf, reply, ARRAY_SIZE(reply));
	if (igb_pf_note(&vf->pf, mbx->msg, reply))
		vfio_mig_initial_changed(&vf->mig);
	mbx->pending = false;
}

/* Reads V2PMAILBOX for the driver, and keeps what the guest has not seen. */
static u32 look_at_mailbox(struct igb_vf *vf)
{
	u32 val = igb_vf_read(vf, V2PMAILBOX);

	assert_trap_locked(vf);

	vf->mbx.kept |= val & V2PMAILBOX_R2C;
	if (val & V2PMAILBOX_PFSTS)
		observe_message(vf);
	return val;
}

static u32 guest_reads_mailbox(struct igb_vf *vf)
{
	u32 val = look_at_mailbox(vf) | vf->mbx.kept;

	vf->mbx.kept = 0;
	return val;
}

static void guest_writes_mailbox(struct igb_vf *vf, u32 val)
{
	struct igb_vf_mbx *mbx = &vf->mbx;

	if (val & V2PMAILBOX_REQ) {
		/* The PF may answer as soon as it is told: look first. */
		read_vmbmem(vf, mbx->msg, 1);
		read_vmbmem(vf, mbx->msg, igb_pf_msg_len(mbx->msg[0]));
		mbx->pending = true;
		mbx->sent = jiffies;
	}
	igb_vf_write(vf, V2PMAILBOX, val);
}

static bool is_mailbox(u32 offset)
{
	return offset == V2PMAILBOX ||
	       (offset >= VMBMEM(0) && offset < VMBMEM(IGB_VF_MBX_DWORDS));
}

static void guest_writes(struct igb_vf *vf, u32 offset, u32 val)
{
	/* A guest need not look at an answer before it writes over it. */
	if (vf->mbx.pending && is_mailbox(offset))
		look_at_mailbox(vf);
	if (vf->mig.log.on)
		igb_vf_log_guest_writes(vf, offset, val);

	switch (offset) {
	case V2PMAILBOX:
		guest_writes_mailbox(vf, val);
		return;
	case VTCTRL:
	case VTCTRL_DUP:
		igb_vf_write(vf, offset, val);
		if (val & VTCTRL_RST)
			igb_vf_forget(vf);
		return;
	default:
		igb_vf_write(vf, offset, val);
	}
}

static u32 guest_reads(struct igb_vf *vf, u32 offset)
{
	unsigned int i;

	if (offset == V2PMAILBOX)
		return guest_reads_mailbox(vf);
	for (i = 0; i < IGB_VF_NR_COUNTERS; i++)
		if (offset == igb_vf_counters[i])
			return igb_vf_read(vf, offset) + vf->counter_offset[i];
	return igb_vf_read(vf, offset);
}

/**
 * igb_vf_access() - the access op: one register, for the guest
 * @mdev: the device
 * @offset: of the register in BAR0
 * @val: value to write, or set to what is read
 * @write: direction
 *
 * Context: trap lock and memory_lock held, gate open.
 */
void igb_vf_access(struct vfio_mig_device *mdev, u32 offset, u32 *val, bool write)
{
	struct igb_vf *vf = igb_vf_from_mig(mdev);

	if (write)
		guest_writes(vf, offset, *val);
	else
		*val = guest_reads(vf, offset);
}

/**
 * igb_vf_mbx_settle() - let the mailbox come to rest before the VF is saved
 * @vf: the VF, whose guest does not reach it any more
 *
 * Waits for the answer to a message under way, and for the PF to let go of the
 * mailbox memory, but no longer than the guest would. A message that has not
 * been answered by then is given up, as the guest will.
 *
 * Context: trap lock held; sleeps.
 */
void igb_vf_mbx_settle(struct igb_vf *vf)
{
	struct igb_vf_mbx *mbx = &vf->mbx;
	unsigned long end = (mbx->pending ? mbx->sent : jiffies) + MBX_TIMEOUT;
	u32 val = look_at_mailbox(vf);

	while ((mbx->pending || val & V2PMAILBOX_PFU) && time_before(jiffies, end)) {
		usleep_range(MBX_POLL_US, 2 * MBX_POLL_US);
		val = look_at_mailbox(vf);
	}
	mbx->pending = false;
}

/**
 * igb_vf_mbx_has_news() - whether the PF has done something the guest has not seen
 * @vf: the VF
 *
 * Context: trap lock held.
 * Return: true where V2PMAILBOX says to the guest that the PF has written, read, or been
 * reset.
 */
bool igb_vf_mbx_has_news(struct igb_vf *vf)
{
	u32 val = look_at_mailbox(vf);

	return vf->mbx.kept || val & V2PMAILBOX_RSTI;
}

/* Takes the mailbox memory; the flags that reading clears are of no interest. */
static int acquire_until(struct igb_vf *vf, unsigned long end)
{
	u32 val;

	for (;;) {
		igb_vf_write(vf, V2PMAILBOX, V2PMAILBOX_VFU);
		val = igb_vf_read(vf, V2PMAILBOX);
		if (val == U32_MAX)
			return -EIO;
		if (val & V2PMAILBOX_VFU && !(val & V2PMAILBOX_RSTI))
			return 0;
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		usleep_range(MBX_POLL_US, 2 * MBX_POLL_US);
	}
}

/**
 * igb_vf_mbx_acquire() - take the mailbox memory for the VF
 * @vf: the VF
 *
 * Context: sleeps; the guest does not reach the VF.
 * Return: 0; -ETIMEDOUT where the PF does not let go of it; -EIO.
 */
int igb_vf_mbx_acquire(struct igb_vf *vf)
{
	return acquire_until(vf, jiffies + MBX_TIMEOUT);
}

/* The PF had a message of its own to send: it has overwritten ours unread. */
#define MSG_OVERWRITTEN	1

static int wait_for_reply(struct igb_vf *vf, const u32 *msg, u32 *reply,
			  unsigned long end)
{
	ktime_t start = ktime_get();
	bool read_by_pf = false;
	u32 val;

	for (;;) {
		val = igb_vf_read(vf, V2PMAILBOX);
		if (val == U32_MAX)
			return -EIO;
		if (val & V2PMAILBOX_PFSTS) {
			read_vmbmem(vf, reply, 1);
			return is_reply(msg, reply[0]) ? 0 : MSG_OVERWRITTEN;
		}
		if (val & V2PMAILBOX_PFACK && !read_by_pf) {
			read_by_pf = true;
			end = jiffies + MBX_SILENCE;
		}
		if (time_after(jiffies, end))
			return read_by_pf ? -EAGAIN : -ETIMEDOUT;
		pause_between_looks(start);
	}
}

static int exchange_once(struct igb_vf *vf, const u32 *msg, unsigned int len,
			 u32 *reply, unsigned long end)
{
	unsigned int i;
	int ret;

	ret = acquire_until(vf, end);
	if (ret)
		return ret;
	for (i = 0; i < len; i++)
		igb_vf_write(vf, VMBMEM(i), msg[i]);
	igb_vf_write(vf, V2PMAILBOX, V2PMAILBOX_REQ);
	return wait_for_reply(vf, msg, reply, end);
}

/**
 * igb_vf_mbx_exchange() - send a message as the VF and wait for the answer
 * @vf: the VF
 * @msg: the message
 * @len: its dwords
 * @reply: gets the answer
 * @reply_len: dwords wanted of it
 *
 * Sends it again where the PF, whose igb tells all VFs when its link changes,
 * has written to the mailbox before it read the message.
 *
 * Context: sleeps; the guest does not reach the VF.
 * Return: 0 where the PF has answered, be it yes or no; -EAGAIN where it has
 * read the message and does not answer; -ETIMEDOUT where it does nothing, or
 * nothing but write over the message; -EIO.
 */
int igb_vf_mbx_exchange(struct igb_vf *vf, const u32 *msg, unsigned int len,
			u32 *reply, unsigned int reply_len)
{
	unsigned long end = jiffies + MBX_TIMEOUT;
	unsigned int i;
	int ret;

	for (;;) {
		ret = exchange_once(vf, msg, len, reply, end);
		if (ret < 0)
			return ret;
		for (i = 1; !ret && i < reply_len; i++)
			reply[i] = igb_vf_read(vf, VMBMEM(i));
		igb_vf_write(vf, V2PMAILBOX, V2PMAILBOX_ACK);
		if (!ret)
			return 0;
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		usleep_range(MBX_POLL_US, 2 * MBX_POLL_US);
	}
}

/**
 * igb_vf_mbx_save() - the mailbox as the guest would find it
 * @vf: the VF, settled
 * @mbx: filled in
 *
 * Context: trap lock held.
 */
void igb_vf_mbx_save(struct igb_vf *vf, struct igb_vf_mailbox *mbx)
{
	u32 val = look_at_mailbox(vf);
	unsigned int i;

	mbx->v2pmailbox = cpu_to_le32((val & V2PMAILBOX_VFU) | vf->mbx.kept);
	for (i = 0; i < IGB_VF_MBX_DWORDS; i++)
		mbx->vmbmem[i] = cpu_to_le32(igb_vf_read(vf, VMBMEM(i)));
}

/**
 * igb_vf_mbx_load() - give the guest its mailbox back
 * @vf: the VF, whose PF has been told all that it has to know
 * @mbx: the mailbox as it was saved
 *
 * Context: trap lock held; sleeps.
 * Return: 0; -ETIMEDOUT where the PF does not let go of the memory; -EIO.
 */
int igb_vf_mbx_load(struct igb_vf *vf, const struct igb_vf_mailbox *mbx)
{
	u32 v2p = le32_to_cpu(mbx->v2pmailbox);
	unsigned int i;
	int ret;

	assert_trap_locked(vf);

	ret = igb_vf_mbx_acquire(vf);
	if (ret)
		return ret;
	for (i = 0; i < IGB_VF_MBX_DWORDS; i++)
		igb_vf_write(vf, VMBMEM(i), le32_to_cpu(mbx->vmbmem[i]));
	igb_vf_write(vf, V2PMAILBOX, v2p & V2PMAILBOX_VFU);

	vf->mbx.kept = v2p & V2PMAILBOX_R2C;
	vf->mbx.pending = false;
	return 0;
}
