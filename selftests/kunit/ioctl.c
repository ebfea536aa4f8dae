// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arguments of SET_IRQS, GET_IRQ_INFO and PCI_HOT_RESET, and offsets in the
 * extension region.
 */
#include <linux/uaccess.h>

#include "half.h"
#include "mig/mig.h"

/* The first index of our own, and the one behind the last */
#define OURS	VFIO_PCI_NUM_IRQS
#define END	(VFIO_PCI_NUM_IRQS + VFIO_MIG_NR_IRQS)

static long call(struct half *half, unsigned int cmd, const void *arg, size_t size)
{
	KUNIT_ASSERT_EQ(half->test, 0, copy_to_user(half->user, arg, size));
	return vfio_mig_ioctl(&half->mig.core.vdev, cmd, (unsigned long)half->user);
}

struct irq_set {
	struct vfio_irq_set hdr;
	s32 fd;
};

#define TRIGGER		VFIO_IRQ_SET_ACTION_TRIGGER
#define SET_HEADER	sizeof(struct vfio_irq_set)

/* One interrupt, which is an eventfd: it can be set, taken away and raised */
static long want_set_irqs(const struct vfio_irq_set *set)
{
	u32 action = set->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK;
	u32 size;

	if (set->argsz < SET_HEADER || set->index >= END || set->start || set->count > 1)
		return -EINVAL;
	switch (set->flags & ~VFIO_IRQ_SET_ACTION_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_NONE:
		size = 0;
		break;
	case VFIO_IRQ_SET_DATA_BOOL:
		size = sizeof(u8);
		break;
	case VFIO_IRQ_SET_DATA_EVENTFD:
		size = sizeof(s32);
		break;
	default:
		return -EINVAL;
	}
	if (set->argsz < SET_HEADER + set->count * size)
		return -EINVAL;
	if (action != TRIGGER)
		return -ENOTTY;
	return size == sizeof(s32) && !set->count ? -EINVAL : 0;
}

static void try_set(struct half *half, u32 index, u32 start, u32 count)
{
	static const u32 sizes[] = {
		0, SET_HEADER - 1, SET_HEADER, SET_HEADER + 1, SET_HEADER + 3, SET_HEADER + 4,
		U32_MAX,
	};
	struct irq_set set = {
		.hdr.index = index,
		.hdr.start = start,
		.hdr.count = count,
		.fd = -1,
	};
	unsigned int i;

	/* Each bit that has a meaning, with each other, and one that has none */
	for (set.hdr.flags = 0; set.hdr.flags < 128; set.hdr.flags++) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			set.hdr.argsz = sizes[i];
			KUNIT_EXPECT_EQ_MSG(half->test, want_set_irqs(&set.hdr),
					    call(half, VFIO_DEVICE_SET_IRQS, &set, sizeof(set)),
					    "index %u, start %u, count %u, flags %#x, argsz %u",
					    index, start, count, set.hdr.flags, sizes[i]);
		}
	}
}

static void set_irqs(struct kunit *test)
{
	static const u32 indexes[] = { OURS, END - 1, END, U32_MAX };
	static const u32 numbers[] = { 0, 1, 2, U32_MAX - 1, U32_MAX };
	unsigned int i, start, count;

	for (i = 0; i < ARRAY_SIZE(indexes); i++)
		for (start = 0; start < ARRAY_SIZE(numbers); start++)
			for (count = 0; count < ARRAY_SIZE(numbers); count++)
				try_set(test->priv, indexes[i], numbers[start], numbers[count]);
}

static long set_fd(struct half *half, s32 fd)
{
	struct irq_set set = {
		.hdr.argsz = sizeof(set),
		.hdr.flags = TRIGGER | VFIO_IRQ_SET_DATA_EVENTFD,
		.hdr.index = OURS,
		.hdr.count = 1,
		.fd = fd,
	};

	return call(half, VFIO_DEVICE_SET_IRQS, &set, sizeof(set));
}

static void irq_fds(struct kunit *test)
{
	struct half *half = test->priv;

	KUNIT_EXPECT_EQ(test, 0, set_fd(half, -1));
	KUNIT_EXPECT_EQ(test, -EINVAL, set_fd(half, -2));
	KUNIT_EXPECT_EQ(test, -EINVAL, set_fd(half, INT_MIN));
	KUNIT_EXPECT_EQ(test, -EBADF, set_fd(half, INT_MAX));
}

/* Data, and headers, that user memory does not reach to */
static void irq_faults(struct kunit *test)
{
	static const u32 data[] = { VFIO_IRQ_SET_DATA_BOOL, VFIO_IRQ_SET_DATA_EVENTFD };
	struct half *half = test->priv;
	struct vfio_device *vdev = &half->mig.core.vdev;
	struct vfio_irq_set hdr = { .argsz = sizeof(struct irq_set), .index = OURS, .count = 1 };
	void __user *user = half->user + HALF_ROOM - sizeof(hdr);
	unsigned long arg = (unsigned long)user;
	unsigned int i;
	long ret;

	for (i = 0; i < ARRAY_SIZE(data); i++) {
		hdr.flags = TRIGGER | data[i];
		KUNIT_ASSERT_EQ(test, 0, copy_to_user(user, &hdr, sizeof(hdr)));
		ret = vfio_mig_ioctl(vdev, VFIO_DEVICE_SET_IRQS, arg);
		KUNIT_EXPECT_EQ(test, -EFAULT, ret);
	}
	ret = vfio_mig_ioctl(vdev, VFIO_DEVICE_SET_IRQS, arg + 1);
	KUNIT_EXPECT_EQ(test, -EFAULT, ret);
	arg += sizeof(hdr) - sizeof(struct vfio_irq_info);
	ret = vfio_mig_ioctl(vdev, VFIO_DEVICE_GET_IRQ_INFO, arg + 1);
	KUNIT_EXPECT_EQ(test, -EFAULT, ret);
}

/* While an error is being recovered interrupts are taken away, and not set up */
static void irqs_blocked(struct kunit *test)
{
	struct half *half = test->priv;
	struct irq_set set = {
		.hdr.argsz = sizeof(set),
		.hdr.flags = TRIGGER | VFIO_IRQ_SET_DATA_EVENTFD,
		.fd = -1,
	};
	bool device;
	long ret;

	half_error(half, pci_channel_io_frozen);
	for (set.hdr.index = 0; set.hdr.index < END; set.hdr.index++) {
		device = set.hdr.index <= VFIO_PCI_MSIX_IRQ_INDEX;
		for (set.hdr.count = 0; set.hdr.count < 3; set.hdr.count++) {
			ret = call(half, VFIO_DEVICE_SET_IRQS, &set, sizeof(set));
			KUNIT_EXPECT_EQ_MSG(test, ret == -EBUSY, device && set.hdr.count,
					    "%u of index %u: %ld", set.hdr.count,
					    set.hdr.index, ret);
		}
	}
}

static void irq_info(struct kunit *test)
{
	static const u32 indexes[] = { END, END + 1, INT_MAX, U32_MAX };
	struct half *half = test->priv;
	struct vfio_irq_info info = {};
	unsigned int i;

	for (info.argsz = 0; info.argsz <= sizeof(info); info.argsz++) {
		info.index = END - 1;
		KUNIT_EXPECT_EQ(test, info.argsz < sizeof(info) ? -EINVAL : 0,
				call(half, VFIO_DEVICE_GET_IRQ_INFO, &info, sizeof(info)));
	}
	KUNIT_ASSERT_EQ(test, 0, copy_from_user(&info, half->user, sizeof(info)));
	KUNIT_EXPECT_EQ(test, 1, info.count);
	KUNIT_EXPECT_EQ(test, VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE, info.flags);
	info.argsz = sizeof(info);
	for (i = 0; i < ARRAY_SIZE(indexes); i++) {
		info.index = indexes[i];
		KUNIT_EXPECT_EQ(test, -EINVAL,
				call(half, VFIO_DEVICE_GET_IRQ_INFO, &info, sizeof(info)));
	}
}

struct hot_reset {
	struct vfio_pci_hot_reset hdr;
	s32 fds[2];
};

#define RESET_HEADER	sizeof(struct vfio_pci_hot_reset)

static long hot_reset(struct half *half, u32 argsz, u32 flags, u32 count)
{
	struct hot_reset arg = {
		.hdr.argsz = argsz,
		.hdr.flags = flags,
		.hdr.count = count,
		.fds = { -1, -1 },
	};

	return call(half, VFIO_DEVICE_PCI_HOT_RESET, &arg, sizeof(arg));
}

/* A bus that can be reset, with nothing but the device on it */
static void put_on_a_bus(struct half *half)
{
	struct pci_dev *pdev = half->mig.core.pdev;
	struct pci_bus *bus;

	bus = kunit_kzalloc(half->test, sizeof(*bus), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(half->test, bus);
	bus->self = kunit_kzalloc(half->test, sizeof(*bus->self), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(half->test, bus->self);
	INIT_LIST_HEAD(&bus->devices);
	list_add(&pdev->bus_list, &bus->devices);
	pdev->bus = bus;
}

/* -EBADF: the arguments were good, and the fd was not */
static void hot_resets(struct kunit *test)
{
	struct half *half = test->priv;
	unsigned int i;

	put_on_a_bus(half);
	KUNIT_EXPECT_EQ(test, -EBADF, hot_reset(half, RESET_HEADER + 4, 0, 1));
	for (i = 0; i < RESET_HEADER; i++)
		KUNIT_EXPECT_EQ(test, -EINVAL, hot_reset(half, i, 0, 1));
	for (i = 0; i < 32; i++)
		KUNIT_EXPECT_EQ(test, -EINVAL, hot_reset(half, RESET_HEADER + 4, BIT(i), 1));
	/* One function: two groups are too many, however many bytes that is */
	for (i = 1; i < 32; i++) {
		KUNIT_EXPECT_EQ(test, -EINVAL, hot_reset(half, U32_MAX, 0, BIT(i)));
		KUNIT_EXPECT_EQ(test, -EINVAL, hot_reset(half, U32_MAX, 0, BIT(i) + 1));
		KUNIT_EXPECT_EQ(test, -EINVAL, hot_reset(half, U32_MAX, 0, -BIT(i)));
	}
	KUNIT_EXPECT_EQ(test, -EINVAL, hot_reset(half, U32_MAX, 0, U32_MAX));
}

/* Groups for a device that was opened by its group, none for one by its own file */
static void hot_resets_by_file(struct kunit *test)
{
	struct half *half = test->priv;

	put_on_a_bus(half);
	KUNIT_EXPECT_EQ(test, -EINVAL, hot_reset(half, RESET_HEADER, 0, 0));
	half->mig.core.pdev->bus->self = NULL;
	KUNIT_EXPECT_EQ(test, -ENODEV, hot_reset(half, RESET_HEADER + 4, 0, 1));
	KUNIT_EXPECT_EQ(test, -EINVAL, hot_reset(half, RESET_HEADER, 0, 0));
#if IS_ENABLED(CONFIG_VFIO_DEVICE_CDEV)
	half->mig.core.vdev.cdev_opened = true;
	KUNIT_EXPECT_EQ(test, -EINVAL, hot_reset(half, RESET_HEADER + 4, 0, 1));
	KUNIT_EXPECT_EQ(test, -ENODEV, hot_reset(half, RESET_HEADER, 0, 0));
	half->mig.core.vdev.cdev_opened = false;
#endif
	half_error(half, pci_channel_io_frozen);
	KUNIT_EXPECT_EQ(test, -EBUSY, hot_reset(half, RESET_HEADER + 4, 0, 1));
}

static loff_t ext_pos(u64 offset)
{
	return VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_NUM_REGIONS) + offset;
}

static void drop_region(void *data)
{
	struct vfio_pci_core_device *core = data;

	core->region->ops->release(core, core->region);
}

/* As vfio_pci_core_disable() does it in the end, when the device is closed */
static void add_region(struct kunit *test, struct vfio_mig_device *mdev)
{
	KUNIT_ASSERT_EQ(test, 0, vfio_mig_add_ext_region(mdev));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, drop_region, &mdev->core));
}

static void ext_region(struct kunit *test)
{
	struct half *half = test->priv;
	struct vfio_device *vdev = &half->mig.core.vdev;
	struct vfio_mig_ext ext;
	u8 buf[sizeof(ext)];
	size_t size = sizeof(ext), offset, count, want;
	loff_t pos;

	add_region(test, &half->mig);
	half_error(half, pci_channel_io_normal);
	half_error(half, pci_channel_io_normal);
	pos = ext_pos(0);
	KUNIT_ASSERT_EQ(test, size, vfio_mig_read(vdev, half->user, HALF_ROOM, &pos));
	KUNIT_ASSERT_EQ(test, 0, copy_from_user(&ext, half->user, size));
	KUNIT_EXPECT_EQ(test, VFIO_MIG_EXT_MAGIC, ext.magic);
	KUNIT_EXPECT_EQ(test, size, ext.size);
	KUNIT_EXPECT_EQ(test, 2, ext.error.count);
	KUNIT_EXPECT_EQ(test, VFIO_MIG_ERROR_NONFATAL, ext.error.severity);

	for (offset = 0; offset < size; offset++) {
		for (count = 0; count <= size; count++) {
			want = min(count, size - offset);
			pos = ext_pos(offset);
			KUNIT_ASSERT_EQ(test, want, vfio_mig_read(vdev, half->user, count, &pos));
			KUNIT_ASSERT_EQ(test, pos, ext_pos(offset + want));
			KUNIT_ASSERT_EQ(test, 0, copy_from_user(buf, half->user, want));
			KUNIT_ASSERT_MEMEQ(test, buf, (u8 *)&ext + offset, want);
		}
		KUNIT_ASSERT_EQ(test, pos, ext_pos(size));
		pos = ext_pos(offset);
		KUNIT_EXPECT_EQ(test, -EINVAL, vfio_mig_write(vdev, half->user, 1, &pos));
		KUNIT_EXPECT_EQ(test, pos, ext_pos(offset));
	}
}

static void ext_region_ends(struct kunit *test)
{
	static const u64 offsets[] = {
		sizeof(struct vfio_mig_ext), sizeof(struct vfio_mig_ext) + 1, PAGE_SIZE,
		BIT_ULL(31), BIT_ULL(32), VFIO_PCI_OFFSET_MASK,
	};
	struct half *half = test->priv;
	struct vfio_device *vdev = &half->mig.core.vdev;
	unsigned int i;
	loff_t pos;

	add_region(test, &half->mig);
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		pos = ext_pos(offsets[i]);
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL, vfio_mig_read(vdev, half->user, 8, &pos),
				    "%#llx", offsets[i]);
		KUNIT_EXPECT_EQ(test, -EINVAL, vfio_mig_write(vdev, half->user, 8, &pos));
		KUNIT_EXPECT_EQ(test, pos, ext_pos(offsets[i]));
	}
	/* The region behind it is none. */
	pos = VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_NUM_REGIONS + 1);
	KUNIT_EXPECT_EQ(test, -EINVAL, vfio_mig_read(vdev, half->user, 8, &pos));
}

static struct kunit_case cases[] = {
	KUNIT_CASE_SLOW(set_irqs),
	KUNIT_CASE(irq_fds),
	KUNIT_CASE(irq_faults),
	KUNIT_CASE(irqs_blocked),
	KUNIT_CASE(irq_info),
	KUNIT_CASE(hot_resets),
	KUNIT_CASE(hot_resets_by_file),
	KUNIT_CASE(ext_region),
	KUNIT_CASE(ext_region_ends),
	{}
};

static struct kunit_suite suite = {
	.name = "ioctl",
	.init = half_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
