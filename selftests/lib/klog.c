// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "klog.h"
#include "sysfs.h"

#define TRACE	"/sys/kernel/tracing/instances/selftest"

int klog_open(struct klog *log)
{
	log->len = 0;
	log->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log->fd < 0)
		return -errno;
	return lseek(log->fd, 0, SEEK_END) < 0 ? -errno : 0;
}

void klog_close(struct klog *log)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
}

/* Each read gives one record, which ends in a newline */
static void take(struct klog *log)
{
	ssize_t n;

	do {
		n = read(log->fd, log->text + log->len,
			 sizeof(log->text) - 1 - log->len);
		if (n > 0)
			log->len += n;
	} while (n > 0 || (n < 0 && errno == EPIPE));
	log->text[log->len] = '\0';
}

int klog_count(struct klog *log, const char *what)
{
	const char *at = log->text;
	int nr = 0;

	take(log);
	while ((at = strstr(at, what)) && ++nr)
		at += strcspn(at, "\n");
	return nr;
}

int trace_open(const char *what)
{
	char path[256];

	if (mkdir(TRACE, 0700) && errno != EEXIST)
		return -errno;
	snprintf(path, sizeof(path), TRACE "/events/%s/enable", what);
	sysfs_put(TRACE "/trace", "");
	return sysfs_put(path, "1");
}

void trace_close(void)
{
	rmdir(TRACE);
}

int trace_count(const char *what)
{
	FILE *file = fopen(TRACE "/trace", "r");
	char line[512];
	int nr = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		nr += !!strstr(line, what);
	fclose(file);
	return nr;
}
