// SPDX-License-Identifier: GPL-2.0-only
/* The driver gets the device, and loses it */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fail.h"
#include "lib/klog.h"
#include "sysfs.h"

#define DRIVER	"/sys/bus/pci/drivers/igb_vfio_pci/"

static bool is_bound(struct fail *fail)
{
	char name[32];

	return !sysfs_pci_link(fail->file, "driver", name, sizeof(name));
}

static int begin_unbound(struct fail *fail)
{
	lab_close(&fail->lab);
	return is_bound(fail) ? sysfs_put(DRIVER "unbind", fail->file) : 0;
}

int bind_driver(struct fail *fail)
{
	return is_bound(fail) ? 0 : sysfs_put(DRIVER "bind", fail->file);
}

static int begin_bind(struct fail *fail)
{
	int ret = begin_unbound(fail);

	return ret ? ret : trace_open("selftest/registers");
}

/*
 * If Linux then cannot make the VFIO group, it warns of its own doing. How many
 * allocations lead there is not the same each time, so this stays well before.
 */
static bool has_come_to_register(struct fail *fail)
{
	(void)fail;
	return trace_count("registers: ") > 0;
}

static int put_name(struct fail *fail, const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, fail->file, strlen(fail->file)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

static int go_bind_driver(struct fail *fail)
{
	return put_name(fail, DRIVER "bind");
}

static int go_unbind_driver(struct fail *fail)
{
	return put_name(fail, DRIVER "unbind");
}

static int look_bound(struct fail *fail)
{
	int ret = lab_open(&fail->lab, 1);

	return ret ? ret : look_at_device(fail);
}

static int look_unbound(struct fail *fail)
{
	return is_bound(fail) ? -EBUSY : 0;
}

static bool is_unbound(struct fail *fail)
{
	return !is_bound(fail);
}

const struct path bind_paths[] = {
	{ .name = "bind", .begin = begin_bind, .go = go_bind_driver,
	  .look = look_bound, .unharmed = is_unbound,
	  .enough = has_come_to_register, .also = -EBUSY, .least = 4,
	  .slow = true },
	{}
};

const struct path unbind_paths[] = {
	{ .name = "unbind", .begin = bind_driver, .go = go_unbind_driver,
	  .look = look_unbound, .unharmed = is_bound, .least = 2 },
	{}
};
