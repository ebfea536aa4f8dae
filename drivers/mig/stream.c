// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration stream: writing one, and checking one as it arrives. The
 * format is described in <uapi/linux/vfio_pci_mig.h>.
 *
 * The reader trusts no byte. It looks at a record only once all of it is there,
 * never reads past @len, and remembers where payloads are by offset, so that
 * the buffer may be moved while it grows.
 */
#include <linux/vfio_pci_mig_stream.h>

static u32 stream_crc(u32 crc, const void *data, size_t len)
{
#ifdef __KERNEL__
	return ~crc32_le(~crc, data, len);
#else
	/* zlib takes a null pointer for the wish to begin anew. */
	return len ? crc32(crc, data, len) : crc;
#endif
}

static u32 header_crc(const struct vfio_mig_stream_header *header)
{
	return stream_crc(0, header, offsetof(struct vfio_mig_stream_header, crc));
}

static u32 record_crc(const struct vfio_mig_stream_record *rec,
		      const void *payload, u32 len)
{
	u32 crc = stream_crc(0, rec, offsetof(struct vfio_mig_stream_record, crc));

	return stream_crc(crc, payload, len);
}

/**
 * vfio_mig_writer_init() - begin a stream
 * @w: writer to set up
 * @format: names the device
 * @buf: buffer for the whole stream, no smaller than the header
 * @size: bytes of @buf
 *
 * Writes the header, which the first part begins with. Context: any.
 */
void vfio_mig_writer_init(struct vfio_mig_writer *w,
			  const struct vfio_mig_stream_format *format,
			  void *buf, size_t size)
{
	struct vfio_mig_stream_header header = {
		.magic = cpu_to_le64(VFIO_MIG_STREAM_MAGIC),
		.major = cpu_to_le16(VFIO_MIG_STREAM_MAJOR),
		.minor = cpu_to_le16(VFIO_MIG_STREAM_MINOR),
		.vendor = cpu_to_le16(format->vendor),
		.device = cpu_to_le16(format->device),
	};

	header.crc = cpu_to_le32(header_crc(&header));
	memcpy(buf, &header, sizeof(header));
	*w = (struct vfio_mig_writer) {
		.buf = buf,
		.size = size,
		.len = sizeof(header),
		.total = sizeof(header),
	};
}
EXPORT_SYMBOL_GPL(vfio_mig_writer_init);

/**
 * vfio_mig_writer_rewind() - use the buffer again, from its first byte on
 * @w: writer, between two parts; all that it has written is needed no more
 *
 * Context: any.
 */
void vfio_mig_writer_rewind(struct vfio_mig_writer *w)
{
	w->len = 0;
	w->part_start = 0;
}
EXPORT_SYMBOL_GPL(vfio_mig_writer_rewind);

/**
 * vfio_mig_begin_part() - say which part the records to come belong to
 * @w: writer that has just been set up, or whose last part has been sealed
 * @part: VFIO_MIG_PART_INITIAL or VFIO_MIG_PART_FINAL
 *
 * Context: any.
 */
void vfio_mig_begin_part(struct vfio_mig_writer *w, u32 part)
{
	w->part = part;
	w->part_records = 0;
}
EXPORT_SYMBOL_GPL(vfio_mig_begin_part);

/**
 * vfio_mig_put_record() - append a record to the part that is open
 * @w: writer
 * @type: type of the record
 * @flags: VFIO_MIG_RECORD_CRITICAL or 0
 * @payload: its payload, already little-endian
 * @len: bytes of @payload
 *
 * Context: any.
 * Return: 0, or -ENOSPC where the buffer is full.
 */
int vfio_mig_put_record(struct vfio_mig_writer *w, u16 type, u16 flags,
			const void *payload, u32 len)
{
	struct vfio_mig_stream_record rec = {
		.type = cpu_to_le16(type),
		.flags = cpu_to_le16(flags),
		.length = cpu_to_le32(len),
	};

	if (w->size - w->len < sizeof(rec) ||
	    w->size - w->len - sizeof(rec) < len)
		return -ENOSPC;

	rec.crc = cpu_to_le32(record_crc(&rec, payload, len));
	memcpy(w->buf + w->len, &rec, sizeof(rec));
	if (len)
		memcpy(w->buf + w->len + sizeof(rec), payload, len);
	w->len += sizeof(rec) + len;
	w->total += sizeof(rec) + len;
	w->part_records++;
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_mig_put_record);

/**
 * vfio_mig_put_seal() - close the open part
 * @w: writer
 *
 * Context: any.
 * Return: 0, or -ENOSPC where the buffer is full.
 */
int vfio_mig_put_seal(struct vfio_mig_writer *w)
{
	struct vfio_mig_stream_seal seal = {
		.part = cpu_to_le32(w->part),
		.records = cpu_to_le32(w->part_records),
		.crc = cpu_to_le32(stream_crc(0, w->buf + w->part_start,
					      w->len - w->part_start)),
	};
	int ret;

	ret = vfio_mig_put_record(w, VFIO_MIG_RECORD_SEAL,
				  VFIO_MIG_RECORD_CRITICAL, &seal, sizeof(seal));
	if (ret)
		return ret;
	w->part_start = w->len;
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_mig_put_seal);

/**
 * vfio_mig_put_end() - end the stream
 * @w: writer, all of whose parts have been sealed
 *
 * Context: any.
 * Return: 0, or -ENOSPC where the buffer is full.
 */
int vfio_mig_put_end(struct vfio_mig_writer *w)
{
	return vfio_mig_put_record(w, VFIO_MIG_RECORD_END,
				   VFIO_MIG_RECORD_CRITICAL, NULL, 0);
}
EXPORT_SYMBOL_GPL(vfio_mig_put_end);

/**
 * vfio_mig_reader_init() - begin to check a stream
 * @r: reader to set up
 * @format: what the stream has to look like; kept
 *
 * Context: any.
 */
void vfio_mig_reader_init(struct vfio_mig_reader *r,
			  const struct vfio_mig_stream_format *format)
{
	memset(r, 0, sizeof(*r));
	r->format = format;
	r->part = VFIO_MIG_PART_INITIAL;
}
EXPORT_SYMBOL_GPL(vfio_mig_reader_init);

static int read_header(struct vfio_mig_reader *r, const u8 *buf)
{
	struct vfio_mig_stream_header header;

	memcpy(&header, buf, sizeof(header));
	if (le64_to_cpu(header.magic) != VFIO_MIG_STREAM_MAGIC)
		return -EINVAL;
	if (le32_to_cpu(header.crc) != header_crc(&header))
		return -EBADMSG;
	if (le16_to_cpu(header.major) > VFIO_MIG_STREAM_MAJOR)
		return -EPROTONOSUPPORT;
	if (le16_to_cpu(header.major) != VFIO_MIG_STREAM_MAJOR)
		return -EINVAL;
	if (le16_to_cpu(header.vendor) != r->format->vendor ||
	    le16_to_cpu(header.device) != r->format->device)
		return -EXDEV;

	r->header_done = true;
	r->pos = sizeof(header);
	return 0;
}

static int kind_index(const struct vfio_mig_stream_format *format, u16 type)
{
	unsigned int i;

	for (i = 0; i < format->nr_kinds; i++)
		if (format->kinds[i].type == type)
			return i;
	return -1;
}

/* The first record of a part says which part it is. */
static void enter_part(struct vfio_mig_reader *r, u32 part)
{
	unsigned int i;

	r->part = part;
	for (i = 0; i < r->format->nr_kinds; i++)
		if (r->format->kinds[i].part == part)
			r->payload[i].present = false;
}

static int read_device_record(struct vfio_mig_reader *r, u16 type, u16 flags,
			      u32 payload, u32 len)
{
	const struct vfio_mig_record_kind *kind;
	int i = kind_index(r->format, type);

	if (i < 0)
		return flags & VFIO_MIG_RECORD_CRITICAL ? -EINVAL : 0;

	kind = &r->format->kinds[i];
	if (r->part == VFIO_MIG_NR_PARTS)
		enter_part(r, kind->part);
	if (kind->part != r->part || r->payload[i].present ||
	    len < kind->min_len || len > kind->max_len)
		return -EINVAL;

	r->payload[i].offset = payload;
	r->payload[i].len = len;
	r->payload[i].present = true;
	return 0;
}

static int check_required(const struct vfio_mig_reader *r)
{
	unsigned int i;

	for (i = 0; i < r->format->nr_kinds; i++)
		if (r->format->kinds[i].part == r->part &&
		    r->format->kinds[i].required && !r->payload[i].present)
			return -EINVAL;
	return 0;
}

/* @start is the offset of the seal's own record, @end that of what follows. */
static int read_seal(struct vfio_mig_reader *r, const u8 *buf, size_t start,
		     size_t end)
{
	struct vfio_mig_stream_seal seal;
	int ret;

	if (end - start != sizeof(struct vfio_mig_stream_record) + sizeof(seal))
		return -EINVAL;
	memcpy(&seal, buf + end - sizeof(seal), sizeof(seal));
	if (r->part == VFIO_MIG_NR_PARTS || le32_to_cpu(seal.part) != r->part ||
	    le32_to_cpu(seal.records) != r->part_records)
		return -EINVAL;
	if (le32_to_cpu(seal.crc) !=
	    stream_crc(0, buf + r->part_start, start - r->part_start))
		return -EBADMSG;
	ret = check_required(r);
	if (ret)
		return ret;

	r->seals[r->part]++;
	r->part = VFIO_MIG_NR_PARTS;
	r->part_start = end;
	r->part_records = 0;
	return 0;
}

static int read_body(struct vfio_mig_reader *r, const u8 *buf,
		     const struct vfio_mig_stream_record *rec, size_t payload,
		     u32 len)
{
	u16 type = le16_to_cpu(rec->type);

	/* Behind the final part there is the end, and nothing behind that. */
	if (r->seals[VFIO_MIG_PART_FINAL]) {
		if (type != VFIO_MIG_RECORD_END || len)
			return -EINVAL;
		r->ended = true;
		return 0;
	}
	if (type == VFIO_MIG_RECORD_END)
		return -EINVAL;
	if (type == VFIO_MIG_RECORD_SEAL)
		return read_seal(r, buf, payload - sizeof(*rec), payload + len);

	r->part_records++;
	return read_device_record(r, type, le16_to_cpu(rec->flags), payload, len);
}

/* Returns 1 after a whole record, 0 where more bytes are needed. */
static int read_record(struct vfio_mig_reader *r, const u8 *buf, size_t avail)
{
	struct vfio_mig_stream_record rec;
	size_t payload = r->pos + sizeof(rec);
	u32 len;
	int ret;

	if (avail < sizeof(rec))
		return 0;
	memcpy(&rec, buf + r->pos, sizeof(rec));
	len = le32_to_cpu(rec.length);
	if (len > VFIO_MIG_STREAM_MAX)
		return -EINVAL;
	if (avail - sizeof(rec) < len)
		return 0;
	if (le32_to_cpu(rec.crc) != record_crc(&rec, buf + payload, len))
		return -EBADMSG;

	ret = read_body(r, buf, &rec, payload, len);
	if (ret)
		return ret;
	r->pos = payload + len;
	return 1;
}

/**
 * vfio_mig_read_more() - check what has arrived of a stream
 * @r: reader
 * @buf: the stream from its first byte on
 * @len: bytes of it that are there, never fewer than at the call before
 *
 * Checks each record once. Context: any.
 *
 * Return: 0 where all that is there is good, be it the whole stream
 * (@r->ended) or the start of one; else one of the errors that
 * <uapi/linux/vfio_pci_mig.h> lists, and the same again at every later call.
 */
int vfio_mig_read_more(struct vfio_mig_reader *r, const void *buf, size_t len)
{
	int ret = 1;

	if (r->error)
		return r->error;

	if (!r->header_done) {
		if (len < sizeof(struct vfio_mig_stream_header))
			return 0;
		r->error = read_header(r, buf);
		if (r->error)
			return r->error;
	}
	while (ret > 0 && !r->ended)
		ret = read_record(r, buf, len - r->pos);
	if (ret >= 0 && r->ended && r->pos != len)
		ret = -EINVAL;
	if (ret < 0)
		r->error = ret;
	return r->error;
}
EXPORT_SYMBOL_GPL(vfio_mig_read_more);

/**
 * vfio_mig_payload() - find a record of a checked stream
 * @r: reader that has seen the part that the record is in
 * @buf: the stream
 * @type: type of the record, one of the format's kinds
 * @len: set to the bytes of payload; may be NULL
 *
 * The payload need not be aligned. Context: any.
 * Return: the payload, or NULL where the stream has no such record.
 */
const void *vfio_mig_payload(const struct vfio_mig_reader *r, const void *buf,
			     u16 type, u32 *len)
{
	int i = kind_index(r->format, type);

	if (i < 0 || !r->payload[i].present)
		return NULL;
	if (len)
		*len = r->payload[i].len;
	return (const u8 *)buf + r->payload[i].offset;
}
EXPORT_SYMBOL_GPL(vfio_mig_payload);
