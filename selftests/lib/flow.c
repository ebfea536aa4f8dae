// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "flow.h"

#define ARRIVES_MS	5000

/*
 * A busy PF may hear of a reset only after it has answered VF_RESET, and then
 * does not answer what follows: begin again, as Linux's own driver does.
 */
static int introduce(struct igbvf *vf, const __u8 *mac)
{
	int tries = 3, ret;

	do {
		ret = igbvf_hello(vf);
		if (!ret)
			ret = igbvf_set_mac(vf, mac);
	} while (ret == -ETIMEDOUT && --tries);
	return ret;
}

/* A guest's driver coming up: one queue of each kind, all interrupts on */
int flow_start(struct igbvf *vf, const __u8 *mac)
{
	int ret;

	ret = introduce(vf, mac);
	if (!ret)
		ret = igbvf_irq_start(vf);
	if (!ret)
		ret = igbvf_tx_start(vf, 0);
	if (!ret)
		ret = igbvf_rx_start(vf, 0);
	return ret;
}

/* A length for each seed, from the shortest frame to a full one */
size_t flow_len(__u32 seed)
{
	return IGBVF_MIN_FRAME + seed * 61 % 1440;
}

/* The next frame that the VF hands over has to be this one */
int flow_expect(struct igbvf *vf, const __u8 *src, __u32 seed, int ms)
{
	struct igbvf_frame frame;
	int ret;

	ret = igbvf_recv(vf, 0, &frame, ms);
	if (ret)
		return ret;
	return frame_check(frame.data, frame.len, vf->mac, src, seed,
			   flow_len(seed));
}

int flow_peer_expect(struct peer *peer, const __u8 *src, __u32 seed, int ms)
{
	__u8 frame[PEER_MAX_FRAME];
	int len;

	len = peer_recv(peer, frame, sizeof(frame), ms);
	if (len < 0)
		return len;
	return frame_check(frame, len, peer->mac, src, seed, flow_len(seed));
}

void flow_post(struct igbvf *vf, unsigned int q, const __u8 *dst, __u32 seed)
{
	__u8 frame[PEER_MAX_FRAME];

	frame_build(frame, dst, vf->mac, -1, seed, flow_len(seed));
	igbvf_tx_post(vf, q, frame, flow_len(seed));
}

int flow_to_peer(struct igbvf *vf, unsigned int q, struct peer *peer,
		 __u32 seed, unsigned int count)
{
	int ret;

	for (; count--; seed++) {
		flow_post(vf, q, peer->mac, seed);
		igbvf_tx_kick(vf, q);
		ret = igbvf_tx_wait(vf, q, ARRIVES_MS);
		if (ret)
			return ret;
		ret = flow_peer_expect(peer, vf->mac, seed, ARRIVES_MS);
		if (ret)
			return ret;
	}
	return 0;
}

int flow_from_peer(struct igbvf *vf, struct peer *peer, __u32 seed,
		   unsigned int count)
{
	__u8 frame[PEER_MAX_FRAME];
	int ret;

	for (; count--; seed++) {
		frame_build(frame, vf->mac, peer->mac, -1, seed,
			    flow_len(seed));
		ret = peer_send(peer, frame, flow_len(seed));
		if (ret)
			return ret;
		ret = flow_expect(vf, peer->mac, seed, ARRIVES_MS);
		if (ret)
			return ret;
	}
	return 0;
}

int flow_vf_to_vf(struct igbvf *from, struct igbvf *to, __u32 seed,
		  unsigned int count)
{
	int ret;

	for (; count--; seed++) {
		flow_post(from, 0, to->mac, seed);
		igbvf_tx_kick(from, 0);
		ret = igbvf_tx_wait(from, 0, ARRIVES_MS);
		if (ret)
			return ret;
		ret = flow_expect(to, from->mac, seed, ARRIVES_MS);
		if (ret)
			return ret;
	}
	return 0;
}

void flow_count(struct igbvf *vf, struct flow_counters *count)
{
	memset(count, 0, sizeof(*count));
	count->rx_frames = igbvf_read(vf, VFGPRC);
	count->rx_octets = igbvf_read(vf, VFGORC);
	count->rx_multicast = igbvf_read(vf, VFMPRC);
	count->tx_frames = igbvf_read(vf, VFGPTC);
	count->tx_octets = igbvf_read(vf, VFGOTC);
}
