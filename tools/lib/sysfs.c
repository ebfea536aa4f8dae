// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sysfs.h"

#define DEVICES	"/sys/bus/pci/devices/"

int sysfs_put(const char *path, const char *what)
{
	FILE *file = fopen(path, "w");
	int ret;

	if (!file)
		return -errno;
	ret = fputs(what, file) < 0 ? -EIO : 0;
	return fclose(file) ? -errno : ret;
}

int sysfs_pci_put(const char *bdf, const char *attribute, const char *what)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), DEVICES "%s/%s", bdf, attribute);
	return sysfs_put(path, what);
}

/* The last component of what a link points to */
int sysfs_pci_link(const char *bdf, const char *link, char *name, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), DEVICES "%s/%s", bdf, link);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return -errno;
	target[len] = '\0';
	snprintf(name, size, "%s", strrchr(target, '/') + 1);
	return 0;
}
