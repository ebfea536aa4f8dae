/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that stalls whoever touches it first, the kernel as well, until it is let go */
#ifndef SELFTESTS_LIB_STALL_H
#define SELFTESTS_LIB_STALL_H

#include <stddef.h>

struct stall {
	void *mem;
	size_t size;
	int fd;
};

int stall_open(struct stall *stall, size_t size);
int stall_wait(struct stall *stall, int ms);
int stall_release(struct stall *stall);
void stall_close(struct stall *stall);

#endif
