// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log of the pages that the device writes (VFIO_DEVICE_FEATURE_DMA_LOGGING_*),
 * for a device that keeps none: the device half knows from the descriptors that the
 * user posts what the device may write, and says what it has written.
 *
 * Descriptors are in the user's memory, and reading that may fault: it is done with
 * no lock held but log->mutex, which is outside of all others. What has been read is
 * handed to the device half under the trap lock, and void if the ring is another one
 * by then.
 */
#include <linux/interval_tree.h>
#include <linux/iova_bitmap.h>
#include <linux/log2.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vfio_pci_mig_compat.h>

#include "mig.h"

/* How often it is tried to read a ring that changes meanwhile. */
#define MAX_TRIES	3

/* Pages that are reported before it is looked whether the user wants to end. */
#define PAGES_AT_ONCE	BIT(24)

void vfio_mig_log_init(struct vfio_mig_device *mdev)
{
	mutex_init(&mdev->log.mutex);
	vfio_mig_set_init(&mdev->log.dirty);
}

void vfio_mig_log_destroy(struct vfio_mig_device *mdev)
{
	mutex_destroy(&mdev->log.dirty.lock);
	mutex_destroy(&mdev->log.mutex);
}

/**
 * vfio_mig_dirty() - the device may have written here
 * @mdev: the device
 * @iova: where it begins
 * @len: bytes
 *
 * Context: may sleep.
 */
void vfio_mig_dirty(struct vfio_mig_device *mdev, u64 iova, u64 len)
{
	u64 last = iova + len - 1;

	if (!len)
		return;
	if (last < iova)
		last = U64_MAX;
	vfio_mig_set_add(&mdev->log.dirty, (struct vfio_mig_span) {
		.first = iova >> VFIO_MIG_PAGE_SHIFT,
		.last = last >> VFIO_MIG_PAGE_SHIFT,
	});
}
EXPORT_SYMBOL_GPL(vfio_mig_dirty);

/**
 * vfio_mig_dirty_all() - it is not known where the device may have written
 * @mdev: the device
 *
 * Context: may sleep.
 */
void vfio_mig_dirty_all(struct vfio_mig_device *mdev)
{
	vfio_mig_set_add_all(&mdev->log.dirty);
}
EXPORT_SYMBOL_GPL(vfio_mig_dirty_all);

/* For the driver's own accesses: in any state, but not to what cannot answer. */
static bool reach(struct vfio_mig_device *mdev, u16 *cmd)
{
	down_read(&mdev->core.memory_lock);
	mutex_lock(&mdev->trap_lock);
	if (!READ_ONCE(mdev->gate.blocked) && !vfio_mig_asleep(mdev)) {
		*cmd = vfio_mig_decode_on(mdev);
		return true;
	}
	mutex_unlock(&mdev->trap_lock);
	up_read(&mdev->core.memory_lock);
	return false;
}

static void let_go(struct vfio_mig_device *mdev, u16 cmd)
{
	vfio_mig_decode_restore(mdev, cmd);
	mutex_unlock(&mdev->trap_lock);
	up_read(&mdev->core.memory_lock);
}

static void *get_buffer(struct vfio_mig_log *log, size_t size)
{
	if (log->buf_size >= size)
		return log->buf;
	kvfree(log->buf);
	log->buf = kvmalloc(size, GFP_KERNEL_ACCOUNT);
	log->buf_size = log->buf ? size : 0;
	return log->buf;
}

static int read_parts(struct vfio_mig_device *mdev,
		      const struct vfio_mig_fetch *fetch, void *buf)
{
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(fetch->part); i++) {
		if (!fetch->part[i].len)
			continue;
		ret = vfio_mig_dma_read(mdev, fetch->part[i].iova, buf,
					fetch->part[i].len);
		if (ret)
			return ret;
		buf += fetch->part[i].len;
	}
	return 0;
}

/* NULL where it cannot be read: all that the device may reach counts as written. */
static const void *read_memory(struct vfio_mig_device *mdev,
			       const struct vfio_mig_fetch *fetch)
{
	void *buf = get_buffer(&mdev->log, fetch->part[0].len + fetch->part[1].len);
	int ret;

	lockdep_assert_held(&mdev->log.mutex);

	ret = buf ? read_parts(mdev, fetch, buf) : -ENOMEM;
	if (!ret)
		return buf;
	dev_warn_ratelimited(&mdev->core.pdev->dev,
			     "DMA log: no descriptors can be read at %#llx%s (%pe): all memory counts as dirty\n",
			     fetch->part[0].iova, vfio_mig_dma_hint(mdev),
			     ERR_PTR(ret));
	return NULL;
}

/* Has the device half learn what the device has in a ring that it knows nothing of. */
static void sync_ring(struct vfio_mig_device *mdev, unsigned int ring)
{
	const struct vfio_mig_log_ops *ops = mdev->log.ops;
	struct vfio_mig_fetch fetch;
	int tries = MAX_TRIES;
	const void *data;
	bool wanted;
	int ret = 0;
	u16 cmd;

	do {
		fetch = (struct vfio_mig_fetch) { .ring = ring };
		if (!reach(mdev, &cmd))
			return;
		wanted = ops->sync(mdev, &fetch);
		let_go(mdev, cmd);
		if (!wanted)
			return;
		data = read_memory(mdev, &fetch);
		if (!reach(mdev, &cmd))
			return;
		ret = ops->take(mdev, &fetch, data);
		let_go(mdev, cmd);
	} while (ret == -EAGAIN && --tries);
}

/* Has all that the device has written by now put into the set. */
static void look(struct vfio_mig_device *mdev)
{
	const struct vfio_mig_log_ops *ops = mdev->log.ops;
	int ret = -EIO;
	unsigned int i;
	u16 cmd;

	lockdep_assert_held(&mdev->log.mutex);

	for (i = 0; i < ops->nr_rings; i++)
		sync_ring(mdev, i);
	if (reach(mdev, &cmd)) {
		ret = ops->look(mdev);
		let_go(mdev, cmd);
	}
	if (ret)
		vfio_mig_dirty_all(mdev);
}

/**
 * vfio_mig_log_last_look() - look at the device before it is reset
 * @mdev: the device
 *
 * Context: trap lock held, and memory_lock unless the reset is not VFIO's.
 */
void vfio_mig_log_last_look(struct vfio_mig_device *mdev)
{
	int ret = -EIO;
	u16 cmd;

	lockdep_assert_held(&mdev->trap_lock);

	if (!mdev->log.on)
		return;
	if (!READ_ONCE(mdev->gate.blocked) && !vfio_mig_asleep(mdev)) {
		cmd = vfio_mig_decode_on(mdev);
		ret = mdev->log.ops->look(mdev);
		vfio_mig_decode_restore(mdev, cmd);
	}
	if (ret)
		vfio_mig_dirty_all(mdev);
}

/* Whether the write took place, or -EAGAIN where @fetch is void. */
static int write_and_take(struct vfio_mig_device *mdev, u32 offset, u32 val,
			  const struct vfio_mig_fetch *fetch, const void *data)
{
	int ret;

	if (!vfio_mig_enter(mdev))
		return false;
	ret = mdev->log.ops->take(mdev, fetch, data);
	if (ret != -EAGAIN) {
		mdev->ops->access(mdev, offset, &val, true);
		ret = true;
	}
	vfio_mig_leave(mdev);
	return ret;
}

/**
 * vfio_mig_log_write() - the user hands descriptors over to the device
 * @mdev: the device, with a log
 * @offset: the register that he writes to for it
 * @val: what he writes
 *
 * They are read before the device gets them, since it writes over them.
 *
 * Context: may sleep, and fault.
 * Return: false where the gate is closed.
 */
bool vfio_mig_log_write(struct vfio_mig_device *mdev, u32 offset, u32 val)
{
	struct vfio_mig_fetch fetch;
	int tries = MAX_TRIES;
	bool wanted = true;
	int ret;

	mutex_lock(&mdev->log.mutex);
	do {
		fetch = (struct vfio_mig_fetch) {};
		ret = vfio_mig_enter(mdev);
		if (!ret)
			break;
		wanted = tries && mdev->log.on &&
			 mdev->log.ops->post(mdev, offset, val, &fetch);
		/* The device half finds that it does not know of this one. */
		if (!wanted)
			mdev->ops->access(mdev, offset, &val, true);
		vfio_mig_leave(mdev);
		if (wanted)
			ret = write_and_take(mdev, offset, val, &fetch,
					     read_memory(mdev, &fetch));
	} while (ret == -EAGAIN && tries--);
	mutex_unlock(&mdev->log.mutex);
	return ret;
}

/* VFIO has seen to it that no two of them overlap. */
static int copy_ranges(struct vfio_mig_span *scope, struct rb_root_cached *ranges,
		       unsigned int *nr)
{
	struct interval_tree_node *range;
	struct vfio_mig_span span;
	struct rb_node *node;

	*nr = 0;
	for (node = rb_first_cached(ranges); node; node = rb_next(node)) {
		range = rb_entry(node, struct interval_tree_node, rb);
		/* An empty one; the last address of all is not in any range. */
		if (range->last < range->start || range->last == ULONG_MAX)
			return -EINVAL;
		span.first = range->start >> VFIO_MIG_PAGE_SHIFT;
		span.last = range->last >> VFIO_MIG_PAGE_SHIFT;
		if (*nr && span.first <= scope[*nr - 1].last + 1)
			scope[*nr - 1].last = span.last;
		else
			scope[(*nr)++] = span;
	}
	return 0;
}

static int begin(struct vfio_mig_device *mdev, struct rb_root_cached *ranges,
		 u32 nr_ranges)
{
	struct vfio_mig_log *log = &mdev->log;
	struct vfio_mig_span *scope;
	unsigned int nr;
	int ret;

	scope = kvmalloc_array(nr_ranges, sizeof(*scope), GFP_KERNEL_ACCOUNT);
	if (!scope)
		return -ENOMEM;
	ret = copy_ranges(scope, ranges, &nr);
	if (!ret)
		ret = vfio_mig_set_begin(&log->dirty, scope, nr);
	if (ret) {
		kvfree(scope);
		return ret;
	}
	log->scope = scope;
	mutex_lock(&mdev->trap_lock);
	WRITE_ONCE(log->on, true);
	mutex_unlock(&mdev->trap_lock);
	look(mdev);
	return 0;
}

static void end(struct vfio_mig_device *mdev)
{
	struct vfio_mig_log *log = &mdev->log;

	mutex_lock(&mdev->trap_lock);
	WRITE_ONCE(log->on, false);
	log->ops->end(mdev);
	mutex_unlock(&mdev->trap_lock);
	vfio_mig_set_end(&log->dirty);
	kvfree(log->scope);
	log->scope = NULL;
	kvfree(log->buf);
	log->buf = NULL;
	log->buf_size = 0;
}

static int log_start(struct vfio_device *vdev, struct rb_root_cached *ranges,
		     u32 nr_ranges, u64 *page_size)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);
	int ret = -EBUSY;

	if (!is_power_of_2(*page_size))
		return -EINVAL;
	mutex_lock(&mdev->log.mutex);
	if (!mdev->log.on)
		ret = begin(mdev, ranges, nr_ranges);
	mutex_unlock(&mdev->log.mutex);
	if (!ret)
		*page_size = VFIO_MIG_PAGE_SIZE;
	return ret;
}

static int log_stop(struct vfio_device *vdev)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);
	int ret = -EINVAL;

	mutex_lock(&mdev->log.mutex);
	if (mdev->log.on) {
		end(mdev);
		ret = 0;
	}
	mutex_unlock(&mdev->log.mutex);
	return ret;
}

/**
 * vfio_mig_log_close() - the device is closed, and its log with it
 * @mdev: the device
 *
 * Context: may sleep; no lock held.
 */
void vfio_mig_log_close(struct vfio_mig_device *mdev)
{
	if (mdev->log.ops)
		log_stop(&mdev->core.vdev);
}

static int set_bits(struct iova_bitmap *bitmap, struct vfio_mig_span span)
{
	unsigned long page, nr;

	for (page = span.first; page <= span.last; page += nr) {
		nr = min(span.last - page + 1, PAGES_AT_ONCE);
		iova_bitmap_set(bitmap, page << VFIO_MIG_PAGE_SHIFT,
				nr << VFIO_MIG_PAGE_SHIFT);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int report_whole(struct vfio_mig_device *mdev, struct vfio_mig_span within,
			struct iova_bitmap *bitmap)
{
	struct vfio_mig_span span;
	int ret = 0;

	while (!ret && within.first <= within.last &&
	       vfio_mig_set_take_whole(&mdev->log.dirty, within, &span)) {
		ret = set_bits(bitmap, span);
		within.first = span.last + 1;
	}
	return ret;
}

static int report_chunk(const struct vfio_mig_chunk_bits *chunk,
			struct iova_bitmap *bitmap)
{
	unsigned int word, end, from, to;
	int ret;

	for_each_set_bitrange(word, end, chunk->used, VFIO_MIG_CHUNK_WORDS) {
		from = word * BITS_PER_LONG;
		for_each_set_bitrange_from(from, to, chunk->bits, end * BITS_PER_LONG) {
			ret = set_bits(bitmap, (struct vfio_mig_span) {
				.first = chunk->first + from,
				.last = chunk->first + to - 1,
			});
			if (ret)
				return ret;
		}
	}
	return 0;
}

static int report_chunks(struct vfio_mig_device *mdev, struct vfio_mig_span within,
			 struct iova_bitmap *bitmap)
{
	struct vfio_mig_chunk_bits chunk;
	int ret = 0;

	while (!ret && within.first <= within.last &&
	       vfio_mig_set_take_chunk(&mdev->log.dirty, within, &chunk)) {
		ret = report_chunk(&chunk, bitmap);
		within.first = chunk.first + VFIO_MIG_CHUNK_PAGES;
	}
	return ret;
}

/*
 * Setting bits may fault as well, and is done with no lock held. VFIO has made sure
 * that @iova + @length does not overflow.
 */
static int log_read_and_clear(struct vfio_device *vdev, unsigned long iova,
			      unsigned long length, struct iova_bitmap *bitmap)
{
	struct vfio_mig_device *mdev = vfio_mig_from_core(vdev);
	struct vfio_mig_span span = {
		.first = iova >> VFIO_MIG_PAGE_SHIFT,
		.last = (iova + length - 1) >> VFIO_MIG_PAGE_SHIFT,
	};
	int ret = -EINVAL;

	if (!length || !IS_ALIGNED(iova | length, VFIO_MIG_PAGE_SIZE))
		return -EINVAL;
	mutex_lock(&mdev->log.mutex);
	if (mdev->log.on && vfio_mig_set_covers(&mdev->log.dirty, span)) {
		look(mdev);
		ret = 0;
	}
	mutex_unlock(&mdev->log.mutex);
	if (!ret)
		ret = report_whole(mdev, span, bitmap);
	if (!ret)
		ret = report_chunks(mdev, span, bitmap);
	return ret;
}

static const struct vfio_log_ops log_ops = {
	.log_start = log_start,
	.log_stop = log_stop,
	.log_read_and_clear = log_read_and_clear,
};

/**
 * vfio_mig_offer_log() - offer a log of the pages that the device writes
 * @mdev: the device, with migration offered, and not registered yet
 * @ops: what the device half does for it; kept
 * @mmap: the parts of the gated BAR that users may mmap with it; kept. Doorbells
 *	have to be trapped
 *
 * VFIO passes a report to the user by what iommufd has for it, and fails each
 * report in a kernel that was built without. There the user is better off with no log.
 *
 * Context: any.
 * Return: whether it is offered.
 */
bool vfio_mig_offer_log(struct vfio_mig_device *mdev,
			const struct vfio_mig_log_ops *ops,
			const struct vfio_mig_areas *mmap)
{
	if (!IS_ENABLED(CONFIG_IOMMUFD_DRIVER) || !IS_ENABLED(CONFIG_64BIT))
		return false;
	mdev->log.ops = ops;
	mdev->log.mmap = mmap;
	mdev->core.vdev.log_ops = &log_ops;
	return true;
}
EXPORT_SYMBOL_GPL(vfio_mig_offer_log);

VFIO_MIG_IMPORT_IOMMUFD;
