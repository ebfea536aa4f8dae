// SPDX-License-Identifier: GPL-2.0-only
/* What there is to do, and whether it may succeed */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hammer.h"

enum rule {
	MUST,		/* succeed at least once, or the run says nothing of it */
	MAY,
	NEVER,		/* whatever the arguments are */
};

static const struct {
	const char *name;
	enum rule rule;
} actions[HAMMER_ACTIONS] = {
	[HAMMER_OPEN] = { "open", MUST },
	[HAMMER_END] = { "end of the process", MUST },
	[HAMMER_DEV_OPEN] = { "open once more", MUST },
	[HAMMER_DEV_BIND] = { "BIND_IOMMUFD", MAY },
	[HAMMER_DEV_ATTACH] = { "ATTACH, DETACH", MAY },
	[HAMMER_DEV_DUP] = { "device dup", MUST },
	[HAMMER_DEV_CLOSE] = { "device close", MUST },
	[HAMMER_DEV_PASS] = { "SCM_RIGHTS", MUST },
	[HAMMER_GET_INFO] = { "GET_INFO", MUST },
	[HAMMER_REGION_INFO] = { "GET_REGION_INFO", MUST },
	[HAMMER_IRQ_INFO] = { "GET_IRQ_INFO", MUST },
	[HAMMER_SET_IRQS] = { "SET_IRQS", MUST },
	[HAMMER_RESET] = { "RESET", MUST },
	[HAMMER_FLR] = { "FLR", MUST },
	[HAMMER_HOT_RESET_INFO] = { "HOT_RESET_INFO", MUST },
	/* The PF is the host's */
	[HAMMER_HOT_RESET] = { "HOT_RESET", NEVER },
	[HAMMER_IOEVENTFD] = { "IOEVENTFD", NEVER },
	[HAMMER_FEATURE] = { "FEATURE", MUST },
	[HAMMER_LOW_POWER] = { "LOW_POWER", MUST },
	[HAMMER_ANY_IOCTL] = { "any ioctl", MAY },
	[HAMMER_SET_STATE] = { "SET_STATE", MUST },
	[HAMMER_GET_STATE] = { "GET_STATE", MUST },
	[HAMMER_DATA_SIZE] = { "DATA_SIZE", MUST },
	[HAMMER_SAVE] = { "save", MUST },
	[HAMMER_LOAD] = { "load", MUST },
	[HAMMER_FD_READ] = { "data_fd read", MUST },
	[HAMMER_FD_WRITE] = { "data_fd write", MUST },
	[HAMMER_FD_INFO] = { "data_fd PRECOPY_INFO", MUST },
	[HAMMER_FD_POLL] = { "data_fd poll", MUST },
	[HAMMER_FD_DUP] = { "data_fd dup", MUST },
	[HAMMER_FD_CLOSE] = { "data_fd close", MUST },
	/* It has no offset, no length and no pages */
	[HAMMER_FD_OTHER] = { "data_fd as a disk file", NEVER },
	[HAMMER_REGION_READ] = { "region read", MUST },
	[HAMMER_REGION_WRITE] = { "region write", MUST },
	[HAMMER_CONFIG_READ] = { "config read", MUST },
	[HAMMER_CONFIG_WRITE] = { "config write", MUST },
	[HAMMER_MMAP] = { "mmap", MUST },
	[HAMMER_TOUCH] = { "touch what is mapped", MUST },
	[HAMMER_MUNMAP] = { "munmap", MUST },
	[HAMMER_MREMAP] = { "mremap", MUST },
	[HAMMER_MADVISE] = { "madvise", MUST },
	[HAMMER_MPROTECT] = { "mprotect", MUST },
	[HAMMER_FORK] = { "fork, and touch", MUST },
	[HAMMER_DMA_MAP] = { "DMA map", MUST },
	[HAMMER_DMA_UNMAP] = { "DMA unmap", MUST },
	[HAMMER_BYSTANDER] = { "the other user is well", MUST },
};

static const char *name(unsigned int action)
{
	return actions[action].name;
}

void hammer_open_books(void)
{
	hammer->books.nr_actions = HAMMER_ACTIONS;
	hammer->books.name = name;
}

/* Each variant begins anew, with the same choices */
void hammer_clear_counts(void)
{
	hammer->sessions = 0;
	hammer->turns = 0;
	memset(hammer->books.count, 0, sizeof(hammer->books.count));
}

/* The kernel's errnos above those of the C library are for itself */
#define FIRST_INTERNAL	512

/* Ends what books_begin() has begun; returns @ret */
int hammer_end(enum hammer_action action, int ret)
{
	books_end();
	books_count(&hammer->books, action, ret);
	if (ret <= -FIRST_INTERNAL)
		hammer_bad("%s: errno %d", name(action), -ret);
	if (ret >= 0 && actions[action].rule == NEVER)
		hammer_bad("%s: success", name(action));
	return ret;
}

/* What has never come to pass, or NULL: a run says nothing about that */
const char *hammer_missing(void)
{
	unsigned int i;

	for (i = 0; i < HAMMER_ACTIONS; i++)
		if (!hammer->books.count[i][0] && actions[i].rule == MUST)
			return name(i);
	return NULL;
}
