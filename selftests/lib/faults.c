// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "faults.h"
#include "sysfs.h"

#define HELPER	"/sys/module/pretend_fault/parameters/"

static void *map(struct vfio_dev *dev, __u64 offset, size_t size, int prot)
{
	void *mem = mmap(NULL, size, prot, MAP_SHARED, dev->fd, offset);

	return mem == MAP_FAILED ? NULL : mem;
}

int faults_map(struct faults *faults, struct vfio_dev *dev)
{
	size_t page = sysconf(_SC_PAGESIZE);
	struct vfio_mig_ext ext;
	__u64 offset = 0;
	__u32 index;
	int ret;

	ret = ext_find(dev, &index, &offset);
	if (!ret)
		ret = ext_read(dev, &ext);
	if (ret)
		return ret;
	faults->entries_size = (size_t)ext.ring.nr_entries * ext.ring.entry_size;
	faults->header = map(dev, offset, page, PROT_READ);
	faults->consumer = map(dev, offset + ext.ring.consumer_offset, page,
			       PROT_READ | PROT_WRITE);
	faults->entries = map(dev, offset + ext.ring.entries_offset,
			      faults->entries_size, PROT_READ);
	return faults->header && faults->consumer && faults->entries ? 0 : -errno;
}

int faults_open(struct faults *faults, struct vfio_dev *dev)
{
	int ret;

	memset(faults, 0, sizeof(*faults));
	faults->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (faults->event < 0)
		return -errno;
	ret = faults_map(faults, dev);
	if (!ret)
		ret = vfio_irq_set_eventfds(dev, faults->header->irq_fault, 1,
					    &faults->event);
	if (ret)
		faults_close(faults);
	else
		faults->next = __atomic_load_n(faults->consumer, __ATOMIC_RELAXED);
	return ret;
}

void faults_unmap(struct faults *faults)
{
	size_t page = sysconf(_SC_PAGESIZE);

	if (faults->entries)
		munmap((void *)faults->entries, faults->entries_size);
	if (faults->consumer)
		munmap(faults->consumer, page);
	if (faults->header)
		munmap((void *)faults->header, page);
	faults->entries = NULL;
	faults->consumer = NULL;
	faults->header = NULL;
}

void faults_close(struct faults *faults)
{
	faults_unmap(faults);
	if (faults->event >= 0)
		close(faults->event);
	faults->event = -1;
}

__u32 faults_ready(struct faults *faults)
{
	return __atomic_load_n(&faults->header->ring.producer, __ATOMIC_ACQUIRE) -
	       faults->next;
}

bool faults_wait(struct faults *faults, __u32 count, int ms)
{
	struct timespec nap = { .tv_nsec = 50000 };
	long long end = clock_ms() + ms;

	while (faults_ready(faults) < count) {
		if (clock_ms() > end)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

static void consume(struct faults *faults, __u32 count)
{
	faults->next += count;
	__atomic_store_n(faults->consumer, faults->next, __ATOMIC_RELEASE);
}

int faults_take(struct faults *faults, struct vfio_mig_fault *fault)
{
	const struct vfio_mig_fault_ring *ring = &faults->header->ring;

	if (!faults_ready(faults))
		return -EAGAIN;
	memcpy(fault, faults->entries + (size_t)(faults->next % ring->nr_entries) *
				       ring->entry_size, sizeof(*fault));
	if (fault->sequence != faults->next)
		return -EILSEQ;
	consume(faults, 1);
	return 0;
}

void faults_skip(struct faults *faults)
{
	consume(faults, faults_ready(faults));
}

bool faults_signalled(struct faults *faults, int ms)
{
	struct pollfd pfd = { .fd = faults->event, .events = POLLIN };
	eventfd_t count;

	return poll(&pfd, 1, ms) == 1 && !eventfd_read(faults->event, &count);
}

__u64 faults_dropped(struct faults *faults)
{
	return __atomic_load_n(&faults->header->ring.dropped, __ATOMIC_RELAXED);
}

__u64 faults_epoch(struct faults *faults)
{
	return __atomic_load_n(&faults->header->ring.epoch, __ATOMIC_RELAXED);
}

__u16 faults_requester(const char *bdf)
{
	unsigned int bus, dev, fn;

	if (sscanf(bdf, "%*x:%x:%x.%x", &bus, &dev, &fn) != 3)
		return 0;
	return bus << 8 | dev << 3 | fn;
}

int faults_report(const char *bdf, __u64 iova, bool write, unsigned int count)
{
	char what[96];

	snprintf(what, sizeof(what), "%s %#llx %d %u", bdf,
		 (unsigned long long)iova, write, count);
	return sysfs_put(HELPER "report", what);
}

int faults_fire(const char *bdf)
{
	return sysfs_put(HELPER "fire", bdf ? bdf : "none");
}
