/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_BENCH_MIGRATION_H
#define SELFTESTS_BENCH_MIGRATION_H

#include "lib/igbvf.h"
#include "lib/lab.h"

void bench_migration(struct vfio_dev *source, struct vfio_dev *peer,
		     struct igbvf *plain);
void bench_arcs(const char *title, struct vfio_dev *dev, struct igbvf *plain);
void bench_ring(struct vfio_dev *dev, const char *plain);
void bench_interrupt(void);

#endif
