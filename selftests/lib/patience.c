// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFMIG_PATIENCE says how many times longer things take here than they were
 * meant to: a kernel may check every access to memory. The harness ends a test
 * by alarm(), which the linker sends here.
 */
#include <stdlib.h>

unsigned int __real_alarm(unsigned int seconds);

unsigned int __wrap_alarm(unsigned int seconds)
{
	const char *times = getenv("VFMIG_PATIENCE");

	return __real_alarm(times ? seconds * atoi(times) : seconds);
}
