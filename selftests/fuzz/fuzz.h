/* SPDX-License-Identifier: GPL-2.0-only */
/* The fuzzer's interface; the build gives these the names that libFuzzer knows */
#ifndef SELFTESTS_FUZZ_FUZZ_H
#define SELFTESTS_FUZZ_FUZZ_H

#include <linux/types.h>
#include <stddef.h>

/* Takes one input, and aborts where something does not hold; returns 0 */
int fuzz_one(const __u8 *data, size_t len);

/* libFuzzer's own mutations, and what is called instead of them */
size_t fuzz_mutate(__u8 *data, size_t size, size_t max_size);
size_t fuzz_mutate_custom(__u8 *data, size_t size, size_t max_size,
			  unsigned int seed);

#endif
