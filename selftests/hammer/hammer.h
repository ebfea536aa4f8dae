/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A user who calls whatever there is to call on a device and its files, with
 * arguments that are of the right size and little else, and another one, who must
 * not notice.
 */
#ifndef SELFTESTS_HAMMER_HAMMER_H
#define SELFTESTS_HAMMER_HAMMER_H

#include <kselftest.h>
#include <pthread.h>
#include <stdint.h>

#include "lib/books.h"
#include "lib/dice.h"
#include "lib/lab.h"
#include "lib/regfile.h"

#define HAMMER_HANDS	4	/* threads of the hostile process */
#define HAMMER_MAIN	(1 + HAMMER_HANDS)	/* behind those, in the books */
#define HAMMER_DEVS	3	/* files of the device that it keeps */
#define HAMMER_FDS	3	/* data_fds */
#define HAMMER_EVENTS	4
#define HAMMER_MAPS	4	/* mappings of each thread */

enum hammer_action {
	HAMMER_OPEN,
	HAMMER_END,
	HAMMER_DEV_OPEN,
	HAMMER_DEV_BIND,
	HAMMER_DEV_ATTACH,
	HAMMER_DEV_DUP,
	HAMMER_DEV_CLOSE,
	HAMMER_DEV_PASS,
	HAMMER_GET_INFO,
	HAMMER_REGION_INFO,
	HAMMER_IRQ_INFO,
	HAMMER_SET_IRQS,
	HAMMER_RESET,
	HAMMER_FLR,
	HAMMER_HOT_RESET_INFO,
	HAMMER_HOT_RESET,
	HAMMER_IOEVENTFD,
	HAMMER_FEATURE,
	HAMMER_LOW_POWER,
	HAMMER_ANY_IOCTL,
	HAMMER_SET_STATE,
	HAMMER_GET_STATE,
	HAMMER_DATA_SIZE,
	HAMMER_SAVE,
	HAMMER_LOAD,
	HAMMER_FD_READ,
	HAMMER_FD_WRITE,
	HAMMER_FD_INFO,
	HAMMER_FD_POLL,
	HAMMER_FD_DUP,
	HAMMER_FD_CLOSE,
	HAMMER_FD_OTHER,
	HAMMER_REGION_READ,
	HAMMER_REGION_WRITE,
	HAMMER_CONFIG_READ,
	HAMMER_CONFIG_WRITE,
	HAMMER_MMAP,
	HAMMER_TOUCH,
	HAMMER_MUNMAP,
	HAMMER_MREMAP,
	HAMMER_MADVISE,
	HAMMER_MPROTECT,
	HAMMER_FORK,
	HAMMER_DMA_MAP,
	HAMMER_DMA_UNMAP,
	HAMMER_BYSTANDER,
	HAMMER_ACTIONS,
};

/* Shared by all processes */
struct hammer {
	struct books books;
	unsigned int seed;
	unsigned int sessions;
	unsigned long turns;
	struct mig_stream stream;	/* one that loads */
};

extern struct hammer *hammer;

#define hammer_bad(...)	books_bad(&hammer->books, __VA_ARGS__)

/* One life of the hostile process */
struct session {
	struct vfio_iommu iommu;
	struct vfio_dev dev;		/* as it was opened first */
	bool stop;
	int next_fd;			/* no number is used twice */
	int devs[HAMMER_DEVS];
	int fds[HAMMER_FDS];
	int events[HAMMER_EVENTS];
};

struct map {
	void *mem;
	size_t size;
};

struct hand {
	struct session *session;
	unsigned int nr;
	pthread_t thread;
	unsigned int dice;
	__u8 *room;			/* where arguments are, and what is around */
	__u8 *room_ro;			/* the same, read-only */
	size_t left;			/* bytes that may be written to from there on */
	struct map maps[HAMMER_MAPS];
};

/* rules.c */
void hammer_open_books(void);
void hammer_clear_counts(void);
int hammer_end(enum hammer_action action, int ret);
const char *hammer_missing(void);

/* session.c */
int hammer_session(unsigned int nr, bool cdev);

/* turn.c */
void hammer_turn(struct hand *h);

/* bystander.c */
struct bystander {
	struct lab lab;
	struct igbvf vf;
	struct regfile regs;
	int data_fd;
};

int bystander_open(struct bystander *b, bool cdev);
void bystander_check(struct bystander *b);
void bystander_finish(struct bystander *b, const char *bdf);
void bystander_close(struct bystander *b);

/* room.c: arguments in all kinds of places */
int room_open(struct hand *h);
void *room_put(struct hand *h, const void *data, size_t size);
size_t room_limit(struct hand *h, size_t size);
void room_get(void *data, const void *arg, size_t size);
int hammer_ioctl(struct hand *h, enum hammer_action action, int fd,
		 unsigned long cmd, void *data, size_t size);
void guard_init(void);
int guarded_copy(void *to, const void *from, size_t size);

/* numbers.c */
__u32 any_u32(struct hand *h);
__u64 any_u64(struct hand *h);
__u32 any_argsz(struct hand *h, __u32 right);
void any_bytes(struct hand *h, void *data, size_t size);

/* files.c: the files of the session */
int keep_fd(struct hand *h, int *where, unsigned int nr, int fd);
int any_dev(struct hand *h);
int any_data_fd(struct hand *h);
int any_file(struct hand *h);
void do_dev_open(struct hand *h);
void do_dev_bind(struct hand *h);
void do_dev_attach(struct hand *h);
void do_dev_dup(struct hand *h);
void do_dev_close(struct hand *h);
void do_dev_pass(struct hand *h);

/* device.c: ioctls of the device */
void do_get_info(struct hand *h);
void do_region_info(struct hand *h);
void do_irq_info(struct hand *h);
void do_set_irqs(struct hand *h);
void do_reset(struct hand *h);
void do_flr(struct hand *h);
void do_hot_reset_info(struct hand *h);
void do_hot_reset(struct hand *h);
void do_ioeventfd(struct hand *h);
void do_feature(struct hand *h);
void do_low_power(struct hand *h);
void do_any_ioctl(struct hand *h);

/* state.c: migration states and data_fds */
void do_set_state(struct hand *h);
void do_get_state(struct hand *h);
void do_data_size(struct hand *h);
void do_save(struct hand *h);
void do_load(struct hand *h);
void do_fd_read(struct hand *h);
void do_fd_write(struct hand *h);
void do_fd_info(struct hand *h);
void do_fd_poll(struct hand *h);
void do_fd_dup(struct hand *h);
void do_fd_close(struct hand *h);
void do_fd_other(struct hand *h);

/* memory.c: regions read, written and mapped; DMA */
void do_region_read(struct hand *h);
void do_region_write(struct hand *h);
void do_config_read(struct hand *h);
void do_config_write(struct hand *h);
void do_mmap(struct hand *h);
void do_touch(struct hand *h);
void do_munmap(struct hand *h);
void do_mremap(struct hand *h);
void do_madvise(struct hand *h);
void do_mprotect(struct hand *h);
void do_fork(struct hand *h);
void do_dma_map(struct hand *h);
void do_dma_unmap(struct hand *h);

#endif
