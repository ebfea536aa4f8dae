// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is in the records of an 82576 VF. Registers and their fields have the names that
 * the datasheet gives them.
 */
#include <endian.h>
#include <string.h>

#include "decode.h"
#include "regs.h"

struct field {
	const char *name;
	u8 high;
	u8 low;
};

/* Each ends with one that has no name. */
static const struct field vectors[] = { { "Mask", 2, 0 }, {} };
static const struct field causes[] = { { "Cause", 2, 0 }, {} };
static const struct field eitr[] = {
	{ "Interval", 14, 2 }, { "LLI_EN", 15, 15 }, { "LL_Counter", 20, 16 },
	{ "Moderation_Counter", 30, 21 }, { "CNT_INGR", 31, 31 }, {}
};

static const struct field ivar[] = {
	{ "RX0", 1, 0 }, { "RX0_valid", 7, 7 }, { "TX0", 9, 8 }, { "TX0_valid", 15, 15 },
	{ "RX1", 17, 16 }, { "RX1_valid", 23, 23 }, { "TX1", 25, 24 },
	{ "TX1_valid", 31, 31 }, {}
};

static const struct field ivar_misc[] = {
	{ "Mailbox", 1, 0 }, { "Mailbox_valid", 7, 7 }, {}
};

static const struct field psrtype[] = { { "PSR_type", 18, 0 }, { "RQPL", 31, 29 }, {} };
static const struct field srrctl[] = {
	{ "BSIZEPACKET", 6, 0 }, { "BSIZEHEADER", 13, 8 }, { "RDMTS", 24, 20 },
	{ "DESCTYPE", 27, 25 }, { "Drop_En", 31, 31 }, {}
};

static const struct field xdctl[] = {
	{ "PTHRESH", 4, 0 }, { "HTHRESH", 12, 8 }, { "WTHRESH", 20, 16 },
	{ "ENABLE", 25, 25 }, { "SWFLSH", 26, 26 }, {}
};

static const struct field rxctl[] = {
	{ "RX_Descriptor_DCA_EN", 5, 5 }, { "RX_Header_DCA_EN", 6, 6 },
	{ "RX_Payload_DCA_EN", 7, 7 }, { "RXdescReadROEn", 9, 9 },
	{ "RXdescWBROen", 11, 11 }, { "RXdataWriteROEn", 13, 13 },
	{ "RxRepHeaderROEn", 15, 15 }, { "CPUID", 31, 24 }, {}
};

static const struct field txctl[] = {
	{ "TX_Descriptor_DCA_EN", 5, 5 }, { "TXdescRDROEn", 9, 9 },
	{ "TXdescWBROen", 11, 11 }, { "TXDataReadROEn", 13, 13 },
	{ "CPUID", 31, 24 }, {}
};

static const struct field tdwbal[] = { { "Head_WB_En", 0, 0 }, { "WB_on_EITR", 1, 1 }, {} };
static const struct field v2pmailbox[] = {
	{ "Req", 0, 0 }, { "Ack", 1, 1 }, { "VFU", 2, 2 }, { "PFU", 3, 3 },
	{ "PFSTS", 4, 4 }, { "PFACK", 5, 5 }, { "RSTI", 6, 6 }, { "RSTD", 7, 7 }, {}
};

static void put_hex(struct json_object *tree, const char *key, unsigned long long value,
		    int digits)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%0*llx", digits, value);
	put_text(tree, key, text);
}

/* @queue is -1 for a register that there is once. */
static void put_reg(struct json_object *regs, const char *name, int queue, u32 value,
		    const struct field *field)
{
	struct json_object *reg = json_object_new_object();
	struct json_object *fields = json_object_new_object();
	char key[24];

	put_hex(reg, "value", value, 8);
	for (; field && field->name; field++)
		put_number(fields, field->name,
			   (value & GENMASK(field->high, field->low)) >> field->low);
	json_object_object_add(reg, "fields", fields);
	snprintf(key, sizeof(key), queue < 0 ? "%s" : "%s[%d]", name, queue);
	json_object_object_add(regs, key, reg);
}

static void put_pair(struct json_object *regs, const char *name, int queue, u64 value,
		     const struct field *low_fields)
{
	char low[16], high[16];

	snprintf(low, sizeof(low), "%sL", name);
	snprintf(high, sizeof(high), "%sH", name);
	put_reg(regs, low, queue, value, low_fields);
	put_reg(regs, high, queue, value >> 32, NULL);
}

static void put_rx(struct json_object *tree, int q, const struct igb_vf_rx_regs *rx)
{
	put_pair(tree, "RDBA", q, le64toh(rx->rdba), NULL);
	put_reg(tree, "RDLEN", q, le32toh(rx->rdlen), NULL);
	put_reg(tree, "SRRCTL", q, le32toh(rx->srrctl), srrctl);
	put_reg(tree, "RDH", q, le32toh(rx->rdh), NULL);
	put_reg(tree, "RDT", q, le32toh(rx->rdt), NULL);
	put_reg(tree, "RXDCTL", q, le32toh(rx->rxdctl), xdctl);
	put_reg(tree, "RXCTL", q, le32toh(rx->rxctl), rxctl);
}

static void put_tx(struct json_object *tree, int q, const struct igb_vf_tx_regs *tx)
{
	put_pair(tree, "TDBA", q, le64toh(tx->tdba), NULL);
	put_reg(tree, "TDLEN", q, le32toh(tx->tdlen), NULL);
	put_reg(tree, "TDH", q, le32toh(tx->tdh), NULL);
	put_reg(tree, "TDT", q, le32toh(tx->tdt), NULL);
	put_reg(tree, "TXDCTL", q, le32toh(tx->txdctl), xdctl);
	put_reg(tree, "TXCTL", q, le32toh(tx->txctl), txctl);
	put_pair(tree, "TDWBA", q, le64toh(tx->tdwba), tdwbal);
}

static struct json_object *regs_tree(const struct igb_vf_regs *regs)
{
	struct json_object *tree = json_object_new_object();
	int i;

	put_reg(tree, "VTEIMS", -1, le32toh(regs->vteims), vectors);
	put_reg(tree, "VTEIAC", -1, le32toh(regs->vteiac), vectors);
	put_reg(tree, "VTEIAM", -1, le32toh(regs->vteiam), vectors);
	put_reg(tree, "VTEICR", -1, le32toh(regs->vteicr), causes);
	for (i = 0; i < IGB_VF_NR_VECTORS; i++)
		put_reg(tree, "VTEITR", i, le32toh(regs->vteitr[i]), eitr);
	put_reg(tree, "VTIVAR", -1, le32toh(regs->vtivar), ivar);
	put_reg(tree, "VTIVAR_MISC", -1, le32toh(regs->vtivar_misc), ivar_misc);
	put_reg(tree, "PSRTYPE", -1, le32toh(regs->psrtype), psrtype);
	for (i = 0; i < IGB_VF_NR_QUEUES; i++)
		put_rx(tree, i, &regs->rx[i]);
	for (i = 0; i < IGB_VF_NR_QUEUES; i++)
		put_tx(tree, i, &regs->tx[i]);
	return tree;
}

static struct json_object *mailbox_tree(const struct igb_vf_mailbox *mbx)
{
	struct json_object *tree = json_object_new_object();
	int i;

	put_reg(tree, "V2PMAILBOX", -1, le32toh(mbx->v2pmailbox), v2pmailbox);
	for (i = 0; i < IGB_VF_MBX_DWORDS; i++)
		put_reg(tree, "VMBMEM", i, le32toh(mbx->vmbmem[i]), NULL);
	return tree;
}

static struct json_object *counters_tree(const struct igb_vf_counters *counters)
{
	static const char * const names[IGB_VF_NR_COUNTERS] = {
		"VFGPRC", "VFGPTC", "VFGORC", "VFGOTC", "VFMPRC",
		"VFGPRLBC", "VFGPTLBC", "VFGORLBC", "VFGOTLBC",
	};
	struct json_object *tree = json_object_new_object();
	int i;

	for (i = 0; i < IGB_VF_NR_COUNTERS; i++)
		put_number(tree, names[i], le32toh(counters->value[i]));
	return tree;
}

static struct json_object *identity_tree(const struct vfio_mig_reader *r,
					 const struct buffer *buf)
{
	struct json_object *tree = json_object_new_object();
	struct igb_vf_identity identity;

	memcpy(&identity, vfio_mig_payload(r, buf->data, IGB_VF_RECORD_IDENTITY, NULL),
	       sizeof(identity));
	put_number(tree, "BAR0 bytes", le32toh(identity.bar0_size));
	put_number(tree, "queue pairs", le16toh(identity.queues));
	put_number(tree, "MSI-X vectors", le16toh(identity.vectors));
	return tree;
}

static struct json_object *mac_text(const u8 *mac)
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
		 mac[2], mac[3], mac[4], mac[5]);
	return json_object_new_string(text);
}

static struct json_object *hashes(const struct igb_pf_state *pf)
{
	struct json_object *list = json_object_new_array();
	char text[8];
	unsigned int i;

	for (i = 0; i < pf->mc_count && i < IGB_VF_MAX_MC_HASHES; i++) {
		snprintf(text, sizeof(text), "0x%03x", pf->mc_hashes[i]);
		json_object_array_add(list, json_object_new_string(text));
	}
	return list;
}

/* What no message has said is null. */
static struct json_object *pf_tree(const struct igb_pf_state *pf)
{
	struct json_object *tree = json_object_new_object();

	put_flag(tree, "ready", pf->flags & IGB_VF_PF_READY);
	json_object_object_add(tree, "MAC address", pf->flags & IGB_VF_PF_MAC ?
			       mac_text(pf->mac) : NULL);
	json_object_object_add(tree, "multicast addresses",
			       pf->flags & IGB_VF_PF_MULTICAST ?
			       json_object_new_int(pf->mc_count) : NULL);
	json_object_object_add(tree, "multicast hashes",
			       pf->flags & IGB_VF_PF_MULTICAST ? hashes(pf) : NULL);
	json_object_object_add(tree, "largest frame", pf->flags & IGB_VF_PF_LPE ?
			       json_object_new_uint64(pf->max_frame) : NULL);
	json_object_object_add(tree, "promiscuous", pf->flags & IGB_VF_PF_PROMISC ?
			       json_object_new_string(pf->promisc & PROMISC_MULTICAST ?
						      "multicast" : "off") : NULL);
	put_flag(tree, "VLAN tags stripped", pf->flags & IGB_VF_PF_STRIP);
	return tree;
}

static struct json_object *vlans(const struct igb_pf_state *pf)
{
	struct json_object *list = json_object_new_array();
	unsigned int vid;

	for (vid = igb_pf_next_vlan(pf, 0); vid < IGB_VF_NR_VLANS;
	     vid = igb_pf_next_vlan(pf, vid + 1))
		json_object_array_add(list, json_object_new_int(vid));
	return list;
}

static struct json_object *uc_filters(const struct igb_pf_state *pf)
{
	struct json_object *list = json_object_new_array();
	unsigned int i;

	for (i = 0; i < pf->nr_uc; i++)
		json_object_array_add(list, mac_text(pf->uc[i]));
	return list;
}

static void put_initial(struct json_object *tree, const struct vfio_mig_reader *r,
			const struct buffer *buf)
{
	struct igb_pf_state pf;

	json_object_object_add(tree, "IDENTITY", identity_tree(r, buf));
	if (igb_vf_get_initial(r, buf->data, &pf))
		return;
	json_object_object_add(tree, "PF", pf_tree(&pf));
	json_object_object_add(tree, "VLANS", vlans(&pf));
	json_object_object_add(tree, "UC", uc_filters(&pf));
}

static void put_final(struct json_object *tree, const struct vfio_mig_reader *r,
		      const struct buffer *buf)
{
	struct igb_vf_counters counters;
	struct igb_vf_mailbox mbx;
	struct igb_vf_regs regs;

	igb_vf_get_final(r, buf->data, &regs, &mbx, &counters);
	json_object_object_add(tree, "REGS", regs_tree(&regs));
	json_object_object_add(tree, "MAILBOX", mailbox_tree(&mbx));
	json_object_object_add(tree, "COUNTERS", counters_tree(&counters));
}

/* Of the parts that are whole; of several initial parts the last one counts. */
struct json_object *contents_of(const struct vfio_mig_reader *r, const struct buffer *buf)
{
	struct json_object *tree = json_object_new_object();

	if (has_initial(r))
		put_initial(tree, r, buf);
	if (r->seals[VFIO_MIG_PART_FINAL])
		put_final(tree, r, buf);
	return tree;
}
