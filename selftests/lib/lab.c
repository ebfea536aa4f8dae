// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lab.h"
#include "sysfs.h"

#define CARRIER_MS	10000
#define MAX_CPUS	8
#define PREEMPT		"/sys/kernel/debug/sched/preempt"

/* The name of the nth VF of VFMIG_VFS */
bool lab_vf_name(unsigned int nth, char *bdf, size_t size)
{
	const char *names = getenv("VFMIG_VFS");
	size_t len;

	while (names && *names) {
		names += strspn(names, " ,");
		len = strcspn(names, " ,");
		if (!len)
			return false;
		if (!nth--) {
			snprintf(bdf, size, "%.*s", (int)len, names);
			return true;
		}
		names += len;
	}
	return false;
}

unsigned int lab_vf_count(void)
{
	unsigned int nr = 0;
	char bdf[16];

	while (lab_vf_name(nr, bdf, sizeof(bdf)))
		nr++;
	return nr;
}

const char *lab_netdev(void)
{
	return getenv("VFMIG_PF_NETDEV");
}

/* What the environment says of how, or how often, something is to be tried */
unsigned long lab_setting(const char *name, unsigned long otherwise)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 0) : otherwise;
}

int lab_open(struct lab *lab, unsigned int nr)
{
	char bdf[16];
	int ret;

	lab->nr = 0;
	if (nr > LAB_MAX_VFS)
		return -E2BIG;
	ret = vfio_iommu_open_as(&lab->iommu, lab->cdev);
	if (ret)
		return ret;

	while (lab->nr < nr) {
		ret = -ENODEV;
		if (lab_vf_name(lab->nr, bdf, sizeof(bdf)))
			ret = vfio_open(&lab->vf[lab->nr], &lab->iommu, bdf);
		if (ret) {
			lab_close(lab);
			return ret;
		}
		lab->nr++;
	}
	return 0;
}

void lab_close(struct lab *lab)
{
	while (lab->nr)
		vfio_close(&lab->vf[--lab->nr]);
	vfio_iommu_close(&lab->iommu);
}

bool lab_plain_driver(struct lab *lab)
{
	char driver[32];

	return !sysfs_pci_link(lab->vf[0].bdf, "driver", driver, sizeof(driver)) &&
	       !strcmp(driver, "vfio-pci");
}

/* Takes a device that nobody has open away from its driver, and gives it back */
int lab_rebind(const char *bdf)
{
	int ret = sysfs_pci_put(bdf, "driver/unbind", bdf);

	return ret ? ret : sysfs_put("/sys/bus/pci/drivers_probe", bdf);
}

/* What an administrator does */
int lab_reset_by_sysfs(const char *bdf)
{
	return sysfs_pci_put(bdf, "reset", "1");
}

static char preemption[64];

/* As in "none (voluntary) full" */
static void note_preemption(void)
{
	FILE *file = fopen(PREEMPT, "r");
	char line[sizeof(preemption)] = "";
	char *word;

	if (!file)
		return;
	if (!fgets(line, sizeof(line), file))
		line[0] = '\0';
	fclose(file);
	word = strchr(line, '(');
	if (word)
		snprintf(preemption, sizeof(preemption), "%s",
			 strtok(word, "()"));
}

static void set_processors(const char *online, const char *preempt)
{
	char path[64];
	int i;

	for (i = 1; i < MAX_CPUS; i++) {
		snprintf(path, sizeof(path),
			 "/sys/devices/system/cpu/cpu%d/online", i);
		sysfs_put(path, online);
	}
	sysfs_put(PREEMPT, preempt);
}

static void restore_processors(void)
{
	set_processors("1", preemption);
}

/*
 * Until the program ends the machine has one processor, and a kernel that switches
 * between threads wherever it can, if it has the choice. What QEMU's TCG gets wrong
 * with two is in Documentation/lab.rst.
 */
void lab_one_processor(void)
{
	note_preemption();
	set_processors("0", "full");
	atexit(restore_processors);
}

/* Gives a VF to another driver, which need not be loaded */
int lab_bind(unsigned int nth, const char *driver)
{
	char cmd[64], name[32], bdf[16];
	int ret;

	if (!lab_vf_name(nth, bdf, sizeof(bdf)))
		return -ENODEV;
	snprintf(cmd, sizeof(cmd), "modprobe -q %s", driver);
	if (system(cmd) < 0)
		return -errno;
	ret = sysfs_pci_put(bdf, "driver_override", driver);
	if (!ret)
		ret = lab_rebind(bdf);
	if (!ret)
		ret = sysfs_pci_link(bdf, "driver", name, sizeof(name));
	return ret ? ret : strcmp(name, driver) ? -ENODEV : 0;
}

/* Where the build leaves modules: next to the programs, which may be in directories of their own */
static int in_modules(const char *command)
{
	char cmd[PATH_MAX + 256], path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (len < 0)
		return -errno;
	path[len] = '\0';
	snprintf(cmd, sizeof(cmd),
		 "cd %s && { cd ../modules || cd ../../modules; } 2>/dev/null && { %s; } 2>/dev/null",
		 dirname(path), command);
	return system(cmd) ? -ENOENT : 0;
}

/* A module that the selftests bring along. @name is what lsmod would say. */
int lab_load(const char *name)
{
	char what[64];

	snprintf(what, sizeof(what), "/sys/module/%s", name);
	if (!access(what, F_OK))
		return 0;
	snprintf(what, sizeof(what), "insmod ./%s.ko", name);
	return in_modules(what);
}

/* The modules under test go, while nobody has a device of theirs open */
int lab_unload(void)
{
	return system("rmmod pretend_half 2>/dev/null; rmmod igb_vfio_pci vfio_pci_mig") ?
		-EBUSY : 0;
}

/* They come back, the first one with a parameter; no VF is bound to them */
int lab_reload(const char *parameter)
{
	char what[128];

	snprintf(what, sizeof(what),
		 "insmod ./vfio_pci_mig.ko %s && insmod ./igb_vfio_pci.ko", parameter);
	return in_modules(what);
}

/* What a reset means to the driver, at once; the device is not reset */
int lab_pretend_reset(const struct vfio_dev *dev)
{
	return sysfs_put("/sys/module/pretend_reset/parameters/device", dev->bdf);
}

/* One of a driver's error handlers is called; the device is left alone */
int lab_pretend_error(const char *bdf, const char *handler)
{
	char what[64];

	snprintf(what, sizeof(what), "%s %s", bdf, handler);
	return sysfs_put("/sys/module/pretend_error/parameters/call", what);
}

int lab_vf_number(const struct vfio_dev *dev)
{
	const char *pf = getenv("VFMIG_PF");
	char name[32], what[32];
	int i;

	for (i = 0; pf && i < 8; i++) {
		snprintf(what, sizeof(what), "virtfn%d", i);
		if (!sysfs_pci_link(pf, what, name, sizeof(name)) &&
		    !strcmp(name, dev->bdf))
			return i;
	}
	return -ENODEV;
}

/* "ip link set" on the PF's interface */
static int ip_link_set(const char *what)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "ip link set dev %s %s", lab_netdev(),
		 what);
	return system(cmd) ? -EIO : 0;
}

/* The address that the PF's driver holds for a VF, whoever set it */
int lab_vf_mac(const struct vfio_dev *dev, __u8 *mac)
{
	int number = lab_vf_number(dev), found;
	char cmd[128], line[256];
	int ret = -ENOENT;
	FILE *ip;

	snprintf(cmd, sizeof(cmd), "ip -color=never link show dev %s",
		 lab_netdev());
	ip = popen(cmd, "r");
	if (!ip)
		return -errno;

	while (fgets(line, sizeof(line), ip)) {
		if (sscanf(line, " vf %d link/ether %hhx:%hhx:%hhx:%hhx:%hhx:%hhx",
			   &found, &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
			   &mac[5]) == 7 && found == number)
			ret = 0;
		if (!ret)
			break;
	}
	pclose(ip);
	return ret;
}

/* What an administrator does; all zeros takes the address back */
int lab_set_vf_mac(const struct vfio_dev *dev, const __u8 *mac)
{
	char what[64];

	snprintf(what, sizeof(what), "vf %d mac %02x:%02x:%02x:%02x:%02x:%02x",
		 lab_vf_number(dev), mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	return ip_link_set(what);
}

static bool has_carrier(void)
{
	char path[128];
	FILE *file;
	int on = 0;

	snprintf(path, sizeof(path), "/sys/class/net/%s/carrier",
		 lab_netdev());
	file = fopen(path, "r");
	if (!file)
		return false;
	if (fscanf(file, "%d", &on) != 1)
		on = 0;
	fclose(file);
	return on;
}

int lab_pf_up(void)
{
	int ms, ret;

	if (has_carrier())
		return 0;
	ret = ip_link_set("up");
	if (ret)
		return ret;
	for (ms = 0; ms < CARRIER_MS; ms += 10) {
		if (has_carrier())
			return 0;
		usleep(10000);
	}
	return -ETIMEDOUT;
}

int lab_pf_down(void)
{
	return ip_link_set("down");
}
