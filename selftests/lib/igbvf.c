// SPDX-License-Identifier: GPL-2.0-only
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "igbvf.h"

/* Advanced descriptors, as software writes them and as they come back */
struct rx_desc {
	union {
		struct {
			__le64 pkt_addr;
			__le64 hdr_addr;
		} read;
		struct {
			__le32 info;
			__le32 rss;
			__le32 status;
			__le16 len;
			__le16 vlan;
		} wb;
	};
};

#define RXD_DD			0x01
#define RXD_EOP			0x02
#define RXD_VP			0x08

struct tx_desc {
	__le64 addr;
	__le32 cmd_type_len;
	__le32 status;
};

#define TXD_DTYP_DATA		0x00300000
#define TXD_EOP			0x01000000
#define TXD_IFCS		0x02000000
#define TXD_RS			0x08000000
#define TXD_DEXT		0x20000000
#define TXD_PAYLEN_SHIFT	14
#define TXD_DD			0x01

#define DESC_BYTES		(IGBVF_RING * 16)
#define BUF_OFFSET		4096
#define RING_BYTES		(BUF_OFFSET + IGBVF_RING * IGBVF_BUF)

/* An emulated PF answers from an interrupt: seconds is generous */
#define MBOX_MS			3000

/* A short sleep: the other side may share this CPU */
static void breathe(void)
{
	struct timespec ts = { .tv_nsec = 20000 };

	nanosleep(&ts, NULL);
}

struct fault {
	sigjmp_buf env;
};

static __thread struct fault *on_fault;
static pthread_once_t catching = PTHREAD_ONCE_INIT;

static void bus_error(int sig)
{
	if (on_fault)
		siglongjmp(on_fault->env, 1);
	signal(sig, SIG_DFL);
}

static void catch_bus_errors(void)
{
	signal(SIGBUS, bus_error);
}

int mmio_try_read(const __u32 *reg, __u32 *val)
{
	struct fault fault;

	pthread_once(&catching, catch_bus_errors);
	if (sigsetjmp(fault.env, 1)) {
		on_fault = NULL;
		return -EFAULT;
	}
	on_fault = &fault;
	*val = mmio_read(reg);
	on_fault = NULL;
	return 0;
}

int mmio_try_write(__u32 *reg, __u32 val)
{
	struct fault fault;

	pthread_once(&catching, catch_bus_errors);
	if (sigsetjmp(fault.env, 1)) {
		on_fault = NULL;
		return -EFAULT;
	}
	on_fault = &fault;
	mmio_write(reg, val);
	on_fault = NULL;
	return 0;
}

static void unmap_pages(struct igbvf *vf)
{
	unsigned int i;

	for (i = 0; i < IGBVF_PAGES; i++) {
		if (vf->page[i])
			munmap(vf->page[i], IGBVF_PAGE_SIZE);
		vf->page[i] = NULL;
	}
}

static int map_pages(struct igbvf *vf)
{
	struct vfio_region bar;
	unsigned int i;
	void *map;
	int ret;

	ret = vfio_region_info(vf->dev, VFIO_PCI_BAR0_REGION_INDEX, &bar);
	if (ret)
		return ret;
	if (bar.size < IGBVF_BAR0_SIZE)
		return -ENODEV;

	for (i = 0; i < IGBVF_PAGES; i++) {
		if (!vfio_region_mappable(&bar, i * IGBVF_PAGE_SIZE,
					  IGBVF_PAGE_SIZE))
			continue;
		ret = vfio_region_mmap(vf->dev, VFIO_PCI_BAR0_REGION_INDEX,
				       i * IGBVF_PAGE_SIZE, IGBVF_PAGE_SIZE,
				       &map);
		if (ret)
			return ret;
		vf->page[i] = map;
	}
	return 0;
}

static void close_irqs(struct igbvf *vf)
{
	unsigned int i;

	for (i = 0; i < IGBVF_VECTORS; i++) {
		if (vf->irq[i] >= 0)
			close(vf->irq[i]);
		vf->irq[i] = -1;
	}
}

int igbvf_open(struct igbvf *vf, struct vfio_dev *dev)
{
	unsigned int i;
	int ret;

	memset(vf, 0, sizeof(*vf));
	for (i = 0; i < IGBVF_VECTORS; i++)
		vf->irq[i] = -1;
	vf->dev = dev;

	ret = map_pages(vf);
	if (ret)
		unmap_pages(vf);
	return ret;
}

void igbvf_close(struct igbvf *vf)
{
	unsigned int i;

	if (!vf->dev)
		return;
	unmap_pages(vf);
	close_irqs(vf);
	for (i = 0; i < IGBVF_QUEUES; i++) {
		vfio_dma_free(vf->dev->iommu, &vf->rx[i].dma);
		vfio_dma_free(vf->dev->iommu, &vf->tx[i].dma);
	}
	memset(vf, 0, sizeof(*vf));
}

static int open_irqs(struct igbvf *vf)
{
	unsigned int i;

	for (i = 0; i < IGBVF_VECTORS; i++) {
		if (vf->irq[i] >= 0)
			continue;
		vf->irq[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (vf->irq[i] < 0)
			return -errno;
	}
	return vfio_irq_set_eventfds(vf->dev, VFIO_PCI_MSIX_IRQ_INDEX,
				     IGBVF_VECTORS, vf->irq);
}

/* What a VMM does on the destination: the guest's view on another device */
int igbvf_move(struct igbvf *vf, struct vfio_dev *dev)
{
	bool irqs = vf->irq[0] >= 0;
	int ret;

	unmap_pages(vf);
	close_irqs(vf);
	vf->dev = dev;
	ret = map_pages(vf);
	if (!ret && irqs)
		ret = open_irqs(vf);
	return ret;
}

/* A failed read looks like a device that fell off the bus */
__u32 igbvf_read(struct igbvf *vf, __u32 reg)
{
	__u32 *page = vf->page[reg / IGBVF_PAGE_SIZE];
	__le32 val;

	if (page)
		return le32toh(mmio_read(&page[reg % IGBVF_PAGE_SIZE / 4]));
	if (vfio_region_read(vf->dev, VFIO_PCI_BAR0_REGION_INDEX, reg, &val,
			     sizeof(val)))
		return ~0U;
	return le32toh(val);
}

void igbvf_write(struct igbvf *vf, __u32 reg, __u32 val)
{
	__u32 *page = vf->page[reg / IGBVF_PAGE_SIZE];
	__le32 raw = htole32(val);

	if (page)
		mmio_write(&page[reg % IGBVF_PAGE_SIZE / 4], raw);
	else
		vfio_region_write(vf->dev, VFIO_PCI_BAR0_REGION_INDEX, reg,
				  &raw, sizeof(raw));
}

static __u32 mbox_status(struct igbvf *vf)
{
	__u32 val = igbvf_read(vf, V2PMAILBOX);

	vf->v2p |= val & V2PMAILBOX_RC;
	return val | vf->v2p;
}

static int mbox_wait_bit(struct igbvf *vf, __u32 bit)
{
	long long end = clock_ms() + MBOX_MS;

	while (!(mbox_status(vf) & bit)) {
		if (clock_ms() > end)
			return -ETIMEDOUT;
		breathe();
	}
	vf->v2p &= ~bit;
	return 0;
}

static int mbox_own(struct igbvf *vf)
{
	long long end = clock_ms() + MBOX_MS;

	do {
		igbvf_write(vf, V2PMAILBOX, V2PMAILBOX_VFU);
		if (mbox_status(vf) & V2PMAILBOX_VFU)
			return 0;
		breathe();
	} while (clock_ms() < end);
	return -ETIMEDOUT;
}

/* Hands a message to the PF and does not look whether it took it */
int igbvf_mbox_post(struct igbvf *vf, const __u32 *msg, unsigned int words)
{
	unsigned int i;
	int ret;

	ret = mbox_own(vf);
	if (ret)
		return ret;
	/* An older answer must not pass for the answer to this message */
	vf->v2p = 0;
	for (i = 0; i < words; i++)
		igbvf_write(vf, VMBMEM(i), msg[i]);
	igbvf_write(vf, V2PMAILBOX, V2PMAILBOX_REQ);
	return 0;
}

int igbvf_mbox_wait(struct igbvf *vf, __u32 *msg, unsigned int words)
{
	unsigned int i;
	int ret;

	ret = mbox_wait_bit(vf, V2PMAILBOX_PFSTS);
	if (ret)
		return ret;
	ret = mbox_own(vf);
	if (ret)
		return ret;
	vf->v2p &= ~V2PMAILBOX_PFACK;
	for (i = 0; i < words; i++)
		msg[i] = igbvf_read(vf, VMBMEM(i));
	igbvf_write(vf, V2PMAILBOX, V2PMAILBOX_ACK);
	return msg[0] & VF_NACK ? -EACCES : 0;
}

/*
 * The PF also writes of its own accord when its link changes, over whatever it
 * was sent just then: say it again.
 */
int igbvf_mbox(struct igbvf *vf, __u32 *msg, unsigned int words)
{
	__u32 answer[VF_MBOX_WORDS] = {};
	int tries = 3, ret;

	do {
		ret = igbvf_mbox_post(vf, msg, words);
		if (!ret)
			ret = igbvf_mbox_wait(vf, answer, words);
	} while (--tries && ret != -ETIMEDOUT &&
		 (answer[0] ^ msg[0]) & VF_MSG_TYPE);

	memcpy(msg, answer, words * sizeof(*msg));
	return ret;
}

/* VF_RESET makes the PF listen, and let the VF send and receive */
int igbvf_hello(struct igbvf *vf)
{
	__u32 msg[3] = { VF_RESET };
	long long end = clock_ms() + MBOX_MS;
	int ret;

	while (mbox_status(vf) & V2PMAILBOX_RSTI) {
		if (clock_ms() > end)
			return -ETIMEDOUT;
		breathe();
	}

	ret = igbvf_mbox(vf, msg, 3);
	/* A PF that has no address for the VF says so by a NACK */
	if (ret && msg[0] != (VF_RESET | VF_NACK))
		return ret;
	memcpy(vf->mac, &msg[1], sizeof(vf->mac));
	return 0;
}

int igbvf_set_mac(struct igbvf *vf, const __u8 *mac)
{
	__u32 msg[3] = { VF_SET_MAC_ADDR };
	int ret;

	memcpy(&msg[1], mac, sizeof(vf->mac));
	ret = igbvf_mbox(vf, msg, 3);
	if (!ret)
		memcpy(vf->mac, mac, sizeof(vf->mac));
	return ret;
}

/* The twelve bits of an address that the multicast table is indexed by */
static __u16 multicast_hash(const __u8 *mac)
{
	return (mac[4] >> 4 | mac[5] << 4) & 0xfff;
}

/* @mac: the one group to receive, or NULL for none */
int igbvf_set_multicast(struct igbvf *vf, const __u8 *mac)
{
	__u32 msg[VF_MBOX_WORDS] = { VF_SET_MULTICAST };

	if (mac) {
		msg[0] |= VF_INFO(1);
		msg[1] = multicast_hash(mac);
	}
	return igbvf_mbox(vf, msg, VF_MBOX_WORDS);
}

int igbvf_set_vlan(struct igbvf *vf, unsigned int vid, bool add)
{
	__u32 msg[2] = { VF_SET_VLAN | VF_INFO(add ? 1 : 0), vid };

	return igbvf_mbox(vf, msg, 2);
}

int igbvf_set_lpe(struct igbvf *vf, unsigned int size)
{
	__u32 msg[2] = { VF_SET_LPE, size };

	return igbvf_mbox(vf, msg, 2);
}

int igbvf_set_promisc(struct igbvf *vf, bool multicast)
{
	__u32 msg[1] = { VF_SET_PROMISC | VF_INFO(multicast ? 2 : 0) };

	return igbvf_mbox(vf, msg, 1);
}

static int ring_alloc(struct igbvf *vf, struct igbvf_ring *ring)
{
	ring->next = 0;
	ring->clean = 0;
	if (ring->dma.size) {
		memset(ring->dma.mem, 0, ring->dma.size);
		return 0;
	}
	return vfio_dma_alloc(vf->dev->iommu, &ring->dma, RING_BYTES);
}

static __u64 buf_iova(struct igbvf_ring *ring, unsigned int i)
{
	return ring->dma.iova + BUF_OFFSET + i * IGBVF_BUF;
}

static void *buf_mem(struct igbvf_ring *ring, unsigned int i)
{
	return ring->dma.mem + BUF_OFFSET + i * IGBVF_BUF;
}

/* A word that the device changes while it is looked at */
static __u32 dma_read(const __le32 *word)
{
	return le32toh(__atomic_load_n(word, __ATOMIC_ACQUIRE));
}

static int queue_enable(struct igbvf *vf, __u32 reg)
{
	long long end = clock_ms() + 1000;

	igbvf_write(vf, reg, igbvf_read(vf, reg) | XDCTL_ENABLE);
	while (!(igbvf_read(vf, reg) & XDCTL_ENABLE)) {
		if (clock_ms() > end)
			return -ETIMEDOUT;
		breathe();
	}
	return 0;
}

static void rx_post(struct igbvf *vf, unsigned int q, unsigned int count)
{
	struct igbvf_ring *ring = &vf->rx[q];
	struct rx_desc *desc = ring->dma.mem;

	while (count--) {
		desc[ring->next].read.hdr_addr = 0;
		desc[ring->next].read.pkt_addr =
			htole64(buf_iova(ring, ring->next));
		ring->next = (ring->next + 1) % IGBVF_RING;
	}
	__sync_synchronize();
	igbvf_write(vf, RDT(q), ring->next);
}

int igbvf_rx_start(struct igbvf *vf, unsigned int q)
{
	struct igbvf_ring *ring = &vf->rx[q];
	int ret;

	ret = ring_alloc(vf, ring);
	if (ret)
		return ret;

	igbvf_write(vf, RXDCTL(q), igbvf_read(vf, RXDCTL(q)) & ~XDCTL_ENABLE);
	igbvf_write(vf, RDBAL(q), (__u32)ring->dma.iova);
	igbvf_write(vf, RDBAH(q), (__u32)(ring->dma.iova >> 32));
	igbvf_write(vf, RDLEN(q), DESC_BYTES);
	igbvf_write(vf, SRRCTL(q), SRRCTL_ADV_ONEBUF | SRRCTL_DROP_EN |
				   IGBVF_BUF / 1024 * SRRCTL_BSIZEPKT_1K);
	igbvf_write(vf, RDH(q), 0);
	igbvf_write(vf, RDT(q), 0);
	ret = queue_enable(vf, RXDCTL(q));
	if (!ret)
		rx_post(vf, q, IGBVF_RING - 1);
	return ret;
}

int igbvf_tx_start(struct igbvf *vf, unsigned int q)
{
	struct igbvf_ring *ring = &vf->tx[q];
	int ret;

	ret = ring_alloc(vf, ring);
	if (ret)
		return ret;

	igbvf_write(vf, TXDCTL(q), igbvf_read(vf, TXDCTL(q)) & ~XDCTL_ENABLE);
	igbvf_write(vf, TDBAL(q), (__u32)ring->dma.iova);
	igbvf_write(vf, TDBAH(q), (__u32)(ring->dma.iova >> 32));
	igbvf_write(vf, TDLEN(q), DESC_BYTES);
	igbvf_write(vf, TDWBAL(q), 0);
	igbvf_write(vf, TDWBAH(q), 0);
	igbvf_write(vf, TDH(q), 0);
	igbvf_write(vf, TDT(q), 0);
	return queue_enable(vf, TXDCTL(q));
}

void igbvf_queues_off(struct igbvf *vf)
{
	unsigned int q;

	for (q = 0; q < IGBVF_QUEUES; q++) {
		igbvf_write(vf, RXDCTL(q),
			    igbvf_read(vf, RXDCTL(q)) & ~XDCTL_ENABLE);
		igbvf_write(vf, TXDCTL(q),
			    igbvf_read(vf, TXDCTL(q)) & ~XDCTL_ENABLE);
	}
}

/* Fills in a descriptor; the device hears of it from igbvf_tx_kick() */
void igbvf_tx_post(struct igbvf *vf, unsigned int q, const void *data,
		   size_t len)
{
	struct igbvf_ring *ring = &vf->tx[q];
	struct tx_desc *desc = ring->dma.mem;
	unsigned int i = ring->next;

	memset(buf_mem(ring, i), 0, IGBVF_MIN_FRAME);
	memcpy(buf_mem(ring, i), data, len);
	if (len < IGBVF_MIN_FRAME)
		len = IGBVF_MIN_FRAME;

	desc[i].addr = htole64(buf_iova(ring, i));
	desc[i].cmd_type_len = htole32(TXD_DTYP_DATA | TXD_DEXT | TXD_EOP |
				       TXD_IFCS | TXD_RS | len);
	desc[i].status = htole32(len << TXD_PAYLEN_SHIFT);
	ring->next = (i + 1) % IGBVF_RING;
}

void igbvf_tx_kick(struct igbvf *vf, unsigned int q)
{
	__sync_synchronize();
	igbvf_write(vf, TDT(q), vf->tx[q].next);
}

/* Descriptors that were posted and not taken back by igbvf_tx_wait() */
unsigned int igbvf_tx_pending(struct igbvf *vf, unsigned int q)
{
	struct igbvf_ring *ring = &vf->tx[q];

	return (ring->next + IGBVF_RING - ring->clean) % IGBVF_RING;
}

/* Waits until the device has reported every descriptor that was posted */
int igbvf_tx_wait(struct igbvf *vf, unsigned int q, int ms)
{
	struct igbvf_ring *ring = &vf->tx[q];
	struct tx_desc *desc = ring->dma.mem;
	long long end = clock_ms() + ms;

	while (ring->clean != ring->next) {
		if (dma_read(&desc[ring->clean].status) & TXD_DD) {
			ring->clean = (ring->clean + 1) % IGBVF_RING;
			continue;
		}
		if (clock_ms() > end)
			return -ETIMEDOUT;
		breathe();
	}
	return 0;
}

int igbvf_send(struct igbvf *vf, unsigned int q, const void *data, size_t len)
{
	igbvf_tx_post(vf, q, data, len);
	igbvf_tx_kick(vf, q);
	return igbvf_tx_wait(vf, q, 1000);
}

/* Whether the device has handed over a frame that nobody has looked at yet */
bool igbvf_rx_ready(struct igbvf *vf, unsigned int q)
{
	struct igbvf_ring *ring = &vf->rx[q];
	struct rx_desc *desc = ring->dma.mem;

	return dma_read(&desc[ring->clean].wb.status) & RXD_DD;
}

/* One received frame, or -EAGAIN when none came in time */
int igbvf_recv(struct igbvf *vf, unsigned int q, struct igbvf_frame *frame,
	       int ms)
{
	struct igbvf_ring *ring = &vf->rx[q];
	struct rx_desc *desc = ring->dma.mem;
	long long end = clock_ms() + ms;
	unsigned int i = ring->clean;
	__u32 status;

	while (!((status = dma_read(&desc[i].wb.status)) & RXD_DD)) {
		if (clock_ms() > end)
			return -EAGAIN;
		breathe();
	}
	__sync_synchronize();
	if (!(status & RXD_EOP))
		return -EMSGSIZE;

	frame->len = le16toh(desc[i].wb.len);
	if (frame->len > IGBVF_BUF)
		return -EOVERFLOW;
	frame->vlan = status & RXD_VP ? le16toh(desc[i].wb.vlan) & 0xfff : -1;
	memcpy(frame->data, buf_mem(ring, i), frame->len);

	ring->clean = (i + 1) % IGBVF_RING;
	rx_post(vf, q, 1);
	return 0;
}

/* One eventfd for each vector; the vectors clear their causes by themselves */
int igbvf_irq_start(struct igbvf *vf)
{
	unsigned int i;
	int ret;

	ret = open_irqs(vf);
	if (ret)
		return ret;

	igbvf_write(vf, VTIVAR, (VTIVAR_VALID | IGBVF_VEC_RX) |
				(VTIVAR_VALID | IGBVF_VEC_TX) << 8);
	igbvf_write(vf, VTIVAR_MISC, VTIVAR_VALID | IGBVF_VEC_MBOX);
	for (i = 0; i < IGBVF_VECTORS; i++)
		igbvf_write(vf, VTEITR(i), 0);
	igbvf_write(vf, VTEIAC, 7);
	igbvf_write(vf, VTEICR, 7);
	igbvf_write(vf, VTEIMS, 7);
	return 0;
}

int igbvf_irq_wait(struct igbvf *vf, unsigned int vector, int ms)
{
	struct pollfd pfd = { .fd = vf->irq[vector], .events = POLLIN };
	eventfd_t count;

	if (poll(&pfd, 1, ms) != 1)
		return -EAGAIN;
	return eventfd_read(vf->irq[vector], &count) ? -errno : 0;
}

void igbvf_irq_drain(struct igbvf *vf)
{
	unsigned int i;

	for (i = 0; i < IGBVF_VECTORS; i++)
		igbvf_irq_wait(vf, i, 0);
}
