/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vfio_pci_mig: the device-independent half of a VFIO PCI variant driver with
 * migration. This is what a device half sees of it.
 */
#ifndef _LINUX_VFIO_PCI_MIG_H
#define _LINUX_VFIO_PCI_MIG_H

#include <linux/irq_work.h>
#include <linux/mutex.h>
#include <linux/ratelimit_types.h>
#include <linux/rbtree_types.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/vfio_pci_core.h>
#include <linux/vfio_pci_mig_stream.h>
#include <linux/wait.h>
#include <linux/xarray.h>
#include <uapi/linux/vfio_pci_mig.h>

struct vfio_mig_device;
struct vfio_mig_file;

/**
 * struct vfio_mig_areas - parts of a BAR
 * @nr: how many
 * @area: each of them, in bytes, page aligned; no two are next to each other
 */
struct vfio_mig_areas {
	unsigned int nr;
	struct vfio_region_sparse_mmap_area area[];
};

/**
 * struct vfio_mig_ops - what a device half does for the migration FSM
 *
 * The ops are called with the state lock and the trap lock held, and with the
 * core's memory_lock held so that no VFIO reset happens meanwhile; they may
 * sleep. @access and @reset come without the state lock.
 *
 * An arc returns 0, or an errno with the device as it was before. -EIO means
 * that the device does not answer any more: the state becomes ERROR. An arc
 * that fails should say why by vfio_mig_explain().
 *
 * @owner: module of the device half
 * @format: the streams of this kind of device
 * @gated_bar: the BAR with the registers: user access to it is what the gate
 *	lets through
 * @mmap: the parts of @gated_bar that users may mmap. The rest is trapped
 * @quiesce: into RUNNING_P2P or PRE_COPY_P2P: stop and drain DMA
 * @unquiesce: out of them: DMA goes on, doorbells rung meanwhile take effect
 * @stop: into STOP or STOP_COPY: mask interrupts, keep pending ones. User access
 *	has ended
 * @start: out of STOP: unmask interrupts. User access has not begun
 * @save_initial: in any state but RESUMING: write the records of the initial
 *	part. Nothing but memory may be needed for it
 * @save_final: in STOP: write the records of the final part
 * @load_initial: in RESUMING, whenever an initial part of the stream is there and
 *	checked: do all that can be refused. A later one replaces it. May be called
 *	again after it failed, unless with -EINVAL or -EXDEV, which say that the
 *	stream is bad
 * @load_final: RESUMING -> STOP: put the rest of a whole, checked stream into
 *	the device. Has to check all that it uses before it touches the device
 * @reset: the device has been reset, or opened: forget all that was known of
 *	its earlier life. Must not fail
 * @access: read or write the register at @offset for the user, whose gate is
 *	open. Must not wait for the device
 */
struct vfio_mig_ops {
	struct module *owner;
	const struct vfio_mig_stream_format *format;
	unsigned int gated_bar;
	const struct vfio_mig_areas *mmap;

	int (*quiesce)(struct vfio_mig_device *mdev);
	int (*unquiesce)(struct vfio_mig_device *mdev);
	int (*stop)(struct vfio_mig_device *mdev);
	int (*start)(struct vfio_mig_device *mdev);
	int (*save_initial)(struct vfio_mig_device *mdev, struct vfio_mig_writer *w);
	int (*save_final)(struct vfio_mig_device *mdev, struct vfio_mig_writer *w);
	int (*load_initial)(struct vfio_mig_device *mdev,
			    const struct vfio_mig_reader *r, const void *stream);
	int (*load_final)(struct vfio_mig_device *mdev,
			  const struct vfio_mig_reader *r, const void *stream);
	void (*reset)(struct vfio_mig_device *mdev);
	void (*access)(struct vfio_mig_device *mdev, u32 offset, u32 *val,
		       bool write);
};

/**
 * struct vfio_mig_fetch - descriptors that have to be read from the user's memory
 * @part: where they are; the second part, of a ring's beginning, may be empty
 * @part.iova: where it begins
 * @part.len: bytes
 * @ring: the ring that they are in
 * @first: the device half's: the first of them
 * @count: the device half's: how many
 * @seq: the device half's: to tell by whether the ring is still what it was
 */
struct vfio_mig_fetch {
	struct {
		u64 iova;
		u32 len;
	} part[2];
	unsigned int ring;
	u32 first;
	u32 count;
	unsigned int seq;
};

/**
 * struct vfio_mig_log_ops - what a device half does for the DMA log
 *
 * All but @is_doorbell are called with the trap lock held, and with the core's
 * memory_lock held unless stated otherwise; they may sleep. The device half calls
 * vfio_mig_dirty() for what the device may have written, whenever it finds out, and
 * vfio_mig_dirty_all() where it cannot tell.
 *
 * @nr_rings: rings of descriptors that say what the device may write
 * @is_doorbell: is @offset a register whose write hands descriptors over?
 * @post: the user is about to write @val to such a register. Says which descriptors
 *	the device gets by it, or returns false where there are none
 * @sync: says which descriptors the device has in @fetch->ring, or returns false
 *	where that is known, or where it has none
 * @take: @data is what @fetch asked for, in one piece, or NULL where it could not be
 *	read. Returns -EAGAIN where the ring is not what @fetch was made for any more
 * @look: put into the log all that the device has written by now. -EIO where it does
 *	not answer. Also called before a reset, without memory_lock if that is not VFIO's
 * @end: the log has ended: forget what was kept for it. Comes without memory_lock
 */
struct vfio_mig_log_ops {
	unsigned int nr_rings;

	bool (*is_doorbell)(u32 offset);
	bool (*post)(struct vfio_mig_device *mdev, u32 offset, u32 val,
		     struct vfio_mig_fetch *fetch);
	bool (*sync)(struct vfio_mig_device *mdev, struct vfio_mig_fetch *fetch);
	int (*take)(struct vfio_mig_device *mdev, const struct vfio_mig_fetch *fetch,
		    const void *data);
	int (*look)(struct vfio_mig_device *mdev);
	void (*end)(struct vfio_mig_device *mdev);
};

/**
 * struct vfio_mig_span - pages next to each other
 * @first: number of the first one
 * @last: number of the last one
 */
struct vfio_mig_span {
	unsigned long first;
	unsigned long last;
};

/**
 * struct vfio_mig_dirty_set - a set of pages out of some spans
 * @lock: protects all of it; a leaf
 * @scope: what pages there are, in order and apart from each other; NULL while there
 *	is no log
 * @nr_scope: entries of @scope
 * @whole: pages that are in the set by being in one of these, in order
 * @nr_whole: entries of @whole in use
 * @max_whole: how many there may be
 * @chunks: bitmaps of further pages in the set, in order
 * @nr_chunks: how many
 */
struct vfio_mig_dirty_set {
	struct mutex lock;
	const struct vfio_mig_span *scope;
	unsigned int nr_scope;
	struct vfio_mig_span *whole;
	unsigned int nr_whole;
	unsigned int max_whole;
	struct rb_root chunks;
	unsigned int nr_chunks;
};

/**
 * struct vfio_mig_log - the log of the pages that the device writes
 * @ops: what the device half does for it; NULL where it is not offered
 * @mmap: in place of that of struct vfio_mig_ops: doorbells have to be trapped
 * @mutex: serializes all that needs the user's memory; outermost
 * @on: between START and STOP; changed under @mutex and the trap lock
 * @scope: what is logged; under @mutex
 * @dirty: pages that the device may have written since they were last reported
 * @buf: descriptors that have been read; under @mutex
 * @buf_size: its bytes
 * @access: the way to memory, where the device is bound to an iommufd
 * @attached: @access has the address space that the device has
 */
struct vfio_mig_log {
	const struct vfio_mig_log_ops *ops;
	const struct vfio_mig_areas *mmap;
	struct mutex mutex;
	bool on;
	struct vfio_mig_span *scope;
	struct vfio_mig_dirty_set dirty;
	void *buf;
	size_t buf_size;
	struct iommufd_access *access;
	bool attached;
};

/**
 * struct vfio_mig_lock - the state lock: a mutex whose unlock does what a reset
 * left to do
 * @mutex: serializes all that looks at or changes the migration state
 * @flag_lock: makes "set the flag, try the mutex" and "see the flag clear, unlock
 *	the mutex" exclude each other
 * @reset_pending: a reset is over, and nobody has acted on it yet
 *
 * VFIO resets a device with locks held that it also takes under mmap_lock, so
 * the reset must not wait for @mutex; see drivers/mig/reset.c. There is no way
 * to unlock @mutex but vfio_mig_unlock().
 */
struct vfio_mig_lock {
	struct mutex mutex;
	spinlock_t flag_lock;
	bool reset_pending;
};

/* What a user access to the gated BAR meets. */
enum vfio_mig_view {
	VFIO_MIG_CLOSED,	/* SIGBUS: the VM stands still */
	VFIO_MIG_OPEN,		/* the registers */
	VFIO_MIG_ONES,		/* the page of ones: the VM may run */
};

/**
 * struct vfio_mig_gate - whether the user reaches the registers
 * @lock: held for read by a fault while it maps a page, for write to take pages
 *	away; taken inside are only the core's memory_lock, by a fault, and what
 *	unmap_mapping_range() takes
 * @ones_lock: held while the page of ones is mapped, and while it is taken away
 *	again; inside @lock or the trap lock; a leaf but for what unmap_mapping_range() takes
 * @view: changed to VFIO_MIG_OPEN under @ones_lock with the state lock held, or by
 *	a reset; to anything else under @lock with the state lock held
 * @blocked: an error is being recovered: nothing reaches any BAR, nor config space
 * @blocks: how often it has been blocked; changed under @lock
 * @ones: the page of ones, from open_device to close_device
 * @core_vm_ops: vfio-pci's own handlers of faults on a mapped BAR
 * @dropped: register writes dropped while the gate was not open
 */
struct vfio_mig_gate {
	struct rw_semaphore lock;
	struct mutex ones_lock;
	enum vfio_mig_view view;
	bool blocked;
	unsigned int blocks;
	struct page *ones;
	const struct vm_operations_struct *core_vm_ops;
	atomic64_t dropped;
};

/* IRQ indexes of our own, counted from the first behind vfio-pci's. */
enum {
	VFIO_MIG_IRQ_NONFATAL,
	VFIO_MIG_IRQ_RECOVERED,
	VFIO_MIG_IRQ_FAULT,
	VFIO_MIG_NR_IRQS,
};

/* The pages of the extension region: its header, the consumer index, the entries. */
#define VFIO_MIG_FAULT_ENTRIES		1024
#define VFIO_MIG_FAULT_ENTRY_PAGES	\
	DIV_ROUND_UP(VFIO_MIG_FAULT_ENTRIES * sizeof(struct vfio_mig_fault), PAGE_SIZE)
#define VFIO_MIG_EXT_PAGES		(2 + VFIO_MIG_FAULT_ENTRY_PAGES)

/* What became of a fault. */
enum vfio_mig_fault_fate {
	VFIO_MIG_FAULT_TOLD,		/* the owner was told, by the ring */
	VFIO_MIG_FAULT_DROPPED,		/* the ring was full */
	VFIO_MIG_FAULT_UNHEARD,		/* the device was not open */
	VFIO_MIG_NR_FATES,
};

#define VFIO_MIG_FAULT_LOG_ENTRIES	64

/**
 * struct vfio_mig_fault_log - the last faults of a device, for its administrator
 * @fault: number n is at n modulo VFIO_MIG_FAULT_LOG_ENTRIES
 * @fate: what became of it, VFIO_MIG_FAULT_TOLD and so on
 * @next: number of the next fault, counted since the driver was bound
 * @count: faults since then, by what became of them
 */
struct vfio_mig_fault_log {
	struct vfio_mig_fault fault[VFIO_MIG_FAULT_LOG_ENTRIES];
	u8 fate[VFIO_MIG_FAULT_LOG_ENTRIES];
	u64 next;
	u64 count[VFIO_MIG_NR_FATES];
};

/**
 * struct vfio_mig_faults - the fault ring of a device
 * @lock: protects what follows @signal, and what @page holds; taken in hard-irq
 *	context; a leaf
 * @entry: links all devices that are bound, by @requester
 * @segment: PCI segment; does not change
 * @requester: requester id; does not change
 * @signal: signals the eventfd, from a context in which that can be done
 * @open: whether there are pages
 * @page: the pages of the extension region. What the user sees there is never read
 *	back, but for the consumer index
 * @producer: number of the next entry
 * @epoch: the current epoch; goes on when the device is closed
 * @dropped: faults that were dropped since the device was opened
 * @log: for the administrator
 */
struct vfio_mig_faults {
	raw_spinlock_t lock;
	struct hlist_node entry;
	u32 segment;
	u16 requester;
	struct irq_work signal;
	bool open;
	struct page *page[VFIO_MIG_EXT_PAGES];
	u32 producer;
	u64 epoch;
	u64 dropped;
	struct vfio_mig_fault_log log;
};

/* The arcs that vfio_mig_get_next_state() uses with our flags. */
#define VFIO_MIG_NR_ARCS	15
/* The longest that a bucket of its own tells apart is 4 s. */
#define VFIO_MIG_NR_BUCKETS	23U

/**
 * struct vfio_mig_arc_stats - how an arc went since the driver was bound
 * @done: times that it was carried out
 * @failed: times that it failed
 * @total_ns: all the time that it took
 * @max_ns: the longest time that it took
 * @bucket: times that it took 2^n to 2^(n+1) us; the first has all that is shorter
 *	and the last all that is longer
 *
 * Counted under the state lock, and read without it.
 */
struct vfio_mig_arc_stats {
	atomic64_t done;
	atomic64_t failed;
	atomic64_t total_ns;
	atomic64_t max_ns;
	atomic64_t bucket[VFIO_MIG_NR_BUCKETS];
};

/**
 * struct vfio_mig_stats - what has happened since the driver was bound
 * @arc: in the order of arcs[] in drivers/mig/debugfs.c
 * @opens: the device was opened
 * @resets: it was reset while it was open
 * @lost: it has entered ERROR
 * @refused: a stream that was written to it was refused
 * @errors: PCI errors, by VFIO_MIG_ERROR_*
 */
struct vfio_mig_stats {
	struct vfio_mig_arc_stats arc[VFIO_MIG_NR_ARCS];
	atomic64_t opens;
	atomic64_t resets;
	atomic64_t lost;
	atomic64_t refused;
	atomic64_t errors[VFIO_MIG_ERROR_PERMANENT + 1];
};

/**
 * struct vfio_mig_device - a migratable vfio-pci device
 * @core: the vfio-pci device; must stay first
 * @ops: the device half; NULL where migration is not offered, and then
 *	everything goes straight to vfio-pci
 * @lock: the state lock
 * @state: state of the FSM; under @lock
 * @opened: between open_device and close_device; changed under @lock and
 *	@trap_lock
 * @saving: data_fd of PRE_COPY and STOP_COPY; under @lock
 * @resuming: data_fd of RESUMING; under @lock
 * @new_session: the transition under way has begun a session; under @lock
 * @initial_changed: the initial part in @saving is out of date; changed under
 *	@trap_lock
 * @reason: why what is under way failed, in words; under @lock
 * @gate: user access to the registers
 * @trap_lock: serializes trapped accesses with each other and with the arcs
 * @log: the log of the pages that the device writes
 * @io: the mapped registers, from open_device to close_device
 * @irq_lock: protects @irq; taken in any context; a leaf
 * @irq: the eventfds of our own IRQ indexes
 * @error_lock: protects @error; taken inside is only the fault ring's lock
 * @error: the last PCI error
 * @faults: the fault ring
 * @link_was_reset: since the last fatal error; only used by the error handlers,
 *	which the PCI core serializes
 * @failed: the device does not come back; likewise
 * @recovering: a fatal error has come, and the host may yet give the device back
 * @recovery_end: woken when @recovering is cleared
 * @kept_awake: it did not answer when it was closed, and has a reference of runtime PM;
 *	only used while it is opened, closed or released, one after the other
 * @open_entry: links all that are open
 * @named: functions that the log has named, since the device was opened, as not to
 *	be hot reset with this one
 * @naming: how often that may be done
 * @stats: counters; read without a lock
 * @debugfs: the device's directory
 *
 * Lock order, outermost first: @log.mutex, @lock, the gate's lock, core.memory_lock,
 * @trap_lock, the lock of @log.dirty. The lock of a data_fd is taken under @lock and is
 * a leaf.
 */
struct vfio_mig_device {
	struct vfio_pci_core_device core;
	const struct vfio_mig_ops *ops;

	struct vfio_mig_lock lock;
	enum vfio_device_mig_state state;
	bool opened;
	struct vfio_mig_file *saving;
	struct vfio_mig_file *resuming;
	bool new_session;
	bool initial_changed;
	char reason[96];

	struct vfio_mig_gate gate;
	struct mutex trap_lock;
	struct vfio_mig_log log;
	void __iomem *io;

	spinlock_t irq_lock;
	struct eventfd_ctx *irq[VFIO_MIG_NR_IRQS];
	spinlock_t error_lock;
	struct vfio_mig_error error;
	struct vfio_mig_faults faults;
	bool link_was_reset;
	bool failed;
	bool recovering;
	wait_queue_head_t recovery_end;
	bool kept_awake;
	struct list_head open_entry;
	struct xarray named;
	struct ratelimit_state naming;

	struct vfio_mig_stats stats;
	struct dentry *debugfs;
};

static inline struct vfio_mig_device *vfio_mig_from_core(struct vfio_device *vdev)
{
	return container_of(vdev, struct vfio_mig_device, core.vdev);
}

int vfio_mig_init_dev(struct vfio_device *vdev);
void vfio_mig_release_dev(struct vfio_device *vdev);
int vfio_mig_register_device(struct vfio_mig_device *mdev);
void vfio_mig_unregister_device(struct vfio_mig_device *mdev);
void vfio_mig_offer(struct vfio_mig_device *mdev, const struct vfio_mig_ops *ops);
int vfio_mig_open_device(struct vfio_device *vdev);
void vfio_mig_close_device(struct vfio_device *vdev);
long vfio_mig_ioctl(struct vfio_device *vdev, unsigned int cmd, unsigned long arg);
int vfio_mig_feature(struct vfio_device *vdev, u32 flags, void __user *arg,
		     size_t argsz);
ssize_t vfio_mig_read(struct vfio_device *vdev, char __user *buf, size_t count,
		      loff_t *ppos);
ssize_t vfio_mig_write(struct vfio_device *vdev, const char __user *buf,
		       size_t count, loff_t *ppos);
int vfio_mig_mmap(struct vfio_device *vdev, struct vm_area_struct *vma);
extern const struct pci_error_handlers vfio_mig_err_handlers;
void vfio_mig_initial_changed(struct vfio_mig_device *mdev);

bool vfio_mig_offer_log(struct vfio_mig_device *mdev,
			const struct vfio_mig_log_ops *ops,
			const struct vfio_mig_areas *mmap);
void vfio_mig_dirty(struct vfio_mig_device *mdev, u64 iova, u64 len);
void vfio_mig_dirty_all(struct vfio_mig_device *mdev);

#if IS_ENABLED(CONFIG_IOMMUFD)
int vfio_mig_bind_iommufd(struct vfio_device *vdev, struct iommufd_ctx *ictx,
			  u32 *out_device_id);
void vfio_mig_unbind_iommufd(struct vfio_device *vdev);
int vfio_mig_attach_ioas(struct vfio_device *vdev, u32 *pt_id);
void vfio_mig_detach_ioas(struct vfio_device *vdev);
#else
#define vfio_mig_bind_iommufd		vfio_iommufd_physical_bind
#define vfio_mig_unbind_iommufd		vfio_iommufd_physical_unbind
#define vfio_mig_attach_ioas		vfio_iommufd_physical_attach_ioas
#define vfio_mig_detach_ioas		vfio_iommufd_physical_detach_ioas
#endif

__printf(2, 3)
void vfio_mig_explain(struct vfio_mig_device *mdev, const char *fmt, ...);

#ifdef CONFIG_LOCKDEP
void vfio_mig_assert_locked(struct vfio_mig_device *mdev);
#else
static inline void vfio_mig_assert_locked(struct vfio_mig_device *mdev) { }
#endif

#endif /* _LINUX_VFIO_PCI_MIG_H */
