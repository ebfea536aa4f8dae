// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <zlib.h>

#include "records.h"

/* -EINVAL where the records do not add up to the stream */
int parse(struct mig_stream *stream, struct layout *layout)
{
	size_t pos = sizeof(struct vfio_mig_stream_header);
	struct vfio_mig_stream_record *head;
	struct record *rec;

	layout->nr = 0;
	while (pos < stream->len) {
		if (layout->nr == MAX_RECORDS ||
		    stream->len - pos < sizeof(*head))
			return -EINVAL;
		head = record_at(stream, pos);
		rec = &layout->rec[layout->nr++];
		rec->start = pos;
		rec->payload = pos + sizeof(*head);
		rec->end = rec->payload + le32toh(head->length);
		rec->type = le16toh(head->type);
		if (rec->end > stream->len)
			return -EINVAL;
		pos = rec->end;
	}
	return 0;
}

static __u32 sum(const struct mig_stream *stream, size_t start, size_t end)
{
	return crc32(0, stream->data + start, end - start);
}

void sign_record(struct mig_stream *stream, const struct record *rec)
{
	struct vfio_mig_stream_record *head = record_at(stream, rec->start);
	__u32 crc = crc32(0, (void *)head, offsetof(typeof(*head), crc));

	head->crc = htole32(crc32(crc, stream->data + rec->payload,
				  rec->end - rec->payload));
}

/* Makes all checksums and counts right again after a change of the rest */
int sign(struct mig_stream *stream)
{
	struct vfio_mig_stream_header *header = (void *)stream->data;
	unsigned int i, records = 0;
	struct vfio_mig_stream_seal *seal;
	struct layout layout;
	size_t part = 0;

	header->crc = htole32(sum(stream, 0, offsetof(typeof(*header), crc)));
	if (parse(stream, &layout))
		return -EINVAL;
	for (i = 0; i < layout.nr; i++) {
		if (layout.rec[i].type == VFIO_MIG_RECORD_SEAL) {
			seal = (void *)(stream->data + layout.rec[i].payload);
			seal->records = htole32(records);
			seal->crc = htole32(sum(stream, part,
						layout.rec[i].start));
			part = layout.rec[i].end;
			records = 0;
		} else {
			records++;
		}
		sign_record(stream, &layout.rec[i]);
	}
	return 0;
}

/* Makes room for @len bytes at @pos, or takes away -@len of them */
void resize(struct mig_stream *stream, size_t pos, ssize_t len)
{
	size_t from = len < 0 ? pos - len : pos;

	memmove(stream->data + from + len, stream->data + from,
		stream->len - from);
	stream->len += len;
}

void insert_record(struct mig_stream *stream, size_t pos, __u16 type,
		   __u16 flags, size_t len)
{
	struct vfio_mig_stream_record *head;

	resize(stream, pos, sizeof(*head) + len);
	head = record_at(stream, pos);
	head->type = htole16(type);
	head->flags = htole16(flags);
	head->length = htole32(len);
	memset(head + 1, 0x5a, len);
}

const struct record *nth(const struct layout *layout, __u16 type,
			 unsigned int n)
{
	unsigned int i;

	for (i = 0; i < layout->nr; i++)
		if (layout->rec[i].type == type && !n--)
			return &layout->rec[i];
	return NULL;
}

void drop(struct mig_stream *stream, const struct record *rec)
{
	resize(stream, rec->start, -(ssize_t)record_size(rec));
}

/* Puts the bytes of [@start, @end) in once more at @pos */
void repeat(struct mig_stream *stream, size_t start, size_t end, size_t pos)
{
	__u8 copy[MIG_MAX_STREAM];

	memcpy(copy, stream->data + start, end - start);
	resize(stream, pos, end - start);
	memcpy(stream->data + pos, copy, end - start);
}
