// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tenant: opens its VFs, has its threads use them for a while, sees whether all
 * is well, closes them, and begins again. A VF that the host asks for is given
 * back at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/ext.h"
#include "lib/lab.h"
#include "soak.h"

#define SESSION_MS	3000
#define CALM_MS		20000

static int watch_dev(struct session *s, struct vfio_dev *dev)
{
	struct vfio_mig_ext ext;
	int ret = ext_read(dev, &ext);

	s->irq_nonfatal = ext.irq_nonfatal;
	if (!ret)
		ret = vfio_irq_set_eventfds(dev, VFIO_PCI_REQ_IRQ_INDEX, 1,
					    &s->request);
	return ret;
}

static int open_dev(struct session *s, unsigned int nth, const char *bdf)
{
	struct vfio_dev *dev = &s->dev[nth];
	int ret;

	soak_begin(SOAK_OPEN);
	ret = vfio_open(dev, &s->iommu, bdf);
	if (!ret) {
		s->nr++;
		ret = watch_dev(s, dev);
	}
	soak_end(SOAK_OPEN, ret, true);
	return ret;
}

static void close_devs(struct session *s)
{
	while (s->nr) {
		soak_begin(SOAK_CLOSE);
		vfio_close(&s->dev[--s->nr]);
		soak_end(SOAK_CLOSE, 0, true);
	}
	vfio_iommu_close(&s->iommu);
}

static int open_devs(struct session *s, unsigned int index, unsigned int nr)
{
	unsigned int i;
	char bdf[16];
	int ret;

	ret = vfio_iommu_open(&s->iommu);
	for (i = 0; !ret && i < nr; i++) {
		lab_vf_name(index * nr + i, bdf, sizeof(bdf));
		ret = open_dev(s, i, bdf);
	}
	if (ret)
		close_devs(s);
	return ret;
}

static bool requested(struct session *s)
{
	struct pollfd pfd = { .fd = s->request, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1;
}

/* Each of them throws dice of its own, so that the seed says what each will try */
static void set_up_dev(struct session *s, unsigned int nth)
{
	unsigned int task = s->task + 2 + nth * SOAK_DEV_TASKS, i, j;
	struct toucher *t = &s->toucher[nth];
	struct mover *m;

	for (i = 0; i < SOAK_MOVERS; i++) {
		m = &s->mover[nth][i];
		m->session = s;
		m->task = task + i;
		m->dev = &s->dev[nth];
		m->dice = rand_r(&s->dice);
		for (j = 0; j < SOAK_FDS; j++)
			m->fds[j].fd = -1;
	}
	t->session = s;
	t->task = task + SOAK_MOVERS;
	t->dev = &s->dev[nth];
	t->dice = rand_r(&s->dice);
}

static void start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	/* There is nothing to clean up that the kernel would not */
	if (pthread_create(thread, NULL, run, arg))
		abort();
}

static void start_threads(struct session *s)
{
	unsigned int i, j;

	for (i = 0; i < s->nr; i++) {
		for (j = 0; j < SOAK_MOVERS; j++)
			start(&s->mover[i][j].thread, soak_mover,
			      &s->mover[i][j]);
		start(&s->toucher[i].thread, soak_toucher, &s->toucher[i]);
	}
	start(&s->resetter, soak_resetter, s);
}

static void stop_threads(struct session *s)
{
	unsigned int i, j;

	__atomic_store_n(&s->stop, true, __ATOMIC_RELEASE);
	for (i = 0; i < s->nr; i++) {
		for (j = 0; j < SOAK_MOVERS; j++)
			pthread_join(s->mover[i][j].thread, NULL);
		pthread_join(s->toucher[i].thread, NULL);
	}
	pthread_join(s->resetter, NULL);
}

/* Closes the devices under the threads: their number leads elsewhere from now on */
static void abandon(struct session *s)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	unsigned int i;

	__atomic_store_n(&s->abandoned, true, __ATOMIC_RELEASE);
	for (i = 0; i < s->nr; i++) {
		soak_begin(SOAK_CLOSE);
		dup2(fd, s->dev[i].fd);
		soak_end(SOAK_CLOSE, 0, true);
	}
	close(fd);
	usleep(roll(&s->dice, 100000));
}

static void close_fds(struct session *s, unsigned int nr)
{
	unsigned int i, j, k;

	for (i = 0; i < nr; i++)
		for (j = 0; j < SOAK_MOVERS; j++)
			for (k = 0; k < SOAK_FDS; k++)
				if (s->mover[i][j].fds[k].fd >= 0)
					close(s->mover[i][j].fds[k].fd);
}

/* The host may be waiting for a device of ours, and would wait for us for good */
static bool have_calm(struct session *s)
{
	long long end = clock_ms() + CALM_MS;

	while (!requested(s) && !soak_stopped() && clock_ms() < end) {
		if (!pthread_rwlock_trywrlock(&soak->calm))
			return true;
		usleep(5000);
	}
	return false;
}

static void check(struct session *s, struct mig_stream *stream)
{
	if (!have_calm(s))
		return;
	soak_check_session(s, stream);
	pthread_rwlock_unlock(&soak->calm);
}

static void use(struct session *s)
{
	long long end = clock_ms() + 200 + roll(&s->dice, SESSION_MS);

	start_threads(s);
	while (clock_ms() < end && !requested(s) && !soak_stopped())
		usleep(5000);
}

static void run_session(struct session *s, struct mig_stream *stream)
{
	bool leave = roll(&s->dice, 4) == 0;
	unsigned int nr = s->nr, i;

	for (i = 0; i < nr; i++)
		set_up_dev(s, i);
	s->reset_dice = rand_r(&s->dice);

	/* Without a stream there is nothing to load */
	if (!stream->len)
		check(s, stream);
	use(s);
	if (leave)
		abandon(s);
	stop_threads(s);
	if (!leave)
		check(s, stream);
	close_devs(s);
	s->nr = nr;
	soak_check_closed(s);
	close_fds(s, nr);
}

/* The process's exit status: what is bad is in the books */
int soak_tenant(unsigned int index, unsigned int nr)
{
	unsigned int dice = soak->seed + 1000 * (index + 1);
	struct mig_stream *stream = calloc(1, sizeof(*stream));
	struct session *s = calloc(1, sizeof(*s));

	if (!s || !stream)
		return 1;
	while (!soak_stopped()) {
		memset(s, 0, sizeof(*s));
		s->task = SOAK_HOST_TASKS + index * SOAK_TENANT_TASKS;
		s->stream = stream;
		s->dice = rand_r(&dice);
		s->request = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		soak_enter(s->task);
		if (open_devs(s, index, nr))
			usleep(20000);
		else
			run_session(s, stream);
		close(s->request);
	}
	free(stream);
	free(s);
	return 0;
}
