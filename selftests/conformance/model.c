// SPDX-License-Identifier: GPL-2.0-only
/*
 * The states and arcs as the comment of enum vfio_device_mig_state has them,
 * and the rules by which it combines arcs.
 */
#include "conformance.h"

#define STOP		VFIO_DEVICE_STATE_STOP
#define RUNNING		VFIO_DEVICE_STATE_RUNNING
#define STOP_COPY	VFIO_DEVICE_STATE_STOP_COPY
#define RESUMING	VFIO_DEVICE_STATE_RESUMING
#define RUNNING_P2P	VFIO_DEVICE_STATE_RUNNING_P2P
#define PRE_COPY	VFIO_DEVICE_STATE_PRE_COPY
#define PRE_COPY_P2P	VFIO_DEVICE_STATE_PRE_COPY_P2P

/* An arc that is there if all flags of with are claimed, and none of without */
static const struct {
	__u32 from;
	__u32 to;
	__u64 with;
	__u64 without;
} arcs[] = {
	{ RUNNING, STOP, 0, VFIO_MIGRATION_P2P },
	{ STOP, RUNNING, 0, VFIO_MIGRATION_P2P },
	{ STOP, STOP_COPY, 0, 0 },
	{ STOP_COPY, STOP, 0, 0 },
	{ STOP, RESUMING, 0, 0 },
	{ RESUMING, STOP, 0, 0 },
	{ RUNNING, RUNNING_P2P, VFIO_MIGRATION_P2P, 0 },
	{ RUNNING_P2P, RUNNING, VFIO_MIGRATION_P2P, 0 },
	{ RUNNING_P2P, STOP, VFIO_MIGRATION_P2P, 0 },
	{ STOP, RUNNING_P2P, VFIO_MIGRATION_P2P, 0 },
	{ RUNNING, PRE_COPY, VFIO_MIGRATION_PRE_COPY, 0 },
	{ PRE_COPY, RUNNING, VFIO_MIGRATION_PRE_COPY, 0 },
	{ PRE_COPY, STOP_COPY, VFIO_MIGRATION_PRE_COPY, VFIO_MIGRATION_P2P },
	{ PRE_COPY, PRE_COPY_P2P, VFIO_MIGRATION_PRE_COPY | VFIO_MIGRATION_P2P, 0 },
	{ PRE_COPY_P2P, PRE_COPY, VFIO_MIGRATION_PRE_COPY | VFIO_MIGRATION_P2P, 0 },
	{ PRE_COPY_P2P, STOP_COPY, VFIO_MIGRATION_PRE_COPY | VFIO_MIGRATION_P2P, 0 },
	{ PRE_COPY_P2P, RUNNING_P2P, VFIO_MIGRATION_PRE_COPY | VFIO_MIGRATION_P2P, 0 },
	{ RUNNING_P2P, PRE_COPY_P2P, VFIO_MIGRATION_PRE_COPY | VFIO_MIGRATION_P2P, 0 },
};

bool model_supports(__u64 flags, __u32 state)
{
	switch (state) {
	case STOP:
	case RUNNING:
	case STOP_COPY:
	case RESUMING:
		return true;
	case RUNNING_P2P:
		return flags & VFIO_MIGRATION_P2P;
	case PRE_COPY:
		return flags & VFIO_MIGRATION_PRE_COPY;
	case PRE_COPY_P2P:
		return flags & VFIO_MIGRATION_PRE_COPY &&
		       flags & VFIO_MIGRATION_P2P;
	default:
		return false;
	}
}

bool model_saving(__u32 state)
{
	return state == PRE_COPY || state == PRE_COPY_P2P || state == STOP_COPY;
}

/* A state in which there is a data_fd */
bool model_session(__u32 state)
{
	return state == RESUMING || model_saving(state);
}

/*
 * A path between two saving states keeps to them, since it keeps the session;
 * any other has them at its ends alone.
 */
static bool may_step(__u32 from, __u32 to, __u32 state)
{
	if (model_saving(from) && model_saving(to))
		return model_saving(state);
	return state == to || !model_saving(state);
}

/* One more step from every state that has been reached: 0 where none is new */
static bool spread(__u64 flags, __u32 from, __u32 to, __u32 *before)
{
	__u32 known[VFIO_DEVICE_STATE_NR];
	bool found = false;
	unsigned int i;

	memcpy(known, before, sizeof(known));
	for (i = 0; i < ARRAY_LEN(arcs); i++) {
		if ((flags & arcs[i].with) != arcs[i].with ||
		    flags & arcs[i].without)
			continue;
		if (!known[arcs[i].from] || before[arcs[i].to] ||
		    !may_step(from, to, arcs[i].to))
			continue;
		before[arcs[i].to] = arcs[i].from;
		found = true;
	}
	return found;
}

/* The shortest path, the state of departure left out; false if there is none */
bool model_path(__u64 flags, __u32 from, __u32 to, struct path *path)
{
	__u32 before[VFIO_DEVICE_STATE_NR] = {};
	__u32 state;
	int i;

	path->nr = 0;
	if (!model_supports(flags, from) || !model_supports(flags, to))
		return false;
	if (from == to)
		return true;

	before[from] = from;
	while (!before[to])
		if (!spread(flags, from, to, before))
			return false;

	for (state = to; state != from; state = before[state])
		path->nr++;
	for (i = path->nr - 1, state = to; i >= 0; i--, state = before[state])
		path->state[i] = state;
	return true;
}

/* Does the path end in a session that it begins? */
bool model_opens(__u32 from, const struct path *path)
{
	__u32 last, before;

	if (!path->nr)
		return false;
	last = path->state[path->nr - 1];
	before = path->nr > 1 ? path->state[path->nr - 2] : from;
	return last == RESUMING ||
	       (model_saving(last) && !model_saving(before));
}

/* Does the path end the session of the saving state that it begins in? */
bool model_closes(__u32 from, const struct path *path)
{
	return model_saving(from) && path->nr && !model_saving(path->state[0]);
}
