// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why the decoder has refused a stream, in words. The decoder says that it does, and
 * at which byte; what is at fault is looked up there.
 */
#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "decode.h"

struct words {
	char *text;
	size_t size;
};

__printf(2, 3)
static void say(const struct words *words, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(words->text, words->size, fmt, args);
	va_end(args);
}

const char *record_name(unsigned int type)
{
	switch (type) {
	case VFIO_MIG_RECORD_SEAL:
		return "SEAL";
	case VFIO_MIG_RECORD_END:
		return "END";
	case IGB_VF_RECORD_IDENTITY:
		return "IDENTITY";
	case IGB_VF_RECORD_PF:
		return "PF";
	case IGB_VF_RECORD_VLANS:
		return "VLANS";
	case IGB_VF_RECORD_UC:
		return "UC";
	case IGB_VF_RECORD_REGS:
		return "REGS";
	case IGB_VF_RECORD_MAILBOX:
		return "MAILBOX";
	case IGB_VF_RECORD_COUNTERS:
		return "COUNTERS";
	default:
		return NULL;
	}
}

static const char *part_name(u32 part)
{
	return part == VFIO_MIG_PART_INITIAL ? "initial" : "final";
}

static void say_header(const struct words *words, int error, const struct buffer *buf)
{
	struct vfio_mig_stream_header h;

	memcpy(&h, buf->data, sizeof(h));
	switch (error) {
	case -EBADMSG:
		say(words, "the checksum of its header is wrong");
		break;
	case -EPROTONOSUPPORT:
		say(words, "it is of version %u.%u, and version %u is the last that is known here",
		    le16toh(h.major), le16toh(h.minor), VFIO_MIG_STREAM_MAJOR);
		break;
	case -EXDEV:
		say(words, "it was saved from a device %04x:%04x, and only %04x:%04x is known here",
		    le16toh(h.vendor), le16toh(h.device), igb_vf_format.vendor,
		    igb_vf_format.device);
		break;
	default:
		if (le64toh(h.magic) != VFIO_MIG_STREAM_MAGIC)
			say(words, "it does not begin with VFMIGSTR");
		else
			say(words, "it is of version %u.%u, which there has never been",
			    le16toh(h.major), le16toh(h.minor));
	}
}

static int kind_of(u16 type)
{
	unsigned int i;

	for (i = 0; i < igb_vf_format.nr_kinds; i++)
		if (igb_vf_format.kinds[i].type == type)
			return i;
	return -1;
}

static const char *missing(const struct vfio_mig_reader *r)
{
	const struct vfio_mig_record_kind *kind;
	unsigned int i;

	for (i = 0; i < igb_vf_format.nr_kinds; i++) {
		kind = &igb_vf_format.kinds[i];
		if (kind->part == r->part && kind->required && !r->payload[i].present)
			return record_name(kind->type);
	}
	return NULL;
}

static void say_seal(const struct words *words, const struct vfio_mig_reader *r,
		     const struct buffer *buf, u32 len)
{
	struct vfio_mig_stream_seal s;

	if (len != sizeof(s)) {
		say(words, "the seal at byte %zu has %u bytes", r->pos, len);
		return;
	}
	memcpy(&s, buf->data + r->pos + sizeof(struct vfio_mig_stream_record), sizeof(s));
	if (r->part == VFIO_MIG_NR_PARTS)
		say(words, "the part that the seal at byte %zu closes has no record", r->pos);
	else if (le32toh(s.part) != r->part)
		say(words, "the seal at byte %zu is for another part than the %s one", r->pos,
		    part_name(r->part));
	else if (le32toh(s.records) != r->part_records)
		say(words, "the seal at byte %zu counts %u records where there are %u", r->pos,
		    le32toh(s.records), r->part_records);
	else
		say(words, "the %s part has no record %s", part_name(r->part),
		    missing(r) ?: "that it must have");
}

static void say_device_record(const struct words *words, const struct vfio_mig_reader *r,
			      u16 type, u32 len)
{
	const struct vfio_mig_record_kind *kind;
	int i = kind_of(type);

	if (i < 0) {
		say(words, "the record at byte %zu, of unknown type 0x%04x, must not be skipped",
		    r->pos, type);
		return;
	}
	kind = &igb_vf_format.kinds[i];
	if (r->part != VFIO_MIG_NR_PARTS && kind->part != r->part)
		say(words, "record %s at byte %zu does not belong in the %s part",
		    record_name(type), r->pos, part_name(r->part));
	else if (len < kind->min_len || len > kind->max_len)
		say(words, "record %s at byte %zu has %u bytes, which cannot be",
		    record_name(type), r->pos, len);
	else
		say(words, "record %s is there a second time at byte %zu",
		    record_name(type), r->pos);
}

static void say_record(const struct words *words, const struct vfio_mig_reader *r,
		       const struct buffer *buf)
{
	struct vfio_mig_stream_record rec;
	u32 len;
	u16 type;

	memcpy(&rec, buf->data + r->pos, sizeof(rec));
	type = le16toh(rec.type);
	len = le32toh(rec.length);
	if (len > VFIO_MIG_STREAM_MAX)
		say(words, "the record at byte %zu claims %u bytes, more than a stream can have",
		    r->pos, len);
	else if (r->error == -EBADMSG)
		say(words, type == VFIO_MIG_RECORD_SEAL ?
		    "a checksum is wrong: that of the seal at byte %zu, or of its part" :
		    "the checksum of the record at byte %zu is wrong", r->pos);
	else if (r->seals[VFIO_MIG_PART_FINAL])
		say(words, "at byte %zu is a record behind the final part that is not its end",
		    r->pos);
	else if (type == VFIO_MIG_RECORD_END)
		say(words, "it ends at byte %zu without a final part", r->pos);
	else if (type == VFIO_MIG_RECORD_SEAL)
		say_seal(words, r, buf, len);
	else
		say_device_record(words, r, type, len);
}

/* @r has refused, or wants more than, the whole of @buf. */
void diagnose(const struct vfio_mig_reader *r, const struct buffer *buf, char *why,
	      size_t size)
{
	const struct words words = { why, size };

	if (!r->error && !buf->len)
		say(&words, "it is empty");
	else if (!r->error)
		say(&words, "it is not whole: it ends after %zu bytes", buf->len);
	else if (!r->header_done)
		say_header(&words, r->error, buf);
	else if (r->ended)
		say(&words, "there are %zu bytes behind its end", buf->len - r->pos);
	else
		say_record(&words, r, buf);
}
