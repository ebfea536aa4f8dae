// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "books.h"
#include "sysfs.h"
#include "vfio.h"

/* What takes longest waits for a VF that is gone, and for the PF to come back */
#define HUNG_MS		60000

static __thread struct books_task *this_task;

/* Each thread has a place of its own, where one that hangs is looked for */
void books_enter(struct books *books, unsigned int task)
{
	this_task = &books->task[task];
	this_task->busy = false;
	this_task->tid = gettid();
}

void books_begin(unsigned int action)
{
	this_task->action = action;
	this_task->since = clock_ms();
	__atomic_store_n(&this_task->busy, true, __ATOMIC_RELEASE);
}

void books_end(void)
{
	__atomic_store_n(&this_task->busy, false, __ATOMIC_RELEASE);
}

/* @ret: a negative errno, or something else, which is success */
void books_count(struct books *books, unsigned int action, int ret)
{
	int err = ret < 0 ? -ret : 0;

	if (err >= BOOKS_ERRNOS)
		err = BOOKS_ERRNOS - 1;
	__atomic_add_fetch(&books->count[action][err], 1, __ATOMIC_RELAXED);
}

bool books_stopped(struct books *books)
{
	return __atomic_load_n(&books->stop, __ATOMIC_ACQUIRE);
}

/* The first thing that is wrong is the one that is told; all stop */
void books_bad(struct books *books, const char *fmt, ...)
{
	va_list ap;

	if (__atomic_exchange_n(&books->bad, true, __ATOMIC_SEQ_CST))
		return;
	va_start(ap, fmt);
	vsnprintf(books->what, sizeof(books->what), fmt, ap);
	va_end(ap);
	__atomic_store_n(&books->stop, true, __ATOMIC_RELEASE);
}

static unsigned long total(const struct books *books, unsigned int action)
{
	unsigned long sum = 0;
	unsigned int err;

	for (err = 0; err < BOOKS_ERRNOS; err++)
		sum += books->count[action][err];
	return sum;
}

void books_print(struct books *books)
{
	const char *name;
	unsigned int i, err;

	printf("# %-22s %9s %9s  %s\n", "action", "times", "success",
	       "errors");
	for (i = 0; i < books->nr_actions; i++) {
		printf("# %-22s %9lu %9lu ", books->name(i), total(books, i),
		       books->count[i][0]);
		for (err = 1; err < BOOKS_ERRNOS; err++) {
			if (!books->count[i][err])
				continue;
			name = strerrorname_np(err);
			printf(" %s %lu", name ?: "?", books->count[i][err]);
		}
		printf("\n");
	}
}

static void print_stack(pid_t tid)
{
	char path[64], line[256];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stack", tid);
	file = fopen(path, "r");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		printf("#   %s", line);
	fclose(file);
}

/* Says of each thread that hangs where it does; whether there is one */
bool books_find_hung(struct books *books)
{
	long long now = clock_ms();
	struct books_task *task;
	bool found = false;
	unsigned int i;

	for (i = 0; i < BOOKS_TASKS; i++) {
		task = &books->task[i];
		if (!__atomic_load_n(&task->busy, __ATOMIC_ACQUIRE) ||
		    now - task->since < HUNG_MS)
			continue;
		books_bad(books, "%s: does not return",
			  books->name(task->action));
		printf("# %s for %lld ms, thread %d\n",
		       books->name(task->action), now - task->since, task->tid);
		print_stack(task->tid);
		found = true;
	}
	/* The kernel log gets the stacks of all that is blocked */
	if (found)
		sysfs_put("/proc/sysrq-trigger", "w");
	return found;
}
