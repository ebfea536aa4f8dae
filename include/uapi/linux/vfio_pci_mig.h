/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What a device driven through vfio_pci_mig shows to userspace beyond
 * <linux/vfio.h>: the format of the migration stream that its data_fd carries.
 */
#ifndef _UAPI_LINUX_VFIO_PCI_MIG_H
#define _UAPI_LINUX_VFIO_PCI_MIG_H

#include <linux/types.h>

/**
 * DOC: migration stream
 *
 * All integers are little-endian. A stream is a header, one or more initial
 * parts, the final part, and an end record. Nothing may follow it. A part is its
 * records and a seal. Records are not padded.
 *
 * The initial part says what the device is and what its PF has to know. It is
 * sent in PRE_COPY, and once more, whole, each time that it has changed: the last
 * one counts. The final part is the state of the stopped device. A seal counts
 * the records of its part and sums up all of its bytes, so that a part is known
 * to be whole before any of it is applied.
 *
 * How a write() to the data_fd, and the arc out of RESUMING, refuse a stream:
 *
 * =================== ======================================================
 * EBADMSG             a CRC-32 does not match
 * EPROTONOSUPPORT     the major version is newer than the driver's
 * EXDEV               the stream was saved from another kind of device
 * EFBIG               it is longer than VFIO_MIG_STREAM_MAX
 * EINVAL              anything else: bad magic, lengths, order, a critical
 *                     record of unknown type, a missing or repeated record,
 *                     bytes after the end, or (on the arc) an unfinished stream
 * =================== ======================================================
 */

/* "VFMIGSTR" as the first eight bytes read. */
#define VFIO_MIG_STREAM_MAGIC	0x52545347494d4656ULL
#define VFIO_MIG_STREAM_MAJOR	1
#define VFIO_MIG_STREAM_MINOR	0

/* Upper bound in bytes of a whole stream, and so of every record. */
#define VFIO_MIG_STREAM_MAX	65536

/**
 * struct vfio_mig_stream_header - the first bytes of a stream
 * @magic: VFIO_MIG_STREAM_MAGIC
 * @major: a change of it makes older drivers refuse the stream
 * @minor: a change of it adds only what older drivers may skip
 * @vendor: PCI vendor id of the saved device
 * @device: PCI device id of the saved device
 * @reserved: zero when written, ignored when read
 * @crc: CRC-32 of the header's bytes before this field
 *
 * The layout of the header is the same in all major versions.
 */
struct vfio_mig_stream_header {
	__le64 magic;
	__le16 major;
	__le16 minor;
	__le16 vendor;
	__le16 device;
	__le32 reserved;
	__le32 crc;
} __attribute__((packed));

/**
 * struct vfio_mig_stream_record - what precedes the payload of each record
 * @type: one of the types below, or of the device half's own from
 *	VFIO_MIG_RECORD_DEVICE on
 * @flags: VFIO_MIG_RECORD_CRITICAL; other bits are ignored
 * @length: bytes of payload that follow
 * @crc: CRC-32 of @type, @flags, @length and then the payload
 *
 * CRC-32 is the one that zlib's crc32() computes.
 */
struct vfio_mig_stream_record {
	__le16 type;
	__le16 flags;
	__le32 length;
	__le32 crc;
} __attribute__((packed));

/* A reader that does not know the type must refuse the stream. */
#define VFIO_MIG_RECORD_CRITICAL	(1 << 0)

#define VFIO_MIG_RECORD_SEAL		1	/* struct vfio_mig_stream_seal */
#define VFIO_MIG_RECORD_END		2	/* no payload */
#define VFIO_MIG_RECORD_DEVICE		0x100

#define VFIO_MIG_PART_INITIAL		0
#define VFIO_MIG_PART_FINAL		1
#define VFIO_MIG_NR_PARTS		2

/**
 * struct vfio_mig_stream_seal - closes a part of the stream
 * @part: VFIO_MIG_PART_INITIAL or VFIO_MIG_PART_FINAL
 * @records: number of records in the part, this one not counted
 * @crc: CRC-32 of all bytes from the start of the part to the start of this
 *	record; the first part starts with the stream's header
 */
struct vfio_mig_stream_seal {
	__le32 part;
	__le32 records;
	__le32 crc;
} __attribute__((packed));

#endif /* _UAPI_LINUX_VFIO_PCI_MIG_H */
