// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "phase.h"

void check(int ret, const char *what)
{
	if (!ret)
		return;
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-ret));
	exit(1);
}

double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}

void phase_play(struct phase *phase, unsigned int round, struct igbvf *plain)
{
	double start = now_us();

	check(record_play(&phase->record, plain), "playing the accesses");
	phase->floor[round] = now_us() - start;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *v, unsigned int nr)
{
	qsort(v, nr, sizeof(*v), compare);
	return v[nr / 2];
}

void phase_heading(const char *title)
{
	printf("\n%-30s %9s %8s %9s %9s %6s\n", title, "registers", "answers",
	       "driver us", "floor us", "ratio");
}

struct ratio phase_report(struct phase *phase)
{
	struct ratio ratio = {
		median(phase->ours, PHASE_ROUNDS),
		median(phase->floor, PHASE_ROUNDS),
	};

	printf("%-30s %9u %8u %9.0f", phase->name, phase->record.nr,
	       phase->record.answers, ratio.ours);
	if (phase->record.nr)
		printf(" %9.0f %6.2f", ratio.floor, ratio.ours / ratio.floor);
	printf("\n");
	return ratio;
}

void ratio_report(const char *name, struct ratio ratio)
{
	printf("%-30s %9s %8s %9.0f %9.0f %6.2f\n", name, "", "", ratio.ours,
	       ratio.floor, ratio.ours / ratio.floor);
}
