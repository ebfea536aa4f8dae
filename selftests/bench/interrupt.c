// SPDX-License-Identifier: GPL-2.0-only
/*
 * What listening to VT-d adds to the handler of its fault interrupt. The same VF does the
 * same DMA with the driver loaded as usual, and with fault_vtd=0, in turns; the
 * handler's time is that between the kernel's tracepoints around it.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/faults.h"
#include "lib/stray.h"
#include "sysfs.h"
#include "migration.h"
#include "phase.h"

#define TRACING	"/sys/kernel/tracing/"
#define ENTRY	TRACING "events/irq/irq_handler_entry/"
#define EXIT	TRACING "events/irq/irq_handler_exit/"
#define IOVA	0xdead0000ULL
#define FAULTS	1000
#define ROUNDS	5

struct side {
	const char *parameter;
	double handler[ROUNDS];		/* us */
	double rate[ROUNDS];		/* faults a second, as fast as the device makes them */
	unsigned long told;
	unsigned long dropped;
};

static void trace(bool on)
{
	char filter[32];

	snprintf(filter, sizeof(filter), on ? "irq == %d" : "0", stray_irq());
	check(sysfs_put(ENTRY "filter", filter), ENTRY "filter");
	check(sysfs_put(EXIT "filter", filter), EXIT "filter");
	if (on)
		check(sysfs_put(TRACING "trace", ""), TRACING "trace");
	check(sysfs_put(ENTRY "enable", on ? "1" : "0"), ENTRY "enable");
	check(sysfs_put(EXIT "enable", on ? "1" : "0"), EXIT "enable");
}

/* In us; 0: not in this line. Before the name of an event is when it was. */
static double stamp(const char *line, const char *event)
{
	const char *at = strstr(line, event);

	if (!at)
		return 0;
	while (at > line && at[-1] != ' ')
		at--;
	return strtod(at, NULL) * 1e6;
}

/*
 * The mean of those in the middle: the kernel writes to its log in some, which takes
 * long, and is no part of this.
 */
static double middle(double *took, unsigned int nr)
{
	unsigned int i, part = nr / 4;
	double sum = 0;

	median(took, nr);
	for (i = part; i < nr - part; i++)
		sum += took[i];
	return sum / (nr - 2 * part);
}

static double handler_us(void)
{
	static double took[2 * FAULTS];
	double entered = 0, now;
	unsigned int nr = 0;
	char line[512];
	FILE *file = fopen(TRACING "trace", "r");

	if (!file)
		check(-errno, TRACING "trace");
	while (fgets(line, sizeof(line), file) && nr < 2 * FAULTS) {
		now = stamp(line, ": irq_handler_entry:");
		if (now)
			entered = now;
		now = stamp(line, ": irq_handler_exit:");
		if (now && entered) {
			took[nr++] = now - entered;
			entered = 0;
		}
	}
	fclose(file);
	check(nr < FAULTS / 2 ? -ENODATA : 0, "tracing the handler");
	return middle(took, nr);
}

static void make_faults(struct igbvf *vf, struct faults *faults)
{
	unsigned int i;

	for (i = 0; i < FAULTS; i++) {
		stray_kick(vf, 1);
		if (faults_ready(faults) > faults->header->ring.nr_entries / 2)
			faults_skip(faults);
	}
	faults_skip(faults);
}

static void measure(struct side *side, unsigned int round)
{
	static const __u8 mac[6] = { 0x02, 0, 0, 0, 0, 0x11 };
	struct faults faults;
	struct lab lab = {};
	struct igbvf vf = {};
	double start;

	check(lab_unload(), "unloading the driver");
	check(lab_reload(side->parameter), "loading the driver");
	check(lab_open(&lab, 1), "opening a VF");
	check(faults_open(&faults, &lab.vf[0]), "mapping the ring");
	check(stray_start(&vf, &lab.vf[0], mac, IOVA), "starting transmission");
	trace(true);
	make_faults(&vf, &faults);
	trace(false);
	side->handler[round] = handler_us();
	start = now_us();
	make_faults(&vf, &faults);
	side->rate[round] = FAULTS * 1e6 / (now_us() - start);
	side->told += faults.next;
	side->dropped += faults_dropped(&faults);
	stray_stop(&vf);
	faults_close(&faults);
	lab_close(&lab);
}

static void show(struct side *off, struct side *on)
{
	double without = median(off->handler, ROUNDS), with = median(on->handler, ROUNDS);

	printf("\n%-46s %8s %12s\n", "VT-d's fault interrupt", "us", "ours");
	printf("%-46s %8.0f\n", "the kernel's handler, nobody listens", without);
	printf("%-46s %8.0f %8.0f %3.0f%%\n", "with each fault told", with, with - without,
	       100 * (with - without) / with);
	printf("as fast as the device makes them: %.0f a second, where nobody listens %.0f\n",
	       median(on->rate, ROUNDS), median(off->rate, ROUNDS));
	printf("%lu of %u told, %lu dropped\n", on->told, 2 * FAULTS * ROUNDS, on->dropped);
}

/* On the processor that is interrupted, so that each fault is one interrupt */
void bench_interrupt(void)
{
	static struct side off = { .parameter = "fault_vtd=0" }, on = { .parameter = "" };
	cpu_set_t before;
	unsigned int round;

	if (stray_irq() < 0) {
		printf("\nno VT-d: its interrupt is not measured\n");
		return;
	}
	sched_getaffinity(0, sizeof(before), &before);
	check(stray_pin_to_handler(), "going to the handler's processor");
	for (round = 0; round < ROUNDS; round++) {
		measure(&off, round);
		measure(&on, round);
	}
	sched_setaffinity(0, sizeof(before), &before);
	show(&off, &on);
	check(off.told ? -EEXIST : 0, "fault_vtd=0");
}
