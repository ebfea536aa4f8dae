// SPDX-License-Identifier: GPL-2.0-only
#include "vf_stream.h"
#include "regs.h"

#define MAC_LEN		6

#define KIND(_type, _part, _required, _min, _max) {			\
	.type = IGB_VF_RECORD_##_type,					\
	.part = VFIO_MIG_PART_##_part,					\
	.required = (_required),					\
	.min_len = (_min),						\
	.max_len = (_max),						\
}

#define KIND_OF(_type, _part, _struct) \
	KIND(_type, _part, true, sizeof(_struct), sizeof(_struct))

static const struct vfio_mig_record_kind kinds[] = {
	KIND_OF(IDENTITY, INITIAL, struct igb_vf_identity),
	KIND_OF(PF, INITIAL, struct igb_vf_pf),
	KIND(VLANS, INITIAL, false, IGB_VF_NR_VLANS / 8, IGB_VF_NR_VLANS / 8),
	KIND(UC, INITIAL, false, MAC_LEN, IGB_VF_MAX_UC_FILTERS * MAC_LEN),
	KIND_OF(REGS, FINAL, struct igb_vf_regs),
	KIND_OF(MAILBOX, FINAL, struct igb_vf_mailbox),
	KIND_OF(COUNTERS, FINAL, struct igb_vf_counters),
};

/* Each kind once, two seals and the end; the longest that a stream can be. */
#define MAX_SIZE							\
	(sizeof(struct vfio_mig_stream_header) +			\
	 (ARRAY_SIZE(kinds) + VFIO_MIG_NR_PARTS + 1) *				\
		sizeof(struct vfio_mig_stream_record) +			\
	 VFIO_MIG_NR_PARTS * sizeof(struct vfio_mig_stream_seal) +	\
	 sizeof(struct igb_vf_identity) + sizeof(struct igb_vf_pf) +	\
	 IGB_VF_NR_VLANS / 8 +						\
	 IGB_VF_MAX_UC_FILTERS * MAC_LEN + sizeof(struct igb_vf_regs) +	\
	 sizeof(struct igb_vf_mailbox) + sizeof(struct igb_vf_counters))

const struct vfio_mig_stream_format igb_vf_format = {
	.vendor = 0x8086,
	.device = 0x10ca,
	.nr_kinds = ARRAY_SIZE(kinds),
	.kinds = kinds,
	.max_size = MAX_SIZE,
};

static int put(struct vfio_mig_writer *w, u16 type, const void *payload, u32 len)
{
	return vfio_mig_put_record(w, type, VFIO_MIG_RECORD_CRITICAL, payload, len);
}

static int put_identity(struct vfio_mig_writer *w)
{
	struct igb_vf_identity identity = {
		.bar0_size = cpu_to_le32(IGB_VF_BAR0_SIZE),
		.queues = cpu_to_le16(IGB_VF_NR_QUEUES),
		.vectors = cpu_to_le16(IGB_VF_NR_VECTORS),
	};

	return put(w, IGB_VF_RECORD_IDENTITY, &identity, sizeof(identity));
}

static int put_pf(struct vfio_mig_writer *w, const struct igb_pf_state *pf)
{
	struct igb_vf_pf rec = {
		.flags = cpu_to_le32(pf->flags),
		.mc_count = cpu_to_le16(pf->mc_count),
		.max_frame = cpu_to_le32(pf->max_frame),
		.promisc = cpu_to_le32(pf->promisc),
	};
	unsigned int i;

	memcpy(rec.mac, pf->mac, sizeof(rec.mac));
	for (i = 0; i < IGB_VF_MAX_MC_HASHES; i++)
		rec.mc_hashes[i] = cpu_to_le16(pf->mc_hashes[i]);
	return put(w, IGB_VF_RECORD_PF, &rec, sizeof(rec));
}

static int put_vlans(struct vfio_mig_writer *w, const struct igb_pf_state *pf)
{
	if (igb_pf_next_vlan(pf, 0) == IGB_VF_NR_VLANS)
		return 0;
	return put(w, IGB_VF_RECORD_VLANS, pf->vlans, sizeof(pf->vlans));
}

static int put_uc(struct vfio_mig_writer *w, const struct igb_pf_state *pf)
{
	if (!pf->nr_uc)
		return 0;
	return put(w, IGB_VF_RECORD_UC, pf->uc, pf->nr_uc * MAC_LEN);
}

/**
 * igb_vf_put_initial() - write the records of the initial part
 * @w: writer
 * @pf: what the PF was told
 *
 * Context: any.
 * Return: 0 or -ENOSPC.
 */
int igb_vf_put_initial(struct vfio_mig_writer *w, const struct igb_pf_state *pf)
{
	int ret = put_identity(w);

	if (!ret)
		ret = put_pf(w, pf);
	if (!ret)
		ret = put_vlans(w, pf);
	if (!ret)
		ret = put_uc(w, pf);
	return ret;
}

/**
 * igb_vf_put_final() - write the records of the final part
 * @w: writer
 * @regs: registers
 * @mbx: mailbox
 * @counters: counters
 *
 * Context: any.
 * Return: 0 or -ENOSPC.
 */
int igb_vf_put_final(struct vfio_mig_writer *w, const struct igb_vf_regs *regs,
		     const struct igb_vf_mailbox *mbx,
		     const struct igb_vf_counters *counters)
{
	int ret = put(w, IGB_VF_RECORD_REGS, regs, sizeof(*regs));

	if (!ret)
		ret = put(w, IGB_VF_RECORD_MAILBOX, mbx, sizeof(*mbx));
	if (!ret)
		ret = put(w, IGB_VF_RECORD_COUNTERS, counters, sizeof(*counters));
	return ret;
}

static int get_identity(const struct vfio_mig_reader *r, const void *stream)
{
	struct igb_vf_identity identity;

	memcpy(&identity, vfio_mig_payload(r, stream, IGB_VF_RECORD_IDENTITY, NULL),
	       sizeof(identity));
	if (le32_to_cpu(identity.bar0_size) != IGB_VF_BAR0_SIZE ||
	    le16_to_cpu(identity.queues) != IGB_VF_NR_QUEUES ||
	    le16_to_cpu(identity.vectors) != IGB_VF_NR_VECTORS)
		return -EXDEV;
	return 0;
}

static int get_pf(const struct vfio_mig_reader *r, const void *stream,
		  struct igb_pf_state *pf)
{
	struct igb_vf_pf rec;
	unsigned int i;

	memcpy(&rec, vfio_mig_payload(r, stream, IGB_VF_RECORD_PF, NULL),
	       sizeof(rec));
	pf->flags = le32_to_cpu(rec.flags);
	pf->mc_count = le16_to_cpu(rec.mc_count);
	pf->max_frame = le32_to_cpu(rec.max_frame);
	pf->promisc = le32_to_cpu(rec.promisc);
	memcpy(pf->mac, rec.mac, sizeof(pf->mac));
	for (i = 0; i < IGB_VF_MAX_MC_HASHES; i++)
		pf->mc_hashes[i] = le16_to_cpu(rec.mc_hashes[i]);

	/* Counts and info fields have eight bits in a message. */
	if (pf->flags & ~IGB_VF_PF_FLAGS || pf->mc_count > 255 || pf->promisc > 255)
		return -EINVAL;
	return 0;
}

static void get_vlans(const struct vfio_mig_reader *r, const void *stream,
		      struct igb_pf_state *pf)
{
	const void *vlans;

	vlans = vfio_mig_payload(r, stream, IGB_VF_RECORD_VLANS, NULL);
	if (vlans)
		memcpy(pf->vlans, vlans, sizeof(pf->vlans));
}

static int get_uc(const struct vfio_mig_reader *r, const void *stream,
		  struct igb_pf_state *pf)
{
	const void *list;
	u32 len;

	list = vfio_mig_payload(r, stream, IGB_VF_RECORD_UC, &len);
	if (!list)
		return 0;
	if (len % MAC_LEN)
		return -EINVAL;
	memcpy(pf->uc, list, len);
	pf->nr_uc = len / MAC_LEN;
	return 0;
}

/**
 * igb_vf_get_initial() - take the initial part out of a checked stream
 * @r: reader that has seen the initial part
 * @stream: the stream
 * @pf: filled in
 *
 * Context: any.
 * Return: 0; -EXDEV where the device had another shape; -EINVAL for values that
 * no message can have.
 */
int igb_vf_get_initial(const struct vfio_mig_reader *r, const void *stream,
		       struct igb_pf_state *pf)
{
	int ret = get_identity(r, stream);

	memset(pf, 0, sizeof(*pf));
	if (!ret)
		ret = get_pf(r, stream, pf);
	if (ret)
		return ret;
	get_vlans(r, stream, pf);
	return get_uc(r, stream, pf);
}

/**
 * igb_vf_get_final() - take the final part out of a checked stream
 * @r: reader that has seen the whole stream
 * @stream: the stream
 * @regs: filled in
 * @mbx: filled in
 * @counters: filled in
 *
 * Any register value is fine: the VF's owner can write each of them at will.
 * Context: any.
 */
void igb_vf_get_final(const struct vfio_mig_reader *r, const void *stream,
		      struct igb_vf_regs *regs, struct igb_vf_mailbox *mbx,
		      struct igb_vf_counters *counters)
{
	memcpy(regs, vfio_mig_payload(r, stream, IGB_VF_RECORD_REGS, NULL),
	       sizeof(*regs));
	memcpy(mbx, vfio_mig_payload(r, stream, IGB_VF_RECORD_MAILBOX, NULL),
	       sizeof(*mbx));
	memcpy(counters, vfio_mig_payload(r, stream, IGB_VF_RECORD_COUNTERS, NULL),
	       sizeof(*counters));
}
