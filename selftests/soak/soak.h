/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two tenants who do all they can think of to their VFs, and a host that lets
 * errors, resets and unbinding happen to them.
 */
#ifndef SELFTESTS_SOAK_SOAK_H
#define SELFTESTS_SOAK_SOAK_H

#include <kselftest.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/books.h"
#include "lib/dice.h"
#include "lib/igbvf.h"
#include "lib/migrate.h"

#define SOAK_TENANTS	2
#define SOAK_DEVS	2	/* at most, of one tenant */
#define SOAK_MOVERS	2	/* threads per device that change its state */
#define SOAK_FDS	4	/* data_fds that one of them keeps */
#define SOAK_HOST_TASKS	2
/* At most, of one tenant: itself, its resetter, and each device's */
#define SOAK_RESETTER_TASK	1
#define SOAK_DEV_TASKS		(SOAK_MOVERS + 1)
#define SOAK_TENANT_TASKS	(2 + SOAK_DEVS * SOAK_DEV_TASKS)

enum soak_action {
	SOAK_OPEN,
	SOAK_CLOSE,
	SOAK_SET_STATE,
	SOAK_GET_STATE,
	SOAK_DATA_SIZE,
	SOAK_FD_READ,
	SOAK_FD_WRITE,
	SOAK_FD_POLL,
	SOAK_FD_INFO,
	SOAK_FD_CLOSE,
	SOAK_MAP,
	SOAK_MAP_READ,
	SOAK_MAP_WRITE,
	SOAK_BAR_READ,
	SOAK_BAR_WRITE,
	SOAK_MSIX_READ,
	SOAK_CONFIG_READ,
	SOAK_CONFIG_WRITE,
	SOAK_EXT_READ,
	SOAK_IRQS,
	SOAK_RESET,
	SOAK_FLR,
	SOAK_CHECK,
	SOAK_NONFATAL,
	SOAK_FATAL,
	SOAK_SYSFS_RESET,
	SOAK_REBIND,
	SOAK_ACTIONS,
};

/* Shared by all processes */
struct soak {
	struct books books;
	unsigned int seed;
	long long end;
	/* Held for read by the host while it does something, for write to keep it still */
	pthread_rwlock_t calm;
};

extern struct soak *soak;

#define soak_bad(...)	books_bad(&soak->books, __VA_ARGS__)

/* books.c */
void soak_open_books(void);
void soak_enter(unsigned int task);
void soak_begin(enum soak_action action);
void soak_end(enum soak_action action, int ret, bool judged);
bool soak_stopped(void);
void soak_find_missing(void);

/* host.c */
int soak_host_start(void);
unsigned int soak_host_threads(void);

/* A data_fd, and whether it has ever said that it is dead */
struct soak_fd {
	int fd;
	bool writes;
	bool dead;
};

struct session;

struct mover {
	struct session *session;
	unsigned int task;
	pthread_t thread;
	struct vfio_dev *dev;
	unsigned int dice;
	struct soak_fd fds[SOAK_FDS];
};

struct toucher {
	struct session *session;
	unsigned int task;
	pthread_t thread;
	struct vfio_dev *dev;
	unsigned int dice;
	__u32 *map;
};

/* The devices of a tenant from open to close */
struct session {
	unsigned int nr;		/* devices */
	unsigned int task;		/* the first of this tenant's */
	unsigned int dice;
	bool stop;
	bool abandoned;			/* the device fds are gone under the threads */
	struct vfio_iommu iommu;
	struct vfio_dev dev[SOAK_DEVS];
	int request;			/* eventfd: the host wants a device back */
	__u32 irq_nonfatal;
	struct mover mover[SOAK_DEVS][SOAK_MOVERS];
	struct toucher toucher[SOAK_DEVS];
	unsigned int reset_dice;
	pthread_t resetter;
	const struct mig_stream *stream;	/* one that loads, or empty */
};

static inline bool session_stopped(struct session *s)
{
	return __atomic_load_n(&s->stop, __ATOMIC_ACQUIRE) || soak_stopped();
}

/* Counts what a thread of @s has done; what it does to an fd that is gone does not matter */
static inline void session_end(struct session *s, enum soak_action action, int ret)
{
	soak_end(action, ret,
		 !__atomic_load_n(&s->abandoned, __ATOMIC_ACQUIRE));
}

/* tenant.c */
int soak_tenant(unsigned int index, unsigned int nr);

/* mover.c */
void *soak_mover(void *arg);
bool soak_fd_is_dead(const struct soak_fd *f);

/* toucher.c */
void *soak_toucher(void *arg);
void *soak_resetter(void *arg);

/* check.c */
void soak_check_session(struct session *s, struct mig_stream *stream);
void soak_check_closed(struct session *s);

#endif
