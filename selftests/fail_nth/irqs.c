// SPDX-License-Identifier: GPL-2.0-only
/* VFIO_DEVICE_SET_IRQS */
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "fail.h"

static int begin_irqs(struct fail *fail)
{
	/* -EINVAL: there are none to disable */
	vfio_irq_disable(fail->dev, fail->path->index);
	return begin_running(fail);
}

static unsigned int nr_irqs(struct fail *fail)
{
	return fail->path->index == VFIO_PCI_MSIX_IRQ_INDEX ? NR_EVENTFDS : 1;
}

/* If all cannot be had, MSI-X says how many can, and sets none */
static int go_set_irqs(struct fail *fail)
{
	int ret = vfio_irq_set_eventfds(fail->dev, fail->path->index, nr_irqs(fail),
					fail->eventfd);

	return ret > 0 ? -ENOSPC : ret;
}

/* Which eventfds have been signalled since it was last asked */
static __u32 signalled(struct fail *fail)
{
	eventfd_t count;
	__u32 which = 0, i;

	for (i = 0; i < NR_EVENTFDS; i++)
		if (!eventfd_read(fail->eventfd[i], &count))
			which |= 1u << i;
	return which;
}

/*
 * Which are when each interrupt comes by software. What has been pending may have
 * come as soon as there was a vector for it, though another could not be had.
 */
static __u32 connected(struct fail *fail)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = fail->path->index,
		.count = nr_irqs(fail),
	};

	signalled(fail);
	ioctl(fail->dev->fd, VFIO_DEVICE_SET_IRQS, &set);
	return signalled(fail);
}

static int look_at_irqs(struct fail *fail)
{
	__u32 which = connected(fail);

	show(fail, &which, sizeof(which));
	return which == (1u << nr_irqs(fail)) - 1 ? 0 : -ENOENT;
}

static bool no_irqs(struct fail *fail)
{
	return !connected(fail);
}

#define IRQS	.begin = begin_irqs, .go = go_set_irqs, .look = look_at_irqs, \
		.unharmed = no_irqs

const struct path irq_paths[] = {
	{ .name = "MSI-X", .index = VFIO_PCI_MSIX_IRQ_INDEX, IRQS,
	  .also = -ENOSPC, .least = 10 },
	{ .name = "error", .index = VFIO_PCI_ERR_IRQ_INDEX, IRQS, .least = 2 },
	{ .name = "non-fatal error", .index = VFIO_PCI_NUM_IRQS, IRQS,
	  .least = 1 },
	{ .name = "recovered", .index = VFIO_PCI_NUM_IRQS + 1, IRQS,
	  .least = 1 },
	{ .name = "DMA fault", .index = VFIO_PCI_NUM_IRQS + 2, IRQS,
	  .least = 1 },
	{}
};
