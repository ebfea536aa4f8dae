// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a report of the DMA log takes, by the range that it is asked for and by the
 * pages that are in it, beside VFIO type1's own bitmap of the same range.
 *
 * type1 has every page that is mapped for a device count as written. It needs them
 * mapped, so a small memory is behind all of the range, many times over.
 *
 * "report FILE" also leaves the numbers in a file: the range in GiB, the pages, the
 * log's microseconds, and type1's.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/dirty.h"
#include "lib/igbvf.h"
#include "lib/lab.h"
#include "sysfs.h"

#define ROUNDS		15
#define GIB		(1024ULL << 20)
#define BASE		(128 * GIB)
#define MAX_RANGE	(64 * GIB)
#define PIECE		(64ULL << 20)		/* what is behind all of it */
#define HUGE_PAGE	(2ULL << 20)		/* as they are without a choice */
#define HUGE_PAGES	"/proc/sys/vm/nr_hugepages"

#define RING		504
#define DESC		16
#define GOAL_PAGES	1000
#define GOAL_RANGE	(4 * GIB)
#define GOAL		0.1

static const struct work {
	__u64 range;
	unsigned int pages;
} works[] = {
	{ 1 * GIB, GOAL_PAGES },
	{ GOAL_RANGE, 0 },
	{ GOAL_RANGE, 100 },
	{ GOAL_RANGE, GOAL_PAGES },
	{ GOAL_RANGE, 10000 },
	{ 16 * GIB, GOAL_PAGES },
	{ MAX_RANGE, GOAL_PAGES },
};

#define WORKS	(sizeof(works) / sizeof(*works))

struct bench {
	struct lab lab;
	struct vfio_dev *dev;
	struct igbvf vf;
	struct vfio_dma ring;
	unsigned int tail;
	__u64 *bitmap;
	double log[WORKS][ROUNDS];
	double type1[WORKS][ROUNDS];
};

static void check(int ret, const char *what)
{
	if (!ret)
		return;
	fprintf(stderr, "report: %s: %s\n", what, strerror(-ret));
	exit(1);
}

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

/* Addresses of the process that all lead to the same few pages */
static char *alias_memory(void)
{
	int fd = memfd_create("memory", MFD_CLOEXEC | MFD_HUGETLB);
	char *mem, count[16];
	__u64 at;

	snprintf(count, sizeof(count), "%llu", PIECE / HUGE_PAGE);
	check(sysfs_put(HUGE_PAGES, count), HUGE_PAGES);
	mem = mmap(NULL, MAX_RANGE + PIECE, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fd < 0 || ftruncate(fd, PIECE) || mem == MAP_FAILED)
		check(-errno, "making memory");
	mem += PIECE - (unsigned long)mem % PIECE;
	for (at = 0; at < MAX_RANGE; at += PIECE)
		if (mmap(mem + at, PIECE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
			check(-errno, "mapping memory once more");
	close(fd);
	return mem;
}

/* type1 tells of no part of a mapping: each range ends with one */
static void map_range(struct bench *bench)
{
	char *mem = alias_memory();
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
	};
	double start = now_us();
	__u64 done = 0;
	unsigned int i;

	for (i = 0; i < WORKS; i++) {
		if (works[i].range == done)
			continue;
		map.vaddr = (unsigned long)mem + done;
		map.iova = BASE + done;
		map.size = works[i].range - done;
		if (ioctl(bench->lab.iommu.fd, VFIO_IOMMU_MAP_DMA, &map))
			check(-errno, "VFIO_IOMMU_MAP_DMA");
		done = works[i].range;
	}
	printf("# %llu GiB mapped in %.0f s\n", done / GIB, (now_us() - start) / 1e6);
}

static int type1_dirty(struct bench *bench, __u32 flags, __u64 range)
{
	struct {
		struct vfio_iommu_type1_dirty_bitmap head;
		struct vfio_iommu_type1_dirty_bitmap_get get;
	} arg = {
		.head = { .argsz = sizeof(arg), .flags = flags },
		.get = {
			.iova = BASE,
			.size = range,
			.bitmap = {
				.pgsize = DIRTY_PAGE,
				.size = range / DIRTY_PAGE / 8,
				.data = bench->bitmap,
			},
		},
	};

	return ioctl(bench->lab.iommu.fd, VFIO_IOMMU_DIRTY_PAGES, &arg) ? -errno : 0;
}

static void start_queue(struct bench *bench)
{
	struct igbvf *vf = &bench->vf;

	check(vfio_dma_alloc(&bench->lab.iommu, &bench->ring, 2 * DIRTY_PAGE),
	      "allocating a ring");
	check(igbvf_open(vf, bench->dev), "mapping the registers");
	check(igbvf_hello(vf), "VF_RESET handshake");
	igbvf_write(vf, RDBAL(0), (__u32)bench->ring.iova);
	igbvf_write(vf, RDBAH(0), (__u32)(bench->ring.iova >> 32));
	igbvf_write(vf, RDLEN(0), RING * DESC);
	igbvf_write(vf, SRRCTL(0), SRRCTL_ADV_ONEBUF | SRRCTL_BSIZEPKT_1K);
	igbvf_write(vf, RDH(0), 0);
	igbvf_write(vf, RDT(0), 0);
	igbvf_write(vf, RXDCTL(0), igbvf_read(vf, RXDCTL(0)) | XDCTL_ENABLE);
}

static void post(struct bench *bench, __u64 first, __u64 step, unsigned int count)
{
	__le64 *desc = bench->ring.mem;

	for (; count--; first += step) {
		desc[2 * bench->tail] = htole64(first);
		desc[2 * bench->tail + 1] = 0;
		bench->tail = (bench->tail + 1) % RING;
		/* A tail that came all the way round would post nothing */
		if (count % (RING / 2) == 0)
			igbvf_write(&bench->vf, RDT(0), bench->tail);
	}
}

/*
 * Slots that are posted anew count as written, without a packet sent. The last ones
 * of a ring do when others are posted behind them, which are not of the range.
 */
static void make_dirty(struct bench *bench, const struct work *work)
{
	if (!work->pages)
		return;
	post(bench, BASE, work->range / work->pages / DIRTY_PAGE * DIRTY_PAGE, work->pages);
	post(bench, bench->ring.iova, 0, RING - 1);
}

static unsigned long count_bits(struct bench *bench, __u64 range)
{
	unsigned long i, count = 0;

	for (i = 0; i < range / DIRTY_PAGE / 64; i++)
		count += __builtin_popcountll(bench->bitmap[i]);
	return count;
}

static void measure(struct bench *bench, unsigned int i, unsigned int round)
{
	const struct work *work = &works[i];
	double start;

	make_dirty(bench, work);
	memset(bench->bitmap, 0, MAX_RANGE / DIRTY_PAGE / 8);
	start = now_us();
	check(dirty_report(bench->dev, BASE, work->range, DIRTY_PAGE, bench->bitmap),
	      "DMA_LOGGING_REPORT");
	bench->log[i][round] = now_us() - start;
	if (count_bits(bench, work->range) != work->pages)
		check(-EBADMSG, "the pages of a report");

	start = now_us();
	check(type1_dirty(bench, VFIO_IOMMU_DIRTY_PAGES_FLAG_GET_BITMAP, work->range),
	      "VFIO_IOMMU_DIRTY_PAGES");
	bench->type1[i][round] = now_us() - start;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, ROUNDS, sizeof(*v), compare);
	return v[ROUNDS / 2];
}

static void tell(struct bench *bench, FILE *data)
{
	double log, type1, ratio;
	unsigned int i;

	printf("\nREPORT, medians of %u rounds\n", ROUNDS);
	printf("%9s %12s %9s %9s %7s\n", "range GiB", "dirty pages", "log us",
	       "type1 us", "ratio");
	for (i = 0; i < WORKS; i++) {
		log = median(bench->log[i]);
		type1 = median(bench->type1[i]);
		ratio = log / type1;
		fprintf(data, "%llu %u %.0f %.0f\n", works[i].range / GIB, works[i].pages,
			log, type1);
		printf("%9llu %12u %9.0f %9.0f %7.3f", works[i].range / GIB,
		       works[i].pages, log, type1, ratio);
		if (works[i].range == GOAL_RANGE && works[i].pages == GOAL_PAGES)
			printf("  goal: at most %.3f: %s", GOAL,
			       ratio <= GOAL ? "met" : "MISSED");
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	FILE *data = fopen(argc > 1 ? argv[1] : "/dev/null", "w");
	static struct bench bench;
	unsigned int i, round;

	if (!data)
		check(-errno, "opening the file of the numbers");

	setvbuf(stdout, NULL, _IOLBF, 0);
	check(lab_open(&bench.lab, 1), "opening a VF");
	bench.dev = &bench.lab.vf[0];
	if (!dirty_offered(bench.dev)) {
		fprintf(stderr, "report: no DMA log: the kernel has no IOMMUFD_DRIVER\n");
		return 1;
	}
	bench.bitmap = mmap(NULL, MAX_RANGE / DIRTY_PAGE / 8, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (bench.bitmap == MAP_FAILED)
		check(-errno, "allocating a bitmap");
	map_range(&bench);
	start_queue(&bench);
	check(dirty_start(bench.dev, BASE, MAX_RANGE), "DMA_LOGGING_START");
	check(type1_dirty(&bench, VFIO_IOMMU_DIRTY_PAGES_FLAG_START, 0),
	      "starting type1's tracking");
	for (round = 0; round < ROUNDS; round++)
		for (i = 0; i < WORKS; i++)
			measure(&bench, i, round);
	tell(&bench, data);
	fclose(data);
	check(dirty_stop(bench.dev), "DMA_LOGGING_STOP");
	igbvf_close(&bench.vf);
	vfio_dma_free(&bench.lab.iommu, &bench.ring);
	lab_close(&bench.lab);
	return 0;
}
