// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

#define TRACING		"/sys/kernel/tracing/"
#define EVENTS		TRACING "events/igb_vfio_pci/enable"
#define ANSWER_MS	2000

static int put(const char *path, const char *text, int flags)
{
	int fd = open(path, O_WRONLY | flags);
	ssize_t ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text));
	close(fd);
	return ret < 0 ? -errno : 0;
}

int record_begin(void)
{
	int ret = put(TRACING "trace", "", O_TRUNC);

	return ret ?: put(EVENTS, "1", 0);
}

/*
 * How often the driver had to look until the PF had answered is chance. What
 * counts is that it waited: the looks in vain are left out.
 */
static void add(struct record *record, const struct access *access)
{
	struct access *last = record->nr ? &record->access[record->nr - 1] : NULL;
	bool asked = last && last->write && last->offset == V2PMAILBOX &&
		     last->value & V2PMAILBOX_REQ;

	if (asked && !access->write && access->offset == V2PMAILBOX &&
	    !(access->value & V2PMAILBOX_PFSTS))
		return;
	record->access[record->nr] = *access;
	record->access[record->nr].until_answer =
		asked && !access->write && access->offset == V2PMAILBOX;
	record->answers += record->access[record->nr].until_answer;
	record->nr++;
}

static bool parse(const char *line, struct access *access)
{
	const char *name = strstr(line, "igb_vf_mmio_");
	const char *fields = name ? strstr(name, "offset=") : NULL;

	if (!fields || sscanf(fields, "offset=%x value=%x", &access->offset,
			      &access->value) != 2)
		return false;
	access->write = !strncmp(name, "igb_vf_mmio_write", 17);
	return true;
}

int record_end(struct record *record)
{
	struct access access;
	char line[512];
	FILE *trace;
	int ret = put(EVENTS, "0", 0);

	if (ret)
		return ret;
	memset(record, 0, sizeof(*record));
	trace = fopen(TRACING "trace", "r");
	if (!trace)
		return -errno;
	while (fgets(line, sizeof(line), trace)) {
		if (!parse(line, &access))
			continue;
		if (record->nr == RECORD_MAX) {
			ret = -E2BIG;
			break;
		}
		add(record, &access);
	}
	fclose(trace);
	return ret ?: record->nr ? 0 : -ENODATA;
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int wait_answer(struct igbvf *vf)
{
	long end = now_ms() + ANSWER_MS;

	while (!(igbvf_read(vf, V2PMAILBOX) & V2PMAILBOX_PFSTS))
		if (now_ms() > end)
			return -ETIMEDOUT;
	return 0;
}

/* @vf has all of its BAR mapped: no system call, no driver, just the accesses. */
int record_play(const struct record *record, struct igbvf *vf)
{
	const struct access *a;
	int ret;

	for (a = record->access; a < record->access + record->nr; a++) {
		if (a->write) {
			igbvf_write(vf, a->offset, a->value);
		} else if (a->until_answer) {
			ret = wait_answer(vf);
			if (ret)
				return ret;
		} else {
			igbvf_read(vf, a->offset);
		}
	}
	return 0;
}
