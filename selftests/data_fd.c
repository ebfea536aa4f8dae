// SPDX-License-Identifier: GPL-2.0-only
/* The files that the migration data go through, as files */
#include <kselftest_harness.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include "lib/check.h"

#define NO_SUCH_IOCTL	_IO(VFIO_TYPE, VFIO_BASE + 99)
#define PAGE		4096
#define WAKE_MS		5000

FIXTURE(data_fd) {
	struct lab lab;
	struct vfio_dev *dev;
	struct mig_stream stream;
};

GROUP_AND_CDEV(data_fd);

FIXTURE_SETUP(data_fd)
{
	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 1, true))
		return;
	self->dev = &self->lab.vf[0];
	ASSERT_EQ(0, mig_save(self->dev, &self->stream));
	GO(self->dev, VFIO_DEVICE_STATE_STOP);
}

FIXTURE_TEARDOWN(data_fd)
{
	lab_close(&self->lab);
}

static int poll_now(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN | POLLOUT };

	return poll(&pfd, 1, 0) < 0 ? -errno : pfd.revents;
}

TEST_F(data_fd, byte_by_byte)
{
	__u8 byte;
	size_t i;
	int fd;

	GO_FD(self->dev, VFIO_DEVICE_STATE_STOP_COPY, &fd);
	for (i = 0; i < self->stream.len; i++) {
		ASSERT_EQ(1, read(fd, &byte, 1));
		ASSERT_EQ(self->stream.data[i], byte)
			TH_LOG("byte %zu of a stopped device changed", i);
	}
	EXPECT_EQ(0, read(fd, &byte, 1));
	EXPECT_EQ(0, read(fd, &byte, 1));
	close(fd);

	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	for (i = 0; i < self->stream.len; i++) {
		byte = self->stream.data[i];
		ASSERT_EQ(1, write(fd, &byte, 1));
	}
	EXPECT_EQ(0, vfio_mig_set_state(self->dev, VFIO_DEVICE_STATE_STOP,
					NULL));
	close(fd);
}

TEST_F(data_fd, empty_io)
{
	char byte;
	int fd;

	GO_FD(self->dev, VFIO_DEVICE_STATE_STOP_COPY, &fd);
	EXPECT_EQ(0, read(fd, &byte, 0));
	close(fd);
	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	EXPECT_EQ(0, write(fd, &byte, 0));
	EXPECT_EQ(0, mig_write(fd, self->stream.data, self->stream.len));
	EXPECT_EQ(0, vfio_mig_set_state(self->dev, VFIO_DEVICE_STATE_STOP,
					NULL));
	close(fd);
}

static void expect_stream_file(struct __test_metadata *_metadata, int fd)
{
	char byte = 0;

	EXPECT_EQ(-1, lseek(fd, 0, SEEK_CUR));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, lseek(fd, 0, SEEK_SET));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, pread(fd, &byte, 1, 0));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, pwrite(fd, &byte, 1, 0));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(-1, ioctl(fd, NO_SUCH_IOCTL));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
}

TEST_F(data_fd, is_a_stream)
{
	int fd;

	GO_FD(self->dev, VFIO_DEVICE_STATE_STOP_COPY, &fd);
	expect_stream_file(_metadata, fd);
	close(fd);
	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	expect_stream_file(_metadata, fd);
	close(fd);
}

TEST_F(data_fd, wrong_direction)
{
	char byte = 0;
	int fd;

	GO_FD(self->dev, VFIO_DEVICE_STATE_STOP_COPY, &fd);
	EXPECT_EQ(-1, write(fd, &byte, 1));
	EXPECT_EQ(EBADF, errno);
	close(fd);
	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	EXPECT_EQ(-1, read(fd, &byte, 1));
	EXPECT_EQ(EBADF, errno);
	close(fd);
}

TEST_F(data_fd, poll)
{
	struct mig_stream again;
	int fd;

	GO_FD(self->dev, VFIO_DEVICE_STATE_STOP_COPY, &fd);
	EXPECT_EQ(POLLIN, poll_now(fd));
	ASSERT_EQ(0, mig_read(fd, &again));
	EXPECT_EQ(POLLIN, poll_now(fd))
		TH_LOG("in STOP_COPY the end of the stream is readable");
	close(fd);
	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	EXPECT_EQ(POLLOUT, poll_now(fd));
	close(fd);
}

TEST_F(data_fd, dies_with_its_state)
{
	int saving, resuming;

	GO_FD(self->dev, VFIO_DEVICE_STATE_STOP_COPY, &saving);
	GO(self->dev, VFIO_DEVICE_STATE_STOP);
	expect_dead(_metadata, saving, VFIO_DEVICE_STATE_STOP_COPY);

	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &resuming);
	ASSERT_EQ(0, mig_write(resuming, self->stream.data, self->stream.len));
	GO(self->dev, VFIO_DEVICE_STATE_STOP);
	expect_dead(_metadata, resuming, VFIO_DEVICE_STATE_RESUMING);
	close(saving);
	close(resuming);
}

TEST_F(data_fd, dies_with_the_device)
{
	int saving, resuming;

	GO_FD(self->dev, VFIO_DEVICE_STATE_STOP_COPY, &saving);
	lab_close(&self->lab);
	expect_dead(_metadata, saving, VFIO_DEVICE_STATE_STOP_COPY);

	ASSERT_EQ(0, lab_open(&self->lab, 1));
	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &resuming);
	lab_close(&self->lab);
	expect_dead(_metadata, resuming, VFIO_DEVICE_STATE_RESUMING);

	ASSERT_EQ(0, lab_open(&self->lab, 1));
	expect_dead(_metadata, saving, VFIO_DEVICE_STATE_STOP_COPY);
	expect_dead(_metadata, resuming, VFIO_DEVICE_STATE_RESUMING);
	close(saving);
	close(resuming);
}

/* Nor does it need the driver of a device that is gone */
TEST_F(data_fd, outlives_the_binding)
{
	char bdf[sizeof(self->dev->bdf)];
	int saving, resuming;

	memcpy(bdf, self->dev->bdf, sizeof(bdf));
	GO_FD(self->dev, VFIO_DEVICE_STATE_STOP_COPY, &saving);
	lab_close(&self->lab);
	ASSERT_EQ(0, lab_rebind(bdf));
	expect_dead(_metadata, saving, VFIO_DEVICE_STATE_STOP_COPY);

	ASSERT_EQ(0, lab_open(&self->lab, 1));
	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &resuming);
	lab_close(&self->lab);
	ASSERT_EQ(0, lab_rebind(bdf));
	expect_dead(_metadata, resuming, VFIO_DEVICE_STATE_RESUMING);
	close(saving);
	close(resuming);
	ASSERT_EQ(0, lab_open(&self->lab, 1));
	EXPECT_EQ(0, mig_save(self->dev, &self->stream));
}

/* A new session does not revive the fd of an old one */
TEST_F(data_fd, sessions_are_apart)
{
	struct mig_stream again;
	int first, second;

	GO_FD(self->dev, VFIO_DEVICE_STATE_STOP_COPY, &first);
	GO(self->dev, VFIO_DEVICE_STATE_STOP);
	GO_FD(self->dev, VFIO_DEVICE_STATE_STOP_COPY, &second);
	EXPECT_NE(first, second);
	expect_dead(_metadata, first, VFIO_DEVICE_STATE_STOP_COPY);
	EXPECT_EQ(0, mig_read(second, &again));
	EXPECT_EQ(self->stream.len, again.len);
	expect_dead(_metadata, first, VFIO_DEVICE_STATE_STOP_COPY);
	close(first);
	close(second);
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

TEST_F(data_fd, death_wakes_poll)
{
	struct waiter waiter;
	pthread_t thread;

	GO_FD(self->dev, VFIO_DEVICE_STATE_STOP_COPY, &waiter.fd);
	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_for_error, &waiter));
	usleep(100000);
	GO(self->dev, VFIO_DEVICE_STATE_STOP);
	pthread_join(thread, NULL);
	EXPECT_TRUE(waiter.revents & POLLERR)
		TH_LOG("a poll that waits for nothing else hears of the end");
	close(waiter.fd);
}

/* A page that can be used, and behind it one that cannot */
static __u8 *half_mapped(void)
{
	__u8 *mem = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED || mprotect(mem + PAGE, PAGE, PROT_NONE))
		return NULL;
	return mem;
}

/*
 * A buffer that faults half-way gives EFAULT or a short count; either way the
 * caller knows how far the stream has come.
 */
TEST_F(data_fd, faults_lose_nothing)
{
	struct mig_stream *stream = &self->stream;
	__u8 *mem = half_mapped();
	struct mig_stream rest;
	ssize_t done;
	int fd;

	ASSERT_NE(NULL, mem);
	ASSERT_LT(64, stream->len);
	GO_FD(self->dev, VFIO_DEVICE_STATE_STOP_COPY, &fd);
	EXPECT_EQ(-1, read(fd, mem + PAGE, 16));
	EXPECT_EQ(EFAULT, errno);
	done = read(fd, mem + PAGE - 16, 64);
	if (done < 0) {
		EXPECT_EQ(EFAULT, errno);
		done = 0;
	}
	ASSERT_GE(16, done);
	EXPECT_EQ(0, memcmp(mem + PAGE - 16, stream->data, done));
	ASSERT_EQ(0, mig_read(fd, &rest));
	ASSERT_EQ(stream->len - done, rest.len);
	EXPECT_EQ(0, memcmp(rest.data, stream->data + done, rest.len));
	close(fd);

	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	EXPECT_EQ(-1, write(fd, mem + PAGE, 16));
	EXPECT_EQ(EFAULT, errno);
	memcpy(mem + PAGE - 16, stream->data, 16);
	done = write(fd, mem + PAGE - 16, 64);
	if (done < 0) {
		EXPECT_EQ(EFAULT, errno);
		done = 0;
	}
	ASSERT_GE(16, done);
	ASSERT_EQ(0, mig_write(fd, stream->data + done, stream->len - done));
	EXPECT_EQ(0, vfio_mig_set_state(self->dev, VFIO_DEVICE_STATE_STOP,
					NULL));
	close(fd);
}

struct reader {
	int fd;
	size_t len;
	unsigned int seen[256];
};

static void *read_some(void *arg)
{
	struct reader *reader = arg;
	__u8 buf[7];
	ssize_t ret;

	while ((ret = read(reader->fd, buf, sizeof(buf))) > 0) {
		reader->len += ret;
		while (ret--)
			reader->seen[buf[ret]]++;
	}
	return NULL;
}

/* Each byte goes to one of the two */
TEST_F(data_fd, two_readers)
{
	struct reader reader[2] = {};
	unsigned int want[256] = {};
	pthread_t thread[2];
	unsigned int i;
	int fd;

	GO_FD(self->dev, VFIO_DEVICE_STATE_STOP_COPY, &fd);
	for (i = 0; i < 2; i++) {
		reader[i].fd = fd;
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, read_some,
					    &reader[i]));
	}
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);

	for (i = 0; i < self->stream.len; i++)
		want[self->stream.data[i]]++;
	EXPECT_EQ(self->stream.len, reader[0].len + reader[1].len);
	for (i = 0; i < 256; i++) {
		want[i] -= reader[0].seen[i] + reader[1].seen[i];
		EXPECT_EQ(0, want[i]);
	}
	close(fd);
}

TEST_HARNESS_MAIN
