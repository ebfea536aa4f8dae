// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether a stopped device can be reached: by a mapping made before, by the
 * region, or by any other door.
 */
#include <kselftest_harness.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include "lib/check.h"
#include "lib/igbvf.h"

/* Registers that read back what was written, and mean nothing with queues off */
#define SCRATCH		VTEITR(0)
#define BEFORE		0x00000128
#define INSIDE		0x000002a4

FIXTURE(gate) {
	struct lab lab;
	struct vfio_dev *dev;
	struct igbvf vf;
	struct vfio_region bar;
	struct mig_stream stream;
};

static __thread sigjmp_buf bus_error;

static void on_bus_error(int sig)
{
	siglongjmp(bus_error, sig);
}

GROUP_AND_CDEV(gate);

FIXTURE_SETUP(gate)
{
	struct sigaction action = { .sa_handler = on_bus_error };

	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 1, true))
		return;
	self->dev = &self->lab.vf[0];
	ASSERT_EQ(0, sigaction(SIGBUS, &action, NULL));
	ASSERT_EQ(0, vfio_region_info(self->dev, VFIO_PCI_BAR0_REGION_INDEX,
				      &self->bar));
	ASSERT_EQ(0, igbvf_open(&self->vf, self->dev));
	igbvf_write(&self->vf, SCRATCH, BEFORE);
	ASSERT_EQ(0, mig_save(self->dev, &self->stream));
	GO(self->dev, VFIO_DEVICE_STATE_RUNNING);
}

FIXTURE_TEARDOWN(gate)
{
	igbvf_close(&self->vf);
	lab_close(&self->lab);
}

static int region_read(struct vfio_dev *dev, __u32 reg, __u32 *val)
{
	return vfio_region_read(dev, VFIO_PCI_BAR0_REGION_INDEX, reg, val,
				sizeof(*val));
}

static int region_write(struct vfio_dev *dev, __u32 reg, __u32 val)
{
	return vfio_region_write(dev, VFIO_PCI_BAR0_REGION_INDEX, reg, &val,
				 sizeof(val));
}

/* -EFAULT where the access is answered by SIGBUS */
static int mapped_read(__u32 *reg, __u32 *val)
{
	if (sigsetjmp(bus_error, 1))
		return -EFAULT;
	*val = mmio_read(reg);
	return 0;
}

static int mapped_write(__u32 *reg, __u32 val)
{
	if (sigsetjmp(bus_error, 1))
		return -EFAULT;
	mmio_write(reg, val);
	return 0;
}

static __u32 *mapped(struct igbvf *vf, __u32 reg)
{
	return vf->page[reg / IGBVF_PAGE_SIZE] + reg % IGBVF_PAGE_SIZE / 4;
}

static void expect_open(struct __test_metadata *_metadata, struct igbvf *vf)
{
	__u32 val;

	EXPECT_EQ(0, region_read(vf->dev, SCRATCH, &val));
	EXPECT_EQ(BEFORE, val);
	EXPECT_EQ(0, mapped_read(mapped(vf, SCRATCH), &val));
	EXPECT_EQ(BEFORE, val);

	EXPECT_EQ(0, mapped_write(mapped(vf, SCRATCH), INSIDE));
	EXPECT_EQ(0, region_read(vf->dev, SCRATCH, &val));
	EXPECT_EQ(INSIDE, val);
	EXPECT_EQ(0, region_write(vf->dev, SCRATCH, BEFORE));
	EXPECT_EQ(0, mapped_read(mapped(vf, SCRATCH), &val));
	EXPECT_EQ(BEFORE, val);
}

/* In one piece, as a debugger would: all ones as well */
static void expect_ones(struct __test_metadata *_metadata, struct vfio_dev *dev)
{
	__u8 all[IGBVF_BAR0_SIZE] = {};
	size_t i;

	ASSERT_EQ(0, vfio_region_read(dev, VFIO_PCI_BAR0_REGION_INDEX, 0, all,
				      sizeof(all)));
	for (i = 0; i < sizeof(all) && all[i] == 0xff; i++)
		;
	EXPECT_EQ(sizeof(all), i);
}

static void expect_closed(struct __test_metadata *_metadata, struct igbvf *vf)
{
	unsigned int page;
	__u32 reg, val;

	for (reg = 0; reg < IGBVF_BAR0_SIZE; reg += 4) {
		val = 0;
		ASSERT_EQ(0, region_read(vf->dev, reg, &val));
		ASSERT_EQ(~0U, val)
			TH_LOG("register %#x of a stopped device", reg);
	}
	expect_ones(_metadata, vf->dev);
	EXPECT_EQ(0, region_write(vf->dev, SCRATCH, INSIDE))
		TH_LOG("a write is dropped, it does not fail");
	EXPECT_EQ(0, region_write(vf->dev, PSRTYPE, INSIDE));
	EXPECT_EQ(0, region_write(vf->dev, VMBMEM(15), INSIDE));

	for (page = 0; page < IGBVF_PAGES; page++) {
		if (!vf->page[page])
			continue;
		EXPECT_EQ(-EFAULT, mapped_read(vf->page[page], &val))
			TH_LOG("page %u is still mapped", page);
	}
	EXPECT_EQ(-EFAULT, mapped_write(mapped(vf, SCRATCH), INSIDE));
}

TEST_F(gate, open_while_running)
{
	static const __u32 states[] = {
		VFIO_DEVICE_STATE_RUNNING,
		VFIO_DEVICE_STATE_RUNNING_P2P,
		VFIO_DEVICE_STATE_PRE_COPY_P2P,
		VFIO_DEVICE_STATE_PRE_COPY,
		VFIO_DEVICE_STATE_RUNNING,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		GO(self->dev, states[i]);
		expect_open(_metadata, &self->vf);
	}
}

TEST_F(gate, closed_in_stop)
{
	GO(self->dev, VFIO_DEVICE_STATE_STOP);
	expect_closed(_metadata, &self->vf);
	GO(self->dev, VFIO_DEVICE_STATE_RUNNING_P2P);
	expect_open(_metadata, &self->vf);
	GO(self->dev, VFIO_DEVICE_STATE_RUNNING);
	expect_open(_metadata, &self->vf);
}

TEST_F(gate, closed_in_stop_copy)
{
	struct mig_stream again;

	ASSERT_EQ(0, mig_save(self->dev, &self->stream));
	expect_closed(_metadata, &self->vf);
	GO(self->dev, VFIO_DEVICE_STATE_STOP);
	ASSERT_EQ(0, mig_save(self->dev, &again));
	EXPECT_EQ(-1, mig_diff(&self->stream, &again))
		TH_LOG("a write to a stopped device is in its stream");
	GO(self->dev, VFIO_DEVICE_STATE_RUNNING);
	expect_open(_metadata, &self->vf);
}

TEST_F(gate, closed_in_resuming)
{
	int fd;

	GO_FD(self->dev, VFIO_DEVICE_STATE_RESUMING, &fd);
	expect_closed(_metadata, &self->vf);
	ASSERT_EQ(0, mig_write(fd, self->stream.data, self->stream.len));
	expect_closed(_metadata, &self->vf);
	GO(self->dev, VFIO_DEVICE_STATE_STOP);
	expect_closed(_metadata, &self->vf);
	GO(self->dev, VFIO_DEVICE_STATE_RUNNING);
	expect_open(_metadata, &self->vf);
	close(fd);
}

TEST_F(gate, reset_opens)
{
	unsigned int i;
	__u32 val;

	for (i = 0; i < NR_STATES; i++) {
		GO(self->dev, check_states[i]);
		ASSERT_EQ(0, vfio_reset(self->dev));
		igbvf_write(&self->vf, SCRATCH, BEFORE);
		EXPECT_EQ(0, mapped_read(mapped(&self->vf, SCRATCH), &val));
		expect_open(_metadata, &self->vf);
	}
}

/* Config space is the VMM's to restore while the device is stopped */
TEST_F(gate, config_space_stays)
{
	unsigned int i;
	__u16 vendor;
	__u8 line;

	for (i = 0; i < NR_STATES; i++) {
		GO(self->dev, check_states[i]);
		EXPECT_EQ(0, vfio_region_read(self->dev,
					      VFIO_PCI_CONFIG_REGION_INDEX,
					      PCI_VENDOR_ID, &vendor, 2));
		EXPECT_EQ(0x8086, vendor);
		line = 0x40 + i;
		EXPECT_EQ(0, vfio_region_write(self->dev,
					       VFIO_PCI_CONFIG_REGION_INDEX,
					       PCI_INTERRUPT_LINE, &line, 1));
		line = 0;
		EXPECT_EQ(0, vfio_region_read(self->dev,
					      VFIO_PCI_CONFIG_REGION_INDEX,
					      PCI_INTERRUPT_LINE, &line, 1));
		EXPECT_EQ(0x40 + i, line);
		ASSERT_EQ(0, vfio_reset(self->dev));
	}
}

/* Of config space no capability of the VF covers these, or what follows them */
static const __u16 nowhere[] = { 0x40, 0x9c, 0xdc, 0xfc, 0x200, 0xffc };

/* It would outlive any reset, and the next user's VMM would find another device */
TEST_F(gate, config_space_has_no_hiding_place)
{
	const __u32 index = VFIO_PCI_CONFIG_REGION_INDEX;
	__u32 was, now, val;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nowhere); i++) {
		ASSERT_EQ(0, vfio_region_read(self->dev, index, nowhere[i],
					      &was, sizeof(was)));
		val = ~was;
		ASSERT_EQ(0, vfio_region_write(self->dev, index, nowhere[i],
					       &val, sizeof(val)));
		ASSERT_EQ(0, vfio_region_read(self->dev, index, nowhere[i],
					      &now, sizeof(now)));
		EXPECT_EQ(was, now)
			TH_LOG("at %#x", nowhere[i]);
		vfio_region_write(self->dev, index, nowhere[i], &was, sizeof(was));
	}
}

/* What goes beyond the end of the header is written as far as that goes */
TEST_F(gate, config_space_across_a_border)
{
	const __u32 index = VFIO_PCI_CONFIG_REGION_INDEX;
	__u8 was[8], val[8], now[8];

	ASSERT_EQ(0, vfio_region_read(self->dev, index, PCI_INTERRUPT_LINE, was,
				      sizeof(was)));
	memset(val, 0x5a, sizeof(val));
	ASSERT_EQ(0, vfio_region_write(self->dev, index, PCI_INTERRUPT_LINE, val,
				       sizeof(val)));
	ASSERT_EQ(0, vfio_region_read(self->dev, index, PCI_INTERRUPT_LINE, now,
				      sizeof(now)));
	EXPECT_EQ(0x5a, now[0]);
	EXPECT_EQ(0, memcmp(was + 4, now + 4, 4));
	vfio_region_write(self->dev, index, PCI_STD_HEADER_SIZEOF, was + 4, 4);
	EXPECT_EQ(-EFAULT, vfio_region_write(self->dev, index, 0xffc, val,
					     sizeof(val)));
	EXPECT_EQ(-EFAULT, vfio_region_write(self->dev, index, 0x1000, val, 4));
}

/* The mailbox page is trapped always: nobody maps it, in no combination */
TEST_F(gate, mailbox_page_is_not_mapped)
{
	static const struct {
		__u64 off;
		size_t len;
	} bad[] = {
		{ 0, 0x1000 }, { 0, 0x2000 }, { 0, 0x4000 },
		{ 0x3000, 0x2000 }, { 0x4000, 0x1000 },
	};
	unsigned int i;
	void *map;

	EXPECT_TRUE(self->bar.sparse)
		TH_LOG("BAR0 has a sparse mmap capability");
	for (i = 0; i < self->bar.nr_areas; i++) {
		EXPECT_LE(0x1000, self->bar.areas[i].offset);
		EXPECT_LT(0, self->bar.areas[i].size);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_NE(0, vfio_region_mmap(self->dev,
					      VFIO_PCI_BAR0_REGION_INDEX,
					      bad[i].off, bad[i].len, &map))
			TH_LOG("mmap of %#zx bytes at %#llx works", bad[i].len,
			       bad[i].off);
		if (map)
			munmap(map, bad[i].len);
	}
}

/* What the capability lists can be mapped, and in one piece */
TEST_F(gate, areas_are_mapped)
{
	unsigned int i;
	void *map;

	for (i = 0; i < self->bar.nr_areas; i++) {
		ASSERT_EQ(0, vfio_region_mmap(self->dev,
					      VFIO_PCI_BAR0_REGION_INDEX,
					      self->bar.areas[i].offset,
					      self->bar.areas[i].size, &map));
		munmap(map, self->bar.areas[i].size);
	}
}

/* A page that is trapped at 4 KiB and is not in a mapping made by mremap() */
TEST_F(gate, mapping_does_not_grow)
{
	void *map, *grown;

	ASSERT_EQ(0, vfio_region_mmap(self->dev, VFIO_PCI_BAR0_REGION_INDEX,
				      0x3000, 0x1000, &map));
	grown = mremap(map, 0x1000, 0x2000, MREMAP_MAYMOVE);
	EXPECT_EQ(MAP_FAILED, grown);
	munmap(map, 0x1000);
}

/* One that was moved is found and revoked where it is now */
TEST_F(gate, mapping_that_moves)
{
	void *map, *place, *moved;
	__u32 val;

	ASSERT_EQ(0, vfio_region_mmap(self->dev, VFIO_PCI_BAR0_REGION_INDEX,
				      0x1000, 0x1000, &map));
	ASSERT_EQ(0, mapped_read(map, &val));
	place = mmap(NULL, 0x1000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	ASSERT_NE(MAP_FAILED, place);
	moved = mremap(map, 0x1000, 0x1000, MREMAP_MAYMOVE | MREMAP_FIXED,
		       place);
	ASSERT_EQ(place, moved);
	EXPECT_EQ(0, mapped_read(moved, &val));
	GO(self->dev, VFIO_DEVICE_STATE_STOP);
	EXPECT_EQ(-EFAULT, mapped_read(moved, &val));
	GO(self->dev, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(0, mapped_read(moved, &val));
	munmap(moved, 0x1000);
}

/* The pages of a mapping cannot be exchanged for the trapped one */
TEST_F(gate, mapping_does_not_change_its_pages)
{
	size_t size = self->bar.areas[0].size;
	__u32 val;
	void *map;

	ASSERT_EQ(0, vfio_region_mmap(self->dev, VFIO_PCI_BAR0_REGION_INDEX,
				      self->bar.areas[0].offset, size, &map));
	EXPECT_EQ(-1, remap_file_pages(map, 0x1000, 0,
				       self->bar.offset / 0x1000, 0))
		TH_LOG("the mailbox page can be mapped by remap_file_pages()");
	if (!remap_file_pages(map, 0x1000, 0, self->bar.offset / 0x1000 + 2,
			      0)) {
		GO(self->dev, VFIO_DEVICE_STATE_STOP);
		EXPECT_EQ(-EFAULT, mapped_read(map, &val));
	}
	munmap(map, size);
}

/* A mapping made while the device is stopped waits for it to run */
TEST_F(gate, mapped_while_stopped)
{
	__u32 val;
	void *map;

	GO(self->dev, VFIO_DEVICE_STATE_STOP);
	ASSERT_EQ(0, vfio_region_mmap(self->dev, VFIO_PCI_BAR0_REGION_INDEX,
				      0x1000, 0x1000, &map));
	EXPECT_EQ(-EFAULT, mapped_read(map + SCRATCH % 0x1000, &val));
	GO(self->dev, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(0, mapped_read(map + SCRATCH % 0x1000, &val));
	EXPECT_EQ(BEFORE, val);
	munmap(map, 0x1000);
}

/* Reads when it is told to, and says what came of it: a value, or -EFAULT */
static void run_child(int in, int out, __u32 *reg)
{
	__s64 answer;
	__u32 val;
	char go;

	while (read(in, &go, 1) == 1) {
		answer = mapped_read(reg, &val);
		if (!answer)
			answer = val;
		if (write(out, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(0);
}

static __s64 ask_child(int in, int out)
{
	__s64 answer;

	if (write(out, "", 1) != 1 ||
	    read(in, &answer, sizeof(answer)) != sizeof(answer))
		return -EIO;
	return answer;
}

/* What a child has inherited is revoked like what its parent has */
TEST_F(gate, childs_mapping)
{
	int to[2], from[2];
	pid_t child;
	__u32 val;

	ASSERT_EQ(0, pipe(to) | pipe(from));
	ASSERT_EQ(0, mapped_read(mapped(&self->vf, SCRATCH), &val));
	child = fork();
	ASSERT_LE(0, child);
	if (!child) {
		close(to[1]);
		run_child(to[0], from[1], mapped(&self->vf, SCRATCH));
	}
	EXPECT_EQ(BEFORE, ask_child(from[0], to[1]));
	GO(self->dev, VFIO_DEVICE_STATE_STOP);
	EXPECT_EQ(-EFAULT, ask_child(from[0], to[1]));
	GO(self->dev, VFIO_DEVICE_STATE_RUNNING);
	EXPECT_EQ(BEFORE, ask_child(from[0], to[1]));
	close(to[1]);
	EXPECT_EQ(child, waitpid(child, NULL, 0));
}

TEST_F(gate, no_ioeventfd)
{
	static const __u32 regs[] = { V2PMAILBOX, VTEICS, RDT(0), TDT(0) };
	struct vfio_device_ioeventfd arg = {
		.argsz = sizeof(arg),
		.flags = VFIO_DEVICE_IOEVENTFD_32,
		.data = 1,
	};
	unsigned int i;
	int fd;

	fd = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, fd);
	arg.fd = fd;
	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		arg.offset = self->bar.offset + regs[i];
		EXPECT_EQ(-1, ioctl(self->dev->fd, VFIO_DEVICE_IOEVENTFD,
				    &arg))
			TH_LOG("an ioeventfd writes %#x past the gate",
			       regs[i]);
	}
	close(fd);
}

/* Newer kernels than some headers know it; older ones have none to refuse */
#ifndef VFIO_DEVICE_FEATURE_DMA_BUF
#define VFIO_DEVICE_FEATURE_DMA_BUF	11
#endif

TEST_F(gate, no_dma_buf)
{
	struct {
		__u32 region;
		__u32 open_flags;
		__u32 flags;
		__u32 nr_ranges;
		__u64 offset;
		__u64 length;
	} get = {
		.region = VFIO_PCI_BAR0_REGION_INDEX,
		.open_flags = O_CLOEXEC,
		.nr_ranges = 1,
		.offset = 0x1000,
		.length = 0x1000,
	};

	EXPECT_EQ(-ENOTTY, vfio_feature(self->dev,
					VFIO_DEVICE_FEATURE_PROBE |
					VFIO_DEVICE_FEATURE_GET,
					VFIO_DEVICE_FEATURE_DMA_BUF, NULL, 0))
		TH_LOG("a DMA-BUF of BAR0 goes past the gate");
	EXPECT_EQ(-ENOTTY, vfio_feature(self->dev, VFIO_DEVICE_FEATURE_GET,
					VFIO_DEVICE_FEATURE_DMA_BUF, &get,
					sizeof(get)));
}

struct hammer {
	struct igbvf *vf;
	bool stop;
	unsigned long landed;
	unsigned long refused;
};

static void *hammer(void *arg)
{
	struct hammer *hammer = arg;
	__u32 val = 0;

	while (!__atomic_load_n(&hammer->stop, __ATOMIC_RELAXED)) {
		val = (val + 4) & 0x7ffc;
		if (mapped_write(mapped(hammer->vf, SCRATCH), val))
			hammer->refused++;
		else
			hammer->landed++;
		region_write(hammer->vf->dev, VTEITR(1), val);
	}
	return NULL;
}

/* Somebody who does not keep still cannot change a stopped device */
TEST_F_TIMEOUT(gate, under_fire, 120)
{
	struct hammer fire = { .vf = &self->vf };
	struct mig_stream again;
	pthread_t thread;
	unsigned int i;

	ASSERT_EQ(0, pthread_create(&thread, NULL, hammer, &fire));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, mig_save(self->dev, &self->stream));
		usleep(1000);
		GO(self->dev, VFIO_DEVICE_STATE_STOP);
		ASSERT_EQ(0, mig_save(self->dev, &again));
		ASSERT_EQ(-1, mig_diff(&self->stream, &again))
			TH_LOG("round %u: a stopped device changed", i);
		GO(self->dev, VFIO_DEVICE_STATE_RUNNING);
		usleep(1000);
	}
	__atomic_store_n(&fire.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_LT(0, fire.landed);
	EXPECT_LT(0, fire.refused);
}

/* Whether a register can be reached now; between two of these it may or not */
enum { OPEN, CHANGING, CLOSED };

struct watcher {
	__u32 *reg;
	bool stop;
	unsigned int phase;	/* one of the above, and more with each change */
	__u32 want;		/* what the register holds while it is open */
	unsigned long open;
	unsigned long closed;
	const char *wrong;
};

static void *watch(void *arg)
{
	struct watcher *w = arg;
	unsigned int phase;
	__u32 want, val;
	int ret;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		phase = __atomic_load_n(&w->phase, __ATOMIC_SEQ_CST);
		want = __atomic_load_n(&w->want, __ATOMIC_SEQ_CST);
		ret = mapped_read(w->reg, &val);
		if (phase != __atomic_load_n(&w->phase, __ATOMIC_SEQ_CST))
			continue;
		if (phase % 4 == OPEN) {
			w->open++;
			if (ret)
				w->wrong = "a running device cannot be read";
			else if (val != want)
				w->wrong = "a read gave a value of earlier";
		} else if (phase % 4 == CLOSED) {
			w->closed++;
			if (!ret)
				w->wrong = "a stopped device can be read";
		}
	}
	return NULL;
}

static void enter(struct watcher *w, unsigned int phase)
{
	unsigned int next = w->phase + 1;

	while (next % 4 != phase)
		next++;
	__atomic_store_n(&w->phase, next, __ATOMIC_SEQ_CST);
}

/* Each time with another value in the register, by way of a stream */
TEST_F_TIMEOUT(gate, live_or_gone, 120)
{
	struct watcher w = { .reg = mapped(&self->vf, SCRATCH), .want = BEFORE };
	struct mig_stream stream[2];
	pthread_t thread;
	unsigned int i;

	stream[0] = self->stream;
	igbvf_write(&self->vf, SCRATCH, INSIDE);
	ASSERT_EQ(0, mig_save(self->dev, &stream[1]));
	ASSERT_EQ(0, mig_load(self->dev, &stream[0],
			      VFIO_DEVICE_STATE_RUNNING));

	ASSERT_EQ(0, pthread_create(&thread, NULL, watch, &w));
	for (i = 1; i <= 200 && !w.wrong; i++) {
		usleep(500);
		enter(&w, CHANGING);
		GO(self->dev, VFIO_DEVICE_STATE_STOP);
		enter(&w, CLOSED);
		ASSERT_EQ(0, mig_load(self->dev, &stream[i % 2],
				      VFIO_DEVICE_STATE_STOP));
		usleep(500);
		enter(&w, CHANGING);
		GO(self->dev, VFIO_DEVICE_STATE_RUNNING);
		w.want = i % 2 ? INSIDE : BEFORE;
		enter(&w, OPEN);
	}
	__atomic_store_n(&w.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_EQ(NULL, w.wrong)
		TH_LOG("round %u: %s", i, w.wrong);
	EXPECT_LT(100, w.open);
	EXPECT_LT(100, w.closed);
}

TEST_HARNESS_MAIN
