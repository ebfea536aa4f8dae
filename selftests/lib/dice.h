/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers that nobody expects, and that are the same again for the same seed */
#ifndef SELFTESTS_LIB_DICE_H
#define SELFTESTS_LIB_DICE_H

#include <stdlib.h>

/* One of 0 to @limit - 1 */
static inline unsigned int roll(unsigned int *dice, unsigned int limit)
{
	return (rand_r(dice) >> 4) % limit;
}

#endif
