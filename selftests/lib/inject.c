// SPDX-License-Identifier: GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject.h"
#include "sysfs.h"

#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define DEBUGFS		"/sys/kernel/debug/"
#define SLABS		"/sys/kernel/slab"

/*
 * What may fail at all. Without it only atomic allocations do, and of pages only
 * several at once. Failures are not announced, as each would look like an oops.
 */
static struct {
	const char *path;
	const char *value;
	char old[16];
} settings[] = {
	{ DEBUGFS "failslab/cache-filter", "Y", "" },
	{ DEBUGFS "failslab/ignore-gfp-wait", "N", "" },
	{ DEBUGFS "failslab/verbose", "0", "" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N", "" },
	{ DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N", "" },
	{ DEBUGFS "fail_page_alloc/min-order", "0", "" },
	{ DEBUGFS "fail_page_alloc/verbose", "0", "" },
	{ DEBUGFS "fail_usercopy/verbose", "0", "" },
};

#define NR_SETTINGS	(sizeof(settings) / sizeof(*settings))

/*
 * What never fails. The detectors get along without memory, but no longer detect
 * everything. An interrupt whose entry in /proc cannot be made is set up without
 * it, and Linux warns when it comes to remove the entry.
 */
static const char * const spared[] = {
	"debug_objects_cache", "kmemleak_object", "kmemleak_scan_area",
	"proc_dir_entry",
};

#define NR_SPARED	(sizeof(spared) / sizeof(*spared))

static bool is_spared(const char *cache)
{
	unsigned int i;

	for (i = 0; i < NR_SPARED; i++)
		if (!strcmp(cache, spared[i]))
			return true;
	return false;
}

/* Caches that are the same under several names refuse it */
static int set_caches(const char *value)
{
	DIR *dir = opendir(SLABS);
	char path[PATH_MAX];
	struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || is_spared(entry->d_name))
			continue;
		snprintf(path, sizeof(path), SLABS "/%s/failslab", entry->d_name);
		sysfs_put(path, value);
	}
	closedir(dir);
	return 0;
}

bool inject_available(void)
{
	unsigned int i;

	for (i = 0; i < NR_SETTINGS; i++)
		if (access(settings[i].path, R_OK | W_OK))
			return false;
	return !access(FAIL_NTH, R_OK | W_OK) && !access(SLABS, R_OK);
}

static void restore(void)
{
	unsigned int i;

	set_caches("0");

	for (i = 0; i < NR_SETTINGS; i++)
		if (settings[i].old[0])
			sysfs_put(settings[i].path, settings[i].old);
}

/* run_tests.sh sends SIGTERM when the time is up; mostly the process only waits */
static void restore_and_die(int sig)
{
	restore();
	_exit(128 + sig);
}

static int take_over(unsigned int i)
{
	ssize_t len;
	int fd;

	fd = open(settings[i].path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read(fd, settings[i].old, sizeof(settings[i].old) - 1);
	close(fd);
	if (len <= 0)
		return -EIO;
	settings[i].old[len] = '\0';
	return sysfs_put(settings[i].path, settings[i].value);
}

int inject_setup(void)
{
	unsigned int i;
	int ret = 0;

	if (atexit(restore))
		return -ENOMEM;
	signal(SIGTERM, restore_and_die);
	signal(SIGINT, restore_and_die);
	ret = set_caches("1");
	for (i = 0; !ret && i < NR_SETTINGS; i++)
		ret = take_over(i);
	return ret;
}

int inject_open(void)
{
	int file = open(FAIL_NTH, O_RDWR | O_CLOEXEC);

	return file < 0 ? -errno : file;
}

int inject_arm(int file, unsigned int nth)
{
	char what[16];
	int len = snprintf(what, sizeof(what), "%u", nth);

	return pwrite(file, what, len, 0) == len ? 0 : -errno;
}

/*
 * Reading and writing the file copies from and to the user, which counts as
 * well: the failure may befall either, and then it did not come before.
 */
int inject_disarm(int file)
{
	char left[16] = "";

	if (pread(file, left, sizeof(left) - 1, 0) < 0)
		return errno == EFAULT ? 0 : -errno;
	if (!strcmp(left, "0\n"))
		return 1;
	if (pwrite(file, "0", 1, 0) < 0 && errno != EFAULT)
		return -errno;
	return 0;
}
