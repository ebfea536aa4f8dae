/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The register accesses of the driver, recorded from its tracepoints and played
 * again from userspace.
 */
#ifndef SELFTESTS_BENCH_RECORD_H
#define SELFTESTS_BENCH_RECORD_H

#include "lib/igbvf.h"

#define RECORD_MAX	1024

struct access {
	__u32 offset;
	__u32 value;
	bool write;
	bool until_answer;	/* read again until the PF has answered */
};

struct record {
	struct access access[RECORD_MAX];
	unsigned int nr;
	unsigned int answers;
};

int record_begin(void);
int record_end(struct record *record);
int record_play(const struct record *record, struct igbvf *vf);

#endif
