// SPDX-License-Identifier: GPL-2.0-only
/*
 * Of whatever the kernel does for a user of the device the first allocation or
 * user copy fails, then the second, and so on, until there are no more. A call
 * that fails has changed nothing and succeeds when it is tried again; one that
 * succeeds has done all that it does undisturbed.
 */
#include <kselftest_harness.h>
#include <sys/eventfd.h>

#include "fail.h"
#include "lib/check.h"
#include "lib/dirty.h"
#include "lib/inject.h"
#include "lib/klog.h"
#include "sysfs.h"

#define MAX_NTH	1000

#define KPROBES	"/sys/kernel/tracing/kprobe_events"

static void expect_unharmed(struct __test_metadata *_metadata,
			    struct fail *fail, const struct path *path,
			    const struct before *before, int error)
{
	struct before after;

	ASSERT_EQ(0, remember(fail, &after));
	EXPECT_EQ(before->fds, after.fds)
		TH_LOG("%s: a file has appeared or gone", path->name);
	if (path->unharmed) {
		EXPECT_TRUE(path->unharmed(fail))
			TH_LOG("%s: it failed and yet had an effect", path->name);
	}
	if (path->may_be && path->may_be(fail, after.state, error) &&
	    after.state != before->state)
		return;
	EXPECT_EQ(before->state, after.state)
		TH_LOG("%s: the state is %s, it was %s", path->name,
		       vfio_mig_state_name(after.state),
		       vfio_mig_state_name(before->state));
	EXPECT_EQ(before->scratch, after.scratch);
	EXPECT_EQ(before->trapped, after.trapped);
	EXPECT_EQ(before->command, after.command);
}

/* An undisturbed run, for the others to be compared with */
static void run(struct __test_metadata *_metadata, struct fail *fail,
		const struct path *path, int (*go)(struct fail *fail))
{
	fail->result.len = 0;
	ASSERT_EQ(path->want, go(fail))
		TH_LOG("%s", path->name);
}

static void look(struct __test_metadata *_metadata, struct fail *fail,
		 const struct path *path)
{
	ASSERT_EQ(0, path->look ? path->look(fail) : 0)
		TH_LOG("%s: it succeeded, but without result", path->name);
}

/* Returns whether there was an nth allocation; counts those that made it fail */
static bool fail_nth(struct __test_metadata *_metadata, struct fail *fail,
		     const struct path *path, unsigned int nth,
		     unsigned int *failures)
{
	struct before before;
	int ret, injected;

	ASSERT_EQ(0, remember(fail, &before));
	fail->result.len = 0;
	ASSERT_EQ(0, inject_arm(fail->inject, nth));
	ret = path->go(fail);
	injected = inject_disarm(fail->inject);
	ASSERT_LE(0, injected);
	if (ret == path->want) {
		look(_metadata, fail, path);
		return injected;
	}

	ASSERT_EQ(1, injected)
		TH_LOG("%s: %s, but nothing failed", path->name, strerror(-ret));
	EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT || ret == path->also)
		TH_LOG("%s: failure %u gives %s", path->name, nth, strerror(-ret));
	expect_unharmed(_metadata, fail, path, &before, ret);
	(*failures)++;
	if (!path->slow) {
		run(_metadata, fail, path, path->again ? path->again : path->go);
		look(_metadata, fail, path);
	}
	return true;
}

static void sweep(struct __test_metadata *_metadata, struct fail *fail,
		  const struct path *path)
{
	struct mig_stream *want = malloc(sizeof(*want));
	unsigned int nth = 0, failures = 0, before;
	long long start = clock_ms();
	bool more;

	ASSERT_NE(NULL, want);
	fail->path = path;
	ASSERT_EQ(0, path->begin(fail));
	run(_metadata, fail, path, path->go);
	look(_metadata, fail, path);
	*want = fail->result;
	do {
		before = failures;
		ASSERT_GT(MAX_NTH, ++nth);
		ASSERT_EQ(0, path->begin(fail));
		more = fail_nth(_metadata, fail, path, nth, &failures);
		if (failures > before && path->enough && path->enough(fail))
			break;
		if (failures > before && path->slow)
			continue;
		EXPECT_EQ(-1, mig_diff(want, &fail->result))
			TH_LOG("%s: with failure %u something else came of it",
			       path->name, nth);
	} while (more);
	EXPECT_LE(path->least, failures)
		TH_LOG("%s: only %u failures", path->name, failures);
	ASSERT_EQ(0, path->begin(fail));
	free(want);
	ksft_print_msg("%s: %u of %u failed, %lld ms\n", path->name, failures,
		       nth - 1, clock_ms() - start);
}

static void sweep_all(struct __test_metadata *_metadata, struct fail *fail,
		      const struct path *paths)
{
	for (; paths->name; paths++)
		sweep(_metadata, fail, paths);
}

FIXTURE(fail_nth) {
	struct fail fail;
};

FIXTURE_VARIANT(fail_nth) {
	bool cdev;
};

FIXTURE_VARIANT_ADD(fail_nth, group) { .cdev = false };
FIXTURE_VARIANT_ADD(fail_nth, cdev) { .cdev = true };

FIXTURE_SETUP(fail_nth)
{
	struct fail *fail = &self->fail;

	fail->lab.cdev = variant->cdev;
	fail->fd = -1;
	fail->old_fd = -1;
	if (!lab_setup(_metadata, &fail->lab, 1, true))
		return;
	fail->dev = &fail->lab.vf[0];
	fail->inject = inject_open();
	ASSERT_LE(0, fail->inject);
	ASSERT_EQ(0, igbvf_open(&fail->vf, fail->dev));
	ASSERT_EQ(0, igbvf_hello(&fail->vf));
	igbvf_write(&fail->vf, SCRATCH, BEFORE);
	ASSERT_EQ(0, begin_running(fail));
	ASSERT_EQ(0, mig_save(fail->dev, &fail->saved));
	ASSERT_EQ(0, begin_running(fail));
}

FIXTURE_TEARDOWN(fail_nth)
{
	close_data_fds(&self->fail);
	faults_unmap(&self->fail.faults);
	igbvf_close(&self->fail.vf);
	lab_close(&self->fail.lab);
}

/* Leaves the device to paths that open it */
static void close_all(struct fail *fail)
{
	igbvf_close(&fail->vf);
	lab_close(&fail->lab);
}

TEST_F_TIMEOUT(fail_nth, open, 120)
{
	struct fail *fail = &self->fail;

	ASSERT_EQ(0, vfio_path(fail->dev->bdf, variant->cdev, fail->file,
			       sizeof(fail->file)));
	close_all(fail);
	sweep_all(_metadata, fail, variant->cdev ? open_cdev_paths :
						   open_group_paths);
	vfio_close(fail->dev);
	vfio_iommu_close(&fail->lab.iommu);
	ASSERT_EQ(0, lab_open(&fail->lab, 1));
	EXPECT_STATE(fail->dev, VFIO_DEVICE_STATE_RUNNING);
}

TEST_F_TIMEOUT(fail_nth, close, 60)
{
	/* It gives the group's default domain back to it, which takes memory */
	if (variant->cdev)
		SKIP(return, "Linux warns where iommufd cannot let go of a group");
	close_all(&self->fail);
	sweep_all(_metadata, &self->fail, close_paths);
}

TEST_F_TIMEOUT(fail_nth, info, 60)
{
	sweep_all(_metadata, &self->fail, info_paths);
}

TEST_F_TIMEOUT(fail_nth, reset, 60)
{
	sweep_all(_metadata, &self->fail, reset_paths);
}

TEST_F_TIMEOUT(fail_nth, irqs, 60)
{
	unsigned int i;

	for (i = 0; i < NR_EVENTFDS; i++) {
		self->fail.eventfd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		ASSERT_LE(0, self->fail.eventfd[i]);
	}
	sweep_all(_metadata, &self->fail, irq_paths);
}

static bool is_way(__u32 from, __u32 to)
{
	return from != to && (from != VFIO_DEVICE_STATE_STOP_COPY ||
			      (to != VFIO_DEVICE_STATE_PRE_COPY &&
			       to != VFIO_DEVICE_STATE_PRE_COPY_P2P));
}

static void sweep_arc(struct __test_metadata *_metadata, struct fail *fail,
		      __u32 from, __u32 to)
{
	struct path path = arc_path;
	char name[64];

	snprintf(name, sizeof(name), "%s -> %s", vfio_mig_state_name(from),
		 vfio_mig_state_name(to));
	path.name = name;
	path.from = from;
	path.to = to;
	sweep(_metadata, fail, &path);
}

TEST_F_TIMEOUT(fail_nth, set_state, 120)
{
	unsigned int from, to;

	for (from = 0; from < NR_STATES; from++)
		for (to = 0; to < NR_STATES; to++)
			if (is_way(check_states[from], check_states[to]))
				sweep_arc(_metadata, &self->fail,
					  check_states[from], check_states[to]);
}

TEST_F_TIMEOUT(fail_nth, read, 60)
{
	sweep_all(_metadata, &self->fail, read_paths);
}

TEST_F_TIMEOUT(fail_nth, write, 60)
{
	struct fail *fail = &self->fail;

	fail->data = fail->saved;
	sweep_all(_metadata, fail, write_paths);
	ASSERT_EQ(0, lengthen(&fail->data));
	sweep_all(_metadata, fail, long_write_paths);
}

TEST_F_TIMEOUT(fail_nth, regions, 60)
{
	sweep_all(_metadata, &self->fail, region_paths);
	close_all(&self->fail);
	sweep_all(_metadata, &self->fail, first_region_paths);
}

static void sweep_faults(struct __test_metadata *_metadata, struct fail *fail,
			 __u32 want)
{
	sweep_all(_metadata, fail, fault_paths);
	EXPECT_EQ(0, memcmp(&want, fail->result.data, sizeof(want)));
}

TEST_F(fail_nth, faults)
{
	sweep_faults(_metadata, &self->fail, BEFORE);
}

/* Both while the device is blocked and in ERROR a page of ones is mapped */
TEST_F(fail_nth, faults_in_error)
{
	struct fail *fail = &self->fail;

	if (lab_load("pretend_error"))
		SKIP(return, "pretend_error.ko is not to be had");
	ASSERT_EQ(0, lab_pretend_error(fail->dev->bdf, "frozen"));
	sweep_faults(_metadata, fail, ~0U);
	ASSERT_EQ(0, lab_pretend_error(fail->dev->bdf, "slot_reset"));
	ASSERT_EQ(0, lab_pretend_error(fail->dev->bdf, "resume"));
	EXPECT_STATE(fail->dev, VFIO_DEVICE_STATE_ERROR);
	sweep_faults(_metadata, fail, ~0U);
	ASSERT_EQ(0, vfio_reset(fail->dev));
}

TEST_F(fail_nth, ring)
{
	if (lab_load("pretend_fault"))
		SKIP(return, "pretend_fault.ko is not to be had");
	sweep_all(_metadata, &self->fail, ring_paths);
}

TEST_F_TIMEOUT(fail_nth, dma_log, 60)
{
	static const __u8 mac[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0a };
	struct fail *fail = &self->fail;

	if (!dirty_offered(fail->dev))
		SKIP(return, "no DMA log: the kernel has no IOMMUFD_DRIVER");
	ASSERT_EQ(0, peer_open(&fail->peer, lab_netdev()));
	ASSERT_EQ(0, igbvf_set_mac(&fail->vf, mac));
	sweep_all(_metadata, fail, dma_log_paths);
	peer_close(&fail->peer);
}

FIXTURE(binding) {
	struct fail fail;
};

FIXTURE_SETUP(binding)
{
	struct fail *fail = &self->fail;

	if (!lab_setup(_metadata, &fail->lab, 1, true))
		return;
	fail->dev = &fail->lab.vf[0];
	fail->inject = inject_open();
	ASSERT_LE(0, fail->inject);
	snprintf(fail->file, sizeof(fail->file), "%s", fail->dev->bdf);
	lab_close(&fail->lab);
	ASSERT_EQ(0, sysfs_put(KPROBES, "p:selftest/registers vfio_pci_core_register_device"));
}

FIXTURE_TEARDOWN(binding)
{
	trace_close();
	sysfs_put(KPROBES, "-:selftest/registers");
	lab_close(&self->fail.lab);
	if (self->fail.file[0])
		bind_driver(&self->fail);
}

TEST_F_TIMEOUT(binding, bind, 120)
{
	sweep_all(_metadata, &self->fail, bind_paths);
}

TEST_F_TIMEOUT(binding, unbind, 60)
{
	sweep_all(_metadata, &self->fail, unbind_paths);
}

int main(int argc, char **argv)
{
	if (!inject_available()) {
		ksft_print_header();
		printf("1..0 # SKIP the kernel has no fault injection\n");
		return KSFT_SKIP;
	}
	if (inject_setup()) {
		ksft_print_header();
		printf("Bail out! fault injection cannot be set up\n");
		return KSFT_FAIL;
	}
	return test_harness_run(argc, argv);
}
