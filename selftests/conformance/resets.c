// SPDX-License-Identifier: GPL-2.0-only
/* VFIO_DEVICE_RESET, out of every state and at any time */
#include <pthread.h>

#include "conformance.h"

#define RACE_ROUNDS	300
#define RACE_MS		10000
#define SETTLE_US	50000

CONF_TEST(reset_offered, 0, R_RESET_OFFERED)
{
	holds(c, R_RESET_OFFERED, c->has & NEEDS_RESET, "it fails");
	holds(c, R_RESET_OFFERED, c->info & VFIO_DEVICE_FLAGS_RESET,
	      "VFIO_DEVICE_FLAGS_RESET is not set%s",
	      c->has & NEEDS_RESET ? ", though it works" : "");
}

static void reset_in(struct conf *c, __u32 from)
{
	enum req_id req = from == VFIO_DEVICE_STATE_RESUMING ? R_RESET_RESUMING :
							    R_RESET_RUNNING;
	const char *name = vfio_mig_state_name(from);
	int fd, ret, state;

	fd = enter(c, &c->dev, from, NULL);
	ret = vfio_reset(&c->dev);
	state = vfio_mig_get_state(&c->dev);
	holds(c, req, !ret, "in %s: %s", name, strerror(-ret));
	holds(c, req, state == VFIO_DEVICE_STATE_RUNNING, "%s led to %s", name,
	      vfio_mig_state_name(state));
	if (fd < 0)
		return;
	holds(c, R_RESET_RUNNING, session_dead(fd, model_saving(from)),
	      "the session of %s is still there", name);
	close(fd);
}

CONF_TEST(reset_anywhere, NEEDS_RESET, R_RESET_RUNNING, R_RESET_RESUMING)
{
	struct blob blob = {};
	__u32 from;
	int state;

	need(c, !vfio_reset(&c->dev), "a reset fails");
	state = vfio_mig_get_state(&c->dev);
	must(c, R_RESET_RUNNING, state == VFIO_DEVICE_STATE_RUNNING,
	     "the state is %s", vfio_mig_state_name(state));
	for (from = 0; from < VFIO_DEVICE_STATE_NR; from++)
		if (model_supports(c->flags, from))
			reset_in(c, from);
	save(c, &c->dev, &blob, WHOLE);
}

/* Nobody can ask for ERROR, but a driver may choose it for data that are wrong */
static bool reach_error(struct conf *c)
{
	struct blob blob = {};
	unsigned int i;
	int fd;

	save(c, &c->dev, &blob, WHOLE);
	for (i = 0; i < 8 && blob.len; i++) {
		fd = enter(c, &c->dev, VFIO_DEVICE_STATE_RESUMING, NULL);
		blob.data[blob.len * i / 8] ^= 0xff;
		write_blob(fd, &blob, i & 1 ? blob.len / 2 : blob.len, WHOLE);
		close(fd);
		vfio_mig_set_state(&c->dev, VFIO_DEVICE_STATE_STOP, NULL);
		if (vfio_mig_get_state(&c->dev) == VFIO_DEVICE_STATE_ERROR)
			return true;
	}
	return false;
}

CONF_TEST(reset_from_error, NEEDS_RESET, R_RESET_ERROR)
{
	__u32 to;
	int ret;

	if (!reach_error(c)) {
		give_reason(c, R_RESET_ERROR, "no wrong stream leads to ERROR");
		return;
	}
	for (to = 0; to < VFIO_DEVICE_STATE_NR; to++) {
		ret = vfio_mig_set_state(&c->dev, to, NULL);
		holds(c, R_RESET_ERROR, ret, "ERROR -> %s succeeds",
		      vfio_mig_state_name(to));
	}
	ret = vfio_reset(&c->dev);
	holds(c, R_RESET_ERROR, !ret && vfio_mig_get_state(&c->dev) ==
					VFIO_DEVICE_STATE_RUNNING,
	      "a reset leads to %s",
	      vfio_mig_state_name(vfio_mig_get_state(&c->dev)));
}

struct race {
	struct conf *c;
	unsigned int resets;
	bool stop;
};

static void *reset_often(void *arg)
{
	struct race *race = arg;

	while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED)) {
		vfio_reset(&race->c->dev);
		race->resets++;
	}
	return NULL;
}

static unsigned int move_often(struct conf *c)
{
	long long end = clock_ms() + RACE_MS;
	unsigned int i, seed = 1;
	__u32 to;
	int fd;

	for (i = 0; i < RACE_ROUNDS && clock_ms() < end; i++) {
		seed = seed * 1103515245 + 12345;
		to = (seed >> 16) % VFIO_DEVICE_STATE_NR;
		vfio_mig_set_state(&c->dev, to, &fd);
		if (fd >= 0)
			close(fd);
	}
	return i;
}

/* Whoever wins, there is one state afterwards, and a reset leads to RUNNING */
CONF_TEST(reset_race, NEEDS_RESET, R_RESET_RUNNING, R_SET_ALONE)
{
	struct race race = { .c = c };
	struct blob blob = {};
	unsigned int moves;
	pthread_t thread;
	bool legal;
	int state;

	need(c, !pthread_create(&thread, NULL, reset_often, &race), "no thread");
	moves = move_often(c);
	__atomic_store_n(&race.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	remark("%u moves against %u resets", moves, race.resets);

	state = vfio_mig_get_state(&c->dev);
	usleep(SETTLE_US);
	holds(c, R_SET_ALONE, state == vfio_mig_get_state(&c->dev),
	      "%s became %s when both were done", vfio_mig_state_name(state),
	      vfio_mig_state_name(vfio_mig_get_state(&c->dev)));
	legal = state == VFIO_DEVICE_STATE_ERROR ||
		model_supports(c->flags, state);
	holds(c, R_RESET_RUNNING, legal, "the state is %s",
	      vfio_mig_state_name(state));
	holds(c, R_RESET_RUNNING, !fresh(&c->dev), "the state is %s",
	      vfio_mig_state_name(vfio_mig_get_state(&c->dev)));
	save(c, &c->dev, &blob, WHOLE);
}

/*
 * Closing a device drops its session. Some drivers then open it in RESUMING all
 * the same, with nothing there to complete.
 */
CONF_TEST(reopen_while_resuming, NEEDS_RESET | NEEDS_HOSTILE, R_INCOMPLETE)
{
	int ret, state;

	enter(c, &c->dev, VFIO_DEVICE_STATE_RESUMING, NULL);
	conf_reopen(c);
	state = vfio_mig_get_state(&c->dev);
	ret = vfio_mig_set_state(&c->dev, VFIO_DEVICE_STATE_STOP, NULL);
	holds(c, R_INCOMPLETE, ret || state != VFIO_DEVICE_STATE_RESUMING,
	      "it opens in RESUMING, and goes to STOP without a stream");
}
