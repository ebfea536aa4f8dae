// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an administrator sees of a device that somebody else has open: debugfs
 * files under vfio_pci_mig/, a directory for each device, and the counters in them.
 *
 * A reader takes no lock but that of the fault ring, which nobody holds for long: an
 * arc may hold the state lock while it waits for the device, or for its PF. So what
 * one read() returns need not belong together. It is numbers and names of states, and
 * addresses that the IOMMU refused: nothing of what the device's owner has in it.
 */
#include <linux/debugfs.h>
#include <linux/pci.h>
#include <linux/seq_file.h>

#include "mig.h"
#include "trace.h"

static struct dentry *root;

#define ARC(_from, _to) {						\
	.from = VFIO_DEVICE_STATE_##_from,				\
	.to = VFIO_DEVICE_STATE_##_to,					\
}

static const struct {
	enum vfio_device_mig_state from;
	enum vfio_device_mig_state to;
} arcs[VFIO_MIG_NR_ARCS] = {
	ARC(RUNNING, RUNNING_P2P),
	ARC(RUNNING_P2P, RUNNING),
	ARC(RUNNING_P2P, STOP),
	ARC(STOP, RUNNING_P2P),
	ARC(RUNNING, PRE_COPY),
	ARC(PRE_COPY, RUNNING),
	ARC(RUNNING_P2P, PRE_COPY_P2P),
	ARC(PRE_COPY_P2P, RUNNING_P2P),
	ARC(PRE_COPY, PRE_COPY_P2P),
	ARC(PRE_COPY_P2P, PRE_COPY),
	ARC(PRE_COPY_P2P, STOP_COPY),
	ARC(STOP, STOP_COPY),
	ARC(STOP_COPY, STOP),
	ARC(STOP, RESUMING),
	ARC(RESUMING, STOP),
};

static void count(struct vfio_mig_arc_stats *stats, int err, u64 ns)
{
	u64 us = div_u64(ns, NSEC_PER_USEC);
	unsigned int bucket = us ? ilog2(us) : 0;

	atomic64_inc(err ? &stats->failed : &stats->done);
	atomic64_add(ns, &stats->total_ns);
	atomic64_inc(&stats->bucket[min(bucket, VFIO_MIG_NR_BUCKETS - 1)]);
	/* Nobody else writes it. */
	if (ns > atomic64_read(&stats->max_ns))
		atomic64_set(&stats->max_ns, ns);
}

/**
 * vfio_mig_count_arc() - an arc has been carried out, or has failed
 * @mdev: the device
 * @from: state that it began in
 * @to: state that it leads to
 * @err: 0 or an errno
 * @ns: how long it took
 *
 * Context: state lock held.
 */
void vfio_mig_count_arc(struct vfio_mig_device *mdev,
			enum vfio_device_mig_state from,
			enum vfio_device_mig_state to, int err, u64 ns)
{
	unsigned int i;

	vfio_mig_assert_locked(mdev);

	trace_vfio_mig_arc(&mdev->core.pdev->dev, vfio_mig_state_name(from),
			   vfio_mig_state_name(to), err, ns);
	for (i = 0; i < VFIO_MIG_NR_ARCS; i++)
		if (arcs[i].from == from && arcs[i].to == to)
			count(&mdev->stats.arc[i], err, ns);
}

static void show_offer(struct seq_file *m, struct vfio_mig_device *mdev)
{
	const struct vfio_mig_stream_format *format;
	u32 flags = mdev->core.vdev.migration_flags;

	if (!mdev->ops) {
		seq_puts(m, "migration: none\n");
		return;
	}
	format = mdev->ops->format;
	seq_puts(m, "migration:");
	if (flags & VFIO_MIGRATION_STOP_COPY)
		seq_puts(m, " STOP_COPY");
	if (flags & VFIO_MIGRATION_P2P)
		seq_puts(m, " P2P");
	if (flags & VFIO_MIGRATION_PRE_COPY)
		seq_puts(m, " PRE_COPY");
	seq_printf(m, "\nstream_version: %d.%d\nstream_device: %04x:%04x\nstream_max: %zu\n",
		   VFIO_MIG_STREAM_MAJOR, VFIO_MIG_STREAM_MINOR,
		   format->vendor, format->device, format->max_size);
}

/* A state that a pending reset is about to end is still shown. */
static const char *state_to_show(struct vfio_mig_device *mdev)
{
	if (!READ_ONCE(mdev->opened))
		return "closed";
	if (!mdev->ops)
		return "open";
	return vfio_mig_state_name(READ_ONCE(mdev->state));
}

static void show_counter(struct seq_file *m, const char *name,
			 const atomic64_t *counter)
{
	seq_printf(m, "%s: %llu\n", name, (u64)atomic64_read(counter));
}

static void show_faults(struct seq_file *m, struct vfio_mig_device *mdev)
{
	u64 counts[VFIO_MIG_NR_FATES];
	u64 epoch = vfio_mig_fault_log_counts(mdev, counts);

	seq_printf(m, "faults_told: %llu\nfaults_dropped: %llu\nfaults_unheard: %llu\n",
		   counts[VFIO_MIG_FAULT_TOLD], counts[VFIO_MIG_FAULT_DROPPED],
		   counts[VFIO_MIG_FAULT_UNHEARD]);
	seq_printf(m, "epoch: %llu\n", epoch);
}

static int info_show(struct seq_file *m, void *unused)
{
	struct vfio_mig_device *mdev = m->private;
	struct vfio_mig_stats *stats = &mdev->stats;

	show_offer(m, mdev);
	seq_printf(m, "state: %s\n", state_to_show(mdev));
	seq_printf(m, "blocked: %s\n",
		   READ_ONCE(mdev->gate.blocked) ? "yes" : "no");
	show_counter(m, "opens", &stats->opens);
	show_counter(m, "resets", &stats->resets);
	show_counter(m, "lost", &stats->lost);
	show_counter(m, "streams_refused", &stats->refused);
	show_counter(m, "writes_dropped", &mdev->gate.dropped);
	show_counter(m, "errors_nonfatal", &stats->errors[VFIO_MIG_ERROR_NONFATAL]);
	show_counter(m, "errors_fatal", &stats->errors[VFIO_MIG_ERROR_FATAL]);
	show_counter(m, "errors_permanent",
		     &stats->errors[VFIO_MIG_ERROR_PERMANENT]);
	show_faults(m, mdev);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(info);

static int arcs_show(struct seq_file *m, void *unused)
{
	struct vfio_mig_device *mdev = m->private;
	struct vfio_mig_arc_stats *stats;
	unsigned int i, bucket;

	for (i = 0; i < VFIO_MIG_NR_ARCS; i++) {
		stats = &mdev->stats.arc[i];
		seq_printf(m, "%s %s %llu %llu %llu %llu",
			   vfio_mig_state_name(arcs[i].from),
			   vfio_mig_state_name(arcs[i].to),
			   (u64)atomic64_read(&stats->done),
			   (u64)atomic64_read(&stats->failed),
			   (u64)atomic64_read(&stats->total_ns),
			   (u64)atomic64_read(&stats->max_ns));
		for (bucket = 0; bucket < VFIO_MIG_NR_BUCKETS; bucket++)
			seq_printf(m, " %llu",
				   (u64)atomic64_read(&stats->bucket[bucket]));
		seq_putc(m, '\n');
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(arcs);
DEFINE_SHOW_ATTRIBUTE(vfio_mig_fault_log);

/**
 * vfio_mig_register_device() - hand a device over to VFIO
 * @mdev: the device, initialized; migration has been offered, if at all
 *
 * Context: may sleep.
 * Return: 0 or an errno from vfio_pci_core_register_device().
 */
int vfio_mig_register_device(struct vfio_mig_device *mdev)
{
	int ret = vfio_pci_core_register_device(&mdev->core);

	if (ret)
		return ret;
	/* debugfs lets a directory that could not be made pass for one. */
	mdev->debugfs = debugfs_create_dir(pci_name(mdev->core.pdev), root);
	debugfs_create_file("info", 0400, mdev->debugfs, mdev, &info_fops);
	debugfs_create_file("faults", 0400, mdev->debugfs, mdev,
			    &vfio_mig_fault_log_fops);
	if (mdev->ops)
		debugfs_create_file("arcs", 0400, mdev->debugfs, mdev,
				    &arcs_fops);
	return 0;
}
EXPORT_SYMBOL_GPL(vfio_mig_register_device);

/**
 * vfio_mig_unregister_device() - take a device back from VFIO
 * @mdev: the device; it may live on, for a data_fd that its user has kept
 *
 * Context: may sleep; waits for the user of the device.
 */
void vfio_mig_unregister_device(struct vfio_mig_device *mdev)
{
	vfio_pci_core_unregister_device(&mdev->core);
	debugfs_remove(mdev->debugfs);
}
EXPORT_SYMBOL_GPL(vfio_mig_unregister_device);

/**
 * vfio_mig_debugfs_init() - make the directory that those of the devices are in
 *
 * Context: may sleep.
 */
void __init vfio_mig_debugfs_init(void)
{
	root = debugfs_create_dir("vfio_pci_mig", NULL);
}

/**
 * vfio_mig_debugfs_exit() - remove it
 *
 * Context: may sleep.
 */
void vfio_mig_debugfs_exit(void)
{
	debugfs_remove(root);
}
