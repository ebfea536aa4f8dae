// SPDX-License-Identifier: GPL-2.0-only
/*
 * The migration FSM, each arc of it and each way through it: what the device half
 * is asked for, what the user may reach, and what is left of an arc that fails.
 *
 * A state is a letter here, and a way from one to another is a word.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/uaccess.h>

#include "half.h"

#define NR_STATES	(VFIO_DEVICE_STATE_PRE_COPY_P2P + 1)

static const char letters[] = {
	[VFIO_DEVICE_STATE_ERROR] = 'E',
	[VFIO_DEVICE_STATE_STOP] = 'S',
	[VFIO_DEVICE_STATE_RUNNING] = 'R',
	[VFIO_DEVICE_STATE_STOP_COPY] = 'O',
	[VFIO_DEVICE_STATE_RESUMING] = 'I',
	[VFIO_DEVICE_STATE_RUNNING_P2P] = 'r',
	[VFIO_DEVICE_STATE_PRE_COPY] = 'C',
	[VFIO_DEVICE_STATE_PRE_COPY_P2P] = 'c',
};

/*
 * The arcs of the uAPI, and what the device half has to do for each; whether the
 * arc begins a session, that is, gives the user a data_fd.
 */
static const struct arc {
	const char *way;
	const char *ops;
	bool session;
} arcs[] = {
	{ "Rr", QUIESCE },
	{ "Cc", QUIESCE },
	{ "rR", UNQUIESCE },
	{ "cC", UNQUIESCE },
	{ "RC", SAVE_INITIAL, true },
	{ "rc", SAVE_INITIAL, true },
	{ "CR", "" },
	{ "cr", "" },
	{ "OS", "" },
	{ "rS", STOP },
	{ "cO", STOP SAVE_FINAL },
	{ "Sr", START },
	{ "SO", SAVE_INITIAL SAVE_FINAL, true },
	{ "SI", "", true },
	{ "IS", LOAD_FINAL },
};

/*
 * The way that each transition takes: the shortest, but not through the middle of a
 * saving session that the user has not asked for. There is none from STOP_COPY back
 * into PRE_COPY.
 */
static const char * const ways[] = {
	"Rr", "RrS", "RrSO", "RrSI", "RC", "Rrc",
	"rR", "rS", "rSO", "rSI", "rRC", "rc",
	"Sr", "SrR", "SO", "SI", "SrRC", "Src",
	"OS", "OSr", "OSrR", "OSI",
	"IS", "ISr", "ISrR", "ISO", "ISrRC", "ISrc",
	"CR", "CRr", "CRrS", "CRrSI", "Cc", "CcO",
	"cr", "crR", "crS", "crSI", "cC", "cO",
};

/* From RUNNING to each state, arc by arc */
static const char * const from_running[] = { "R", "Rr", "RrS", "RrSO", "RrSI", "RC", "Rrc" };

static enum vfio_device_mig_state state_of(char letter)
{
	unsigned int i;

	for (i = 0; letters[i] != letter; i++)
		;
	return i;
}

static char last(const char *way)
{
	return way[strlen(way) - 1];
}

static const struct arc *arc_of(const char *way)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(arcs); i++)
		if (!strncmp(arcs[i].way, way, 2))
			return &arcs[i];
	return NULL;
}

static enum vfio_mig_view view_in(char state)
{
	switch (state) {
	case 'S':
	case 'O':
	case 'I':
		return VFIO_MIG_CLOSED;
	case 'E':
		return VFIO_MIG_ONES;
	default:
		return VFIO_MIG_OPEN;
	}
}

static void expect_state(struct half *half, const char *way, char state)
{
	struct vfio_device *vdev = &half->mig.core.vdev;
	enum vfio_device_mig_state is;

	vdev->mig_ops->migration_get_state(vdev, &is);
	KUNIT_EXPECT_EQ_MSG(half->test, letters[is], state, "%s", way);
	KUNIT_EXPECT_EQ_MSG(half->test, half->mig.gate.view, view_in(state), "%s", way);
	KUNIT_EXPECT_EQ_MSG(half->test, !!half->mig.saving, !!strchr("CcO", state),
			    "%s", way);
	KUNIT_EXPECT_EQ_MSG(half->test, !!half->mig.resuming, state == 'I', "%s", way);
}

static ssize_t write_stream(struct half *half, struct file *filp)
{
	struct vfio_mig_writer w;
	u8 buf[256];

	vfio_mig_writer_init(&w, half->mig.ops->format, buf, sizeof(buf));
	vfio_mig_begin_part(&w, VFIO_MIG_PART_INITIAL);
	KUNIT_EXPECT_EQ(half->test, 0, vfio_mig_put_seal(&w));
	vfio_mig_begin_part(&w, VFIO_MIG_PART_FINAL);
	KUNIT_EXPECT_EQ(half->test, 0,
			vfio_mig_put_record(&w, VFIO_MIG_RECORD_DEVICE, 0, NULL, 0));
	KUNIT_EXPECT_EQ(half->test, 0, vfio_mig_put_seal(&w));
	KUNIT_EXPECT_EQ(half->test, 0, vfio_mig_put_end(&w));
	KUNIT_EXPECT_EQ(half->test, 0, copy_to_user(half->user, buf, w.len));
	return filp->f_op->write(filp, half->user, w.len, NULL);
}

static struct file *set_number(struct half *half, u32 state)
{
	struct vfio_device *vdev = &half->mig.core.vdev;

	return vdev->mig_ops->migration_set_state(vdev, state);
}

static struct file *set_state(struct half *half, char state)
{
	return set_number(half, state_of(state));
}

/* The errno, or 0; whoever gets into RESUMING writes a whole stream. */
static int enter(struct half *half, char state)
{
	struct file *filp = set_state(half, state);

	if (IS_ERR(filp))
		return PTR_ERR(filp);
	if (filp && state == 'I')
		KUNIT_EXPECT_GT(half->test, write_stream(half, filp), 0);
	if (filp)
		fput(filp);
	return 0;
}

/* Takes the device to @state from RUNNING. */
static void reach(struct half *half, char state)
{
	const char *way;
	unsigned int i;

	half_reset(half);
	for (i = 0; last(from_running[i]) != state; i++)
		;
	for (way = from_running[i]; *way; way++)
		KUNIT_ASSERT_EQ_MSG(half->test, 0, enter(half, *way), "%s", from_running[i]);
	half_forget(half);
}

/* All that the arcs on the way ask of the device half */
static void expect_ops(struct half *half, const char *way)
{
	char want[sizeof(half->called)] = "";
	const char *at;

	for (at = way; at[1]; at++) {
		KUNIT_ASSERT_NOT_NULL_MSG(half->test, arc_of(at), "%s", way);
		strlcat(want, arc_of(at)->ops, sizeof(want));
	}
	KUNIT_EXPECT_STREQ_MSG(half->test, half->called, want, "%s", way);
}

static void each_way(struct kunit *test)
{
	struct half *half = test->priv;
	struct file *filp;
	unsigned int i;
	const char *way;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		way = ways[i];
		reach(half, *way);
		expect_state(half, way, *way);
		filp = set_state(half, last(way));
		KUNIT_ASSERT_FALSE_MSG(test, IS_ERR(filp), "%s", way);
		expect_ops(half, way);
		expect_state(half, way, last(way));
		KUNIT_EXPECT_EQ_MSG(test, !!filp, arc_of(way + strlen(way) - 2)->session,
				    "%s", way);
		if (filp)
			fput(filp);
	}
}

/* VFIO has the same ways, all of whose steps are arcs, and no others */
static void ways_of_vfio(struct kunit *test)
{
	struct half *half = test->priv;
	struct vfio_device *vdev = &half->mig.core.vdev;
	enum vfio_device_mig_state from, to, next;
	unsigned int nr = 0;
	char way[NR_STATES + 1];
	size_t len;
	unsigned int i;

	for (i = 0; i < NR_STATES * NR_STATES; i++) {
		from = i / NR_STATES;
		to = i % NR_STATES;
		if (from == VFIO_DEVICE_STATE_ERROR || from == to)
			continue;
		if (vfio_mig_get_next_state(vdev, from, to, &next))
			continue;
		way[0] = letters[from];
		way[1] = letters[next];
		for (len = 2; next != to && len < NR_STATES; len++) {
			KUNIT_ASSERT_EQ(test, 0, vfio_mig_get_next_state(vdev, next, to, &next));
			way[len] = letters[next];
		}
		way[len] = '\0';
		KUNIT_EXPECT_LE_MSG(test, 0, match_string(ways, ARRAY_SIZE(ways), way),
				    "%s", way);
		nr++;
	}
	KUNIT_EXPECT_EQ(test, nr, ARRAY_SIZE(ways));
}

/* What is no way leaves all as it is, what has come to its end too */
static void no_way(struct kunit *test)
{
	static const u32 numbers[] = {
		VFIO_DEVICE_STATE_ERROR, NR_STATES, NR_STATES + 1, 31, 256 + 2, INT_MAX, U32_MAX,
	};
	struct half *half = test->priv;
	struct file *filp;
	unsigned int i, n;
	char state;

	for (i = 0; i < ARRAY_SIZE(from_running); i++) {
		state = last(from_running[i]);
		reach(half, state);
		for (n = 0; n < ARRAY_SIZE(numbers); n++) {
			filp = set_number(half, numbers[n]);
			KUNIT_EXPECT_EQ_MSG(test, -EINVAL, PTR_ERR(filp), "%c to %#x",
					    state, numbers[n]);
		}
		if (state == 'O') {
			KUNIT_EXPECT_EQ(test, -EINVAL, enter(half, 'C'));
			KUNIT_EXPECT_EQ(test, -EINVAL, enter(half, 'c'));
		}
		KUNIT_EXPECT_NULL(test, set_state(half, state));
		KUNIT_EXPECT_STREQ(test, half->called, "");
		expect_state(half, from_running[i], state);
	}
}

/* Nothing leads out of ERROR but a reset */
static void expect_lost(struct half *half, const char *way)
{
	unsigned int i;

	expect_state(half, way, 'E');
	half_forget(half);
	for (i = 0; i < ARRAY_SIZE(from_running); i++)
		KUNIT_EXPECT_EQ_MSG(half->test, -EINVAL, enter(half, last(from_running[i])),
				    "%s", way);
	KUNIT_EXPECT_STREQ_MSG(half->test, half->called, "", "%s", way);
	expect_state(half, way, 'E');
	half_reset(half);
	expect_state(half, way, 'R');
}

/*
 * Lets one op of the arc fail: the state is the one before, as the user sees it, and
 * the arc can be tried again.
 */
static void fail_op(struct half *half, const struct arc *arc, const char *op, int err)
{
	char failing[] = { *op, 0 };
	size_t nr = op - arc->ops + 1;

	reach(half, arc->way[0]);
	half->failing = failing;
	half->err = err;
	KUNIT_EXPECT_EQ_MSG(half->test, err, enter(half, arc->way[1]), "%s", arc->way);
	half->failing = "";
	KUNIT_EXPECT_TRUE_MSG(half->test, !strncmp(half->called, arc->ops, nr), "%s",
			      arc->way);
	/* What has been stopped is started again. */
	KUNIT_EXPECT_STREQ_MSG(half->test, half->called + nr,
			       nr > 1 && arc->ops[0] == *STOP ? START : "",
			       "%s", arc->way);
	if (err == -EIO) {
		expect_lost(half, arc->way);
		return;
	}
	expect_state(half, arc->way, arc->way[0]);
	half_forget(half);
	KUNIT_EXPECT_EQ_MSG(half->test, 0, enter(half, arc->way[1]), "%s", arc->way);
	expect_ops(half, arc->way);
	expect_state(half, arc->way, arc->way[1]);
}

static void each_op_fails(struct kunit *test)
{
	static const int errs[] = { -EBUSY, -EINVAL, -ETIMEDOUT, -EIO };
	const char *op;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(arcs) * ARRAY_SIZE(errs); i++) {
		const struct arc *arc = &arcs[i / ARRAY_SIZE(errs)];

		for (op = arc->ops; *op; op++)
			fail_op(test->priv, arc, op, errs[i % ARRAY_SIZE(errs)]);
	}
}

/* A device that has been stopped, cannot be saved and does not start again */
static void does_not_start_again(struct kunit *test)
{
	struct half *half = test->priv;

	reach(half, 'c');
	half->failing = SAVE_FINAL START;
	half->err = -EBUSY;
	KUNIT_EXPECT_EQ(test, -EIO, enter(half, 'O'));
	KUNIT_EXPECT_STREQ(test, half->called, STOP SAVE_FINAL START);
	expect_lost(half, "cO");
}

/* What fails half-way stops at the state that it has got to */
static void fails_on_the_way(struct kunit *test)
{
	struct half *half = test->priv;

	reach(half, 'C');
	half->failing = STOP;
	half->err = -EBUSY;
	KUNIT_EXPECT_EQ(test, -EBUSY, enter(half, 'I'));
	KUNIT_EXPECT_STREQ(test, half->called, QUIESCE STOP);
	expect_state(half, "CRrSI", 'r');
}

/* The initial part is loaded by the write() that brings it, or else by the arc */
static void loads_early(struct kunit *test)
{
	struct half *half = test->priv;
	struct file *filp;

	reach(half, 'S');
	filp = set_state(half, 'I');
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, filp);
	half->failing = LOAD_INITIAL;
	half->err = -EBUSY;
	KUNIT_EXPECT_EQ(test, -EBUSY, write_stream(half, filp));
	fput(filp);
	KUNIT_EXPECT_STREQ(test, half->called, LOAD_INITIAL);
	half_forget(half);
	KUNIT_EXPECT_EQ(test, -EBUSY, enter(half, 'S'));
	KUNIT_EXPECT_STREQ(test, half->called, LOAD_INITIAL);
	expect_state(half, "IS", 'I');
	half->failing = "";
	half_forget(half);
	KUNIT_EXPECT_EQ(test, 0, enter(half, 'S'));
	KUNIT_EXPECT_STREQ(test, half->called, LOAD_INITIAL LOAD_FINAL);
	expect_state(half, "IS", 'S');
}

/* A stream that is bad for the device is so for good, and nothing of it is loaded */
static void bad_stream(struct kunit *test)
{
	static const int errs[] = { -EINVAL, -EXDEV };
	struct half *half = test->priv;
	struct file *filp;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(errs); i++) {
		reach(half, 'S');
		filp = set_state(half, 'I');
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, filp);
		half->failing = LOAD_INITIAL;
		half->err = errs[i];
		KUNIT_EXPECT_EQ(test, errs[i], write_stream(half, filp));
		fput(filp);
		half->failing = "";
		half_forget(half);
		KUNIT_EXPECT_EQ(test, errs[i], enter(half, 'S'));
		KUNIT_EXPECT_STREQ(test, half->called, "");
		expect_state(half, "IS", 'I');
	}
}

/* Without a whole stream there is nothing to load */
static void unfinished_stream(struct kunit *test)
{
	struct half *half = test->priv;
	struct file *filp;

	reach(half, 'S');
	filp = set_state(half, 'I');
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, filp);
	fput(filp);
	KUNIT_EXPECT_EQ(test, -EINVAL, enter(half, 'S'));
	KUNIT_EXPECT_STREQ(test, half->called, "");
	expect_state(half, "IS", 'I');
}

static void expect_untouched(struct half *half, const struct arc *arc, int err)
{
	/* An arc that only ends a session needs no device. */
	bool needs_device = *arc->ops || arc->session;

	KUNIT_EXPECT_EQ_MSG(half->test, needs_device ? err : 0, enter(half, arc->way[1]),
			    "%s", arc->way);
	KUNIT_EXPECT_STREQ_MSG(half->test, half->called, "", "%s", arc->way);
}

/* A device in a low-power state is left alone */
static void asleep(struct kunit *test)
{
	struct half *half = test->priv;
	pci_power_t *power = &half->mig.core.pdev->current_state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(arcs); i++) {
		reach(half, arcs[i].way[0]);
		*power = i % 2 ? PCI_D3hot : PCI_D3cold;
		expect_untouched(half, &arcs[i], -EBUSY);
		*power = PCI_D0;
		expect_state(half, arcs[i].way,
			     arcs[i].way[!*arcs[i].ops && !arcs[i].session]);
	}
}

/* A fatal error ends whatever was under way, in each state */
static void fatal_error(struct kunit *test)
{
	struct half *half = test->priv;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(from_running); i++) {
		reach(half, last(from_running[i]));
		half_error(half, pci_channel_io_frozen);
		expect_state(half, from_running[i], 'E');
		/* Nor does a reset help before the host has done its own. */
		half_reset(half);
		expect_state(half, from_running[i], 'E');
		half_recover(half);
		expect_lost(half, from_running[i]);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(each_way),
	KUNIT_CASE(ways_of_vfio),
	KUNIT_CASE(no_way),
	KUNIT_CASE(each_op_fails),
	KUNIT_CASE(does_not_start_again),
	KUNIT_CASE(fails_on_the_way),
	KUNIT_CASE(loads_early),
	KUNIT_CASE(bad_stream),
	KUNIT_CASE(unfinished_stream),
	KUNIT_CASE(asleep),
	KUNIT_CASE(fatal_error),
	{}
};

static struct kunit_suite suite = {
	.name = "fsm",
	.init = half_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
