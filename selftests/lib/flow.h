/* SPDX-License-Identifier: GPL-2.0-only */
/* Traffic between a VF and its peer, every frame's content compared */
#ifndef SELFTESTS_LIB_FLOW_H
#define SELFTESTS_LIB_FLOW_H

#include "igbvf.h"
#include "peer.h"

/* Counters that only traffic moves */
struct flow_counters {
	__u32 rx_frames;
	__u32 rx_octets;
	__u32 rx_multicast;
	__u32 tx_frames;
	__u32 tx_octets;
};

int flow_start(struct igbvf *vf, const __u8 *mac);
size_t flow_len(__u32 seed);
int flow_expect(struct igbvf *vf, const __u8 *src, __u32 seed, int ms);
int flow_to_peer(struct igbvf *vf, unsigned int q, struct peer *peer,
		 __u32 seed, unsigned int count);
int flow_from_peer(struct igbvf *vf, struct peer *peer, __u32 seed,
		   unsigned int count);
int flow_peer_expect(struct peer *peer, const __u8 *src, __u32 seed, int ms);
int flow_vf_to_vf(struct igbvf *from, struct igbvf *to, __u32 seed,
		  unsigned int count);
void flow_post(struct igbvf *vf, unsigned int q, const __u8 *dst, __u32 seed);
void flow_count(struct igbvf *vf, struct flow_counters *count);

#endif
