// SPDX-License-Identifier: GPL-2.0-only
/* The books: what was done how often, with which result, and what hangs */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "soak.h"

#define MAX_ALLOWED	10
/* What takes longest waits for a VF that is gone, and for the PF to come back */
#define HUNG_MS		60000

/* Everything else than success and these is a failure of the test */
static const struct {
	const char *name;
	int allowed[MAX_ALLOWED];
} rules[SOAK_ACTIONS] = {
	/* The VF is unbound or being so, or is being recovered or reset */
	[SOAK_OPEN] = { "open", { ENOENT, ENODEV, EINVAL, EIO, EAGAIN, EBUSY } },
	[SOAK_CLOSE] = { "close", {} },
	/* No stream, or a bad one; an error is being recovered; the PF is down or away */
	[SOAK_SET_STATE] = { "SET_STATE", { EINVAL, EBADMSG, EIO, ETIMEDOUT } },
	[SOAK_GET_STATE] = { "GET_STATE", {} },
	[SOAK_DATA_SIZE] = { "GET data size", {} },
	[SOAK_FD_READ] = { "data_fd read", { ENODEV, ENOMSG, EIO } },
	[SOAK_FD_WRITE] = { "data_fd write", { ENODEV, EINVAL, EBADMSG, EXDEV,
					       EPROTONOSUPPORT, EFBIG, EIO,
					       ETIMEDOUT } },
	[SOAK_FD_POLL] = { "data_fd poll", {} },
	[SOAK_FD_INFO] = { "data_fd precopy info", { ENODEV, EINVAL, EIO, ENOTTY } },
	[SOAK_FD_CLOSE] = { "data_fd close", {} },
	[SOAK_MAP] = { "mmap, munmap", {} },
	/* EFAULT stands for SIGBUS */
	[SOAK_MAP_READ] = { "mapped read", { EFAULT } },
	[SOAK_MAP_WRITE] = { "mapped write", { EFAULT } },
	[SOAK_BAR_READ] = { "BAR read", {} },
	[SOAK_BAR_WRITE] = { "BAR write", {} },
	/* The device does not decode */
	[SOAK_MSIX_READ] = { "MSI-X table read", { EIO } },
	[SOAK_CONFIG_READ] = { "config read", {} },
	[SOAK_CONFIG_WRITE] = { "config write", {} },
	[SOAK_EXT_READ] = { "extension read", {} },
	/* What is not set cannot be taken away; the device is not there, or just goes away */
	[SOAK_IRQS] = { "SET_IRQS", { EINVAL, EBUSY, ENOMEM } },
	[SOAK_RESET] = { "VFIO_DEVICE_RESET", { EBUSY, EAGAIN } },
	/* Config space is blocked, and has no capability to ask for it by */
	[SOAK_FLR] = { "FLR", { ENOENT } },
	[SOAK_CHECK] = { "check and migrate", {} },
	/* A VF that is being reset has no error to report, or soon none any more */
	[SOAK_NONFATAL] = { "non-fatal error", { EINVAL, ENODATA } },
	[SOAK_FATAL] = { "fatal error", { EINVAL } },
	[SOAK_SYSFS_RESET] = { "reset by sysfs", {} },
	[SOAK_REBIND] = { "unbind and bind", {} },
};

static bool allowed(enum soak_action action, int err)
{
	unsigned int i;

	for (i = 0; i < MAX_ALLOWED; i++)
		if (rules[action].allowed[i] == err)
			return true;
	return false;
}

static __thread struct soak_task *this_task;

/* Each thread has a place of its own, where one that hangs is looked for */
void soak_enter(unsigned int task)
{
	this_task = &soak->task[task];
	this_task->busy = false;
	this_task->tid = gettid();
}

void soak_begin(enum soak_action action)
{
	this_task->action = action;
	this_task->since = clock_ms();
	__atomic_store_n(&this_task->busy, true, __ATOMIC_RELEASE);
}

void soak_end(enum soak_action action, int ret, bool judged)
{
	int err = ret < 0 ? -ret : 0;

	__atomic_store_n(&this_task->busy, false, __ATOMIC_RELEASE);
	if (!judged)
		return;
	if (err >= SOAK_ERRNOS)
		err = SOAK_ERRNOS - 1;
	__atomic_add_fetch(&soak->count[action][err], 1, __ATOMIC_RELAXED);
	if (err && !allowed(action, err))
		soak_bad("%s: %s", rules[action].name, strerror(err));
}

bool soak_stopped(void)
{
	return __atomic_load_n(&soak->stop, __ATOMIC_ACQUIRE);
}

/* The first thing that is wrong is the one that is told; all stop */
void soak_bad(const char *fmt, ...)
{
	va_list ap;

	if (__atomic_exchange_n(&soak->bad, true, __ATOMIC_SEQ_CST))
		return;
	va_start(ap, fmt);
	vsnprintf(soak->what, sizeof(soak->what), fmt, ap);
	va_end(ap);
	__atomic_store_n(&soak->stop, true, __ATOMIC_RELEASE);
}

static unsigned long total(enum soak_action action)
{
	unsigned long sum = 0;
	unsigned int err;

	for (err = 0; err < SOAK_ERRNOS; err++)
		sum += soak->count[action][err];
	return sum;
}

void soak_print_table(void)
{
	unsigned int i, err;

	printf("# %-22s %9s %9s  %s\n", "action", "times", "success",
	       "errors");
	for (i = 0; i < SOAK_ACTIONS; i++) {
		printf("# %-22s %9lu %9lu ", rules[i].name, total(i),
		       soak->count[i][0]);
		for (err = 1; err < SOAK_ERRNOS; err++)
			if (soak->count[i][err])
				printf(" %s %lu", strerrorname_np(err),
				       soak->count[i][err]);
		printf("\n");
	}
}

/* A run in which something has never come to pass says nothing about it */
void soak_find_missing(void)
{
	unsigned int i;

	for (i = 0; i < SOAK_ACTIONS; i++)
		if (!soak->count[i][0])
			soak_bad("%s: not once with success", rules[i].name);
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

/* The kernel log gets the stacks of all that is blocked */
static void dump_blocked(void)
{
	FILE *file = fopen("/proc/sysrq-trigger", "w");

	if (!file)
		return;
	fputs("w", file);
	fclose(file);
}

/* Says of each thread that hangs where it does; whether there is one */
bool soak_find_hung(void)
{
	long long now = clock_ms();
	struct soak_task *task;
	bool found = false;
	unsigned int i;

	for (i = 0; i < SOAK_TASKS; i++) {
		task = &soak->task[i];
		if (!__atomic_load_n(&task->busy, __ATOMIC_ACQUIRE) ||
		    now - task->since < HUNG_MS)
			continue;
		soak_bad("%s: does not return", rules[task->action].name);
		printf("# %s for %lld ms, thread %d\n",
		       rules[task->action].name, now - task->since, task->tid);
		print_stack(task->tid);
		found = true;
	}
	if (found)
		dump_blocked();
	return found;
}
