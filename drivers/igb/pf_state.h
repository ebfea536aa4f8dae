/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the PF was told by mailbox messages, as the VF's half of its state. Pure:
 * compiles in userspace too.
 */
#ifndef _IGB_VFIO_PF_STATE_H
#define _IGB_VFIO_PF_STATE_H

#include <linux/vfio_pci_mig_stream.h>
#include <uapi/linux/igb_vfio_pci.h>

#define IGB_VF_NR_VLANS		4096

/**
 * struct igb_pf_state - what a PF that has acknowledged the VF's messages knows
 * @flags: IGB_VF_PF_*
 * @mac: valid with IGB_VF_PF_MAC
 * @mc_count: as the VF counted them; more than IGB_VF_MAX_MC_HASHES means all
 * @mc_hashes: the first of them
 * @max_frame: bytes, valid with IGB_VF_PF_LPE
 * @promisc: message info field, valid with IGB_VF_PF_PROMISC
 * @nr_uc: entries of @uc in use
 * @uc: further unicast addresses
 * @vlans: a bit for each VLAN id
 */
struct igb_pf_state {
	u32 flags;
	u8 mac[6];
	u16 mc_count;
	u16 mc_hashes[IGB_VF_MAX_MC_HASHES];
	u32 max_frame;
	u32 promisc;
	u32 nr_uc;
	u8 uc[IGB_VF_MAX_UC_FILTERS][6];
	u8 vlans[IGB_VF_NR_VLANS / 8];
};

static inline bool igb_pf_has_vlan(const struct igb_pf_state *pf, unsigned int vid)
{
	return pf->vlans[vid / 8] & (1u << vid % 8);
}

unsigned int igb_pf_next_vlan(const struct igb_pf_state *pf, unsigned int vid);
unsigned int igb_pf_msg_len(u32 first);
bool igb_pf_note(struct igb_pf_state *pf, const u32 *msg, const u32 *reply);

#endif /* _IGB_VFIO_PF_STATE_H */
