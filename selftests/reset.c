// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resets, from every state and at any moment: whatever they meet, the device
 * runs afterwards, and nothing of its earlier life is left.
 */
#include <kselftest_harness.h>
#include <poll.h>
#include <pthread.h>
#include <time.h>

#include "lib/check.h"
#include "lib/flow.h"

#define ROUNDS		10000
#define SHARE		5	/* is enough of them where there is more in each */
#define STALL_SECONDS	20
#define WAKE_MS		5000

static const __u8 mac_a[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0a };

FIXTURE(reset) {
	struct lab lab;
	struct vfio_dev *dev;
	struct igbvf vf;
	struct peer peer;
	struct mig_stream stream;
};

FIXTURE_VARIANT(reset) {
	int (*reset)(struct vfio_dev *dev);
	bool cdev;
};

FIXTURE_VARIANT_ADD(reset, ioctl) { .reset = vfio_reset };
FIXTURE_VARIANT_ADD(reset, flr) { .reset = vfio_flr };
FIXTURE_VARIANT_ADD(reset, cdev) { .reset = vfio_reset, .cdev = true };

FIXTURE_SETUP(reset)
{
	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 2, true))
		return;
	self->dev = &self->lab.vf[0];
	ASSERT_EQ(0, peer_open(&self->peer, lab_netdev()));
	ASSERT_EQ(0, igbvf_open(&self->vf, self->dev));
	ASSERT_EQ(0, flow_start(&self->vf, mac_a));
	ASSERT_EQ(0, mig_save(self->dev, &self->stream));
	GO(self->dev, VFIO_DEVICE_STATE_RUNNING);
}

FIXTURE_TEARDOWN(reset)
{
	igbvf_close(&self->vf);
	peer_close(&self->peer);
	lab_close(&self->lab);
}

TEST_F_TIMEOUT(reset, from_each_state, 60)
{
	unsigned int i;
	int fd;

	for (i = 0; i < NR_STATES; i++) {
		ASSERT_EQ(0, vfio_mig_set_state(self->dev, check_states[i],
						&fd));
		ASSERT_EQ(0, variant->reset(self->dev));
		EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_RUNNING);
		if (fd >= 0) {
			expect_dead(_metadata, fd, check_states[i]);
			close(fd);
		}
		EXPECT_EQ(0, mig_load(self->dev, &self->stream,
				      VFIO_DEVICE_STATE_RUNNING))
			TH_LOG("no migration after a reset in %s",
			       vfio_mig_state_name(check_states[i]));
		EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, i, 3));
		/* Once more from the saved state: the ring has moved on */
		ASSERT_EQ(0, variant->reset(self->dev));
		ASSERT_EQ(0, flow_start(&self->vf, mac_a));
		ASSERT_EQ(0, mig_save(self->dev, &self->stream));
		GO(self->dev, VFIO_DEVICE_STATE_RUNNING);
	}
}

/* The data of one life are not there to be loaded in the next */
TEST_F(reset, drops_what_was_written)
{
	int fd, next;

	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	ASSERT_EQ(0, mig_write(fd, self->stream.data, self->stream.len));
	ASSERT_EQ(0, variant->reset(self->dev));
	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &next);
	EXPECT_EQ(-EINVAL, vfio_mig_set_state(self->dev,
					      VFIO_DEVICE_STATE_STOP, NULL));
	expect_dead(_metadata, fd, VFIO_DEVICE_STATE_RESUMING);
	close(fd);
	close(next);
}

/* The mailbox log is empty: what the PF was told before is not told again */
TEST_F(reset, forgets_the_mailbox)
{
	struct vfio_dev *other = &self->lab.vf[1];
	__u8 mac[6];

	ASSERT_EQ(0, variant->reset(self->dev));
	ASSERT_EQ(0, mig_move(self->dev, other, VFIO_DEVICE_STATE_RUNNING));
	ASSERT_EQ(0, lab_vf_mac(other, mac));
	EXPECT_NE(0, memcmp(mac, mac_a, 6))
		TH_LOG("an address set before the reset came along");
}

struct waiter {
	int fd;
	int revents;
};

static void *wait_for_error(void *arg)
{
	struct waiter *waiter = arg;
	struct pollfd pfd = { .fd = waiter->fd };
	long long start = clock_ms();

	/* A last look is taken when the time is up: that does not count */
	waiter->revents = poll(&pfd, 1, WAKE_MS) == 1 ? pfd.revents : 0;
	if (clock_ms() - start >= WAKE_MS)
		waiter->revents = 0;
	return NULL;
}

TEST_F(reset, wakes_poll)
{
	struct waiter waiter;
	pthread_t thread;

	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &waiter.fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_error, &waiter));
	usleep(100000);
	ASSERT_EQ(0, variant->reset(self->dev));
	pthread_join(thread, NULL);
	EXPECT_TRUE(waiter.revents & POLLERR);
	close(waiter.fd);
}

struct attempt {
	struct vfio_dev *dev;
	int ret;
};

static void *leave_resuming(void *arg)
{
	struct attempt *attempt = arg;

	attempt->ret = vfio_mig_set_state(attempt->dev, VFIO_DEVICE_STATE_STOP,
					  NULL);
	return NULL;
}

/*
 * A reset that finds an arc under way, here one that waits for a PF that does
 * not answer, ends as if it had come before or after the arc.
 */
TEST_F_TIMEOUT(reset, while_an_arc_waits, 60)
{
	struct attempt attempt = { .dev = self->dev };
	pthread_t thread;
	int fd;

	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	ASSERT_EQ(0, mig_write(fd, self->stream.data, self->stream.len));
	ASSERT_EQ(0, lab_pf_down());
	ASSERT_EQ(0, pthread_create(&thread, NULL, leave_resuming, &attempt));
	usleep(50000);
	EXPECT_EQ(0, variant->reset(self->dev));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, lab_pf_up());

	if (attempt.ret) {
		EXPECT_EQ(-ETIMEDOUT, attempt.ret);
		EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_RUNNING);
		expect_dead(_metadata, fd, VFIO_DEVICE_STATE_RESUMING);
	} else {
		EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_STOP);
	}
	close(fd);
}

struct resetter {
	struct vfio_dev *dev;
	int (*reset)(struct vfio_dev *dev);
	int ret;
};

static void *reset_once(void *arg)
{
	struct resetter *resetter = arg;

	resetter->ret = resetter->reset(resetter->dev);
	return NULL;
}

/*
 * An arc that begins while the device is being reset, and so has to wait for
 * it: the reset came first, whoever does its work. The device that is saved
 * here is a fresh one.
 */
TEST_F_TIMEOUT(reset, before_an_arc, 60)
{
	struct resetter resetter = {
		.dev = self->dev,
		.reset = variant->reset,
	};
	struct vfio_dev *other = &self->lab.vf[1];
	pthread_t thread;
	__u8 mac[6];

	GO(self->dev, VFIO_DEVICE_STATE_STOP);
	ASSERT_EQ(0, pthread_create(&thread, NULL, reset_once, &resetter));
	/* Well inside the 100 ms that a function level reset takes */
	usleep(30000);
	ASSERT_EQ(0, mig_save(self->dev, &self->stream));
	pthread_join(thread, NULL);
	EXPECT_EQ(0, resetter.ret);

	ASSERT_EQ(0, mig_load(other, &self->stream,
			      VFIO_DEVICE_STATE_RUNNING));
	ASSERT_EQ(0, lab_vf_mac(other, mac));
	EXPECT_NE(0, memcmp(mac, mac_a, 6))
		TH_LOG("the reset was lost: its device saves an old life");
	GO(self->dev, VFIO_DEVICE_STATE_RUNNING);
}

/*
 * VTCTRL.RST is the guest at work, not the end of a migration: the states go
 * on, only the mailbox starts afresh.
 */
FIXTURE(guest_reset) {
	struct lab lab;
	struct vfio_dev *dev;
	struct igbvf vf;
};

GROUP_AND_CDEV(guest_reset);

FIXTURE_SETUP(guest_reset)
{
	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 2, true))
		return;
	self->dev = &self->lab.vf[0];
	ASSERT_EQ(0, igbvf_open(&self->vf, self->dev));
	ASSERT_EQ(0, flow_start(&self->vf, mac_a));
}

FIXTURE_TEARDOWN(guest_reset)
{
	igbvf_close(&self->vf);
	lab_close(&self->lab);
}

TEST_F(guest_reset, keeps_the_state)
{
	struct vfio_dev *other = &self->lab.vf[1];
	__u8 mac[6];

	GO(self->dev, VFIO_DEVICE_STATE_RUNNING_P2P);
	igbvf_write(&self->vf, VTCTRL, VTCTRL_RST);
	EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_RUNNING_P2P);

	ASSERT_EQ(0, mig_move(self->dev, other, VFIO_DEVICE_STATE_RUNNING));
	ASSERT_EQ(0, lab_vf_mac(other, mac));
	EXPECT_NE(0, memcmp(mac, mac_a, 6))
		TH_LOG("an address set before VTCTRL.RST came along");
	ASSERT_EQ(0, igbvf_move(&self->vf, other));
	EXPECT_EQ(0, igbvf_read(&self->vf, RXDCTL(0)) & XDCTL_ENABLE)
		TH_LOG("VTCTRL.RST had turned the queue off");
}

/* The race: threads that change states, and use what they get, and one that resets */
struct race {
	struct vfio_dev *dev;
	struct igbvf *vf;
	const struct mig_stream *stream;
	unsigned int limit;	/* of rounds */
	int fd;			/* the last data_fd once more, or -1 */
	unsigned int rounds;	/* SET_STATEs that succeeded */
	unsigned int refused;	/* and that did not, having no stream */
	unsigned int transfers;	/* data_fds used to the end */
	unsigned int resets;
	unsigned int uses;
	bool bad;
	char what[128];
};

static bool race_over(struct race *race)
{
	return __atomic_load_n(&race->bad, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&race->rounds, __ATOMIC_RELAXED) >= race->limit;
}

static __printf(2, 3)
void race_bad(struct race *race, const char *fmt, ...)
{
	va_list ap;

	if (__atomic_exchange_n(&race->bad, true, __ATOMIC_SEQ_CST))
		return;
	va_start(ap, fmt);
	vsnprintf(race->what, sizeof(race->what), fmt, ap);
	va_end(ap);
}

/* An fd that a reset has overtaken is dead, never anything else */
static void race_transfer(struct race *race, __u32 state, int fd,
			  unsigned int *seed)
{
	struct mig_stream now;
	size_t len;
	int ret;

	close(__atomic_exchange_n(&race->fd, dup(fd), __ATOMIC_SEQ_CST));
	if (state != VFIO_DEVICE_STATE_RESUMING) {
		ret = mig_read(fd, &now);
		/* PRE_COPY has no end */
		if (ret == -ENOMSG)
			ret = 0;
	} else {
		/* Now and then only a part of the stream */
		len = race->stream->len;
		if (!(rand_r(seed) % 8))
			len = rand_r(seed) % len;
		ret = mig_write(fd, race->stream->data, len);
	}
	if (!ret)
		__atomic_add_fetch(&race->transfers, 1, __ATOMIC_RELAXED);
	else if (ret != -ENODEV)
		race_bad(race, "data_fd of %s: %s", vfio_mig_state_name(state),
			 strerror(-ret));
	close(fd);
}

static void race_round(struct race *race, unsigned int *seed)
{
	__u32 to = check_states[rand_r(seed) % NR_STATES];
	int state, ret, fd;

	ret = vfio_mig_set_state(race->dev, to, &fd);
	if (ret && ret != -EINVAL)
		race_bad(race, "SET_STATE to %s: %s", vfio_mig_state_name(to),
			 strerror(-ret));
	if (ret && fd != -1)
		race_bad(race, "SET_STATE failed and gave fd %d", fd);

	state = vfio_mig_get_state(race->dev);
	if (state <= VFIO_DEVICE_STATE_ERROR ||
	    state >= VFIO_DEVICE_STATE_NR)
		race_bad(race, "state %s", vfio_mig_state_name(state));

	if (ret) {
		__atomic_add_fetch(&race->refused, 1, __ATOMIC_RELAXED);
		usleep(500);
		return;
	}
	if (fd >= 0)
		race_transfer(race, to, fd, seed);
	__atomic_add_fetch(&race->rounds, 1, __ATOMIC_RELAXED);
}

static void *race_setter(void *arg)
{
	struct race *race = arg;
	unsigned int seed = (unsigned int)(unsigned long)pthread_self();

	while (!race_over(race))
		race_round(race, &seed);
	return NULL;
}

static void *race_resetter(void *arg)
{
	struct race *race = arg;
	unsigned int seed = 1;
	int ret;

	while (!race_over(race)) {
		/* Function level resets sleep: leave time for the others */
		usleep(rand_r(&seed) % 30000);
		ret = rand_r(&seed) % 2 ? vfio_reset(race->dev) :
					  vfio_flr(race->dev);
		if (ret)
			race_bad(race, "reset: %s", strerror(-ret));
		__atomic_add_fetch(&race->resets, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Whoever else has the data_fd: poll(), read(), ioctl(), and perhaps the last close() */
static void use_fd(struct race *race, int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };
	struct vfio_precopy_info info;
	char buf[16];
	int ret;

	ret = read(fd, buf, sizeof(buf)) < 0 ? -errno : 0;
	if (ret && ret != -ENODEV && ret != -ENOMSG && ret != -EBADF)
		race_bad(race, "read: %s", strerror(-ret));
	if (poll(&pfd, 1, 0) < 0)
		race_bad(race, "poll: %s", strerror(errno));
	if (ret == -ENODEV && !(pfd.revents & POLLERR))
		race_bad(race, "poll of a dead data_fd: %#x", pfd.revents);
	ret = mig_precopy_info(fd, &info);
	if (ret && ret != -ENODEV && ret != -EINVAL && ret != -ENOTTY)
		race_bad(race, "VFIO_MIG_GET_PRECOPY_INFO: %s", strerror(-ret));
	close(fd);
}

/* The guest, by mapped pages and by trapped accesses, and a second VMM thread */
static void *race_user(void *arg)
{
	struct race *race = arg;
	__u32 *reg = &race->vf->page[1][(VTEIMS - 0x1000) / 4];
	__u32 val;
	int fd;

	while (!race_over(race)) {
		mmio_try_read(reg, &val);
		if (vfio_region_read(race->dev, VFIO_PCI_BAR0_REGION_INDEX,
				     VTSTATUS, &val, sizeof(val)))
			race_bad(race, "a register cannot be read");
		fd = __atomic_exchange_n(&race->fd, -1, __ATOMIC_SEQ_CST);
		if (fd >= 0)
			use_fd(race, fd);
		__atomic_add_fetch(&race->uses, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* The driver's side of a reset, as often as it goes */
static void *race_pretender(void *arg)
{
	struct race *race = arg;
	unsigned int seed = 1;

	while (!race_over(race)) {
		if (lab_pretend_reset(race->dev))
			race_bad(race, "a pretended reset fails");
		__atomic_add_fetch(&race->resets, 1, __ATOMIC_RELAXED);
		usleep(rand_r(&seed) % 1000);
	}
	return NULL;
}

FIXTURE(race) {
	struct lab lab;
	struct igbvf vf;
	struct peer peer;
	struct mig_stream stream;
};

GROUP_AND_CDEV(race);

FIXTURE_SETUP(race)
{
	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 1, true))
		return;
	ASSERT_EQ(0, peer_open(&self->peer, lab_netdev()));
	ASSERT_EQ(0, igbvf_open(&self->vf, &self->lab.vf[0]));
	ASSERT_EQ(0, flow_start(&self->vf, mac_a));
	ASSERT_EQ(0, mig_save(&self->lab.vf[0], &self->stream));
	GO(&self->lab.vf[0], VFIO_DEVICE_STATE_RUNNING);
}

FIXTURE_TEARDOWN(race)
{
	igbvf_close(&self->vf);
	peer_close(&self->peer);
	lab_close(&self->lab);
}

/* Says where it hangs rather than wait for the harness to kill everything */
static bool race_watch(struct race *race)
{
	unsigned int last = 0, now, still = 0;

	while (!race_over(race)) {
		sleep(1);
		now = __atomic_load_n(&race->rounds, __ATOMIC_RELAXED) +
		      __atomic_load_n(&race->resets, __ATOMIC_RELAXED);
		still = now == last ? still + 1 : 0;
		last = now;
		if (still == STALL_SECONDS)
			return false;
	}
	return true;
}

#define race_data FIXTURE_DATA(race)

/* All of @threads until the race is over */
static void run_race(struct __test_metadata *_metadata, struct race *race,
		     void *(**threads)(void *arg), unsigned int nr)
{
	pthread_t thread[4];
	unsigned int i;

	for (i = 0; i < nr; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, threads[i], race));
	if (!race_watch(race)) {
		TH_LOG("nothing moves for %u s: %u rounds, %u resets",
		       STALL_SECONDS, race->rounds, race->resets);
		_exit(KSFT_FAIL);
	}
	for (i = 0; i < nr; i++)
		pthread_join(thread[i], NULL);
	close(race->fd);

	TH_LOG("%u rounds, %u transfers, %u refused, %u resets, %u uses",
	       race->rounds, race->transfers, race->refused, race->resets,
	       race->uses);
	ASSERT_FALSE(race->bad)
		TH_LOG("%s", race->what);
}

static void expect_good_as_new(struct __test_metadata *_metadata,
			       race_data *self)
{
	struct vfio_dev *dev = &self->lab.vf[0];

	ASSERT_EQ(0, vfio_reset(dev));
	EXPECT_STATE(dev, VFIO_DEVICE_STATE_RUNNING);
	ASSERT_EQ(0, flow_start(&self->vf, mac_a));
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 5));
	EXPECT_EQ(0, flow_to_peer(&self->vf, 0, &self->peer, 1, 5));
	ASSERT_EQ(0, mig_save(dev, &self->stream));
	EXPECT_EQ(0, mig_load(dev, &self->stream, VFIO_DEVICE_STATE_RUNNING));
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 9, 5));
}

TEST_F_TIMEOUT(race, resets_and_states, 300)
{
	void *(*threads[])(void *arg) = {
		race_setter, race_setter, race_resetter,
	};
	struct race race = {
		.dev = &self->lab.vf[0],
		.stream = &self->stream,
		.limit = lab_setting("RESET_ROUNDS", ROUNDS),
		.fd = -1,
	};

	run_race(_metadata, &race, threads, 3);
	EXPECT_LE(race.limit, race.rounds);
	EXPECT_LT(race.limit / 10, race.transfers);
	EXPECT_LT(20, race.resets);
	expect_good_as_new(_metadata, self);
}

TEST_F_TIMEOUT(race, resets_and_everything, 120)
{
	void *(*threads[])(void *arg) = {
		race_setter, race_setter, race_user, race_pretender,
	};
	struct race race = {
		.dev = &self->lab.vf[0],
		.vf = &self->vf,
		.stream = &self->stream,
		.limit = lab_setting("RESET_ROUNDS", ROUNDS) / SHARE,
		.fd = -1,
	};

	if (lab_load("pretend_reset"))
		SKIP(return, "pretend_reset.ko is not to be had");
	run_race(_metadata, &race, threads, 4);
	EXPECT_LT(0, race.transfers);
	EXPECT_LT(race.limit / 20, race.resets);
	EXPECT_LT(race.limit / 20, race.uses);
	expect_good_as_new(_metadata, self);
}

TEST_HARNESS_MAIN
