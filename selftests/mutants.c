// SPDX-License-Identifier: GPL-2.0-only
/*
 * Streams that were saved and then changed, field by field and at random, given
 * to a device. What the driver's decoder refuses in userspace, the data_fd has to
 * refuse in the same way, and nothing of it may reach the registers.
 *
 * MUTANTS_SEED, MUTANTS_FIRST and MUTANTS_COUNT make the same ones again.
 */
/* First, since the harness takes a macro from whoever had it before */
#include "lib/decode.h"

#include <kselftest_harness.h>
#include <endian.h>
#include <stdlib.h>
#include <time.h>

#include "lib/check.h"
#include "lib/flow.h"
#include "lib/records.h"
#include "lib/regfile.h"

#define COUNT		100000
/* Each reset that is a real one takes 100 ms and more */
#define COUNT_SLOW	400
/* Of so many mutants one may be a stream that is still good: those take long */
#define LET_PASS	128

static const __u8 mac_a[6] = { 0x02, 0x76, 0x66, 0x00, 0x00, 0x0a };
static const __u8 group[6] = { 0x01, 0x00, 0x5e, 0x12, 0x34, 0x56 };

/* Numbers that look random and come again for the same seed */
struct dice {
	__u64 state;
};

static __u32 roll(struct dice *dice)
{
	__u64 x;

	dice->state += 0x9e3779b97f4a7c15ULL;
	x = dice->state;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return (x ^ x >> 31) >> 16;
}

static __u32 below(struct dice *dice, __u32 limit)
{
	return roll(dice) % limit;
}

/* What is most likely to be on the wrong side of a comparison */
static __u32 odd_value(struct dice *dice, __u32 was)
{
	static const __u32 odd[] = {
		0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff,
		0x10000, 0x10001, 0x7fffffff, 0x80000000, 0xfffffff0,
		0xfffffff4, 0xffffffff,
	};

	switch (below(dice, 4)) {
	case 0:
		return was + 1 + below(dice, 8);
	case 1:
		return was - 1 - below(dice, 8);
	case 2:
		return was ^ 1U << below(dice, 32);
	default:
		return odd[below(dice, ARRAY_SIZE(odd))];
	}
}

static void put32(struct mig_stream *stream, size_t pos, __u32 val)
{
	val = htole32(val);
	memcpy(stream->data + pos, &val, sizeof(val));
}

static __u32 get32(const struct mig_stream *stream, size_t pos)
{
	__u32 val;

	memcpy(&val, stream->data + pos, sizeof(val));
	return le32toh(val);
}

typedef void (*mutation)(struct mig_stream *stream,
			 const struct layout *layout, struct dice *dice);

static const struct record *any_record(const struct layout *layout,
				       struct dice *dice)
{
	return &layout->rec[below(dice, layout->nr)];
}

static void flip_bit(struct mig_stream *stream, const struct layout *layout,
		     struct dice *dice)
{
	(void)layout;
	stream->data[below(dice, stream->len)] ^= 1 << below(dice, 8);
}

static void change_word(struct mig_stream *stream, const struct layout *layout,
			struct dice *dice)
{
	size_t pos = below(dice, stream->len / 2 - 1) * 2;

	(void)layout;
	put32(stream, pos, odd_value(dice, get32(stream, pos)));
}

static void change_header(struct mig_stream *stream,
			  const struct layout *layout, struct dice *dice)
{
	size_t pos = below(dice, sizeof(struct vfio_mig_stream_header) / 4) * 4;

	(void)layout;
	put32(stream, pos, odd_value(dice, get32(stream, pos)));
}

/* Its type and flags, its length, or its checksum */
static void change_head(struct mig_stream *stream, const struct layout *layout,
			struct dice *dice)
{
	size_t pos = any_record(layout, dice)->start + 4 * below(dice, 3);

	put32(stream, pos, odd_value(dice, get32(stream, pos)));
}

static void lose_record(struct mig_stream *stream, const struct layout *layout,
			struct dice *dice)
{
	drop(stream, any_record(layout, dice));
}

static void repeat_records(struct mig_stream *stream,
			   const struct layout *layout, struct dice *dice)
{
	const struct record *from = any_record(layout, dice);
	const struct record *to = any_record(layout, dice);
	const struct record *at = any_record(layout, dice);

	if (from > to)
		to = from;
	repeat(stream, from->start, to->end, at->start);
}

/* An unknown one; or a known one, which is then of nonsense */
static void add_record(struct mig_stream *stream, const struct layout *layout,
		       struct dice *dice)
{
	__u16 type = below(dice, 2) ? UNKNOWN_RECORD :
				      any_record(layout, dice)->type;

	insert_record(stream, any_record(layout, dice)->start, type,
		      below(dice, 4), below(dice, 600));
}

static void change_length(struct mig_stream *stream,
			  const struct layout *layout, struct dice *dice)
{
	const struct record *rec = any_record(layout, dice);
	size_t len = rec->end - rec->payload;
	ssize_t change = 1 + below(dice, 40);

	if (below(dice, 2))
		change = -change;
	if (change < 0 && (size_t)-change > len)
		change = -(ssize_t)len;
	put32(stream, rec->start + 4, len + change);
	resize(stream, rec->payload, change);
}

static void cut_off(struct mig_stream *stream, const struct layout *layout,
		    struct dice *dice)
{
	(void)layout;
	stream->len = 1 + below(dice, stream->len - 1);
}

static void add_bytes(struct mig_stream *stream, const struct layout *layout,
		      struct dice *dice)
{
	unsigned int n = 1 + below(dice, 64);

	(void)layout;
	while (n--)
		stream->data[stream->len++] = roll(dice);
}

static const mutation mutations[] = {
	flip_bit, change_word, change_word, change_header, change_head,
	change_head, lose_record, repeat_records, add_record, change_length,
	cut_off, add_bytes,
};

static void copy_stream(struct mig_stream *to, const struct mig_stream *from)
{
	memcpy(to->data, from->data, from->len);
	to->len = from->len;
}

/* One to three changes, after which the checksums may be made right again */
static void mutate(struct mig_stream *stream, const struct mig_stream *good,
		   struct dice *dice)
{
	unsigned int n = 1 + below(dice, 3);
	struct layout layout;

	copy_stream(stream, good);
	while (n-- && stream->len > 8 && !parse(stream, &layout) && layout.nr)
		mutations[below(dice, ARRAY_SIZE(mutations))](stream, &layout,
							      dice);
	if (below(dice, 2))
		sign(stream);
}

/* Where the streams go, and how it looks when none of them got through */
struct target {
	struct vfio_dev *dev;
	struct igbvf vf;
	struct regfile was;
	int (*reset)(struct vfio_dev *dev);
	char change[80];
};

#define NR_GOOD	2

FIXTURE(mutants) {
	struct lab lab;
	struct target target;
	struct mig_stream good[NR_GOOD];
	__u64 seed;
	unsigned long first;
	unsigned long count;
};

#define mutants_data FIXTURE_DATA(mutants)

static int pretend_reset(struct vfio_dev *dev)
{
	return lab_pretend_reset(dev);
}

/* What a reset leaves of this is what a refused stream has to leave */
static int scribble(struct target *target)
{
	int ret;

	regfile_scribble(&target->vf, 4);
	ret = target->reset(target->dev);
	regfile_read(&target->vf, &target->was);
	return ret;
}

/* A guest that has told its PF all there is to tell */
static void make_good(struct __test_metadata *_metadata, struct igbvf *vf,
		      struct mig_stream *good)
{
	struct layout layout;
	size_t end;

	ASSERT_EQ(0, flow_start(vf, mac_a));
	ASSERT_EQ(0, igbvf_set_multicast(vf, group));
	ASSERT_EQ(0, igbvf_set_vlan(vf, 77, true));
	ASSERT_EQ(0, igbvf_set_lpe(vf, 1600));
	ASSERT_EQ(0, mig_save(vf->dev, &good[0]));
	ASSERT_EQ(0, vfio_reset(vf->dev));

	/* What it told last is in there twice, as PRE_COPY may have it */
	copy_stream(&good[1], &good[0]);
	ASSERT_EQ(0, parse(&good[1], &layout));
	end = nth(&layout, VFIO_MIG_RECORD_SEAL, 0)->end;
	repeat(&good[1], layout.rec[0].start, end, end);
	ASSERT_EQ(0, sign(&good[1]));
}

GROUP_AND_CDEV(mutants);

FIXTURE_SETUP(mutants)
{
	int (*reset)(struct vfio_dev *dev) = pretend_reset;
	struct igbvf source;

	self->lab.cdev = variant->cdev;
	if (!lab_setup(_metadata, &self->lab, 2, true))
		return;
	ASSERT_EQ(0, igbvf_open(&source, &self->lab.vf[0]));
	make_good(_metadata, &source, self->good);
	igbvf_close(&source);

	if (lab_load("pretend_reset"))
		reset = vfio_reset;
	self->target.dev = &self->lab.vf[1];
	self->target.reset = reset;
	ASSERT_EQ(0, igbvf_open(&self->target.vf, self->target.dev));
	ASSERT_EQ(0, scribble(&self->target));
	self->seed = lab_setting("MUTANTS_SEED", time(NULL));
	self->first = lab_setting("MUTANTS_FIRST", 0);
	self->count = lab_setting("MUTANTS_COUNT",
				  reset == vfio_reset ? COUNT_SLOW : COUNT);
}

FIXTURE_TEARDOWN(mutants)
{
	igbvf_close(&self->target.vf);
	lab_close(&self->lab);
}

/* The PF may not play along with what is a good stream by itself */
static bool is_pf_refusal(int ret)
{
	return ret == -EADDRNOTAVAIL || ret == -ENOSPC || ret == -EPERM ||
	       ret == -ETIMEDOUT;
}

/*
 * Gives a stream to a device in RUNNING. Returns what is wrong, or NULL: the arc
 * has the decoder's errno, and write() the same or none yet.
 */
static const char *feed(struct vfio_dev *dev, const struct mig_stream *stream,
			int want)
{
	int fd, written, arc, state;
	const char *wrong = NULL;

	if (vfio_mig_set_state(dev, VFIO_DEVICE_STATE_RESUMING, &fd))
		return "RESUMING cannot be entered";
	written = mig_write(fd, stream->data, stream->len);
	arc = vfio_mig_set_state(dev, VFIO_DEVICE_STATE_STOP, NULL);
	state = vfio_mig_get_state(dev);
	close(fd);

	if (written && written != want && !is_pf_refusal(written))
		wrong = "write() has another opinion than the decoder";
	else if (arc != want && (want || !is_pf_refusal(arc)))
		wrong = "the arc has another opinion than the decoder";
	else if (state != (arc ? VFIO_DEVICE_STATE_RESUMING :
				 VFIO_DEVICE_STATE_STOP))
		wrong = "the arc ended in a state where it should not";
	return wrong;
}

static const char *try_mutant(struct target *target,
			      const struct mig_stream *stream, int want)
{
	struct regfile is;
	const char *wrong;
	int diff;

	wrong = feed(target->dev, stream, want);
	if (wrong)
		return wrong;
	if (target->reset(target->dev))
		return "the device cannot be reset";
	if (!want)
		return scribble(target) ? "the device cannot be reset" : NULL;
	regfile_read(&target->vf, &is);
	diff = regfile_diff(&target->was, &is);
	if (diff < 0)
		return NULL;
	snprintf(target->change, sizeof(target->change),
		 "a refused stream has changed register %#x: %#x -> %#x",
		 is.reg[diff], target->was.val[diff], is.val[diff]);
	return target->change;
}

/* The nth mutant of a seed, which is a good stream only where that is wanted */
static int make_mutant(struct mig_stream *stream, const struct mig_stream *good,
		       __u64 seed, unsigned long n)
{
	struct dice dice = { .state = seed * 0x2545f4914f6cdd1dULL + n };
	int want;

	do {
		mutate(stream, &good[below(&dice, NR_GOOD)], &dice);
		want = decode(stream->data, stream->len);
	} while (!want && n % LET_PASS);
	return want;
}

/*
 * By one thread: each mutant takes the mappings away, and a second processor that
 * runs the same program has to be told every time.
 */
TEST_F_TIMEOUT(mutants, at_random, 600)
{
	unsigned long n = self->first, end = n + self->count;
	struct mig_stream *stream = malloc(sizeof(*stream));
	const char *wrong = NULL;
	int want;

	ASSERT_NE(NULL, stream);
	TH_LOG("%lu mutants, MUTANTS_SEED=%llu", self->count, self->seed);
	for (; !wrong && n < end; n++) {
		want = make_mutant(stream, self->good, self->seed, n);
		wrong = try_mutant(&self->target, stream, want);
	}
	free(stream);
	EXPECT_EQ(NULL, wrong)
		TH_LOG("MUTANTS_SEED=%llu MUTANTS_FIRST=%lu MUTANTS_COUNT=1: %s",
		       self->seed, n - 1, wrong);
	for (n = 0; n < NR_GOOD; n++) {
		EXPECT_EQ(NULL, feed(self->target.dev, &self->good[n], 0));
		ASSERT_EQ(0, self->target.reset(self->target.dev));
	}
}

/* A word of the stream with one value, checksums right or left wrong */
static const char *try_word(struct target *target, struct mig_stream *stream,
			    size_t pos, __u32 val, bool sign_it)
{
	__u32 was = get32(stream, pos);
	const char *wrong = NULL;
	struct mig_stream *bent;
	int want;

	bent = malloc(sizeof(*bent));
	if (!bent)
		return "no memory";
	copy_stream(bent, stream);
	put32(bent, pos, val);
	if (sign_it)
		sign(bent);
	want = decode(bent->data, bent->len);
	if (want && val != was)
		wrong = try_mutant(target, bent, want);
	free(bent);
	return wrong;
}

/* Each field, with values that are too small, too large and just beside it */
TEST_F_TIMEOUT(mutants, field_by_field, 600)
{
	static const __s32 steps[] = { -4, -1, 1, 4, 1 << 16, 1 << 24 };
	static const __u32 values[] = { 0, 0x7fffffff, ~0U };
	struct mig_stream *good = &self->good[0];
	struct target *target = &self->target;
	const char *wrong = NULL;
	unsigned int i, nr;
	__u32 val;
	size_t pos;

	nr = ARRAY_SIZE(steps) + ARRAY_SIZE(values);
	for (pos = 0; pos + 4 <= good->len; pos += 2) {
		for (i = 0; !wrong && i < 2 * nr; i++) {
			val = i / 2 < ARRAY_SIZE(steps) ?
			      get32(good, pos) + steps[i / 2] :
			      values[i / 2 - ARRAY_SIZE(steps)];
			wrong = try_word(target, good, pos, val, i % 2);
		}
		ASSERT_EQ(NULL, wrong)
			TH_LOG("offset %zu, %#x for %#x: %s", pos, val,
			       get32(good, pos), wrong);
		/* A real reset takes its time: not each of its words then */
		if (target->reset == vfio_reset)
			pos += 62;
	}
}

TEST_HARNESS_MAIN
