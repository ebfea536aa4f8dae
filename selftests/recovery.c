// SPDX-License-Identifier: GPL-2.0-only
/*
 * The recovery from a fatal error when it does not go as it should, and what it
 * meets half-way: the driver's error handlers are called by pretend_error.ko, one
 * by one. Errors from beginning to end are in aer.c.
 */
#include <fcntl.h>
#include <kselftest_harness.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>

#include "lib/check.h"
#include "lib/ext.h"
#include "lib/igbvf.h"
#include "lib/stall.h"

#define WAIT_MS		5000
#define ROUNDS		10	/* for each pair of states */
#define OPENS		8

/* The bit of the PF's SR-IOV capability that makes the VFs be there */
static int turn_vfs(bool on)
{
	const char *pf = getenv("VFMIG_PF");
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "setpci -s %s ECAP_SRIOV+8.w=%d:1", pf, on);
	return system(cmd) ? -EIO : 0;
}

FIXTURE(recovery) {
	struct lab lab;
	struct vfio_dev *dev;
	char bdf[40];
	struct igbvf vf;
	struct mig_stream stream;
	int recovered;
};

GROUP_AND_CDEV(recovery);

FIXTURE_SETUP(recovery)
{
	struct vfio_mig_ext ext;

	if (lab_load("pretend_reset") || lab_load("pretend_error"))
		SKIP(return, "pretend_error.ko is not to be had");
	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 1, true))
		return;
	self->dev = &self->lab.vf[0];
	memcpy(self->bdf, self->dev->bdf, sizeof(self->bdf));
	ASSERT_EQ(0, igbvf_open(&self->vf, self->dev));
	ASSERT_EQ(0, mig_save(self->dev, &self->stream));
	GO(self->dev, VFIO_DEVICE_STATE_RUNNING);

	self->recovered = eventfd(0, EFD_NONBLOCK);
	ASSERT_EQ(0, ext_read(self->dev, &ext));
	ASSERT_EQ(0, vfio_irq_set_eventfds(self->dev, ext.irq_recovered, 1,
					   &self->recovered));
}

FIXTURE_TEARDOWN(recovery)
{
	turn_vfs(true);
	close(self->recovered);
	igbvf_close(&self->vf);
	lab_close(&self->lab);
	/* A device that has been given up is only had back so */
	lab_rebind(self->bdf);
}

#define CALL(handler)	ASSERT_EQ(0, lab_pretend_error(self->bdf, handler))
#define GIVEN_UP(handler) \
	EXPECT_EQ(-ENODEV, lab_pretend_error(self->bdf, handler))

static bool came(int event)
{
	__u64 count;

	return read(event, &count, sizeof(count)) == sizeof(count);
}

static int mapped_read(struct igbvf *vf, __u32 *val)
{
	return mmio_try_read(&vf->page[1][(VTEIMS - 0x1000) / 4], val);
}

/* Nothing reaches the device, and all who try are told at once or read ones */
static void expect_blocked(struct __test_metadata *_metadata,
			   struct igbvf *vf)
{
	struct vfio_dev *dev = vf->dev;
	__u32 val = 0;
	__u16 id = 0;

	EXPECT_STATE(dev, VFIO_DEVICE_STATE_ERROR);
	EXPECT_NE(0, vfio_mig_set_state(dev, VFIO_DEVICE_STATE_RUNNING, NULL));
	EXPECT_EQ(-EBUSY, vfio_reset(dev));
	EXPECT_EQ(0, mapped_read(vf, &val));
	EXPECT_EQ(0xffffffff, val);
	EXPECT_EQ(0xffffffff, igbvf_read(vf, VTSTATUS));
	EXPECT_EQ(0, vfio_region_read(dev, VFIO_PCI_CONFIG_REGION_INDEX,
				      PCI_VENDOR_ID, &id, sizeof(id)));
	EXPECT_EQ(0xffff, id);
	EXPECT_EQ(-EBUSY, vfio_irq_set_eventfds(dev, VFIO_PCI_MSIX_IRQ_INDEX,
						1, &dev->fd));
}

/* It has been given back, and its user has to reset it */
static void expect_back(struct __test_metadata *_metadata, struct igbvf *vf)
{
	__u32 val = 0;

	EXPECT_STATE(vf->dev, VFIO_DEVICE_STATE_ERROR);
	ASSERT_EQ(0, vfio_reset(vf->dev));
	EXPECT_STATE(vf->dev, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(0, mapped_read(vf, &val));
	EXPECT_NE(0xffffffff, val);
	EXPECT_NE(0xffffffff, igbvf_read(vf, VTSTATUS));
}

/* Closing, opening and a reset by the administrator change nothing; a new binding does */
static void expect_lost(struct __test_metadata *_metadata, struct lab *lab,
			struct igbvf *vf)
{
	struct vfio_dev *dev = vf->dev;
	char bdf[40];

	memcpy(bdf, dev->bdf, sizeof(bdf));
	expect_blocked(_metadata, vf);
	EXPECT_EQ(0, lab_reset_by_sysfs(bdf));
	expect_blocked(_metadata, vf);

	igbvf_close(vf);
	lab_close(lab);
	EXPECT_EQ(-EIO, lab_open(lab, 1));
	ASSERT_EQ(0, lab_rebind(bdf));
	ASSERT_EQ(0, lab_open(lab, 1));
	EXPECT_EQ(0, igbvf_open(vf, dev));
	EXPECT_EQ(0, vfio_mig_set_state(dev, VFIO_DEVICE_STATE_STOP, NULL));
}

/* The host gives up: it never says that it has reset the link */
TEST_F(recovery, never_ends)
{
	int fd;

	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	CALL("frozen");
	expect_dead(_metadata, fd, VFIO_DEVICE_STATE_RESUMING);
	close(fd);
	expect_lost(_metadata, &self->lab, &self->vf);
	EXPECT_FALSE(came(self->recovered));
}

/* It says that all is over, and has not reset the link */
TEST_F(recovery, without_a_reset)
{
	CALL("frozen");
	CALL("resume");
	EXPECT_FALSE(came(self->recovered));
	expect_lost(_metadata, &self->lab, &self->vf);
}

TEST_F(recovery, permanent)
{
	struct vfio_mig_ext ext;

	GIVEN_UP("permanent");
	GIVEN_UP("slot_reset");
	CALL("resume");
	EXPECT_FALSE(came(self->recovered));
	ASSERT_EQ(0, ext_read(self->dev, &ext));
	EXPECT_EQ(VFIO_MIG_ERROR_PERMANENT, ext.error.severity);
	expect_lost(_metadata, &self->lab, &self->vf);
}

/* The link is back, but the device is not */
TEST_F(recovery, does_not_answer)
{
	CALL("frozen");
	ASSERT_EQ(0, turn_vfs(false));
	GIVEN_UP("slot_reset");
	CALL("resume");
	EXPECT_FALSE(came(self->recovered));
	expect_blocked(_metadata, &self->vf);
	ASSERT_EQ(0, turn_vfs(true));
	expect_lost(_metadata, &self->lab, &self->vf);
}

/* Of config space behind the header */
struct capabilities {
	__u8 byte[PCI_CFG_SPACE_SIZE - PCI_STD_HEADER_SIZEOF];
};

static int read_capabilities(struct vfio_dev *dev, struct capabilities *all)
{
	return vfio_region_read(dev, VFIO_PCI_CONFIG_REGION_INDEX,
				PCI_STD_HEADER_SIZEOF, all, sizeof(*all));
}

/*
 * Its user can go, and does not have to wait for it; and that it was not there when it
 * was let go leaves nothing in it.
 */
TEST_F(recovery, closed_while_not_there)
{
	struct vfio_dev *dev = self->dev;
	struct capabilities was, is;
	unsigned int i;
	long long start;

	ASSERT_EQ(0, read_capabilities(dev, &was));
	start = clock_ms();
	CALL("frozen");
	ASSERT_EQ(0, turn_vfs(false));
	GIVEN_UP("slot_reset");
	igbvf_close(&self->vf);
	lab_close(&self->lab);
	EXPECT_GT(WAIT_MS, clock_ms() - start);
	ASSERT_EQ(0, turn_vfs(true));
	ASSERT_EQ(0, lab_rebind(self->bdf));
	ASSERT_EQ(0, lab_open(&self->lab, 1));
	EXPECT_EQ(0, igbvf_open(&self->vf, dev));
	ASSERT_EQ(0, read_capabilities(dev, &is));
	for (i = 0; i < sizeof(was); i++) {
		EXPECT_EQ(was.byte[i], is.byte[i])
			TH_LOG("at %#x", PCI_STD_HEADER_SIZEOF + i);
	}
	EXPECT_EQ(0, mig_save(dev, &self->stream));
}

/* An error in the middle of the recovery from another: the last one counts */
TEST_F(recovery, two_errors)
{
	struct vfio_mig_ext ext;

	CALL("frozen");
	CALL("frozen");
	CALL("slot_reset");
	expect_blocked(_metadata, &self->vf);
	CALL("frozen");
	CALL("resume");
	EXPECT_FALSE(came(self->recovered));
	expect_blocked(_metadata, &self->vf);
	CALL("slot_reset");
	CALL("nonfatal");
	expect_blocked(_metadata, &self->vf);
	CALL("resume");
	EXPECT_TRUE(came(self->recovered));
	ASSERT_EQ(0, ext_read(self->dev, &ext));
	EXPECT_EQ(4, ext.error.count);
	expect_back(_metadata, &self->vf);
}

/* What a thread does while the error comes */
struct attempt {
	struct vfio_dev *dev;
	const char *bdf;
	__u32 to;
	int fd;			/* data_fd that it got, or uses */
	struct stall stall;
	bool writes;
	int ret;
};

static void *set_state(void *arg)
{
	struct attempt *a = arg;

	a->ret = vfio_mig_set_state(a->dev, a->to, &a->fd);
	return NULL;
}

static void spin_us(unsigned int us)
{
	struct timespec start, now;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - start.tv_sec) * 1000000 +
		 (now.tv_nsec - start.tv_nsec) / 1000 < us);
}

#define recovery_data FIXTURE_DATA(recovery)

/* One transition, from @from to @to, and an error about @us later */
static void collide(struct __test_metadata *_metadata, recovery_data *self,
		    __u32 from, __u32 to, unsigned int us, unsigned int *done)
{
	struct attempt a = { .dev = self->dev, .to = to };
	pthread_t thread;
	int fd;

	ASSERT_EQ(0, vfio_mig_set_state(self->dev, from, &fd));
	if (from == VFIO_DEVICE_STATE_RESUMING)
		ASSERT_EQ(0, mig_write(fd, self->stream.data,
				       self->stream.len));
	ASSERT_EQ(0, pthread_create(&thread, NULL, set_state, &a));
	spin_us(us);
	CALL("frozen");
	pthread_join(thread, NULL);

	EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_ERROR);
	EXPECT_TRUE(!a.ret || a.ret == -EIO || a.ret == -EINVAL)
		TH_LOG("%s -> %s: %s", vfio_mig_state_name(from),
		       vfio_mig_state_name(to), strerror(-a.ret));
	if (fd >= 0)
		expect_dead(_metadata, fd, from);
	if (a.fd >= 0)
		expect_dead(_metadata, a.fd, to);
	EXPECT_TRUE(!a.ret || a.fd < 0);
	*done += !a.ret;
	close(fd);
	close(a.fd);

	CALL("slot_reset");
	CALL("resume");
	ASSERT_EQ(0, lab_pretend_reset(self->dev));
	EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_RUNNING);
}

/* Whatever transition the error meets: it is over, and so is the session */
TEST_F_TIMEOUT(recovery, meets_each_transition, 120)
{
	unsigned int i, round, done = 0, dice = 1;

	for (i = 0; i < NR_STATES * NR_STATES; i++)
		for (round = 0; round < ROUNDS; round++)
			collide(_metadata, self, check_states[i / NR_STATES],
				check_states[i % NR_STATES],
				rand_r(&dice) % 1000, &done);
	TH_LOG("%u of %zu came before the error", done,
	       NR_STATES * NR_STATES * ROUNDS);
	EXPECT_LT(0, done);
	EXPECT_GT(NR_STATES * NR_STATES * ROUNDS, done);
}

static void *use_fd(void *arg)
{
	struct attempt *a = arg;
	struct stall *stall = &a->stall;

	a->ret = a->writes ? write(a->fd, stall->mem, stall->size) :
			     read(a->fd, stall->mem, stall->size);
	if (a->ret < 0)
		a->ret = -errno;
	return NULL;
}

static void *unbind(void *arg)
{
	struct attempt *a = arg;

	a->ret = lab_rebind(a->bdf);
	return NULL;
}

/* What ends a session while a user's page stalls a read or a write of it */
FIXTURE(in_flight) {
	struct lab lab;
	struct vfio_dev *dev;
	struct attempt user;
	pthread_t thread;
};

FIXTURE_VARIANT(in_flight) {
	__u32 state;
	bool cdev;
	int (*end)(struct vfio_dev *dev);
};

static int fatal(struct vfio_dev *dev)
{
	return lab_pretend_error(dev->bdf, "frozen");
}

FIXTURE_VARIANT_ADD(in_flight, read_reset) {
	.state = VFIO_DEVICE_STATE_STOP_COPY, .end = vfio_reset,
};

FIXTURE_VARIANT_ADD(in_flight, write_reset) {
	.state = VFIO_DEVICE_STATE_RESUMING, .end = vfio_reset,
};

FIXTURE_VARIANT_ADD(in_flight, precopy_read_reset) {
	.state = VFIO_DEVICE_STATE_PRE_COPY, .end = vfio_reset,
};

FIXTURE_VARIANT_ADD(in_flight, read_error) {
	.state = VFIO_DEVICE_STATE_STOP_COPY, .end = fatal,
};

FIXTURE_VARIANT_ADD(in_flight, write_error) {
	.state = VFIO_DEVICE_STATE_RESUMING, .end = fatal,
};

FIXTURE_VARIANT_ADD(in_flight, cdev) {
	.state = VFIO_DEVICE_STATE_RESUMING, .end = fatal, .cdev = true,
};

FIXTURE_SETUP(in_flight)
{
	struct attempt *user = &self->user;

	if (lab_load("pretend_error"))
		SKIP(return, "pretend_error.ko is not to be had");
	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 1, true))
		return;
	self->dev = &self->lab.vf[0];
	user->writes = variant->state == VFIO_DEVICE_STATE_RESUMING;
	if (stall_open(&user->stall, 4096))
		SKIP(return, "userfaultfd is not to be had");
	GO_FD(self->dev, variant->state, &user->fd);
	ASSERT_EQ(0, pthread_create(&self->thread, NULL, use_fd, user));
	ASSERT_EQ(0, stall_wait(&user->stall, WAIT_MS));
}

FIXTURE_TEARDOWN(in_flight)
{
	close(self->user.fd);
	stall_close(&self->user.stall);
	lab_pretend_error(self->dev->bdf, "slot_reset");
	lab_pretend_error(self->dev->bdf, "resume");
	lab_close(&self->lab);
}

/* The user's page may stall the user, and nobody else */
TEST_F(in_flight, holds_up_nobody)
{
	struct attempt *user = &self->user;
	struct pollfd pfd = { .fd = user->fd };

	EXPECT_EQ(0, variant->end(self->dev));
	EXPECT_EQ(1, poll(&pfd, 1, 0));
	EXPECT_TRUE(pfd.revents & POLLERR);
	EXPECT_STATE(self->dev, variant->end == fatal ?
				VFIO_DEVICE_STATE_ERROR :
				VFIO_DEVICE_STATE_RUNNING);
	ASSERT_EQ(0, stall_release(&user->stall));
	pthread_join(self->thread, NULL);
	/* What a read had got hold of before, it may have */
	if (user->writes || user->ret <= 0)
		EXPECT_EQ(-ENODEV, user->ret);
	expect_dead(_metadata, user->fd, variant->state);
}

/* The administrator takes the device away in the middle of a recovery */
TEST_F_TIMEOUT(recovery, unbound, 60)
{
	struct attempt a = { .bdf = self->bdf };
	int fd, request = eventfd(0, EFD_NONBLOCK);
	struct pollfd pfd = { .fd = request, .events = POLLIN };
	pthread_t thread;

	ASSERT_EQ(0, vfio_irq_set_eventfds(self->dev, VFIO_PCI_REQ_IRQ_INDEX, 1,
					   &request));
	GO_FD(self->dev, VFIO_DEVICE_STATE_STOP_COPY, &fd);
	CALL("frozen");
	ASSERT_EQ(0, pthread_create(&thread, NULL, unbind, &a));
	EXPECT_EQ(1, poll(&pfd, 1, WAIT_MS))
		TH_LOG("the user is not asked to let the device go");
	expect_blocked(_metadata, &self->vf);
	igbvf_close(&self->vf);
	lab_close(&self->lab);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, a.ret);
	expect_dead(_metadata, fd, VFIO_DEVICE_STATE_STOP_COPY);
	close(fd);
	close(request);
	/* The rest of the recovery finds a device that knows of no error */
	CALL("slot_reset");
	CALL("resume");

	ASSERT_EQ(0, lab_open(&self->lab, 1));
	EXPECT_EQ(0, mig_save(self->dev, &self->stream));
}

/*
 * Who waits for a lock of the one that opens runs as soon as that is free, and not when
 * it suits the scheduler. Returns 0 or -errno.
 */
static int go_first(bool first)
{
	struct sched_param param = { .sched_priority = first };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set) ||
	    sched_setscheduler(0, first ? SCHED_FIFO : SCHED_OTHER, &param))
		return -errno;
	return 0;
}

static void *open_again(void *arg)
{
	struct lab *lab = arg;

	return (void *)(long)lab_open(lab, 1);
}

/*
 * An error from beginning to end while the device is being opened: what was read of
 * it meanwhile may be worth nothing, so that the opening fails.
 */
TEST_F_TIMEOUT(recovery, while_it_is_opened, 60)
{
	/* Where all is slow the error may be over before the opening has got so far */
	unsigned int i, early = 0, allowed = getenv("VFMIG_PATIENCE") ? OPENS / 2 : 0;
	unsigned int failed = 0, dice = 1;
	pthread_t thread;
	void *ret;

	igbvf_close(&self->vf);
	for (i = 0; i < OPENS; i++) {
		lab_close(&self->lab);
		ASSERT_EQ(0, go_first(false));
		ASSERT_EQ(0, pthread_create(&thread, NULL, open_again,
					    &self->lab));
		ASSERT_EQ(0, go_first(true));
		/* It waits for the reset of 100 ms with which VFIO begins */
		usleep(20000 + rand_r(&dice) % 60000);
		CALL("frozen");
		CALL("slot_reset");
		CALL("resume");
		pthread_join(thread, &ret);
		if (ret) {
			EXPECT_EQ(-EIO, (long)ret);
			failed++;
			ASSERT_EQ(0, lab_open(&self->lab, 1));
			EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_RUNNING);
		} else if (vfio_mig_get_state(self->dev) == VFIO_DEVICE_STATE_RUNNING &&
			   early < allowed) {
			early++;
		} else {
			EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_ERROR);
		}
	}
	TH_LOG("%u of %u times the device could not be opened", failed, OPENS);
	EXPECT_LT(0, failed);
}

TEST_HARNESS_MAIN
