// SPDX-License-Identifier: GPL-2.0-only
/*
 * Telling the PF of the destination what the PF of the source was told: a
 * VF_RESET handshake, and then one message for each thing.
 */
#include <linux/etherdevice.h>

#include "igb_vf.h"

/*
 * An igb that gets to see VTCTRL.RST after VF_RESET takes the VF for one that
 * has not been through VF_RESET: it reads messages and does not answer, or
 * answers without CTS. Begin again, then, with VF_RESET alone.
 */
#define REPLAY_LOST	(-EAGAIN)
#define REPLAY_TRIES	3

static void pack_mac(u32 *dwords, const u8 *mac)
{
	dwords[0] = mac[0] | mac[1] << 8 | mac[2] << 16 | (u32)mac[3] << 24;
	dwords[1] = mac[4] | mac[5] << 8;
}

static u32 first_dword(u32 type, u32 info)
{
	return type | info << 16;
}

/* @refused is returned where the PF says no. */
static int tell(struct igb_vf *vf, const u32 *msg, int refused)
{
	u32 reply;
	int ret;

	ret = igb_vf_mbx_exchange(vf, msg, igb_pf_msg_len(msg[0]), &reply, 1);
	if (ret)
		return ret;
	if (!(reply & MSG_CTS))
		return REPLAY_LOST;
	return reply & MSG_ACK ? 0 : refused;
}

/* Sets @mac to the address that the PF has for the VF, or to zeros. */
static int shake_hands(struct igb_vf *vf, u8 *mac)
{
	u32 msg = MSG_VF_RESET;
	u32 reply[3];
	int i, ret;

	ret = igb_vf_mbx_exchange(vf, &msg, 1, reply, ARRAY_SIZE(reply));
	if (ret)
		return ret;
	eth_zero_addr(mac);
	if (reply[0] & MSG_ACK)
		for (i = 0; i < ETH_ALEN; i++)
			mac[i] = reply[1 + i / 4] >> i % 4 * 8;
	return 0;
}

static int tell_mac(struct igb_vf *vf, const struct igb_pf_state *pf,
		    const u8 *pf_mac)
{
	u32 msg[3] = { MSG_SET_MAC_ADDR };
	int ret;

	/* Nothing to ask for: a PF that sets addresses itself would say no. */
	if (!(pf->flags & IGB_VF_PF_MAC) || ether_addr_equal(pf->mac, pf_mac))
		return 0;
	pack_mac(msg + 1, pf->mac);
	ret = tell(vf, msg, -EADDRNOTAVAIL);
	if (ret == -EADDRNOTAVAIL)
		vfio_mig_explain(&vf->mig,
				 "the PF refuses MAC address %pM, it has set %pM",
				 pf->mac, pf_mac);
	return ret;
}

static int tell_uc(struct igb_vf *vf, const struct igb_pf_state *pf)
{
	u32 msg[3] = { first_dword(MSG_SET_MAC_ADDR, MAC_FILTER_ADD) };
	u32 i;
	int ret;

	for (i = 0; i < pf->nr_uc; i++) {
		pack_mac(msg + 1, pf->uc[i]);
		ret = tell(vf, msg, -ENOSPC);
		if (ret == -ENOSPC)
			vfio_mig_explain(&vf->mig, "the PF refuses MAC filter %pM",
					 pf->uc[i]);
		if (ret)
			return ret;
	}
	return 0;
}

static int tell_multicast(struct igb_vf *vf, const struct igb_pf_state *pf)
{
	u32 msg[IGB_VF_MBX_DWORDS] = {
		first_dword(MSG_SET_MULTICAST, pf->mc_count)
	};
	unsigned int i;
	int ret;

	if (!(pf->flags & IGB_VF_PF_MULTICAST))
		return 0;
	for (i = 0; i < IGB_VF_MAX_MC_HASHES; i++)
		msg[1 + i / 2] |= (u32)pf->mc_hashes[i] << i % 2 * 16;
	ret = tell(vf, msg, -EPERM);
	if (ret == -EPERM)
		vfio_mig_explain(&vf->mig, "the PF refuses the multicast list");
	return ret;
}

static int tell_promisc(struct igb_vf *vf, const struct igb_pf_state *pf)
{
	u32 msg = first_dword(MSG_SET_PROMISC, pf->promisc);
	int ret;

	if (!(pf->flags & IGB_VF_PF_PROMISC))
		return 0;
	ret = tell(vf, &msg, -EPERM);
	if (ret == -EPERM)
		vfio_mig_explain(&vf->mig, "the PF refuses promiscuous mode");
	return ret;
}

static int tell_vlan(struct igb_vf *vf, unsigned int vid, bool add)
{
	u32 msg[2] = { first_dword(MSG_SET_VLAN, add), vid };
	int ret;

	ret = tell(vf, msg, -EPERM);
	if (ret == -EPERM)
		vfio_mig_explain(&vf->mig, "the PF refuses VLAN %u", vid);
	return ret;
}

/*
 * igb strips tags or not by whether the last VLAN it was told of is 0, be it to
 * put the VF into it or to take it out.
 */
static int tell_vlans(struct igb_vf *vf, const struct igb_pf_state *pf)
{
	bool strip = pf->flags & IGB_VF_PF_STRIP;
	bool zero = igb_pf_has_vlan(pf, 0);
	unsigned int vid;
	int ret = 0;

	if (zero && strip)
		ret = tell_vlan(vf, 0, true);
	vid = igb_pf_next_vlan(pf, 1);
	/* None to put it into: to take it out of one has the same effect. */
	if (!ret && strip && vid == IGB_VF_NR_VLANS)
		ret = tell_vlan(vf, 1, false);
	while (!ret && vid < IGB_VF_NR_VLANS) {
		ret = tell_vlan(vf, vid, true);
		vid = igb_pf_next_vlan(pf, vid + 1);
	}
	if (!ret && zero && !strip)
		ret = tell_vlan(vf, 0, true);
	return ret;
}

static int tell_max_frame(struct igb_vf *vf, const struct igb_pf_state *pf)
{
	u32 msg[2] = { MSG_SET_LPE, pf->max_frame };
	int ret;

	if (!(pf->flags & IGB_VF_PF_LPE))
		return 0;
	ret = tell(vf, msg, -EPERM);
	if (ret == -EPERM)
		vfio_mig_explain(&vf->mig, "the PF refuses frames of %u bytes",
				 pf->max_frame);
	return ret;
}

static int tell_all(struct igb_vf *vf, const struct igb_pf_state *pf)
{
	u8 mac[ETH_ALEN];
	int ret;

	ret = shake_hands(vf, mac);
	if (!ret)
		ret = tell_mac(vf, pf, mac);
	if (!ret)
		ret = tell_uc(vf, pf);
	if (!ret)
		ret = tell_multicast(vf, pf);
	if (!ret)
		ret = tell_promisc(vf, pf);
	if (!ret)
		ret = tell_vlans(vf, pf);
	if (!ret)
		ret = tell_max_frame(vf, pf);
	return ret;
}

/**
 * igb_vf_pf_replay() - tell the PF all that the saved VF's PF knew
 * @vf: the VF, whose guest does not reach it
 * @pf: what it knew
 *
 * Resets the VF (VTCTRL.RST) first, so that it can be done again after a failure.
 *
 * Context: state lock held; sleeps.
 * Return: 0; -ETIMEDOUT where the PF does not answer; -EADDRNOTAVAIL where it
 * refuses the MAC address; -ENOSPC where it has no room for a MAC filter; -EPERM
 * where it refuses anything else; -EIO.
 */
int igb_vf_pf_replay(struct igb_vf *vf, const struct igb_pf_state *pf)
{
	int tries = REPLAY_TRIES;
	int ret;

	/* Whatever was loaded before, or by whom, is gone after this. */
	igb_vf_write(vf, VTCTRL, VTCTRL_RST);
	if (!(pf->flags & IGB_VF_PF_READY))
		return 0;

	do {
		ret = tell_all(vf, pf);
	} while (ret == REPLAY_LOST && --tries);

	return ret == REPLAY_LOST ? -ETIMEDOUT : ret;
}
