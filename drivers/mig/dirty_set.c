// SPDX-License-Identifier: GPL-2.0-only
/*
 * A set of pages, in memory that is bounded whatever is put into it: past the bound
 * all pages are in the set.
 *
 * Pages are kept in chunks that are only there while they have a bit set, so that
 * what it takes to look through the set depends on the pages in it and not on how
 * far they are apart. Beside them are spans whose pages are all in the set.
 */
#include <kunit/visibility.h>
#include <linux/minmax.h>
#include <linux/rbtree.h>
#include <linux/slab.h>

#include "dirty_set.h"

/* One takes 1 KiB, so a set takes 16 MiB at most. */
#define MAX_CHUNKS	16384

/* How often a span of pages that are all in the set may be split in two. */
#define MAX_SPLITS	512

struct chunk {
	struct rb_node node;
	unsigned long index;	/* of its first page, in chunks */
	/* The words of bits that are not 0: most pages are far apart. */
	DECLARE_BITMAP(used, VFIO_MIG_CHUNK_WORDS);
	DECLARE_BITMAP(bits, VFIO_MIG_CHUNK_PAGES);
};

/**
 * vfio_mig_set_init() - a set of no pages, out of none
 * @set: the set
 */
void vfio_mig_set_init(struct vfio_mig_dirty_set *set)
{
	mutex_init(&set->lock);
	set->chunks = RB_ROOT;
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_set_init);

static void remove_chunk(struct vfio_mig_dirty_set *set, struct chunk *chunk)
{
	rb_erase(&chunk->node, &set->chunks);
	set->nr_chunks--;
	kfree(chunk);
}

static void remove_all_chunks(struct vfio_mig_dirty_set *set)
{
	struct chunk *chunk, *next;

	rbtree_postorder_for_each_entry_safe(chunk, next, &set->chunks, node)
		kfree(chunk);
	set->chunks = RB_ROOT;
	set->nr_chunks = 0;
}

/**
 * vfio_mig_set_begin() - take pages into the set from now on
 * @set: the set, which has none
 * @scope: which pages: in order and apart from each other; kept until
 *	vfio_mig_set_end()
 * @nr: entries of @scope
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int vfio_mig_set_begin(struct vfio_mig_dirty_set *set,
		       const struct vfio_mig_span *scope, unsigned int nr)
{
	unsigned int max = nr + MAX_SPLITS;
	struct vfio_mig_span *whole;

	whole = kvmalloc_array(max, sizeof(*whole), GFP_KERNEL_ACCOUNT);
	if (!whole)
		return -ENOMEM;
	mutex_lock(&set->lock);
	set->scope = scope;
	set->nr_scope = nr;
	set->whole = whole;
	set->nr_whole = 0;
	set->max_whole = max;
	mutex_unlock(&set->lock);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_set_begin);

/**
 * vfio_mig_set_end() - forget all pages, and take none any more
 * @set: the set
 *
 * Context: may sleep.
 */
void vfio_mig_set_end(struct vfio_mig_dirty_set *set)
{
	mutex_lock(&set->lock);
	remove_all_chunks(set);
	set->scope = NULL;
	set->nr_scope = 0;
	kvfree(set->whole);
	set->whole = NULL;
	set->nr_whole = 0;
	mutex_unlock(&set->lock);
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_set_end);

static void add_all(struct vfio_mig_dirty_set *set)
{
	remove_all_chunks(set);
	memcpy(set->whole, set->scope, array_size(set->nr_scope, sizeof(*set->whole)));
	set->nr_whole = set->nr_scope;
}

/**
 * vfio_mig_set_add_all() - put all pages into the set that there are
 * @set: the set
 *
 * Context: may sleep.
 */
void vfio_mig_set_add_all(struct vfio_mig_dirty_set *set)
{
	mutex_lock(&set->lock);
	if (set->scope)
		add_all(set);
	mutex_unlock(&set->lock);
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_set_add_all);

static struct chunk *new_chunk(struct vfio_mig_dirty_set *set, unsigned long index,
			       struct rb_node *parent, struct rb_node **link)
{
	struct chunk *chunk;

	if (set->nr_chunks == MAX_CHUNKS)
		return NULL;
	chunk = kzalloc(sizeof(*chunk), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!chunk)
		return NULL;
	chunk->index = index;
	rb_link_node(&chunk->node, parent, link);
	rb_insert_color(&chunk->node, &set->chunks);
	set->nr_chunks++;
	return chunk;
}

/* The chunk at @index, which is made if it is not there; NULL past the bound. */
static struct chunk *get_chunk(struct vfio_mig_dirty_set *set, unsigned long index)
{
	struct rb_node **link = &set->chunks.rb_node, *parent = NULL;
	struct chunk *chunk;

	while (*link) {
		parent = *link;
		chunk = rb_entry(parent, struct chunk, node);
		if (chunk->index == index)
			return chunk;
		link = index < chunk->index ? &parent->rb_left : &parent->rb_right;
	}
	return new_chunk(set, index, parent, link);
}

static void add_bits(struct chunk *chunk, unsigned int from, unsigned int nr)
{
	unsigned int word = BIT_WORD(from);

	bitmap_set(chunk->bits, from, nr);
	bitmap_set(chunk->used, word, BIT_WORD(from + nr - 1) - word + 1);
}

static bool add_span(struct vfio_mig_dirty_set *set, struct vfio_mig_span span)
{
	unsigned long page = span.first, nr;
	struct chunk *chunk;

	for (; page <= span.last; page += nr) {
		nr = min(span.last - page + 1,
			 VFIO_MIG_CHUNK_PAGES - page % VFIO_MIG_CHUNK_PAGES);
		chunk = get_chunk(set, page / VFIO_MIG_CHUNK_PAGES);
		if (!chunk)
			return false;
		add_bits(chunk, page % VFIO_MIG_CHUNK_PAGES, nr);
	}
	return true;
}

static bool meet(struct vfio_mig_span a, struct vfio_mig_span b,
		 struct vfio_mig_span *both)
{
	both->first = max(a.first, b.first);
	both->last = min(a.last, b.last);
	return both->first <= both->last;
}

/**
 * vfio_mig_set_add() - put pages into the set
 * @set: the set
 * @span: the pages; of those that are not of its scope nothing is kept
 *
 * Where there is no memory for it all pages are put into the set.
 * Context: may sleep.
 */
void vfio_mig_set_add(struct vfio_mig_dirty_set *set, struct vfio_mig_span span)
{
	struct vfio_mig_span part;
	unsigned int i;

	mutex_lock(&set->lock);
	for (i = 0; i < set->nr_scope; i++) {
		if (!meet(set->scope[i], span, &part))
			continue;
		if (!add_span(set, part)) {
			add_all(set);
			break;
		}
	}
	mutex_unlock(&set->lock);
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_set_add);

/**
 * vfio_mig_set_covers() - are these pages of the set's scope?
 * @set: the set
 * @span: the pages
 *
 * Context: may sleep.
 * Return: true where all of them are.
 */
bool vfio_mig_set_covers(struct vfio_mig_dirty_set *set, struct vfio_mig_span span)
{
	struct vfio_mig_span part;
	bool covers = false;
	unsigned int i;

	mutex_lock(&set->lock);
	for (i = 0; i < set->nr_scope; i++)
		if (meet(set->scope[i], span, &part) && part.first == span.first &&
		    part.last == span.last)
			covers = true;
	mutex_unlock(&set->lock);
	return covers;
}

static void remove_whole(struct vfio_mig_dirty_set *set, unsigned int i)
{
	set->nr_whole--;
	memmove(&set->whole[i], &set->whole[i + 1],
		array_size(set->nr_whole - i, sizeof(*set->whole)));
}

/* Without room for it the span stays as it is, and pages too many in the set. */
static void split_whole(struct vfio_mig_dirty_set *set, unsigned int i,
			struct vfio_mig_span hole)
{
	if (set->nr_whole == set->max_whole)
		return;
	memmove(&set->whole[i + 1], &set->whole[i],
		array_size(set->nr_whole - i, sizeof(*set->whole)));
	set->nr_whole++;
	set->whole[i].last = hole.first - 1;
	set->whole[i + 1].first = hole.last + 1;
}

static void cut_whole(struct vfio_mig_dirty_set *set, unsigned int i,
		      struct vfio_mig_span hole)
{
	struct vfio_mig_span *span = &set->whole[i];

	if (hole.first == span->first && hole.last == span->last)
		remove_whole(set, i);
	else if (hole.first == span->first)
		span->first = hole.last + 1;
	else if (hole.last == span->last)
		span->last = hole.first - 1;
	else
		split_whole(set, i, hole);
}

/**
 * vfio_mig_set_take_whole() - take pages out that are in the set by whole spans
 * @set: the set
 * @within: where to look for them
 * @taken: the first of what there is
 *
 * Context: may sleep.
 * Return: false where there is nothing.
 */
bool vfio_mig_set_take_whole(struct vfio_mig_dirty_set *set,
			     struct vfio_mig_span within,
			     struct vfio_mig_span *taken)
{
	bool found = false;
	unsigned int i;

	mutex_lock(&set->lock);
	for (i = 0; !found && i < set->nr_whole; i++) {
		found = meet(set->whole[i], within, taken);
		if (found)
			cut_whole(set, i, *taken);
	}
	mutex_unlock(&set->lock);
	return found;
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_set_take_whole);

/* The first chunk at @index or behind it. */
static struct chunk *next_chunk(struct vfio_mig_dirty_set *set, unsigned long index)
{
	struct rb_node *node = set->chunks.rb_node;
	struct chunk *chunk, *best = NULL;

	while (node) {
		chunk = rb_entry(node, struct chunk, node);
		if (chunk->index < index) {
			node = node->rb_right;
		} else {
			best = chunk;
			node = node->rb_left;
		}
	}
	return best;
}

/* Those of a word of a chunk that are among the pages from @first to @last of it. */
static unsigned long word_mask(unsigned int word, unsigned int first,
			       unsigned int last)
{
	unsigned long mask = ~0UL;

	if (word == BIT_WORD(first))
		mask &= BITMAP_FIRST_WORD_MASK(first);
	if (word == BIT_WORD(last))
		mask &= BITMAP_LAST_WORD_MASK(last + 1);
	return mask;
}

static void move_bits(struct chunk *chunk, struct vfio_mig_span within,
		      struct vfio_mig_chunk_bits *taken)
{
	struct vfio_mig_span part, all = {
		.first = chunk->index * VFIO_MIG_CHUNK_PAGES,
		.last = (chunk->index + 1) * VFIO_MIG_CHUNK_PAGES - 1,
	};
	unsigned int first, last, word;
	unsigned long mask;

	meet(all, within, &part);
	first = part.first - all.first;
	last = part.last - all.first;
	taken->first = all.first;
	bitmap_zero(taken->used, VFIO_MIG_CHUNK_WORDS);
	word = BIT_WORD(first);
	for_each_set_bit_from(word, chunk->used, BIT_WORD(last) + 1) {
		mask = word_mask(word, first, last);
		taken->bits[word] = chunk->bits[word] & mask;
		if (taken->bits[word])
			__set_bit(word, taken->used);
		chunk->bits[word] &= ~mask;
		if (!chunk->bits[word])
			__clear_bit(word, chunk->used);
	}
}

/**
 * vfio_mig_set_take_chunk() - take other pages out of the set
 * @set: the set
 * @within: where to look for them
 * @taken: what there is in the first chunk that has any; may be nothing after all
 *
 * Context: may sleep.
 * Return: false where there is no chunk any more.
 */
bool vfio_mig_set_take_chunk(struct vfio_mig_dirty_set *set,
			     struct vfio_mig_span within,
			     struct vfio_mig_chunk_bits *taken)
{
	struct chunk *chunk;
	bool found;

	mutex_lock(&set->lock);
	chunk = next_chunk(set, within.first / VFIO_MIG_CHUNK_PAGES);
	found = chunk && chunk->index <= within.last / VFIO_MIG_CHUNK_PAGES;
	if (found) {
		move_bits(chunk, within, taken);
		if (bitmap_empty(chunk->used, VFIO_MIG_CHUNK_WORDS))
			remove_chunk(set, chunk);
	}
	mutex_unlock(&set->lock);
	return found;
}
EXPORT_SYMBOL_IF_KUNIT(vfio_mig_set_take_chunk);
