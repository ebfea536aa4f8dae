// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest and a PF that say anything to each other through the driver's trap.
 *
 * Whatever it was, what the driver has learnt from it makes an initial part that
 * its own decoder takes. And where the guest keeps to the protocol, a PF that is
 * told of it by the driver knows in the end just what the first one does.
 *
 * The input is a polite byte, odd where the guest is polite, and then the steps.
 */
#include "fuzz.h"
#include "model.h"

#define STREAM_ROOM	4096

/* What is left of the input; at its end there are only zeros */
struct input {
	const u8 *data;
	size_t len;
};

enum step {
	SEND,		/* a whole message, as a driver does */
	ANSWER_YES,
	ANSWER_NO,
	PING,
	LOOK,
	VF_RST,
	READ,
	WRITE,
	PF_WRITES,
	MOVE,
	NR_STEPS
};

static u8 next(struct input *in)
{
	if (!in->len)
		return 0;
	in->len--;
	return *in->data++;
}

static u32 next_word(struct input *in)
{
	u32 val = next(in);

	val |= (u32)next(in) << 8;
	val |= (u32)next(in) << 16;
	return val | (u32)next(in) << 24;
}

static void open_vf(struct igb_vf *vf, struct model *model, bool mute)
{
	memset(vf, 0, sizeof(*vf));
	vf->mig.core.pdev = &model_pdev;
	vf->mig.io = model->bar;
	model_reset(model, mute);
}

static u32 guest(struct igb_vf *vf, u32 reg, u32 val, bool write)
{
	igb_vf_access(&vf->mig, reg, &val, write);
	return val;
}

static void send_message(struct igb_vf *vf, struct input *in)
{
	u32 msg[IGB_VF_MBX_DWORDS];
	unsigned int i;

	msg[0] = next(in) % 8;
	msg[0] |= (u32)next(in) << 16;
	for (i = 1; i < igb_pf_msg_len(msg[0]); i++)
		msg[i] = next_word(in);
	guest(vf, V2PMAILBOX, V2PMAILBOX_VFU, true);
	for (i = 0; i < igb_pf_msg_len(msg[0]); i++)
		guest(vf, VMBMEM(i), msg[i], true);
	guest(vf, V2PMAILBOX, V2PMAILBOX_REQ, true);
}

static void must(bool holds)
{
	if (!holds)
		abort();
}

static size_t write_initial(const struct igb_pf_state *pf, u8 *stream)
{
	struct vfio_mig_writer writer;

	vfio_mig_writer_init(&writer, &igb_vf_format, stream, STREAM_ROOM);
	vfio_mig_begin_part(&writer, VFIO_MIG_PART_INITIAL);
	must(!igb_vf_put_initial(&writer, pf));
	must(!vfio_mig_put_seal(&writer));
	return writer.len;
}

/* What @pf makes the stream say, @after says again */
static void through_the_stream(const struct igb_pf_state *pf,
			       struct igb_pf_state *after)
{
	struct vfio_mig_reader reader;
	u8 stream[STREAM_ROOM], again[STREAM_ROOM];
	size_t len = write_initial(pf, stream);

	vfio_mig_reader_init(&reader, &igb_vf_format);
	must(!vfio_mig_read_more(&reader, stream, len));
	must(reader.seals[VFIO_MIG_PART_INITIAL]);
	must(!igb_vf_get_initial(&reader, stream, after));
	must(write_initial(after, again) == len);
	must(!memcmp(stream, again, len));
}

/* The driver's part of a migration, of which it says whether all went well */
static int move(struct igb_vf *from, struct igb_vf *to, bool babbles)
{
	struct igb_vf_mailbox mbx;
	struct igb_pf_state pf;
	int ret;

	models[0].mute = false;
	igb_vf_mbx_settle(from);
	igb_vf_mbx_save(from, &mbx);
	through_the_stream(&from->pf, &pf);

	open_vf(to, &models[1], false);
	models[1].babbles = babbles;
	ret = igb_vf_pf_replay(to, &pf);
	if (!ret)
		ret = igb_vf_mbx_load(to, &mbx);
	models[0].mute = true;
	return ret;
}

static void step(struct igb_vf *vf, struct igb_vf *other, struct input *in,
		 bool polite)
{
	struct model *model = &models[0];
	u32 reg;

	switch (next(in) % NR_STEPS) {
	case SEND:
		if (!polite || !model->requested)
			send_message(vf, in);
		break;
	case ANSWER_YES:
		model_answer(model, MODEL_YES);
		break;
	case ANSWER_NO:
		model_answer(model, MODEL_NO);
		break;
	case PING:
		if (!polite || !vf->mbx.pending)
			model_ping(model);
		break;
	case LOOK:
		guest(vf, V2PMAILBOX, 0, false);
		break;
	case VF_RST:
		guest(vf, VTCTRL, VTCTRL_RST, true);
		break;
	case READ:
		guest(vf, next_word(in) % IGB_VF_BAR0_SIZE & ~3U, 0, false);
		break;
	case WRITE:
		reg = next_word(in) % IGB_VF_BAR0_SIZE & ~3U;
		if (!polite)
			guest(vf, reg, next_word(in), true);
		break;
	case PF_WRITES:
		reg = next(in) % IGB_VF_MBX_DWORDS;
		if (!polite) {
			model->vmbmem[reg] = next_word(in);
			model->v2p = next(in);
			model->other = next_word(in);
		}
		break;
	case MOVE:
		move(vf, other, !polite && next(in) & 1);
		break;
	}
}

int fuzz_one(const u8 *data, size_t len)
{
	struct input in = { .data = data, .len = len };
	bool polite = next(&in) & 1;
	struct igb_vf vf, other;

	jiffies = 0;
	open_vf(&vf, &models[0], true);
	while (in.len)
		step(&vf, &other, &in, polite);
	if (polite) {
		must(!move(&vf, &other, false));
		must(!memcmp(&models[0].pf, &models[1].pf,
			     sizeof(models[0].pf)));
	}
	return 0;
}
