// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host and its administrator. One thread lets errors happen and rebinds VFs, one
 * after the other: while a VF has no driver, the kernel would give up the recovery
 * of all functions below the port, the PF among them. The other resets VFs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/ext.h"
#include "lib/lab.h"
#include "soak.h"

#define INJECT_MS	10000
#define NOTICE_MS	5000
#define RECOVERY_MS	60000

static const enum soak_action troubles[] = {
	SOAK_NONFATAL, SOAK_FATAL, SOAK_REBIND,
};

#define NR_TROUBLES	(sizeof(troubles) / sizeof(*troubles))

static unsigned int threads;

static void any_vf(unsigned int *dice, char *bdf, size_t size)
{
	lab_vf_name(roll(dice, lab_vf_count()), bdf, size);
}

/* Waits until the kernel says one of the two */
static int said(int log, const char *good, const char *bad, int ms)
{
	long long end = clock_ms() + ms;
	char line[1024];
	ssize_t n;

	while (clock_ms() < end) {
		n = read(log, line, sizeof(line) - 1);
		if (n <= 0) {
			usleep(2000);
			continue;
		}
		line[n] = '\0';
		if (strstr(line, good))
			return 0;
		if (bad && strstr(line, bad))
			return -EIO;
	}
	return -ETIMEDOUT;
}

/* What the kernel says of an error, from what it says since @log was opened */
static int recovered(int log)
{
	/* The VF may have been reset before the kernel looked what error it has */
	if (said(log, "PCIe Bus Error", NULL, NOTICE_MS))
		return -ENODATA;
	return said(log, "device recovery successful", "device recovery failed",
		    RECOVERY_MS);
}

static int inject(const char *bdf, bool fatal)
{
	static const __u32 header_log[4] = { 0x40000001, 0xf, 0xdead0000 };
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	long long end = clock_ms() + INJECT_MS;
	int ret;

	if (log < 0)
		return -errno;
	lseek(log, 0, SEEK_END);
	/* A VF that is just being reset reports no errors: EINVAL */
	do {
		ret = inject_error(bdf, fatal ? AER_FATAL : AER_NONFATAL,
				   header_log);
	} while (ret == -EINVAL && clock_ms() < end && !usleep(5000));
	if (!ret)
		ret = recovered(log);
	close(log);
	return ret ? ret : lab_pf_up();
}

static void make_trouble(enum soak_action action, unsigned int *dice)
{
	char bdf[16];
	int ret;

	any_vf(dice, bdf, sizeof(bdf));
	pthread_rwlock_rdlock(&soak->calm);
	soak_begin(action);
	ret = action == SOAK_REBIND ? lab_rebind(bdf) :
				      inject(bdf, action == SOAK_FATAL);
	soak_end(action, ret, true);
	pthread_rwlock_unlock(&soak->calm);
}

static void shuffle(enum soak_action *deck, unsigned int *dice)
{
	unsigned int i, j;
	enum soak_action it;

	for (i = NR_TROUBLES - 1; i; i--) {
		j = roll(dice, i + 1);
		it = deck[i];
		deck[i] = deck[j];
		deck[j] = it;
	}
}

/* In any order, but none of them less often than the others */
static void *run_trouble(void *arg)
{
	unsigned int dice = soak->seed + 1, i;
	enum soak_action deck[NR_TROUBLES];

	(void)arg;
	soak_enter(0);
	memcpy(deck, troubles, sizeof(deck));
	while (!soak_stopped()) {
		shuffle(deck, &dice);
		for (i = 0; i < NR_TROUBLES && !soak_stopped(); i++) {
			usleep(100000 + roll(&dice, 1000000));
			make_trouble(deck[i], &dice);
		}
	}
	__atomic_sub_fetch(&threads, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *run_resets(void *arg)
{
	unsigned int dice = soak->seed + 2;
	char bdf[16];

	(void)arg;
	soak_enter(1);
	while (!soak_stopped()) {
		usleep(50000 + roll(&dice, 700000));
		any_vf(&dice, bdf, sizeof(bdf));
		pthread_rwlock_rdlock(&soak->calm);
		soak_begin(SOAK_SYSFS_RESET);
		soak_end(SOAK_SYSFS_RESET, lab_reset_by_sysfs(bdf), true);
		pthread_rwlock_unlock(&soak->calm);
	}
	__atomic_sub_fetch(&threads, 1, __ATOMIC_RELEASE);
	return NULL;
}

int soak_host_start(void)
{
	pthread_t thread;

	threads = 2;
	if (pthread_create(&thread, NULL, run_trouble, NULL) ||
	    pthread_create(&thread, NULL, run_resets, NULL))
		return -EAGAIN;
	return 0;
}

/* How many have not ended */
unsigned int soak_host_threads(void)
{
	return __atomic_load_n(&threads, __ATOMIC_ACQUIRE);
}
