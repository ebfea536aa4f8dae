/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes one allocation or copy from or to user memory fail: the nth of those
 * that the calling thread has the kernel do. For kernels with fault injection.
 */
#ifndef SELFTESTS_LIB_INJECT_H
#define SELFTESTS_LIB_INJECT_H

#include <stdbool.h>

bool inject_available(void);

/* Has all kinds of allocations count, until the process ends */
int inject_setup(void);

/* Of the thread that does so; a negative errno, or a file for the others */
int inject_open(void);

/* From here on they count; 0 or a negative errno */
int inject_arm(int file, unsigned int nth);

/* Up to here; whether there were @nth */
int inject_disarm(int file);

#endif
