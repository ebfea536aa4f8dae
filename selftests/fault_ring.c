// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fault ring, as far as it does not matter where faults come from: they are
 * reported by pretend_fault.ko. Its consumer may do to it what he likes.
 */
#include <kselftest_harness.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "lib/check.h"
#include "lib/faults.h"
#include "sysfs.h"

#define IOVA	0xdead0000ULL
#define PAGE	0x1000ULL
#define COME_MS	2000

FIXTURE(ring) {
	struct lab lab;
	struct vfio_dev *dev;
	struct faults faults;
	__u32 index;
	__u64 offset;
	__u32 nr;
	char bdf[16];
};

FIXTURE_VARIANT(ring) {
	bool cdev;
};

FIXTURE_VARIANT_ADD(ring, group) { .cdev = false };
FIXTURE_VARIANT_ADD(ring, cdev) { .cdev = true };

static int bind_again(const char *bdf)
{
	return sysfs_put("/sys/bus/pci/drivers_probe", bdf);
}

FIXTURE_SETUP(ring)
{
	self->faults.event = -1;
	self->lab.cdev = variant->cdev;
	/* A test that failed may have left it unbound */
	if (lab_vf_name(0, self->bdf, sizeof(self->bdf)))
		bind_again(self->bdf);
	if (!lab_setup(_metadata, &self->lab, 2, true))
		return;
	if (lab_load("pretend_fault"))
		SKIP(return, "pretend_fault.ko is not to be had");
	self->dev = &self->lab.vf[0];
	ASSERT_EQ(0, ext_find(self->dev, &self->index, &self->offset));
	ASSERT_EQ(0, faults_open(&self->faults, self->dev));
	self->nr = self->faults.header->ring.nr_entries;
}

FIXTURE_TEARDOWN(ring)
{
	faults_fire(NULL);
	faults_close(&self->faults);
	lab_close(&self->lab);
}

#define REPORT(iova, write, count)					\
	ASSERT_EQ(0, faults_report(self->bdf, iova, write, count))

/* @count faults from @iova on are the next in the ring */
static void expect_faults(struct __test_metadata *_metadata, struct faults *faults,
			  __u64 iova, __u32 flags, unsigned int count)
{
	struct vfio_mig_fault fault;

	for (; count--; iova += PAGE) {
		ASSERT_EQ(0, faults_take(faults, &fault));
		ASSERT_EQ(iova, fault.iova);
		ASSERT_EQ(flags, fault.flags);
	}
}

static __u64 boottime_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

TEST_F(ring, region)
{
	const struct vfio_mig_fault_ring *ring = &self->faults.header->ring;
	struct vfio_region region;
	struct vfio_mig_ext ext;

	ASSERT_EQ(0, ext_read(self->dev, &ext));
	EXPECT_EQ(0, memcmp(&ext, self->faults.header, sizeof(ext)));
	EXPECT_EQ(sizeof(ext), ext.size);
	EXPECT_TRUE(ring->sources & VFIO_MIG_FAULT_SOURCE_DRIVER);
	EXPECT_EQ(sizeof(struct vfio_mig_fault), ring->entry_size);
	EXPECT_EQ(0, ring->nr_entries & (ring->nr_entries - 1));
	EXPECT_LT(1, ring->nr_entries);
	EXPECT_EQ(0, ring->producer);
	EXPECT_EQ(0, ring->dropped);
	EXPECT_LT(0, ring->epoch);

	ASSERT_EQ(0, vfio_region_info(self->dev, self->index, &region));
	EXPECT_EQ(VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_MMAP |
		  VFIO_REGION_INFO_FLAG_CAPS, region.flags);
	ASSERT_EQ(3, region.nr_areas);
	EXPECT_EQ(0, region.areas[0].offset);
	EXPECT_EQ(PAGE, region.areas[0].size);
	EXPECT_EQ(ring->consumer_offset, region.areas[1].offset);
	EXPECT_EQ(PAGE, region.areas[1].size);
	EXPECT_EQ(ring->entries_offset, region.areas[2].offset);
	EXPECT_EQ(self->faults.entries_size, region.areas[2].size);
	EXPECT_EQ(ring->entries_offset + self->faults.entries_size, region.size);
}

/* read() has the header and no more, write() nothing at all */
TEST_F(ring, read_and_write)
{
	__u32 consumer = self->faults.header->ring.consumer_offset;
	char byte = 1;

	EXPECT_EQ(-EINVAL, vfio_region_read(self->dev, self->index,
					    sizeof(struct vfio_mig_ext), &byte, 1));
	EXPECT_EQ(-EINVAL, vfio_region_read(self->dev, self->index, consumer,
					    &byte, 1));
	EXPECT_EQ(-EINVAL, vfio_region_write(self->dev, self->index, 0, &byte, 1));
	EXPECT_EQ(-EINVAL, vfio_region_write(self->dev, self->index, consumer,
					     &byte, 1));
	EXPECT_EQ(0, *self->faults.consumer);
}

#define R	PROT_READ
#define W	PROT_WRITE
#define X	PROT_EXEC
#define LAST	17	/* the last page of the entries, as this kernel has them */

/* Page offset and pages of an mmap(), and what comes of it */
static const struct {
	int page;
	int pages;
	int prot;
	int flags;
	int err;
} mmaps[] = {
	{ 0, 1, R, MAP_SHARED, 0 },
	{ 1, 1, R, MAP_SHARED, 0 },
	{ 1, 1, R | W, MAP_SHARED, 0 },
	{ 1, 1, W, MAP_SHARED, 0 },
	{ 2, 16, R, MAP_SHARED, 0 },
	{ 2, 1, R, MAP_SHARED, 0 },
	{ 5, 3, R, MAP_SHARED, 0 },
	{ LAST, 1, R, MAP_SHARED, 0 },
	{ 0, 1, PROT_NONE, MAP_SHARED, 0 },
	/* Beyond a part */
	{ 0, 2, R, MAP_SHARED, EINVAL },
	{ 0, 3, R, MAP_SHARED, EINVAL },
	{ 0, 18, R, MAP_SHARED, EINVAL },
	{ 1, 2, R | W, MAP_SHARED, EINVAL },
	{ 1, 2, R, MAP_SHARED, EINVAL },
	{ 2, 17, R, MAP_SHARED, EINVAL },
	{ LAST, 2, R, MAP_SHARED, EINVAL },
	{ LAST + 1, 1, R, MAP_SHARED, EINVAL },
	{ LAST + 1000, 1, R, MAP_SHARED, EINVAL },
	{ 2, 1 << 20, R, MAP_SHARED, EINVAL },
	/* The last page before the next region */
	{ 0xfffffff, 1, R, MAP_SHARED, EINVAL },
	{ 0xfffffff, 2, R, MAP_SHARED, EINVAL },
	/* More than there is to have */
	{ 0, 1, W, MAP_SHARED, EACCES },
	{ 0, 1, R | W, MAP_SHARED, EACCES },
	{ 0, 1, R | X, MAP_SHARED, EACCES },
	{ 1, 1, R | X, MAP_SHARED, EACCES },
	{ 1, 1, R | W | X, MAP_SHARED, EACCES },
	{ 2, 16, R | W, MAP_SHARED, EACCES },
	{ LAST, 1, R | W, MAP_SHARED, EACCES },
	{ 2, 1, R | X, MAP_SHARED, EACCES },
	{ 2, 1, X, MAP_SHARED, EACCES },
	/* A copy of one's own */
	{ 0, 1, R, MAP_PRIVATE, EINVAL },
	{ 0, 1, R | W, MAP_PRIVATE, EINVAL },
	{ 1, 1, R | W, MAP_PRIVATE, EINVAL },
	{ 2, 1, R, MAP_PRIVATE, EINVAL },
};

TEST_F(ring, mmap)
{
	unsigned int i;
	void *mem;
	int err;

	ASSERT_EQ(LAST, 1 + self->faults.entries_size / PAGE);
	for (i = 0; i < sizeof(mmaps) / sizeof(*mmaps); i++) {
		errno = 0;
		mem = mmap(NULL, mmaps[i].pages * PAGE, mmaps[i].prot, mmaps[i].flags,
			   self->dev->fd, self->offset + mmaps[i].page * PAGE);
		err = mem == MAP_FAILED ? errno : 0;
		/* The kernel's word on some files, before any driver is asked */
		if (mmaps[i].prot & X && err == EPERM)
			err = EACCES;
		EXPECT_EQ(mmaps[i].err, err)
			TH_LOG("page %d, %d pages, rights %d", mmaps[i].page,
			       mmaps[i].pages, mmaps[i].prot);
		if (mem != MAP_FAILED)
			munmap(mem, mmaps[i].pages * PAGE);
	}
}

static int try_mprotect(const void *mem, int prot)
{
	return mprotect((void *)mem, PAGE, prot) ? errno : 0;
}

TEST_F(ring, mprotect)
{
	const void *read_only[] = { self->faults.header, self->faults.entries };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		EXPECT_EQ(EACCES, try_mprotect(read_only[i], R | W));
		EXPECT_EQ(EACCES, try_mprotect(read_only[i], W));
		EXPECT_EQ(EACCES, try_mprotect(read_only[i], R | X));
		EXPECT_EQ(0, try_mprotect(read_only[i], PROT_NONE));
		EXPECT_EQ(0, try_mprotect(read_only[i], R));
	}
	EXPECT_EQ(EACCES, try_mprotect(self->faults.consumer, R | X));
	EXPECT_EQ(0, try_mprotect(self->faults.consumer, R));
	EXPECT_EQ(0, try_mprotect(self->faults.consumer, R | W));
	*self->faults.consumer = 0;
}

/* Other ways than by the mapping's own rights to write to it */
TEST_F(ring, back_doors)
{
	const struct vfio_mig_ext *header = self->faults.header;
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	__u64 magic = 0;
	void *grown;

	ASSERT_LE(0, fd);
	EXPECT_GT(0, pwrite(fd, &magic, sizeof(magic), (unsigned long)header));
	EXPECT_GT(0, pwrite(fd, &magic, sizeof(magic),
			    (unsigned long)self->faults.entries));
	EXPECT_EQ(VFIO_MIG_EXT_MAGIC, header->magic);
	close(fd);

	grown = mremap((void *)header, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	EXPECT_EQ(MAP_FAILED, grown);
	EXPECT_EQ(EFAULT, errno);
}

TEST_F(ring, entries)
{
	const struct vfio_mig_ext *header = self->faults.header;
	__u64 before = boottime_ns();
	struct vfio_mig_fault fault;
	unsigned int i;

	REPORT(IOVA, false, 3);
	ASSERT_EQ(3, faults_ready(&self->faults));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(0, faults_take(&self->faults, &fault));
		EXPECT_EQ(IOVA + i * PAGE, fault.iova);
		EXPECT_EQ(VFIO_MIG_FAULT_READ, fault.flags);
		EXPECT_EQ(VFIO_MIG_FAULT_SOURCE_DRIVER, fault.source);
		EXPECT_EQ(faults_requester(self->bdf), fault.requester);
		EXPECT_EQ(0, fault.segment);
		EXPECT_EQ(i, fault.sequence);
		EXPECT_EQ(header->ring.epoch, fault.epoch);
		EXPECT_EQ(0, fault.reason | fault.pasid);
		EXPECT_LE(before, fault.time);
		EXPECT_GE(boottime_ns(), fault.time);
		EXPECT_EQ(0, fault.reserved[0] | fault.reserved[1]);
		before = fault.time;
	}
	REPORT(IOVA, true, 1);
	expect_faults(_metadata, &self->faults, IOVA, VFIO_MIG_FAULT_WRITE, 1);
	EXPECT_EQ(-EAGAIN, faults_take(&self->faults, &fault));
	EXPECT_EQ(0, faults_dropped(&self->faults));
}

/* Of another device */
TEST_F(ring, neighbour)
{
	struct faults other;

	ASSERT_EQ(0, faults_open(&other, &self->lab.vf[1]));
	ASSERT_EQ(0, faults_report(self->lab.vf[1].bdf, IOVA, true, 2));
	EXPECT_EQ(0, faults_ready(&self->faults));
	EXPECT_EQ(0, faults_dropped(&self->faults));
	EXPECT_FALSE(faults_signalled(&self->faults, 0));
	expect_faults(_metadata, &other, IOVA, VFIO_MIG_FAULT_WRITE, 2);
	faults_close(&other);
}

TEST_F(ring, eventfd)
{
	__u32 irq = self->faults.header->irq_fault;

	EXPECT_EQ(1, vfio_irq_count(self->dev, irq));
	EXPECT_FALSE(faults_signalled(&self->faults, 100));
	REPORT(IOVA, true, 1);
	EXPECT_TRUE(faults_signalled(&self->faults, COME_MS));
	EXPECT_FALSE(faults_signalled(&self->faults, 100));
	/* Also where there is something to take still */
	REPORT(IOVA, true, 5);
	EXPECT_TRUE(faults_signalled(&self->faults, COME_MS));

	ASSERT_EQ(0, vfio_irq_disable(self->dev, irq));
	REPORT(IOVA, true, 1);
	EXPECT_FALSE(faults_signalled(&self->faults, 100));
	EXPECT_EQ(7, faults_ready(&self->faults));
	ASSERT_EQ(0, vfio_irq_set_eventfds(self->dev, irq, 1, &self->faults.event));
	REPORT(IOVA, true, 1);
	EXPECT_TRUE(faults_signalled(&self->faults, COME_MS));
}

TEST_F(ring, wraps)
{
	unsigned int step = self->nr - 3, i;

	for (i = 0; i < 5; i++) {
		REPORT(IOVA + i * PAGE, i & 1, step);
		expect_faults(_metadata, &self->faults, IOVA + i * PAGE,
			      i & 1 ? VFIO_MIG_FAULT_WRITE : VFIO_MIG_FAULT_READ,
			      step);
	}
	EXPECT_EQ(5 * step, self->faults.header->ring.producer);
	EXPECT_EQ(0, faults_dropped(&self->faults));
}

/* What comes to a full ring is counted, and changes nothing in it */
TEST_F(ring, full)
{
	REPORT(IOVA, true, self->nr + 17);
	EXPECT_EQ(self->nr, faults_ready(&self->faults));
	EXPECT_EQ(17, faults_dropped(&self->faults));
	expect_faults(_metadata, &self->faults, IOVA, VFIO_MIG_FAULT_WRITE, 5);
	REPORT(IOVA, false, 8);
	EXPECT_EQ(self->nr, faults_ready(&self->faults));
	EXPECT_EQ(20, faults_dropped(&self->faults));
	expect_faults(_metadata, &self->faults, IOVA + 5 * PAGE,
		      VFIO_MIG_FAULT_WRITE, self->nr - 5);
	expect_faults(_metadata, &self->faults, IOVA, VFIO_MIG_FAULT_READ, 5);
}

/* A consumer index that is nowhere near: nothing goes in, and nothing else happens */
TEST_F(ring, odd_consumer)
{
	__u32 producer, odd[6], i;

	REPORT(IOVA, true, 10);
	producer = self->faults.header->ring.producer;
	faults_skip(&self->faults);
	odd[0] = producer + 1;
	odd[1] = producer - self->nr;
	odd[2] = producer - self->nr - 1;
	odd[3] = producer + self->nr;
	odd[4] = producer + 0x80000000;
	odd[5] = producer - 0x80000001;
	for (i = 0; i < 6; i++) {
		__atomic_store_n(self->faults.consumer, odd[i], __ATOMIC_RELEASE);
		REPORT(IOVA, true, 3);
		EXPECT_EQ(producer, self->faults.header->ring.producer)
			TH_LOG("consumer index %#x", odd[i]);
		EXPECT_EQ(3 * (i + 1), faults_dropped(&self->faults));
	}
	__atomic_store_n(self->faults.consumer, producer, __ATOMIC_RELEASE);
	REPORT(IOVA, true, 1);
	expect_faults(_metadata, &self->faults, IOVA, VFIO_MIG_FAULT_WRITE, 1);
	/* All of what is in the ring was not consumed after all */
	__atomic_store_n(self->faults.consumer, producer + 1 - self->nr + 1,
			 __ATOMIC_RELEASE);
	REPORT(IOVA, true, 2);
	EXPECT_EQ(1, faults_ready(&self->faults));
}

struct vandal {
	struct faults *faults;
	bool stop;
};

/* Every other one could be right */
static __u32 any_index(struct faults *faults, unsigned int *seed)
{
	__u32 any = rand_r(seed) * 0x9e3779b9;

	if (any & 1)
		return any;
	return faults->header->ring.producer - any / 2 % (2 * faults->header->ring.nr_entries);
}

static void *scribble(void *arg)
{
	struct vandal *vandal = arg;
	unsigned int seed = 1;

	while (!__atomic_load_n(&vandal->stop, __ATOMIC_RELAXED))
		__atomic_store_n(vandal->faults->consumer,
				 any_index(vandal->faults, &seed), __ATOMIC_RELAXED);
	return NULL;
}

/* One who writes to his index all the while, and his neighbour, who does not notice */
TEST_F(ring, vandal)
{
	struct vandal vandal = { .faults = &self->faults };
	const struct vfio_mig_ext *header = self->faults.header;
	__u32 i, fired, nr = self->nr;
	struct faults other;
	pthread_t thread;

	ASSERT_EQ(0, faults_open(&other, &self->lab.vf[1]));
	ASSERT_EQ(0, pthread_create(&thread, NULL, scribble, &vandal));
	ASSERT_EQ(0, faults_fire(self->bdf));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, faults_report(self->lab.vf[1].bdf, IOVA, true, 50));
		expect_faults(_metadata, &other, IOVA, VFIO_MIG_FAULT_WRITE, 50);
		usleep(5000);
	}
	faults_fire(NULL);
	__atomic_store_n(&vandal.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);

	fired = header->ring.producer + header->ring.dropped;
	TH_LOG("%u went in, %llu were dropped", header->ring.producer,
	       header->ring.dropped);
	EXPECT_LT(100, fired);
	EXPECT_LT(0, header->ring.producer);
	EXPECT_LT(0, header->ring.dropped);
	EXPECT_EQ(VFIO_MIG_EXT_MAGIC, header->magic);
	EXPECT_EQ(nr, header->ring.nr_entries);
	EXPECT_EQ(0, faults_dropped(&other));
	faults_close(&other);
}

TEST_F(ring, reset_epoch)
{
	__u64 epoch = faults_epoch(&self->faults);
	struct vfio_mig_fault fault;

	REPORT(IOVA, true, 1);
	ASSERT_EQ(0, vfio_reset(self->dev));
	EXPECT_EQ(epoch + 1, faults_epoch(&self->faults));
	REPORT(IOVA, true, 1);
	ASSERT_EQ(0, vfio_enable(self->dev));
	ASSERT_EQ(0, vfio_flr(self->dev));
	EXPECT_EQ(epoch + 2, faults_epoch(&self->faults));
	ASSERT_EQ(0, lab_reset_by_sysfs(self->bdf));
	EXPECT_EQ(epoch + 3, faults_epoch(&self->faults));
	REPORT(IOVA, true, 1);

	ASSERT_EQ(0, faults_take(&self->faults, &fault));
	EXPECT_EQ(epoch, fault.epoch);
	ASSERT_EQ(0, faults_take(&self->faults, &fault));
	EXPECT_EQ(epoch + 1, fault.epoch);
	ASSERT_EQ(0, faults_take(&self->faults, &fault));
	EXPECT_EQ(epoch + 3, fault.epoch);
}

static bool is_zero(const char *mem, size_t size)
{
	while (size && !*mem)
		mem++, size--;
	return !size;
}

/* The error record is in what is mapped, as in what read() gives */
TEST_F(ring, error_record)
{
	struct vfio_mig_ext ext;

	if (lab_load("pretend_error"))
		SKIP(return, "pretend_error.ko is not to be had");
	ASSERT_EQ(0, lab_pretend_error(self->bdf, "nonfatal"));
	ASSERT_EQ(0, ext_read(self->dev, &ext));
	EXPECT_EQ(1, ext.error.count);
	EXPECT_EQ(VFIO_MIG_ERROR_NONFATAL, ext.error.severity);
	EXPECT_EQ(0, memcmp(&ext, self->faults.header, sizeof(ext)));
}

/* The next user finds nothing of the one before */
TEST_F(ring, reopen)
{
	__u64 epoch = faults_epoch(&self->faults);

	REPORT(IOVA, true, self->nr + 1);
	__atomic_store_n(self->faults.consumer, 3, __ATOMIC_RELAXED);
	faults_close(&self->faults);
	lab_close(&self->lab);
	/* Nobody's */
	REPORT(IOVA, true, 1);
	ASSERT_EQ(0, lab_open(&self->lab, 2));
	ASSERT_EQ(0, faults_open(&self->faults, self->dev));
	EXPECT_LT(epoch, faults_epoch(&self->faults));
	EXPECT_EQ(0, *self->faults.consumer);
	EXPECT_EQ(0, self->faults.header->ring.producer);
	EXPECT_EQ(0, faults_dropped(&self->faults));
	EXPECT_TRUE(is_zero(self->faults.entries, self->faults.entries_size));
	EXPECT_FALSE(faults_signalled(&self->faults, 0));
}

/* A mapping keeps the device open, and its ring at work */
TEST_F(ring, use_after_close)
{
	close(self->dev->fd);
	self->dev->fd = -1;
	REPORT(IOVA, true, 2);
	expect_faults(_metadata, &self->faults, IOVA, VFIO_MIG_FAULT_WRITE, 2);
	EXPECT_TRUE(faults_signalled(&self->faults, COME_MS));
}

/* The program that Documentation/fault-ring.rst prints, with the device as its fd 3 */
static pid_t start_consumer(const char *path, int dev, int output)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (dup2(output, STDOUT_FILENO) >= 0 && dup2(dev, 3) >= 0)
		execl(path, path, "3", NULL);
	_exit(127);
}

static void expect_line(struct __test_metadata *_metadata, FILE *lines, const char *bdf,
			const char *access, __u64 iova)
{
	char line[128] = "", want[128];

	snprintf(want, sizeof(want), "%s: %s %#llx, reason 0\n", bdf, access,
		 (unsigned long long)iova);
	ASSERT_NE(NULL, fgets(line, sizeof(line), lines));
	ASSERT_STREQ(want, line);
}

TEST_F(ring, documented_consumer)
{
	char path[256] = {};
	FILE *lines;
	int ends[2];
	pid_t pid;

	ASSERT_LT(0, readlink("/proc/self/exe", path, sizeof(path) - 20));
	snprintf(strrchr(path, '/'), sizeof("/fault_consumer"), "/fault_consumer");
	ASSERT_EQ(0, pipe2(ends, O_CLOEXEC));
	lines = fdopen(ends[0], "r");
	ASSERT_NE(NULL, lines);
	REPORT(IOVA, true, 1);
	pid = start_consumer(path, self->dev->fd, ends[1]);
	ASSERT_LT(0, pid);
	close(ends[1]);
	expect_line(_metadata, lines, self->bdf, "write to", IOVA);
	/* It sleeps by now, or soon; and then it has consumed more than the ring holds */
	usleep(100000);
	REPORT(2 * IOVA, false, 1);
	expect_line(_metadata, lines, self->bdf, "read of", 2 * IOVA);
	for (unsigned int i = 0; i < 3; i++) {
		REPORT(IOVA, true, self->nr / 2);
		for (unsigned int n = 0; n < self->nr / 2; n++)
			expect_line(_metadata, lines, self->bdf, "write to",
				    IOVA + n * PAGE);
	}
	EXPECT_EQ(0, faults_dropped(&self->faults));
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	fclose(lines);
}

static int child_exit(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

static int be_child(struct faults *faults, int start)
{
	struct vfio_mig_fault fault;
	char byte;

	if (read(start, &byte, 1) != 1)
		return 1;
	if (!faults_wait(faults, 2, COME_MS))
		return 2;
	if (faults_take(faults, &fault) || fault.iova != IOVA)
		return 3;
	if (faults_take(faults, &fault) || fault.iova != IOVA + PAGE)
		return 4;
	return 0;
}

/* A child that has inherited the mappings and nothing else */
TEST_F(ring, child)
{
	int ends[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(ends));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		lab_close(&self->lab);
		_exit(be_child(&self->faults, ends[0]));
	}
	faults_close(&self->faults);
	lab_close(&self->lab);
	REPORT(IOVA, true, 2);
	ASSERT_EQ(1, write(ends[1], "", 1));
	EXPECT_EQ(0, child_exit(pid));

	ASSERT_EQ(0, lab_open(&self->lab, 2));
	ASSERT_EQ(0, faults_open(&self->faults, self->dev));
	EXPECT_EQ(0, faults_ready(&self->faults));
}

/* In a child that has nothing of the device open: it would wait for itself */
static pid_t unbind_in_child(struct lab *lab, struct faults *faults, const char *bdf)
{
	pid_t pid = fork();

	if (!pid) {
		faults_close(faults);
		lab_close(lab);
		_exit(sysfs_pci_put(bdf, "driver/unbind", bdf) ? 1 : 0);
	}
	return pid;
}

/* Unbinding waits for the last mapping, and faults go on to be told until then */
TEST_F(ring, unbind)
{
	int status;
	pid_t pid;

	pid = unbind_in_child(&self->lab, &self->faults, self->bdf);
	ASSERT_LT(0, pid);
	usleep(300000);
	lab_close(&self->lab);
	usleep(300000);
	EXPECT_EQ(0, waitpid(pid, &status, WNOHANG));
	REPORT(IOVA, true, 2);
	expect_faults(_metadata, &self->faults, IOVA, VFIO_MIG_FAULT_WRITE, 2);
	faults_close(&self->faults);
	EXPECT_EQ(0, child_exit(pid));
	REPORT(IOVA, true, 2);
	ASSERT_EQ(0, bind_again(self->bdf));
	ASSERT_EQ(0, lab_open(&self->lab, 2));
	ASSERT_EQ(0, faults_open(&self->faults, self->dev));
	EXPECT_EQ(0, faults_ready(&self->faults));
}

/* A page of the ring in a pipe: it stays what it was, whoever has the device next */
TEST_F(ring, pinned)
{
	__u64 epoch = faults_epoch(&self->faults);
	struct vfio_mig_ext kept = {};
	struct vfio_mig_fault fault;
	struct iovec part = { .iov_len = sizeof(kept) };
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	REPORT(IOVA, true, 7);
	part.iov_base = (void *)self->faults.header;
	ASSERT_EQ(sizeof(kept), vmsplice(ends[1], &part, 1, 0));
	part.iov_base = (void *)self->faults.entries;
	part.iov_len = sizeof(fault);
	ASSERT_EQ(part.iov_len, vmsplice(ends[1], &part, 1, 0));

	faults_close(&self->faults);
	lab_close(&self->lab);
	ASSERT_EQ(0, lab_rebind(self->bdf));
	ASSERT_EQ(0, lab_open(&self->lab, 2));
	ASSERT_EQ(0, faults_open(&self->faults, self->dev));
	REPORT(IOVA + PAGE, true, 9);

	ASSERT_EQ(sizeof(kept), read(ends[0], &kept, sizeof(kept)));
	EXPECT_EQ(VFIO_MIG_EXT_MAGIC, kept.magic);
	EXPECT_EQ(epoch, kept.ring.epoch);
	EXPECT_EQ(7, kept.ring.producer);
	ASSERT_EQ(sizeof(fault), read(ends[0], &fault, sizeof(fault)));
	EXPECT_EQ(IOVA, fault.iova);
	close(ends[0]);
	close(ends[1]);
}

TEST_HARNESS_MAIN
