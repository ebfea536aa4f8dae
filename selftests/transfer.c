// SPDX-License-Identifier: GPL-2.0-only
/* One VF's state on another VF: all that the guest can see, and the PF's part */
#include <kselftest_harness.h>
#include <linux/pci_regs.h>

#include "lib/check.h"
#include "lib/flow.h"
#include "lib/regfile.h"

static const __u8 mac_a[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0a };
static const __u8 mac_b[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0b };
static const __u8 mac_c[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0c };
static const __u8 group[6] = { 0x01, 0x00, 0x5e, 0x12, 0x34, 0x56 };
static const __u8 other_group[6] = { 0x01, 0x00, 0x5e, 0x65, 0x43, 0x21 };
static const __u8 no_mac[6];

#define VLAN		77
#define BIG_FRAME	1900

/* The guest's driver, vf, begins on a and ends on b */
FIXTURE(transfer) {
	struct lab lab;
	struct vfio_dev *a;
	struct vfio_dev *b;
	struct igbvf vf;
	struct peer peer;
	struct mig_stream stream;
};

GROUP_AND_CDEV(transfer);

FIXTURE_SETUP(transfer)
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

FIXTURE_TEARDOWN(transfer)
{
	lab_pf_up();
	lab_set_vf_mac(self->b, no_mac);
	igbvf_close(&self->vf);
	peer_close(&self->peer);
	lab_close(&self->lab);
}

static void expect_same(struct __test_metadata *_metadata,
			const struct regfile *a, const struct regfile *b)
{
	unsigned int i;

	for (i = 0; i < a->nr; i++) {
		EXPECT_EQ(a->val[i], b->val[i])
			TH_LOG("register %#x", a->reg[i]);
	}
}

/* A register file in which no two things look alike, moved by real traffic */
static void configure(struct __test_metadata *_metadata, struct igbvf *vf,
		      struct peer *peer)
{
	regfile_scribble(vf, 5);
	ASSERT_EQ(0, igbvf_irq_start(vf));
	ASSERT_EQ(0, igbvf_tx_start(vf, 0));
	ASSERT_EQ(0, igbvf_rx_start(vf, 0));
	ASSERT_EQ(0, flow_to_peer(vf, 0, peer, 1, 9));
	ASSERT_EQ(0, flow_from_peer(vf, peer, 1, 5));
	ASSERT_EQ(0, igbvf_tx_start(vf, 1));
	ASSERT_EQ(0, flow_to_peer(vf, 1, peer, 1, 3));

	igbvf_write(vf, PSRTYPE, 0x12);
	igbvf_write(vf, VTEITR(0), 0x64);
	igbvf_write(vf, VTEITR(1), 0xc8);
	igbvf_write(vf, VTEITR(2), 0x12c);
	/*
	 * The emulated device reads VTEIMS as what was written last, which is
	 * not the mask: let the vectors that clear themselves be the same ones.
	 */
	igbvf_write(vf, VTEIAC, 5);
	igbvf_write(vf, VTEIAM, 6);
	igbvf_write(vf, VTEIMC, 7);
	igbvf_write(vf, VTEIMS, 5);
	igbvf_write(vf, RXDCTL(0), XDCTL_ENABLE | 0x00010808);
	igbvf_write(vf, TXDCTL(0), XDCTL_ENABLE | 0x00020404);
	igbvf_write(vf, TXCTL(0), 0x2800);
	igbvf_write(vf, VMBMEM(15), 0x12345678);
}

/* The destination begins with values of its own, which have to go */
static void litter(struct __test_metadata *_metadata, struct vfio_dev *dev)
{
	struct igbvf other;

	ASSERT_EQ(0, igbvf_open(&other, dev));
	regfile_scribble(&other, 2);
	igbvf_close(&other);
}

TEST_F_TIMEOUT(transfer, registers, 60)
{
	struct regfile before, after;

	litter(_metadata, self->b);
	configure(_metadata, &self->vf, &self->peer);
	regfile_read(&self->vf, &before);
	ASSERT_EQ(0, mig_move(self->a, self->b, VFIO_DEVICE_STATE_RUNNING));
	ASSERT_EQ(0, igbvf_move(&self->vf, self->b));
	regfile_read(&self->vf, &after);
	expect_same(_metadata, &before, &after);
	EXPECT_EQ(9, igbvf_read(&self->vf, TDH(0)));
	EXPECT_EQ(5, igbvf_read(&self->vf, RDH(0)));
	EXPECT_EQ(3, igbvf_read(&self->vf, TDH(1)));
}

/* The queues of a stopped device are off, and on again when it is not moved */
TEST_F_TIMEOUT(transfer, registers_stay_where_they_are, 60)
{
	struct regfile before, after;

	configure(_metadata, &self->vf, &self->peer);
	regfile_read(&self->vf, &before);
	GO(self->a, VFIO_DEVICE_STATE_RUNNING_P2P);
	GO(self->a, VFIO_DEVICE_STATE_RUNNING);
	regfile_read(&self->vf, &after);
	expect_same(_metadata, &before, &after);

	ASSERT_EQ(0, mig_save(self->a, &self->stream));
	GO(self->a, VFIO_DEVICE_STATE_RUNNING);
	regfile_read(&self->vf, &after);
	expect_same(_metadata, &before, &after);
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 9, 5));
	EXPECT_EQ(0, flow_to_peer(&self->vf, 0, &self->peer, 9, 5));
}

/* Queues that are off, with heads and tails that are no ring's beginning */
TEST_F(transfer, idle_registers)
{
	struct regfile before, after;

	litter(_metadata, self->b);
	regfile_scribble(&self->vf, 9);
	regfile_read(&self->vf, &before);
	ASSERT_EQ(0, mig_move(self->a, self->b, VFIO_DEVICE_STATE_RUNNING));
	ASSERT_EQ(0, igbvf_move(&self->vf, self->b));
	regfile_read(&self->vf, &after);
	expect_same(_metadata, &before, &after);
}

TEST_F(transfer, mailbox_memory)
{
	__u32 before[VF_MBOX_WORDS];
	unsigned int i;

	ASSERT_EQ(0, igbvf_set_multicast(&self->vf, group));
	for (i = 1; i < VF_MBOX_WORDS; i++)
		igbvf_write(&self->vf, VMBMEM(i), 0x01010101 * i);
	for (i = 0; i < VF_MBOX_WORDS; i++)
		before[i] = igbvf_read(&self->vf, VMBMEM(i));

	ASSERT_EQ(0, mig_move(self->a, self->b, VFIO_DEVICE_STATE_RUNNING));
	ASSERT_EQ(0, igbvf_move(&self->vf, self->b));
	for (i = 0; i < VF_MBOX_WORDS; i++) {
		EXPECT_EQ(before[i], igbvf_read(&self->vf, VMBMEM(i)))
			TH_LOG("VMBMEM word %u", i);
	}
	EXPECT_EQ(0, igbvf_read(&self->vf, V2PMAILBOX) &
		     (V2PMAILBOX_RC | V2PMAILBOX_RSTI))
		TH_LOG("the guest sees answers that were not for it");
}

/* A stopped device does not change: its stream is the same every time */
TEST_F_TIMEOUT(transfer, same_stream_twice, 60)
{
	struct mig_stream again;

	configure(_metadata, &self->vf, &self->peer);
	ASSERT_EQ(0, mig_save(self->a, &self->stream));
	GO(self->a, VFIO_DEVICE_STATE_STOP);
	ASSERT_EQ(0, mig_save(self->a, &again));
	EXPECT_EQ(-1, mig_diff(&self->stream, &again));
}

/* What was loaded is what is saved, on the same VF as on another */
TEST_F_TIMEOUT(transfer, loaded_is_saved, 60)
{
	struct mig_stream again;

	configure(_metadata, &self->vf, &self->peer);
	ASSERT_EQ(0, mig_save(self->a, &self->stream));
	ASSERT_EQ(0, mig_load(self->a, &self->stream, VFIO_DEVICE_STATE_STOP));
	ASSERT_EQ(0, mig_save(self->a, &again));
	EXPECT_EQ(-1, mig_diff(&self->stream, &again))
		TH_LOG("loaded into the VF that it was saved from");

	ASSERT_EQ(0, mig_load(self->b, &self->stream, VFIO_DEVICE_STATE_STOP));
	ASSERT_EQ(0, mig_save(self->b, &again));
	EXPECT_EQ(-1, mig_diff(&self->stream, &again))
		TH_LOG("loaded into another VF");
}

TEST_F(transfer, back_into_itself)
{
	struct regfile before, after;

	ASSERT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 5));
	regfile_read(&self->vf, &before);
	ASSERT_EQ(0, mig_move(self->a, self->a, VFIO_DEVICE_STATE_RUNNING));
	regfile_read(&self->vf, &after);
	expect_same(_metadata, &before, &after);
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 9, 5));
	EXPECT_EQ(0, flow_to_peer(&self->vf, 0, &self->peer, 9, 5));
}

/* A device that no guest has touched yet can be moved as well */
TEST_F(transfer, untouched)
{
	ASSERT_EQ(0, vfio_reset(self->a));
	EXPECT_EQ(0, mig_move(self->a, self->b, VFIO_DEVICE_STATE_RUNNING));
	ASSERT_EQ(0, igbvf_move(&self->vf, self->b));
	ASSERT_EQ(0, flow_start(&self->vf, mac_a));
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
}

static void move(struct __test_metadata *_metadata, struct igbvf *vf,
		 struct vfio_dev *to)
{
	ASSERT_EQ(0, mig_move(vf->dev, to, VFIO_DEVICE_STATE_RUNNING));
	ASSERT_EQ(0, igbvf_move(vf, to));
}

TEST_F(transfer, mac)
{
	__u8 mac[6];

	move(_metadata, &self->vf, self->b);
	ASSERT_EQ(0, lab_vf_mac(self->b, mac));
	EXPECT_EQ(0, memcmp(mac, mac_a, 6))
		TH_LOG("the PF has another address for the destination");
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
}

/* The last address that the PF took counts */
TEST_F(transfer, mac_changed)
{
	struct igbvf_frame frame;
	__u8 out[128];
	__u8 mac[6];

	ASSERT_EQ(0, igbvf_set_mac(&self->vf, mac_c));
	move(_metadata, &self->vf, self->b);
	ASSERT_EQ(0, lab_vf_mac(self->b, mac));
	EXPECT_EQ(0, memcmp(mac, mac_c, 6));
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));

	frame_build(out, mac_a, self->peer.mac, -1, 5, sizeof(out));
	ASSERT_EQ(0, peer_send(&self->peer, out, sizeof(out)));
	EXPECT_EQ(-EAGAIN, igbvf_recv(&self->vf, 0, &frame, 100))
		TH_LOG("the destination receives for an address of earlier");
}

/* A message that the PF refused is not repeated */
TEST_F(transfer, refused_message)
{
	static const __u8 invalid[6] = { 0x01, 0, 0, 0, 0, 1 };
	__u8 mac[6];

	ASSERT_EQ(-EACCES, igbvf_set_mac(&self->vf, invalid));
	move(_metadata, &self->vf, self->b);
	ASSERT_EQ(0, lab_vf_mac(self->b, mac));
	EXPECT_EQ(0, memcmp(mac, mac_a, 6));
}

TEST_F(transfer, vlan)
{
	struct igbvf_frame frame;
	__u8 out[128];

	ASSERT_EQ(0, igbvf_set_vlan(&self->vf, VLAN, true));
	ASSERT_EQ(0, igbvf_set_vlan(&self->vf, VLAN + 1, true));
	ASSERT_EQ(0, igbvf_set_vlan(&self->vf, VLAN + 1, false));
	move(_metadata, &self->vf, self->b);

	frame_build(out, mac_a, self->peer.mac, VLAN, 5, sizeof(out));
	ASSERT_EQ(0, peer_send(&self->peer, out, sizeof(out)));
	EXPECT_EQ(0, igbvf_recv(&self->vf, 0, &frame, 1000))
		TH_LOG("the destination is not in the VLAN");
	EXPECT_EQ(VLAN, frame.vlan);

	frame_build(out, mac_a, self->peer.mac, VLAN + 1, 5, sizeof(out));
	ASSERT_EQ(0, peer_send(&self->peer, out, sizeof(out)));
	EXPECT_EQ(-EAGAIN, igbvf_recv(&self->vf, 0, &frame, 100))
		TH_LOG("the destination is in a VLAN that was left");
}

TEST_F(transfer, multicast)
{
	struct igbvf_frame frame;
	__u8 out[128];

	ASSERT_EQ(0, igbvf_set_multicast(&self->vf, group));
	move(_metadata, &self->vf, self->b);
	frame_build(out, group, self->peer.mac, -1, 5, sizeof(out));
	ASSERT_EQ(0, peer_send(&self->peer, out, sizeof(out)));
	EXPECT_EQ(0, igbvf_recv(&self->vf, 0, &frame, 1000));

	frame_build(out, other_group, self->peer.mac, -1, 5, sizeof(out));
	ASSERT_EQ(0, peer_send(&self->peer, out, sizeof(out)));
	EXPECT_EQ(-EAGAIN, igbvf_recv(&self->vf, 0, &frame, 100))
		TH_LOG("the destination is in a group that was not joined");
}

/* A fresh guest on the source, to send what no other station may send */
static void greet(struct __test_metadata *_metadata, struct igbvf *other,
		  struct vfio_dev *dev)
{
	ASSERT_EQ(0, vfio_reset(dev));
	ASSERT_EQ(0, igbvf_open(other, dev));
	ASSERT_EQ(0, flow_start(other, mac_b));
}

TEST_F(transfer, largest_frame)
{
	struct igbvf_frame frame;
	struct igbvf other;
	__u8 out[BIG_FRAME];

	/* The PF keeps the limit over a reset: begin with a small one there */
	ASSERT_EQ(0, igbvf_open(&other, self->b));
	ASSERT_EQ(0, igbvf_hello(&other));
	ASSERT_EQ(0, igbvf_set_lpe(&other, 1518));
	igbvf_close(&other);

	ASSERT_EQ(0, igbvf_set_lpe(&self->vf, BIG_FRAME + 100));
	move(_metadata, &self->vf, self->b);

	greet(_metadata, &other, self->a);
	frame_build(out, mac_a, mac_b, -1, 5, sizeof(out));
	ASSERT_EQ(0, igbvf_send(&other, 0, out, sizeof(out)));
	EXPECT_EQ(0, igbvf_recv(&self->vf, 0, &frame, 1000))
		TH_LOG("the destination does not take large frames");
	EXPECT_EQ(sizeof(out), frame.len);
	igbvf_close(&other);
}

/* Nor more than it did before, whatever the destination took in an earlier life */
TEST_F(transfer, no_larger_frame)
{
	struct igbvf_frame frame;
	struct igbvf other;
	__u8 out[BIG_FRAME];

	ASSERT_EQ(0, igbvf_open(&other, self->b));
	ASSERT_EQ(0, igbvf_hello(&other));
	ASSERT_EQ(0, igbvf_set_lpe(&other, BIG_FRAME + 100));
	igbvf_close(&other);

	ASSERT_EQ(0, igbvf_set_lpe(&self->vf, BIG_FRAME - 100));
	move(_metadata, &self->vf, self->b);

	greet(_metadata, &other, self->a);
	frame_build(out, mac_a, mac_b, -1, 5, sizeof(out));
	ASSERT_EQ(0, igbvf_send(&other, 0, out, sizeof(out)));
	EXPECT_EQ(-EAGAIN, igbvf_recv(&self->vf, 0, &frame, 100))
		TH_LOG("the destination takes frames that the guest did not");
	ASSERT_EQ(0, igbvf_send(&other, 0, out, BIG_FRAME - 200));
	EXPECT_EQ(0, igbvf_recv(&self->vf, 0, &frame, 1000));
	EXPECT_EQ(BIG_FRAME - 200, frame.len);
	igbvf_close(&other);
}

/* What the destination was told in an earlier life is gone */
TEST_F(transfer, replaces_the_old)
{
	struct igbvf_frame frame;
	struct igbvf other;
	__u8 out[128];

	ASSERT_EQ(0, igbvf_open(&other, self->b));
	ASSERT_EQ(0, flow_start(&other, mac_b));
	ASSERT_EQ(0, igbvf_set_vlan(&other, VLAN, true));
	ASSERT_EQ(0, igbvf_set_multicast(&other, group));
	igbvf_queues_off(&other);
	move(_metadata, &self->vf, self->b);

	frame_build(out, mac_a, self->peer.mac, VLAN, 5, sizeof(out));
	ASSERT_EQ(0, peer_send(&self->peer, out, sizeof(out)));
	EXPECT_EQ(-EAGAIN, igbvf_recv(&self->vf, 0, &frame, 100));
	frame_build(out, group, self->peer.mac, -1, 5, sizeof(out));
	ASSERT_EQ(0, peer_send(&self->peer, out, sizeof(out)));
	EXPECT_EQ(-EAGAIN, igbvf_recv(&self->vf, 0, &frame, 100));
	frame_build(out, mac_b, self->peer.mac, -1, 5, sizeof(out));
	ASSERT_EQ(0, peer_send(&self->peer, out, sizeof(out)));
	EXPECT_EQ(-EAGAIN, igbvf_recv(&self->vf, 0, &frame, 100));
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
	igbvf_close(&other);
}

/* Two hops: what was replayed once is replayed again */
TEST_F_TIMEOUT(transfer, there_and_back, 60)
{
	struct igbvf_frame frame;
	__u8 out[128];
	__u8 mac[6];

	ASSERT_EQ(0, igbvf_set_vlan(&self->vf, VLAN, true));
	move(_metadata, &self->vf, self->b);
	ASSERT_EQ(0, vfio_reset(self->a));
	move(_metadata, &self->vf, self->a);
	ASSERT_EQ(0, lab_vf_mac(self->a, mac));
	EXPECT_EQ(0, memcmp(mac, mac_a, 6));
	frame_build(out, mac_a, self->peer.mac, VLAN, 5, sizeof(out));
	ASSERT_EQ(0, peer_send(&self->peer, out, sizeof(out)));
	EXPECT_EQ(0, igbvf_recv(&self->vf, 0, &frame, 1000));
}

/* A message under way at STOP is answered, and its answer comes along */
TEST_F(transfer, message_under_way)
{
	__u32 msg[3] = { VF_SET_MAC_ADDR };
	__u8 mac[6];

	memcpy(&msg[1], mac_c, 6);
	ASSERT_EQ(0, igbvf_mbox_post(&self->vf, msg, 3));
	move(_metadata, &self->vf, self->b);

	EXPECT_EQ(0, igbvf_mbox_wait(&self->vf, msg, 1));
	EXPECT_EQ(VF_SET_MAC_ADDR | VF_ACK | VF_CTS, msg[0]);
	ASSERT_EQ(0, lab_vf_mac(self->b, mac));
	EXPECT_EQ(0, memcmp(mac, mac_c, 6));
}

/* One that the PF never answers is waited for, but not longer than it is worth */
TEST_F_TIMEOUT(transfer, message_without_answer, 60)
{
	__u32 msg[2] = { VF_SET_LPE, 1518 };
	long long start;

	ASSERT_EQ(0, lab_pf_down());
	ASSERT_EQ(0, igbvf_mbox_post(&self->vf, msg, 2));
	start = clock_ms();
	GO(self->a, VFIO_DEVICE_STATE_STOP);
	EXPECT_LT(300, clock_ms() - start)
		TH_LOG("nobody waits for the answer");
	EXPECT_GT(5000, clock_ms() - start);
	ASSERT_EQ(0, lab_pf_up());
}

/* An answer that the guest has not looked at yet is there once, and once only */
TEST_F(transfer, unread_answer)
{
	const __u32 answer = V2PMAILBOX_PFSTS;
	__u32 msg[2] = { VF_SET_LPE, 1518 };

	ASSERT_EQ(0, igbvf_mbox_post(&self->vf, msg, 2));
	usleep(200000);
	move(_metadata, &self->vf, self->b);

	EXPECT_EQ(answer, igbvf_read(&self->vf, V2PMAILBOX) & answer);
	EXPECT_EQ(0, igbvf_read(&self->vf, V2PMAILBOX) & answer);
	EXPECT_EQ(VF_SET_LPE | VF_ACK | VF_CTS,
		  igbvf_read(&self->vf, VMBMEM(0)));
}

static int set_memory_space(struct vfio_dev *dev, bool on)
{
	__u16 cmd;
	int ret;

	ret = vfio_region_read(dev, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND,
			       &cmd, sizeof(cmd));
	if (ret)
		return ret;
	cmd &= ~PCI_COMMAND_MEMORY;
	cmd |= on ? PCI_COMMAND_MEMORY : 0;
	return vfio_region_write(dev, VFIO_PCI_CONFIG_REGION_INDEX,
				 PCI_COMMAND, &cmd, sizeof(cmd));
}

/* The word as the device has it: VFIO shows a copy of it */
static int memory_space(struct vfio_dev *dev)
{
	char path[128];
	__u16 cmd;
	FILE *file;
	int ret;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", dev->bdf);
	file = fopen(path, "r");
	if (!file)
		return -errno;
	ret = fseek(file, PCI_COMMAND, SEEK_SET) ||
	      fread(&cmd, sizeof(cmd), 1, file) != 1 ? -EIO : 0;
	fclose(file);
	return ret ? ret : !!(cmd & PCI_COMMAND_MEMORY);
}

/* A VMM has the registers off until the guest's config space is loaded */
TEST_F(transfer, memory_space_off)
{
	ASSERT_EQ(0, set_memory_space(self->a, false));
	ASSERT_EQ(0, memory_space(self->a));
	ASSERT_EQ(0, set_memory_space(self->b, false));
	ASSERT_EQ(0, mig_move(self->a, self->b, VFIO_DEVICE_STATE_STOP));
	EXPECT_EQ(0, memory_space(self->a));
	EXPECT_EQ(0, memory_space(self->b));

	ASSERT_EQ(0, set_memory_space(self->b, true));
	GO(self->b, VFIO_DEVICE_STATE_RUNNING);
	ASSERT_EQ(0, igbvf_move(&self->vf, self->b));
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
}

/* The guest's mailbox works on where it has arrived, also before RUNNING */
TEST_F(transfer, mailbox_goes_on)
{
	ASSERT_EQ(0, mig_move(self->a, self->b,
			      VFIO_DEVICE_STATE_RUNNING_P2P));
	ASSERT_EQ(0, igbvf_move(&self->vf, self->b));
	EXPECT_EQ(0, igbvf_set_lpe(&self->vf, 1518));
	GO(self->b, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(0, igbvf_set_mac(&self->vf, mac_c));
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
}

/* Without a PF the stream is not loaded, and with one it is, by the same fd */
static void wait_for_pf(struct __test_metadata *_metadata, struct igbvf *vf,
			struct vfio_dev *to, struct peer *peer)
{
	long long start = clock_ms();

	EXPECT_EQ(-ETIMEDOUT, vfio_mig_set_state(to, VFIO_DEVICE_STATE_STOP,
						 NULL));
	EXPECT_GT(10000, clock_ms() - start)
		TH_LOG("the arc fails in a bounded time");
	EXPECT_STATE(to, VFIO_DEVICE_STATE_RESUMING);

	ASSERT_EQ(0, lab_pf_up());
	EXPECT_EQ(0, vfio_mig_set_state(to, VFIO_DEVICE_STATE_RUNNING, NULL));
	ASSERT_EQ(0, igbvf_move(vf, to));
	EXPECT_EQ(0, flow_from_peer(vf, peer, 1, 3));
	EXPECT_EQ(0, flow_to_peer(vf, 0, peer, 1, 3));
}

TEST_F_TIMEOUT(transfer, pf_down, 90)
{
	int fd;

	ASSERT_EQ(0, mig_save(self->a, &self->stream));
	GO_FD(self->b, VFIO_DEVICE_STATE_RESUMING, &fd);
	ASSERT_EQ(0, lab_pf_down());
	EXPECT_EQ(-ETIMEDOUT, mig_write(fd, self->stream.data,
					self->stream.len))
		TH_LOG("a VMM has to learn of it before the source is gone");
	wait_for_pf(_metadata, &self->vf, self->b, &self->peer);
	close(fd);
}

/*
 * The initial part comes alone and the PF is not there: its bytes are taken
 * all the same, and the next ones bring another try.
 */
TEST_F_TIMEOUT(transfer, pf_down_between_parts, 90)
{
	struct mig_stream *stream = &self->stream;
	size_t first;
	int ret = 0;
	int fd;

	ASSERT_EQ(0, mig_save(self->a, stream));
	GO_FD(self->b, VFIO_DEVICE_STATE_RESUMING, &fd);
	ASSERT_EQ(0, lab_pf_down());
	for (first = 0; !ret && first < stream->len; first++)
		ret = mig_write(fd, stream->data + first, 1);
	EXPECT_EQ(-ETIMEDOUT, ret);
	EXPECT_LT(first, stream->len)
		TH_LOG("the initial part is refused before the final one");
	EXPECT_STATE(self->b, VFIO_DEVICE_STATE_RESUMING);

	ASSERT_EQ(0, lab_pf_up());
	EXPECT_EQ(0, mig_write(fd, stream->data + first,
			       stream->len - first));
	EXPECT_EQ(0, vfio_mig_set_state(self->b, VFIO_DEVICE_STATE_RUNNING,
					NULL));
	ASSERT_EQ(0, igbvf_move(&self->vf, self->b));
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
	close(fd);
}

/* The PF was told all, and then forgot it because it went down */
TEST_F_TIMEOUT(transfer, pf_goes_down, 90)
{
	int fd;

	ASSERT_EQ(0, mig_save(self->a, &self->stream));
	GO_FD(self->b, VFIO_DEVICE_STATE_RESUMING, &fd);
	ASSERT_EQ(0, mig_write(fd, self->stream.data, self->stream.len));
	ASSERT_EQ(0, lab_pf_down());
	wait_for_pf(_metadata, &self->vf, self->b, &self->peer);
	close(fd);
}

/* An address that the administrator gave the destination is not overridden */
static void refuse_mac(struct __test_metadata *_metadata, struct igbvf *vf,
		       struct vfio_dev *to, struct peer *peer,
		       const __u8 *remedy)
{
	struct mig_stream stream;
	int fd;

	ASSERT_EQ(0, mig_save(vf->dev, &stream));
	ASSERT_EQ(0, lab_set_vf_mac(to, mac_b));
	GO_FD(to, VFIO_DEVICE_STATE_RESUMING, &fd);
	EXPECT_EQ(-EADDRNOTAVAIL, mig_write(fd, stream.data, stream.len))
		TH_LOG("a VMM has to learn of it before the source is gone");
	EXPECT_EQ(-EADDRNOTAVAIL, vfio_mig_set_state(to,
						     VFIO_DEVICE_STATE_STOP,
						     NULL));
	EXPECT_STATE(to, VFIO_DEVICE_STATE_RESUMING);

	ASSERT_EQ(0, lab_set_vf_mac(to, remedy));
	EXPECT_EQ(0, vfio_mig_set_state(to, VFIO_DEVICE_STATE_RUNNING, NULL));
	ASSERT_EQ(0, igbvf_move(vf, to));
	EXPECT_EQ(0, flow_from_peer(vf, peer, 1, 3));
	close(fd);
}

/* A PF that has forgotten the VF, and would not take it as it was */
TEST_F_TIMEOUT(transfer, pf_forgets_and_refuses, 90)
{
	int fd;

	ASSERT_EQ(0, mig_save(self->a, &self->stream));
	GO_FD(self->b, VFIO_DEVICE_STATE_RESUMING, &fd);
	ASSERT_EQ(0, mig_write(fd, self->stream.data, self->stream.len));
	ASSERT_EQ(0, lab_pf_down());
	ASSERT_EQ(0, lab_pf_up());
	ASSERT_EQ(0, lab_set_vf_mac(self->b, mac_b));
	EXPECT_EQ(-EADDRNOTAVAIL, vfio_mig_set_state(self->b,
						     VFIO_DEVICE_STATE_STOP,
						     NULL));
	EXPECT_STATE(self->b, VFIO_DEVICE_STATE_RESUMING);

	ASSERT_EQ(0, lab_set_vf_mac(self->b, no_mac));
	EXPECT_EQ(0, vfio_mig_set_state(self->b, VFIO_DEVICE_STATE_RUNNING,
					NULL));
	ASSERT_EQ(0, igbvf_move(&self->vf, self->b));
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3))
		TH_LOG("the PF was not told again");
	close(fd);
}

TEST_F_TIMEOUT(transfer, pf_refuses_until_free, 60)
{
	refuse_mac(_metadata, &self->vf, self->b, &self->peer, no_mac);
}

TEST_F_TIMEOUT(transfer, pf_refuses_until_right, 60)
{
	refuse_mac(_metadata, &self->vf, self->b, &self->peer, mac_a);
}

TEST_HARNESS_MAIN
