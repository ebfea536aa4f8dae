// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fault ring: what the IOMMU refused a device is told to its owner.
 *
 * Sources find faults, in hard-irq context mostly, and know them by requester id.
 * All devices that are bound are in a table, whether they are open or not, so that
 * opening and closing one neither waits for sources nor changes them. A device that
 * is not open has no ring, and what is reported of it is nobody's.
 */
#include <linux/hashtable.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/pci.h>
#include <linux/rculist.h>

#include "mig.h"

#define ENTRIES_PER_PAGE	(PAGE_SIZE / sizeof(struct vfio_mig_fault))

static_assert(sizeof(struct vfio_mig_fault) == 64);
static_assert(sizeof(struct vfio_mig_ext) <= PAGE_SIZE);
static_assert((VFIO_MIG_FAULT_ENTRIES & (VFIO_MIG_FAULT_ENTRIES - 1)) == 0);

static DEFINE_HASHTABLE(devices, 6);
static DEFINE_SPINLOCK(devices_lock);
static u32 sources;

static struct vfio_mig_ext *header_of(struct vfio_mig_faults *faults)
{
	return page_address(faults->page[VFIO_MIG_HEADER_PAGE]);
}

static struct vfio_mig_fault *entry_of(struct vfio_mig_faults *faults, u32 number)
{
	u32 nth = number % VFIO_MIG_FAULT_ENTRIES;
	struct vfio_mig_fault *entries;

	entries = page_address(faults->page[VFIO_MIG_ENTRIES_PAGE +
					    nth / ENTRIES_PER_PAGE]);
	return &entries[nth % ENTRIES_PER_PAGE];
}

/* The user may write anything there at any time: it is read once. */
static bool is_full(struct vfio_mig_faults *faults)
{
	const u32 *index = page_address(faults->page[VFIO_MIG_CONSUMER_PAGE]);
	u32 consumer;

	/* Pairs with the user's release: he is done with the entries before it. */
	consumer = smp_load_acquire(index);
	return faults->producer - consumer >= VFIO_MIG_FAULT_ENTRIES;
}

static void put_fault(struct vfio_mig_faults *faults,
		      const struct vfio_mig_fault *fault)
{
	*entry_of(faults, faults->producer) = *fault;
	faults->producer++;
	/* Pairs with the user's acquire: what is in the entry comes first. */
	smp_store_release(&header_of(faults)->ring.producer, faults->producer);
}

static void drop_fault(struct vfio_mig_faults *faults)
{
	faults->dropped++;
	WRITE_ONCE(header_of(faults)->ring.dropped, faults->dropped);
}

static enum vfio_mig_fault_fate tell(struct vfio_mig_faults *faults,
				     const struct vfio_mig_fault *fault)
{
	if (!faults->open)
		return VFIO_MIG_FAULT_UNHEARD;
	if (is_full(faults)) {
		drop_fault(faults);
		return VFIO_MIG_FAULT_DROPPED;
	}
	put_fault(faults, fault);
	/* Under the lock, so that none is queued when the ring is closed. */
	irq_work_queue(&faults->signal);
	return VFIO_MIG_FAULT_TOLD;
}

static void deliver(struct vfio_mig_faults *faults, struct vfio_mig_fault fault)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&faults->lock, flags);
	fault.time = ktime_get_boottime_ns();
	fault.epoch = faults->epoch;
	fault.sequence = faults->producer;
	fault.segment = faults->segment;
	fault.requester = faults->requester;
	vfio_mig_fault_log_add(faults, &fault, tell(faults, &fault));
	raw_spin_unlock_irqrestore(&faults->lock, flags);
}

/**
 * vfio_mig_report_fault() - a source has found a fault
 * @segment: PCI segment of the device that it is of
 * @requester: requester id of that device
 * @fault: what the source knows; the rest is filled in
 *
 * Context: any but NMI.
 */
void vfio_mig_report_fault(u32 segment, u16 requester,
			   const struct vfio_mig_fault *fault)
{
	struct vfio_mig_faults *faults;

	rcu_read_lock();
	hash_for_each_possible_rcu(devices, faults, entry, requester)
		if (faults->requester == requester && faults->segment == segment)
			deliver(faults, *fault);
	rcu_read_unlock();
}

/* Whoever waits for an eventfd is woken under locks that a source may not take. */
static void signal_user(struct irq_work *work)
{
	struct vfio_mig_device *mdev = container_of(work, struct vfio_mig_device,
						    faults.signal);

	vfio_mig_signal(mdev, VFIO_MIG_IRQ_FAULT);
}

/**
 * vfio_mig_faults_init() - make a device known to the sources
 * @mdev: the device
 *
 * Context: may sleep.
 */
void vfio_mig_faults_init(struct vfio_mig_device *mdev)
{
	struct vfio_mig_faults *faults = &mdev->faults;
	struct pci_dev *pdev = mdev->core.pdev;

	raw_spin_lock_init(&faults->lock);
	init_irq_work(&faults->signal, signal_user);
	faults->segment = pci_domain_nr(pdev->bus);
	faults->requester = pci_dev_id(pdev);
	spin_lock(&devices_lock);
	hash_add_rcu(devices, &faults->entry, faults->requester);
	spin_unlock(&devices_lock);
}

/**
 * vfio_mig_faults_destroy() - no source looks at a device any more
 * @mdev: the device, not open
 *
 * Context: may sleep.
 */
void vfio_mig_faults_destroy(struct vfio_mig_device *mdev)
{
	spin_lock(&devices_lock);
	hash_del_rcu(&mdev->faults.entry);
	spin_unlock(&devices_lock);
	synchronize_rcu();
}

static void free_pages_of(struct vfio_mig_faults *faults)
{
	unsigned int i;

	/* Whoever has pinned one keeps it. */
	for (i = 0; i < VFIO_MIG_EXT_PAGES && faults->page[i]; i++) {
		__free_page(faults->page[i]);
		faults->page[i] = NULL;
	}
}

static int alloc_pages_of(struct vfio_mig_faults *faults)
{
	unsigned int i;

	for (i = 0; i < VFIO_MIG_EXT_PAGES; i++) {
		faults->page[i] = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!faults->page[i]) {
			free_pages_of(faults);
			return -ENOMEM;
		}
	}
	return 0;
}

static void fill_header(struct vfio_mig_faults *faults)
{
	*header_of(faults) = (struct vfio_mig_ext) {
		.magic = VFIO_MIG_EXT_MAGIC,
		.size = sizeof(struct vfio_mig_ext),
		.irq_nonfatal = VFIO_PCI_NUM_IRQS + VFIO_MIG_IRQ_NONFATAL,
		.irq_recovered = VFIO_PCI_NUM_IRQS + VFIO_MIG_IRQ_RECOVERED,
		.irq_fault = VFIO_PCI_NUM_IRQS + VFIO_MIG_IRQ_FAULT,
		.ring = {
			.sources = sources,
			.consumer_offset = VFIO_MIG_CONSUMER_PAGE * PAGE_SIZE,
			.entries_offset = VFIO_MIG_ENTRIES_PAGE * PAGE_SIZE,
			.entry_size = sizeof(struct vfio_mig_fault),
			.nr_entries = VFIO_MIG_FAULT_ENTRIES,
			.epoch = faults->epoch,
		},
	};
}

/**
 * vfio_mig_faults_open() - a device that is being opened gets its ring
 * @mdev: the device
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int vfio_mig_faults_open(struct vfio_mig_device *mdev)
{
	struct vfio_mig_faults *faults = &mdev->faults;
	unsigned long flags;
	int ret;

	ret = alloc_pages_of(faults);
	if (ret)
		return ret;
	raw_spin_lock_irqsave(&faults->lock, flags);
	faults->producer = 0;
	faults->dropped = 0;
	faults->epoch++;
	fill_header(faults);
	faults->open = true;
	raw_spin_unlock_irqrestore(&faults->lock, flags);
	return 0;
}

/**
 * vfio_mig_faults_close() - the ring of a device goes
 * @mdev: the device
 *
 * When it returns, nobody writes to the pages any more, and the eventfd is not
 * signalled. Context: may sleep.
 */
void vfio_mig_faults_close(struct vfio_mig_device *mdev)
{
	struct vfio_mig_faults *faults = &mdev->faults;
	unsigned long flags;

	raw_spin_lock_irqsave(&faults->lock, flags);
	faults->open = false;
	raw_spin_unlock_irqrestore(&faults->lock, flags);
	irq_work_sync(&faults->signal);
	free_pages_of(faults);
}

/**
 * vfio_mig_faults_new_epoch() - the device has been reset
 * @mdev: the device
 *
 * Context: any.
 */
void vfio_mig_faults_new_epoch(struct vfio_mig_device *mdev)
{
	struct vfio_mig_faults *faults = &mdev->faults;
	unsigned long flags;

	raw_spin_lock_irqsave(&faults->lock, flags);
	faults->epoch++;
	if (faults->open)
		WRITE_ONCE(header_of(faults)->ring.epoch, faults->epoch);
	raw_spin_unlock_irqrestore(&faults->lock, flags);
}

/**
 * vfio_mig_faults_show_error() - put the error record into the header
 * @mdev: the device
 *
 * Context: error_lock held.
 */
void vfio_mig_faults_show_error(struct vfio_mig_device *mdev)
{
	struct vfio_mig_faults *faults = &mdev->faults;
	unsigned long flags;

	lockdep_assert_held(&mdev->error_lock);

	raw_spin_lock_irqsave(&faults->lock, flags);
	if (faults->open)
		header_of(faults)->error = mdev->error;
	raw_spin_unlock_irqrestore(&faults->lock, flags);
}

/**
 * vfio_mig_faults_get_ext() - the header, all of it as of one moment
 * @mdev: the device, open
 * @ext: filled in
 *
 * Context: any.
 */
void vfio_mig_faults_get_ext(struct vfio_mig_device *mdev, struct vfio_mig_ext *ext)
{
	struct vfio_mig_faults *faults = &mdev->faults;
	unsigned long flags;

	raw_spin_lock_irqsave(&faults->lock, flags);
	*ext = *header_of(faults);
	raw_spin_unlock_irqrestore(&faults->lock, flags);
}

/**
 * vfio_mig_faults_start() - listen to all sources that there are
 *
 * Context: may sleep; no device is bound yet.
 */
void __init vfio_mig_faults_start(void)
{
	if (vfio_mig_fault_domain_start())
		sources |= VFIO_MIG_FAULT_SOURCE_DRIVER;
	if (vfio_mig_fault_vtd_start())
		sources |= VFIO_MIG_FAULT_SOURCE_VTD;
}

/**
 * vfio_mig_faults_stop() - listen to nobody any more
 *
 * When it returns, no source's handler is running. Context: may sleep.
 */
void __exit vfio_mig_faults_stop(void)
{
	if (sources & VFIO_MIG_FAULT_SOURCE_VTD)
		vfio_mig_fault_vtd_stop();
	if (sources & VFIO_MIG_FAULT_SOURCE_DRIVER)
		vfio_mig_fault_domain_stop();
}
