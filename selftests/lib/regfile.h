/* SPDX-License-Identifier: GPL-2.0-only */
/* What a guest can read back of a VF and finds again after a migration */
#ifndef SELFTESTS_LIB_REGFILE_H
#define SELFTESTS_LIB_REGFILE_H

#include "igbvf.h"

#define REGFILE_MAX	64

struct regfile {
	unsigned int nr;
	__u32 reg[REGFILE_MAX];
	__u32 val[REGFILE_MAX];
};

void regfile_read(struct igbvf *vf, struct regfile *file);
int regfile_diff(const struct regfile *a, const struct regfile *b);
int regfile_lost(const struct regfile *before, struct regfile *after);
void regfile_scribble(struct igbvf *vf, __u32 salt);

#endif
