// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a migration costs above what it cannot do without.
 *
 * VF 0 is saved and VF 1 loaded, both through igb_vfio_pci. The floor is what
 * the device and the PF take by themselves: the register accesses that the
 * driver made, recorded once from its tracepoints, are played by a userspace
 * program on VF 2, which is bound to plain vfio-pci with all of its registers
 * mapped; where the driver waited for the PF to answer a message, so does it.
 * Both sides take turns in one run, and medians are compared.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/igbvf.h"
#include "lib/lab.h"
#include "record.h"

#define ROUNDS		31
#define GOAL		1.5
#define SOURCE		0
#define PEER		1
#define PLAIN		2
#define DRIVER		"igb_vfio_pci"

enum { SAVE, LOAD, PHASES };

struct bench {
	struct lab lab;
	struct igbvf guest;	/* on the source */
	struct igbvf plain;
	struct mig_stream stream;
	struct record record[PHASES];
	double ours[PHASES][ROUNDS];
	double floor[PHASES][ROUNDS];
};

static void check(int ret, const char *what)
{
	if (!ret)
		return;
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-ret));
	exit(1);
}

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

/* A guest as igbvf leaves it: an address, multicast, a larger frame, one queue pair. */
static void set_up_guest(struct bench *b)
{
	static const __u8 mac[6] = { 0x02, 0, 0, 0, 0, 0x10 };
	static const __u8 group[6] = { 0x01, 0, 0x5e, 0, 0, 1 };
	struct igbvf *vf = &b->guest;

	check(igbvf_open(vf, &b->lab.vf[SOURCE]), "opening the source");
	check(igbvf_hello(vf), "VF_RESET handshake");
	check(igbvf_set_mac(vf, mac), "SET_MAC_ADDR");
	check(igbvf_set_multicast(vf, group), "SET_MULTICAST");
	check(igbvf_set_lpe(vf, 1522), "SET_LPE");
	check(igbvf_rx_start(vf, 0), "starting reception");
	check(igbvf_tx_start(vf, 0), "starting transmission");
	igbvf_write(vf, VTEIAC, 7);
	igbvf_write(vf, VTEIMS, 7);
}

static void save(struct bench *b)
{
	check(mig_save(&b->lab.vf[SOURCE], &b->stream), "saving");
}

/* Entering RESUMING is done before the source stops, and not part of this. */
static void load(struct bench *b, int fd)
{
	check(mig_write(fd, b->stream.data, b->stream.len), "writing the stream");
	check(vfio_mig_set_state(&b->lab.vf[PEER], VFIO_DEVICE_STATE_RUNNING, NULL),
	      "RESUMING -> RUNNING");
}

static int enter_resuming(struct bench *b)
{
	int fd;

	check(vfio_mig_set_state(&b->lab.vf[PEER], VFIO_DEVICE_STATE_RESUMING, &fd),
	      "entering RESUMING");
	return fd;
}

static void back_to_running(struct bench *b)
{
	check(vfio_mig_set_state(&b->lab.vf[SOURCE], VFIO_DEVICE_STATE_RUNNING, NULL),
	      "STOP_COPY -> RUNNING");
}

static void record_once(struct bench *b)
{
	int fd = enter_resuming(b);

	check(record_begin(), "enabling the tracepoints");
	save(b);
	check(record_end(&b->record[SAVE]), "recording the save");
	check(record_begin(), "enabling the tracepoints");
	load(b, fd);
	check(record_end(&b->record[LOAD]), "recording the load");
	close(fd);
	back_to_running(b);
}

static void measure_ours(struct bench *b, unsigned int round)
{
	int fd = enter_resuming(b);
	double t0, t1;

	t0 = now_us();
	save(b);
	t1 = now_us();
	load(b, fd);
	b->ours[SAVE][round] = t1 - t0;
	b->ours[LOAD][round] = now_us() - t1;
	close(fd);
	back_to_running(b);
}

static void measure_floor(struct bench *b, unsigned int round)
{
	unsigned int phase;
	double t0;

	for (phase = 0; phase < PHASES; phase++) {
		t0 = now_us();
		check(record_play(&b->record[phase], &b->plain),
		      "playing the accesses");
		b->floor[phase][round] = now_us() - t0;
	}
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

static int report(struct bench *b)
{
	static const char * const names[] = {
		"RUNNING -> STOP_COPY, read", "write, RESUMING -> RUNNING",
	};
	double ours, floor, all_ours = 0, all_floor = 0;
	unsigned int i;

	printf("%-28s %9s %8s %10s %10s %6s\n", "phase", "registers", "answers",
	       "vfmig us", "floor us", "ratio");
	for (i = 0; i < PHASES; i++) {
		ours = median(b->ours[i]);
		floor = median(b->floor[i]);
		all_ours += ours;
		all_floor += floor;
		printf("%-28s %9u %8u %10.0f %10.0f %6.2f\n", names[i],
		       b->record[i].nr, b->record[i].answers, ours, floor,
		       ours / floor);
	}
	printf("%-28s %9u %8u %10.0f %10.0f %6.2f\n", "both",
	       b->record[SAVE].nr + b->record[LOAD].nr,
	       b->record[SAVE].answers + b->record[LOAD].answers, all_ours,
	       all_floor, all_ours / all_floor);
	printf("medians of %u rounds, %zu bytes of device state\n", ROUNDS,
	       b->stream.len);
	printf("goal: a ratio of at most %.2f: %s\n", GOAL,
	       all_ours / all_floor <= GOAL ? "met" : "MISSED");
	return all_ours / all_floor <= GOAL ? 0 : 1;
}

int main(void)
{
	struct bench *b = calloc(1, sizeof(*b));
	unsigned int i;
	int ret;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!b)
		return 1;
	if (lab_vf_count() <= PLAIN || !lab_netdev()) {
		fprintf(stderr, "bench: needs three VFs and their PF, see VFMIG_VFS\n");
		return 1;
	}
	check(lab_bind(PLAIN, "vfio-pci"), "binding a VF to vfio-pci");
	check(lab_open(&b->lab, PLAIN + 1), "opening the VFs");
	set_up_guest(b);
	check(igbvf_open(&b->plain, &b->lab.vf[PLAIN]), "mapping the plain VF");

	record_once(b);
	for (i = 0; i < ROUNDS; i++) {
		measure_ours(b, i);
		measure_floor(b, i);
	}
	ret = report(b);

	igbvf_close(&b->plain);
	igbvf_close(&b->guest);
	lab_close(&b->lab);
	check(lab_bind(PLAIN, DRIVER), "binding the VF back");
	free(b);
	return ret;
}
