// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads registers of a network card through a mapping of its BAR, for ever.
 *
 * Says now and then how many it has read, and how many of them were all ones,
 * which none of them is while the card is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define BAR_SIZE	0x4000
#define PAUSE_US	1000
#define READS		100	/* of each register, between two pauses */
#define SAY_MS		200

/* One of each page that a virtual machine has mapped; reading does nothing */
static const unsigned int offsets[] = {
	0x1524,			/* VTEIMS */
	0x2810,			/* RDH of queue 0 */
	0x3810,			/* TDH of queue 0 */
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static __u32 mmio_read(const void *bar, unsigned int offset)
{
	return __atomic_load_n((const __u32 *)(bar + offset), __ATOMIC_RELAXED);
}

static long long clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	unsigned long reads = 0, ones = 0;
	const void *bar;
	long long said = 0;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: registers RESOURCE\n");
		return 64;
	}
	fd = open(argv[1], O_RDWR | O_SYNC | O_CLOEXEC);
	bar = fd < 0 ? MAP_FAILED :
		       mmap(NULL, BAR_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	if (bar == MAP_FAILED) {
		printf("registers: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	for (;;) {
		for (unsigned int i = 0; i < READS * ARRAY_SIZE(offsets); i++)
			ones += mmio_read(bar, offsets[i % ARRAY_SIZE(offsets)]) == ~0U;
		reads += READS * ARRAY_SIZE(offsets);
		if (clock_ms() - said > SAY_MS) {
			said = clock_ms();
			printf("registers: %lu read, %lu of them ones\n", reads,
			       ones);
			fflush(stdout);
		}
		usleep(PAUSE_US);
	}
}
