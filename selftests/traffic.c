// SPDX-License-Identifier: GPL-2.0-only
/*
 * A VF that works before its migration works after it: real frames through
 * real rings, at any point of them, with interrupts and counters.
 */
#include <kselftest_harness.h>

#include "lib/check.h"
#include "lib/flow.h"

#define WRAPS	(2 * IGBVF_RING + 5)

static const __u8 mac_a[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0a };
static const __u8 mac_b[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0b };

FIXTURE(traffic) {
	struct lab lab;
	struct vfio_dev *a;
	struct vfio_dev *b;
	struct igbvf vf;
	struct peer peer;
	struct mig_stream stream;
};

GROUP_AND_CDEV(traffic);

FIXTURE_SETUP(traffic)
{
	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 2, true))
		return;
	self->a = &self->lab.vf[0];
	self->b = &self->lab.vf[1];
	ASSERT_EQ(0, peer_open(&self->peer, lab_netdev()));
	ASSERT_EQ(0, igbvf_open(&self->vf, self->a));
	ASSERT_EQ(0, flow_start(&self->vf, mac_a));
}

FIXTURE_TEARDOWN(traffic)
{
	igbvf_close(&self->vf);
	peer_close(&self->peer);
	lab_close(&self->lab);
}

static void move(struct __test_metadata *_metadata, struct igbvf *vf,
		 struct vfio_dev *to)
{
	ASSERT_EQ(0, mig_move(vf->dev, to, VFIO_DEVICE_STATE_RUNNING));
	ASSERT_EQ(0, igbvf_move(vf, to));
}

static void both_ways(struct __test_metadata *_metadata, struct igbvf *vf,
		      struct peer *peer, __u32 seed, unsigned int count)
{
	EXPECT_EQ(0, flow_to_peer(vf, 0, peer, seed, count));
	EXPECT_EQ(0, flow_from_peer(vf, peer, seed + count, count));
}

TEST_F_TIMEOUT(traffic, goes_on, 120)
{
	both_ways(_metadata, &self->vf, &self->peer, 1, WRAPS);
	move(_metadata, &self->vf, self->b);
	both_ways(_metadata, &self->vf, &self->peer, 1000, WRAPS);
}

/* Nothing that was sent to the destination arrives at the source any more */
TEST_F(traffic, source_is_silent)
{
	__u32 sent;

	both_ways(_metadata, &self->vf, &self->peer, 1, 3);
	move(_metadata, &self->vf, self->b);
	GO(self->a, VFIO_DEVICE_STATE_STOP);
	sent = igbvf_read(&self->vf, VFGPRC);
	both_ways(_metadata, &self->vf, &self->peer, 9, 5);
	EXPECT_EQ(sent + 5, igbvf_read(&self->vf, VFGPRC));
}

TEST_F_TIMEOUT(traffic, many_hops, 180)
{
	struct vfio_dev *to[2] = { self->b, self->a };
	struct flow_counters was, is;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		both_ways(_metadata, &self->vf, &self->peer, 100 * i, 7 + i);
		flow_count(&self->vf, &was);
		move(_metadata, &self->vf, to[i % 2]);
		flow_count(&self->vf, &is);
		ASSERT_EQ(0, memcmp(&was, &is, sizeof(is)))
			TH_LOG("hop %u: the counters jump", i);
	}
	both_ways(_metadata, &self->vf, &self->peer, 5000, WRAPS);
}

TEST_F(traffic, second_tx_queue)
{
	ASSERT_EQ(0, igbvf_tx_start(&self->vf, 1));
	ASSERT_EQ(0, flow_to_peer(&self->vf, 1, &self->peer, 1, 20));
	move(_metadata, &self->vf, self->b);
	EXPECT_EQ(0, flow_to_peer(&self->vf, 1, &self->peer, 50, WRAPS));
	EXPECT_EQ(0, flow_to_peer(&self->vf, 0, &self->peer, 50, 5));
}

/* A queue that was off stays off */
TEST_F(traffic, queue_off_stays_off)
{
	igbvf_queues_off(&self->vf);
	move(_metadata, &self->vf, self->b);
	EXPECT_EQ(0, igbvf_read(&self->vf, RXDCTL(0)) & XDCTL_ENABLE);
	EXPECT_EQ(0, igbvf_read(&self->vf, TXDCTL(0)) & XDCTL_ENABLE);
	flow_post(&self->vf, 0, self->peer.mac, 1);
	igbvf_tx_kick(&self->vf, 0);
	EXPECT_EQ(-EAGAIN, flow_peer_expect(&self->peer, mac_a, 1, 200));
}

static void post(struct igbvf *vf, struct peer *peer, __u32 seed,
		 unsigned int count)
{
	while (count--)
		flow_post(vf, 0, peer->mac, seed++);
	igbvf_tx_kick(vf, 0);
}

/* What post() has posted, all of it and in order */
static int arrives(struct peer *peer, __u32 seed, unsigned int count)
{
	int ret = 0;

	while (!ret && count--)
		ret = flow_peer_expect(peer, mac_a, seed++, 1000);
	return ret;
}

/* Frames posted while DMA is off leave when it is on again, and in order */
TEST_F(traffic, tx_posted_in_p2p)
{
	ASSERT_EQ(0, flow_to_peer(&self->vf, 0, &self->peer, 1, 60));
	GO(self->a, VFIO_DEVICE_STATE_RUNNING_P2P);
	post(&self->vf, &self->peer, 100, 8);
	EXPECT_EQ(-EAGAIN, flow_peer_expect(&self->peer, mac_a, 100, 200))
		TH_LOG("the device transmits in RUNNING_P2P");
	GO(self->a, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(0, igbvf_tx_wait(&self->vf, 0, 1000));
	EXPECT_EQ(0, arrives(&self->peer, 100, 8));
}

TEST_F(traffic, tx_pending_is_sent_by_the_destination)
{
	ASSERT_EQ(0, flow_to_peer(&self->vf, 0, &self->peer, 1, 60));
	GO(self->a, VFIO_DEVICE_STATE_RUNNING_P2P);
	post(&self->vf, &self->peer, 100, 8);

	ASSERT_EQ(0, mig_move(self->a, self->b,
			      VFIO_DEVICE_STATE_RUNNING_P2P));
	ASSERT_EQ(0, igbvf_move(&self->vf, self->b));
	igbvf_irq_drain(&self->vf);
	EXPECT_EQ(-EAGAIN, flow_peer_expect(&self->peer, mac_a, 100, 200))
		TH_LOG("the destination transmits in RUNNING_P2P");

	GO(self->b, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(0, igbvf_irq_wait(&self->vf, IGBVF_VEC_TX, 1000))
		TH_LOG("no interrupt for what was sent after the resume");
	EXPECT_EQ(0, igbvf_tx_wait(&self->vf, 0, 1000));
	EXPECT_EQ(0, arrives(&self->peer, 100, 8));
	both_ways(_metadata, &self->vf, &self->peer, 500, 5);
}

static int send_to(struct peer *peer, const __u8 *mac, __u32 seed)
{
	__u8 frame[PEER_MAX_FRAME];

	frame_build(frame, mac, peer->mac, -1, seed, flow_len(seed));
	return peer_send(peer, frame, flow_len(seed));
}

/* Frames that came before, read after; buffers posted before, filled after */
TEST_F(traffic, rx_pending)
{
	unsigned int i;
	int ret = 0;

	ASSERT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 60));
	for (i = 0; i < 6; i++)
		ret |= send_to(&self->peer, mac_a, 200 + i);
	ASSERT_EQ(0, ret);
	usleep(200000);
	move(_metadata, &self->vf, self->b);
	for (i = 0; i < 6; i++)
		ret |= flow_expect(&self->vf, self->peer.mac, 200 + i, 1000);
	EXPECT_EQ(0, ret);
	both_ways(_metadata, &self->vf, &self->peer, 500, WRAPS);
}

/* RUNNING_P2P: memory does not change under the guest's feet */
TEST_F(traffic, no_dma_in_p2p)
{
	struct igbvf_frame frame;
	__u32 head;

	ASSERT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
	GO(self->a, VFIO_DEVICE_STATE_RUNNING_P2P);
	head = igbvf_read(&self->vf, RDH(0));
	ASSERT_EQ(0, send_to(&self->peer, mac_a, 7));
	EXPECT_EQ(-EAGAIN, igbvf_recv(&self->vf, 0, &frame, 200));
	EXPECT_EQ(head, igbvf_read(&self->vf, RDH(0)));
	GO(self->a, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 9, WRAPS));
}

/* Nor does the memory of a VF in STOP_COPY, and its frames are not lost twice */
TEST_F(traffic, no_dma_in_stop)
{
	struct igbvf_frame frame;

	GO(self->a, VFIO_DEVICE_STATE_STOP);
	ASSERT_EQ(0, send_to(&self->peer, mac_a, 7));
	EXPECT_EQ(-EAGAIN, igbvf_recv(&self->vf, 0, &frame, 200));
	GO(self->a, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 9, 5));
}

TEST_F_TIMEOUT(traffic, with_another_vf, 60)
{
	struct igbvf other;

	both_ways(_metadata, &self->vf, &self->peer, 1, 5);
	move(_metadata, &self->vf, self->b);

	ASSERT_EQ(0, vfio_reset(self->a));
	ASSERT_EQ(0, igbvf_open(&other, self->a));
	ASSERT_EQ(0, flow_start(&other, mac_b));
	EXPECT_EQ(0, flow_vf_to_vf(&self->vf, &other, 1, WRAPS));
	EXPECT_EQ(0, flow_vf_to_vf(&other, &self->vf, 1, WRAPS));
	igbvf_close(&other);
}

/* Counters: not one frame more or less, whatever the destination had counted */
TEST_F(traffic, counters)
{
	struct flow_counters was, is;
	struct igbvf other;

	ASSERT_EQ(0, igbvf_open(&other, self->b));
	ASSERT_EQ(0, flow_start(&other, mac_b));
	both_ways(_metadata, &other, &self->peer, 1, 30);
	igbvf_queues_off(&other);

	both_ways(_metadata, &self->vf, &self->peer, 1, 11);
	flow_count(&self->vf, &was);
	ASSERT_EQ(0, mig_move(self->a, self->b,
			      VFIO_DEVICE_STATE_RUNNING_P2P));
	ASSERT_EQ(0, igbvf_move(&self->vf, self->b));
	flow_count(&self->vf, &is);
	EXPECT_EQ(0, memcmp(&was, &is, sizeof(is)))
		TH_LOG("frames received %u -> %u, sent %u -> %u",
		       was.rx_frames, is.rx_frames, was.tx_frames,
		       is.tx_frames);
	GO(self->b, VFIO_DEVICE_STATE_RUNNING);

	both_ways(_metadata, &self->vf, &self->peer, 100, 17);
	flow_count(&self->vf, &is);
	EXPECT_EQ(17, is.rx_frames - was.rx_frames);
	EXPECT_EQ(17, is.tx_frames - was.tx_frames);
	EXPECT_LT(17 * IGBVF_MIN_FRAME, is.rx_octets - was.rx_octets);
	EXPECT_LT(17 * IGBVF_MIN_FRAME, is.tx_octets - was.tx_octets);
	igbvf_close(&other);
}

TEST_F(traffic, interrupts)
{
	both_ways(_metadata, &self->vf, &self->peer, 1, 3);
	move(_metadata, &self->vf, self->b);
	usleep(100000);
	igbvf_irq_drain(&self->vf);

	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 9, 1));
	EXPECT_EQ(0, igbvf_irq_wait(&self->vf, IGBVF_VEC_RX, 1000));
	EXPECT_EQ(0, flow_to_peer(&self->vf, 0, &self->peer, 9, 1));
	EXPECT_EQ(0, igbvf_irq_wait(&self->vf, IGBVF_VEC_TX, 1000));
	EXPECT_EQ(0, igbvf_set_lpe(&self->vf, 1518));
	/* The emulated device takes the number of this vector for its bit */
	EXPECT_TRUE(!igbvf_irq_wait(&self->vf, IGBVF_VEC_MBOX, 500) ||
		    !igbvf_irq_wait(&self->vf, IGBVF_VEC_RX, 500));
}

/*
 * igbvf looks at its link when the vector of the mailbox fires: not for nothing, but
 * where there is an answer that has not been looked at.
 */
TEST_F(traffic, mailbox_interrupt)
{
	__u32 msg[2] = { VF_SET_LPE, 1518 };

	igbvf_irq_drain(&self->vf);
	move(_metadata, &self->vf, self->b);
	EXPECT_EQ(0, igbvf_irq_wait(&self->vf, IGBVF_VEC_RX, 1000));
	EXPECT_EQ(-EAGAIN, igbvf_irq_wait(&self->vf, IGBVF_VEC_MBOX, 200));

	ASSERT_EQ(0, igbvf_mbox_post(&self->vf, msg, 2));
	usleep(100000);
	igbvf_irq_drain(&self->vf);
	GO(self->b, VFIO_DEVICE_STATE_STOP);
	GO(self->b, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(0, igbvf_irq_wait(&self->vf, IGBVF_VEC_MBOX, 1000));
	EXPECT_EQ(0, igbvf_mbox_wait(&self->vf, msg, 2));
}

/* Masked when it came, unmasked after the migration: it fires */
TEST_F(traffic, masked_interrupt)
{
	igbvf_write(&self->vf, VTEIMC, 7);
	ASSERT_EQ(0, send_to(&self->peer, mac_a, 7));
	usleep(200000);
	ASSERT_EQ(-EAGAIN, igbvf_irq_wait(&self->vf, IGBVF_VEC_RX, 0));
	move(_metadata, &self->vf, self->b);
	igbvf_write(&self->vf, VTEIMS, 1 << IGBVF_VEC_RX);
	EXPECT_EQ(0, igbvf_irq_wait(&self->vf, IGBVF_VEC_RX, 1000));
	EXPECT_EQ(0, flow_expect(&self->vf, self->peer.mac, 7, 1000));
}

/*
 * Raised on the source and not heard of there: it fires on the destination. Of
 * the mailbox there is no vector here, since the PF has its say in a load.
 */
TEST_F(traffic, interrupt_is_not_lost)
{
	struct igbvf other;

	ASSERT_EQ(0, igbvf_open(&other, self->b));
	igbvf_write(&other, VTIVAR_MISC, 0);
	igbvf_close(&other);

	igbvf_write(&self->vf, VTIVAR_MISC, 0);
	ASSERT_EQ(0, send_to(&self->peer, mac_a, 7));
	usleep(200000);
	ASSERT_EQ(0, mig_move(self->a, self->b, VFIO_DEVICE_STATE_STOP));
	ASSERT_EQ(0, igbvf_move(&self->vf, self->b));
	EXPECT_EQ(-EAGAIN, igbvf_irq_wait(&self->vf, IGBVF_VEC_RX, 100));

	GO(self->b, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(0, igbvf_irq_wait(&self->vf, IGBVF_VEC_RX, 1000))
		TH_LOG("every vector that could have been lost is raised");
	EXPECT_EQ(0, flow_expect(&self->vf, self->peer.mac, 7, 1000));
}

/* A stopped device does not interrupt, and what it held back comes later */
TEST_F(traffic, no_interrupt_in_stop)
{
	GO(self->a, VFIO_DEVICE_STATE_STOP);
	igbvf_irq_drain(&self->vf);
	ASSERT_EQ(0, send_to(&self->peer, mac_a, 7));
	EXPECT_EQ(-EAGAIN, igbvf_irq_wait(&self->vf, IGBVF_VEC_RX, 200));
	GO(self->a, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 9, 1));
	EXPECT_EQ(0, igbvf_irq_wait(&self->vf, IGBVF_VEC_RX, 1000));
}

TEST_HARNESS_MAIN
