// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real DMA faults: VFs are told to read and write where nothing is mapped, and the
 * VT-d unit of the machine refuses.
 */
#include <kselftest_harness.h>
#include <endian.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include "lib/check.h"
#include "lib/faults.h"
#include "lib/flow.h"
#include "lib/klog.h"
#include "lib/stray.h"

#define IOVA		0xdead0000ULL
#define IOVA_B		0xbeef0000ULL
#define PAGE		0x1000ULL
#define COME_MS		3000
#define QUIET_MS	300
#define MANY		10000
/* Fault Reasons of the VT-d specification: no right to write, to read */
#define NO_WRITE	5
#define NO_READ		6

static const __u8 mac_a[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0a };
static const __u8 mac_b[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0b };

/* A frame for which there are buffers where nothing is mapped */
static void point_rx_at(struct igbvf *vf, __u64 iova)
{
	__le64 *desc = vf->rx[0].dma.mem;
	unsigned int i;

	for (i = 0; i < IGBVF_RING; i++)
		desc[2 * i] = htole64(iova);
}

FIXTURE(vtd) {
	struct lab lab;
	struct vfio_dev *dev;
	struct igbvf vf;
	struct faults faults;
	struct klog log;
};

FIXTURE_VARIANT(vtd) {
	bool cdev;
};

FIXTURE_VARIANT_ADD(vtd, group) { .cdev = false };
FIXTURE_VARIANT_ADD(vtd, cdev) { .cdev = true };

FIXTURE_SETUP(vtd)
{
	self->faults.event = -1;
	self->log.fd = -1;
	self->lab.cdev = variant->cdev;
	if (access("/sys/class/iommu/dmar0", F_OK))
		SKIP(return, "the machine has no VT-d");
	if (!lab_setup(_metadata, &self->lab, 2, true))
		return;
	self->dev = &self->lab.vf[0];
	ASSERT_EQ(0, faults_open(&self->faults, self->dev));
	ASSERT_TRUE(self->faults.header->ring.sources & VFIO_MIG_FAULT_SOURCE_VTD)
		TH_LOG("the driver does not listen to VT-d");
	ASSERT_EQ(0, stray_start(&self->vf, self->dev, mac_a, IOVA));
	ASSERT_EQ(0, klog_open(&self->log));
}

FIXTURE_TEARDOWN(vtd)
{
	klog_close(&self->log);
	faults_close(&self->faults);
	stray_stop(&self->vf);
	lab_close(&self->lab);
}

/* All that is there is what this device was made to do, and as much as @count */
static void expect_faults(struct __test_metadata *_metadata, struct faults *faults,
			  struct vfio_dev *dev, __u64 iova, bool write,
			  unsigned int count)
{
	struct vfio_mig_fault fault;

	ASSERT_LE(count, faults_ready(faults));
	while (count--) {
		ASSERT_EQ(0, faults_take(faults, &fault));
		ASSERT_EQ(iova, fault.iova);
		ASSERT_EQ((write ? VFIO_MIG_FAULT_WRITE : VFIO_MIG_FAULT_READ) |
			  VFIO_MIG_FAULT_REASON,
			  fault.flags & ~VFIO_MIG_FAULT_OVERFLOW);
		ASSERT_EQ(write ? NO_WRITE : NO_READ, fault.reason);
		ASSERT_EQ(VFIO_MIG_FAULT_SOURCE_VTD, fault.source);
		ASSERT_EQ(0, fault.segment);
		ASSERT_EQ(faults_requester(dev->bdf), fault.requester);
	}
}

TEST_F(vtd, read)
{
	stray_kick(&self->vf, 1);
	EXPECT_TRUE(faults_signalled(&self->faults, COME_MS));
	EXPECT_EQ(1, faults_ready(&self->faults));
	expect_faults(_metadata, &self->faults, self->dev, IOVA, false, 1);
	EXPECT_EQ(0, faults_dropped(&self->faults));
}

TEST_F(vtd, write)
{
	__u8 frame[PEER_MAX_FRAME];
	struct peer peer;

	point_rx_at(&self->vf, IOVA_B);
	ASSERT_EQ(0, peer_open(&peer, lab_netdev()));
	frame_build(frame, mac_a, peer.mac, -1, 1, flow_len(1));
	ASSERT_EQ(0, peer_send(&peer, frame, flow_len(1)));
	EXPECT_TRUE(faults_signalled(&self->faults, COME_MS));
	expect_faults(_metadata, &self->faults, self->dev, IOVA_B, true, 1);
	peer_close(&peer);
}

/* The kernel has its say as ever, but only ten times in five seconds */
TEST_F(vtd, kernel_log)
{
	long long end = clock_ms() + 15000;
	char line[64];

	/* Not all kernels name the PCI segment */
	snprintf(line, sizeof(line), "%s] fault addr %#llx",
		 strchr(self->dev->bdf, ':') + 1, IOVA);
	do {
		stray_kick(&self->vf, 1);
		usleep(200000);
	} while (!klog_count(&self->log, line) && clock_ms() < end);
	EXPECT_LT(0, klog_count(&self->log, line));
	EXPECT_LT(0, faults_ready(&self->faults));
}

/* Each is told of what it did, one after the other */
TEST_F(vtd, neighbours)
{
	struct faults other;
	struct igbvf vf;
	unsigned int i;

	ASSERT_EQ(0, stray_pin_to_handler());
	ASSERT_EQ(0, faults_open(&other, &self->lab.vf[1]));
	ASSERT_EQ(0, stray_start(&vf, &self->lab.vf[1], mac_b, IOVA_B));
	for (i = 1; i <= 5; i++) {
		stray_kick(&self->vf, 1);
		ASSERT_TRUE(faults_wait(&self->faults, 1, COME_MS));
		expect_faults(_metadata, &self->faults, self->dev, IOVA, false, 1);
		ASSERT_EQ(0, faults_ready(&other));
		stray_kick(&vf, 1);
		ASSERT_TRUE(faults_wait(&other, 1, COME_MS));
		expect_faults(_metadata, &other, &self->lab.vf[1], IOVA_B, false, 1);
		ASSERT_EQ(0, faults_ready(&self->faults));
	}
	faults_close(&other);
	stray_stop(&vf);
}

struct kicker {
	struct igbvf *vf;
	unsigned int pause_us;
	bool stop;
	unsigned int kicks;
};

static void *kick_on(void *arg)
{
	struct kicker *kicker = arg;

	while (!__atomic_load_n(&kicker->stop, __ATOMIC_RELAXED)) {
		stray_kick(kicker->vf, 1);
		kicker->kicks++;
		if (kicker->pause_us)
			usleep(kicker->pause_us);
	}
	return NULL;
}

/* At once, which the unit's one record is too little for */
TEST_F_TIMEOUT(vtd, both_at_once, 60)
{
	struct kicker kicker[2] = { { .vf = &self->vf } };
	struct faults other;
	pthread_t thread[2];
	struct igbvf vf;
	unsigned int i;

	kicker[1].vf = &vf;
	ASSERT_EQ(0, faults_open(&other, &self->lab.vf[1]));
	ASSERT_EQ(0, stray_start(&vf, &self->lab.vf[1], mac_b, IOVA_B));
	ASSERT_EQ(0, pthread_create(&thread[0], NULL, kick_on, &kicker[0]));
	ASSERT_EQ(0, pthread_create(&thread[1], NULL, kick_on, &kicker[1]));
	for (i = 0; i < 100; i++) {
		usleep(20000);
		expect_faults(_metadata, &self->faults, self->dev, IOVA, false,
			      faults_ready(&self->faults));
		expect_faults(_metadata, &other, &self->lab.vf[1], IOVA_B, false,
			      faults_ready(&other));
	}
	for (i = 0; i < 2; i++) {
		__atomic_store_n(&kicker[i].stop, true, __ATOMIC_RELAXED);
		pthread_join(thread[i], NULL);
	}
	TH_LOG("%u and %u accesses, %u and %u told", kicker[0].kicks, kicker[1].kicks,
	       self->faults.next, other.next);
	EXPECT_LT(0, self->faults.next);
	EXPECT_LT(0, other.next);
	EXPECT_LE(self->faults.next + faults_dropped(&self->faults), kicker[0].kicks);
	EXPECT_LE(other.next + faults_dropped(&other), kicker[1].kicks);
	faults_close(&other);
	stray_stop(&vf);
}

/* Every one is told, or dropped and counted */
TEST_F_TIMEOUT(vtd, many, 60)
{
	long long start = clock_ms();
	unsigned int i;

	ASSERT_EQ(0, stray_pin_to_handler());
	for (i = 0; i < MANY; i++) {
		stray_kick(&self->vf, 1);
		if (faults_ready(&self->faults) > self->faults.header->ring.nr_entries / 2)
			expect_faults(_metadata, &self->faults, self->dev, IOVA,
				      false, faults_ready(&self->faults));
	}
	usleep(QUIET_MS * 1000);
	TH_LOG("%u in %lld ms", MANY, clock_ms() - start - QUIET_MS);
	expect_faults(_metadata, &self->faults, self->dev, IOVA, false,
		      faults_ready(&self->faults));
	EXPECT_EQ(MANY, self->faults.next + faults_dropped(&self->faults))
		TH_LOG("%u told, %llu dropped", self->faults.next,
		       faults_dropped(&self->faults));
}

TEST_F_TIMEOUT(vtd, nobody_takes_them, 60)
{
	__u32 nr = self->faults.header->ring.nr_entries;
	unsigned int i;

	ASSERT_EQ(0, stray_pin_to_handler());
	for (i = 0; i < nr + 500; i++)
		stray_kick(&self->vf, 1);
	usleep(QUIET_MS * 1000);
	EXPECT_EQ(nr, faults_ready(&self->faults));
	EXPECT_EQ(500, faults_dropped(&self->faults));
	expect_faults(_metadata, &self->faults, self->dev, IOVA, false, nr);
}

/* Many at once: the unit takes them for one, or for some */
TEST_F(vtd, burst)
{
	stray_kick(&self->vf, IGBVF_RING - 1);
	ASSERT_TRUE(faults_wait(&self->faults, 1, COME_MS));
	usleep(QUIET_MS * 1000);
	TH_LOG("%u of %u", faults_ready(&self->faults), IGBVF_RING - 1);
	EXPECT_GE(IGBVF_RING - 1, faults_ready(&self->faults));
}

TEST_F(vtd, reset)
{
	__u64 epoch = faults_epoch(&self->faults);
	struct vfio_mig_fault fault;

	stray_kick(&self->vf, 1);
	ASSERT_TRUE(faults_wait(&self->faults, 1, COME_MS));
	ASSERT_EQ(0, vfio_reset(self->dev));
	ASSERT_EQ(0, vfio_enable(self->dev));
	ASSERT_EQ(0, flow_start(&self->vf, mac_a));
	ASSERT_EQ(0, stray_point_at(&self->vf, IOVA_B));
	stray_kick(&self->vf, 1);
	ASSERT_TRUE(faults_wait(&self->faults, 2, COME_MS));
	ASSERT_EQ(0, faults_take(&self->faults, &fault));
	EXPECT_EQ(epoch, fault.epoch);
	EXPECT_EQ(IOVA, fault.iova);
	ASSERT_EQ(0, faults_take(&self->faults, &fault));
	EXPECT_EQ(epoch + 1, fault.epoch);
	EXPECT_EQ(IOVA_B, fault.iova);
}

/* Loading and unloading: VF 0 is in vfio-pci's hands, and not to be heard of */
FIXTURE(module) {
	struct vfio_iommu iommu;
	struct vfio_dev dev;
	struct igbvf vf;
	char bdf[2][16];
};

FIXTURE_SETUP(module)
{
	if (access("/sys/class/iommu/dmar0", F_OK))
		SKIP(return, "the machine has no VT-d");
	if (!lab_vf_name(0, self->bdf[0], 16) || !lab_vf_name(1, self->bdf[1], 16) ||
	    !lab_netdev())
		SKIP(return, "needs 2 VFs and a PF, see run_tests.sh");
	ASSERT_EQ(0, lab_pf_up());
	ASSERT_EQ(0, lab_bind(0, "vfio-pci"));
	ASSERT_EQ(0, vfio_iommu_open(&self->iommu));
	ASSERT_EQ(0, vfio_open(&self->dev, &self->iommu, self->bdf[0]));
	ASSERT_EQ(0, stray_start(&self->vf, &self->dev, mac_a, IOVA));
}

FIXTURE_TEARDOWN(module)
{
	stray_stop(&self->vf);
	vfio_close(&self->dev);
	vfio_iommu_close(&self->iommu);
	lab_bind(0, "igb_vfio_pci");
}

/* Opens VF 1 beside VF 0, has it make a fault, and counts those that it is told of */
static int faults_of_second(const char *bdf, __u32 *sources)
{
	struct vfio_iommu own;
	struct faults faults;
	struct vfio_dev dev;
	struct igbvf vf = {};
	int ret;

	ret = vfio_iommu_open(&own);
	if (!ret)
		ret = vfio_open(&dev, &own, bdf);
	if (ret)
		return ret;
	ret = faults_open(&faults, &dev);
	if (!ret)
		ret = stray_start(&vf, &dev, mac_b, IOVA_B);
	if (!ret) {
		stray_kick(&vf, 1);
		faults_wait(&faults, 1, QUIET_MS);
		*sources = faults.header->ring.sources;
		ret = faults_ready(&faults);
	}
	stray_stop(&vf);
	faults_close(&faults);
	vfio_close(&dev);
	vfio_iommu_close(&own);
	return ret;
}

TEST_F_TIMEOUT(module, parameter, 60)
{
	__u32 sources = ~0;

	EXPECT_EQ(1, faults_of_second(self->bdf[1], &sources));
	EXPECT_TRUE(sources & VFIO_MIG_FAULT_SOURCE_VTD);
	ASSERT_EQ(0, lab_unload());
	ASSERT_EQ(0, lab_reload("fault_vtd=0"));
	EXPECT_EQ(0, faults_of_second(self->bdf[1], &sources));
	EXPECT_FALSE(sources & VFIO_MIG_FAULT_SOURCE_VTD);
	ASSERT_EQ(0, lab_unload());
	ASSERT_EQ(0, lab_reload(""));
	EXPECT_EQ(1, faults_of_second(self->bdf[1], &sources));
}

TEST_F_TIMEOUT(module, unloaded_under_fire, 120)
{
	struct kicker kicker = { .vf = &self->vf, .pause_us = 20 };
	__u32 sources = 0;
	pthread_t thread;
	unsigned int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, kick_on, &kicker));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, lab_unload());
		usleep(20000);
		ASSERT_EQ(0, lab_reload(""));
	}
	__atomic_store_n(&kicker.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	TH_LOG("%u accesses meanwhile", kicker.kicks);
	EXPECT_EQ(1, faults_of_second(self->bdf[1], &sources));
}

TEST_HARNESS_MAIN
