// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long each arc of the migration FSM takes, with nothing else around it. A
 * device that is not ours has no floor: nobody records what it does.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/migrate.h"
#include "migration.h"
#include "phase.h"

#define STATE(name)	VFIO_DEVICE_STATE_##name

/* A walk that uses every arc; what is not timed is only there to get on */
static const struct step {
	__u32 to;
	bool timed;
} walk[] = {
	{ STATE(RUNNING_P2P), true },
	{ STATE(STOP), true },
	{ STATE(STOP_COPY), true },
	{ STATE(STOP), true },
	{ STATE(RESUMING), true },
	{ STATE(STOP), true },
	{ STATE(RUNNING_P2P), true },
	{ STATE(RUNNING), true },
	{ STATE(PRE_COPY), true },
	{ STATE(PRE_COPY_P2P), true },
	{ STATE(PRE_COPY), true },
	{ STATE(RUNNING), true },
	{ STATE(PRE_COPY), false },
	{ STATE(PRE_COPY_P2P), false },
	{ STATE(RUNNING_P2P), true },
	{ STATE(PRE_COPY_P2P), true },
	{ STATE(STOP_COPY), true },
	{ STATE(RUNNING), false },
};

#define STEPS	(sizeof(walk) / sizeof(*walk))

/* What a user does with the fd of a new session before it goes on */
static void use_session(int fd, __u32 state, struct mig_stream *stream)
{
	int ret = 0;

	if (state == STATE(STOP_COPY))
		ret = mig_read(fd, stream);
	else if (state == STATE(RESUMING))
		ret = mig_write(fd, stream->data, stream->len);
	check(ret, "moving the stream");
	close(fd);
}

typedef void (*around_t)(struct phase *phase, unsigned int round, double us);

static void keep_time(struct phase *phase, unsigned int round, double us)
{
	phase->ours[round] = us;
}

static void keep_record(struct phase *phase, unsigned int round, double us)
{
	int ret = record_end(&phase->record);

	(void)round;
	(void)us;
	/* An arc need not touch the device. */
	check(ret == -ENODATA ? 0 : ret, "recording an arc");
}

static void go_round(struct vfio_dev *dev, struct phase *phase,
		     unsigned int round, bool record)
{
	static struct mig_stream stream;
	around_t keep = record ? keep_record : keep_time;
	unsigned int i;
	double start;
	int fd;

	for (i = 0; i < STEPS; i++) {
		if (record)
			check(record_begin(), "enabling the tracepoints");
		start = now_us();
		check(vfio_mig_set_state(dev, walk[i].to, &fd), "an arc");
		keep(&phase[i], round, now_us() - start);
		if (fd >= 0)
			use_session(fd, walk[i].to, &stream);
	}
}

void bench_arcs(const char *title, struct vfio_dev *dev, struct igbvf *plain)
{
	static struct phase phase[STEPS];
	static char name[STEPS][48];
	__u32 from = STATE(RUNNING);
	unsigned int i, round;

	for (i = 0; i < STEPS; i++) {
		snprintf(name[i], sizeof(name[i]), "%s -> %s",
			 vfio_mig_state_name(from),
			 vfio_mig_state_name(walk[i].to));
		phase[i].name = name[i];
		from = walk[i].to;
	}
	go_round(dev, phase, 0, true);
	for (round = 0; round < PHASE_ROUNDS; round++) {
		go_round(dev, phase, round, false);
		for (i = 0; i < STEPS; i++)
			phase_play(&phase[i], round, plain);
	}
	phase_heading(title);
	for (i = 0; i < STEPS; i++)
		if (walk[i].timed)
			phase_report(&phase[i]);
}
