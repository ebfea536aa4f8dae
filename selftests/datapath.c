// SPDX-License-Identifier: GPL-2.0-only
/*
 * The userspace VF driver on its own, without any migration. It passes on plain
 * vfio-pci as well: what fails here is not the fault of what is tested
 * elsewhere with the same library.
 */
#include <kselftest_harness.h>

#include "lib/check.h"
#include "lib/flow.h"

#define WRAPS	(3 * IGBVF_RING + 5)

static const __u8 mac_a[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0a };
static const __u8 mac_b[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0b };
static const __u8 group[6] = { 0x01, 0x00, 0x5e, 0x12, 0x34, 0x56 };

FIXTURE(datapath) {
	struct lab lab;
	struct igbvf a;
	struct igbvf b;
	struct peer peer;
};

GROUP_AND_CDEV(datapath);

FIXTURE_SETUP(datapath)
{
	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 2, false))
		return;
	ASSERT_EQ(0, peer_open(&self->peer, lab_netdev()));
	ASSERT_EQ(0, igbvf_open(&self->a, &self->lab.vf[0]));
	ASSERT_EQ(0, igbvf_open(&self->b, &self->lab.vf[1]));
	ASSERT_EQ(0, flow_start(&self->a, mac_a));
	ASSERT_EQ(0, flow_start(&self->b, mac_b));
}

FIXTURE_TEARDOWN(datapath)
{
	igbvf_close(&self->a);
	igbvf_close(&self->b);
	peer_close(&self->peer);
	lab_close(&self->lab);
}

TEST_F_TIMEOUT(datapath, send, 60)
{
	struct flow_counters before, after;

	flow_count(&self->a, &before);
	ASSERT_EQ(0, flow_to_peer(&self->a, 0, &self->peer, 1, WRAPS));
	flow_count(&self->a, &after);
	EXPECT_EQ(WRAPS, after.tx_frames - before.tx_frames);
	EXPECT_EQ(0, igbvf_irq_wait(&self->a, IGBVF_VEC_TX, 1000));
}

TEST_F_TIMEOUT(datapath, receive, 60)
{
	struct flow_counters before, after;

	flow_count(&self->a, &before);
	ASSERT_EQ(0, flow_from_peer(&self->a, &self->peer, 1000, WRAPS));
	flow_count(&self->a, &after);
	EXPECT_EQ(WRAPS, after.rx_frames - before.rx_frames);
	EXPECT_EQ(0, igbvf_irq_wait(&self->a, IGBVF_VEC_RX, 1000));
}

TEST_F_TIMEOUT(datapath, second_queue, 60)
{
	ASSERT_EQ(0, igbvf_tx_start(&self->a, 1));
	EXPECT_EQ(0, flow_to_peer(&self->a, 1, &self->peer, 1, WRAPS));
}

TEST_F_TIMEOUT(datapath, between_vfs, 60)
{
	EXPECT_EQ(0, flow_vf_to_vf(&self->a, &self->b, 1, WRAPS));
	EXPECT_EQ(0, flow_vf_to_vf(&self->b, &self->a, 1, WRAPS));
}

TEST_F(datapath, vlan)
{
	struct igbvf_frame frame;
	__u8 out[128];

	frame_build(out, mac_a, self->peer.mac, 77, 5, sizeof(out));
	ASSERT_EQ(0, peer_send(&self->peer, out, sizeof(out)));
	EXPECT_EQ(-EAGAIN, igbvf_recv(&self->a, 0, &frame, 100));

	ASSERT_EQ(0, igbvf_set_vlan(&self->a, 77, true));
	ASSERT_EQ(0, peer_send(&self->peer, out, sizeof(out)));
	EXPECT_EQ(0, igbvf_recv(&self->a, 0, &frame, 1000));
	EXPECT_EQ(77, frame.vlan);
}

TEST_F(datapath, multicast)
{
	struct igbvf_frame frame;
	__u8 out[128];

	frame_build(out, group, self->peer.mac, -1, 5, sizeof(out));
	ASSERT_EQ(0, peer_send(&self->peer, out, sizeof(out)));
	EXPECT_EQ(-EAGAIN, igbvf_recv(&self->a, 0, &frame, 100));

	ASSERT_EQ(0, igbvf_set_multicast(&self->a, group));
	ASSERT_EQ(0, peer_send(&self->peer, out, sizeof(out)));
	EXPECT_EQ(0, igbvf_recv(&self->a, 0, &frame, 1000));
	EXPECT_EQ(0, frame_check(frame.data, frame.len, group, self->peer.mac,
				 5, sizeof(out)));
}

TEST_F(datapath, largest_frame)
{
	struct igbvf_frame frame;
	__u8 out[1900];

	frame_build(out, mac_b, mac_a, -1, 5, sizeof(out));
	ASSERT_EQ(0, igbvf_set_lpe(&self->b, 1518));
	ASSERT_EQ(0, igbvf_send(&self->a, 0, out, sizeof(out)));
	EXPECT_EQ(-EAGAIN, igbvf_recv(&self->b, 0, &frame, 100));

	ASSERT_EQ(0, igbvf_set_lpe(&self->b, 2000));
	ASSERT_EQ(0, igbvf_send(&self->a, 0, out, sizeof(out)));
	EXPECT_EQ(0, igbvf_recv(&self->b, 0, &frame, 1000));
	EXPECT_EQ(sizeof(out), frame.len);
}

TEST_F(datapath, mac_is_known_to_the_pf)
{
	__u8 mac[6];

	ASSERT_EQ(0, lab_vf_mac(self->a.dev, mac));
	EXPECT_EQ(0, memcmp(mac, mac_a, 6));
}

TEST_F(datapath, reset_stops_it)
{
	struct igbvf_frame frame;
	__u8 out[128];

	ASSERT_EQ(0, flow_from_peer(&self->a, &self->peer, 1, 3));
	ASSERT_EQ(0, vfio_flr(&self->lab.vf[0]));
	frame_build(out, mac_a, self->peer.mac, -1, 5, sizeof(out));
	ASSERT_EQ(0, peer_send(&self->peer, out, sizeof(out)));
	EXPECT_EQ(-EAGAIN, igbvf_recv(&self->a, 0, &frame, 100));

	ASSERT_EQ(0, igbvf_hello(&self->a));
	ASSERT_EQ(0, igbvf_set_mac(&self->a, mac_a));
	ASSERT_EQ(0, igbvf_rx_start(&self->a, 0));
	EXPECT_EQ(0, flow_from_peer(&self->a, &self->peer, 1, 3));
}

TEST_HARNESS_MAIN
