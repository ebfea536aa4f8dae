// SPDX-License-Identifier: GPL-2.0-only
/* The fault ring: mapping it, and being told of a fault by what has been mapped */
#include <errno.h>

#include "fail.h"

#define IOVA	0xdead0000ULL

static void unmap(struct fail *fail)
{
	faults_unmap(&fail->faults);
}

static int begin_unmapped(struct fail *fail)
{
	unmap(fail);
	return 0;
}

static int go_map(struct fail *fail)
{
	int ret = faults_map(&fail->faults, fail->dev);

	if (ret)
		unmap(fail);
	return ret;
}

static int begin_mapped(struct fail *fail)
{
	int ret;

	unmap(fail);
	ret = begin_running(fail);
	return ret ? ret : go_map(fail);
}

static bool is_unmapped(struct fail *fail)
{
	return !fail->faults.header && !fail->faults.consumer && !fail->faults.entries;
}

/* A fault comes, with all that a user can see of it but when that was */
static int look_at_fault(struct fail *fail)
{
	struct vfio_mig_fault fault;
	int ret;

	fail->faults.next = __atomic_load_n(fail->faults.consumer, __ATOMIC_RELAXED);
	ret = faults_report(fail->dev->bdf, IOVA, true, 1);
	if (!ret)
		ret = faults_take(&fail->faults, &fault);
	if (ret)
		return ret;
	show(fail, &fault.iova, sizeof(fault.iova));
	show(fail, &fault.flags, sizeof(fault.flags));
	return fault.iova == IOVA ? 0 : -EILSEQ;
}

/* The source, which is not ours, needs memory for it; the ring needs none */
static int go_report(struct fail *fail)
{
	__u32 producer = __atomic_load_n(&fail->faults.header->ring.producer,
					 __ATOMIC_ACQUIRE);
	int ret = faults_report(fail->dev->bdf, IOVA, true, 1);

	producer = fail->faults.header->ring.producer - producer;
	show(fail, &producer, sizeof(producer));
	faults_skip(&fail->faults);
	return ret ? ret : producer == 1 ? 0 : -ENODATA;
}

const struct path ring_paths[] = {
	{ .name = "mmap of the ring", .begin = begin_unmapped, .go = go_map,
	  .look = look_at_fault, .unharmed = is_unmapped, .least = 3 },
	{ .name = "a fault is told", .begin = begin_mapped, .go = go_report,
	  .look = look_at_fault, .least = 1 },
	{}
};
