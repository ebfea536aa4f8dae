// SPDX-License-Identifier: GPL-2.0-only
#include <linux/file.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/pm_runtime.h>
#include <linux/unaligned.h>

#include "half.h"

/* A part without records would not say that it is the final one. */
static const struct vfio_mig_record_kind kind = {
	.type = VFIO_MIG_RECORD_DEVICE,
	.part = VFIO_MIG_PART_FINAL,
};

static const struct vfio_mig_stream_format format = {
	.vendor = 0x1af4,
	.nr_kinds = 1,
	.kinds = &kind,
	.max_size = 512,
};

static int note_op(struct vfio_mig_device *mdev, const char *op, bool closed)
{
	struct half *half = container_of(mdev, struct half, mig);
	size_t len = strlen(half->called);

	KUNIT_EXPECT_EQ_MSG(half->test, closed, mdev->gate.view != VFIO_MIG_OPEN,
			    "the gate when op %s is called", op);
	KUNIT_EXPECT_TRUE(half->test, mutex_is_locked(&mdev->trap_lock));
	KUNIT_EXPECT_TRUE(half->test, rwsem_is_locked(&mdev->core.memory_lock));
	KUNIT_ASSERT_LT(half->test, len + 1, sizeof(half->called));
	half->called[len] = *op;
	return strchr(half->failing, *op) ? half->err : 0;
}

static int quiesce(struct vfio_mig_device *mdev)
{
	return note_op(mdev, QUIESCE, false);
}

static int unquiesce(struct vfio_mig_device *mdev)
{
	return note_op(mdev, UNQUIESCE, false);
}

static int stop(struct vfio_mig_device *mdev)
{
	return note_op(mdev, STOP, true);
}

static int start(struct vfio_mig_device *mdev)
{
	return note_op(mdev, START, true);
}

static int save_initial(struct vfio_mig_device *mdev, struct vfio_mig_writer *w)
{
	return note_op(mdev, SAVE_INITIAL, mdev->state == VFIO_DEVICE_STATE_STOP);
}

static int save_final(struct vfio_mig_device *mdev, struct vfio_mig_writer *w)
{
	return note_op(mdev, SAVE_FINAL, true);
}

static int load_initial(struct vfio_mig_device *mdev,
			const struct vfio_mig_reader *r, const void *stream)
{
	return note_op(mdev, LOAD_INITIAL, true);
}

static int load_final(struct vfio_mig_device *mdev,
		      const struct vfio_mig_reader *r, const void *stream)
{
	return note_op(mdev, LOAD_FINAL, true);
}

static void reset(struct vfio_mig_device *mdev)
{
}

/* What a register reads as: each byte of the BAR is another one, and none is 0xff. */
u32 half_register(u32 offset)
{
	return 0x03020100 + offset * 0x01010101;
}

static void access(struct vfio_mig_device *mdev, u32 offset, u32 *val, bool write)
{
	struct half *half = container_of(mdev, struct half, mig);

	if (!write)
		*val = half_register(offset);
	if (half->nr_accesses < ARRAY_SIZE(half->access))
		half->access[half->nr_accesses] = (struct half_access) {
			.offset = offset,
			.val = *val,
			.write = write,
		};
	half->nr_accesses++;
}

static const struct vfio_mig_areas mmap_areas = {
	.nr = 1,
	.area = { { .offset = 0, .size = PAGE_SIZE } },
};

static const struct vfio_mig_ops ops = {
	.owner = THIS_MODULE,
	.format = &format,
	.gated_bar = 2,
	.mmap = &mmap_areas,
	.quiesce = quiesce,
	.unquiesce = unquiesce,
	.stop = stop,
	.start = start,
	.save_initial = save_initial,
	.save_final = save_final,
	.load_initial = load_initial,
	.load_final = load_final,
	.reset = reset,
	.access = access,
};

static const struct vfio_device_ops device_ops = {
	.name = KBUILD_MODNAME,
	.init = vfio_mig_init_dev,
	.release = vfio_mig_release_dev,
};

static void free_pdev(struct device *dev)
{
	kfree(to_pci_dev(dev));
}

static void put_pdev(void *dev)
{
	pm_runtime_disable(dev);
	put_device(dev);
}

/**
 * half_pdev() - a function of no device, with one BAR, in a segment that no IOMMU is for
 * @test: the test, with which it goes
 *
 * Return: the function.
 */
struct pci_dev *half_pdev(struct kunit *test)
{
	static struct pci_sysdata sysdata = { .domain = 0xffff };
	struct pci_bus *bus = kunit_kzalloc(test, sizeof(*bus), GFP_KERNEL);
	struct pci_dev *pdev;

	KUNIT_ASSERT_NOT_NULL(test, bus);
	bus->sysdata = &sysdata;
	pdev = kzalloc(sizeof(*pdev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, pdev);
	pdev->bus = bus;
	device_initialize(&pdev->dev);
	pdev->dev.release = free_pdev;
	pm_runtime_set_active(&pdev->dev);
	pm_runtime_enable(&pdev->dev);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_pdev, &pdev->dev));
	KUNIT_ASSERT_EQ(test, 0, dev_set_name(&pdev->dev, "%s", test->name));
	pdev->resource[ops.gated_bar] = DEFINE_RES_MEM(0x1000, HALF_BAR_SIZE);
	return pdev;
}

static void put_half(void *data)
{
	struct half *half = data;

	half_reset(half);
	/* Where a test runs the last references to files are dropped later. */
	flush_delayed_fput();
	vfio_put_device(&half->mig.core.vdev);
}

static struct half *new_half(struct kunit *test, struct pci_dev *pdev)
{
	u8 *vconfig = kunit_kzalloc(test, PCI_CFG_SPACE_SIZE, GFP_KERNEL);
	struct half *half;

	KUNIT_ASSERT_NOT_NULL(test, vconfig);
	put_unaligned_le16(PCI_COMMAND_MEMORY, vconfig + PCI_COMMAND);
	half = vfio_alloc_device(half, mig.core.vdev, &pdev->dev, &device_ops);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, half);
	dev_set_drvdata(&pdev->dev, &half->mig.core);
	half->mig.core.vconfig = vconfig;
	half->test = test;
	half->failing = "";
	vfio_mig_offer(&half->mig, &ops);
	half->mig.opened = true;
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_half, half));
	return half;
}

/**
 * half_init() - the init of a suite: test->priv is a struct half in state RUNNING
 * @test: the test
 *
 * Return: 0.
 */
int half_init(struct kunit *test)
{
	struct half *half = new_half(test, half_pdev(test));
	unsigned long user;

	/* A page of which the second half is taken away again. */
	user = kunit_vm_mmap(test, NULL, 0, 2 * HALF_ROOM, PROT_READ | PROT_WRITE,
			     MAP_ANONYMOUS | MAP_PRIVATE, 0);
	KUNIT_ASSERT_NE(test, 0, user);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(user));
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(user + HALF_ROOM, HALF_ROOM));
	half->user = (void __user *)user;
	half_reset(half);
	test->priv = half;
	return 0;
}

/**
 * half_reset() - the device has been reset
 * @half: the device
 */
void half_reset(struct half *half)
{
	vfio_mig_err_handlers.reset_done(half->mig.core.pdev);
}

/**
 * half_error() - the device has had a PCI error
 * @half: the device
 * @state: how bad it is
 */
void half_error(struct half *half, pci_channel_state_t state)
{
	vfio_mig_err_handlers.error_detected(half->mig.core.pdev, state);
}

/**
 * half_recover() - the host has reset the link, and gives the device back
 * @half: the device
 */
void half_recover(struct half *half)
{
	half->mig.link_was_reset = true;
	vfio_mig_err_handlers.resume(half->mig.core.pdev);
}

/**
 * half_forget() - no op has been called, and no register accessed
 * @half: the device
 */
void half_forget(struct half *half)
{
	memset(half->called, 0, sizeof(half->called));
	half->nr_accesses = 0;
}

MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The vfmig authors");
MODULE_DESCRIPTION("KUnit tests of vfio_pci_mig and igb_vfio_pci");
