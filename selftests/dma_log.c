// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log of the pages that the device writes: that it misses none, whatever a guest
 * does with its rings, and what becomes of arguments that make no sense.
 */
#include <endian.h>
#include <kselftest_harness.h>
#include <linux/iommufd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "lib/check.h"
#include "lib/dirty.h"
#include "lib/flow.h"
#include "lib/nic.h"
#include "lib/sender.h"
#include "sysfs.h"
#include "lib/variants.h"

static const __u8 mac_b[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0b };

FIXTURE(dma_log) {
	struct lab lab;
	struct vfio_dev *dev;
	struct vfio_dev *other;
	struct nic nic;
	struct sender sender;
};

GROUP_AND_CDEV(dma_log);

FIXTURE_SETUP(dma_log)
{
	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 2, true))
		return;
	self->dev = &self->lab.vf[0];
	self->other = &self->lab.vf[1];
	if (!dirty_offered(self->dev))
		SKIP(return, "no DMA log: the kernel has no IOMMUFD_DRIVER");
	ASSERT_EQ(0, nic_open(&self->nic, self->dev));
}

FIXTURE_TEARDOWN(dma_log)
{
	sender_stop(&self->sender);
	igbvf_close(&self->nic.vf);
	dirty_copy_close(&self->nic.mem);
	lab_close(&self->lab);
}

/* The device stops, the last report comes, and then nothing may have been missed */
static void finish(struct __test_metadata *_metadata, struct nic *nic)
{
	long missed;

	GO(nic->mem.dev, VFIO_DEVICE_STATE_STOP);
	ASSERT_EQ(0, dirty_copy_update(&nic->mem));
	missed = dirty_copy_missed(&nic->mem);
	EXPECT_EQ(-1, missed)
		TH_LOG("page %ld, byte %#lx: a ring of %u at %#zx, the other at %#zx, SRRCTL %#x",
		       missed / (long)DIRTY_PAGE, missed, nic->count, nic->rx,
		       nic->tx, nic->srrctl);
	EXPECT_EQ(0, dirty_stop(nic->mem.dev));
	GO(nic->mem.dev, VFIO_DEVICE_STATE_RUNNING);
}

static void keep_busy(struct nic *nic, unsigned int times)
{
	while (times--) {
		nic_rx_refill(nic);
		if (!nic_roll(nic, 4))
			nic_tx_send(nic);
		rest_us(nic_roll(nic, 300));
	}
}

/* Until so many frames have come in */
static void receive(struct __test_metadata *_metadata, struct nic *nic,
		    unsigned int frames)
{
	__u32 begin = igbvf_read(&nic->vf, VFGPRC);
	long long end = clock_ms() + 10000;

	while (igbvf_read(&nic->vf, VFGPRC) - begin < frames) {
		keep_busy(nic, 5);
		ASSERT_GT(end, clock_ms())
			TH_LOG("no frames come in");
	}
}

/* Pulls the tail back, but not to where the head already is */
static void pull_tail_back(struct nic *nic, struct sender *sender)
{
	unsigned int posted;

	sender_pause(sender, nic);
	posted = nic_rx_posted(nic);
	if (posted > 1) {
		nic->tail = (nic->tail + nic->count - 1 - nic_roll(nic, posted - 1)) %
			    nic->count;
		igbvf_write(&nic->vf, RDT(0), nic->tail);
	}
	sender_resume(sender);
}

/* A queue that is switched off and on again goes on where it was */
static void toggle(struct nic *nic)
{
	nic_rx_switch(nic, false);
	nic_rx_switch(nic, true);
	igbvf_write(&nic->vf, RDT(0), nic->tail);
}

/* Another ring under a queue that is on: head and tail stay, all is posted again */
static void change_base(struct nic *nic, struct sender *sender)
{
	unsigned int i;

	sender_pause(sender, nic);
	nic->rx = NIC_RX_RINGS + nic_roll(nic, (NIC_TX_RINGS - nic->count * NIC_DESC) / 128) * 128;
	for (i = 0; i < nic->count; i++)
		nic_write_desc(nic, i);
	nic_rx_set_base(nic);
	sender_resume(sender);
}

static void guest_reset(struct __test_metadata *_metadata, struct nic *nic)
{
	igbvf_write(&nic->vf, VTCTRL, VTCTRL_RST);
	ASSERT_EQ(0, nic_hello(nic));
	nic_rx_start(nic);
	nic_tx_start(nic);
}

/* DMA stops and goes on, and a tail is written between */
static void pause_dma(struct __test_metadata *_metadata, struct nic *nic)
{
	GO(nic->mem.dev, VFIO_DEVICE_STATE_RUNNING_P2P);
	nic_rx_refill(nic);
	GO(nic->mem.dev, VFIO_DEVICE_STATE_RUNNING);
}

static void report_some(struct __test_metadata *_metadata, struct nic *nic)
{
	size_t half = nic_roll(nic, DIRTY_MAX_PAGES - 1) * DIRTY_PAGE + DIRTY_PAGE;

	if (nic_roll(nic, 2)) {
		ASSERT_EQ(0, dirty_copy_update(&nic->mem));
		return;
	}
	ASSERT_EQ(0, dirty_copy_update_part(&nic->mem, half, NIC_MEM - half));
	ASSERT_EQ(0, dirty_copy_update_part(&nic->mem, 0, half));
}

static void do_something(struct __test_metadata *_metadata, struct nic *nic,
			 struct sender *sender, bool rough)
{
	switch (nic_roll(nic, 16)) {
	case 0:
		nic_rx_start(nic);
		break;
	case 1:
		pull_tail_back(nic, sender);
		break;
	case 2:
		toggle(nic);
		break;
	case 3:
		if (rough)
			change_base(nic, sender);
		break;
	case 4:
		pause_dma(_metadata, nic);
		break;
	case 5:
		/* Of two changes between reports the log may not hear */
		report_some(_metadata, nic);
		nic_tx_start(nic);
		nic_tx_send(nic);
		report_some(_metadata, nic);
		break;
	case 6:
		if (!nic_roll(nic, 4))
			guest_reset(_metadata, nic);
		break;
	default:
		keep_busy(nic, 1 + nic_roll(nic, 20));
	}
}

static int rounds(int of)
{
	return lab_setting("DMA_LOG_ROUNDS", of);
}

/* Whatever a guest does, and by turns only what the log can follow page by page */
TEST_F_TIMEOUT(dma_log, nothing_is_missed, 300)
{
	struct nic *nic = &self->nic;
	int round, step, i = rounds(4);

	ASSERT_EQ(0, sender_start(&self->sender));
	for (round = 0; round < i; round++) {
		ASSERT_EQ(0, dirty_copy_begin(&nic->mem));
		for (step = 0; step < 30; step++) {
			do_something(_metadata, nic, &self->sender, round % 2);
			if (!nic_roll(nic, 3))
				report_some(_metadata, nic);
		}
		finish(_metadata, nic);
	}
	TH_LOG("%u frames, %lu pages reported, %lu of them written",
	       igbvf_read(&nic->vf, VFGPRC), nic->mem.reported, nic->mem.written);
	EXPECT_LT(100, igbvf_read(&nic->vf, VFGPRC));
	EXPECT_LT(100, nic->mem.written);
}

/* A log that begins in the middle of traffic, on a ring that nobody has watched */
TEST_F_TIMEOUT(dma_log, begins_under_traffic, 120)
{
	struct nic *nic = &self->nic;
	int i = rounds(20);

	ASSERT_EQ(0, sender_start(&self->sender));
	while (i--) {
		if (!nic_roll(nic, 3))
			nic_rx_start(nic);
		keep_busy(nic, nic_roll(nic, 10));
		ASSERT_EQ(0, dirty_copy_begin(&nic->mem));
		keep_busy(nic, nic_roll(nic, 5));
		finish(_metadata, nic);
	}
	EXPECT_LT(20, nic->mem.written);
}

/* A driver as they are: each buffer half a page, posted again as soon as it is used */
TEST_F_TIMEOUT(dma_log, few_too_many, 60)
{
	struct nic *nic = &self->nic;
	long long end;

	nic->neat = true;
	nic->srrctl = 0;
	while (nic->count != 256 || nic->srrctl != (SRRCTL_ADV_ONEBUF | 2))
		nic_rx_start(nic);
	ASSERT_EQ(0, sender_start(&self->sender));
	ASSERT_EQ(0, dirty_copy_begin(&nic->mem));
	nic->mem.reported = 0;
	nic->mem.written = 0;
	for (end = clock_ms() + 2000; clock_ms() < end;) {
		keep_busy(nic, 20);
		ASSERT_EQ(0, dirty_copy_update(&nic->mem));
	}
	TH_LOG("%lu pages reported, %lu written", nic->mem.reported,
	       nic->mem.written);
	EXPECT_LT(100, nic->mem.written);
	EXPECT_LE(2 * nic->mem.reported, 3 * nic->mem.written);
	finish(_metadata, nic);
}

/* How many pages a range of the guest's memory has in a report; ~0 where it fails */
static unsigned int count(struct nic *nic, size_t from, size_t len)
{
	return dirty_count(nic->mem.dev, nic_iova(nic, from), len);
}

static int start(struct nic *nic)
{
	return dirty_start(nic->mem.dev, nic->mem.mem.iova, NIC_MEM);
}

/* Reads them, so that only what happens from now on is in the next one */
static void drain_reports(struct __test_metadata *_metadata, struct nic *nic)
{
	ASSERT_NE(~0U, count(nic, 0, NIC_MEM));
}

#define TX_PAGES	3	/* of a ring, and where the head is written to */

/* Without traffic there is nothing to report but the transmit ring */
TEST_F(dma_log, quiet)
{
	struct nic *nic = &self->nic;

	ASSERT_EQ(0, start(nic));
	EXPECT_GE(TX_PAGES, count(nic, 0, NIC_MEM))
		TH_LOG("at START the device has written nothing");
	drain_reports(_metadata, nic);
	GO(self->dev, VFIO_DEVICE_STATE_STOP);
	drain_reports(_metadata, nic);
	EXPECT_GE(TX_PAGES, count(nic, 0, NIC_MEM));
	EXPECT_EQ(0, count(nic, NIC_BUFFERS, NIC_HEADS - NIC_BUFFERS))
		TH_LOG("what was reported is reported again");
	EXPECT_EQ(0, dirty_stop(self->dev));
}

/* Each frame is where the report says, and what has been reported is clear */
TEST_F(dma_log, frame_by_frame)
{
	struct nic *nic = &self->nic;
	__u8 frame[PEER_MAX_FRAME];
	struct peer peer;
	__u32 seed;

	ASSERT_EQ(0, peer_open(&peer, lab_netdev()));
	ASSERT_EQ(0, dirty_copy_begin(&nic->mem));
	for (seed = 1; seed < 20; seed++) {
		frame_build(frame, nic_mac, peer.mac, -1, seed, flow_len(seed));
		ASSERT_EQ(0, peer_send(&peer, frame, flow_len(seed)));
		rest_us(20000);
		ASSERT_EQ(0, dirty_copy_update(&nic->mem));
		EXPECT_EQ(-1, dirty_copy_missed(&nic->mem))
			TH_LOG("frame %u", seed);
		nic_rx_refill(nic);
	}
	EXPECT_LT(19, nic->mem.written);
	/* Two descriptors or more of two buffers, and the rings */
	EXPECT_GE(19 * 12, nic->mem.reported);
	peer_close(&peer);
	finish(_metadata, nic);
}

/* Frames that no other station may send: over several descriptors each */
TEST_F_TIMEOUT(dma_log, large_frames, 60)
{
	__u8 frame[1900];
	struct nic *nic = &self->nic;
	struct igbvf other;
	__u32 seed;

	ASSERT_EQ(0, igbvf_set_lpe(&nic->vf, sizeof(frame) + 100));
	ASSERT_EQ(0, igbvf_open(&other, self->other));
	ASSERT_EQ(0, flow_start(&other, mac_b));
	ASSERT_EQ(0, dirty_copy_begin(&nic->mem));
	for (seed = 1; seed < 300; seed++) {
		frame_build(frame, nic_mac, mac_b, -1, seed, sizeof(frame));
		ASSERT_EQ(0, igbvf_send(&other, 0, frame, sizeof(frame)));
		nic_rx_refill(nic);
		if (!nic_roll(nic, 50))
			nic_rx_start(nic);
		if (!nic_roll(nic, 20))
			ASSERT_EQ(0, dirty_copy_update(&nic->mem));
	}
	EXPECT_LT(200, igbvf_read(&nic->vf, VFGPRC));
	igbvf_close(&other);
	finish(_metadata, nic);
}

/* A log is about memory: that of before a reset is reported after it, and it goes on */
TEST_F(dma_log, survives_resets)
{
	struct nic *nic = &self->nic;
	unsigned int i;

	ASSERT_EQ(0, sender_start(&self->sender));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, dirty_copy_begin(&nic->mem));
		receive(_metadata, nic, 30);
		report_some(_metadata, nic);
		receive(_metadata, nic, 5);
		nic_tx_start(nic);
		nic_tx_send(nic);
		switch (i) {
		case 0:
			ASSERT_EQ(0, vfio_reset(self->dev));
			break;
		case 1:
			ASSERT_EQ(0, vfio_flr(self->dev));
			break;
		case 2:
			ASSERT_EQ(0, lab_reset_by_sysfs(self->dev->bdf));
			break;
		case 3:
			igbvf_write(&nic->vf, VTCTRL, VTCTRL_RST);
			break;
		}
		EXPECT_EQ(-EBUSY, start(nic));
		ASSERT_EQ(0, vfio_enable(self->dev));
		nic_tx_start(nic);
		guest_reset(_metadata, nic);
		receive(_metadata, nic, 30);
		finish(_metadata, nic);
	}
}

/* The stream posts descriptors that the destination has not seen anybody post */
TEST_F_TIMEOUT(dma_log, on_the_destination, 60)
{
	struct nic *nic = &self->nic;
	struct mig_stream *stream = malloc(sizeof(*stream));
	int early;

	ASSERT_NE(NULL, stream);
	ASSERT_EQ(0, sender_start(&self->sender));
	for (early = 0; early < 2; early++) {
		receive(_metadata, nic, 30);
		ASSERT_EQ(0, mig_save(nic->vf.dev, stream));
		nic->mem.dev = nic->vf.dev == self->dev ? self->other : self->dev;
		if (early)
			ASSERT_EQ(0, dirty_copy_begin(&nic->mem));
		ASSERT_EQ(0, mig_load(nic->mem.dev, stream,
				      VFIO_DEVICE_STATE_RUNNING));
		ASSERT_EQ(0, igbvf_move(&nic->vf, nic->mem.dev));
		if (!early)
			ASSERT_EQ(0, dirty_copy_begin(&nic->mem));
		receive(_metadata, nic, 30);
		finish(_metadata, nic);
	}
	free(stream);
}

/* Descriptors that cannot be known have everything reported, and the next ones nothing */
TEST_F(dma_log, unknown_is_all)
{
	struct nic *nic = &self->nic;
	size_t half = NIC_MEM / 2;

	ASSERT_EQ(0, start(nic));
	drain_reports(_metadata, nic);
	igbvf_write(&nic->vf, RDT(0), nic->count + 1);
	EXPECT_EQ(half / DIRTY_PAGE, count(nic, half, half));
	EXPECT_EQ(half / DIRTY_PAGE, count(nic, 0, half));
	EXPECT_EQ(DIRTY_MAX_PAGES, count(nic, 0, NIC_MEM))
		TH_LOG("the tail is still out of the ring");
	igbvf_write(&nic->vf, RDT(0), nic->tail);
	drain_reports(_metadata, nic);
	EXPECT_GE(TX_PAGES, count(nic, 0, NIC_MEM))
		TH_LOG("the tail is back, and the ring has been read");

	/* Nobody has mapped anything there */
	nic->rx = NIC_MEM + 0x8000;
	nic_rx_set_base(nic);
	EXPECT_EQ(DIRTY_MAX_PAGES, count(nic, 0, NIC_MEM));
	nic_rx_start(nic);
	drain_reports(_metadata, nic);
	EXPECT_GE(TX_PAGES, count(nic, 0, NIC_MEM));
	EXPECT_EQ(0, dirty_stop(self->dev));
}

/* Parts of what is wholly dirty can be taken in any order, each once */
TEST_F(dma_log, all_in_pieces)
{
	struct nic *nic = &self->nic;
	unsigned int i, page;

	ASSERT_EQ(0, start(nic));
	igbvf_write(&nic->vf, RDT(0), nic->count + 1);
	EXPECT_EQ(1, count(nic, 0, DIRTY_PAGE));
	igbvf_write(&nic->vf, RDT(0), nic->tail);
	EXPECT_EQ(1, count(nic, 0, DIRTY_PAGE));
	for (i = 1; i < DIRTY_MAX_PAGES; i++) {
		page = 1 + i * 5 % (DIRTY_MAX_PAGES - 1);
		ASSERT_EQ(1, count(nic, page * DIRTY_PAGE, DIRTY_PAGE))
			TH_LOG("page %u", page);
	}
	EXPECT_GE(TX_PAGES, count(nic, 0, NIC_MEM));
	EXPECT_EQ(0, dirty_stop(self->dev));
}

static int attach(struct vfio_dev *dev, __u32 id)
{
	struct vfio_device_attach_iommufd_pt attach = {
		.argsz = sizeof(attach),
		.pt_id = id,
	};

	return ioctl(dev->fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach) ? -errno : 0;
}

/* A page table of the user's own: what is behind it nobody can tell */
TEST_F(dma_log, page_table)
{
	struct iommu_hwpt_alloc alloc = { .size = sizeof(alloc) };
	struct vfio_iommu *iommu = &self->lab.iommu;
	struct nic *nic = &self->nic;

	if (!variant->cdev)
		SKIP(return, "a container has none");
	alloc.dev_id = self->dev->id;
	alloc.pt_id = iommu->ioas;
	ASSERT_EQ(0, ioctl(iommu->fd, IOMMU_HWPT_ALLOC, &alloc));
	ASSERT_EQ(0, start(nic));
	drain_reports(_metadata, nic);
	EXPECT_GE(TX_PAGES, count(nic, 0, NIC_MEM));

	ASSERT_EQ(0, attach(self->dev, alloc.out_hwpt_id));
	nic_rx_start(nic);
	EXPECT_EQ(DIRTY_MAX_PAGES, count(nic, 0, NIC_MEM));
	EXPECT_EQ(DIRTY_MAX_PAGES, count(nic, 0, NIC_MEM));

	ASSERT_EQ(0, attach(self->dev, iommu->ioas));
	drain_reports(_metadata, nic);
	EXPECT_GE(TX_PAGES, count(nic, 0, NIC_MEM))
		TH_LOG("back in the address space the ring can be read");
	EXPECT_EQ(0, dirty_stop(self->dev));
}

static int start_with(struct vfio_dev *dev, __u64 page_size, __u32 nr, ...)
{
	static struct vfio_device_feature_dma_logging_range ranges[300];
	struct vfio_device_feature_dma_logging_control control = {
		.page_size = page_size,
		.num_ranges = nr,
		.ranges = (unsigned long)ranges,
	};
	va_list args;
	__u32 i;
	int ret;

	va_start(args, nr);
	for (i = 0; i < nr && nr <= 2; i++) {
		ranges[i].iova = va_arg(args, __u64);
		ranges[i].length = va_arg(args, __u64);
	}
	va_end(args);
	for (; i < nr; i++) {
		ranges[i].iova = i * 2 * DIRTY_PAGE;
		ranges[i].length = DIRTY_PAGE;
	}
	ret = vfio_feature(dev, VFIO_DEVICE_FEATURE_SET,
			   VFIO_DEVICE_FEATURE_DMA_LOGGING_START, &control,
			   sizeof(control));
	if (!ret) {
		dirty_stop(dev);
		if (control.page_size != DIRTY_PAGE)
			return -EDOM;
	}
	return ret;
}

TEST_F(dma_log, ranges)
{
	struct vfio_dev *dev = self->dev;
	__u64 p = DIRTY_PAGE;

	EXPECT_EQ(0, start_with(dev, p, 1, 0ULL, p));
	EXPECT_EQ(0, start_with(dev, p, 1, 0ULL, 0 - 2 * p));
	EXPECT_EQ(0, start_with(dev, 1ULL << 30, 1, 0ULL, 1ULL << 40));
	EXPECT_EQ(0, start_with(dev, 512, 2, 0ULL, 512ULL, 512ULL, 1024ULL));
	EXPECT_EQ(0, start_with(dev, p, 256));
	EXPECT_EQ(-E2BIG, start_with(dev, p, 257));
	EXPECT_EQ(-EINVAL, start_with(dev, p, 0));
	EXPECT_EQ(-EINVAL, start_with(dev, p, 1, 0ULL, 0ULL));
	EXPECT_EQ(-EINVAL, start_with(dev, p, 1, p, 0ULL));
	EXPECT_EQ(-EINVAL, start_with(dev, p, 2, 0ULL, 4 * p, p, p));
	EXPECT_EQ(-EOVERFLOW, start_with(dev, p, 1, 0 - p, p));
	EXPECT_EQ(-EOVERFLOW, start_with(dev, p, 1, 0 - p, 2 * p));
	EXPECT_NE(0, start_with(dev, 0, 1, 0ULL, p));
	EXPECT_NE(0, start_with(dev, 3 * p, 1, 0ULL, 3 * p));
	EXPECT_EQ(-EINVAL, dirty_stop(dev));
}

TEST_F(dma_log, reports)
{
	struct nic *nic = &self->nic;
	__u64 base = nic->mem.mem.iova, bitmap[DIRTY_MAX_PAGES / 64] = {};
	struct vfio_dev *dev = self->dev;
	__u64 p = DIRTY_PAGE;

	EXPECT_EQ(-EINVAL, dirty_report(dev, base, p, p, bitmap));
	EXPECT_EQ(-EINVAL, dirty_stop(dev));
	ASSERT_EQ(0, start(nic));
	EXPECT_EQ(-EBUSY, start(nic));
	EXPECT_EQ(-EINVAL, dirty_report(dev, base - p, p, p, bitmap));
	EXPECT_EQ(-EINVAL, dirty_report(dev, base - p, 2 * p, p, bitmap));
	EXPECT_EQ(-EINVAL, dirty_report(dev, base + NIC_MEM, p, p, bitmap));
	EXPECT_EQ(-EINVAL, dirty_report(dev, base, NIC_MEM + p, p, bitmap));
	EXPECT_EQ(-EINVAL, dirty_report(dev, base, 0, p, bitmap));
	EXPECT_EQ(-EINVAL, dirty_report(dev, base + 1, p, p, bitmap));
	EXPECT_EQ(-EINVAL, dirty_report(dev, base, p + 1, p, bitmap));
	EXPECT_EQ(-EINVAL, dirty_report(dev, base, p, p / 2, bitmap));
	EXPECT_EQ(-EOVERFLOW, dirty_report(dev, 0 - p, 2 * p, p, bitmap));
	EXPECT_EQ(0, dirty_report(dev, base, NIC_MEM, NIC_MEM, bitmap));
	EXPECT_EQ(0, bitmap[0] & ~1ULL);
	/* Kernels say nothing of a bitmap that is not there: but they stay up */
	igbvf_write(&nic->vf, RDT(0), nic->count + 1);
	dirty_report(dev, base, NIC_MEM, p, NULL);
	dirty_report(dev, base, NIC_MEM, p, (void *)(1ULL << 63));
	EXPECT_EQ(0, dirty_stop(dev));
	EXPECT_EQ(-EINVAL, dirty_stop(dev));
}

/* More pages than there is room for, far apart, and never lost */
TEST_F_TIMEOUT(dma_log, memory_is_bounded, 120)
{
	struct nic *nic = &self->nic;
	__u64 at = 0, last = 0;
	__le64 desc[2] = {};
	unsigned int i, n;
	__u64 bitmap[1];

	while (nic->count != NIC_MAX_DESCS)
		nic_rx_start(nic);
	ASSERT_EQ(0, dirty_start(self->dev, 0, 1ULL << 40));
	drain_reports(_metadata, nic);
	for (n = 0; n < 17000 / (NIC_MAX_DESCS - 1) + 2; n++) {
		for (i = 0; i < NIC_MAX_DESCS - 1; i++) {
			at += 32ULL << 20;
			desc[0] = htole64(at);
			memcpy(nic->mem.mem.mem + nic->rx + nic->tail * NIC_DESC, desc,
			       sizeof(desc));
			nic->tail = (nic->tail + 1) % NIC_MAX_DESCS;
		}
		igbvf_write(&nic->vf, RDT(0), nic->tail);
		bitmap[0] = 0;
		ASSERT_EQ(0, dirty_report(self->dev, 1ULL << 39, 64 * DIRTY_PAGE,
					  DIRTY_PAGE, bitmap));
		if (bitmap[0] == ~0ULL)
			break;
		last = at;
	}
	EXPECT_LT(32ULL << 33, last)
		TH_LOG("8,192 pages are within the bound");
	EXPECT_EQ(~0ULL, bitmap[0])
		TH_LOG("so many pages, and they are still told apart");
	EXPECT_EQ(0, dirty_stop(self->dev));
}

/* A device that is closed has no log, and whoever opens it next has none */
TEST_F(dma_log, closed_while_logging)
{
	struct nic *nic = &self->nic;

	ASSERT_EQ(0, start(nic));
	drain_reports(_metadata, nic);
	igbvf_close(&nic->vf);
	dirty_copy_close(&nic->mem);
	lab_close(&self->lab);
	ASSERT_EQ(0, lab_open(&self->lab, 2));
	EXPECT_EQ(-EINVAL, dirty_stop(self->dev));
	EXPECT_EQ(0, dirty_start(self->dev, 0, NIC_MEM));
}

/* What an administrator chooses for the VFs that are bound from then on */
FIXTURE(parameters) {
	char bdf[40];
	struct lab lab;
	struct nic nic;
};

static int set_parameter(const char *bdf, const char *name, const char *value)
{
	char path[96];
	int ret;

	snprintf(path, sizeof(path), "/sys/module/igb_vfio_pci/parameters/%s", name);
	ret = sysfs_put(path, value);
	return ret ? ret : lab_rebind(bdf);
}

FIXTURE_SETUP(parameters)
{
	if (!lab_setup(_metadata, &self->lab, 1, true))
		return;
	if (!dirty_offered(&self->lab.vf[0]))
		SKIP(return, "no DMA log: the kernel has no IOMMUFD_DRIVER");
	snprintf(self->bdf, sizeof(self->bdf), "%s", self->lab.vf[0].bdf);
	lab_close(&self->lab);
}

FIXTURE_TEARDOWN(parameters)
{
	igbvf_close(&self->nic.vf);
	dirty_copy_close(&self->nic.mem);
	lab_close(&self->lab);
	set_parameter(self->bdf, "dma_log_trap_tx", "N");
	set_parameter(self->bdf, "dma_log", "Y");
}

TEST_F(parameters, no_log)
{
	ASSERT_EQ(0, set_parameter(self->bdf, "dma_log", "N"));
	ASSERT_EQ(0, lab_open(&self->lab, 1));
	EXPECT_FALSE(dirty_offered(&self->lab.vf[0]));
	EXPECT_EQ(-ENOTTY, dirty_start(&self->lab.vf[0], 0, NIC_MEM));
	ASSERT_EQ(0, igbvf_open(&self->nic.vf, &self->lab.vf[0]));
	EXPECT_NE(NULL, self->nic.vf.page[2])
		TH_LOG("without a log the receive queues are mapped");
}

/* Rings that no report has seen, one after the other */
TEST_F(parameters, transmit_rings_are_trapped)
{
	struct nic *nic = &self->nic;
	unsigned int i;

	ASSERT_EQ(0, set_parameter(self->bdf, "dma_log_trap_tx", "Y"));
	ASSERT_EQ(0, lab_open(&self->lab, 1));
	ASSERT_EQ(0, nic_open(nic, &self->lab.vf[0]));
	EXPECT_EQ(NULL, nic->vf.page[3]);
	ASSERT_EQ(0, dirty_copy_begin(&nic->mem));
	for (i = 0; i < 20; i++) {
		nic_tx_start(nic);
		nic_tx_send(nic);
	}
	finish(_metadata, nic);
	EXPECT_LT(10, nic->mem.written);
}

TEST_HARNESS_MAIN
