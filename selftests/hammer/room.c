// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the arguments of a call are: mostly in ordinary memory, but now and then in
 * memory that ends too early, that cannot be written, that is not there, or that is
 * the device's own registers.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hammer.h"

#define ROOM	65536
#define PAGE	4096UL

static __thread sigjmp_buf on_fault;
static __thread bool guarded;

static void fault(int sig)
{
	if (guarded)
		siglongjmp(on_fault, 1);
	signal(sig, SIG_DFL);
}

void guard_init(void)
{
	signal(SIGBUS, fault);
	signal(SIGSEGV, fault);
}

/* 0, or -EFAULT where one of the two is not to be touched */
int guarded_copy(void *to, const void *from, size_t size)
{
	if (sigsetjmp(on_fault, 1)) {
		guarded = false;
		return -EFAULT;
	}
	guarded = true;
	/* Registers are four bytes wide, and are not to be read twice */
	if (size == sizeof(__u32))
		mmio_write(to, mmio_read(from));
	else
		memcpy(to, from, size);
	guarded = false;
	return 0;
}

/* The last page of it is not there */
int room_open(struct hand *h)
{
	int fd = memfd_create("room", 0);

	if (fd < 0 || ftruncate(fd, ROOM))
		return -errno;
	h->room = mmap(NULL, ROOM + PAGE, PROT_NONE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	h->room_ro = mmap(NULL, ROOM, PROT_READ, MAP_SHARED, fd, 0);
	if (h->room == MAP_FAILED || h->room_ro == MAP_FAILED ||
	    mmap(h->room, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 fd, 0) == MAP_FAILED)
		return -errno;
	return close(fd) ? -errno : 0;
}

static void *nowhere(struct hand *h)
{
	const unsigned long places[] = {
		0, 8, PAGE - 1, 0x7ffffffff000, 0x800000000000,
		0xffff888000000000, -PAGE, -8UL,
	};

	return (void *)places[roll(&h->dice, 8)];
}

static void *in_registers(struct hand *h, const void *data, size_t size)
{
	struct map *map = &h->maps[roll(&h->dice, HAMMER_MAPS)];
	size_t at = 16 * roll(&h->dice, 256);

	if (!map->mem || at + size > map->size)
		return nowhere(h);
	guarded_copy(map->mem + at, data, size);
	/* What is behind them may be a stack */
	h->left = map->size - at;
	return map->mem + at;
}

/* Puts @data somewhere; returns where the kernel is to look for it */
void *room_put(struct hand *h, const void *data, size_t size)
{
	unsigned int at = roll(&h->dice, 2) ? 0 : roll(&h->dice, 512);
	unsigned int where = roll(&h->dice, 32);

	h->left = SIZE_MAX;
	if (where == 0)
		return nowhere(h);
	if (where == 1)
		return in_registers(h, data, size);
	if (where == 2)
		at = ROOM - 1 - roll(&h->dice, size + 1) % ROOM;
	if (size > ROOM - at)
		size = ROOM - at;
	memcpy(h->room + at, data, size);
	return (where == 3 ? h->room_ro : h->room) + at;
}

/* Of @size bytes, those that may be read into where room_put() has put something */
size_t room_limit(struct hand *h, size_t size)
{
	return size < h->left ? size : h->left;
}

void room_get(void *data, const void *arg, size_t size)
{
	guarded_copy(data, arg, size);
}

int hammer_ioctl(struct hand *h, enum hammer_action action, int fd,
		 unsigned long cmd, void *data, size_t size)
{
	void *arg = room_put(h, data, size);
	int ret;

	books_begin(action);
	ret = ioctl(fd, cmd, arg);
	ret = hammer_end(action, ret < 0 ? -errno : ret);
	if (ret >= 0)
		room_get(data, arg, size);
	return ret;
}
