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

/**
 * DOC: extension region
 *
 * What is not standard uAPI is found from one device-specific region. Its
 * VFIO_REGION_INFO_CAP_TYPE is VFIO_REGION_TYPE_PCI_VENDOR_TYPE with the device's
 * PCI vendor id, and VFIO_MIG_REGION_SUBTYPE. It is read by read() alone, from
 * the beginning; what one read() returns belongs together.
 *
 * The IRQ indexes that it names lie behind those of <linux/vfio.h>, are counted
 * by num_irqs of VFIO_DEVICE_GET_INFO, have one interrupt each, and take an
 * eventfd by VFIO_DEVICE_SET_IRQS. Who sets none sees what plain vfio-pci shows.
 */
#define VFIO_MIG_REGION_SUBTYPE	0x6d67

/* "VFMIGEXT" as the first eight bytes. */
#define VFIO_MIG_EXT_MAGIC	0x54584547494d4656ULL

/* Severities of an error record. */
#define VFIO_MIG_ERROR_NONE		0
#define VFIO_MIG_ERROR_NONFATAL		1
#define VFIO_MIG_ERROR_FATAL		2	/* the state is ERROR until a reset */
#define VFIO_MIG_ERROR_PERMANENT	3	/* the device does not come back */

/* Flags of an error record. */
#define VFIO_MIG_ERROR_FROZEN		(1 << 0)	/* nothing reached the device */
#define VFIO_MIG_ERROR_LINK_RESET	(1 << 1)	/* the host has reset the link */

/**
 * struct vfio_mig_error - the last PCI error that the device was told of
 * @count: errors since the device was opened; 0: the rest is zero
 * @time: CLOCK_BOOTTIME in ns
 * @severity: VFIO_MIG_ERROR_NONE and so on
 * @flags: VFIO_MIG_ERROR_FROZEN, VFIO_MIG_ERROR_LINK_RESET
 * @uncor_status: Uncorrectable Error Status of the device's AER capability, PCIe
 *	7.8.4.2, all ones where it did not answer
 * @cor_status: Correctable Error Status, 7.8.4.5
 * @header_log: Header Log, 7.8.4.8
 *
 * Another device below the same port may have been at fault: then @uncor_status is
 * zero.
 */
struct vfio_mig_error {
	__u64 count;
	__u64 time;
	__u32 severity;
	__u32 flags;
	__u32 uncor_status;
	__u32 cor_status;
	__u32 header_log[4];
};

/**
 * struct vfio_mig_ext - the extension region
 * @magic: VFIO_MIG_EXT_MAGIC
 * @size: bytes of what is there; newer drivers may add to the end
 * @irq_nonfatal: IRQ index that tells of a non-fatal error; where it has no
 *	eventfd, VFIO_PCI_ERR_IRQ_INDEX does
 * @irq_recovered: IRQ index that tells of the end of a recovery
 * @reserved: zero
 * @error: the last error
 */
struct vfio_mig_ext {
	__u64 magic;
	__u32 size;
	__u32 irq_nonfatal;
	__u32 irq_recovered;
	__u32 reserved;
	struct vfio_mig_error error;
};

#endif /* _UAPI_LINUX_VFIO_PCI_MIG_H */
