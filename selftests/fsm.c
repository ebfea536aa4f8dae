// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration states of <linux/vfio.h>: which arcs there are, what they
 * return, and what an arc that fails leaves behind.
 */
#include <kselftest_harness.h>
#include <sys/ioctl.h>

#include "lib/check.h"

FIXTURE(fsm) {
	struct lab lab;
	struct vfio_dev *dev;
	struct mig_stream stream;
};

GROUP_AND_CDEV(fsm);

FIXTURE_SETUP(fsm)
{
	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 1, true))
		return;
	self->dev = &self->lab.vf[0];
	ASSERT_EQ(0, mig_save(self->dev, &self->stream));
	GO(self->dev, VFIO_DEVICE_STATE_RUNNING);
}

FIXTURE_TEARDOWN(fsm)
{
	lab_close(&self->lab);
}

/* The saving group of <linux/vfio.h>, which shares one transfer */
static bool is_saving(__u32 state)
{
	return state == VFIO_DEVICE_STATE_PRE_COPY ||
	       state == VFIO_DEVICE_STATE_PRE_COPY_P2P ||
	       state == VFIO_DEVICE_STATE_STOP_COPY;
}

static bool opens_transfer(__u32 from, __u32 to)
{
	if (to == VFIO_DEVICE_STATE_RESUMING)
		return from != to;
	return is_saving(to) && !is_saving(from);
}

static bool is_arc(__u32 from, __u32 to)
{
	return from != VFIO_DEVICE_STATE_STOP_COPY ||
	       (to != VFIO_DEVICE_STATE_PRE_COPY &&
		to != VFIO_DEVICE_STATE_PRE_COPY_P2P);
}

/*
 * Brings a fresh device to @state. RESUMING gets a whole stream, without which
 * there is no way out of it.
 */
static int enter(struct vfio_dev *dev, __u32 state,
		 const struct mig_stream *stream, int *fd)
{
	int ret;

	ret = vfio_reset(dev);
	if (!ret)
		ret = vfio_mig_set_state(dev, state, fd);
	if (!ret && state == VFIO_DEVICE_STATE_RESUMING && stream)
		ret = mig_write(*fd, stream->data, stream->len);
	return ret;
}

TEST_F(fsm, flags)
{
	__u64 flags;

	ASSERT_EQ(0, vfio_mig_flags(self->dev, &flags));
	EXPECT_EQ(VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P |
		  VFIO_MIGRATION_PRE_COPY, flags);
}

TEST_F(fsm, opens_running)
{
	EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_RUNNING);
}

/* What one user left is not what the next one finds */
TEST_F(fsm, reopens_running)
{
	struct vfio_dev *dev = self->dev;
	char bdf[sizeof(dev->bdf)];
	unsigned int i;

	memcpy(bdf, dev->bdf, sizeof(bdf));
	for (i = 0; i < NR_STATES; i++) {
		GO(dev, check_states[i]);
		vfio_close(dev);
		self->lab.iommu.typed = false;
		ASSERT_EQ(0, vfio_open(dev, &self->lab.iommu, bdf));
		EXPECT_STATE(dev, VFIO_DEVICE_STATE_RUNNING);
	}
}

static void check_arc(struct __test_metadata *_metadata, struct vfio_dev *dev,
		      const struct mig_stream *stream, __u32 from, __u32 to)
{
	int old = -1, fd = -1;

	ASSERT_EQ(0, enter(dev, from, stream, &old))
		TH_LOG("cannot get to %s", vfio_mig_state_name(from));
	EXPECT_STATE(dev, from);

	EXPECT_EQ(is_arc(from, to) ? 0 : -EINVAL,
		  vfio_mig_set_state(dev, to, &fd))
		TH_LOG("%s -> %s is %s arc of vfio_mig_get_next_state()",
		       vfio_mig_state_name(from), vfio_mig_state_name(to),
		       is_arc(from, to) ? "an" : "no");
	EXPECT_STATE(dev, is_arc(from, to) ? to : from);
	EXPECT_EQ(is_arc(from, to) && opens_transfer(from, to), fd >= 0)
		TH_LOG("%s -> %s: data_fd %d", vfio_mig_state_name(from),
		       vfio_mig_state_name(to), fd);

	if (old >= 0)
		close(old);
	if (fd >= 0)
		close(fd);
}

/* Every arc and every combination of arcs, the empty one too */
TEST_F_TIMEOUT(fsm, arcs, 120)
{
	unsigned int from, to;

	for (from = 0; from < NR_STATES; from++)
		for (to = 0; to < NR_STATES; to++)
			check_arc(_metadata, self->dev, &self->stream,
				  check_states[from], check_states[to]);
}

/* A target that does not exist fails, and nothing happens */
TEST_F_TIMEOUT(fsm, no_such_state, 60)
{
	static const __u32 bad[] = {
		VFIO_DEVICE_STATE_ERROR, VFIO_DEVICE_STATE_NR,
		VFIO_DEVICE_STATE_NR + 1, 0x80000000, 0xffffffff,
	};
	unsigned int i, j;
	int old, fd;

	for (i = 0; i < NR_STATES; i++) {
		ASSERT_EQ(0, enter(self->dev, check_states[i], &self->stream,
				   &old));
		for (j = 0; j < ARRAY_SIZE(bad); j++) {
			EXPECT_EQ(-EINVAL, vfio_mig_set_state(self->dev,
							      bad[j], &fd))
				TH_LOG("%s -> %u",
				       vfio_mig_state_name(check_states[i]),
				       bad[j]);
			EXPECT_EQ(-1, fd);
			EXPECT_STATE(self->dev, check_states[i]);
		}
		if (old >= 0)
			close(old);
	}
}

/* Asking for the state that the device is in does not end its transfer */
TEST_F(fsm, same_state_keeps_transfer)
{
	struct mig_stream again;
	int fd, none;

	GO_FD(self->dev, VFIO_DEVICE_STATE_STOP_COPY, &fd);
	ASSERT_EQ(0, vfio_mig_set_state(self->dev, VFIO_DEVICE_STATE_STOP_COPY,
					&none));
	EXPECT_EQ(-1, none);
	EXPECT_EQ(0, mig_read(fd, &again));
	EXPECT_LT(0, again.len);
	close(fd);

	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	ASSERT_EQ(0, vfio_mig_set_state(self->dev, VFIO_DEVICE_STATE_RESUMING,
					&none));
	EXPECT_EQ(-1, none);
	EXPECT_EQ(0, mig_write(fd, again.data, again.len));
	close(fd);
	EXPECT_EQ(0, vfio_mig_set_state(self->dev, VFIO_DEVICE_STATE_RUNNING,
					NULL));
}

/* The data of RESUMING outlive the fd that they were written to */
TEST_F(fsm, resuming_without_its_fd)
{
	int fd;

	ASSERT_EQ(0, enter(self->dev, VFIO_DEVICE_STATE_RESUMING,
			   &self->stream, &fd));
	close(fd);
	EXPECT_EQ(0, vfio_mig_set_state(self->dev, VFIO_DEVICE_STATE_RUNNING,
					NULL));
	EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_RUNNING);
}

static void expect_stuck(struct __test_metadata *_metadata,
			 struct vfio_dev *dev, size_t written)
{
	unsigned int i;
	int fd;

	for (i = 0; i < NR_STATES; i++) {
		if (check_states[i] == VFIO_DEVICE_STATE_RESUMING)
			continue;
		EXPECT_EQ(-EINVAL, vfio_mig_set_state(dev, check_states[i],
						      &fd))
			TH_LOG("RESUMING -> %s after %zu bytes",
			       vfio_mig_state_name(check_states[i]), written);
		EXPECT_EQ(-1, fd);
		EXPECT_STATE(dev, VFIO_DEVICE_STATE_RESUMING);
	}
}

TEST_F(fsm, resuming_takes_a_whole_stream)
{
	const struct mig_stream *stream = &self->stream;
	size_t half = stream->len / 2;
	int fd;

	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	expect_stuck(_metadata, self->dev, 0);

	ASSERT_EQ(0, mig_write(fd, stream->data, half));
	expect_stuck(_metadata, self->dev, half);

	ASSERT_EQ(0, mig_write(fd, stream->data + half, stream->len - half));
	EXPECT_EQ(0, vfio_mig_set_state(self->dev, VFIO_DEVICE_STATE_RUNNING,
					NULL));
	EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_RUNNING);
	close(fd);
}

TEST_F(fsm, reset_aborts_resuming)
{
	int fd;

	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	ASSERT_EQ(0, mig_write(fd, self->stream.data, self->stream.len / 2));
	ASSERT_EQ(0, vfio_reset(self->dev));
	EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_RUNNING);
	close(fd);
	EXPECT_EQ(0, mig_load(self->dev, &self->stream,
			      VFIO_DEVICE_STATE_RUNNING));
}

/* The estimate is good in every state: nobody knows when the end will come */
TEST_F(fsm, data_size)
{
	unsigned int i;
	__u64 size;
	int fd;

	for (i = 0; i < NR_STATES; i++) {
		ASSERT_EQ(0, enter(self->dev, check_states[i], NULL, &fd));
		EXPECT_EQ(0, vfio_mig_data_size(self->dev, &size));
		EXPECT_LT(0, size);
		EXPECT_LE(self->stream.len, size)
			TH_LOG("the estimate in %s is too small",
			       vfio_mig_state_name(check_states[i]));
		if (fd >= 0)
			close(fd);
	}
}

static int feature(struct vfio_dev *dev, __u32 argsz, __u32 flags, void *data,
		   size_t size)
{
	struct {
		struct vfio_device_feature arg;
		char room[64];
	} u = { .arg = { .argsz = argsz, .flags = flags } };

	memcpy(u.arg.data, data, size);
	return ioctl(dev->fd, VFIO_DEVICE_FEATURE, &u) ? -errno : 0;
}

/* Whatever is wrong with the call, the state is not touched */
TEST_F(fsm, malformed)
{
	struct vfio_device_feature_mig_state mig = {
		.device_state = VFIO_DEVICE_STATE_STOP,
	};
	const __u32 head = sizeof(struct vfio_device_feature);
	const __u32 state = VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE;
	const __u32 set = VFIO_DEVICE_FEATURE_SET;
	const __u32 get = VFIO_DEVICE_FEATURE_GET;
	const __u32 probe = VFIO_DEVICE_FEATURE_PROBE;
	const struct {
		__u32 argsz;
		__u32 flags;
		int want;
	} call[] = {
		{ 0, state | set, -EINVAL },
		{ head - 1, state | set, -EINVAL },
		{ head, state | set, -EINVAL },
		{ head + sizeof(mig) - 1, state | set, -EINVAL },
		{ head + sizeof(mig), state | set | get, -EINVAL },
		{ head + sizeof(mig), state | set | 1u << 31, -EINVAL },
		{ head + sizeof(mig), state, -EINVAL },
		{ head + 8, VFIO_DEVICE_FEATURE_MIGRATION | set, -EINVAL },
		{ head + 8, VFIO_DEVICE_FEATURE_MIG_DATA_SIZE | set, -EINVAL },
		{ head, state | probe | set | get, 0 },
		{ head, VFIO_DEVICE_FEATURE_MIGRATION | probe | get, 0 },
		{ head, VFIO_DEVICE_FEATURE_MIG_DATA_SIZE | probe | get, 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(call); i++) {
		EXPECT_EQ(call[i].want, feature(self->dev, call[i].argsz,
						call[i].flags, &mig,
						sizeof(mig)))
			TH_LOG("argsz %u, flags %#x", call[i].argsz,
			       call[i].flags);
		EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_RUNNING);
	}
	EXPECT_EQ(-1, ioctl(self->dev->fd, VFIO_DEVICE_FEATURE, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_STATE(self->dev, VFIO_DEVICE_STATE_RUNNING);
}

/* A data_fd that cannot be handed over does not stay behind and get in the way */
TEST_F(fsm, fd_not_handed_over)
{
	struct vfio_device_feature_mig_state *mig;
	struct vfio_device_feature *arg;
	struct mig_stream again;
	void *page;

	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, page);
	arg = page;
	arg->argsz = sizeof(*arg) + sizeof(*mig);
	arg->flags = VFIO_DEVICE_FEATURE_SET |
		     VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE;
	mig = (void *)arg->data;
	mig->device_state = VFIO_DEVICE_STATE_STOP_COPY;
	ASSERT_EQ(0, mprotect(page, 4096, PROT_READ));

	EXPECT_EQ(-1, ioctl(self->dev->fd, VFIO_DEVICE_FEATURE, arg));
	EXPECT_EQ(EFAULT, errno);
	munmap(page, 4096);

	GO(self->dev, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(0, mig_save(self->dev, &again));
	EXPECT_EQ(self->stream.len, again.len);
}

TEST_HARNESS_MAIN
