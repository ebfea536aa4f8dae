// SPDX-License-Identifier: GPL-2.0-only
/* PCI errors of the VF, injected by the kernel's aer_inject */
#include <kselftest_harness.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "lib/check.h"
#include "lib/ext.h"
#include "lib/flow.h"

static const __u8 mac_a[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0a };
static const __u8 mac_b[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0b };
static const __u32 header_log[4] = { 0x40000001, 0x0000000f, 0xdead0000, 7 };

#define RECOVERY_MS	30000
#define QUIET_MS	500

enum { STANDARD, NONFATAL, RECOVERED, EVENTS };

/* vf drives dev; other drives sibling, which recovers along with it */
FIXTURE(aer) {
	struct lab lab;
	struct vfio_dev *dev;
	struct vfio_dev *sibling;
	struct igbvf vf;
	struct igbvf other;
	struct peer peer;
	struct mig_stream stream;
	struct vfio_mig_ext ext;
	int event[EVENTS];
};

static int watch(struct vfio_dev *dev, __u32 index, int fd)
{
	return vfio_irq_set_eventfds(dev, index, 1, &fd);
}

GROUP_AND_CDEV(aer);

FIXTURE_SETUP(aer)
{
	unsigned int i;

	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 2, true))
		return;
	self->dev = &self->lab.vf[0];
	self->sibling = &self->lab.vf[1];
	ASSERT_EQ(0, peer_open(&self->peer, lab_netdev()));
	ASSERT_EQ(0, igbvf_open(&self->vf, self->dev));
	ASSERT_EQ(0, igbvf_open(&self->other, self->sibling));
	ASSERT_EQ(0, flow_start(&self->vf, mac_a));
	ASSERT_EQ(0, mig_save(self->dev, &self->stream));
	GO(self->dev, VFIO_DEVICE_STATE_RUNNING);

	ASSERT_EQ(0, ext_read(self->dev, &self->ext));
	for (i = 0; i < EVENTS; i++) {
		self->event[i] = eventfd(0, EFD_NONBLOCK);
		ASSERT_LE(0, self->event[i]);
	}
	ASSERT_EQ(0, watch(self->dev, VFIO_PCI_ERR_IRQ_INDEX,
			   self->event[STANDARD]));
	ASSERT_EQ(0, watch(self->dev, self->ext.irq_nonfatal,
			   self->event[NONFATAL]));
	ASSERT_EQ(0, watch(self->dev, self->ext.irq_recovered,
			   self->event[RECOVERED]));
}

FIXTURE_TEARDOWN(aer)
{
	unsigned int i;

	lab_pf_up();
	for (i = 0; i < EVENTS; i++)
		close(self->event[i]);
	igbvf_close(&self->other);
	igbvf_close(&self->vf);
	peer_close(&self->peer);
	lab_close(&self->lab);
}

/* How often the event has come since it was last asked about */
static int came(int event, int ms)
{
	struct pollfd pfd = { .fd = event, .events = POLLIN };
	__u64 count = 0;

	if (poll(&pfd, 1, ms) != 1)
		return 0;
	return read(event, &count, sizeof(count)) == sizeof(count) ?
	       (int)count : -1;
}

/* A register by way of its mapping: a guest would be killed by an error here */
static int mapped_read(struct igbvf *vf, __u32 reg, __u32 *val)
{
	return mmio_try_read(&vf->page[reg / 0x1000][reg % 0x1000 / 4], val);
}

TEST_F(aer, region)
{
	struct vfio_mig_ext *ext = &self->ext;

	EXPECT_EQ(sizeof(*ext), ext->size);
	EXPECT_LE(VFIO_PCI_NUM_IRQS, ext->irq_nonfatal);
	EXPECT_LE(VFIO_PCI_NUM_IRQS, ext->irq_recovered);
	EXPECT_NE(ext->irq_nonfatal, ext->irq_recovered);
	EXPECT_EQ(0, ext->error.count);
	EXPECT_EQ(VFIO_MIG_ERROR_NONE, ext->error.severity);
	EXPECT_EQ(1, vfio_irq_count(self->dev, ext->irq_nonfatal));
	EXPECT_EQ(1, vfio_irq_count(self->dev, ext->irq_recovered));
}

TEST_F(aer, irq_arguments)
{
	__u32 index = self->ext.irq_recovered;
	int two[2] = { self->event[RECOVERED], self->event[RECOVERED] };
	int bad = 9999;

	EXPECT_EQ(-EINVAL, vfio_irq_set_eventfds(self->dev, index, 2, two));
	EXPECT_EQ(-EBADF, vfio_irq_set_eventfds(self->dev, index, 1, &bad));
	EXPECT_EQ(-EINVAL, vfio_irq_set_eventfds(self->dev, index + 16, 1,
						 two));
	EXPECT_EQ(-EINVAL, vfio_irq_count(self->dev, index + 16));
	/* A file that is no eventfd */
	EXPECT_EQ(-EINVAL, vfio_irq_set_eventfds(self->dev, index, 1,
						 &self->dev->fd));
	EXPECT_EQ(0, vfio_irq_disable(self->dev, index));
	EXPECT_EQ(0, watch(self->dev, index, self->event[RECOVERED]));
}

static void expect_flow(struct __test_metadata *_metadata, struct igbvf *vf,
			struct peer *peer)
{
	EXPECT_EQ(0, flow_from_peer(vf, peer, 1, 3));
	EXPECT_EQ(0, flow_to_peer(vf, 0, peer, 1, 3));
}

/* Told to whoever asked, and nothing else happens */
TEST_F_TIMEOUT(aer, nonfatal, 60)
{
	struct vfio_mig_error *error = &self->ext.error;

	ASSERT_EQ(0, inject_error(self->dev->bdf, AER_NONFATAL, header_log));
	EXPECT_EQ(1, came(self->event[RECOVERED], RECOVERY_MS));
	EXPECT_EQ(1, came(self->event[NONFATAL], 0));
	EXPECT_EQ(0, came(self->event[STANDARD], 0));
	EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_RUNNING);

	ASSERT_EQ(0, ext_read(self->dev, &self->ext));
	EXPECT_EQ(1, error->count);
	EXPECT_LT(0, error->time);
	EXPECT_EQ(VFIO_MIG_ERROR_NONFATAL, error->severity);
	EXPECT_EQ(0, error->flags);
	EXPECT_EQ(AER_NONFATAL, error->uncor_status);
	EXPECT_EQ(0, memcmp(error->header_log, header_log, sizeof(header_log)));

	expect_flow(_metadata, &self->vf, &self->peer);
	EXPECT_EQ(0, mig_move(self->dev, self->sibling,
			      VFIO_DEVICE_STATE_RUNNING));
}

/* Nobody asks for more than plain vfio-pci has: it is as there */
TEST_F_TIMEOUT(aer, nonfatal_standard, 60)
{
	ASSERT_EQ(0, vfio_irq_disable(self->dev, self->ext.irq_nonfatal));
	ASSERT_EQ(0, inject_error(self->dev->bdf, AER_NONFATAL, header_log));
	EXPECT_EQ(1, came(self->event[STANDARD], RECOVERY_MS));
	EXPECT_EQ(0, came(self->event[NONFATAL], QUIET_MS));
	expect_flow(_metadata, &self->vf, &self->peer);
}

/* The host may be at its last step yet, which holds the device: EAGAIN */
static int reset_soon(struct vfio_dev *dev)
{
	long long end = clock_ms() + RECOVERY_MS;
	int ret;

	do {
		ret = vfio_reset(dev);
	} while (ret == -EAGAIN && clock_ms() < end && !usleep(1000));
	return ret;
}

/*
 * The PF comes back from the same error beside what the test does, and in an
 * emulated machine may lose its interrupt over it, see Documentation/lab.rst.
 * That is not the VF's fault.
 */
static int start_anew(struct __test_metadata *_metadata, struct igbvf *vf,
		      const __u8 *mac)
{
	int ret;

	ret = flow_start(vf, mac);
	if (ret != -ETIMEDOUT)
		return ret;
	TH_LOG("the PF does not answer: taking it down and up");
	ret = lab_pf_down();
	if (!ret)
		ret = lab_pf_up();
	return ret ? ret : flow_start(vf, mac);
}

/* Reset, the VF is as good as new */
static void expect_reset_mends(struct __test_metadata *_metadata,
			       struct igbvf *vf, const __u8 *mac,
			       struct peer *peer)
{
	__u32 val;

	ASSERT_EQ(0, reset_soon(vf->dev));
	EXPECT_STATE(vf->dev, VFIO_DEVICE_STATE_RUNNING);
	ASSERT_EQ(0, vfio_enable(vf->dev));
	ASSERT_EQ(0, lab_pf_up());
	ASSERT_EQ(0, start_anew(_metadata, vf, mac));
	expect_flow(_metadata, vf, peer);
	EXPECT_EQ(0, mapped_read(vf, VTEIMS, &val));
	EXPECT_NE(0xffffffff, val)
		TH_LOG("the page of ones is still mapped");
}

/* The host has reset the link: the device is there, but not the guest's any more */
static void expect_error_state(struct __test_metadata *_metadata,
			       struct igbvf *vf)
{
	__u32 val;
	__u16 id;

	EXPECT_STATE(vf->dev, VFIO_DEVICE_STATE_ERROR);
	EXPECT_NE(0, vfio_mig_set_state(vf->dev, VFIO_DEVICE_STATE_RUNNING,
					NULL));
	EXPECT_EQ(0, mapped_read(vf, VTEIMS, &val))
		TH_LOG("a guest that reads a register is killed");
	EXPECT_EQ(0xffffffff, val);
	EXPECT_EQ(0xffffffff, igbvf_read(vf, VTSTATUS));
	EXPECT_EQ(0, vfio_region_read(vf->dev, VFIO_PCI_CONFIG_REGION_INDEX,
				      PCI_VENDOR_ID, &id, sizeof(id)));
	EXPECT_EQ(0x8086, id)
		TH_LOG("config space is still blocked");
}

/* Whatever a migration is at, it goes on */
static void expect_alive(struct __test_metadata *_metadata, int fd, __u32 state,
			 const struct mig_stream *stream)
{
	struct mig_stream now;
	int ret;

	if (state == VFIO_DEVICE_STATE_RESUMING) {
		EXPECT_EQ(0, mig_write(fd, stream->data, stream->len));
		return;
	}
	/* PRE_COPY has no end */
	ret = mig_read(fd, &now);
	EXPECT_EQ(state == VFIO_DEVICE_STATE_STOP_COPY ? 0 : -ENOMSG, ret);
	EXPECT_LT(0, now.len);
}

TEST_F_TIMEOUT(aer, nonfatal_in_each_state, 120)
{
	unsigned int i;
	int fd;

	for (i = 0; i < NR_STATES; i++) {
		ASSERT_EQ(0, vfio_mig_set_state(self->dev, check_states[i],
						&fd));
		ASSERT_EQ(0, inject_error(self->dev->bdf, AER_NONFATAL,
					  header_log));
		EXPECT_EQ(1, came(self->event[RECOVERED], RECOVERY_MS))
			TH_LOG("no recovery in %s",
			       vfio_mig_state_name(check_states[i]));
		EXPECT_EQ(1, came(self->event[NONFATAL], 0));
		EXPECT_STATE(self->dev, check_states[i]);
		if (fd >= 0) {
			expect_alive(_metadata, fd, check_states[i],
				     &self->stream);
			close(fd);
		}
		GO(self->dev, VFIO_DEVICE_STATE_RUNNING);
	}
	EXPECT_EQ(0, came(self->event[STANDARD], 0));
	ASSERT_EQ(0, ext_read(self->dev, &self->ext));
	EXPECT_EQ(NR_STATES, self->ext.error.count);
	expect_flow(_metadata, &self->vf, &self->peer);
}

TEST_F_TIMEOUT(aer, fatal_in_each_state, 300)
{
	struct vfio_mig_error *error = &self->ext.error;
	unsigned int i;
	int fd;

	for (i = 0; i < NR_STATES; i++) {
		ASSERT_EQ(0, vfio_mig_set_state(self->dev, check_states[i],
						&fd));
		ASSERT_EQ(0, inject_error(self->dev->bdf, AER_FATAL, header_log));
		EXPECT_EQ(1, came(self->event[RECOVERED], RECOVERY_MS))
			TH_LOG("no recovery in %s",
			       vfio_mig_state_name(check_states[i]));
		EXPECT_EQ(1, came(self->event[STANDARD], 0));
		EXPECT_EQ(0, came(self->event[NONFATAL], 0));
		expect_error_state(_metadata, &self->vf);
		if (fd >= 0) {
			expect_dead(_metadata, fd, check_states[i]);
			close(fd);
		}

		ASSERT_EQ(0, ext_read(self->dev, &self->ext));
		EXPECT_EQ(i + 1, error->count);
		EXPECT_EQ(VFIO_MIG_ERROR_FATAL, error->severity);
		EXPECT_EQ(VFIO_MIG_ERROR_FROZEN | VFIO_MIG_ERROR_LINK_RESET,
			  error->flags);
		EXPECT_EQ(AER_FATAL, error->uncor_status);
		expect_reset_mends(_metadata, &self->vf, mac_a, &self->peer);
	}
	/* All of it happened to the sibling as well */
	expect_error_state(_metadata, &self->other);
	expect_reset_mends(_metadata, &self->other, mac_b, &self->peer);
}

/* Twice in a row, with nothing done about the first */
TEST_F_TIMEOUT(aer, fatal_twice, 180)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, inject_error(self->dev->bdf, AER_FATAL, header_log));
		EXPECT_EQ(1, came(self->event[RECOVERED], RECOVERY_MS));
		expect_error_state(_metadata, &self->vf);
	}
	ASSERT_EQ(0, ext_read(self->dev, &self->ext));
	EXPECT_EQ(2, self->ext.error.count);
	expect_reset_mends(_metadata, &self->vf, mac_a, &self->peer);
}

/* A reset that is not VFIO's gives the registers back as well */
TEST_F_TIMEOUT(aer, reset_by_administrator, 120)
{
	__u32 val;

	ASSERT_EQ(0, inject_error(self->dev->bdf, AER_FATAL, header_log));
	EXPECT_EQ(1, came(self->event[RECOVERED], RECOVERY_MS));
	expect_error_state(_metadata, &self->vf);
	ASSERT_EQ(0, lab_reset_by_sysfs(self->dev->bdf));
	EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(0, mapped_read(&self->vf, VTEIMS, &val));
	EXPECT_NE(0xffffffff, val)
		TH_LOG("the page of ones is still mapped");
	expect_reset_mends(_metadata, &self->vf, mac_a, &self->peer);
}

/* QEMU resets the device as soon as it is told, and aborts if that fails */
TEST_F_TIMEOUT(aer, reset_at_once, 60)
{
	struct vfio_mig_error *error = &self->ext.error;

	ASSERT_EQ(0, inject_error(self->dev->bdf, AER_FATAL, header_log));
	ASSERT_EQ(1, came(self->event[STANDARD], RECOVERY_MS));
	ASSERT_EQ(0, vfio_reset(self->dev));
	EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_RUNNING);
	ASSERT_EQ(0, ext_read(self->dev, &self->ext));
	EXPECT_EQ(VFIO_MIG_ERROR_FATAL, error->severity);
	EXPECT_TRUE(error->flags & VFIO_MIG_ERROR_LINK_RESET);
	expect_reset_mends(_metadata, &self->vf, mac_a, &self->peer);
}

/* The error is a sibling's: nothing is in the VF's own registers about it */
TEST_F_TIMEOUT(aer, somebody_elses, 120)
{
	ASSERT_EQ(0, inject_error(self->sibling->bdf, AER_FATAL, header_log));
	EXPECT_EQ(1, came(self->event[RECOVERED], RECOVERY_MS));
	expect_error_state(_metadata, &self->vf);
	ASSERT_EQ(0, ext_read(self->dev, &self->ext));
	EXPECT_EQ(VFIO_MIG_ERROR_FATAL, self->ext.error.severity);
	EXPECT_EQ(0, self->ext.error.uncor_status);
	expect_reset_mends(_metadata, &self->vf, mac_a, &self->peer);
}

struct user {
	struct igbvf *vf;
	struct mig_stream *stream;
	bool stop;
	unsigned int rounds;
	unsigned int blocked;	/* rounds that found config space blocked */
	unsigned int waited;	/* rounds that took long */
	const char *bad;
};

static bool stopped(struct user *user)
{
	return __atomic_load_n(&user->stop, __ATOMIC_RELAXED);
}

/*
 * A guest that polls its registers and its config space all the while: it reads
 * what is there, or ones, and lives
 */
static void *poll_registers(void *arg)
{
	struct user *user = arg;
	struct vfio_dev *dev = user->vf->dev;
	__u32 val;
	__u16 id;

	while (!stopped(user)) {
		if (mapped_read(user->vf, VTEIMS, &val))
			user->bad = "a mapped register gave SIGBUS";
		if (vfio_region_read(dev, VFIO_PCI_CONFIG_REGION_INDEX,
				     PCI_VENDOR_ID, &id, sizeof(id)))
			user->bad = "config space could not be read";
		else if (id == 0xffff)
			user->blocked++;
		else if (id != 0x8086)
			user->bad = "config space gave nonsense";
		user->rounds++;
	}
	return NULL;
}

TEST_F_TIMEOUT(aer, guest_polls, 120)
{
	struct user user = { .vf = &self->vf };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, poll_registers, &user));
	usleep(100000);
	ASSERT_EQ(0, inject_error(self->dev->bdf, AER_FATAL, header_log));
	EXPECT_EQ(1, came(self->event[RECOVERED], RECOVERY_MS));
	usleep(100000);
	__atomic_store_n(&user.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(NULL, user.bad)
		TH_LOG("%s", user.bad);
	EXPECT_LT(0, user.blocked)
		TH_LOG("of %u looks none found the device blocked",
		       user.rounds);
	expect_reset_mends(_metadata, &self->vf, mac_a, &self->peer);
}

/* A VMM that migrates for all it is worth */
static void *set_states(void *arg)
{
	struct user *user = arg;
	struct vfio_dev *dev = user->vf->dev;
	unsigned int seed = 1;
	__u32 to;
	int fd;

	while (!stopped(user)) {
		to = check_states[rand_r(&seed) % NR_STATES];
		if (!vfio_mig_set_state(dev, to, &fd) && fd >= 0) {
			if (to == VFIO_DEVICE_STATE_RESUMING)
				mig_write(fd, user->stream->data,
					  user->stream->len);
			else
				mig_read(fd, user->stream);
			close(fd);
		}
		user->rounds++;
	}
	return NULL;
}

/* Much longer than a reset takes, and shorter than that of a link */
#define LONG_MS		500

/* Users who want to reset the device in the middle of it have to wait */
static void *reset_and_read(void *arg)
{
	struct user *user = arg;
	struct vfio_dev *dev = user->vf->dev;
	struct vfio_mig_ext ext;
	long long start;
	int ret;

	while (!stopped(user)) {
		ret = ext_read(dev, &ext);
		if (ret)
			user->bad = "the error record could not be read";
		start = clock_ms();
		ret = vfio_reset(dev);
		user->waited += clock_ms() - start > LONG_MS;
		if (ret && ret != -EAGAIN)
			user->bad = "an odd error from VFIO_DEVICE_RESET";
		user->rounds++;
		usleep(2000);
	}
	return NULL;
}

TEST_F_TIMEOUT(aer, under_fire, 180)
{
	struct mig_stream scratch = self->stream;
	struct user users[] = {
		{ .vf = &self->vf, .stream = &scratch },
		{ .vf = &self->vf },
	};
	pthread_t thread[2];
	unsigned int i;

	ASSERT_EQ(0, pthread_create(&thread[0], NULL, set_states, &users[0]));
	ASSERT_EQ(0, pthread_create(&thread[1], NULL, reset_and_read,
				    &users[1]));
	for (i = 0; i < 5; i++) {
		usleep(50000 + 37000 * i);
		ASSERT_EQ(0, inject_error(self->dev->bdf, AER_FATAL, header_log));
		EXPECT_EQ(1, came(self->event[RECOVERED], RECOVERY_MS));
	}
	for (i = 0; i < 2; i++) {
		__atomic_store_n(&users[i].stop, true, __ATOMIC_RELAXED);
		pthread_join(thread[i], NULL);
	}
	TH_LOG("%u transitions, %u resets, %u of them long",
	       users[0].rounds, users[1].rounds, users[1].waited);
	EXPECT_EQ(NULL, users[1].bad)
		TH_LOG("%s", users[1].bad);
	EXPECT_LT(0, users[1].waited);
	expect_reset_mends(_metadata, &self->vf, mac_a, &self->peer);
}

/* A VF that recovers along with another one, whose tenant it has never heard of */
struct neighbour {
	struct vfio_iommu iommu;
	struct vfio_dev dev;
	struct igbvf vf;
	int event[2];
};

static const char *move_in(struct neighbour *n, const char *bdf, bool cdev)
{
	struct vfio_mig_ext ext;

	n->event[0] = eventfd(0, EFD_NONBLOCK);
	n->event[1] = eventfd(0, EFD_NONBLOCK);
	if (vfio_iommu_open_as(&n->iommu, cdev) ||
	    vfio_open(&n->dev, &n->iommu, bdf) ||
	    igbvf_open(&n->vf, &n->dev) || ext_read(&n->dev, &ext))
		return "the neighbour cannot open its VF";
	if (watch(&n->dev, VFIO_PCI_ERR_IRQ_INDEX, n->event[0]) ||
	    watch(&n->dev, ext.irq_recovered, n->event[1]))
		return "the neighbour cannot set its eventfds";
	if (flow_start(&n->vf, mac_b))
		return "the neighbour's VF does not start";
	return NULL;
}

static const char *live_through_it(struct neighbour *n)
{
	__u32 val;

	if (came(n->event[0], RECOVERY_MS) != 1)
		return "the neighbour is not told of the error";
	if (came(n->event[1], RECOVERY_MS) != 1)
		return "the neighbour is not told of the end of the recovery";
	if (vfio_mig_get_state(&n->dev) != VFIO_DEVICE_STATE_ERROR)
		return "the neighbour's VF is not in ERROR";
	if (mapped_read(&n->vf, VTEIMS, &val) || val != 0xffffffff)
		return "the neighbour's registers are not all ones";
	if (reset_soon(&n->dev) || vfio_enable(&n->dev) || lab_pf_up() ||
	    vfio_mig_get_state(&n->dev) != VFIO_DEVICE_STATE_RUNNING)
		return "the neighbour's VF does not come back";
	/* As start_anew() */
	if (flow_start(&n->vf, mac_b) &&
	    (lab_pf_down() || lab_pf_up() || flow_start(&n->vf, mac_b)))
		return "the neighbour's VF does not start again";
	return NULL;
}

static void be_neighbour(const char *bdf, bool cdev, int pipe)
{
	struct neighbour n = {};
	const char *wrong = move_in(&n, bdf, cdev);

	if (write(pipe, "", 1) != 1)
		_exit(1);
	if (!wrong)
		wrong = live_through_it(&n);
	if (wrong && write(pipe, wrong, strlen(wrong)) < 0)
		_exit(1);
	_exit(!!wrong);
}

FIXTURE(neighbours) {
	struct lab lab;
	struct igbvf vf;
	struct peer peer;
};

GROUP_AND_CDEV(neighbours);

FIXTURE_SETUP(neighbours)
{
	if (lab_vf_count() < 2)
		SKIP(return, "needs 2 VFs");
	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 1, true))
		return;
	ASSERT_EQ(0, peer_open(&self->peer, lab_netdev()));
	ASSERT_EQ(0, igbvf_open(&self->vf, &self->lab.vf[0]));
	ASSERT_EQ(0, flow_start(&self->vf, mac_a));
}

FIXTURE_TEARDOWN(neighbours)
{
	lab_pf_up();
	igbvf_close(&self->vf);
	peer_close(&self->peer);
	lab_close(&self->lab);
}

TEST_F_TIMEOUT(neighbours, each_is_told, 120)
{
	char bdf[16], wrong[128] = "";
	int ends[2], status;
	pid_t pid;

	lab_vf_name(1, bdf, sizeof(bdf));
	ASSERT_EQ(0, pipe(ends));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		be_neighbour(bdf, variant->cdev, ends[1]);
	close(ends[1]);
	ASSERT_EQ(1, read(ends[0], wrong, 1));
	ASSERT_EQ(0, inject_error(self->lab.vf[0].bdf, AER_FATAL, header_log));
	/* Nothing, if nothing is wrong */
	EXPECT_EQ(0, read(ends[0], wrong, sizeof(wrong) - 1))
		TH_LOG("%s", wrong);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(ends[0]);
	expect_reset_mends(_metadata, &self->vf, mac_a, &self->peer);
}

TEST_HARNESS_MAIN
