// SPDX-License-Identifier: GPL-2.0-only
/*
 * What read(), write() and mmap() at an offset of the device's file are about: which
 * registers, which bytes of them, and where the BAR or the region ends.
 */
#include <linux/mm.h>
#include <linux/uaccess.h>

#include "half.h"
#include "mig/mig.h"

#define BAR		VFIO_PCI_BAR2_REGION_INDEX
#define POISON		0xaa

static loff_t pos_of(unsigned int index, u64 offset)
{
	return VFIO_PCI_INDEX_TO_OFFSET(index) + offset;
}

/* Reads to where there are @room bytes of user memory; @buf gets the first ones. */
static ssize_t read_at(struct half *half, loff_t *pos, size_t count, size_t room, u8 *buf)
{
	void __user *user = half->user + HALF_ROOM - room;
	u8 poison[2 * HALF_BAR_SIZE];
	ssize_t ret;

	memset(poison, POISON, sizeof(poison));
	room = min(room, sizeof(poison));
	KUNIT_ASSERT_EQ(half->test, 0, copy_to_user(user, poison, room));
	half_forget(half);
	ret = vfio_mig_read(&half->mig.core.vdev, user, count, pos);
	KUNIT_ASSERT_EQ(half->test, 0, copy_from_user(buf, user, room));
	return ret;
}

static ssize_t write_at(struct half *half, loff_t *pos, size_t count, size_t room)
{
	void __user *user = half->user + HALF_ROOM - room;
	u8 data[2 * HALF_BAR_SIZE];
	unsigned int i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = i + 1;
	KUNIT_ASSERT_EQ(half->test, 0, copy_to_user(user, data, min(room, sizeof(data))));
	half_forget(half);
	return vfio_mig_write(&half->mig.core.vdev, user, count, pos);
}

/* Each register of [@offset, @offset + @count) once and in order: it may clear itself */
static void expect_read_once(struct half *half, u32 offset, u32 count)
{
	u32 first = offset / 4, nr = DIV_ROUND_UP(offset + count, 4) - first;
	unsigned int i;

	KUNIT_ASSERT_EQ_MSG(half->test, nr, half->nr_accesses, "%u at %u", count, offset);
	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_EQ(half->test, 4 * (first + i), half->access[i].offset);
		KUNIT_EXPECT_FALSE(half->test, half->access[i].write);
	}
}

/* Any bytes, also where they end behind the BAR */
static void read_cuts(struct kunit *test)
{
	struct half *half = test->priv;
	u32 offset, count, want, i;
	u8 buf[2 * HALF_BAR_SIZE];
	loff_t pos;

	for (offset = 0; offset < HALF_BAR_SIZE; offset++) {
		for (count = 1; count <= HALF_BAR_SIZE + 9; count++) {
			want = min(count, HALF_BAR_SIZE - offset);
			pos = pos_of(BAR, offset);
			KUNIT_ASSERT_EQ(test, want,
					read_at(half, &pos, count, sizeof(buf), buf));
			KUNIT_ASSERT_EQ(test, pos, pos_of(BAR, offset + want));
			expect_read_once(half, offset, want);
			for (i = 0; i < want; i++)
				KUNIT_ASSERT_EQ(test, buf[i], offset + i);
			for (; i < sizeof(buf); i++)
				KUNIT_ASSERT_EQ(test, buf[i], POISON);
		}
	}
}

static void expect_nothing(struct half *half, loff_t start, size_t count, int err)
{
	u8 buf[2 * HALF_BAR_SIZE];
	loff_t pos = start;

	KUNIT_EXPECT_EQ_MSG(half->test, err, read_at(half, &pos, count, sizeof(buf), buf),
			    "read %zu at %#llx", count, start);
	KUNIT_EXPECT_EQ(half->test, pos, start);
	KUNIT_EXPECT_EQ(half->test, 0, half->nr_accesses);
	KUNIT_EXPECT_TRUE(half->test, !memchr_inv(buf, POISON, sizeof(buf)));
	KUNIT_EXPECT_EQ_MSG(half->test, err, write_at(half, &pos, count, sizeof(buf)),
			    "write %zu at %#llx", count, start);
	KUNIT_EXPECT_EQ(half->test, pos, start);
	KUNIT_EXPECT_EQ(half->test, 0, half->nr_accesses);
}

/* At the end of the BAR, behind it up to the next region, and where no region is */
static void outside(struct kunit *test)
{
	static const size_t counts[] = { 1, 4, HALF_BAR_SIZE };
	struct half *half = test->priv;
	unsigned int i;

	expect_nothing(half, pos_of(BAR, 0), 0, 0);
	expect_nothing(half, pos_of(BAR, HALF_BAR_SIZE - 4), 0, 0);
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		expect_nothing(half, pos_of(BAR, HALF_BAR_SIZE), counts[i], -EINVAL);
		expect_nothing(half, pos_of(BAR, HALF_BAR_SIZE + 4), counts[i], -EINVAL);
		expect_nothing(half, pos_of(BAR, BIT_ULL(32)), counts[i], -EINVAL);
		expect_nothing(half, pos_of(BAR + 1, 0) - 4, counts[i], -EINVAL);
		expect_nothing(half, pos_of(BAR - 1, 0), counts[i], -EINVAL);
		expect_nothing(half, pos_of(BAR + 1, 0), counts[i], -EINVAL);
		/* Eight bits above the index of a region, and all of them */
		expect_nothing(half, pos_of(BAR + 256, 0), counts[i], -EINVAL);
		expect_nothing(half, pos_of(BAR, 0) + LLONG_MIN, counts[i], -EINVAL);
		expect_nothing(half, -1, counts[i], -EINVAL);
		expect_nothing(half, -4, counts[i], -EINVAL);
	}
}

static void expect_written(struct half *half, u32 offset, u32 nr)
{
	unsigned int i;

	KUNIT_ASSERT_EQ(half->test, nr, half->nr_accesses);
	for (i = 0; i < nr; i++) {
		KUNIT_EXPECT_EQ(half->test, offset + 4 * i, half->access[i].offset);
		KUNIT_EXPECT_EQ(half->test, 0x04030201 + i * 0x04040404, half->access[i].val);
		KUNIT_EXPECT_TRUE(half->test, half->access[i].write);
	}
}

/* Whole registers only: what is left over is not written, nor what is not aligned */
static void write_cuts(struct kunit *test)
{
	struct half *half = test->priv;
	u32 offset, count, want;
	loff_t pos;
	ssize_t ret;

	for (offset = 0; offset < HALF_BAR_SIZE; offset++) {
		for (count = 1; count <= HALF_BAR_SIZE + 9; count++) {
			want = min(count, HALF_BAR_SIZE - offset) & ~3;
			if (offset % 4)
				want = 0;
			pos = pos_of(BAR, offset);
			ret = write_at(half, &pos, count, 2 * HALF_BAR_SIZE);
			KUNIT_ASSERT_EQ_MSG(test, ret, want ? (ssize_t)want : -EINVAL,
					    "%u at %u", count, offset);
			KUNIT_ASSERT_EQ(test, pos, pos_of(BAR, offset + want));
			expect_written(half, offset, want / 4);
		}
	}
}

/* User memory that ends before the access does */
static void faults(struct kunit *test)
{
	struct half *half = test->priv;
	u8 buf[2 * HALF_BAR_SIZE];
	ssize_t room, whole;
	loff_t pos;

	for (room = 0; room < 12; room++) {
		whole = round_down(room, 4);
		pos = pos_of(BAR, 8);
		KUNIT_EXPECT_EQ(test, read_at(half, &pos, 12, room, buf), whole ?: -EFAULT);
		KUNIT_EXPECT_EQ(test, pos, pos_of(BAR, 8 + whole));
		pos = pos_of(BAR, 8);
		KUNIT_EXPECT_EQ(test, write_at(half, &pos, 12, room), whole ?: -EFAULT);
		KUNIT_EXPECT_EQ(test, pos, pos_of(BAR, 8 + whole));
		expect_written(half, 8, whole / 4);
	}
}

static void expect_ones(struct half *half, loff_t start, size_t count, size_t want)
{
	u8 buf[2 * HALF_BAR_SIZE];
	loff_t pos = start;

	KUNIT_EXPECT_EQ(half->test, want, read_at(half, &pos, count, sizeof(buf), buf));
	KUNIT_EXPECT_EQ(half->test, pos, start + want);
	KUNIT_EXPECT_EQ(half->test, 0, half->nr_accesses);
	KUNIT_EXPECT_TRUE(half->test, !memchr_inv(buf, 0xff, want));
	KUNIT_EXPECT_TRUE(half->test, !memchr_inv(buf + want, POISON, sizeof(buf) - want));
}

static void expect_dropped(struct half *half, loff_t start, size_t count, size_t want)
{
	loff_t pos = start;

	KUNIT_EXPECT_EQ(half->test, want, write_at(half, &pos, count, 2 * HALF_BAR_SIZE));
	KUNIT_EXPECT_EQ(half->test, pos, start + want);
	KUNIT_EXPECT_EQ(half->test, 0, half->nr_accesses);
}

/* The registers are there all the same, each of which counts if it is written */
static void closed(struct kunit *test)
{
	static const enum vfio_mig_view views[] = { VFIO_MIG_CLOSED, VFIO_MIG_ONES };
	struct half *half = test->priv;
	u32 offset, dropped = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(views); i++) {
		WRITE_ONCE(half->mig.gate.view, views[i]);
		for (offset = 0; offset < HALF_BAR_SIZE; offset += 4) {
			expect_ones(half, pos_of(BAR, offset + 1), 2, 2);
			expect_ones(half, pos_of(BAR, offset), 2 * HALF_BAR_SIZE,
				    HALF_BAR_SIZE - offset);
			expect_dropped(half, pos_of(BAR, offset), 2 * HALF_BAR_SIZE,
				       HALF_BAR_SIZE - offset);
			dropped += (HALF_BAR_SIZE - offset) / 4;
			KUNIT_EXPECT_EQ(test, dropped, atomic64_read(&half->mig.gate.dropped));
		}
		expect_nothing(half, pos_of(BAR, HALF_BAR_SIZE), 4, -EINVAL);
	}
}

/* A device in a low-power state is not there, whatever the gate says */
static void asleep(struct kunit *test)
{
	struct half *half = test->priv;

	half->mig.core.pdev->current_state = PCI_D3hot;
	expect_ones(half, pos_of(BAR, 0), 4, 4);
	expect_dropped(half, pos_of(BAR, 0), 4, 4);
	half->mig.core.pdev->current_state = PCI_D0;
	half->mig.core.pm_runtime_engaged = true;
	expect_ones(half, pos_of(BAR, 0), 4, 4);
	expect_dropped(half, pos_of(BAR, 0), 4, 4);
	half->mig.core.pm_runtime_engaged = false;
}

/* What is being recovered is ones to the end of each region, and writable all over */
static void blocked(struct kunit *test)
{
	struct half *half = test->priv;
	unsigned int index;

	half_error(half, pci_channel_io_frozen);
	for (index = 0; index < VFIO_PCI_NUM_REGIONS; index++) {
		expect_ones(half, pos_of(index, 0), 1, 1);
		expect_ones(half, pos_of(index, 3), 70, 70);
		expect_ones(half, pos_of(index, BIT_ULL(32)), 65, 65);
		expect_ones(half, pos_of(index + 1, 0) - 7, 100, 7);
		expect_dropped(half, pos_of(index, 1), 3, 3);
	}
	KUNIT_EXPECT_EQ(test, 0, atomic64_read(&half->mig.gate.dropped));
	expect_nothing(half, pos_of(VFIO_PCI_NUM_REGIONS, 0), 4, -EINVAL);
	expect_nothing(half, pos_of(BAR + 256, 0), 4, -EINVAL);
	expect_nothing(half, -4, 4, -EINVAL);
	expect_nothing(half, LLONG_MIN, 4, -EINVAL);
}

static bool may_map(unsigned long pgoff, unsigned long nr, u32 first_page, u32 pages)
{
	DEFINE_RAW_FLEX(struct vfio_mig_areas, mmap, area, 1);
	struct vm_area_struct vma = {
		.vm_pgoff = pgoff,
		.vm_end = nr << PAGE_SHIFT,
	};

	mmap->nr = 1;
	mmap->area[0].offset = first_page << PAGE_SHIFT;
	mmap->area[0].size = pages << PAGE_SHIFT;
	return vfio_mig_may_map(mmap, &vma);
}

static void try_map(struct kunit *test, unsigned int start, unsigned int nr,
		    unsigned int first, unsigned int pages)
{
	unsigned long index = pos_of(BAR, 0) >> PAGE_SHIFT;
	bool want = start >= first && start + nr <= first + pages;

	KUNIT_EXPECT_EQ_MSG(test, want, may_map(start, nr, first, pages),
			    "%u+%u in %u+%u", start, nr, first, pages);
	KUNIT_EXPECT_EQ_MSG(test, want, may_map(index + start, nr, first, pages),
			    "%u+%u in %u+%u", start, nr, first, pages);
}

/* All of the mapping has to be in the part that may be mapped */
static void mappings(struct kunit *test)
{
	unsigned int start, nr, i;

	for (start = 0; start < 6; start++)
		for (nr = 1; nr < 8; nr++)
			for (i = 0; i < 16; i++)
				try_map(test, start, nr, i / 4, i % 4);
}

/* Mappings so long, or so far away, that they come round to where they may be */
static void mappings_overflow(struct kunit *test)
{
	unsigned long end = BIT(VFIO_PCI_OFFSET_SHIFT - PAGE_SHIFT);
	unsigned long most = ULONG_MAX >> PAGE_SHIFT;

	KUNIT_EXPECT_TRUE(test, may_map(1, 3, 1, 3));
	KUNIT_EXPECT_FALSE(test, may_map(1, most, 1, 3));
	KUNIT_EXPECT_FALSE(test, may_map(2, most, 1, 3));
	KUNIT_EXPECT_FALSE(test, may_map(1, BIT(32 - PAGE_SHIFT) + 1, 1, 3));
	KUNIT_EXPECT_FALSE(test, may_map(0, BIT(32 - PAGE_SHIFT) + 2, 1, 3));
	KUNIT_EXPECT_FALSE(test, may_map(end - 1, 1, 1, 3));
	KUNIT_EXPECT_FALSE(test, may_map(end - 1, 2, 0, 3));
	KUNIT_EXPECT_FALSE(test, may_map(end - 1, 3, 1, 3));
	KUNIT_EXPECT_FALSE(test, may_map(BIT(32 - PAGE_SHIFT) + 1, 1, 1, 3));
	KUNIT_EXPECT_FALSE(test, may_map(1, 1, 1, 0));
	/* As far as a BAR of 32 bits can go */
	KUNIT_EXPECT_TRUE(test, may_map(BIT(20) - 2, 1, BIT(20) - 2, 1));
	KUNIT_EXPECT_FALSE(test, may_map(BIT(20) - 2, 2, BIT(20) - 2, 1));
	KUNIT_EXPECT_FALSE(test, may_map(BIT(20) - 1, 1, BIT(20) - 2, 1));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(read_cuts),
	KUNIT_CASE(write_cuts),
	KUNIT_CASE(outside),
	KUNIT_CASE(faults),
	KUNIT_CASE(closed),
	KUNIT_CASE(asleep),
	KUNIT_CASE(blocked),
	KUNIT_CASE(mappings),
	KUNIT_CASE(mappings_overflow),
	{}
};

static struct kunit_suite suite = {
	.name = "gate",
	.init = half_init,
	.test_cases = cases,
};

kunit_test_suite(suite);
