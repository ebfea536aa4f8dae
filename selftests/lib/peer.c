// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

int peer_open(struct peer *peer, const char *netdev)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(PEER_ETHERTYPE),
		.sll_ifindex = if_nametoindex(netdev),
	};
	struct ifreq ifr = {};
	int ret;

	if (!addr.sll_ifindex)
		return -ENODEV;
	peer->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC,
			  htons(PEER_ETHERTYPE));
	if (peer->fd < 0)
		return -errno;

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", netdev);
	if (ioctl(peer->fd, SIOCGIFHWADDR, &ifr) < 0 ||
	    bind(peer->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		ret = -errno;
		peer_close(peer);
		return ret;
	}
	memcpy(peer->mac, ifr.ifr_hwaddr.sa_data, sizeof(peer->mac));
	return 0;
}

void peer_close(struct peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	peer->fd = -1;
}

int peer_send(struct peer *peer, const void *frame, size_t len)
{
	socklen_t size = sizeof(int);
	int old;

	/* That the interface was down for a while is not this frame's fault */
	getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &old, &size);
	return send(peer->fd, frame, len, 0) < 0 ? -errno : 0;
}

/* The length of a frame that another station sent, or -EAGAIN */
int peer_recv(struct peer *peer, void *frame, size_t size, int ms)
{
	struct pollfd pfd = { .fd = peer->fd, .events = POLLIN };
	struct sockaddr_ll from;
	socklen_t from_len;
	ssize_t len;

	for (;;) {
		if (poll(&pfd, 1, ms) != 1)
			return -EAGAIN;
		from_len = sizeof(from);
		len = recvfrom(peer->fd, frame, size, 0,
			       (struct sockaddr *)&from, &from_len);
		if (len < 0)
			return -errno;
		if (from.sll_pkttype != PACKET_OUTGOING)
			return len;
	}
}

static void fill(__u8 *payload, __u32 seed, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		payload[i] = seed >> 24;
	}
}

size_t frame_build(__u8 *frame, const __u8 *dst, const __u8 *src, int vid,
		   __u32 seed, size_t len)
{
	size_t header = vid < 0 ? PEER_HEADER : PEER_VLAN_HEADER;
	__u16 word;

	memcpy(frame, dst, ETH_ALEN);
	memcpy(frame + ETH_ALEN, src, ETH_ALEN);
	if (vid >= 0) {
		word = htons(ETH_P_8021Q);
		memcpy(frame + 12, &word, sizeof(word));
		word = htons(vid);
		memcpy(frame + 14, &word, sizeof(word));
	}
	word = htons(PEER_ETHERTYPE);
	memcpy(frame + header - sizeof(word), &word, sizeof(word));
	fill(frame + header, seed, len - header);
	return len;
}

/* @len: of the frame as built without a tag */
int frame_check(const __u8 *frame, size_t got, const __u8 *dst,
		const __u8 *src, __u32 seed, size_t len)
{
	__u8 want[PEER_MAX_FRAME];

	frame_build(want, dst, src, -1, seed, len);
	return got == len && !memcmp(frame, want, len) ? 0 : -EBADMSG;
}
