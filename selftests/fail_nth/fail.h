/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Paths through the kernel, and what they work on. Each file but main.c and fail.c
 * has the paths of one kind.
 */
#ifndef SELFTESTS_FAIL_NTH_FAIL_H
#define SELFTESTS_FAIL_NTH_FAIL_H

#include "lib/faults.h"
#include "lib/igbvf.h"
#include "lib/lab.h"
#include "lib/peer.h"

/* A register that reads back what was written, and means nothing with queues off */
#define SCRATCH		VTEITR(0)
#define BEFORE		0x00000128
#define INSIDE		0x000002a4

#define NR_EVENTFDS	2

struct path;

struct fail {
	const struct path *path;
	struct lab lab;
	struct vfio_dev *dev;
	struct igbvf vf;
	char file[300];			/* the group's or the device's own */
	struct mig_stream saved;	/* of the device as it is at first */
	int inject;			/* from inject_open() */
	int fd, old_fd;			/* data_fds: of @to and of @from */
	size_t done;			/* bytes written */
	struct mig_stream data;		/* read, or to be written */
	int eventfd[NR_EVENTFDS];
	void *map;
	struct faults faults;
	struct peer peer;
	__u64 written;			/* pages that a report must have */
	struct mig_stream result;	/* whatever a path has to show */
};

/*
 * @begin: gets everything to where the path starts, from wherever it is
 * @go: what has to bear a failure; adds to @result what it is told
 * @again: instead of @go, after a failure
 * @look: adds to @result what has come of it
 * @unharmed: whether nothing has, besides what is looked at everywhere
 * @may_be: whether the device may be in this state after a failure
 * @enough: whether no more failures are wanted, after one
 * @want: what @go returns where nothing fails
 * @also: what else than -ENOMEM and -EFAULT it may fail with: the kernel has
 *	-EBUSY and -ENOSPC for resources and vectors that cannot be allocated
 * @least: so many failures there are, or the test has not seen the path
 * @slow: the next failure, which comes later, has to do for a second try
 *
 * @from, @to: states
 * @index: of interrupts
 * @piece: bytes of a read or write
 */
struct path {
	const char *name;
	int (*begin)(struct fail *fail);
	int (*go)(struct fail *fail);
	int (*again)(struct fail *fail);
	int (*look)(struct fail *fail);
	bool (*unharmed)(struct fail *fail);
	bool (*may_be)(struct fail *fail, __u32 state, int error);
	bool (*enough)(struct fail *fail);
	int want;
	int also;
	unsigned int least;
	bool slow;

	__u32 from;
	__u32 to;
	__u32 index;
	size_t piece;
};

/* What no failure changes */
struct before {
	unsigned int fds;
	int state;
	__u32 scratch;
	__u32 trapped;
	__u16 command;
};

void show(struct fail *fail, const void *what, size_t size);
int reg_read(struct fail *fail, __u32 reg, __u32 *val);
int reg_write(struct fail *fail, __u32 reg, __u32 val);
int remember(struct fail *fail, struct before *before);
int look_at_device(struct fail *fail);
void close_data_fds(struct fail *fail);
void close_device(struct fail *fail);
int begin_running(struct fail *fail);
int begin_state(struct fail *fail);
int begin_open(struct fail *fail);
int look_at_stream(struct fail *fail);
int bind_driver(struct fail *fail);

/* Each list ends with a path that has no name */
extern const struct path open_group_paths[];
extern const struct path open_cdev_paths[];
extern const struct path close_paths[];
extern const struct path info_paths[];
extern const struct path reset_paths[];
extern const struct path irq_paths[];
extern const struct path arc_path;
extern const struct path read_paths[];
extern const struct path write_paths[];
extern const struct path long_write_paths[];
extern const struct path region_paths[];
extern const struct path first_region_paths[];
extern const struct path fault_paths[];
extern const struct path ring_paths[];
extern const struct path dma_log_paths[];
extern const struct path bind_paths[];
extern const struct path unbind_paths[];

/* A stream that needs more room than others */
int lengthen(struct mig_stream *stream);

#endif
