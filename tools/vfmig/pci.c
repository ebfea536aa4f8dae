// SPDX-License-Identifier: GPL-2.0-only
/* What sysfs says of a PCI device */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sysfs.h"
#include "vfmig.h"

#define DEVICES	"/sys/bus/pci/devices"

static bool exists(const char *bdf, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DEVICES "/%s/%s", bdf, name);
	return !access(path, F_OK);
}

static int parse(const char *name, char *bdf)
{
	unsigned int domain = 0, bus, slot, function;
	int end = 0;

	if (sscanf(name, "%8x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function,
		   &end) != 4 || name[end]) {
		domain = 0;
		end = 0;
		if (sscanf(name, "%2x:%2x.%1x%n", &bus, &slot, &function,
			   &end) != 3 || name[end])
			return -EINVAL;
	}
	snprintf(bdf, BDF_LEN, "%04x:%02x:%02x.%x", domain, bus & 0xff, slot & 0xff,
		 function & 0xf);
	return 0;
}

/* The full address of a device that is there. Else complains; an exit status. */
int pci_find(const char *name, char *bdf)
{
	if (parse(name, bdf)) {
		vfmig_err("\"%s\" is no PCI address: it looks like 0000:01:10.0, or 01:10.0",
			  name);
		return USAGE;
	}
	if (exists(bdf, ""))
		return DONE;
	vfmig_err("there is no PCI device %s: \"vfmig list\" shows what there is; VFs are made by writing their number to sriov_numvfs of the PF",
		  bdf);
	return UNSUITABLE;
}

bool pci_is_vf(const char *bdf)
{
	return exists(bdf, "physfn");
}

int pci_pf(const char *bdf, char *pf)
{
	return sysfs_pci_link(bdf, "physfn", pf, BDF_LEN);
}

/* Whether its driver has registered it with VFIO */
bool pci_is_vfio(const char *bdf)
{
	return exists(bdf, "vfio-dev");
}

/* An empty name where it has none */
int pci_driver(const char *bdf, char *driver, size_t size)
{
	int ret = sysfs_pci_link(bdf, "driver", driver, size);

	if (ret)
		*driver = '\0';
	return ret;
}

/* The number of its IOMMU group, or -1 */
int pci_group(const char *bdf)
{
	char name[16];

	if (sysfs_pci_link(bdf, "iommu_group", name, sizeof(name)))
		return -1;
	return atoi(name);
}

/* The first line of an attribute, without its end */
int pci_attribute(const char *bdf, const char *name, char *value, size_t size)
{
	char path[PATH_MAX];
	int ret = 0;
	FILE *file;

	*value = '\0';
	snprintf(path, sizeof(path), DEVICES "/%s/%s", bdf, name);
	file = fopen(path, "r");
	if (!file)
		return -errno;
	if (!fgets(value, size, file))
		ret = -EIO;
	value[strcspn(value, "\n")] = '\0';
	fclose(file);
	return ret;
}

/* The first entry of a directory that @wanted is content with */
static bool first_entry(const char *path, bool (*wanted)(const char *entry, const void *arg),
			const void *arg, char *name, size_t size)
{
	struct dirent *entry;
	DIR *dir = opendir(path);

	if (!dir)
		return false;
	do {
		entry = readdir(dir);
	} while (entry && (entry->d_name[0] == '.' || !wanted(entry->d_name, arg)));
	if (entry)
		snprintf(name, size, "%.*s", (int)size - 1, entry->d_name);
	closedir(dir);
	return entry;
}

static bool any(const char *entry, const void *arg)
{
	(void)entry;
	(void)arg;
	return true;
}

bool pci_netdev(const char *bdf, char *name, size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DEVICES "/%s/net", bdf);
	return first_entry(path, any, NULL, name, size);
}

/* Bridges may be in a group, and devices that nobody drives */
static bool is_stranger(const char *entry, const void *arg)
{
	char driver[64];

	(void)arg;
	return !pci_driver(entry, driver, sizeof(driver)) &&
	       strcmp(driver, "pcieport") && !pci_is_vfio(entry);
}

/* A device that keeps its group from being used, and so @bdf; or NULL */
const char *pci_group_stranger(const char *bdf, char *stranger)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DEVICES "/%s/iommu_group/devices", bdf);
	return first_entry(path, is_stranger, NULL, stranger, BDF_LEN) ? stranger : NULL;
}
