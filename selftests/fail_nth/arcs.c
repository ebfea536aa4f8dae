// SPDX-License-Identifier: GPL-2.0-only
/* VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE, from any state to any other */
#include <errno.h>
#include <stddef.h>

#include "fail.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

static const __u32 arcs[][2] = {
	{ VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_RUNNING_P2P },
	{ VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_RUNNING },
	{ VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_PRE_COPY },
	{ VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_RUNNING },
	{ VFIO_DEVICE_STATE_PRE_COPY, VFIO_DEVICE_STATE_PRE_COPY_P2P },
	{ VFIO_DEVICE_STATE_PRE_COPY_P2P, VFIO_DEVICE_STATE_PRE_COPY },
	{ VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_PRE_COPY_P2P },
	{ VFIO_DEVICE_STATE_PRE_COPY_P2P, VFIO_DEVICE_STATE_RUNNING_P2P },
	{ VFIO_DEVICE_STATE_PRE_COPY_P2P, VFIO_DEVICE_STATE_STOP_COPY },
	{ VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_STOP },
	{ VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_RUNNING_P2P },
	{ VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_STOP_COPY },
	{ VFIO_DEVICE_STATE_STOP_COPY, VFIO_DEVICE_STATE_STOP },
	{ VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_RESUMING },
	{ VFIO_DEVICE_STATE_RESUMING, VFIO_DEVICE_STATE_STOP },
};

/* How many arcs the shortest way has */
static unsigned int distance(__u32 from, __u32 to)
{
	unsigned int far[VFIO_DEVICE_STATE_NR];
	unsigned int i, round;

	for (i = 0; i < ARRAY_SIZE(far); i++)
		far[i] = i == from ? 0 : ARRAY_SIZE(arcs);
	for (round = 0; round < ARRAY_SIZE(far); round++)
		for (i = 0; i < ARRAY_SIZE(arcs); i++)
			if (far[arcs[i][1]] > far[arcs[i][0]] + 1)
				far[arcs[i][1]] = far[arcs[i][0]] + 1;
	return far[to];
}

/*
 * An arc on the way fails, and those before it have been carried out. VFIO tells
 * the user what came of it when all is over, and cannot take that back where the
 * copy to the user fails.
 */
static bool on_the_way(struct fail *fail, __u32 state, int error)
{
	if (error == -EFAULT)
		return state == fail->path->from || state == fail->path->to;
	return state != fail->path->to &&
	       distance(fail->path->from, state) + distance(state, fail->path->to) ==
	       distance(fail->path->from, fail->path->to);
}

static int go_arc(struct fail *fail)
{
	return vfio_mig_set_state(fail->dev, fail->path->to, &fail->fd);
}

static int again_arc(struct fail *fail)
{
	int ret = 0;

	if (vfio_mig_get_state(fail->dev) == (int)fail->path->to)
		ret = begin_state(fail);
	return ret ? ret : go_arc(fail);
}

static int look_at_state(struct fail *fail)
{
	struct before now;
	int ret = remember(fail, &now);

	if (ret)
		return ret;
	show(fail, &now, sizeof(now));
	switch (fail->path->to) {
	case VFIO_DEVICE_STATE_PRE_COPY:
	case VFIO_DEVICE_STATE_PRE_COPY_P2P:
	case VFIO_DEVICE_STATE_STOP_COPY:
		return look_at_stream(fail);
	}
	return 0;
}

const struct path arc_path = {
	.begin = begin_state, .go = go_arc, .again = again_arc,
	.look = look_at_state, .may_be = on_the_way, .least = 3,
};
