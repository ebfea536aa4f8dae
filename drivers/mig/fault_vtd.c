// SPDX-License-Identifier: GPL-2.0-only
/*
 * A source of faults: VT-d, whose driver reports them to nobody.
 *
 * dmar_fault() is what a VT-d unit's fault interrupt calls. It takes the unit's fault
 * records one by one, says in the kernel log what is in some of them, and clears
 * them. A probe at its entry reads them first, as the VT-d specification lays them
 * out, and changes nothing. What comes while the kernel is at work on them it does
 * not see.
 *
 * The unit is known by its interrupt: the message that the interrupt stands for is in
 * the unit's Fault Event registers. To look at all units would tell some faults twice,
 * for each has an interrupt of its own, and two can be handled at a time.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/acpi.h>
#include <linux/bits.h>
#include <linux/io.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/irq.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/msi.h>

#include "mig.h"

/* VT-d specification, chapter 11 */
#define CAP			0x08
#define   CAP_FRO(cap)		(((cap) >> 24 & 0x3ff) * 16)
#define   CAP_NFR(cap)		(((cap) >> 40 & 0xff) + 1)
#define FSTS			0x34
#define   FSTS_PFO		BIT(0)
#define   FSTS_PPF		BIT(1)
#define   FSTS_FRI(fsts)	((fsts) >> 8 & 0xff)
#define FEDATA			0x3c
#define FEADDR			0x40
#define FEUADDR			0x44
#define FRCD_SIZE		16
/* A fault record, bits 63:0 */
#define FRCD_FI			GENMASK_ULL(63, 12)
/* Bits 95:64 */
#define FRCD_SID		GENMASK(15, 0)
#define FRCD_T2			BIT(28)
#define FRCD_PP			BIT(31)
/* Bits 127:96 */
#define FRCD_FR			GENMASK(7, 0)
#define FRCD_PV(hi)		((hi) >> 8 & GENMASK(19, 0))
#define FRCD_T1			BIT(30)
#define FRCD_F			BIT(31)

/* Fault Reasons of interrupts, whose fault information is no address */
#define FR_INTERRUPT_FIRST	0x20
#define FR_INTERRUPT_LAST	0x2f

/**
 * struct unit - a remapping unit
 * @reg: its registers, up to the end of the records
 * @records: offset of the fault records
 * @nr: how many there are
 * @segment: PCI segment of the devices below it
 * @irq: its interrupt, once that is known
 */
struct unit {
	void __iomem *reg;
	unsigned int records;
	unsigned int nr;
	u16 segment;
	unsigned int irq;
};

static struct unit *units;
static unsigned int nr_units;

static bool enabled = true;
module_param_named(fault_vtd, enabled, bool, 0444);
MODULE_PARM_DESC(fault_vtd, "Tell users of the DMA faults that VT-d records, by a probe in the kernel's handler");

static bool sends(struct unit *unit, const struct msi_msg *msg)
{
	return readl(unit->reg + FEDATA) == msg->data &&
	       readl(unit->reg + FEADDR) == msg->address_lo &&
	       readl(unit->reg + FEUADDR) == msg->address_hi;
}

static struct unit *find_sender(unsigned int irq)
{
	struct irq_data *data = irq_get_irq_data(irq);
	struct msi_msg msg = {};
	struct unit *unit;

	if (!data || !data->chip || !data->chip->irq_compose_msi_msg)
		return NULL;
	data->chip->irq_compose_msi_msg(data, &msg);
	for (unit = units; unit < units + nr_units; unit++)
		if (sends(unit, &msg))
			return unit;
	return NULL;
}

/* None is found just while its interrupt goes over to another processor. */
static struct unit *unit_of(unsigned int irq)
{
	struct unit *unit;

	for (unit = units; unit < units + nr_units; unit++)
		if (READ_ONCE(unit->irq) == irq)
			return unit;
	unit = find_sender(irq);
	if (unit)
		WRITE_ONCE(unit->irq, irq);
	return unit;
}

static u32 access_flags(u32 mid, u32 hi)
{
	switch ((hi & FRCD_T1 ? 2 : 0) | (mid & FRCD_T2 ? 1 : 0)) {
	case 0:
		return VFIO_MIG_FAULT_WRITE;
	case 2:
		return VFIO_MIG_FAULT_READ;
	case 3:
		/* An atomic operation */
		return VFIO_MIG_FAULT_READ | VFIO_MIG_FAULT_WRITE;
	default:
		/* A page request, which is for either */
		return 0;
	}
}

static void report(struct unit *unit, u64 lo, u32 mid, u32 hi, u32 flags)
{
	struct vfio_mig_fault fault = {
		.iova = lo & FRCD_FI,
		.flags = flags | access_flags(mid, hi) | VFIO_MIG_FAULT_REASON,
		.source = VFIO_MIG_FAULT_SOURCE_VTD,
		.reason = hi & FRCD_FR,
	};

	if (mid & FRCD_PP) {
		fault.flags |= VFIO_MIG_FAULT_PASID;
		fault.pasid = FRCD_PV(hi);
	}
	vfio_mig_report_fault(unit->segment, mid & FRCD_SID, &fault);
}

/* Returns false where nothing is recorded. What is recorded stays, up to the kernel. */
static bool look_at_record(struct unit *unit, unsigned int nth, u32 flags)
{
	void __iomem *record = unit->reg + unit->records + nth * FRCD_SIZE;
	u32 hi = readl(record + 12);
	u32 reason = hi & FRCD_FR;

	if (!(hi & FRCD_F))
		return false;
	if (reason < FR_INTERRUPT_FIRST || reason > FR_INTERRUPT_LAST)
		report(unit, lo_hi_readq(record), readl(record + 8), hi, flags);
	return true;
}

static void look_at_unit(struct unit *unit)
{
	u32 fsts = readl(unit->reg + FSTS);
	unsigned int nth = FSTS_FRI(fsts);
	u32 flags = fsts & FSTS_PFO ? VFIO_MIG_FAULT_OVERFLOW : 0;
	unsigned int i;

	/* All ones: there is no unit any more. */
	if (fsts == U32_MAX || !(fsts & FSTS_PPF))
		return;
	for (i = 0; i < unit->nr; i++)
		if (!look_at_record(unit, (nth + i) % unit->nr, flags))
			break;
}

static int enter_dmar_fault(struct kprobe *probe, struct pt_regs *regs)
{
	struct unit *unit = unit_of(regs_get_kernel_argument(regs, 0));

	if (unit)
		look_at_unit(unit);
	return 0;
}

NOKPROBE_SYMBOL(enter_dmar_fault);

static struct kprobe probe = {
	.symbol_name = "dmar_fault",
	.pre_handler = enter_dmar_fault,
};

static int __init map_unit(struct unit *unit, u64 base)
{
	u64 cap;

	unit->reg = ioremap(base, SZ_4K);
	if (!unit->reg)
		return -ENOMEM;
	cap = lo_hi_readq(unit->reg + CAP);
	iounmap(unit->reg);
	if (cap == U64_MAX)
		return -ENODEV;
	unit->records = CAP_FRO(cap);
	unit->nr = CAP_NFR(cap);
	unit->reg = ioremap(base, max_t(size_t, SZ_4K,
					unit->records + unit->nr * FRCD_SIZE));
	return unit->reg ? 0 : -ENOMEM;
}

static void __init add_unit(const struct acpi_dmar_hardware_unit *drhd)
{
	struct unit *unit = &units[nr_units];
	int ret = -ENXIO;

	unit->segment = drhd->segment;
	/* The kernel has no use for such a one either. */
	if (drhd->address)
		ret = map_unit(unit, drhd->address);
	if (ret)
		pr_warn("the registers of the VT-d unit at %#llx cannot be read (%pe)\n",
			drhd->address, ERR_PTR(ret));
	else
		nr_units++;
}

static void __init add_units(const struct acpi_table_header *table)
{
	const void *at = (const void *)table + sizeof(struct acpi_table_dmar);
	const void *end = (const void *)table + table->length;
	const struct acpi_dmar_header *header;

	for (; at + sizeof(*header) <= end; at += header->length) {
		header = at;
		if (header->length < sizeof(*header) || header->length > end - at)
			break;
		if (header->type == ACPI_DMAR_TYPE_HARDWARE_UNIT &&
		    header->length >= sizeof(struct acpi_dmar_hardware_unit))
			add_unit(at);
	}
}

static void free_units(void)
{
	while (nr_units)
		iounmap(units[--nr_units].reg);
	kfree(units);
	units = NULL;
}

static int __init find_units(void)
{
	struct acpi_table_header *table;

	if (ACPI_FAILURE(acpi_get_table(ACPI_SIG_DMAR, 0, &table)))
		return -ENODEV;
	units = kcalloc(table->length / sizeof(struct acpi_dmar_hardware_unit),
			sizeof(*units), GFP_KERNEL);
	if (units)
		add_units(table);
	acpi_put_table(table);
	if (nr_units)
		return 0;
	free_units();
	return -ENODEV;
}

/**
 * vfio_mig_fault_vtd_start() - listen, unless the administrator has said no
 *
 * Context: may sleep.
 * Return: false where there is no VT-d, or a kernel that cannot be listened to; of
 * the latter the log has a line.
 */
bool __init vfio_mig_fault_vtd_start(void)
{
	int ret;

	if (!enabled || find_units())
		return false;
	ret = register_kprobe(&probe);
	if (!ret)
		return true;
	pr_warn("users are not told of DMA faults that VT-d records: %s cannot be probed (%pe)\n",
		probe.symbol_name, ERR_PTR(ret));
	free_units();
	return false;
}

/**
 * vfio_mig_fault_vtd_stop() - do not listen any more
 *
 * Context: may sleep.
 */
void __exit vfio_mig_fault_vtd_stop(void)
{
	unregister_kprobe(&probe);
	free_units();
}
