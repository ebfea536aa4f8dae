/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For sparse, before everything else: Debian 13's is older than the newest
 * kernel, and takes what it does not know in that kernel's headers for errors.
 */
#ifndef _VFMIG_LAB_SPARSE_H
#define _VFMIG_LAB_SPARSE_H

#define __typeof_unqual__ __typeof__

/* MODULE_INFO() asserts the length of its string, a constant to gcc alone. */
#define __builtin_strlen(s) (sizeof(s) - 1)

#endif
