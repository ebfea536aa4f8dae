// SPDX-License-Identifier: GPL-2.0-only
/*
 * Has a network card look for packets to send where there is no memory, behind its
 * driver's back.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BAR_SIZE	0x4000

/* Of queue 0 */
#define TDBAL		0x3800
#define TDBAH		0x3804
#define TDH		0x3810
#define TDT		0x3818
#define TXDCTL		0x3828
#define   TXDCTL_ENABLE	0x02000000

static void *bar;

static __u32 mmio_read(unsigned int reg)
{
	return __atomic_load_n((__u32 *)(bar + reg), __ATOMIC_RELAXED);
}

static void mmio_write(unsigned int reg, __u32 value)
{
	__atomic_store_n((__u32 *)(bar + reg), value, __ATOMIC_SEQ_CST);
}

static void lead_astray(__u64 address)
{
	__u32 txdctl = mmio_read(TXDCTL);

	mmio_write(TXDCTL, txdctl & ~TXDCTL_ENABLE);
	mmio_write(TDBAL, (__u32)address);
	mmio_write(TDBAH, address >> 32);
	mmio_write(TDH, 0);
	mmio_write(TDT, 0);
	mmio_write(TXDCTL, txdctl | TXDCTL_ENABLE);
	mmio_write(TDT, 1);
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: stray RESOURCE ADDRESS\n");
		return 64;
	}
	fd = open(argv[1], O_RDWR | O_SYNC | O_CLOEXEC);
	bar = fd < 0 ? MAP_FAILED :
		       mmap(NULL, BAR_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bar == MAP_FAILED) {
		printf("stray: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	lead_astray(strtoull(argv[2], NULL, 0));
	return 0;
}
