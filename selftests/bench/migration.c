// SPDX-License-Identifier: GPL-2.0-only
/*
 * The time in which the guest stands still: from the call that stops the source
 * to the end of the one that starts the destination, less what a VMM does
 * between them. Without PRE_COPY all of the stream falls into it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/migrate.h"
#include "migration.h"
#include "phase.h"

enum { SAVE, LOAD, PHASES };

struct move {
	struct vfio_dev *source;
	struct vfio_dev *peer;
	bool precopy;
	struct mig_stream stream;
	size_t sent;		/* of the stream, before the source stops */
	int from;
	int to;
	struct phase phase[PHASES];
};

static int set_state(struct vfio_dev *dev, __u32 state, int *fd)
{
	return vfio_mig_set_state(dev, state, fd);
}

/* All that is done while the source still runs */
static void prepare(struct move *m)
{
	int ret;

	check(set_state(m->peer, VFIO_DEVICE_STATE_RESUMING, &m->to),
	      "entering RESUMING");
	m->stream.len = 0;
	if (m->precopy) {
		check(set_state(m->source, VFIO_DEVICE_STATE_PRE_COPY, &m->from),
		      "entering PRE_COPY");
		ret = mig_read_on(m->from, &m->stream);
		check(ret == -ENOMSG ? 0 : ret ?: -EIO, "reading in PRE_COPY");
		check(mig_write(m->to, m->stream.data, m->stream.len),
		      "writing the initial part");
	}
	m->sent = m->stream.len;
}

static void save(struct move *m)
{
	check(set_state(m->source, VFIO_DEVICE_STATE_STOP_COPY,
			m->precopy ? NULL : &m->from), "entering STOP_COPY");
	check(mig_read_on(m->from, &m->stream), "reading in STOP_COPY");
}

static void load(struct move *m)
{
	check(mig_write(m->to, m->stream.data + m->sent,
			m->stream.len - m->sent), "writing the stream");
	check(set_state(m->peer, VFIO_DEVICE_STATE_RUNNING, NULL),
	      "RESUMING -> RUNNING");
}

static void finish(struct move *m)
{
	close(m->from);
	close(m->to);
	check(set_state(m->source, VFIO_DEVICE_STATE_RUNNING, NULL),
	      "STOP_COPY -> RUNNING");
}

static void record_once(struct move *m)
{
	prepare(m);
	check(record_begin(), "enabling the tracepoints");
	save(m);
	check(record_end(&m->phase[SAVE].record), "recording the save");
	check(record_begin(), "enabling the tracepoints");
	load(m);
	check(record_end(&m->phase[LOAD].record), "recording the load");
	finish(m);
}

static void measure(struct move *m, unsigned int round)
{
	double t0, t1;

	prepare(m);
	t0 = now_us();
	save(m);
	t1 = now_us();
	load(m);
	m->phase[SAVE].ours[round] = t1 - t0;
	m->phase[LOAD].ours[round] = now_us() - t1;
	finish(m);
}

static void play(struct move *m, unsigned int round, struct igbvf *plain)
{
	unsigned int i;

	for (i = 0; i < PHASES; i++)
		phase_play(&m->phase[i], round, plain);
}

static double report(struct move *m)
{
	struct ratio part, all = {};
	unsigned int i;

	phase_heading(m->precopy ? "blackout with PRE_COPY" :
				   "blackout without PRE_COPY");
	for (i = 0; i < PHASES; i++) {
		part = phase_report(&m->phase[i]);
		all.ours += part.ours;
		all.floor += part.floor;
	}
	ratio_report("both", all);
	printf("%zu bytes before the source stops, %zu then\n", m->sent,
	       m->stream.len - m->sent);
	return all.ours / all.floor;
}

static void verdict(double ratio, double goal)
{
	printf("goal: a ratio of at most %.2f: %s\n", goal,
	       ratio <= goal ? "met" : "MISSED");
}

void bench_migration(struct vfio_dev *source, struct vfio_dev *peer,
		     struct igbvf *plain)
{
	static struct move move[2] = {
		{ .phase = {
			{ .name = "RUNNING -> STOP_COPY, read" },
			{ .name = "write, RESUMING -> RUNNING" },
		} },
		{ .precopy = true, .phase = {
			{ .name = "PRE_COPY -> STOP_COPY, read" },
			{ .name = "write, RESUMING -> RUNNING" },
		} },
	};
	static const double goal[2] = { 1.5, 1.25 };
	unsigned int i, round;

	for (i = 0; i < 2; i++) {
		move[i].source = source;
		move[i].peer = peer;
		record_once(&move[i]);
	}
	for (round = 0; round < PHASE_ROUNDS; round++) {
		for (i = 0; i < 2; i++) {
			measure(&move[i], round);
			play(&move[i], round, plain);
		}
	}
	for (i = 0; i < 2; i++)
		verdict(report(&move[i]), goal[i]);
}
