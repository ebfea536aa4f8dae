// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs to tell the owner of a device of a fault, and to be told: by the
 * ring, and by a pipe that the same entries are read from. The faults are reported by
 * pretend_fault.ko.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/faults.h"
#include "migration.h"
#include "phase.h"

#define TOOK	"/sys/module/pretend_fault/parameters/took"
#define IOVA	0xdead0000ULL
#define RING	4096		/* no ring has more entries */
#define MANY	64		/* entries in a read() of many */
#define SPAN_US	1e6

struct costs {
	double nobody[PHASE_ROUNDS];	/* ns for each fault */
	double told[PHASE_ROUNDS];
	double dropped[PHASE_ROUNDS];
	double ring[PHASE_ROUNDS];	/* ns for each entry */
	double read_one[PHASE_ROUNDS];
	double read_many[PHASE_ROUNDS];
};

static struct vfio_mig_fault entries[RING], copy[RING];

static double report_ns(const char *bdf, unsigned int count)
{
	unsigned long ns = 0;
	FILE *file;

	check(faults_report(bdf, IOVA, true, count), "reporting faults");
	file = fopen(TOOK, "r");
	if (!file || fscanf(file, "%lu", &ns) != 1)
		check(-ENODATA, TOOK);
	fclose(file);
	return (double)ns / count;
}

static double take_ns(struct faults *faults, __u32 nr)
{
	double start = now_us();
	__u32 i;

	for (i = 0; i < nr; i++)
		check(faults_take(faults, &entries[i]), "taking an entry");
	return (now_us() - start) * 1e3 / nr;
}

/* What was taken last, as if the kernel had written it to a file */
static double read_ns(const int *ends, __u32 nr, size_t at_once)
{
	size_t size = nr * sizeof(*entries), done = 0;
	double start;
	ssize_t n;

	if (write(ends[1], entries, size) != (ssize_t)size)
		check(-EIO, "filling the pipe");
	start = now_us();
	while (done < size) {
		n = read(ends[0], (char *)copy + done, at_once * sizeof(*copy));
		if (n <= 0)
			check(-EIO, "reading the pipe");
		done += n;
	}
	start = now_us() - start;
	check(memcmp(copy, entries, size) ? -EILSEQ : 0, "comparing entries");
	return start * 1e3 / nr;
}

static void measure(struct costs *costs, unsigned int round, struct faults *faults,
		    const char *bdf, const char *plain, const int *ends)
{
	__u32 nr = faults->header->ring.nr_entries;

	costs->nobody[round] = report_ns(plain, nr);
	costs->told[round] = report_ns(bdf, nr);
	costs->dropped[round] = report_ns(bdf, nr);
	costs->ring[round] = take_ns(faults, nr);
	costs->read_one[round] = read_ns(ends, nr, 1);
	costs->read_many[round] = read_ns(ends, nr, MANY);
}

static void show_costs(struct costs *costs)
{
	double nobody = median(costs->nobody, PHASE_ROUNDS);
	double told = median(costs->told, PHASE_ROUNDS);
	double dropped = median(costs->dropped, PHASE_ROUNDS);
	double ring = median(costs->ring, PHASE_ROUNDS);
	double one = median(costs->read_one, PHASE_ROUNDS);
	double many = median(costs->read_many, PHASE_ROUNDS);

	printf("\n%-46s %8s %12s\n", "a fault that an IOMMU driver reports", "ns", "ours");
	printf("%-46s %8.0f\n", "of a device that is not ours", nobody);
	printf("%-46s %8.0f %12.0f\n", "told", told, told - nobody);
	printf("%-46s %8.0f %12.0f\n", "dropped: the ring is full", dropped, dropped - nobody);
	printf("\n%-46s %8s %12s\n", "an entry that its owner takes", "ns", "a second");
	printf("%-46s %8.0f %12.0f\n", "from the ring", ring, 1e9 / ring);
	printf("%-46s %8.0f %12.0f\n", "by read(), one at a time", one, 1e9 / one);
	printf("%-46s %8.0f %12.0f\n", "by read(), 64 at a time", many, 1e9 / many);
	printf("goal: from the ring 3 times as many as one at a time or more: %.1f: %s; 64: %.1f\n",
	       one / ring, one / ring >= 3 ? "met" : "MISSED", many / ring);
}

struct source {
	const char *bdf;
	unsigned int burst;
	unsigned int pause_us;
	bool stop;
	unsigned long reported;
};

static void *report_on(void *arg)
{
	struct source *source = arg;

	while (!__atomic_load_n(&source->stop, __ATOMIC_RELAXED)) {
		check(faults_report(source->bdf, IOVA, true, source->burst),
		      "reporting faults");
		source->reported += source->burst;
		if (source->pause_us)
			usleep(source->pause_us);
	}
	return NULL;
}

/* As a consumer does: it sleeps when there are none */
static void take_for(struct faults *faults, double us)
{
	struct vfio_mig_fault fault;
	double end = now_us() + us;

	while (now_us() < end) {
		faults_signalled(faults, 10);
		while (!faults_take(faults, &fault))
			;
	}
}

/* Returns how many a second came, or 0 if some were dropped */
static double sustained(struct faults *faults, struct source *source)
{
	__u64 dropped = faults_dropped(faults);
	double start = now_us();
	pthread_t thread;

	source->stop = false;
	source->reported = 0;
	check(-pthread_create(&thread, NULL, report_on, source), "starting a thread");
	take_for(faults, SPAN_US);
	__atomic_store_n(&source->stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	start = now_us() - start;
	faults_skip(faults);
	return faults_dropped(faults) == dropped ? source->reported * 1e6 / start : 0;
}

static void show_sustained(struct faults *faults, const char *bdf)
{
	__u32 nr = faults->header->ring.nr_entries;
	struct source source = { .bdf = bdf, .burst = nr / 4 };
	double rate;

	for (;;) {
		rate = sustained(faults, &source);
		if (rate)
			break;
		source.pause_us = source.pause_us ? 2 * source.pause_us : 50;
	}
	printf("for a second without a drop: %.0f, in bursts of %u, %u us apart, by a ring of %u\n",
	       rate, source.burst, source.pause_us, nr);
}

void bench_ring(struct vfio_dev *dev, const char *plain)
{
	static struct costs costs;
	struct faults faults;
	unsigned int round;
	int ends[2];

	if (lab_load("pretend_fault"))
		check(-ENOENT, "pretend_fault.ko");
	check(faults_open(&faults, dev), "mapping the ring");
	if (faults.header->ring.nr_entries > RING || pipe(ends))
		check(-EMFILE, "making room");
	for (round = 0; round < PHASE_ROUNDS; round++)
		measure(&costs, round, &faults, dev->bdf, plain, ends);
	show_costs(&costs);
	show_sustained(&faults, dev->bdf);
	close(ends[0]);
	close(ends[1]);
	faults_close(&faults);
}
