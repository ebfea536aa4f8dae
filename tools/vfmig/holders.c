// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who uses a device: the processes that have the file of its IOMMU group open, or
 * its own. The kernel has no list of them.
 */
#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vfmig.h"

#define VFIO_DIR	"/dev/vfio/"

/* A file of VFIO that a process has open */
struct open_file {
	int pid;
	char path[64];
};

static struct open_file *files;
static size_t nr_files;

static void add_file(int pid, const char *path)
{
	struct open_file *more;

	more = realloc(files, (nr_files + 1) * sizeof(*files));
	if (!more)
		return;
	files = more;
	files[nr_files].pid = pid;
	snprintf(files[nr_files].path, sizeof(files->path), "%s", path);
	nr_files++;
}

static void scan_process(const char *pid)
{
	char path[PATH_MAX], target[64];
	struct dirent *entry;
	ssize_t len;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		if (!strncmp(target, VFIO_DIR, strlen(VFIO_DIR)))
			add_file(atoi(pid), target);
	}
	closedir(dir);
}

/* All processes are looked through once: there may be many, and many devices. */
static void scan_processes(void)
{
	static bool done;
	struct dirent *entry;
	DIR *dir;

	if (done)
		return;
	done = true;
	dir = opendir("/proc");
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (isdigit(entry->d_name[0]) && atoi(entry->d_name) != getpid())
			scan_process(entry->d_name);
	closedir(dir);
}

/* @path for the file that is named by the one entry of vfio-dev */
static void find_device_file(const char *bdf, char *path, size_t size)
{
	char dirname[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	snprintf(dirname, sizeof(dirname), "/sys/bus/pci/devices/%s/vfio-dev", bdf);
	dir = opendir(dirname);
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (!strncmp(entry->d_name, "vfio", 4))
			snprintf(path, size, VFIO_DIR "devices/%s", entry->d_name);
	closedir(dir);
}

/* A process names itself, and the name may end up on root's terminal. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if (!isascii(*text) || !isprint(*text))
			*text = '?';
}

static struct json_object *describe(int pid)
{
	struct json_object *holder = json_object_new_object();
	char path[PATH_MAX], name[64] = "?";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "r");
	if (file && fgets(name, sizeof(name), file))
		name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
	make_printable(name);
	put_number(holder, "pid", pid);
	put_text(holder, "command", name);
	return holder;
}

/* An array; this process itself is not in it. */
struct json_object *find_holders(const char *bdf)
{
	struct json_object *holders = json_object_new_array();
	char group[32], device[300] = "";
	int last = 0;
	size_t i;

	scan_processes();
	snprintf(group, sizeof(group), VFIO_DIR "%d", pci_group(bdf));
	find_device_file(bdf, device, sizeof(device));
	for (i = 0; i < nr_files; i++) {
		if (files[i].pid == last ||
		    (strcmp(files[i].path, group) && strcmp(files[i].path, device)))
			continue;
		last = files[i].pid;
		json_object_array_add(holders, describe(last));
	}
	return holders;
}

/* "qemu-system-x86 (pid 311), ..." */
void describe_holders(struct json_object *holders, char *text, size_t size)
{
	struct json_object *holder;
	size_t i, used = 0;

	*text = '\0';
	for (i = 0; i < json_object_array_length(holders) && used < size; i++) {
		holder = json_object_array_get_idx(holders, i);
		used += snprintf(text + used, size - used, "%s%s (pid %llu)",
				 i ? ", " : "", get_text(holder, "command"),
				 get_number(holder, "pid"));
	}
}

/* Whether there are any */
bool complain_of_holders(const char *bdf)
{
	struct json_object *holders = find_holders(bdf);
	bool any = json_object_array_length(holders);
	char text[256];

	describe_holders(holders, text, sizeof(text));
	if (any)
		vfmig_err("%s is in use by %s: end that first", bdf, text);
	json_object_put(holders);
	return any;
}
