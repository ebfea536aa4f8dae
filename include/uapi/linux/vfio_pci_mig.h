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
 * PCI vendor id, and VFIO_MIG_REGION_SUBTYPE. It begins with a header, struct
 * vfio_mig_ext, which read() returns; what one read() returns belongs together.
 * Behind the header read() gives EINVAL: the fault ring is there to be mapped.
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
 * DOC: fault ring
 *
 * DMA of the device that the IOMMU refused is told to the owner of the device by a
 * ring of entries, which is in the extension region and meant to be mapped:
 *
 * ======================= ============ ==========================================
 * offset                  how mapped   what is there
 * ======================= ============ ==========================================
 * 0                       PROT_READ    one page: struct vfio_mig_ext, live
 * ring.consumer_offset    PROT_READ |  one page: a __u32, the consumer index, and
 *                         PROT_WRITE   nothing else
 * ring.entries_offset     PROT_READ    ring.nr_entries times ring.entry_size bytes
 * ======================= ============ ==========================================
 *
 * Each part is mapped by itself, all of it or some pages, MAP_SHARED. Anything
 * beyond a part is refused with EINVAL; more rights than these with EACCES (newer
 * kernels refuse PROT_EXEC with EPERM), and later on by mprotect() too. Offsets are
 * from the start of the region, which is the offset that
 * VFIO_DEVICE_GET_REGION_INFO gives; the three parts are its sparse mmap areas. The
 * region's flags have no VFIO_REGION_INFO_FLAG_WRITE, since there is nothing that
 * write() could change.
 *
 * Both indexes count entries from 0 and run freely, modulo 2^32. Entry number n is
 * at ring.entries_offset + n % ring.nr_entries * ring.entry_size. A consumer:
 *
 * 1. loads ring.producer with acquire semantics;
 * 2. reads the entries from its consumer index up to, not including, that;
 * 3. stores the new consumer index with release semantics: the entries before it
 *    may be written over from then on;
 * 4. waits for the eventfd of irq_fault, and clears it before it starts again.
 *
 * The eventfd is signalled after each fault that went into the ring, or once for
 * some that came together. The same entries in the ring may have been seen already.
 *
 * The ring is full when it holds nr_entries entries that the consumer index says
 * have not been consumed: a fault that comes then is dropped, and counted in
 * ring.dropped. A consumer index that is nowhere between producer - nr_entries and
 * producer counts as that of a full ring. It is read once for each fault, and harms
 * nobody but its owner: his entries are written over, or his faults dropped.
 *
 * ring.epoch is a number that is new with each opening of the device and with each
 * of its resets, for as long as the device is bound to its driver. An entry has the
 * one that was current when the fault came. What a fault of an earlier epoch asks for
 * is not to be answered any more: the device that did it is gone. An epoch begins
 * when the reset is over; nothing else changes then, and entries of earlier epochs
 * stay to be consumed.
 *
 * An entry whose sequence is not its number was written over, by a consumer index
 * that ran ahead.
 *
 * All openings of a device at one time share one ring, and it has one consumer.
 * A mapping of it keeps the device open, as one of a BAR does. The next user gets
 * new pages.
 *
 * What is not told, and where the bounds are:
 *
 * - ring.sources says whom the driver listens to, not that these have anything to
 *   say: what an IOMMU driver neither reports to the kernel (see
 *   VFIO_MIG_FAULT_SOURCE_DRIVER) nor leaves in VT-d's registers is not told. The
 *   list is the same for devices of a container and of an iommufd.
 * - A fault that an IOMMU driver reports without naming the device (Linux's arm-smmu)
 *   is nobody's. Nor is one of a requester id that is not the device's own, as that
 *   of a bridge on the way: it could be another's.
 * - An IOMMU may see more faults than it tells of. VT-d takes faults of a requester
 *   for one while one of them is pending, and keeps as many as it has records for;
 *   see VFIO_MIG_FAULT_OVERFLOW. Nobody knows how many were lost so, or whose, and
 *   ring.dropped does not have them. Nor those that come while the kernel's handler
 *   is at work on earlier ones, and are seen by it alone.
 */

/* Where a fault is known from; bits in ring.sources, one of them in an entry. */
#define VFIO_MIG_FAULT_SOURCE_VTD	(1 << 0)	/* VT-d's fault recording registers */
#define VFIO_MIG_FAULT_SOURCE_DRIVER	(1 << 1)	/* report_iommu_fault() of the kernel */

/* Flags of a fault. Neither read nor write: the IOMMU does not say. */
#define VFIO_MIG_FAULT_READ	(1 << 0)
#define VFIO_MIG_FAULT_WRITE	(1 << 1)
#define VFIO_MIG_FAULT_PASID	(1 << 2)	/* the request had a PASID */
#define VFIO_MIG_FAULT_REASON	(1 << 3)	/* there is a reason */
/*
 * The IOMMU had no room left to record faults by the time that this one was found.
 * What it lost then was of this device or of any other.
 */
#define VFIO_MIG_FAULT_OVERFLOW	(1 << 4)

/**
 * struct vfio_mig_fault - an entry of the fault ring
 * @iova: the address that was refused; from VT-d, that of its page of 4 KiB
 * @time: when it was found, CLOCK_BOOTTIME in ns
 * @epoch: the epoch that it came in
 * @sequence: the number of the entry
 * @flags: VFIO_MIG_FAULT_READ and so on
 * @source: VFIO_MIG_FAULT_SOURCE_VTD or VFIO_MIG_FAULT_SOURCE_DRIVER
 * @reason: with VFIO_MIG_FAULT_REASON, why: from VT-d the Fault Reason of its
 *	specification
 * @pasid: with VFIO_MIG_FAULT_PASID, the PASID
 * @segment: PCI segment of the device
 * @requester: its requester id: bus in bits 15:8, device in 7:3, function in 2:0
 * @reserved: zero
 */
struct vfio_mig_fault {
	__u64 iova;
	__u64 time;
	__u64 epoch;
	__u32 sequence;
	__u32 flags;
	__u32 source;
	__u32 reason;
	__u32 pasid;
	__u16 segment;
	__u16 requester;
	__u64 reserved[2];
};

/**
 * struct vfio_mig_fault_ring - where the fault ring is, and how it stands
 * @sources: VFIO_MIG_FAULT_SOURCE_VTD and so on: whom the driver listens to
 * @consumer_offset: where in the region the consumer index is
 * @entries_offset: where the entries are
 * @entry_size: bytes of an entry; newer drivers may add to the end of them
 * @nr_entries: a power of two
 * @producer: number of the entry that will be written next
 * @epoch: the current epoch, from 1 on
 * @dropped: faults that came while the ring was full, since the device was opened
 */
struct vfio_mig_fault_ring {
	__u32 sources;
	__u32 consumer_offset;
	__u32 entries_offset;
	__u32 entry_size;
	__u32 nr_entries;
	__u32 producer;
	__u64 epoch;
	__u64 dropped;
};

/**
 * struct vfio_mig_ext - the header of the extension region
 * @magic: VFIO_MIG_EXT_MAGIC
 * @size: bytes of what is there; newer drivers may add to the end
 * @irq_nonfatal: IRQ index that tells of a non-fatal error; where it has no
 *	eventfd, VFIO_PCI_ERR_IRQ_INDEX does
 * @irq_recovered: IRQ index that tells of the end of a recovery
 * @irq_fault: IRQ index that tells of faults in the ring
 * @error: the last error. In a mapping it changes in place, so that what is seen of
 *	it may not belong together; read() is the way to it
 * @ring: the fault ring
 */
struct vfio_mig_ext {
	__u64 magic;
	__u32 size;
	__u32 irq_nonfatal;
	__u32 irq_recovered;
	__u32 irq_fault;
	struct vfio_mig_error error;
	struct vfio_mig_fault_ring ring;
};

#endif /* _UAPI_LINUX_VFIO_PCI_MIG_H */
