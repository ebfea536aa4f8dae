// SPDX-License-Identifier: GPL-2.0-only
/* What is read, written and mapped of the device, and what it is given of memory */
#include <errno.h>
#include <linux/iommufd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hammer.h"

#define PAGE		4096UL
/* Where vfio-pci has its regions, which a user would have to ask for */
#define REGION(index)	((__u64)(index) << 40)
#define DMA_SIZE	(16 * PAGE)
#define FIRST_IOVA	0x100000000ULL

/* Mostly in BAR 0 and BAR 3, the only ones that there are; else anywhere */
static off_t any_offset(struct hand *h)
{
	switch (roll(&h->dice, 8)) {
	case 0:
		return any_u64(h);
	case 1:
		return REGION(roll(&h->dice, 16)) + any_u32(h);
	case 2:
		return REGION(VFIO_PCI_NUM_REGIONS) + roll(&h->dice, 256);
	case 3:
		return REGION(VFIO_PCI_BAR3_REGION_INDEX) +
		       roll(&h->dice, IGBVF_BAR0_SIZE);
	default:
		return REGION(VFIO_PCI_BAR0_REGION_INDEX) +
		       4 * roll(&h->dice, IGBVF_BAR0_SIZE / 4 + 8);
	}
}

static size_t any_length(struct hand *h)
{
	return roll(&h->dice, 8) ? 4 * roll(&h->dice, 16) : any_u64(h);
}

void do_region_read(struct hand *h)
{
	__u8 data[64] = {};
	void *place = room_put(h, data, sizeof(data));
	size_t size = any_length(h);
	ssize_t ret;

	books_begin(HAMMER_REGION_READ);
	ret = pread(any_dev(h), place, room_limit(h, size), any_offset(h));
	hammer_end(HAMMER_REGION_READ, ret < 0 ? -errno : 0);
}

void do_region_write(struct hand *h)
{
	__u8 data[64];
	size_t size;
	void *place;
	ssize_t ret;

	any_bytes(h, data, sizeof(data));
	place = room_put(h, data, sizeof(data));
	/* One register at a time, or the mailbox would seldom make sense */
	size = roll(&h->dice, 4) ? sizeof(__u32) : any_length(h);
	books_begin(HAMMER_REGION_WRITE);
	ret = pwrite(any_dev(h), place, size, any_offset(h));
	hammer_end(HAMMER_REGION_WRITE, ret < 0 ? -errno : 0);
}

static off_t any_config_offset(struct hand *h)
{
	unsigned int at = roll(&h->dice, 8) ? roll(&h->dice, 256) :
					      roll(&h->dice, 4100);

	return REGION(VFIO_PCI_CONFIG_REGION_INDEX) + at;
}

void do_config_read(struct hand *h)
{
	__u8 data[8] = {};
	void *place = room_put(h, data, sizeof(data));
	size_t size = roll(&h->dice, 8) ? roll(&h->dice, 9) : any_u64(h);
	ssize_t ret;

	books_begin(HAMMER_CONFIG_READ);
	ret = pread(any_dev(h), place, room_limit(h, size),
		    any_config_offset(h));
	hammer_end(HAMMER_CONFIG_READ, ret < 0 ? -errno : 0);
}

/* Half of the time as firmware and guests do it: decoding and DMA on, or off */
void do_config_write(struct hand *h)
{
	__u16 cmd = roll(&h->dice, 4) ? PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER :
					0;
	off_t at = any_config_offset(h);
	__u8 data[8];
	size_t size;
	void *place;
	ssize_t ret;

	any_bytes(h, data, sizeof(data));
	if (roll(&h->dice, 2)) {
		at = REGION(VFIO_PCI_CONFIG_REGION_INDEX) + PCI_COMMAND;
		place = room_put(h, &cmd, sizeof(cmd));
		size = sizeof(cmd);
	} else {
		place = room_put(h, data, sizeof(data));
		size = roll(&h->dice, 9);
	}
	books_begin(HAMMER_CONFIG_WRITE);
	ret = pwrite(any_dev(h), place, size, at);
	hammer_end(HAMMER_CONFIG_WRITE, ret < 0 ? -errno : 0);
}

static struct map *any_map(struct hand *h)
{
	return &h->maps[roll(&h->dice, HAMMER_MAPS)];
}

static void unmap(struct map *map)
{
	if (map->mem)
		munmap(map->mem, map->size);
	map->mem = NULL;
}

/* Pages that are trapped, or are none of the BAR's, are not to be had */
static void check_range(off_t at, size_t size)
{
	if (at >> 40 == VFIO_PCI_BAR0_REGION_INDEX &&
	    (at < (off_t)PAGE || at + size > IGBVF_BAR0_SIZE))
		hammer_bad("mmap of %#zx bytes at %#llx: success", size,
			   (unsigned long long)at);
}

void do_mmap(struct hand *h)
{
	struct map *map = any_map(h);
	size_t size = PAGE * (1 + roll(&h->dice, roll(&h->dice, 2) ? 2 : 5));
	off_t at = roll(&h->dice, 4) ? 4096 * (off_t)(1 + roll(&h->dice, 3)) :
				       any_offset(h) & -4096;
	int prot = roll(&h->dice, 4) ? PROT_READ | PROT_WRITE :
				       (int)roll(&h->dice, 8);
	int flags = roll(&h->dice, 8) ? MAP_SHARED : MAP_PRIVATE;
	void *mem;

	if (!roll(&h->dice, 8))
		flags |= MAP_POPULATE;
	books_begin(HAMMER_MMAP);
	mem = mmap(NULL, size, prot, flags, any_dev(h), at);
	hammer_end(HAMMER_MMAP, mem == MAP_FAILED ? -errno : 0);
	if (mem == MAP_FAILED)
		return;
	check_range(at, size);
	unmap(map);
	map->mem = mem;
	map->size = size;
}

static int touch(unsigned int *dice, const struct map *map)
{
	void *at = map->mem + 4 * roll(dice, map->size / 4);
	__u32 val = rand_r(dice);

	return roll(dice, 2) ? guarded_copy(at, &val, sizeof(val)) :
			       guarded_copy(&val, at, sizeof(val));
}

void do_touch(struct hand *h)
{
	const struct map *map = any_map(h);

	if (!map->mem)
		return;
	books_begin(HAMMER_TOUCH);
	hammer_end(HAMMER_TOUCH, touch(&h->dice, map));
}

/* All of it, or the end, or the beginning */
void do_munmap(struct hand *h)
{
	struct map *map = any_map(h);
	unsigned int what = roll(&h->dice, 3);
	size_t size = what && map->size > PAGE ? PAGE : map->size;
	int ret;

	if (!map->mem)
		return;
	books_begin(HAMMER_MUNMAP);
	ret = munmap(what == 1 ? map->mem + map->size - size : map->mem, size);
	hammer_end(HAMMER_MUNMAP, ret ? -errno : 0);
	map->size -= size;
	if (what != 1)
		map->mem += size;
	if (!map->size)
		map->mem = NULL;
}

/* It never gets larger */
void do_mremap(struct hand *h)
{
	struct map *map = any_map(h);
	unsigned int pages = roll(&h->dice, 2) ? map->size / PAGE : 0;
	size_t size = PAGE * (1 + roll(&h->dice, pages ?: 6));
	void *mem;

	if (!map->mem)
		return;
	books_begin(HAMMER_MREMAP);
	mem = mremap(map->mem, map->size, size,
		     roll(&h->dice, 2) ? MREMAP_MAYMOVE : 0);
	hammer_end(HAMMER_MREMAP, mem == MAP_FAILED ? -errno : 0);
	if (mem == MAP_FAILED)
		return;
	if (size > map->size)
		hammer_bad("mremap has made %#zx bytes of %#zx", size,
			   map->size);
	map->mem = mem;
	map->size = size;
}

void do_madvise(struct hand *h)
{
	struct map *map = any_map(h);
	int ret;

	if (!map->mem)
		return;
	books_begin(HAMMER_MADVISE);
	ret = madvise(map->mem, map->size, roll(&h->dice, 26));
	hammer_end(HAMMER_MADVISE, ret ? -errno : 0);
}

void do_mprotect(struct hand *h)
{
	struct map *map = any_map(h);
	int prot = roll(&h->dice, 2) ? PROT_READ | PROT_WRITE :
				       (int)roll(&h->dice, 8);
	int ret;

	if (!map->mem)
		return;
	books_begin(HAMMER_MPROTECT);
	ret = mprotect(map->mem, map->size, prot);
	hammer_end(HAMMER_MPROTECT, ret ? -errno : 0);
}

/* What is mapped is so in the child as well, and in no way else */
void do_fork(struct hand *h)
{
	const struct map *map = any_map(h);
	unsigned int i;
	pid_t pid;

	books_begin(HAMMER_FORK);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (i = 0; i < 8 && map->mem; i++)
			touch(&h->dice, map);
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	hammer_end(HAMMER_FORK, pid < 0 ? -errno : 0);
}

/* Memory of the process, or what it has mapped of the device */
static void *any_memory(struct hand *h)
{
	const struct map *map = any_map(h);

	return roll(&h->dice, 4) || !map->mem ? h->room : map->mem;
}

static __u64 any_iova(struct hand *h)
{
	return roll(&h->dice, 8) ? FIRST_IOVA + DMA_SIZE * roll(&h->dice, 8) :
				   any_u64(h);
}

static __u64 any_dma_size(struct hand *h)
{
	return roll(&h->dice, 8) ? PAGE * (1 + roll(&h->dice, 16)) : any_u64(h);
}

void do_dma_map(struct hand *h)
{
	struct session *s = h->session;
	struct vfio_iommu_type1_dma_map type1 = {
		.argsz = any_argsz(h, sizeof(type1)),
		.flags = roll(&h->dice, 8) ? 3 : any_u32(h),
		.vaddr = (unsigned long)any_memory(h),
		.iova = any_iova(h),
		.size = any_dma_size(h),
	};
	struct iommu_ioas_map ioas = {
		.size = any_argsz(h, sizeof(ioas)),
		.flags = roll(&h->dice, 8) ? 7 : any_u32(h),
		.ioas_id = s->iommu.ioas,
		.user_va = type1.vaddr,
		.length = type1.size,
		.iova = type1.iova,
	};

	if (s->iommu.cdev)
		hammer_ioctl(h, HAMMER_DMA_MAP, s->iommu.fd, IOMMU_IOAS_MAP,
			     &ioas, sizeof(ioas));
	else
		hammer_ioctl(h, HAMMER_DMA_MAP, s->iommu.fd,
			     VFIO_IOMMU_MAP_DMA, &type1, sizeof(type1));
}

void do_dma_unmap(struct hand *h)
{
	struct session *s = h->session;
	/* VFIO takes a page size of zero in what would follow: Documentation/lab.rst */
	__u32 flags = any_u32(h) & ~VFIO_DMA_UNMAP_FLAG_GET_DIRTY_BITMAP;
	struct vfio_iommu_type1_dma_unmap type1 = {
		.argsz = any_argsz(h, sizeof(type1)),
		.flags = roll(&h->dice, 8) ? 0 : flags,
		.iova = any_iova(h),
		.size = roll(&h->dice, 2) ? DMA_SIZE : any_dma_size(h),
	};
	struct iommu_ioas_unmap ioas = {
		.size = any_argsz(h, sizeof(ioas)),
		.ioas_id = s->iommu.ioas,
		.iova = type1.iova,
		.length = type1.size,
	};

	if (s->iommu.cdev)
		hammer_ioctl(h, HAMMER_DMA_UNMAP, s->iommu.fd, IOMMU_IOAS_UNMAP,
			     &ioas, sizeof(ioas));
	else
		hammer_ioctl(h, HAMMER_DMA_UNMAP, s->iommu.fd,
			     VFIO_IOMMU_UNMAP_DMA, &type1, sizeof(type1));
}
