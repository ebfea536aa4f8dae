// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mailbox log. Messages are not kept one by one: each one that the PF has
 * acknowledged changes what the PF knows of the VF, and that is what counts.
 */
#include "pf_state.h"
#include "regs.h"

#define INFO(first)	(((first) & MSG_INFO) >> 16)

/**
 * igb_pf_msg_len() - how many dwords of VMBMEM belong to a message
 * @first: its first dword
 *
 * Return: 1 to IGB_VF_MBX_DWORDS.
 */
unsigned int igb_pf_msg_len(u32 first)
{
	switch (first & MSG_TYPE) {
	case MSG_SET_MAC_ADDR:
		return 3;
	case MSG_SET_MULTICAST:
		return IGB_VF_MBX_DWORDS;
	case MSG_SET_VLAN:
	case MSG_SET_LPE:
		return 2;
	default:
		return 1;
	}
}

/* An address is the bytes of two dwords, in the order of memory. */
static void unpack_mac(u8 *mac, const u32 *dwords)
{
	unsigned int i;

	for (i = 0; i < 6; i++)
		mac[i] = dwords[i / 4] >> i % 4 * 8;
}

static void note_reset(struct igb_pf_state *pf, const u32 *reply)
{
	memset(pf, 0, sizeof(*pf));
	pf->flags = IGB_VF_PF_READY;
	/* NACK is no refusal here: the PF has no address for the VF. */
	if (reply[0] & MSG_ACK) {
		pf->flags |= IGB_VF_PF_MAC;
		unpack_mac(pf->mac, reply + 1);
	}
}

static void note_mac(struct igb_pf_state *pf, const u32 *msg)
{
	switch (INFO(msg[0])) {
	case 0:
		pf->flags |= IGB_VF_PF_MAC;
		unpack_mac(pf->mac, msg + 1);
		break;
	case MAC_FILTER_CLR:
		pf->nr_uc = 0;
		break;
	case MAC_FILTER_ADD:
		if (pf->nr_uc < IGB_VF_MAX_UC_FILTERS)
			unpack_mac(pf->uc[pf->nr_uc++], msg + 1);
		break;
	}
}

static void note_multicast(struct igb_pf_state *pf, const u32 *msg)
{
	unsigned int i;

	pf->flags |= IGB_VF_PF_MULTICAST;
	pf->mc_count = INFO(msg[0]);
	for (i = 0; i < IGB_VF_MAX_MC_HASHES; i++)
		pf->mc_hashes[i] = msg[1 + i / 2] >> i % 2 * 16;
}

static void note_vlan(struct igb_pf_state *pf, const u32 *msg)
{
	unsigned int vid = msg[1] % IGB_VF_NR_VLANS;
	u8 bit = 1u << vid % 8;

	if (INFO(msg[0]))
		pf->vlans[vid / 8] |= bit;
	else if (vid)	/* the PF keeps VLAN 0 */
		pf->vlans[vid / 8] &= ~bit;

	/* Also where it was taken out of the VLAN */
	if (vid)
		pf->flags |= IGB_VF_PF_STRIP;
	else if (INFO(msg[0]))
		pf->flags &= ~IGB_VF_PF_STRIP;
}

/*
 * igb refuses to let a VF receive what is sent to others, and yet does what the
 * rest of the message asks for.
 */
static bool note_refusal(struct igb_pf_state *pf, const u32 *msg, u32 reply)
{
	/* Without CTS it has not even looked at what was asked. */
	if ((msg[0] & MSG_TYPE) != MSG_SET_PROMISC || !(reply & MSG_CTS))
		return false;
	pf->flags |= IGB_VF_PF_PROMISC;
	pf->promisc = INFO(msg[0]) & PROMISC_MULTICAST;
	return true;
}

/**
 * igb_pf_next_vlan() - walk the VLANs that a VF is in
 * @pf: what the PF knows
 * @vid: where to begin, at most IGB_VF_NR_VLANS
 *
 * Context: any.
 * Return: the lowest VLAN id that is no less than @vid, or IGB_VF_NR_VLANS.
 */
unsigned int igb_pf_next_vlan(const struct igb_pf_state *pf, unsigned int vid)
{
	while (vid < IGB_VF_NR_VLANS && !igb_pf_has_vlan(pf, vid))
		vid += pf->vlans[vid / 8] >> vid % 8 ? 1 : 8 - vid % 8;
	return vid;
}

/**
 * igb_pf_note() - take in a message that the PF has answered
 * @pf: what the PF knew before
 * @msg: the message, igb_pf_msg_len() dwords
 * @reply: the PF's answer: three dwords for VF_RESET, else one
 *
 * A message that the PF has refused, but for SET_PROMISC, or that it does not take
 * from a VF that has not been through VF_RESET, changes nothing. Context: any.
 * Return: whether what the PF knows may have changed.
 */
bool igb_pf_note(struct igb_pf_state *pf, const u32 *msg, const u32 *reply)
{
	/* With anything in the info field it is another message to igb. */
	if (msg[0] == MSG_VF_RESET) {
		note_reset(pf, reply);
		return true;
	}
	if (!(pf->flags & IGB_VF_PF_READY))
		return false;
	if (!(reply[0] & MSG_ACK))
		return note_refusal(pf, msg, reply[0]);

	switch (msg[0] & MSG_TYPE) {
	case MSG_SET_MAC_ADDR:
		note_mac(pf, msg);
		break;
	case MSG_SET_MULTICAST:
		note_multicast(pf, msg);
		break;
	case MSG_SET_VLAN:
		note_vlan(pf, msg);
		break;
	case MSG_SET_LPE:
		pf->flags |= IGB_VF_PF_LPE;
		pf->max_frame = msg[1];
		break;
	case MSG_SET_PROMISC:
		pf->flags |= IGB_VF_PF_PROMISC;
		pf->promisc = INFO(msg[0]);
		break;
	}
	return true;
}
