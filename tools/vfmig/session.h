/* SPDX-License-Identifier: GPL-2.0-only */
/* Devices that vfmig has open itself, and how long each step of a piece of work takes */
#ifndef VFMIG_SESSION_H
#define VFMIG_SESSION_H

#include "vfio.h"
#include "vfmig.h"

struct session {
	const struct options *opt;
	struct vfio_iommu iommu;
	struct vfio_dev dev[2];
	unsigned int nr;
	int kernel_log;
	struct json_object *phases;
	struct json_object *phase;
	__u64 began;
};

int session_begin(struct session *s, const struct options *opt);
int session_open(struct session *s, const char *name);
void session_end(struct session *s);
void phase_begin(struct session *s, const char *name);
void phase_end(struct session *s);
void phase_bytes(struct session *s, size_t bytes);
int session_failed(struct session *s, const struct vfio_dev *dev, const char *what, int err);
int session_set_state(struct session *s, struct vfio_dev *dev, __u32 state, int *data_fd);
void put_migration_flags(struct json_object *tree, __u64 flags);

#endif
