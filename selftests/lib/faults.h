/* SPDX-License-Identifier: GPL-2.0-only */
/* A consumer of the fault ring, and the faults for it that pretend_fault.ko reports */
#ifndef SELFTESTS_LIB_FAULTS_H
#define SELFTESTS_LIB_FAULTS_H

#include "ext.h"

struct faults {
	const struct vfio_mig_ext *header;
	__u32 *consumer;
	const char *entries;
	size_t entries_size;
	__u32 next;		/* the consumer index, as this side knows it */
	int event;
};

int faults_open(struct faults *faults, struct vfio_dev *dev);

/* The ring alone, without the eventfd; where it fails, parts of it may be mapped */
int faults_map(struct faults *faults, struct vfio_dev *dev);
void faults_unmap(struct faults *faults);
void faults_close(struct faults *faults);

/* How many there are to take, or that at least @count have come within @ms */
__u32 faults_ready(struct faults *faults);
bool faults_wait(struct faults *faults, __u32 count, int ms);

/* The oldest one. -EAGAIN: there is none; -EILSEQ: it is not what it should be */
int faults_take(struct faults *faults, struct vfio_mig_fault *fault);

/* All that are there, unseen */
void faults_skip(struct faults *faults);

/* Whether the eventfd has been signalled since it was last asked */
bool faults_signalled(struct faults *faults, int ms);

__u64 faults_dropped(struct faults *faults);
__u64 faults_epoch(struct faults *faults);

/* The requester id of a device */
__u16 faults_requester(const char *bdf);

/* @count faults, each one page above the last; reports on end of @bdf, or none */
int faults_report(const char *bdf, __u64 iova, bool write, unsigned int count);
int faults_fire(const char *bdf);

#endif
