// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest that is migrated again and again between two VFs while frames go both
 * ways all the time. It looks at its rings only when an interrupt tells it to, so
 * one that is lost stalls it; and it keeps its own books, which its counters have
 * to agree with. SHUTTLE_MIGRATIONS and SHUTTLE_SEED override the defaults.
 */
#include <kselftest_harness.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/check.h"
#include "lib/flow.h"

#define MIGRATIONS	1000
#define PATIENCE_MS	2000
#define TX_AT_ONCE	5
/* What the largest frame may be, from one message to the PF to the next */
#define SMALL_LPE	1600
#define LARGE_LPE	1800
#define FCS_BYTES	4
/* Seeds from here on are for frames of the second queue */
#define SECOND_QUEUE	0x40000000

static const __u8 mac_a[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0a };

/* The other end of the wire, which runs by itself */
struct station {
	struct peer *peer;
	pthread_t thread;
	bool stop;
	bool hush;		/* it is to send no more */
	bool hushed;		/* and so it does */
	__u32 sent;
	__u32 received[IGBVF_QUEUES];
	const char *wrong;
};

/* What the guest knows of its own traffic */
struct books {
	__u32 rx_seed;		/* no frame before this one may come */
	__u32 rx_frames;
	__u32 rx_octets;
	__u32 tx_frames[IGBVF_QUEUES];
	__u32 tx_octets;
};

FIXTURE(shuttle) {
	struct lab lab;
	struct igbvf vf;
	struct peer peer;
	struct station station;
	struct books books;
	struct flow_counters base;
	struct flow_counters last;
	unsigned int dice;
};

#define shuttle_data FIXTURE_DATA(shuttle)

static bool get(bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set(bool *flag, bool val)
{
	__atomic_store_n(flag, val, __ATOMIC_RELEASE);
}

static __u32 tx_seed(unsigned int q, __u32 n)
{
	return q * SECOND_QUEUE + n;
}

/* Nothing that the guest sends is lost, and each queue keeps its order */
static void station_takes(struct station *st, const __u8 *frame, size_t len)
{
	unsigned int q;
	__u32 seed;

	for (q = 0; q < IGBVF_QUEUES; q++) {
		seed = tx_seed(q, st->received[q]);
		if (frame_check(frame, len, st->peer->mac, mac_a, seed,
				flow_len(seed)))
			continue;
		__atomic_add_fetch(&st->received[q], 1, __ATOMIC_RELEASE);
		return;
	}
	st->wrong = "a frame of the guest is lost, or comes twice";
}

static void station_receives(struct station *st)
{
	__u8 frame[PEER_MAX_FRAME];
	int len;

	while ((len = peer_recv(st->peer, frame, sizeof(frame), 0)) >= 0)
		station_takes(st, frame, len);
}

static void station_sends(struct station *st, unsigned int count)
{
	__u8 frame[PEER_MAX_FRAME];

	for (; count--; st->sent++) {
		frame_build(frame, mac_a, st->peer->mac, -1, st->sent,
			    flow_len(st->sent));
		if (peer_send(st->peer, frame, flow_len(st->sent)))
			st->wrong = "the PF's interface does not send";
	}
}

static void *run_station(void *arg)
{
	struct station *st = arg;

	while (!get(&st->stop) && !st->wrong) {
		if (get(&st->hush)) {
			set(&st->hushed, true);
		} else {
			set(&st->hushed, false);
			station_sends(st, 1 + st->sent % 4);
		}
		station_receives(st);
		usleep(100);
	}
	return NULL;
}

static unsigned int roll(shuttle_data *self, unsigned int limit)
{
	return rand_r(&self->dice) % limit;
}

GROUP_AND_CDEV(shuttle);

FIXTURE_SETUP(shuttle)
{
	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 2, true))
		return;
	self->dice = lab_setting("SHUTTLE_SEED", time(NULL));
	ASSERT_EQ(0, peer_open(&self->peer, lab_netdev()));
	ASSERT_EQ(0, igbvf_open(&self->vf, &self->lab.vf[0]));
	ASSERT_EQ(0, flow_start(&self->vf, mac_a));
	ASSERT_EQ(0, igbvf_tx_start(&self->vf, 1));
	ASSERT_EQ(0, igbvf_set_lpe(&self->vf, SMALL_LPE));
	flow_count(&self->vf, &self->base);
	self->last = self->base;
	self->station.peer = &self->peer;
	ASSERT_EQ(0, pthread_create(&self->station.thread, NULL, run_station,
				    &self->station));
}

FIXTURE_TEARDOWN(shuttle)
{
	set(&self->station.stop, true);
	if (self->station.peer)
		pthread_join(self->station.thread, NULL);
	igbvf_close(&self->vf);
	peer_close(&self->peer);
	lab_close(&self->lab);
}

/* Frames are lost while no VF receives, but what comes is in order */
static const char *guest_takes(struct books *books,
			       const struct igbvf_frame *frame,
			       const struct station *st)
{
	__u32 seed = books->rx_seed, end = seed + 1440;

	/* No two of so many seeds have the same length */
	while (seed != end && flow_len(seed) != frame->len)
		seed++;
	if (seed == end || frame_check(frame->data, frame->len, mac_a,
				       st->peer->mac, seed, frame->len))
		return "a frame is damaged, or comes twice";
	books->rx_seed = seed + 1;
	books->rx_frames++;
	books->rx_octets += frame->len + FCS_BYTES;
	return NULL;
}

static const char *guest_receives(shuttle_data *self)
{
	struct igbvf_frame frame;
	const char *wrong = NULL;
	int ret;

	while (!wrong) {
		ret = igbvf_recv(&self->vf, 0, &frame, 0);
		if (ret == -EAGAIN)
			return NULL;
		wrong = ret ? "a frame is too long" :
			guest_takes(&self->books, &frame, &self->station);
	}
	return wrong;
}

static void guest_sends(shuttle_data *self, unsigned int q,
			unsigned int count)
{
	struct books *books = &self->books;
	__u32 seed;

	while (count-- && igbvf_tx_pending(&self->vf, q) < IGBVF_RING - 1) {
		seed = tx_seed(q, books->tx_frames[q]++);
		books->tx_octets += flow_len(seed) + FCS_BYTES;
		flow_post(&self->vf, q, self->peer.mac, seed);
	}
	igbvf_tx_kick(&self->vf, q);
}

/* What the guest does when it has been interrupted, and only then */
static const char *guest_serves(shuttle_data *self)
{
	if (!igbvf_irq_wait(&self->vf, IGBVF_VEC_TX, 0))
		igbvf_tx_wait(&self->vf, 0, 0);
	/* The emulated device has no interrupt for the second queue */
	igbvf_tx_wait(&self->vf, 1, 0);
	if (!igbvf_irq_wait(&self->vf, IGBVF_VEC_RX, 0))
		return guest_receives(self);
	return NULL;
}

/* The station is silent: all that is under way has to arrive now */
static const char *settle(shuttle_data *self)
{
	struct igbvf *vf = &self->vf;
	const char *wrong = NULL;

	while (!wrong && igbvf_tx_pending(vf, 0)) {
		if (igbvf_irq_wait(vf, IGBVF_VEC_TX, PATIENCE_MS))
			return "a transmit interrupt is lost, or the queue stalls";
		igbvf_tx_wait(vf, 0, 0);
	}
	if (igbvf_tx_wait(vf, 1, PATIENCE_MS))
		return "the second transmit queue stalls";
	wrong = guest_serves(self);
	while (!wrong && igbvf_rx_ready(vf, 0)) {
		if (igbvf_irq_wait(vf, IGBVF_VEC_RX, PATIENCE_MS))
			return "a receive interrupt is lost";
		wrong = guest_receives(self);
	}
	return wrong;
}

static const char *hush(struct station *st)
{
	long long end = clock_ms() + PATIENCE_MS;

	set(&st->hush, true);
	while (!get(&st->hushed)) {
		if (st->wrong || clock_ms() > end)
			return st->wrong ? st->wrong : "the station hangs";
		usleep(50);
	}
	return NULL;
}

static const char *arrived(shuttle_data *self, unsigned int q)
{
	struct station *st = &self->station;
	long long end = clock_ms() + PATIENCE_MS;

	while (__atomic_load_n(&st->received[q], __ATOMIC_ACQUIRE) !=
	       self->books.tx_frames[q]) {
		if (st->wrong || clock_ms() > end)
			return st->wrong ? st->wrong :
					   "frames of the guest are lost";
		usleep(50);
	}
	return NULL;
}

static bool fell(__u32 from, __u32 to)
{
	return to - from > 1U << 31;
}

static const char *check_counters(shuttle_data *self)
{
	struct flow_counters *last = &self->last;
	struct flow_counters is;
	bool jumped;

	flow_count(&self->vf, &is);
	jumped = fell(last->rx_frames, is.rx_frames) ||
		 fell(last->rx_octets, is.rx_octets) ||
		 fell(last->tx_frames, is.tx_frames) ||
		 fell(last->tx_octets, is.tx_octets);
	*last = is;
	return jumped ? "a counter went backwards" : NULL;
}

static const char *check_sums(shuttle_data *self)
{
	const struct flow_counters *base = &self->base, *is = &self->last;
	const struct books *books = &self->books;
	const char *wrong = check_counters(self);

	if (wrong)
		return wrong;
	if (is->rx_frames - base->rx_frames != books->rx_frames ||
	    is->rx_octets - base->rx_octets != books->rx_octets)
		return "the counters of what was received are not its sum";
	if (is->tx_frames - base->tx_frames !=
	    books->tx_frames[0] + books->tx_frames[1] ||
	    is->tx_octets - base->tx_octets != books->tx_octets)
		return "the counters of what was sent are not its sum";
	return NULL;
}

/* A message that the PF was sent before the migration has one answer after it */
static const char *check_answer(struct igbvf *vf)
{
	__u32 answer[2];

	if (igbvf_mbox_wait(vf, answer, 2))
		return "a message to the PF is not answered";
	if (answer[0] != (VF_SET_LPE | VF_ACK | VF_CTS))
		return "a message to the PF has the wrong answer";
	if (igbvf_read(vf, V2PMAILBOX) & V2PMAILBOX_PFSTS)
		return "a message to the PF is answered twice";
	return NULL;
}

/* The interrupts are set up before RUNNING, in which some will be raised */
static const char *migrate(shuttle_data *self, struct vfio_dev *to,
			   unsigned int round)
{
	int ret;

	if (round % 2)
		ret = mig_move_precopy(self->vf.dev, to,
				       VFIO_DEVICE_STATE_STOP);
	else
		ret = mig_move(self->vf.dev, to, VFIO_DEVICE_STATE_STOP);
	if (!ret)
		ret = igbvf_move(&self->vf, to);
	if (!ret)
		ret = vfio_mig_set_state(to, VFIO_DEVICE_STATE_RUNNING, NULL);
	return ret ? "the migration fails" : NULL;
}

/* As late as can be before the guest is stopped */
static const char *last_words(shuttle_data *self, unsigned int round,
			      bool message)
{
	const __u32 msg[2] = {
		VF_SET_LPE, round % 2 ? SMALL_LPE : LARGE_LPE,
	};

	/* A doorbell in RUNNING_P2P is rung before the VF goes, heard after */
	if (round % 3 == 0 &&
	    vfio_mig_set_state(self->vf.dev, VFIO_DEVICE_STATE_RUNNING_P2P,
			       NULL))
		return "RUNNING_P2P cannot be entered";
	guest_sends(self, 0, 1 + roll(self, TX_AT_ONCE));
	guest_sends(self, 1, 1 + roll(self, TX_AT_ONCE));
	if (message && igbvf_mbox_post(&self->vf, msg, 2))
		return "the mailbox is not free";
	return NULL;
}

static const char *one_round(shuttle_data *self, struct vfio_dev *to,
			     unsigned int round)
{
	bool message = round % 5 == 0;
	unsigned int n = roll(self, 8);
	const char *wrong = NULL;

	set(&self->station.hush, false);
	while (!wrong && n--) {
		guest_sends(self, roll(self, 2), roll(self, TX_AT_ONCE));
		usleep(roll(self, 300));
		wrong = guest_serves(self);
	}
	if (!wrong)
		wrong = last_words(self, round, message);
	if (!wrong)
		wrong = migrate(self, to, round);
	if (!wrong)
		wrong = check_counters(self);
	if (!wrong && message)
		wrong = check_answer(&self->vf);
	if (!wrong && !(igbvf_read(&self->vf, VTSTATUS) & VTSTATUS_LU))
		wrong = "the link is down";
	return wrong;
}

/* Once more with nothing new: what is under way comes to rest */
static const char *take_stock(shuttle_data *self)
{
	const char *wrong = hush(&self->station);
	unsigned int q;

	if (!wrong)
		wrong = settle(self);
	for (q = 0; !wrong && q < IGBVF_QUEUES; q++)
		wrong = arrived(self, q);
	return wrong ? wrong : check_sums(self);
}

TEST_F_TIMEOUT(shuttle, both_ways, 3600)
{
	unsigned int rounds = lab_setting("SHUTTLE_MIGRATIONS", MIGRATIONS);
	unsigned int seed = self->dice, i;
	const char *wrong = NULL;

	for (i = 0; !wrong && i < rounds; i++) {
		wrong = one_round(self, &self->lab.vf[(i + 1) % 2], i);
		if (!wrong)
			wrong = take_stock(self);
		ASSERT_EQ(NULL, wrong)
			TH_LOG("migration %u of SHUTTLE_SEED=%u: %s", i, seed,
			       wrong);
	}
	TH_LOG("%u migrations, %u frames received of %u, %u and %u sent",
	       rounds, self->books.rx_frames, self->station.sent,
	       self->books.tx_frames[0], self->books.tx_frames[1]);
	EXPECT_LE(rounds, self->books.rx_frames);
}

TEST_HARNESS_MAIN
