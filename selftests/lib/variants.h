/* SPDX-License-Identifier: GPL-2.0-only */
/* Variants of tests, for fixtures of kselftest_harness.h that open devices */
#ifndef SELFTESTS_LIB_VARIANTS_H
#define SELFTESTS_LIB_VARIANTS_H

#include <stdbool.h>

struct __test_metadata;

/*
 * Each test twice: with devices opened through their group, and by their own
 * file. The last line is there for the semicolon that comes after it.
 */
#define GROUP_AND_CDEV(type)						\
	FIXTURE_VARIANT(type) { bool cdev; };				\
	FIXTURE_VARIANT_ADD(type, group) { .cdev = false };		\
	FIXTURE_VARIANT_ADD(type, cdev) { .cdev = true };		\
	struct __test_metadata

#endif
