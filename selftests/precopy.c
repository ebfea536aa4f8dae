// SPDX-License-Identifier: GPL-2.0-only
/* PRE_COPY: what is sent, and done, while the device still runs */
#include <fcntl.h>
#include <kselftest_harness.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include "lib/check.h"
#include "lib/flow.h"

static const __u8 mac_a[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0a };
static const __u8 mac_b[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0b };
static const __u8 mac_c[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0c };
static const __u8 no_mac[6];

#define VLAN		77
#define WAKE_MS		5000

/* The guest's driver, vf, is on a; b is what it may be moved to */
FIXTURE(precopy) {
	struct lab lab;
	struct vfio_dev *a;
	struct vfio_dev *b;
	struct igbvf vf;
	struct peer peer;
	struct mig_stream stream;
	int fd;
};

GROUP_AND_CDEV(precopy);

FIXTURE_SETUP(precopy)
{
	self->fd = -1;
	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 2, true))
		return;
	self->a = &self->lab.vf[0];
	self->b = &self->lab.vf[1];
	ASSERT_EQ(0, peer_open(&self->peer, lab_netdev()));
	ASSERT_EQ(0, igbvf_open(&self->vf, self->a));
	ASSERT_EQ(0, flow_start(&self->vf, mac_a));
	GO_FD(self->a, VFIO_DEVICE_STATE_PRE_COPY, &self->fd);
	self->stream.len = 0;
}

FIXTURE_TEARDOWN(precopy)
{
	lab_pf_up();
	lab_set_vf_mac(self->b, no_mac);
	close(self->fd);
	igbvf_close(&self->vf);
	peer_close(&self->peer);
	lab_close(&self->lab);
}

#define EXPECT_INFO(fd, initial, dirty)					\
do {									\
	struct vfio_precopy_info __info;				\
									\
	EXPECT_EQ(0, mig_precopy_info(fd, &__info));			\
	EXPECT_EQ(initial, __info.initial_bytes);			\
	EXPECT_EQ(dirty, __info.dirty_bytes);				\
} while (0)

static bool readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1 && pfd.revents & POLLIN;
}

/* Changes what the PF knows of the VF */
static int change(struct igbvf *vf, unsigned int n)
{
	return igbvf_set_vlan(vf, VLAN, !(n % 2));
}

TEST_F(precopy, runs)
{
	unsigned int n;

	for (n = 0; n < 3; n++) {
		EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, n, 3));
		EXPECT_EQ(0, flow_to_peer(&self->vf, 0, &self->peer, n, 3));
		GO(self->a, n % 2 ? VFIO_DEVICE_STATE_PRE_COPY :
				    VFIO_DEVICE_STATE_PRE_COPY_P2P);
		GO(self->a, VFIO_DEVICE_STATE_PRE_COPY);
	}
}

TEST_F(precopy, initial_bytes_shrink)
{
	struct vfio_precopy_info info;
	__u8 bytes[16];

	ASSERT_EQ(0, mig_precopy_info(self->fd, &info));
	EXPECT_LT(sizeof(bytes), info.initial_bytes);
	EXPECT_EQ(0, info.dirty_bytes);
	EXPECT_TRUE(readable(self->fd));

	ASSERT_EQ(sizeof(bytes), read(self->fd, bytes, sizeof(bytes)));
	EXPECT_INFO(self->fd, info.initial_bytes - sizeof(bytes), 0);
	EXPECT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
	EXPECT_EQ(info.initial_bytes - sizeof(bytes), self->stream.len);
	EXPECT_INFO(self->fd, 0, 0);
}

TEST_F(precopy, end_for_now)
{
	__u8 byte;

	ASSERT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
	EXPECT_FALSE(readable(self->fd));
	EXPECT_EQ(-1, read(self->fd, &byte, 1));
	EXPECT_EQ(ENOMSG, errno);
	EXPECT_EQ(0, read(self->fd, &byte, 0));
	GO(self->a, VFIO_DEVICE_STATE_PRE_COPY_P2P);
	EXPECT_EQ(-1, read(self->fd, &byte, 1));
	EXPECT_EQ(ENOMSG, errno);
}

/* What the guest changes comes back as dirty bytes, and they are all there is */
TEST_F(precopy, dirty_bytes)
{
	struct vfio_precopy_info info;
	unsigned int n;
	size_t len;

	ASSERT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
	for (n = 0; n < 4; n++) {
		ASSERT_EQ(0, change(&self->vf, n));
		EXPECT_TRUE(readable(self->fd));
		ASSERT_EQ(0, mig_precopy_info(self->fd, &info));
		EXPECT_EQ(0, info.initial_bytes);
		EXPECT_LT(0, info.dirty_bytes);

		len = self->stream.len;
		EXPECT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
		EXPECT_EQ(info.dirty_bytes, self->stream.len - len);
		EXPECT_INFO(self->fd, 0, 0);
		EXPECT_FALSE(readable(self->fd));
	}
}

/* Nobody asks how much there is: it is there to be read all the same */
TEST_F(precopy, reads_changes)
{
	size_t len;

	ASSERT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
	len = self->stream.len;
	ASSERT_EQ(0, change(&self->vf, 0));
	EXPECT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
	EXPECT_LT(len, self->stream.len);
}

/* A message that the PF refuses changes nothing */
TEST_F(precopy, refused_message)
{
	ASSERT_EQ(0, lab_set_vf_mac(self->a, mac_b));
	ASSERT_EQ(0, igbvf_hello(&self->vf));
	ASSERT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
	EXPECT_NE(0, igbvf_set_mac(&self->vf, mac_a));
	EXPECT_INFO(self->fd, 0, 0);
	EXPECT_EQ(0, lab_set_vf_mac(self->a, no_mac));
}

TEST_F(precopy, cancel)
{
	struct vfio_precopy_info first, second;
	__u8 byte;
	int fd;

	ASSERT_EQ(0, mig_precopy_info(self->fd, &first));
	ASSERT_EQ(1, read(self->fd, &byte, 1));
	GO(self->a, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(-1, read(self->fd, &byte, 1));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(-ENODEV, mig_precopy_info(self->fd, &second));

	GO_FD(self->a, VFIO_DEVICE_STATE_PRE_COPY, &fd);
	ASSERT_EQ(0, mig_precopy_info(fd, &second));
	EXPECT_EQ(first.initial_bytes, second.initial_bytes);
	close(fd);

	/* And from the other state of the pair */
	GO(self->a, VFIO_DEVICE_STATE_PRE_COPY_P2P);
	GO(self->a, VFIO_DEVICE_STATE_RUNNING_P2P);
	GO_FD(self->a, VFIO_DEVICE_STATE_PRE_COPY_P2P, &fd);
	ASSERT_EQ(0, mig_precopy_info(fd, &second));
	EXPECT_EQ(first.initial_bytes, second.initial_bytes);
	close(fd);
	GO(self->a, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
}

TEST_F(precopy, info_errors)
{
	struct vfio_precopy_info info = { .argsz = sizeof(info) - 1 };
	int fd;

	EXPECT_EQ(-1, ioctl(self->fd, VFIO_MIG_GET_PRECOPY_INFO, &info));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->fd, VFIO_MIG_GET_PRECOPY_INFO, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(self->fd, VFIO_DEVICE_RESET));
	EXPECT_EQ(ENOTTY, errno);

	GO(self->a, VFIO_DEVICE_STATE_STOP_COPY);
	EXPECT_EQ(-EINVAL, mig_precopy_info(self->fd, &info));
	GO_FD(self->a, VFIO_DEVICE_STATE_RESUMING, &fd);
	EXPECT_EQ(-ENOTTY, mig_precopy_info(fd, &info));
	close(fd);
}

/* Reads what is left in STOP_COPY, and loads it all into b */
static void finish(struct __test_metadata *_metadata, struct vfio_dev *a,
		   struct vfio_dev *b, int fd, struct mig_stream *stream)
{
	int none;

	ASSERT_EQ(0, vfio_mig_set_state(a, VFIO_DEVICE_STATE_STOP_COPY, &none));
	EXPECT_EQ(-1, none)
		TH_LOG("the transfer of PRE_COPY goes on in STOP_COPY");
	EXPECT_TRUE(readable(fd));
	ASSERT_EQ(0, mig_read_on(fd, stream));
	EXPECT_EQ(0, mig_read_on(fd, stream));
	ASSERT_EQ(0, mig_load(b, stream, VFIO_DEVICE_STATE_RUNNING));
}

TEST_F(precopy, whole_move)
{
	struct mig_stream direct;
	size_t len;

	ASSERT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
	len = self->stream.len;
	finish(_metadata, self->a, self->b, self->fd, &self->stream);
	ASSERT_EQ(0, igbvf_move(&self->vf, self->b));
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
	EXPECT_EQ(0, flow_to_peer(&self->vf, 0, &self->peer, 1, 3));

	/* Nothing was sent twice, and the initial part was not left for later */
	GO(self->a, VFIO_DEVICE_STATE_STOP);
	ASSERT_EQ(0, mig_save(self->a, &direct));
	EXPECT_EQ(direct.len, self->stream.len);
	EXPECT_LT(len, direct.len);
	EXPECT_EQ(0, memcmp(direct.data, self->stream.data, len));
}

/* Nobody has read anything before the device stops */
TEST_F(precopy, all_in_stop_copy)
{
	finish(_metadata, self->a, self->b, self->fd, &self->stream);
	ASSERT_EQ(0, igbvf_move(&self->vf, self->b));
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
}

static void expect_mac(struct __test_metadata *_metadata, struct vfio_dev *dev,
		       const __u8 *want)
{
	__u8 mac[6];

	ASSERT_EQ(0, lab_vf_mac(dev, mac));
	EXPECT_EQ(0, memcmp(mac, want, 6));
}

/* What counts is what the guest has set last, wherever the reader was then */
static void change_late(struct __test_metadata *_metadata, struct igbvf *vf,
			struct vfio_dev *b, int fd, struct mig_stream *stream)
{
	ASSERT_EQ(0, igbvf_set_mac(vf, mac_b));
	finish(_metadata, vf->dev, b, fd, stream);
	expect_mac(_metadata, b, mac_b);
	ASSERT_EQ(0, igbvf_move(vf, b));
}

TEST_F(precopy, changed_unread)
{
	change_late(_metadata, &self->vf, self->b, self->fd, &self->stream);
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
}

TEST_F(precopy, changed_half_read)
{
	ASSERT_EQ(16, read(self->fd, self->stream.data, 16));
	self->stream.len = 16;
	change_late(_metadata, &self->vf, self->b, self->fd, &self->stream);
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
}

TEST_F(precopy, changed_all_read)
{
	ASSERT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
	change_late(_metadata, &self->vf, self->b, self->fd, &self->stream);
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
}

TEST_F(precopy, changed_twice)
{
	struct vfio_precopy_info info;

	ASSERT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
	ASSERT_EQ(0, igbvf_set_mac(&self->vf, mac_c));
	ASSERT_EQ(0, mig_precopy_info(self->fd, &info));
	change_late(_metadata, &self->vf, self->b, self->fd, &self->stream);
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
}

/* A guest's reset is a change too: its driver may not have said anything since */
TEST_F(precopy, guest_resets)
{
	ASSERT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
	igbvf_write(&self->vf, VTCTRL, VTCTRL_RST);
	EXPECT_TRUE(readable(self->fd));
	ASSERT_EQ(0, flow_start(&self->vf, mac_b));
	finish(_metadata, self->a, self->b, self->fd, &self->stream);
	expect_mac(_metadata, self->b, mac_b);
	ASSERT_EQ(0, igbvf_move(&self->vf, self->b));
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
}

/* The destination's PF is told before the source has stopped */
TEST_F(precopy, loads_early)
{
	size_t len;
	int fd;

	ASSERT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
	GO_FD(self->b, VFIO_DEVICE_STATE_RESUMING, &fd);
	ASSERT_EQ(0, mig_write(fd, self->stream.data, self->stream.len));
	expect_mac(_metadata, self->b, mac_a);
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3))
		TH_LOG("the source does not receive any more");

	len = self->stream.len;
	ASSERT_EQ(0, igbvf_set_mac(&self->vf, mac_b));
	ASSERT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
	ASSERT_EQ(0, mig_write(fd, self->stream.data + len,
			       self->stream.len - len));
	expect_mac(_metadata, self->b, mac_b);
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
	close(fd);
}

/* A refusal comes while the guest can go on where it is */
TEST_F(precopy, refused_early)
{
	int fd;

	ASSERT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
	ASSERT_EQ(0, lab_set_vf_mac(self->b, mac_b));
	GO_FD(self->b, VFIO_DEVICE_STATE_RESUMING, &fd);
	EXPECT_EQ(-EADDRNOTAVAIL, mig_write(fd, self->stream.data,
					    self->stream.len));
	GO(self->a, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(0, flow_from_peer(&self->vf, &self->peer, 1, 3));
	close(fd);
}

struct waiter {
	int fd;
	bool woken;
};

static void *wait_for_data(void *arg)
{
	struct waiter *waiter = arg;
	struct pollfd pfd = { .fd = waiter->fd, .events = POLLIN };
	long long start = clock_ms();

	/* A last look is taken when the time is up: that does not count */
	waiter->woken = poll(&pfd, 1, WAKE_MS) == 1 && pfd.revents & POLLIN &&
			clock_ms() - start < WAKE_MS;
	return NULL;
}

TEST_F_TIMEOUT(precopy, poll_wakes, 60)
{
	struct waiter waiter = { .fd = self->fd };
	pthread_t thread;

	ASSERT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_data, &waiter));
	usleep(200000);
	ASSERT_EQ(0, change(&self->vf, 0));
	pthread_join(thread, NULL);
	EXPECT_TRUE(waiter.woken)
		TH_LOG("a change wakes nobody");

	ASSERT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_data, &waiter));
	usleep(200000);
	GO(self->a, VFIO_DEVICE_STATE_STOP_COPY);
	pthread_join(thread, NULL);
	EXPECT_TRUE(waiter.woken)
		TH_LOG("STOP_COPY wakes nobody");
}

/* However often the guest changes its mind, the stream can still be loaded */
TEST_F_TIMEOUT(precopy, stays_short, 60)
{
	unsigned int n;
	int ret;

	for (n = 0; n < 1000; n++) {
		ASSERT_EQ(0, change(&self->vf, n));
		ret = mig_read_on(self->fd, &self->stream);
		ASSERT_EQ(-ENOMSG, ret)
			TH_LOG("change %u", n);
	}
	EXPECT_FALSE(readable(self->fd));
	ASSERT_EQ(0, igbvf_set_mac(&self->vf, mac_b));
	finish(_metadata, self->a, self->b, self->fd, &self->stream);
	expect_mac(_metadata, self->b, mac_b);
}

/* VFIO_DEVICE_FEATURE_MIG_PRECOPY_INFOv2, and what it allows to be set */
#define FEATURE_PRECOPY_INFO_V2	12
#define INFO_REINIT		0x1

TEST_F(precopy, reinit)
{
	struct vfio_precopy_info info;

	if (vfio_feature(self->a, VFIO_DEVICE_FEATURE_SET,
			 FEATURE_PRECOPY_INFO_V2, NULL, 0))
		SKIP(return, "this kernel knows no flags of GET_PRECOPY_INFO");
	ASSERT_EQ(0, mig_precopy_info(self->fd, &info));
	EXPECT_EQ(0, info.flags);
	ASSERT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));

	ASSERT_EQ(0, change(&self->vf, 0));
	ASSERT_EQ(0, mig_precopy_info(self->fd, &info));
	EXPECT_EQ(INFO_REINIT, info.flags);
	EXPECT_LT(0, info.initial_bytes);
	EXPECT_EQ(0, info.dirty_bytes);
	ASSERT_EQ(-ENOMSG, mig_read_on(self->fd, &self->stream));
	ASSERT_EQ(0, mig_precopy_info(self->fd, &info));
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(0, info.initial_bytes);
}

TEST_HARNESS_MAIN
