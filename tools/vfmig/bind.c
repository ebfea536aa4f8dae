// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfmig bind and unbind
 *
 * driver_override is set before the old driver lets go, so that no other driver can
 * get hold of the device in between. What fails is undone. unbind clears the override
 * and has the kernel choose a driver, as it does for a device that is new: so nothing
 * has to be remembered, and nothing remembered can be out of date.
 */
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sysfs.h"
#include "vfmig.h"

#define OUR_DRIVER	"igb_vfio_pci"
#define DRIVERS		"/sys/bus/pci/drivers"

/* What a device had before */
struct before {
	char driver[64];
	char override[64];
};

static bool driver_is_there(const char *driver)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DRIVERS "/%s", driver);
	return !access(path, F_OK);
}

/* What modprobe has to say goes to stderr. */
static void modprobe(const char *name)
{
	pid_t pid = fork();

	if (!pid) {
		execlp("modprobe", "modprobe", "-q", name, NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static int need_driver(const char *driver)
{
	if (!*driver || strlen(driver) > 63 || strchr(driver, '/') || driver[0] == '.') {
		vfmig_err("\"%s\" is no name of a driver", driver);
		return USAGE;
	}
	if (!driver_is_there(driver))
		modprobe(driver);
	if (driver_is_there(driver))
		return DONE;
	vfmig_err("the driver %s is not there, and \"modprobe %s\" does not load it: is it installed for this kernel?",
		  driver, driver);
	return FAILED;
}

static bool is_82576_vf(const char *bdf)
{
	char vendor[16], device[16];

	pci_attribute(bdf, "vendor", vendor, sizeof(vendor));
	pci_attribute(bdf, "device", device, sizeof(device));
	return !strcmp(vendor, "0x8086") && !strcmp(device, "0x10ca");
}

static int check_kind(const char *bdf, const struct options *opt)
{
	if (!pci_is_vf(bdf)) {
		vfmig_err("%s is not a VF: only VFs can be migrated", bdf);
		return UNSUITABLE;
	}
	if (opt->driver || is_82576_vf(bdf))
		return DONE;
	vfmig_err("%s is not a VF of an 82576 (8086:10ca), and %s is for no other: name another driver by --driver",
		  bdf, OUR_DRIVER);
	return UNSUITABLE;
}

/* A network interface that is up is in use by the host. */
static bool is_up(const char *bdf, char *name)
{
	struct ifreq req = {};
	bool up = false;
	int fd;

	if (!pci_netdev(bdf, name, IFNAMSIZ))
		return false;
	memcpy(req.ifr_name, name, IFNAMSIZ);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		up = !ioctl(fd, SIOCGIFFLAGS, &req) && (req.ifr_flags & IFF_UP);
		close(fd);
	}
	return up;
}

static bool complain_of_use(const char *bdf)
{
	char name[IFNAMSIZ];

	if (complain_of_holders(bdf))
		return true;
	if (!is_up(bdf, name))
		return false;
	vfmig_err("%s is in use by this host: its interface %s is up; \"ip link set dev %s down\" first",
		  bdf, name, name);
	return true;
}

static const char *explain(int err)
{
	switch (-err) {
	case EACCES:
	case EPERM:
		return "only root may do that";
	case EROFS:
		return "sysfs is mounted read-only: is this a container?";
	case ENODEV:
		return "the driver does not take the device; the kernel log says more";
	case ENOENT:
		return "the device has gone";
	default:
		return strerror(-err);
	}
}

static void note(const char *bdf, struct before *before)
{
	pci_driver(bdf, before->driver, sizeof(before->driver));
	pci_attribute(bdf, "driver_override", before->override,
		      sizeof(before->override));
	if (!strcmp(before->override, "(null)"))
		before->override[0] = '\0';
}

/* An empty one is none; only a newline says so. */
static int set_override(const char *bdf, const char *driver)
{
	return sysfs_pci_put(bdf, "driver_override", *driver ? driver : "\n");
}

static int attach(const char *bdf, const char *driver)
{
	char path[PATH_MAX], now[64];
	int ret;

	snprintf(path, sizeof(path), DRIVERS "/%s/bind", driver);
	ret = sysfs_put(path, bdf);
	if (!ret && (pci_driver(bdf, now, sizeof(now)) || strcmp(now, driver)))
		ret = -ENODEV;
	return ret;
}

static int detach(const char *bdf, const char *driver)
{
	return *driver ? sysfs_pci_put(bdf, "driver/unbind", bdf) : 0;
}

static void restore(const char *bdf, const struct before *before)
{
	char now[64];
	int ret = set_override(bdf, before->override);

	pci_driver(bdf, now, sizeof(now));
	if (!ret && *before->driver && strcmp(now, before->driver))
		ret = attach(bdf, before->driver);
	if (ret)
		vfmig_err("%s could not be given back to %s either: %s", bdf,
			  *before->driver ? before->driver : "no driver", explain(ret));
	else
		vfmig_err("%s is as it was: %s", bdf,
			  *before->driver ? before->driver : "no driver");
}

static int change(const char *bdf, const struct before *before, const char *driver)
{
	int ret = set_override(bdf, driver);

	if (ret) {
		vfmig_err("driver_override of %s cannot be set: %s", bdf, explain(ret));
		return FAILED;
	}
	ret = detach(bdf, before->driver);
	if (!ret)
		ret = attach(bdf, driver);
	if (!ret)
		return DONE;
	vfmig_err("%s cannot be bound to %s: %s", bdf, driver, explain(ret));
	restore(bdf, before);
	return FAILED;
}

static void show(struct json_object *tree)
{
	const char *was = get_text(tree, "was"), *driver = get_text(tree, "driver");

	printf("%s: %s -> %s\n", get_text(tree, "device"), was ? was : "no driver",
	       driver ? driver : "no driver");
}

static int report(const char *bdf, const struct before *before, const struct options *opt)
{
	struct json_object *tree = json_object_new_object();
	char driver[64];

	pci_driver(bdf, driver, sizeof(driver));
	put_text(tree, "device", bdf);
	put_text(tree, "was", *before->driver ? before->driver : NULL);
	put_text(tree, "driver", *driver ? driver : NULL);
	return put_result(tree, opt->json ? NULL : show);
}

int cmd_bind(const struct options *opt)
{
	const char *driver = opt->driver ? opt->driver : OUR_DRIVER;
	struct before before;
	char bdf[BDF_LEN];
	int ret;

	ret = pci_find(opt->arg[0], bdf);
	if (ret)
		return ret;
	ret = check_kind(bdf, opt);
	if (ret)
		return ret;
	note(bdf, &before);
	if (!strcmp(before.driver, driver))
		return report(bdf, &before, opt);
	if (complain_of_use(bdf))
		return IN_USE;
	ret = need_driver(driver);
	if (ret)
		return ret;
	hold_signals(true);
	ret = change(bdf, &before, driver);
	hold_signals(false);
	return ret ? ret : report(bdf, &before, opt);
}

static int give_back(const char *bdf, const struct before *before)
{
	int ret = set_override(bdf, "");

	if (ret) {
		vfmig_err("driver_override of %s cannot be cleared: %s", bdf, explain(ret));
		return FAILED;
	}
	ret = detach(bdf, before->driver);
	if (ret) {
		vfmig_err("%s cannot be taken from %s: %s", bdf, before->driver, explain(ret));
		restore(bdf, before);
		return FAILED;
	}
	/* No driver that fits, or a PF whose VFs are to have none, is no error. */
	sysfs_put("/sys/bus/pci/drivers_probe", bdf);
	return DONE;
}

static int check_bound(const char *bdf, const struct before *before)
{
	if (!*before->driver && !*before->override) {
		vfmig_err("%s has no driver, and no driver_override: there is nothing to undo",
			  bdf);
		return UNSUITABLE;
	}
	if (!*before->driver || pci_is_vfio(bdf))
		return DONE;
	vfmig_err("%s is bound to %s, which is not a VFIO driver: there is nothing to undo",
		  bdf, before->driver);
	return UNSUITABLE;
}

int cmd_unbind(const struct options *opt)
{
	struct before before;
	char bdf[BDF_LEN];
	int ret;

	ret = pci_find(opt->arg[0], bdf);
	if (ret)
		return ret;
	if (!pci_is_vf(bdf)) {
		vfmig_err("%s is not a VF: vfmig has not bound it", bdf);
		return UNSUITABLE;
	}
	note(bdf, &before);
	ret = check_bound(bdf, &before);
	if (ret)
		return ret;
	if (complain_of_use(bdf))
		return IN_USE;
	hold_signals(true);
	ret = give_back(bdf, &before);
	hold_signals(false);
	return ret ? ret : report(bdf, &before, opt);
}
