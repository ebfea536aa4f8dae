// SPDX-License-Identifier: GPL-2.0-only
/* Regions read and written */
#include <errno.h>
#include <linux/vfio_pci_mig.h>
#include <stddef.h>

#include "fail.h"

#define EXT_REGION	VFIO_PCI_NUM_REGIONS

static int go_config_read(struct fail *fail)
{
	__u8 config[PCI_CFG_SPACE_SIZE] = {};
	int ret = vfio_region_read(fail->dev, VFIO_PCI_CONFIG_REGION_INDEX, 0,
				   config, sizeof(config));

	if (!ret)
		show(fail, config, sizeof(config));
	return ret;
}

static int write_line(struct fail *fail, __u8 line)
{
	return vfio_region_write(fail->dev, VFIO_PCI_CONFIG_REGION_INDEX,
				 PCI_INTERRUPT_LINE, &line, sizeof(line));
}

static int begin_config_write(struct fail *fail)
{
	int ret = begin_running(fail);

	return ret ? ret : write_line(fail, 1);
}

static int go_config_write(struct fail *fail)
{
	return write_line(fail, 2);
}

static int look_at_line(struct fail *fail)
{
	__u8 line;
	int ret = vfio_region_read(fail->dev, VFIO_PCI_CONFIG_REGION_INDEX,
				   PCI_INTERRUPT_LINE, &line, sizeof(line));

	if (!ret)
		show(fail, &line, sizeof(line));
	return ret ? ret : line == 2 ? 0 : -ENOENT;
}

static bool line_is_old(struct fail *fail)
{
	return look_at_line(fail) == -ENOENT;
}

static int go_ext_read(struct fail *fail)
{
	struct vfio_mig_ext ext = {};
	int ret = vfio_region_read(fail->dev, EXT_REGION, 0, &ext, sizeof(ext));

	if (!ret)
		show(fail, &ext, sizeof(ext));
	return ret;
}

/* Trapped ones */
static int go_regs_read(struct fail *fail)
{
	__u32 mem[4] = {};
	int ret = vfio_region_read(fail->dev, VFIO_PCI_BAR0_REGION_INDEX,
				   VMBMEM(0), mem, sizeof(mem));

	if (!ret)
		show(fail, mem, sizeof(mem));
	/* Some of them were read */
	return ret == -EIO ? -EFAULT : ret;
}

static int begin_reg_write(struct fail *fail)
{
	int ret = begin_running(fail);

	return ret ? ret : reg_write(fail, VMBMEM(15), BEFORE);
}

static int go_reg_write(struct fail *fail)
{
	return reg_write(fail, VMBMEM(15), INSIDE);
}

static int look_at_reg(struct fail *fail)
{
	__u32 val;
	int ret = reg_read(fail, VMBMEM(15), &val);

	if (!ret)
		show(fail, &val, sizeof(val));
	return ret ? ret : val == INSIDE ? 0 : -ENOENT;
}

static bool reg_is_old(struct fail *fail)
{
	return look_at_reg(fail) == -ENOENT;
}

/* BAR3, which nobody has looked at since the device was opened */
static int go_msix_table(struct fail *fail)
{
	__u32 entry[4] = {};
	int ret = vfio_region_read(fail->dev, VFIO_PCI_BAR3_REGION_INDEX, 0,
				   entry, sizeof(entry));

	if (!ret)
		show(fail, entry, sizeof(entry));
	return ret;
}

const struct path region_paths[] = {
	{ .name = "read of config space", .begin = begin_running,
	  .go = go_config_read, .least = 10 },
	{ .name = "write to config space", .begin = begin_config_write,
	  .go = go_config_write, .look = look_at_line,
	  .unharmed = line_is_old, .least = 1 },
	{ .name = "read of the extension region", .begin = begin_running,
	  .go = go_ext_read, .least = 1 },
	{ .name = "read of registers", .begin = begin_running,
	  .go = go_regs_read, .least = 4 },
	{ .name = "write of a register", .begin = begin_reg_write,
	  .go = go_reg_write, .look = look_at_reg, .unharmed = reg_is_old,
	  .least = 1 },
	{}
};

const struct path first_region_paths[] = {
	{ .name = "first read of BAR3", .begin = begin_open,
	  .go = go_msix_table, .also = -EBUSY, .least = 2 },
	{}
};
