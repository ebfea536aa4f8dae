// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stall.h"

static int watch(struct stall *stall)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = {
			.start = (unsigned long)stall->mem,
			.len = stall->size,
		},
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (ioctl(stall->fd, UFFDIO_API, &api) ||
	    ioctl(stall->fd, UFFDIO_REGISTER, &reg))
		return -errno;
	return 0;
}

/* @size: a multiple of the page size */
int stall_open(struct stall *stall, size_t size)
{
	int ret;

	stall->size = size;
	stall->fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (stall->fd < 0)
		return -errno;
	stall->mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ret = stall->mem == MAP_FAILED ? -errno : watch(stall);
	if (ret)
		stall_close(stall);
	return ret;
}

/* 0 once somebody is stalled */
int stall_wait(struct stall *stall, int ms)
{
	struct pollfd pfd = { .fd = stall->fd, .events = POLLIN };

	return poll(&pfd, 1, ms) == 1 ? 0 : -ETIMEDOUT;
}

/* The memory is all zeros */
int stall_release(struct stall *stall)
{
	struct uffdio_zeropage zero = {
		.range = {
			.start = (unsigned long)stall->mem,
			.len = stall->size,
		},
	};

	return ioctl(stall->fd, UFFDIO_ZEROPAGE, &zero) ? -errno : 0;
}

void stall_close(struct stall *stall)
{
	if (stall->mem != MAP_FAILED)
		munmap(stall->mem, stall->size);
	close(stall->fd);
}
