// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls of the device but for those of migration */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "hammer.h"

#define MAX_PAYLOAD	256

void do_get_info(struct hand *h)
{
	struct vfio_device_info info = { .argsz = any_argsz(h, sizeof(info)) };

	hammer_ioctl(h, HAMMER_GET_INFO, any_dev(h), VFIO_DEVICE_GET_INFO,
		     &info, sizeof(info));
}

void do_region_info(struct hand *h)
{
	struct {
		struct vfio_region_info info;
		__u8 caps[MAX_PAYLOAD];
	} arg = {
		.info = {
			.argsz = any_argsz(h, roll(&h->dice, 2) ? sizeof(arg) :
							sizeof(arg.info)),
			.index = any_u32(h),
		},
	};

	hammer_ioctl(h, HAMMER_REGION_INFO, any_dev(h),
		     VFIO_DEVICE_GET_REGION_INFO, &arg, sizeof(arg));
}

void do_irq_info(struct hand *h)
{
	struct vfio_irq_info info = {
		.argsz = any_argsz(h, sizeof(info)),
		.index = any_u32(h),
	};

	hammer_ioctl(h, HAMMER_IRQ_INFO, any_dev(h), VFIO_DEVICE_GET_IRQ_INFO,
		     &info, sizeof(info));
}

static __u32 any_irq_flags(struct hand *h)
{
	static const __u32 data[] = {
		VFIO_IRQ_SET_DATA_NONE, VFIO_IRQ_SET_DATA_BOOL,
		VFIO_IRQ_SET_DATA_EVENTFD,
	};
	static const __u32 action[] = {
		VFIO_IRQ_SET_ACTION_MASK, VFIO_IRQ_SET_ACTION_UNMASK,
		VFIO_IRQ_SET_ACTION_TRIGGER, VFIO_IRQ_SET_ACTION_TRIGGER,
	};

	if (!roll(&h->dice, 8))
		return any_u32(h);
	return data[roll(&h->dice, 3)] | action[roll(&h->dice, 4)];
}

static size_t any_irq_data(struct hand *h, struct vfio_irq_set *set)
{
	__u32 room = MAX_PAYLOAD / sizeof(__s32), i;
	__u32 count = set->count < room ? set->count : room;
	__s32 *fds = (__s32 *)set->data;

	for (i = 0; i < count; i++)
		fds[i] = any_file(h);
	switch (set->flags & VFIO_IRQ_SET_DATA_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_BOOL:
		return count;
	case VFIO_IRQ_SET_DATA_EVENTFD:
		return count * sizeof(*fds);
	default:
		return 0;
	}
}

/* As drivers do it, all of it right */
static void set_up_irq(struct hand *h)
{
	static const __u32 indexes[] = {
		VFIO_PCI_MSIX_IRQ_INDEX, VFIO_PCI_ERR_IRQ_INDEX,
		VFIO_PCI_REQ_IRQ_INDEX, VFIO_PCI_NUM_IRQS,
		VFIO_PCI_NUM_IRQS + 1,
	};
	struct vfio_dev dev = { .fd = any_dev(h) };
	__u32 index = indexes[roll(&h->dice, 5)];
	int fd = h->session->events[roll(&h->dice, HAMMER_EVENTS)];
	bool off = roll(&h->dice, 2);

	books_begin(HAMMER_SET_IRQS);
	hammer_end(HAMMER_SET_IRQS, off ? vfio_irq_disable(&dev, index) :
			vfio_irq_set_eventfds(&dev, index, 1, &fd));
}

static void set_any_irq(struct hand *h)
{
	union {
		struct vfio_irq_set set;
		__u8 room[sizeof(struct vfio_irq_set) + MAX_PAYLOAD];
	} arg = {
		.set = {
			.flags = any_irq_flags(h),
			.index = any_u32(h),
			.start = roll(&h->dice, 4) ? 0 : any_u32(h),
			.count = roll(&h->dice, 2) ? roll(&h->dice, 4) :
						     any_u32(h),
		},
	};

	arg.set.argsz = any_argsz(h, sizeof(arg.set) +
				     any_irq_data(h, &arg.set));
	hammer_ioctl(h, HAMMER_SET_IRQS, any_dev(h), VFIO_DEVICE_SET_IRQS, &arg,
		     sizeof(arg));
}

void do_set_irqs(struct hand *h)
{
	if (roll(&h->dice, 2))
		set_any_irq(h);
	else
		set_up_irq(h);
}

void do_reset(struct hand *h)
{
	int ret;

	books_begin(HAMMER_RESET);
	ret = ioctl(any_dev(h), VFIO_DEVICE_RESET, any_u64(h));
	hammer_end(HAMMER_RESET, ret < 0 ? -errno : ret);
}

void do_flr(struct hand *h)
{
	struct vfio_dev dev = { .fd = any_dev(h) };

	books_begin(HAMMER_FLR);
	hammer_end(HAMMER_FLR, vfio_flr(&dev));
}

void do_hot_reset_info(struct hand *h)
{
	struct {
		struct vfio_pci_hot_reset_info info;
		struct vfio_pci_dependent_device devices[16];
	} arg = {
		.info = {
			.argsz = any_argsz(h, sizeof(arg)),
			.flags = roll(&h->dice, 4) ? 0 : any_u32(h),
		},
	};

	hammer_ioctl(h, HAMMER_HOT_RESET_INFO, any_dev(h),
		     VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, &arg, sizeof(arg));
}

void do_hot_reset(struct hand *h)
{
	union {
		struct vfio_pci_hot_reset reset;
		__u8 room[sizeof(struct vfio_pci_hot_reset) + MAX_PAYLOAD];
	} arg = {
		.reset = {
			.flags = roll(&h->dice, 8) ? 0 : any_u32(h),
			.count = roll(&h->dice, 8) ? roll(&h->dice, 4) :
						     any_u32(h),
		},
	};
	unsigned int i;

	for (i = 0; i < MAX_PAYLOAD / sizeof(__s32); i++)
		arg.reset.group_fds[i] = roll(&h->dice, 2) ?
					 h->session->dev.group : any_file(h);
	arg.reset.argsz = any_argsz(h, sizeof(arg));
	hammer_ioctl(h, HAMMER_HOT_RESET, any_dev(h), VFIO_DEVICE_PCI_HOT_RESET,
		     &arg, sizeof(arg));
}

void do_ioeventfd(struct hand *h)
{
	struct vfio_device_ioeventfd arg = {
		.argsz = any_argsz(h, sizeof(arg)),
		.flags = roll(&h->dice, 4) ? VFIO_DEVICE_IOEVENTFD_32 :
					     any_u32(h),
		.offset = 4 * (__u64)roll(&h->dice, IGBVF_BAR0_SIZE / 4),
		.data = any_u64(h),
		.fd = any_file(h),
	};

	hammer_ioctl(h, HAMMER_IOEVENTFD, any_dev(h), VFIO_DEVICE_IOEVENTFD,
		     &arg, sizeof(arg));
}

union feature {
	struct vfio_device_feature feature;
	__u8 room[sizeof(struct vfio_device_feature) + MAX_PAYLOAD];
};

void do_feature(struct hand *h)
{
	static const __u32 which[] = {
		VFIO_DEVICE_FEATURE_GET, VFIO_DEVICE_FEATURE_SET,
		VFIO_DEVICE_FEATURE_PROBE,
		VFIO_DEVICE_FEATURE_PROBE | VFIO_DEVICE_FEATURE_GET,
	};
	size_t size = 4 * roll(&h->dice, 10);
	union feature arg = {};

	arg.feature.argsz = any_argsz(h, sizeof(arg.feature) + size);
	arg.feature.flags = roll(&h->dice, 16) ?
			    which[roll(&h->dice, 4)] | roll(&h->dice, 16) :
			    any_u32(h);
	if (roll(&h->dice, 4))
		any_bytes(h, arg.feature.data, size);
	hammer_ioctl(h, HAMMER_FEATURE, any_dev(h), VFIO_DEVICE_FEATURE, &arg,
		     sizeof(arg));
}

void do_low_power(struct hand *h)
{
	static const __u32 features[] = {
		VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY,
		VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP,
		VFIO_DEVICE_FEATURE_LOW_POWER_EXIT,
	};
	struct vfio_device_low_power_entry_with_wakeup wakeup = {
		.wakeup_eventfd = any_file(h),
	};
	/* Asleep, it does little */
	unsigned int nr = roll(&h->dice, 4) ? 2 : roll(&h->dice, 2);
	size_t size = nr == 1 ? sizeof(wakeup) : 0;
	union feature arg = {};

	arg.feature.argsz = any_argsz(h, sizeof(arg.feature) + size);
	arg.feature.flags = VFIO_DEVICE_FEATURE_SET | features[nr];
	memcpy(arg.feature.data, &wakeup, size);
	hammer_ioctl(h, HAMMER_LOW_POWER, any_dev(h), VFIO_DEVICE_FEATURE, &arg,
		     sizeof(arg.feature) + size);
}

/* Of VFIO's numbers, whatever they are for, to a file of any kind */
void do_any_ioctl(struct hand *h)
{
	__u32 arg[MAX_PAYLOAD / sizeof(__u32)];
	unsigned int i;

	for (i = 0; i < MAX_PAYLOAD / sizeof(__u32); i++)
		arg[i] = any_u32(h);
	arg[0] = any_argsz(h, 8 + 4 * roll(&h->dice, 16));
	hammer_ioctl(h, HAMMER_ANY_IOCTL,
		     roll(&h->dice, 2) ? any_dev(h) : any_data_fd(h),
		     _IO(VFIO_TYPE, VFIO_BASE + roll(&h->dice, 32)), arg,
		     sizeof(arg));
}
