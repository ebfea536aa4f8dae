/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The other end of a VF's traffic: a packet socket on the PF's interface. All
 * frames carry an ethertype that is set aside for experiments, so that nothing
 * else on the interface is mistaken for them.
 */
#ifndef SELFTESTS_LIB_PEER_H
#define SELFTESTS_LIB_PEER_H

#include <linux/types.h>
#include <stddef.h>

#define PEER_ETHERTYPE		0x88b5
#define PEER_HEADER		14
#define PEER_VLAN_HEADER	18
#define PEER_MAX_FRAME		2048

struct peer {
	int fd;
	__u8 mac[6];
};

int peer_open(struct peer *peer, const char *netdev);
void peer_close(struct peer *peer);
int peer_send(struct peer *peer, const void *frame, size_t len);
int peer_recv(struct peer *peer, void *frame, size_t size, int ms);

/*
 * Builds a frame whose payload can be told from every other by @seed, and
 * checks one. @vid < 0: without a VLAN tag. All lengths are those of the frame.
 */
size_t frame_build(__u8 *frame, const __u8 *dst, const __u8 *src, int vid,
		   __u32 seed, size_t len);
int frame_check(const __u8 *frame, size_t got, const __u8 *dst,
		const __u8 *src, __u32 seed, size_t len);

#endif
