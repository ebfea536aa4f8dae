/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writing and checking the migration stream. This code knows neither files nor
 * devices, and compiles in userspace too, where the tool, the tests and the
 * fuzzer use it.
 */
#ifndef _LINUX_VFIO_PCI_MIG_STREAM_H
#define _LINUX_VFIO_PCI_MIG_STREAM_H

#include <uapi/linux/vfio_pci_mig.h>

#ifdef __KERNEL__
#include <linux/array_size.h>
#include <linux/crc32.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/byteorder.h>
#else
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <zlib.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define le16_to_cpu(x)	le16toh(x)
#define le32_to_cpu(x)	le32toh(x)
#define le64_to_cpu(x)	le64toh(x)
#define cpu_to_le16(x)	htole16(x)
#define cpu_to_le32(x)	htole32(x)
#define cpu_to_le64(x)	htole64(x)
#define EXPORT_SYMBOL_GPL(sym)	struct sym##_is_exported
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#endif

/* Kinds of record that one device half may define. */
#define VFIO_MIG_MAX_KINDS	16

/**
 * struct vfio_mig_record_kind - a record that a device half understands
 * @type: type field, VFIO_MIG_RECORD_DEVICE or above
 * @part: part of the stream that it belongs to
 * @required: a stream without it is refused
 * @min_len: fewest bytes of payload
 * @max_len: most bytes of payload
 */
struct vfio_mig_record_kind {
	u16 type;
	u8 part;
	bool required;
	u32 min_len;
	u32 max_len;
};

/**
 * struct vfio_mig_stream_format - what streams of one kind of device look like
 * @vendor: PCI vendor id
 * @device: PCI device id
 * @nr_kinds: entries of @kinds, at most VFIO_MIG_MAX_KINDS
 * @kinds: the records, each of which may occur once in its part
 * @max_size: upper bound in bytes of a stream of one initial and the final part
 *	that the device half writes
 */
struct vfio_mig_stream_format {
	u16 vendor;
	u16 device;
	unsigned int nr_kinds;
	const struct vfio_mig_record_kind *kinds;
	size_t max_size;
};

/**
 * struct vfio_mig_writer - a stream being written
 * @buf: where it is written
 * @size: bytes of @buf
 * @len: bytes in @buf
 * @total: bytes written so far, be they still in @buf or not
 * @part: part being written
 * @part_start: offset of the part's first byte
 * @part_records: records in the part so far
 */
struct vfio_mig_writer {
	u8 *buf;
	size_t size;
	size_t len;
	size_t total;
	u32 part;
	size_t part_start;
	u32 part_records;
};

/**
 * struct vfio_mig_payload - where in the stream a record's payload is
 * @offset: of its first byte
 * @len: in bytes
 * @present: the record has been seen
 */
struct vfio_mig_payload {
	u32 offset;
	u32 len;
	bool present;
};

/**
 * struct vfio_mig_reader - a stream being checked as it arrives
 * @format: what is expected
 * @pos: bytes checked so far
 * @part: part that is being read; VFIO_MIG_NR_PARTS between two parts, for as
 *	long as no record has shown which it is
 * @part_start: offset of the part's first byte
 * @part_records: records in the part so far
 * @seals: how many parts of each kind have been sealed
 * @header_done: the header has been checked
 * @ended: the end record has been seen
 * @error: first error found, kept for good
 * @payload: indexed like the format's kinds
 */
struct vfio_mig_reader {
	const struct vfio_mig_stream_format *format;
	size_t pos;
	u32 part;
	size_t part_start;
	u32 part_records;
	u32 seals[VFIO_MIG_NR_PARTS];
	bool header_done;
	bool ended;
	int error;
	struct vfio_mig_payload payload[VFIO_MIG_MAX_KINDS];
};

void vfio_mig_writer_init(struct vfio_mig_writer *w,
			  const struct vfio_mig_stream_format *format,
			  void *buf, size_t size);
void vfio_mig_writer_rewind(struct vfio_mig_writer *w);
void vfio_mig_begin_part(struct vfio_mig_writer *w, u32 part);
int vfio_mig_put_record(struct vfio_mig_writer *w, u16 type, u16 flags,
			const void *payload, u32 len);
int vfio_mig_put_seal(struct vfio_mig_writer *w);
int vfio_mig_put_end(struct vfio_mig_writer *w);

void vfio_mig_reader_init(struct vfio_mig_reader *r,
			  const struct vfio_mig_stream_format *format);
int vfio_mig_read_more(struct vfio_mig_reader *r, const void *buf, size_t len);
const void *vfio_mig_payload(const struct vfio_mig_reader *r, const void *buf,
			     u16 type, u32 *len);

#endif /* _LINUX_VFIO_PCI_MIG_STREAM_H */
