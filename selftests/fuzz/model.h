/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of the mailbox of an 82576 VF and of the igb behind it, written by the
 * datasheet and by what igb does, not by the driver that is under test.
 */
#ifndef SELFTESTS_FUZZ_MODEL_H
#define SELFTESTS_FUZZ_MODEL_H

#include "igb_vf.h"

#define MODEL_BAR_SIZE	0x4000

/* What a PF knows of its VF; two that know the same compare as equal */
struct model_pf {
	bool listens;
	bool has_mac;
	u8 mac[6];
	unsigned int nr_uc;
	u8 uc[IGB_VF_MAX_UC_FILTERS][6];
	bool multicast;
	u32 groups[IGB_VF_MBX_DWORDS];
	u8 vlans[IGB_VF_NR_VLANS];
	bool strips;
	u32 max_frame;
	u32 promisc;
};

enum model_answer { MODEL_YES, MODEL_NO };

struct model {
	u8 bar[MODEL_BAR_SIZE];	/* only its addresses count */
	u32 vmbmem[IGB_VF_MBX_DWORDS];
	u32 v2p;
	u32 other;		/* what any other register reads as */
	bool requested;
	u32 request[IGB_VF_MBX_DWORDS];
	bool mute;		/* answers only when model_answer() says so */
	bool babbles;		/* has a message of its own, always */
	struct model_pf pf;
};

extern struct model models[2];
extern struct pci_dev model_pdev;

void model_reset(struct model *model, bool mute);
void model_answer(struct model *model, enum model_answer answer);
void model_ping(struct model *model);

#endif
