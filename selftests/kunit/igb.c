// SPDX-License-Identifier: GPL-2.0-only
/*
 * The 82576's device half, on a BAR of plain memory: which register goes where, and
 * the arithmetic of the counters. Offsets are the datasheet's, not the driver's.
 */
#include "half.h"
#include "igb/igb_vf.h"

#define BAR_SIZE	0x4000
#define V2P		0xc40
#define XDCTL_ON	BIT(25)
#define LU		BIT(1)

/* What is moved as it is */
static const u16 single[] = {
	0xf0c, 0x152c, 0x1530, 0x1680, 0x1684, 0x1688, 0x1700, 0x1740,
};

/* And for each of two queues, 0x100 apart */
static const u16 queue[] = {
	0x2800, 0x2804, 0x2808, 0x280c, 0x2810, 0x2814, 0x2818, 0x2828,
	0x3800, 0x3804, 0x3808, 0x3810, 0x3814, 0x3818, 0x3828, 0x3838, 0x383c,
};

static const u16 counters[] = {
	0xf10, 0xf14, 0xf18, 0xf34, 0xf3c, 0xf40, 0xf44, 0xf48, 0xf50,
};

static const struct vfio_device_ops device_ops = {
	.init = vfio_mig_init_dev,
	.release = vfio_mig_release_dev,
};

static void put_vf(void *vf)
{
	vfio_put_device(&((struct igb_vf *)vf)->mig.core.vdev);
}

static struct igb_vf *new_vf(struct kunit *test)
{
	struct pci_dev *pdev = half_pdev(test);
	void *bar = kunit_kzalloc(test, BAR_SIZE, GFP_KERNEL);
	struct igb_vf *vf;

	KUNIT_ASSERT_NOT_NULL(test, bar);
	vf = vfio_alloc_device(igb_vf, mig.core.vdev, &pdev->dev, &device_ops);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vf);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_vf, vf));
	vf->mig.io = (void __iomem __force *)bar;
	mutex_lock(&vf->mig.trap_lock);
	igb_vf_mig_ops.reset(&vf->mig);
	mutex_unlock(&vf->mig.trap_lock);
	return vf;
}

static __le32 *reg(struct igb_vf *vf, u32 offset)
{
	return (__le32 __force *)(vf->mig.io + offset);
}

static u32 get(struct igb_vf *vf, u32 offset)
{
	return le32_to_cpu(*reg(vf, offset));
}

static void set(struct igb_vf *vf, u32 offset, u32 val)
{
	*reg(vf, offset) = cpu_to_le32(val);
}

static u32 guest_reads(struct igb_vf *vf, u32 offset)
{
	u32 val;

	mutex_lock(&vf->mig.trap_lock);
	igb_vf_mig_ops.access(&vf->mig, offset, &val, false);
	mutex_unlock(&vf->mig.trap_lock);
	return val;
}

static size_t save(struct kunit *test, struct igb_vf *vf, u8 *stream)
{
	const struct vfio_mig_ops *ops = &igb_vf_mig_ops;
	struct vfio_mig_writer w;

	mutex_lock(&vf->mig.trap_lock);
	vfio_mig_writer_init(&w, ops->format, stream, ops->format->max_size);
	vfio_mig_begin_part(&w, VFIO_MIG_PART_INITIAL);
	KUNIT_EXPECT_EQ(test, 0, ops->save_initial(&vf->mig, &w));
	KUNIT_EXPECT_EQ(test, 0, vfio_mig_put_seal(&w));
	KUNIT_EXPECT_EQ(test, 0, ops->quiesce(&vf->mig));
	KUNIT_EXPECT_EQ(test, 0, ops->stop(&vf->mig));
	vfio_mig_begin_part(&w, VFIO_MIG_PART_FINAL);
	KUNIT_EXPECT_EQ(test, 0, ops->save_final(&vf->mig, &w));
	KUNIT_EXPECT_EQ(test, 0, vfio_mig_put_seal(&w));
	KUNIT_EXPECT_EQ(test, 0, vfio_mig_put_end(&w));
	mutex_unlock(&vf->mig.trap_lock);
	return w.len;
}

/* From one VF that runs to another, but for what needs a PF. */
static void move(struct kunit *test, struct igb_vf *from, struct igb_vf *to)
{
	const struct vfio_mig_ops *ops = &igb_vf_mig_ops;
	u8 *stream = kunit_kzalloc(test, ops->format->max_size, GFP_KERNEL);
	struct vfio_mig_reader r;

	KUNIT_ASSERT_NOT_NULL(test, stream);
	vfio_mig_reader_init(&r, ops->format);
	KUNIT_ASSERT_EQ(test, 0, vfio_mig_read_more(&r, stream, save(test, from, stream)));
	KUNIT_ASSERT_TRUE(test, r.ended);
	mutex_lock(&to->mig.trap_lock);
	KUNIT_EXPECT_EQ(test, 0, ops->load_final(&to->mig, &r, stream));
	KUNIT_EXPECT_EQ(test, 0, ops->start(&to->mig));
	KUNIT_EXPECT_EQ(test, 0, ops->unquiesce(&to->mig));
	mutex_unlock(&to->mig.trap_lock);
	kunit_kfree(test, stream);
}

static void expect_moved(struct kunit *test, const __le32 *was, struct igb_vf *to, u32 offset)
{
	KUNIT_EXPECT_EQ_MSG(test, le32_to_cpu(was[offset / 4]), get(to, offset), "%#x", offset);
	/* Seen: what is left has to be untouched. */
	set(to, offset, 0);
}

/* Each register has a value of its own, and is found where it was, and nowhere else */
static void registers(struct kunit *test)
{
	static const u16 rest[] = { VTEICS, VTEIMS, VTEIMC, VTEICR, V2P };
	struct igb_vf *from = new_vf(test), *to = new_vf(test);
	__le32 *was = kunit_kzalloc(test, BAR_SIZE, GFP_KERNEL);
	unsigned int i, q;

	KUNIT_ASSERT_NOT_NULL(test, was);
	for (i = 0; i < ARRAY_SIZE(single); i++)
		set(from, single[i], single[i] * 0x10001);
	for (q = 0; q < 2 * ARRAY_SIZE(queue); q++) {
		i = queue[q / 2] + q % 2 * 0x100;
		set(from, i, i * 0x10001);
	}
	/* One queue of each kind is on. */
	set(from, 0x2828, get(from, 0x2828) | XDCTL_ON);
	set(from, 0x2928, get(from, 0x2928) & ~XDCTL_ON);
	set(from, 0x3828, get(from, 0x3828) & ~XDCTL_ON);
	set(from, 0x3928, get(from, 0x3928) | XDCTL_ON);
	for (i = 0; i < 16; i++)
		set(from, 0x800 + 4 * i, 0xabcd0000 + i);
	memcpy(was, reg(from, 0), BAR_SIZE);

	move(test, from, to);
	KUNIT_EXPECT_FALSE(test, get(from, 0x2828) & XDCTL_ON);
	KUNIT_EXPECT_FALSE(test, get(from, 0x3928) & XDCTL_ON);
	for (i = 0; i < ARRAY_SIZE(single); i++)
		expect_moved(test, was, to, single[i]);
	for (q = 0; q < 2 * ARRAY_SIZE(queue); q++)
		expect_moved(test, was, to, queue[q / 2] + q % 2 * 0x100);
	for (i = 0; i < 16; i++)
		expect_moved(test, was, to, 0x800 + 4 * i);
	for (i = 0; i < ARRAY_SIZE(rest); i++)
		set(to, rest[i], 0);
	KUNIT_EXPECT_NULL(test, memchr_inv(reg(to, 0), 0, BAR_SIZE));
}

/*
 * What a guest reads goes on from what it read, modulo 2^32, whatever the hardware had
 * counted before, here and there.
 */
static void count(struct kunit *test, u32 base, u32 here, u32 other_base, u32 there)
{
	struct igb_vf *from = new_vf(test), *to = new_vf(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		set(from, counters[i], base + i);
		set(to, counters[i], other_base - i);
	}
	mutex_lock(&from->mig.trap_lock);
	igb_vf_mig_ops.reset(&from->mig);
	mutex_unlock(&from->mig.trap_lock);
	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		KUNIT_EXPECT_EQ(test, 0, guest_reads(from, counters[i]));
		set(from, counters[i], get(from, counters[i]) + here + 16 * i);
		KUNIT_EXPECT_EQ(test, here + 16 * i, guest_reads(from, counters[i]));
	}
	move(test, from, to);
	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		KUNIT_EXPECT_EQ(test, here + 16 * i, guest_reads(to, counters[i]));
		set(to, counters[i], get(to, counters[i]) + there);
		KUNIT_EXPECT_EQ(test, here + 16 * i + there, guest_reads(to, counters[i]));
	}
}

static void counters_go_on(struct kunit *test)
{
	static const u32 values[] = { 0, 1, 0x7ffffff0, 0x80000000, 0xfffffff8, U32_MAX };
	unsigned int i, n = ARRAY_SIZE(values);

	for (i = 0; i < n * n; i++)
		count(test, values[i % n], values[i / n], values[(i + i / n) % n],
		      values[(i + 1) % n]);
}

/* Only the counters read as anything but what the register has */
static void not_counters(struct kunit *test)
{
	struct igb_vf *vf = new_vf(test);
	unsigned int i, c = 0;
	u32 offset;

	/* The reset has left something behind */
	memset(reg(vf, 0), 0, BAR_SIZE);
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		vf->counter_offset[i] = 1000 + i;
	for (offset = 0; offset < BAR_SIZE; offset += 4) {
		if (c < ARRAY_SIZE(counters) && offset == counters[c])
			KUNIT_EXPECT_EQ(test, 1000 + c++, guest_reads(vf, offset));
		else
			KUNIT_EXPECT_EQ_MSG(test, 0, guest_reads(vf, offset), "%#x", offset);
	}
	KUNIT_EXPECT_EQ(test, c, ARRAY_SIZE(counters));
}

/* Only what has something to tell, or may have been lost, interrupts after a move */
static void vectors(struct kunit *test)
{
	static const struct {
		u32 mask, pending, clears, ivar, ivar_misc, v2p, here, there, raised;
	} rows[] = {
		/* Receive, transmit, and mailbox have one each */
		{ 7, 0, 7, 0x8180, 0x82, 0, LU, LU, 3 },
		{ 7, 0, 7, 0x8180, 0x82, 0, LU, 0, 7 },
		{ 3, 0, 7, 0x8180, 0x82, 0, LU, 0, 3 },
		{ 4, 0, 7, 0x8180, 0x82, 0, LU, LU, 0 },
		/* The link was down where the guest comes from */
		{ 7, 0, 7, 0x8180, 0x82, 0, 0, LU, 7 },
		{ 7, 4, 7, 0x8180, 0x82, 0, 0, LU, 7 },
		{ 3, 0, 7, 0x8180, 0x82, 0, 0, LU, 3 },
		/* Pending: masked, or of those that the guest clears, or with news */
		{ 3, 4, 7, 0x8180, 0x82, 0, LU, LU, 7 },
		{ 7, 4, 3, 0x8180, 0x82, 0, LU, LU, 7 },
		{ 7, 4, 7, 0x8180, 0x82, 0, LU, LU, 3 },
		{ 4, 3, 7, 0x8180, 0x82, 0, LU, LU, 3 },
		{ 4, 4, 7, 0x8180, 0x82, BIT(4), LU, LU, 4 },
		/* PFSTS, PFACK, RSTD: what the guest has not seen */
		{ 7, 0, 7, 0x8180, 0x82, BIT(4), LU, LU, 7 },
		{ 7, 0, 7, 0x8180, 0x82, BIT(5), LU, LU, 7 },
		{ 7, 0, 7, 0x8180, 0x82, BIT(7), LU, LU, 7 },
		/* VFU is the guest's own doing */
		{ 7, 0, 7, 0x8180, 0x82, BIT(2), LU, LU, 3 },
		/* The mailbox's is a queue's as well, or not in use */
		{ 7, 0, 7, 0x8180, 0x81, 0, LU, LU, 7 },
		{ 7, 0, 7, 0x80000000, 0x80, 0, LU, LU, 7 },
		{ 7, 0, 7, 0x8180, 0x02, 0, LU, LU, 7 },
		{ 7, 0, 7, 0x0100, 0x80, 0, LU, LU, 6 },
		/* Beside its eight bits the register has none */
		{ 7, 0, 7, 0x8180, 0x8082, 0, LU, LU, 3 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct igb_vf *from = new_vf(test), *to = new_vf(test);

		set(from, VTEIMS, rows[i].mask);
		set(from, VTEICR, rows[i].pending);
		set(from, VTEIAC, rows[i].clears);
		set(from, VTSTATUS, rows[i].here);
		set(from, VTIVAR, rows[i].ivar);
		set(from, VTIVAR_MISC, rows[i].ivar_misc);
		set(from, V2P, rows[i].v2p);
		set(to, VTSTATUS, rows[i].there);
		set(to, VTEICS, 0);
		move(test, from, to);
		KUNIT_EXPECT_EQ_MSG(test, rows[i].raised, get(to, VTEICS), "row %u", i);
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(registers),
	KUNIT_CASE(counters_go_on),
	KUNIT_CASE(not_counters),
	KUNIT_CASE(vectors),
	{}
};

static struct kunit_suite suite = {
	.name = "igb",
	.test_cases = cases,
};

kunit_test_suite(suite);
