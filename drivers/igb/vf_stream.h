/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The records of an 82576 VF in the migration stream. Pure: compiles in
 * userspace too.
 */
#ifndef _IGB_VFIO_VF_STREAM_H
#define _IGB_VFIO_VF_STREAM_H

#include "pf_state.h"

/**
 * struct igb_vf_queues - a set of queues
 * @rx: a bit for each receive queue
 * @tx: a bit for each transmit queue
 */
struct igb_vf_queues {
	u8 rx;
	u8 tx;
};

extern const struct vfio_mig_stream_format igb_vf_format;

int igb_vf_put_initial(struct vfio_mig_writer *w, const struct igb_pf_state *pf);
int igb_vf_get_initial(const struct vfio_mig_reader *r, const void *stream,
		       struct igb_pf_state *pf);
int igb_vf_put_final(struct vfio_mig_writer *w, const struct igb_vf_regs *regs,
		     const struct igb_vf_mailbox *mbx,
		     const struct igb_vf_counters *counters);
void igb_vf_get_final(const struct vfio_mig_reader *r, const void *stream,
		      struct igb_vf_regs *regs, struct igb_vf_mailbox *mbx,
		      struct igb_vf_counters *counters);

#endif /* _IGB_VFIO_VF_STREAM_H */
