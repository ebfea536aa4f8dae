// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults that an IOMMU driver reports about a domain, and what goes on meanwhile:
 * devices are opened and closed, and the modules go. pretend_fault.ko is the IOMMU
 * driver.
 */
#include <kselftest_harness.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/check.h"
#include "lib/faults.h"
#include "sysfs.h"

#define IOVA	0xdead0000ULL
#define PAGE	0x1000ULL
#define COME_MS	2000

FIXTURE(domain) {
	struct lab lab;
	struct faults faults[2];
};

FIXTURE_VARIANT(domain) {
	bool cdev;
};

FIXTURE_VARIANT_ADD(domain, group) { .cdev = false };
FIXTURE_VARIANT_ADD(domain, cdev) { .cdev = true };

/*
 * TCG can have one processor run a breakpoint that another one has removed already: the
 * kernel changes its code when a tracepoint gets its first listener, or loses its last.
 */
static int leave_one_processor(bool one)
{
	static const char cpu1[] = "/sys/devices/system/cpu/cpu1/online";

	return access(cpu1, F_OK) ? 0 : sysfs_put(cpu1, one ? "0" : "1");
}

FIXTURE_SETUP(domain)
{
	struct vfio_dev *vf = self->lab.vf;

	self->faults[0].event = -1;
	self->faults[1].event = -1;
	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 2, true))
		return;
	if (lab_load("pretend_fault"))
		SKIP(return, "pretend_fault.ko is not to be had");
	ASSERT_EQ(0, faults_open(&self->faults[0], &vf[0]));
	ASSERT_EQ(0, faults_open(&self->faults[1], &vf[1]));
}

FIXTURE_TEARDOWN(domain)
{
	faults_fire(NULL);
	leave_one_processor(false);
	faults_close(&self->faults[0]);
	faults_close(&self->faults[1]);
	lab_close(&self->lab);
}

/* Both are in one container, and so in one domain */
TEST_F(domain, two_devices)
{
	struct vfio_mig_fault fault;
	unsigned int i, n;

	ASSERT_EQ(0, faults_report(self->lab.vf[0].bdf, IOVA, false, 3));
	ASSERT_EQ(0, faults_report(self->lab.vf[1].bdf, IOVA + PAGE, true, 4));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(3 + i, faults_ready(&self->faults[i]));
		EXPECT_TRUE(faults_signalled(&self->faults[i], COME_MS));
		for (n = 0; n < 3 + i; n++) {
			ASSERT_EQ(0, faults_take(&self->faults[i], &fault));
			EXPECT_EQ(IOVA + (i + n) * PAGE, fault.iova);
			EXPECT_EQ(i ? VFIO_MIG_FAULT_WRITE : VFIO_MIG_FAULT_READ,
				  fault.flags);
			EXPECT_EQ(faults_requester(self->lab.vf[i].bdf),
				  fault.requester);
		}
	}
}

/* A device that goes takes nothing from the other in its container */
TEST_F(domain, one_leaves)
{
	faults_close(&self->faults[1]);
	vfio_close(&self->lab.vf[1]);
	self->lab.nr = 1;
	ASSERT_EQ(0, faults_report(self->lab.vf[1].bdf, IOVA, true, 1));
	EXPECT_EQ(0, faults_ready(&self->faults[0]));
	ASSERT_EQ(0, faults_report(self->lab.vf[0].bdf, IOVA, true, 1));
	EXPECT_EQ(1, faults_ready(&self->faults[0]));
}

/* Of a device that nobody has open, and of one that is not ours at all */
TEST_F(domain, nobodys)
{
	const char *pf = getenv("VFMIG_PF");

	ASSERT_NE(NULL, pf);
	EXPECT_EQ(0, faults_report(pf, IOVA, true, 10));
	EXPECT_EQ(0, faults_ready(&self->faults[0]));
	EXPECT_EQ(0, faults_ready(&self->faults[1]));
}

/*
 * A reset takes 100 ms, and there is one with each open and close; without a way to
 * reset it a device is opened as it is.
 */
static int allow_resets(const char *bdf, bool yes)
{
	return sysfs_pci_put(bdf, "reset_method", yes ? "default" : "\n");
}

/* Its group, where it has one, stays in the container */
static int open_again(struct vfio_dev *dev)
{
	char bdf[sizeof(dev->bdf)];

	if (dev->iommu->cdev) {
		memcpy(bdf, dev->bdf, sizeof(bdf));
		return vfio_open(dev, dev->iommu, bdf);
	}
	dev->fd = ioctl(dev->group, VFIO_GROUP_GET_DEVICE_FD, dev->bdf);
	return dev->fd < 0 ? -errno : 0;
}

static int open_and_close(struct vfio_dev *dev, bool map)
{
	struct faults faults;
	int ret;

	ret = open_again(dev);
	if (ret)
		return ret;
	if (map)
		ret = faults_open(&faults, dev);
	if (map && !ret) {
		if (!faults_wait(&faults, 1, COME_MS))
			ret = -ETIMEDOUT;
		faults_close(&faults);
	}
	close(dev->fd);
	dev->fd = -1;
	return ret;
}

TEST_F_TIMEOUT(domain, opened_under_fire, 120)
{
	struct vfio_dev *dev = &self->lab.vf[1];
	unsigned int i, count = lab_setting("FAULT_DOMAIN_OPENINGS", 1000);
	int ret = 0;

	faults_close(&self->faults[1]);
	close(dev->fd);
	ASSERT_EQ(0, allow_resets(dev->bdf, false));
	ASSERT_EQ(0, faults_fire(dev->bdf));
	for (i = 0; !ret && i < count; i++)
		ret = open_and_close(dev, i % 2);
	EXPECT_EQ(0, ret)
		TH_LOG("opening it for the %uth time: %s", i, strerror(-ret));
	EXPECT_EQ(0, faults_ready(&self->faults[0]));
	ASSERT_EQ(0, faults_fire(NULL));
	ASSERT_EQ(0, allow_resets(dev->bdf, true));
}

/* The modules go and come while faults of their devices are reported */
TEST_F_TIMEOUT(domain, unloaded_under_fire, 120)
{
	unsigned int i;
	int ret = 0;

	faults_close(&self->faults[0]);
	faults_close(&self->faults[1]);
	lab_close(&self->lab);
	ASSERT_EQ(0, leave_one_processor(true));
	ASSERT_EQ(0, faults_fire(self->lab.vf[0].bdf));
	for (i = 0; !ret && i < 3; i++) {
		ret = lab_unload();
		if (!ret)
			ret = lab_reload("");
	}
	EXPECT_EQ(0, leave_one_processor(false));
	ASSERT_EQ(0, ret)
		TH_LOG("round %u: %s", i, strerror(-ret));
	ASSERT_EQ(0, lab_open(&self->lab, 2));
	ASSERT_EQ(0, faults_open(&self->faults[0], &self->lab.vf[0]));
	EXPECT_TRUE(faults_wait(&self->faults[0], 1, COME_MS));
}

TEST_HARNESS_MAIN
