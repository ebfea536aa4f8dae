/* SPDX-License-Identifier: GPL-2.0-only */
/* A VF that reads where nothing is mapped: its descriptors for packets to send */
#ifndef SELFTESTS_LIB_STRAY_H
#define SELFTESTS_LIB_STRAY_H

#include "igbvf.h"

int stray_start(struct igbvf *vf, struct vfio_dev *dev, const __u8 *mac, __u64 iova);
int stray_point_at(struct igbvf *vf, __u64 iova);

/* @count descriptors more to read */
void stray_kick(struct igbvf *vf, unsigned int count);

/* Closes the VF, too */
void stray_stop(struct igbvf *vf);

/*
 * To the processor that VT-d's unit interrupts. On it each fault is over before the next
 * one can be made: then none may be missing.
 */
int stray_pin_to_handler(void);

/* The interrupt of the unit, by its number in /proc/interrupts, or -ENOENT */
int stray_irq(void);

#endif
