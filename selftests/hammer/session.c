// SPDX-License-Identifier: GPL-2.0-only
/* The hostile process: opens a VF, has its threads hammer on it, and goes, in good order or not */
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hammer.h"

#define SESSION_MS	2000
#define MAX_FDS		100000
/* What the one before has left open is closed somewhat after its end */
#define OPEN_MS		20000

/* Numbers that are close to each other have little in common */
static unsigned int mix(unsigned int a, unsigned int b)
{
	unsigned int x = a * 0x9e3779b9 + b + 0x7f4a7c15;

	x = (x ^ x >> 16) * 0x85ebca6b;
	x = (x ^ x >> 13) * 0xc2b2ae35;
	return x ^ x >> 16;
}

static bool stopped(struct session *s)
{
	return __atomic_load_n(&s->stop, __ATOMIC_ACQUIRE) ||
	       books_stopped(&hammer->books);
}

/* Each turn has dice of its own: what is tried does not depend on what came of it */
static void *run(void *arg)
{
	struct hand *h = arg;
	unsigned int turn;

	books_enter(&hammer->books, 1 + h->nr);
	for (turn = 0; !stopped(h->session); turn++) {
		unsigned int seed = mix(h->dice, turn), dice = h->dice;

		h->dice = seed;
		hammer_turn(h);
		h->dice = dice;
	}
	return NULL;
}

static int open_device(struct session *s)
{
	long long end = clock_ms() + OPEN_MS;
	char bdf[16];
	int ret;

	lab_vf_name(0, bdf, sizeof(bdf));
	do {
		ret = vfio_open(&s->dev, &s->iommu, bdf);
	} while (ret && clock_ms() < end && !usleep(20000));
	return ret;
}

static int open_session(struct session *s, bool cdev)
{
	struct rlimit files = { .rlim_cur = MAX_FDS, .rlim_max = MAX_FDS };
	unsigned int i;
	int ret;

	setrlimit(RLIMIT_NOFILE, &files);
	for (i = 0; i < HAMMER_DEVS; i++)
		s->devs[i] = -1;
	for (i = 0; i < HAMMER_FDS; i++)
		s->fds[i] = -1;
	for (i = 0; i < HAMMER_EVENTS; i++)
		s->events[i] = eventfd(0, EFD_NONBLOCK);
	ret = cdev ? vfio_iommufd_open(&s->iommu) : vfio_iommu_open(&s->iommu);
	if (!ret)
		ret = open_device(s);
	if (!ret)
		s->devs[0] = s->dev.fd;
	return ret;
}

static int start(struct session *s, struct hand *hands, unsigned int seed)
{
	unsigned int i;
	struct hand *h;
	int ret;

	for (i = 0; i < HAMMER_HANDS; i++) {
		h = &hands[i];
		h->session = s;
		h->nr = i;
		h->dice = mix(seed, i);
		ret = room_open(h);
		if (ret)
			return ret;
		if (pthread_create(&h->thread, NULL, run, h))
			return -EAGAIN;
	}
	return 0;
}

static void close_all(struct session *s)
{
	unsigned int i;

	for (i = 0; i < HAMMER_DEVS; i++)
		if (s->devs[i] >= 0)
			close(s->devs[i]);
	for (i = 0; i < HAMMER_FDS; i++)
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	if (s->dev.group >= 0)
		close(s->dev.group);
	close(s->iommu.fd);
}

/* Or without waiting for anybody */
static void go(struct session *s, struct hand *hands, unsigned int how)
{
	unsigned int i;

	if (how == 1)
		_exit(0);
	if (how == 2)
		kill(getpid(), SIGKILL);
	__atomic_store_n(&s->stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < HAMMER_HANDS; i++)
		pthread_join(hands[i].thread, NULL);
	books_begin(HAMMER_END);
	close_all(s);
	books_end();
	_exit(0);
}

/* The life of the @nr-th process; returns where it could not even begin */
int hammer_session(unsigned int nr, bool cdev)
{
	unsigned int seed = mix(hammer->seed, nr), dice = seed;
	static struct hand hands[HAMMER_HANDS];
	static struct session s;
	long long end;
	int ret;

	/* What was inherited is the other user's */
	close_range(3, ~0U, 0);
	guard_init();
	books_enter(&hammer->books, 0);
	books_begin(HAMMER_OPEN);
	ret = hammer_end(HAMMER_OPEN, open_session(&s, cdev));
	if (!ret)
		ret = start(&s, hands, seed);
	if (ret)
		return ret;
	end = clock_ms() + 100 + roll(&dice, SESSION_MS);
	while (clock_ms() < end && !books_stopped(&hammer->books))
		usleep(5000);
	go(&s, hands, roll(&dice, 3));
	return 0;
}
