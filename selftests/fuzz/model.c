// SPDX-License-Identifier: GPL-2.0-only
#include "model.h"

#define PING		0x0100
#define TICK_US		4000

struct model models[2];
struct pci_dev model_pdev;
unsigned long jiffies;
static ktime_t now;

static u32 info(u32 first)
{
	return first >> 16 & 0xff;
}

void model_reset(struct model *model, bool mute)
{
	memset(model, 0, sizeof(*model));
	model->mute = mute;
}

static void set_mac(u8 *mac, const u32 *msg)
{
	memcpy(mac, msg + 1, 6);
}

/* No PF takes a group or nothing for an address */
static bool is_address(const u32 *msg)
{
	return !(msg[1] & 1) && (msg[1] || msg[2] & 0xffff);
}

static bool take_mac(struct model_pf *pf, const u32 *msg)
{
	if (info(msg[0]) != 1 && !is_address(msg))
		return false;
	switch (info(msg[0])) {
	case 0:
		pf->has_mac = true;
		set_mac(pf->mac, msg);
		return true;
	case 1:
		pf->nr_uc = 0;
		memset(pf->uc, 0, sizeof(pf->uc));
		return true;
	case 2:
		/* It may have room for more than the stream has */
		if (pf->nr_uc < IGB_VF_MAX_UC_FILTERS)
			set_mac(pf->uc[pf->nr_uc++], msg);
		return true;
	default:
		return false;
	}
}

static void take_vlan(struct model_pf *pf, const u32 *msg)
{
	unsigned int vid = msg[1] & 0xfff;

	/* Whether tags are stripped is decided by the one that was added last */
	if (info(msg[0])) {
		pf->vlans[vid] = 1;
		pf->strips = vid;
	} else if (vid) {
		pf->vlans[vid] = 0;
		pf->strips = true;
	}
}

/* Whether the PF agrees */
static bool take(struct model_pf *pf, const u32 *msg)
{
	switch (msg[0] & 0xffff) {
	case 2:
		return take_mac(pf, msg);
	case 3:
		pf->multicast = true;
		memcpy(pf->groups, msg, sizeof(pf->groups));
		pf->groups[0] = info(msg[0]);
		return true;
	case 4:
		take_vlan(pf, msg);
		return true;
	case 5:
		pf->max_frame = msg[1];
		return true;
	default:
		return false;
	}
}

/*
 * Does what it is asked for as far as multicast goes, also where it then says no
 * because there was more
 */
static bool take_promisc(struct model_pf *pf, const u32 *msg)
{
	pf->promisc = info(msg[0]) & 2;
	return info(msg[0]) == pf->promisc;
}

static u32 hello(struct model *model, enum model_answer answer)
{
	struct model_pf fresh = { .listens = true };

	/* A PF that has no address for the VF says so by a NACK, and listens */
	if (answer == MODEL_YES) {
		fresh.has_mac = true;
		memcpy(fresh.mac, "\x52\x54\x00\x11\x22\x33", 6);
	}
	model->pf = fresh;
	memset(&model->vmbmem[1], 0, 8);
	memcpy(&model->vmbmem[1], fresh.mac, 6);
	return 1 | (fresh.has_mac ? MSG_ACK : MSG_NACK);
}

void model_answer(struct model *model, enum model_answer answer)
{
	u32 first = model->request[0];
	bool yes;

	if (!model->requested)
		return;
	model->requested = false;
	if (first == 1) {
		first = hello(model, answer);
	} else if ((first & 0xffff) == 6) {
		yes = model->pf.listens &&
		      take_promisc(&model->pf, model->request);
		first |= yes ? MSG_ACK : MSG_NACK;
	} else {
		yes = answer == MODEL_YES && model->pf.listens &&
		      take(&model->pf, model->request);
		first |= yes ? MSG_ACK : MSG_NACK;
	}
	model->vmbmem[0] = first | (model->pf.listens ? MSG_CTS : 0);
	model->v2p |= V2PMAILBOX_PFSTS | V2PMAILBOX_PFACK;
}

/* What igb says to all of its VFs when the link changes */
void model_ping(struct model *model)
{
	model->vmbmem[0] = PING | (model->pf.listens ? MSG_CTS : 0);
	model->v2p |= V2PMAILBOX_PFSTS;
}

/* By itself a PF agrees to all, and has no address for the VF */
static void answer_by_itself(struct model *model)
{
	bool hello = model->request[0] == 1;

	if (!model->mute)
		model_answer(model, hello ? MODEL_NO : MODEL_YES);
}

static void tick(void)
{
	unsigned int i;

	now += TICK_US;
	jiffies++;
	for (i = 0; i < ARRAY_SIZE(models); i++)
		answer_by_itself(&models[i]);
}

void usleep_range(unsigned long min, unsigned long max)
{
	(void)min;
	(void)max;
	tick();
}

void cpu_relax(void)
{
	tick();
}

ktime_t ktime_get(void)
{
	return now;
}

static void write_v2p(struct model *model, u32 val)
{
	if (val & V2PMAILBOX_REQ) {
		model->requested = true;
		memcpy(model->request, model->vmbmem, sizeof(model->request));
	}
	model->v2p &= ~V2PMAILBOX_VFU;
	if (!(model->v2p & V2PMAILBOX_PFU))
		model->v2p |= val & V2PMAILBOX_VFU;
}

static struct model *model_at(const void *addr, u32 *reg)
{
	const u8 *byte = addr;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(models); i++) {
		if (byte < models[i].bar || byte >= models[i].bar + MODEL_BAR_SIZE)
			continue;
		*reg = byte - models[i].bar;
		return &models[i];
	}
	/* The driver has left the BAR */
	abort();
}

u32 readl(const void *addr)
{
	struct model *model;
	u32 reg, val;

	model = model_at(addr, &reg);
	if (reg >= VMBMEM(0) && reg < VMBMEM(IGB_VF_MBX_DWORDS))
		return model->vmbmem[(reg - VMBMEM(0)) / 4];
	if (reg != V2PMAILBOX)
		return model->other;
	if (model->babbles)
		model_ping(model);
	val = model->v2p;
	model->v2p &= ~V2PMAILBOX_R2C;
	return val;
}

void writel(u32 val, void *addr)
{
	struct model *model;
	u32 reg;

	model = model_at(addr, &reg);
	if (reg >= VMBMEM(0) && reg < VMBMEM(IGB_VF_MBX_DWORDS)) {
		model->vmbmem[(reg - VMBMEM(0)) / 4] = val;
	} else if (reg == V2PMAILBOX) {
		write_v2p(model, val);
	} else if (reg == VTCTRL && val & VTCTRL_RST) {
		model->requested = false;
		memset(&model->pf, 0, sizeof(model->pf));
		model->v2p = V2PMAILBOX_RSTD;
	}
}

/* The DMA log, which is off here */
int igb_vf_log_look(struct vfio_mig_device *mdev)
{
	(void)mdev;
	return 0;
}

void igb_vf_log_guest_writes(struct igb_vf *vf, u32 offset, u32 val)
{
	(void)vf;
	(void)offset;
	(void)val;
}

void igb_vf_rx_log_on(struct igb_vf *vf, unsigned int q)
{
	(void)vf;
	(void)q;
}

void igb_vf_rx_log_changed(struct igb_vf *vf, unsigned int q)
{
	(void)vf;
	(void)q;
}

void igb_vf_rx_log_stopped(struct igb_vf *vf)
{
	(void)vf;
}

void igb_vf_rx_log_forget(struct igb_vf *vf)
{
	(void)vf;
}
