// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mapping of registers, and the first access to it. A fault that cannot get its
 * page tables is taken again by Linux, so that the user does not notice.
 */
#include <errno.h>
#include <sys/mman.h>

#include "fail.h"

/* So far from all else that a page there needs page tables of its own */
#define FAR_AWAY	((void *)0x500000000000)

static int begin_unmapped(struct fail *fail)
{
	if (fail->map)
		munmap(fail->map, IGBVF_PAGE_SIZE);
	fail->map = NULL;
	return 0;
}

static int go_map(struct fail *fail)
{
	__u64 pos = fail->dev->region_pos[VFIO_PCI_BAR0_REGION_INDEX];

	fail->map = mmap(FAR_AWAY, IGBVF_PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED_NOREPLACE, fail->dev->fd,
			 pos + SCRATCH / IGBVF_PAGE_SIZE * IGBVF_PAGE_SIZE);
	if (fail->map != MAP_FAILED)
		return 0;
	fail->map = NULL;
	return -errno;
}

static int begin_mapped(struct fail *fail)
{
	begin_unmapped(fail);
	return go_map(fail);
}

static int go_touch(struct fail *fail)
{
	__u32 val;
	int ret = mmio_try_read(fail->map + SCRATCH % IGBVF_PAGE_SIZE, &val);

	if (!ret)
		show(fail, &val, sizeof(val));
	return ret;
}

const struct path fault_paths[] = {
	{ .name = "mmap", .begin = begin_unmapped, .go = go_map,
	  .look = go_touch, .least = 1 },
	{ .name = "fault", .begin = begin_mapped, .go = go_touch },
	{ .name = "mmap again", .begin = begin_unmapped, .go = go_map,
	  .look = go_touch, .least = 1 },
	{}
};
