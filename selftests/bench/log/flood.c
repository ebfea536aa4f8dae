// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sends the shortest of packets, as fast as it can, to several targets by short turns: an
 * IPv4 address gets UDP, and what is sent by a network interface is for nobody. Prints for
 * each how many packets that were, and the seconds that it took until they were sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT		9	/* discard */
#define UDP_DATA	18	/* that fill the shortest frame */
#define FRAME_DATA	46
#define ETHERTYPE	0x88b5	/* for experiments: none that gets it knows what to do */
#define NOBODY		{ 0x02, 0x76, 0x66, 0x00, 0x02, 0x00 }
#define AT_ONCE		32
#define MAX_TARGETS	8
#define TURN		0.3
#define PAUSE_US	60000	/* for those that receive to be done */
#define PATIENCE	10.0	/* seconds */

struct target {
	union {
		struct sockaddr_in in;
		struct sockaddr_ll ll;
	} addr;
	socklen_t addr_len;
	size_t data;		/* bytes in a packet */
	unsigned long packets;
	double seconds;
};

static noreturn void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void send_some(int fd, struct target *target)
{
	static char data[FRAME_DATA];
	struct iovec iov = { .iov_base = data, .iov_len = target->data };
	struct mmsghdr msgs[AT_ONCE];
	int i, sent;

	for (i = 0; i < AT_ONCE; i++)
		msgs[i].msg_hdr = (struct msghdr) {
			.msg_name = &target->addr,
			.msg_namelen = target->addr_len,
			.msg_iov = &iov,
			.msg_iovlen = 1,
		};
	sent = sendmmsg(fd, msgs, AT_ONCE, 0);
	if (sent < 0)
		die("sendmmsg");
	target->packets += sent;
}

static void wait_until_sent(int fd)
{
	double end = now() + PATIENCE;
	int left;

	while (!ioctl(fd, SIOCOUTQ, &left) && left) {
		errno = ETIMEDOUT;
		if (now() > end)
			die("waiting until all is sent");
		usleep(500);
	}
}

static void take_turn(int fd, struct target *target)
{
	double start = now();

	while (now() < start + TURN)
		send_some(fd, target);
	wait_until_sent(fd);
	target->seconds += now() - start;
	usleep(PAUSE_US);
}

static int open_socket(const char *first)
{
	bool interface = if_nametoindex(first);
	/* Not connected: what is answered is not for us */
	int fd = interface ? socket(AF_PACKET, SOCK_DGRAM, 0) :
			     socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

static void aim(struct target *target, const char *name)
{
	unsigned int interface = if_nametoindex(name);

	if (interface) {
		target->addr.ll = (struct sockaddr_ll) {
			.sll_family = AF_PACKET,
			.sll_protocol = htons(ETHERTYPE),
			.sll_ifindex = interface,
			.sll_halen = 6,
			.sll_addr = NOBODY,
		};
		target->addr_len = sizeof(target->addr.ll);
		target->data = FRAME_DATA;
		return;
	}
	target->addr.in.sin_family = AF_INET;
	target->addr.in.sin_port = htons(PORT);
	if (!inet_aton(name, &target->addr.in.sin_addr)) {
		errno = EINVAL;
		die(name);
	}
	target->addr_len = sizeof(target->addr.in);
	target->data = UDP_DATA;
}

int main(int argc, char **argv)
{
	static struct target targets[MAX_TARGETS];
	int i, fd, rounds, nr = argc - 2;

	if (nr < 1 || nr > MAX_TARGETS) {
		fprintf(stderr, "usage: flood ROUNDS ADDRESS...\n"
				"       flood ROUNDS INTERFACE...\n");
		return 64;
	}
	fd = open_socket(argv[2]);
	for (i = 0; i < nr; i++)
		aim(&targets[i], argv[i + 2]);
	for (rounds = atoi(argv[1]); rounds; rounds--)
		for (i = 0; i < nr; i++)
			take_turn(fd, &targets[i]);
	for (i = 0; i < nr; i++)
		printf("%lu %.6f%s", targets[i].packets, targets[i].seconds,
		       i + 1 < nr ? " " : "\n");
	return 0;
}
