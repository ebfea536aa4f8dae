/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The records that an Intel 82576 virtual function adds to the migration
 * stream of <linux/vfio_pci_mig.h>. Registers carry their datasheet names.
 */
#ifndef _UAPI_LINUX_IGB_VFIO_PCI_H
#define _UAPI_LINUX_IGB_VFIO_PCI_H

#include <linux/types.h>
#include <linux/vfio_pci_mig.h>

#define IGB_VF_NR_QUEUES	2
#define IGB_VF_NR_VECTORS	3
#define IGB_VF_NR_COUNTERS	9
#define IGB_VF_MBX_DWORDS	16
/* Hash values that one SET_MULTICAST message has room for. */
#define IGB_VF_MAX_MC_HASHES	30
/* More unicast filters than the 24 receive addresses of the device make no sense. */
#define IGB_VF_MAX_UC_FILTERS	24

/* Initial part */
#define IGB_VF_RECORD_IDENTITY	(VFIO_MIG_RECORD_DEVICE + 0x00)
#define IGB_VF_RECORD_PF	(VFIO_MIG_RECORD_DEVICE + 0x01)
#define IGB_VF_RECORD_VLANS	(VFIO_MIG_RECORD_DEVICE + 0x02)
#define IGB_VF_RECORD_UC	(VFIO_MIG_RECORD_DEVICE + 0x03)
/* Final part */
#define IGB_VF_RECORD_REGS	(VFIO_MIG_RECORD_DEVICE + 0x10)
#define IGB_VF_RECORD_MAILBOX	(VFIO_MIG_RECORD_DEVICE + 0x11)
#define IGB_VF_RECORD_COUNTERS	(VFIO_MIG_RECORD_DEVICE + 0x12)

/**
 * struct igb_vf_identity - payload of IGB_VF_RECORD_IDENTITY
 * @bar0_size: bytes of BAR0
 * @queues: pairs of receive and transmit queues
 * @vectors: MSI-X vectors
 */
struct igb_vf_identity {
	__le32 bar0_size;
	__le16 queues;
	__le16 vectors;
} __attribute__((packed));

/* The PF has answered VF_RESET: the VF may send requests, and has traffic. */
#define IGB_VF_PF_READY		(1 << 0)
/* @mac is the address that the VF receives and sends with. */
#define IGB_VF_PF_MAC		(1 << 1)
/* The fields of these messages are valid; the PF has acknowledged them. */
#define IGB_VF_PF_MULTICAST	(1 << 2)
#define IGB_VF_PF_LPE		(1 << 3)
#define IGB_VF_PF_PROMISC	(1 << 4)
/* The last VLAN message was for another VLAN than 0: the PF strips tags. */
#define IGB_VF_PF_STRIP		(1 << 5)
#define IGB_VF_PF_FLAGS		0x3f

/**
 * struct igb_vf_pf - payload of IGB_VF_RECORD_PF: what the PF was told
 * @flags: IGB_VF_PF_*
 * @mac: unicast address, valid with IGB_VF_PF_MAC
 * @mc_count: multicast addresses as the VF counted them; the PF takes more
 *	than IGB_VF_MAX_MC_HASHES as a request for all of them
 * @mc_hashes: hash values of SET_MULTICAST, at most IGB_VF_MAX_MC_HASHES used
 * @max_frame: bytes of the largest frame, as in SET_LPE
 * @promisc: the message info field of SET_PROMISC
 */
struct igb_vf_pf {
	__le32 flags;
	__u8 mac[6];
	__le16 mc_count;
	__le16 mc_hashes[IGB_VF_MAX_MC_HASHES];
	__le32 max_frame;
	__le32 promisc;
} __attribute__((packed));

/*
 * IGB_VF_RECORD_VLANS: 512 bytes; bit n % 8 of byte n / 8 stands for VLAN n.
 * IGB_VF_RECORD_UC: addresses of 6 bytes, at most IGB_VF_MAX_UC_FILTERS.
 * Both are left out where there are none.
 */

/**
 * struct igb_vf_rx_regs - the registers of one receive queue
 * @rdba: RDBAL and RDBAH
 * @rdlen: RDLEN
 * @srrctl: SRRCTL
 * @rdh: RDH
 * @rdt: RDT
 * @rxdctl: RXDCTL; ENABLE says whether the queue runs in state RUNNING
 * @rxctl: RXCTL (DCA)
 */
struct igb_vf_rx_regs {
	__le64 rdba;
	__le32 rdlen;
	__le32 srrctl;
	__le32 rdh;
	__le32 rdt;
	__le32 rxdctl;
	__le32 rxctl;
} __attribute__((packed));

/**
 * struct igb_vf_tx_regs - the registers of one transmit queue
 * @tdba: TDBAL and TDBAH
 * @tdlen: TDLEN
 * @tdh: TDH
 * @tdt: TDT
 * @txdctl: TXDCTL; ENABLE says whether the queue runs in state RUNNING
 * @txctl: TXCTL (DCA)
 * @tdwba: TDWBAL and TDWBAH
 */
struct igb_vf_tx_regs {
	__le64 tdba;
	__le32 tdlen;
	__le32 tdh;
	__le32 tdt;
	__le32 txdctl;
	__le32 txctl;
	__le64 tdwba;
} __attribute__((packed));

/**
 * struct igb_vf_regs - payload of IGB_VF_RECORD_REGS
 * @vteims: mask of enabled vectors
 * @vteiac: VTEIAC
 * @vteiam: VTEIAM
 * @vteicr: vectors whose interrupt was pending when the device was stopped
 * @vteitr: VTEITR of each vector
 * @vtivar: VTIVAR
 * @vtivar_misc: VTIVAR_MISC
 * @psrtype: PSRTYPE
 * @rx: receive queues
 * @tx: transmit queues
 */
struct igb_vf_regs {
	__le32 vteims;
	__le32 vteiac;
	__le32 vteiam;
	__le32 vteicr;
	__le32 vteitr[IGB_VF_NR_VECTORS];
	__le32 vtivar;
	__le32 vtivar_misc;
	__le32 psrtype;
	struct igb_vf_rx_regs rx[IGB_VF_NR_QUEUES];
	struct igb_vf_tx_regs tx[IGB_VF_NR_QUEUES];
} __attribute__((packed));

/**
 * struct igb_vf_mailbox - payload of IGB_VF_RECORD_MAILBOX
 * @v2pmailbox: V2PMAILBOX bits that belong to the guest: VFU, and PFSTS, PFACK
 *	and RSTD where the guest has not read them yet
 * @vmbmem: the mailbox memory
 */
struct igb_vf_mailbox {
	__le32 v2pmailbox;
	__le32 vmbmem[IGB_VF_MBX_DWORDS];
} __attribute__((packed));

/**
 * struct igb_vf_counters - payload of IGB_VF_RECORD_COUNTERS
 * @value: VFGPRC, VFGPTC, VFGORC, VFGOTC, VFMPRC, VFGPRLBC, VFGPTLBC,
 *	VFGORLBC, VFGOTLBC as the guest would have read them
 */
struct igb_vf_counters {
	__le32 value[IGB_VF_NR_COUNTERS];
} __attribute__((packed));

#endif /* _UAPI_LINUX_IGB_VFIO_PCI_H */
