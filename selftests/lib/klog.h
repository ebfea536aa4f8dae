/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel has said since somebody began to listen */
#ifndef SELFTESTS_LIB_KLOG_H
#define SELFTESTS_LIB_KLOG_H

#include <stddef.h>

struct klog {
	int fd;			/* /dev/kmsg */
	size_t len;
	char text[65536];
};

int klog_open(struct klog *log);
void klog_close(struct klog *log);

/* How many lines have @what in them */
int klog_count(struct klog *log, const char *what);

/* Trace events, in a buffer of the test's own. @what: system/event */
int trace_open(const char *what);
int trace_count(const char *what);
void trace_close(void);

#endif
