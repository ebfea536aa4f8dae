// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of the VF: stopping it, saving it, loading it, starting it.
 */
#include <linux/iopoll.h>

#include "igb_vf.h"

/* A queue that is switched over finishes the packet it is at, within this. */
#define QUEUE_TIMEOUT_US	10000

/**
 * igb_vf_forget() - the VF has been reset, by the guest or otherwise
 * @vf: the VF
 *
 * Its queues are off and its PF knows nothing of it any more.
 * Context: trap lock held.
 */
void igb_vf_forget(struct igb_vf *vf)
{
	lockdep_assert_held(&vf->mig.trap_lock);

	vf->running = (struct igb_vf_queues) {};
	vf->raise = 0;
	vf->pf_forgot = false;
	vf->mbx.kept = 0;
	vf->mbx.pending = false;
	memset(&vf->pf, 0, sizeof(vf->pf));
	igb_vf_rx_log_forget(vf);
	vfio_mig_initial_changed(&vf->mig);
}

/* In the order of struct igb_vf_counters. */
const u32 igb_vf_counters[IGB_VF_NR_COUNTERS] = {
	VFGPRC, VFGPTC, VFGORC, VFGOTC, VFMPRC,
	VFGPRLBC, VFGPTLBC, VFGORLBC, VFGOTLBC,
};

/* Writes the ENABLE bit of RXDCTL or TXDCTL, and waits until it is so. */
static int switch_queue(struct igb_vf *vf, u32 xdctl, bool on)
{
	u32 want = on ? XDCTL_ENABLE : 0;
	u32 val = igb_vf_read(vf, xdctl);
	int ret;

	if (val == U32_MAX)
		return -EIO;
	igb_vf_write(vf, xdctl, (val & ~XDCTL_ENABLE) | want);
	ret = read_poll_timeout(igb_vf_read, val, (val & XDCTL_ENABLE) == want,
				1, QUEUE_TIMEOUT_US, false, vf, xdctl);
	if (val == U32_MAX)
		return -EIO;
	if (ret)
		vfio_mig_explain(&vf->mig, "the queue at 0x%04x does not %s",
				 xdctl, on ? "start" : "stop");
	return ret;
}

static bool is_on(struct igb_vf *vf, u32 xdctl)
{
	return igb_vf_read(vf, xdctl) & XDCTL_ENABLE;
}

/* Transmission first: what it still sends may come back by reception. */
static int start_queues(struct igb_vf *vf)
{
	unsigned int q;
	int ret = 0;

	for (q = 0; !ret && q < IGB_VF_NR_QUEUES; q++) {
		if (!(vf->running.rx & BIT(q)))
			continue;
		igb_vf_rx_log_on(vf, q);
		ret = switch_queue(vf, RXDCTL(q), true);
	}
	for (q = 0; !ret && q < IGB_VF_NR_QUEUES; q++)
		if (vf->running.tx & BIT(q))
			ret = switch_queue(vf, TXDCTL(q), true);
	return ret;
}

/* Adds the queues that it finds on to those that are to run again. */
static int stop_queues(struct igb_vf *vf)
{
	unsigned int q;
	int ret = 0;

	for (q = 0; !ret && q < IGB_VF_NR_QUEUES; q++) {
		if (!is_on(vf, TXDCTL(q)))
			continue;
		vf->running.tx |= BIT(q);
		ret = switch_queue(vf, TXDCTL(q), false);
	}
	for (q = 0; !ret && q < IGB_VF_NR_QUEUES; q++) {
		if (!is_on(vf, RXDCTL(q)))
			continue;
		vf->running.rx |= BIT(q);
		ret = switch_queue(vf, RXDCTL(q), false);
	}
	return ret;
}

/**
 * igb_vf_quiesce() - the quiesce op: RUNNING -> RUNNING_P2P
 * @mdev: the device
 *
 * Return: 0; -ETIMEDOUT where a queue does not stop, with all of them running
 * again; -EIO.
 */
int igb_vf_quiesce(struct vfio_mig_device *mdev)
{
	struct igb_vf *vf = igb_vf_from_mig(mdev);
	int ret;

	vf->running = (struct igb_vf_queues) {};
	ret = stop_queues(vf);
	if (ret && start_queues(vf))
		ret = -EIO;
	return ret;
}

/*
 * What was posted while a queue was off is only looked at when its tail is
 * written. And an interrupt may have been lost anywhere on the way.
 */
static void kick(struct igb_vf *vf)
{
	unsigned int q;

	for (q = 0; q < IGB_VF_NR_QUEUES; q++) {
		if (vf->running.rx & BIT(q))
			igb_vf_write(vf, RDT(q), igb_vf_read(vf, RDT(q)));
		if (vf->running.tx & BIT(q))
			igb_vf_write(vf, TDT(q), igb_vf_read(vf, TDT(q)));
	}
	if (vf->raise)
		igb_vf_write(vf, VTEICS, vf->raise);
	vf->raise = 0;
}

/**
 * igb_vf_unquiesce() - the unquiesce op: RUNNING_P2P -> RUNNING
 * @mdev: the device
 *
 * Return: 0; -ETIMEDOUT where a queue does not start, with all of them off;
 * -EIO.
 */
int igb_vf_unquiesce(struct vfio_mig_device *mdev)
{
	struct igb_vf *vf = igb_vf_from_mig(mdev);
	int ret;

	ret = start_queues(vf);
	if (ret)
		return stop_queues(vf) ? -EIO : ret;
	kick(vf);
	return 0;
}

/* The vectors that are unmasked, or more where the device does not tell. */
static u32 unmasked_vectors(struct igb_vf *vf)
{
	u32 mask = igb_vf_read(vf, VTEIMS);

	if (vf->vteims_is_last_write)
		mask |= igb_vf_read(vf, VTEIAC);
	return mask & VT_ALL_VECTORS;
}

/* The vectors that a register of the VTIVAR kind has its causes raise. */
static u32 vectors_of(u32 ivar)
{
	u32 vectors = 0;

	for (; ivar; ivar >>= 8)
		if (ivar & IVAR_VALID)
			vectors |= BIT(ivar & IVAR_INT_ALLOC);
	return vectors;
}

/* Whether the guest would find something if it looked at its mailbox and its link. */
static bool has_news(struct igb_vf *vf)
{
	return igb_vf_mbx_has_news(vf) ||
	       !(igb_vf_read(vf, VTSTATUS) & VTSTATUS_LU);
}

/* Those that only the mailbox raises. */
static u32 mailbox_vectors(struct igb_vf *vf)
{
	return vectors_of(igb_vf_read(vf, VTIVAR_MISC) & 0xff) &
	       ~vectors_of(igb_vf_read(vf, VTIVAR));
}

/*
 * Reading VTEICR clears it: what was pending is raised again when the VF starts. So is
 * the mailbox's vector where a link is down: another VF's may be up. Otherwise it is not
 * pending any more when it has been sent, if it clears itself, but on a device that keeps
 * what VTEICS has raised.
 */
static u32 pending_vectors(struct igb_vf *vf)
{
	u32 mailbox = vf->vteims & mailbox_vectors(vf);
	u32 pending = igb_vf_read(vf, VTEICR) & VT_ALL_VECTORS;

	if (has_news(vf))
		return pending | mailbox;
	return pending & ~(mailbox & igb_vf_read(vf, VTEIAC));
}

/*
 * One interrupt of a queue too many does no harm, one too few stalls the guest. But one
 * of the mailbox has igbvf look at the link anew, and take it for lost where it does not
 * get the mailbox memory at once.
 */
static u32 vectors_to_raise(struct igb_vf *vf)
{
	u32 quiet = has_news(vf) ? 0 : mailbox_vectors(vf);

	return (vf->vteims & ~quiet) | vf->vteicr;
}

/**
 * igb_vf_stop() - the stop op: RUNNING_P2P -> STOP
 * @mdev: the device
 *
 * In RUNNING_P2P the user could still enable a queue by hand: it is treated as
 * if it had been on before.
 *
 * Return: 0; -ETIMEDOUT where a queue does not stop; -EIO.
 */
int igb_vf_stop(struct vfio_mig_device *mdev)
{
	struct igb_vf *vf = igb_vf_from_mig(mdev);
	int ret;

	if (igb_vf_read(vf, VTSTATUS) == U32_MAX)
		return -EIO;
	ret = stop_queues(vf);
	if (ret)
		return ret;

	igb_vf_rx_log_stopped(vf);
	igb_vf_mbx_settle(vf);
	vf->vteims = unmasked_vectors(vf);
	igb_vf_write(vf, VTEIMC, VT_ALL_VECTORS);
	vf->vteicr = pending_vectors(vf);
	return 0;
}

/**
 * igb_vf_start() - the start op: STOP -> RUNNING_P2P
 * @mdev: the device
 *
 * Return: 0.
 */
int igb_vf_start(struct vfio_mig_device *mdev)
{
	struct igb_vf *vf = igb_vf_from_mig(mdev);

	igb_vf_write(vf, VTEIMS, vf->vteims);
	if (vf->vteicr)
		igb_vf_write(vf, VTEICS, vf->vteicr);
	vf->raise = vectors_to_raise(vf);
	return 0;
}

static void write_pair(struct igb_vf *vf, u32 low, u32 high, u64 val)
{
	igb_vf_write(vf, low, lower_32_bits(val));
	igb_vf_write(vf, high, upper_32_bits(val));
}

/* The ENABLE bit of a stopped queue says whether it is to run again. */
static __le32 save_xdctl(struct igb_vf *vf, u32 xdctl, bool running)
{
	u32 val = igb_vf_read(vf, xdctl) & ~XDCTL_ENABLE;

	return cpu_to_le32(val | (running ? XDCTL_ENABLE : 0));
}

static void save_rx(struct igb_vf *vf, unsigned int q, struct igb_vf_rx_regs *rx)
{
	rx->rdba = cpu_to_le64(igb_vf_read_pair(vf, RDBAL(q), RDBAH(q)));
	rx->rdlen = cpu_to_le32(igb_vf_read(vf, RDLEN(q)));
	rx->srrctl = cpu_to_le32(igb_vf_read(vf, SRRCTL(q)));
	rx->rdh = cpu_to_le32(igb_vf_read(vf, RDH(q)));
	rx->rdt = cpu_to_le32(igb_vf_read(vf, RDT(q)));
	rx->rxdctl = save_xdctl(vf, RXDCTL(q), vf->running.rx & BIT(q));
	rx->rxctl = cpu_to_le32(igb_vf_read(vf, RXCTL(q)));
}

static void save_tx(struct igb_vf *vf, unsigned int q, struct igb_vf_tx_regs *tx)
{
	tx->tdba = cpu_to_le64(igb_vf_read_pair(vf, TDBAL(q), TDBAH(q)));
	tx->tdlen = cpu_to_le32(igb_vf_read(vf, TDLEN(q)));
	tx->tdh = cpu_to_le32(igb_vf_read(vf, TDH(q)));
	tx->tdt = cpu_to_le32(igb_vf_read(vf, TDT(q)));
	tx->txdctl = save_xdctl(vf, TXDCTL(q), vf->running.tx & BIT(q));
	tx->txctl = cpu_to_le32(igb_vf_read(vf, TXCTL(q)));
	tx->tdwba = cpu_to_le64(igb_vf_read_pair(vf, TDWBAL(q), TDWBAH(q)));
}

static void save_regs(struct igb_vf *vf, struct igb_vf_regs *regs)
{
	unsigned int i;

	regs->vteims = cpu_to_le32(vf->vteims);
	regs->vteicr = cpu_to_le32(vf->vteicr);
	regs->vteiac = cpu_to_le32(igb_vf_read(vf, VTEIAC));
	regs->vteiam = cpu_to_le32(igb_vf_read(vf, VTEIAM));
	for (i = 0; i < IGB_VF_NR_VECTORS; i++)
		regs->vteitr[i] = cpu_to_le32(igb_vf_read(vf, VTEITR(i)));
	regs->vtivar = cpu_to_le32(igb_vf_read(vf, VTIVAR));
	regs->vtivar_misc = cpu_to_le32(igb_vf_read(vf, VTIVAR_MISC));
	regs->psrtype = cpu_to_le32(igb_vf_read(vf, PSRTYPE));
	for (i = 0; i < IGB_VF_NR_QUEUES; i++) {
		save_rx(vf, i, &regs->rx[i]);
		save_tx(vf, i, &regs->tx[i]);
	}
}

static void save_counters(struct igb_vf *vf, struct igb_vf_counters *counters)
{
	unsigned int i;
	u32 val;

	for (i = 0; i < IGB_VF_NR_COUNTERS; i++) {
		val = igb_vf_read(vf, igb_vf_counters[i]) + vf->counter_offset[i];
		counters->value[i] = cpu_to_le32(val);
	}
}

/**
 * igb_vf_save_initial() - the save_initial op
 * @mdev: the device
 * @w: where the stream goes
 *
 * Return: 0 or -ENOSPC.
 */
int igb_vf_save_initial(struct vfio_mig_device *mdev, struct vfio_mig_writer *w)
{
	return igb_vf_put_initial(w, &igb_vf_from_mig(mdev)->pf);
}

/**
 * igb_vf_save_final() - the save_final op
 * @mdev: the device, stopped
 * @w: where the stream goes
 *
 * Return: 0, -ENOSPC or -EIO.
 */
int igb_vf_save_final(struct vfio_mig_device *mdev, struct vfio_mig_writer *w)
{
	struct igb_vf *vf = igb_vf_from_mig(mdev);
	struct igb_vf_counters counters;
	struct igb_vf_mailbox mbx;
	struct igb_vf_regs regs;

	if (igb_vf_read(vf, VTSTATUS) == U32_MAX)
		return -EIO;
	save_regs(vf, &regs);
	save_counters(vf, &counters);
	igb_vf_mbx_save(vf, &mbx);
	return igb_vf_put_final(w, &regs, &mbx, &counters);
}

/* The tail goes last: it must lie in a ring that is all there. */
static void load_rx(struct igb_vf *vf, unsigned int q,
		    const struct igb_vf_rx_regs *rx)
{
	u32 rxdctl = le32_to_cpu(rx->rxdctl);

	igb_vf_rx_log_changed(vf, q);
	igb_vf_write(vf, RXDCTL(q), rxdctl & ~XDCTL_ENABLE);
	write_pair(vf, RDBAL(q), RDBAH(q), le64_to_cpu(rx->rdba));
	igb_vf_write(vf, RDLEN(q), le32_to_cpu(rx->rdlen));
	igb_vf_write(vf, SRRCTL(q), le32_to_cpu(rx->srrctl));
	igb_vf_write(vf, RXCTL(q), le32_to_cpu(rx->rxctl));
	igb_vf_write(vf, RDH(q), le32_to_cpu(rx->rdh));
	igb_vf_write(vf, RDT(q), le32_to_cpu(rx->rdt));
	if (rxdctl & XDCTL_ENABLE)
		vf->running.rx |= BIT(q);
}

static void load_tx(struct igb_vf *vf, unsigned int q,
		    const struct igb_vf_tx_regs *tx)
{
	u32 txdctl = le32_to_cpu(tx->txdctl);

	igb_vf_write(vf, TXDCTL(q), txdctl & ~XDCTL_ENABLE);
	write_pair(vf, TDBAL(q), TDBAH(q), le64_to_cpu(tx->tdba));
	igb_vf_write(vf, TDLEN(q), le32_to_cpu(tx->tdlen));
	igb_vf_write(vf, TXCTL(q), le32_to_cpu(tx->txctl));
	write_pair(vf, TDWBAL(q), TDWBAH(q), le64_to_cpu(tx->tdwba));
	igb_vf_write(vf, TDH(q), le32_to_cpu(tx->tdh));
	igb_vf_write(vf, TDT(q), le32_to_cpu(tx->tdt));
	if (txdctl & XDCTL_ENABLE)
		vf->running.tx |= BIT(q);
}

static void load_regs(struct igb_vf *vf, const struct igb_vf_regs *regs)
{
	unsigned int i;

	igb_vf_write(vf, VTEIMC, VT_ALL_VECTORS);
	/* What was pending in an earlier life of this VF is nobody's now. */
	igb_vf_write(vf, VTEICR, VT_ALL_VECTORS);
	igb_vf_write(vf, VTEIAC, le32_to_cpu(regs->vteiac));
	igb_vf_write(vf, VTEIAM, le32_to_cpu(regs->vteiam));
	for (i = 0; i < IGB_VF_NR_VECTORS; i++)
		igb_vf_write(vf, VTEITR(i), le32_to_cpu(regs->vteitr[i]));
	igb_vf_write(vf, VTIVAR, le32_to_cpu(regs->vtivar));
	igb_vf_write(vf, VTIVAR_MISC, le32_to_cpu(regs->vtivar_misc));
	igb_vf_write(vf, PSRTYPE, le32_to_cpu(regs->psrtype));

	vf->running = (struct igb_vf_queues) {};
	for (i = 0; i < IGB_VF_NR_QUEUES; i++) {
		load_rx(vf, i, &regs->rx[i]);
		load_tx(vf, i, &regs->tx[i]);
	}
	vf->vteims = le32_to_cpu(regs->vteims) & VT_ALL_VECTORS;
	vf->vteicr = le32_to_cpu(regs->vteicr) & VT_ALL_VECTORS;
}

/* The hardware's counters cannot be written: the difference is added. */
static void load_counters(struct igb_vf *vf, const struct igb_vf_counters *counters)
{
	unsigned int i;

	for (i = 0; i < IGB_VF_NR_COUNTERS; i++)
		vf->counter_offset[i] = le32_to_cpu(counters->value[i]) -
					igb_vf_read(vf, igb_vf_counters[i]);
}

static void explain_silence(struct igb_vf *vf, int err)
{
	if (err == -ETIMEDOUT)
		vfio_mig_explain(&vf->mig,
				 "the PF does not answer the mailbox: is its interface up?");
}

/**
 * igb_vf_load_initial() - the load_initial op
 * @mdev: the device, in RESUMING
 * @r: reader that has checked the initial part
 * @stream: the stream
 *
 * Resets the VF and tells the PF all that it has to know.
 *
 * Return: 0, or an errno of igb_vf_get_initial() or igb_vf_pf_replay().
 */
int igb_vf_load_initial(struct vfio_mig_device *mdev,
			const struct vfio_mig_reader *r, const void *stream)
{
	struct igb_vf *vf = igb_vf_from_mig(mdev);
	struct igb_pf_state *pf;
	int ret;

	/* Of the rings that the VF has had until now this is the last that is seen. */
	if (mdev->log.on && igb_vf_log_look(mdev))
		return -EIO;
	pf = kmalloc(sizeof(*pf), GFP_KERNEL);
	if (!pf)
		return -ENOMEM;
	ret = igb_vf_get_initial(r, stream, pf);
	if (ret) {
		vfio_mig_explain(mdev, "the initial part does not fit an 82576 VF");
		goto out;
	}
	igb_vf_forget(vf);
	ret = igb_vf_pf_replay(vf, pf);
	explain_silence(vf, ret);
	if (!ret)
		vf->pf = *pf;
out:
	kfree(pf);
	return ret;
}

/*
 * A PF that has been reset, or taken down and up, since it was told has
 * forgotten it all.
 */
static int tell_again_if_reset(struct igb_vf *vf)
{
	int ret;

	/* Reading clears it: remember until it has been made good. */
	if (igb_vf_read(vf, V2PMAILBOX) & (V2PMAILBOX_RSTI | V2PMAILBOX_RSTD))
		vf->pf_forgot = true;
	if (!vf->pf_forgot)
		return 0;
	ret = igb_vf_pf_replay(vf, &vf->pf);
	vf->pf_forgot = ret;
	return ret;
}

/**
 * igb_vf_load_final() - the load_final op: RESUMING -> STOP
 * @mdev: the device, whose PF has been told all that it has to know
 * @r: reader that has checked the stream
 * @stream: the stream
 *
 * Return: 0, or an errno of igb_vf_pf_replay().
 */
int igb_vf_load_final(struct vfio_mig_device *mdev,
		      const struct vfio_mig_reader *r, const void *stream)
{
	struct igb_vf *vf = igb_vf_from_mig(mdev);
	struct igb_vf_counters counters;
	struct igb_vf_mailbox mbx;
	struct igb_vf_regs regs;
	int ret;

	igb_vf_get_final(r, stream, &regs, &mbx, &counters);
	ret = tell_again_if_reset(vf);
	if (!ret)
		ret = igb_vf_mbx_load(vf, &mbx);
	explain_silence(vf, ret);
	if (ret)
		return ret;
	load_counters(vf, &counters);
	load_regs(vf, &regs);
	return 0;
}

/**
 * igb_vf_reset() - the reset op
 * @mdev: the device
 *
 * A reset stops the queues and masks the interrupts by itself. It is done once
 * more here, for the arc that may have been at work when a reset came that is
 * not VFIO's.
 */
void igb_vf_reset(struct vfio_mig_device *mdev)
{
	struct igb_vf *vf = igb_vf_from_mig(mdev);
	unsigned int i;

	igb_vf_write(vf, VTEIMC, VT_ALL_VECTORS);
	for (i = 0; i < IGB_VF_NR_QUEUES; i++) {
		igb_vf_write(vf, RXDCTL(i),
			     igb_vf_read(vf, RXDCTL(i)) & ~XDCTL_ENABLE);
		igb_vf_write(vf, TXDCTL(i),
			     igb_vf_read(vf, TXDCTL(i)) & ~XDCTL_ENABLE);
	}
	igb_vf_forget(vf);
	for (i = 0; i < IGB_VF_NR_COUNTERS; i++)
		vf->counter_offset[i] = -igb_vf_read(vf, igb_vf_counters[i]);
}
