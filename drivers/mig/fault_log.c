// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last faults of a device, for its administrator: whether anybody has the device
 * open or not, and whatever the owner does with the fault ring.
 */
#include <linux/seq_file.h>

#include "mig.h"

static const char * const fates[VFIO_MIG_NR_FATES] = {
	[VFIO_MIG_FAULT_TOLD] = "told",
	[VFIO_MIG_FAULT_DROPPED] = "dropped",
	[VFIO_MIG_FAULT_UNHEARD] = "unheard",
};

/**
 * vfio_mig_fault_log_add() - a fault of a device has been found
 * @faults: of the device
 * @fault: the fault, complete
 * @fate: what became of it
 *
 * Context: @faults->lock held.
 */
void vfio_mig_fault_log_add(struct vfio_mig_faults *faults,
			    const struct vfio_mig_fault *fault,
			    enum vfio_mig_fault_fate fate)
{
	struct vfio_mig_fault_log *log = &faults->log;
	unsigned int nth = log->next % VFIO_MIG_FAULT_LOG_ENTRIES;

	lockdep_assert_held(&faults->lock);

	log->fault[nth] = *fault;
	log->fate[nth] = fate;
	log->count[fate]++;
	log->next++;
}

/**
 * vfio_mig_fault_log_counts() - how many there were
 * @mdev: the device
 * @counts: filled in: faults since the driver was bound, by what became of them
 *
 * Context: any.
 * Return: the current epoch.
 */
u64 vfio_mig_fault_log_counts(struct vfio_mig_device *mdev,
			      u64 counts[VFIO_MIG_NR_FATES])
{
	struct vfio_mig_faults *faults = &mdev->faults;
	unsigned long flags;
	u64 epoch;

	raw_spin_lock_irqsave(&faults->lock, flags);
	memcpy(counts, faults->log.count, sizeof(faults->log.count));
	epoch = faults->epoch;
	raw_spin_unlock_irqrestore(&faults->lock, flags);
	return epoch;
}

/* Number @number, or the oldest one that is left; false if there is none. */
static bool get_fault(struct vfio_mig_faults *faults, u64 *number,
		      struct vfio_mig_fault *fault, unsigned int *fate)
{
	struct vfio_mig_fault_log *log = &faults->log;
	unsigned long flags;
	unsigned int nth;
	bool there;

	raw_spin_lock_irqsave(&faults->lock, flags);
	if (log->next > *number + VFIO_MIG_FAULT_LOG_ENTRIES)
		*number = log->next - VFIO_MIG_FAULT_LOG_ENTRIES;
	there = *number < log->next;
	if (there) {
		nth = *number % VFIO_MIG_FAULT_LOG_ENTRIES;
		*fault = log->fault[nth];
		*fate = log->fate[nth];
	}
	raw_spin_unlock_irqrestore(&faults->lock, flags);
	return there;
}

static void show_fault(struct seq_file *m, u64 number,
		       const struct vfio_mig_fault *fault, unsigned int fate)
{
	u32 flags = fault->flags;

	seq_printf(m, "%llu %llu %llu %s %s %s %#llx", number, fault->time,
		   fault->epoch, fates[fate],
		   fault->source == VFIO_MIG_FAULT_SOURCE_VTD ? "vtd" : "driver",
		   flags & VFIO_MIG_FAULT_WRITE ? "write" :
		   flags & VFIO_MIG_FAULT_READ ? "read" : "-", fault->iova);
	if (flags & VFIO_MIG_FAULT_REASON)
		seq_printf(m, " %u", fault->reason);
	else
		seq_puts(m, " -");
	if (flags & VFIO_MIG_FAULT_PASID)
		seq_printf(m, " %u", fault->pasid);
	else
		seq_puts(m, " -");
	seq_puts(m, flags & VFIO_MIG_FAULT_OVERFLOW ? " overflow\n" : " -\n");
}

/**
 * vfio_mig_fault_log_show() - the log as text, a line for each fault
 * @m: of a file whose data is the device
 * @unused: not used
 *
 * Context: may sleep.
 * Return: 0.
 */
int vfio_mig_fault_log_show(struct seq_file *m, void *unused)
{
	struct vfio_mig_device *mdev = m->private;
	struct vfio_mig_fault fault;
	unsigned int fate, n;
	u64 number = 0;

	/* Faults that come meanwhile are not followed for ever. */
	for (n = 0; n < VFIO_MIG_FAULT_LOG_ENTRIES; n++) {
		if (!get_fault(&mdev->faults, &number, &fault, &fate))
			break;
		show_fault(m, number++, &fault, fate);
	}
	return 0;
}
