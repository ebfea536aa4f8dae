// SPDX-License-Identifier: GPL-2.0-only
/*
 * The set of pages of the DMA log beside a bitmap of all of them: what has been put
 * in comes out once, where it is asked for, and no other page does while there is
 * room.
 */
#include <kunit/test.h>
#include <linux/prandom.h>

#include "mig/dirty_set.h"

#define PAGES		(6 * VFIO_MIG_CHUNK_PAGES)
#define ROUNDS		4000
/* Past what a set keeps apart */
#define MANY_CHUNKS	20000UL

/* With a gap in a word, and borders that are not those of chunks or words */
static const struct vfio_mig_span scope[] = {
	{ 100, 2 * VFIO_MIG_CHUNK_PAGES + 5 },
	{ 2 * VFIO_MIG_CHUNK_PAGES + 8, PAGES - 70 },
};

struct pair {
	struct kunit *test;
	struct vfio_mig_dirty_set set;
	struct rnd_state rnd;
	DECLARE_BITMAP(model, PAGES);
	DECLARE_BITMAP(in_scope, PAGES);
	DECLARE_BITMAP(within, PAGES);
	DECLARE_BITMAP(due, PAGES);
	DECLARE_BITMAP(out, PAGES);
};

static struct pair *new_pair(struct kunit *test)
{
	struct pair *pair = kunit_kzalloc(test, sizeof(*pair), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, pair);
	pair->test = test;
	prandom_seed_state(&pair->rnd, 82576);
	for (i = 0; i < ARRAY_SIZE(scope); i++)
		bitmap_set(pair->in_scope, scope[i].first,
			   scope[i].last - scope[i].first + 1);
	vfio_mig_set_init(&pair->set);
	KUNIT_ASSERT_EQ(test, 0, vfio_mig_set_begin(&pair->set, scope, ARRAY_SIZE(scope)));
	return pair;
}

/* Most are of a page or few, some of chunks; all begin and end anywhere. */
static struct vfio_mig_span any_span(struct pair *pair)
{
	static const unsigned int most[] = { 1, 3, 70, 3 * VFIO_MIG_CHUNK_PAGES };
	u32 len = 1 + prandom_u32_state(&pair->rnd) %
		      most[prandom_u32_state(&pair->rnd) % ARRAY_SIZE(most)];
	u32 first = prandom_u32_state(&pair->rnd) % PAGES;

	return (struct vfio_mig_span) {
		.first = first,
		.last = min(first + len, (u32)PAGES) - 1,
	};
}

static void add(struct pair *pair, struct vfio_mig_span span)
{
	vfio_mig_set_add(&pair->set, span);
	bitmap_zero(pair->within, PAGES);
	bitmap_set(pair->within, span.first, span.last - span.first + 1);
	bitmap_and(pair->within, pair->within, pair->in_scope, PAGES);
	bitmap_or(pair->model, pair->model, pair->within, PAGES);
}

static void take_chunks(struct pair *pair, struct vfio_mig_span within)
{
	struct vfio_mig_chunk_bits *chunk;
	unsigned int word, bit;

	chunk = kunit_kmalloc(pair->test, sizeof(*chunk), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(pair->test, chunk);
	while (within.first <= within.last &&
	       vfio_mig_set_take_chunk(&pair->set, within, chunk)) {
		for_each_set_bit(word, chunk->used, VFIO_MIG_CHUNK_WORDS) {
			bit = word * BITS_PER_LONG;
			for_each_set_bit_from(bit, chunk->bits, (word + 1) * BITS_PER_LONG)
				__set_bit(chunk->first + bit, pair->out);
		}
		within.first = chunk->first + VFIO_MIG_CHUNK_PAGES;
	}
	kunit_kfree(pair->test, chunk);
}

/* Everything of @span, once */
static void take(struct pair *pair, struct vfio_mig_span span)
{
	struct vfio_mig_span rest = span, whole;

	bitmap_zero(pair->within, PAGES);
	bitmap_set(pair->within, span.first, span.last - span.first + 1);
	bitmap_and(pair->due, pair->model, pair->within, PAGES);
	bitmap_andnot(pair->model, pair->model, pair->within, PAGES);
	bitmap_zero(pair->out, PAGES);
	while (rest.first <= rest.last &&
	       vfio_mig_set_take_whole(&pair->set, rest, &whole)) {
		bitmap_set(pair->out, whole.first, whole.last - whole.first + 1);
		rest.first = whole.last + 1;
	}
	take_chunks(pair, span);
	KUNIT_ASSERT_TRUE_MSG(pair->test, bitmap_equal(pair->due, pair->out, PAGES),
			      "from %lu to %lu: %u pages are due, %u came", span.first,
			      span.last, bitmap_weight(pair->due, PAGES),
			      bitmap_weight(pair->out, PAGES));
}

static void end(struct pair *pair)
{
	take(pair, (struct vfio_mig_span) { 0, PAGES - 1 });
	KUNIT_EXPECT_EQ(pair->test, 0, pair->set.nr_chunks);
	KUNIT_EXPECT_EQ(pair->test, 0, pair->set.nr_whole);
	vfio_mig_set_end(&pair->set);
	mutex_destroy(&pair->set.lock);
}

/* Bits are put in and taken out at random. */
static void spans(struct kunit *test)
{
	struct pair *pair = new_pair(test);
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		add(pair, any_span(pair));
		if (i % 3 == 0)
			take(pair, any_span(pair));
	}
	end(pair);
}

/* All pages are in the set, are cut into pieces, and come again by themselves. */
static void all(struct kunit *test)
{
	struct pair *pair = new_pair(test);
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		if (i % 100 == 0) {
			vfio_mig_set_add_all(&pair->set);
			bitmap_copy(pair->model, pair->in_scope, PAGES);
		}
		take(pair, any_span(pair));
		if (i % 2)
			add(pair, any_span(pair));
	}
	end(pair);
}

/* Where there is no room for pages one by one the set has all of its scope. */
static void past_the_bound(struct kunit *test)
{
	static const struct vfio_mig_span wide = {
		.last = MANY_CHUNKS * VFIO_MIG_CHUNK_PAGES - 1,
	};
	struct vfio_mig_dirty_set *set = kunit_kzalloc(test, sizeof(*set), GFP_KERNEL);
	struct vfio_mig_span taken;
	unsigned long i, page;

	KUNIT_ASSERT_NOT_NULL(test, set);
	vfio_mig_set_init(set);
	KUNIT_ASSERT_EQ(test, 0, vfio_mig_set_begin(set, &wide, 1));
	for (i = 0; i < MANY_CHUNKS && !set->nr_whole; i++) {
		page = i * VFIO_MIG_CHUNK_PAGES;
		vfio_mig_set_add(set, (struct vfio_mig_span) { page, page });
	}
	KUNIT_EXPECT_LT(test, i, MANY_CHUNKS);
	KUNIT_EXPECT_EQ(test, 0, set->nr_chunks);
	KUNIT_ASSERT_TRUE(test, vfio_mig_set_take_whole(set, wide, &taken));
	KUNIT_EXPECT_EQ(test, wide.first, taken.first);
	KUNIT_EXPECT_EQ(test, wide.last, taken.last);
	vfio_mig_set_end(set);
	mutex_destroy(&set->lock);
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(spans),
	KUNIT_CASE_SLOW(all),
	KUNIT_CASE_SLOW(past_the_bound),
	{}
};

static struct kunit_suite suite = {
	.name = "dirty_set",
	.test_cases = cases,
};

kunit_test_suite(suite);
