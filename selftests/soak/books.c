// SPDX-License-Identifier: GPL-2.0-only
/* What may be done, and what may come of it */
#include <errno.h>
#include <string.h>

#include "soak.h"

#define MAX_ALLOWED	10

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

static const char *name(unsigned int action)
{
	return rules[action].name;
}

void soak_open_books(void)
{
	soak->books.nr_actions = SOAK_ACTIONS;
	soak->books.name = name;
}

void soak_enter(unsigned int task)
{
	books_enter(&soak->books, task);
}

void soak_begin(enum soak_action action)
{
	books_begin(action);
}

void soak_end(enum soak_action action, int ret, bool judged)
{
	books_end();
	if (!judged)
		return;
	books_count(&soak->books, action, ret);
	if (ret < 0 && !allowed(action, -ret))
		soak_bad("%s: %s", rules[action].name, strerror(-ret));
}

bool soak_stopped(void)
{
	return books_stopped(&soak->books);
}

/* A run in which something has never come to pass says nothing about it */
void soak_find_missing(void)
{
	unsigned int i;

	for (i = 0; i < SOAK_ACTIONS; i++)
		if (!soak->books.count[i][0])
			soak_bad("%s: not once with success", rules[i].name);
}
