/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The books of a test of many threads and processes, in memory that they share:
 * what was done how often, with which result, and which of them hangs.
 */
#ifndef SELFTESTS_LIB_BOOKS_H
#define SELFTESTS_LIB_BOOKS_H

#include <kselftest.h>
#include <stdbool.h>
#include <sys/types.h>

#define BOOKS_ACTIONS	64	/* at most */
#define BOOKS_TASKS	32
#define BOOKS_ERRNOS	640	/* the kernel's own, which nobody may see, among them */

/* What a thread is at, for whoever looks for one that hangs */
struct books_task {
	pid_t tid;
	bool busy;
	unsigned int action;
	long long since;
};

struct books {
	unsigned int nr_actions;
	const char *(*name)(unsigned int action);
	bool stop;			/* time is up, or something is bad */
	bool bad;
	char what[256];
	unsigned long count[BOOKS_ACTIONS][BOOKS_ERRNOS];
	struct books_task task[BOOKS_TASKS];
};

void books_enter(struct books *books, unsigned int task);
void books_begin(unsigned int action);
void books_end(void);
void books_count(struct books *books, unsigned int action, int ret);
bool books_stopped(struct books *books);
__printf(2, 3) void books_bad(struct books *books, const char *fmt, ...);
void books_print(struct books *books);
bool books_find_hung(struct books *books);

#endif
