// SPDX-License-Identifier: GPL-2.0-only
/* Numbers that are likely to be just right, or just wrong */
#include "hammer.h"

__u32 any_u32(struct hand *h)
{
	static const __u32 edges[] = {
		0x7f, 0xff, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
		0xfffffff0, 0xfffffffe, 0xffffffff,
	};

	switch (roll(&h->dice, 8)) {
	case 0:
		return edges[roll(&h->dice, sizeof(edges) / sizeof(*edges))];
	case 1:
		return rand_r(&h->dice) << 1 | roll(&h->dice, 2);
	case 2:
		return roll(&h->dice, 4096);
	default:
		return roll(&h->dice, 12);
	}
}

__u64 any_u64(struct hand *h)
{
	switch (roll(&h->dice, 4)) {
	case 0:
		return (__u64)any_u32(h) << 32 | any_u32(h);
	case 1:
		return -(__u64)any_u32(h);
	default:
		return any_u32(h);
	}
}

__u32 any_argsz(struct hand *h, __u32 right)
{
	switch (roll(&h->dice, 16)) {
	case 0:
		return any_u32(h);
	case 1:
		return right - 1;
	case 2:
		return right + 1 + roll(&h->dice, 64);
	default:
		return right;
	}
}

void any_bytes(struct hand *h, void *data, size_t size)
{
	__u8 *byte = data;

	while (size--)
		*byte++ = rand_r(&h->dice) >> 8;
}
