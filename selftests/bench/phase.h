/* SPDX-License-Identifier: GPL-2.0-only */
/* A step whose time is measured many times, beside that of its floor. */
#ifndef SELFTESTS_BENCH_PHASE_H
#define SELFTESTS_BENCH_PHASE_H

#include "record.h"

#define PHASE_ROUNDS	31

struct phase {
	const char *name;
	struct record record;	/* its register accesses, if there is a floor */
	double ours[PHASE_ROUNDS];
	double floor[PHASE_ROUNDS];
};

struct ratio {
	double ours;
	double floor;
};

double now_us(void);
double median(double *v, unsigned int nr);
void check(int ret, const char *what);
void phase_play(struct phase *phase, unsigned int round, struct igbvf *plain);
void phase_heading(const char *title);
struct ratio phase_report(struct phase *phase);
void ratio_report(const char *name, struct ratio ratio);

#endif
