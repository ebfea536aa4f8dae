// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts the IPv4 packets that a network card lets in, by their destination.
 *
 * It looks before the network stack does: what is in a VLAN that there is no
 * interface for, or sent to a group that nobody has joined, is seen here if the
 * card has not kept it out.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_ADDRESSES	8

struct count {
	struct in_addr addr;
	unsigned long seen;
};

static noreturn void die(const char *what)
{
	fprintf(stderr, "tap: %s: %s\n", what, strerror(errno));
	exit(1);
}

static noreturn void bad_usage(void)
{
	fprintf(stderr,
		"usage: tap [-j GROUP] INTERFACE ADDRESS...\n"
		"Counts the IPv4 packets to each ADDRESS that come in through INTERFACE, until\n"
		"SIGTERM, and prints the counts.\n"
		"  -j GROUP  join the multicast group meanwhile\n");
	exit(64);
}

static struct in_addr address_arg(const char *s)
{
	struct in_addr addr;

	if (!inet_aton(s, &addr))
		bad_usage();
	return addr;
}

static int open_tap(unsigned int ifindex)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		/* For one protocol alone, it would be too late: VLANs are gone */
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = ifindex,
	};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("packet socket");
	return fd;
}

/* The socket is a member for as long as it is open. */
static void join_group(struct in_addr group, unsigned int ifindex)
{
	struct ip_mreqn req = { .imr_multiaddr = group, .imr_ifindex = ifindex };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &req,
				 sizeof(req)))
		die("cannot join the group");
}

static int catch_sigterm(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		die("signalfd");
	return fd;
}

static void count_packets(int fd, struct count *counts, int nr)
{
	struct sockaddr_ll from;
	socklen_t len = sizeof(from);
	struct iphdr ip;

	while (recvfrom(fd, &ip, sizeof(ip), 0, (struct sockaddr *)&from,
			&len) == sizeof(ip)) {
		if (from.sll_pkttype == PACKET_OUTGOING ||
		    from.sll_protocol != htons(ETH_P_IP))
			continue;
		for (int i = 0; i < nr; i++)
			counts[i].seen += ip.daddr == counts[i].addr.s_addr;
	}
}

int main(int argc, char **argv)
{
	struct count counts[MAX_ADDRESSES] = {};
	struct pollfd pfd[2] = { { .events = POLLIN }, { .events = POLLIN } };
	const char *group = NULL;
	unsigned int ifindex;
	int i, nr;

	while ((i = getopt(argc, argv, "j:")) != -1) {
		if (i != 'j')
			bad_usage();
		group = optarg;
	}
	nr = argc - optind - 1;
	if (nr < 1 || nr > MAX_ADDRESSES)
		bad_usage();
	for (i = 0; i < nr; i++)
		counts[i].addr = address_arg(argv[optind + 1 + i]);
	ifindex = if_nametoindex(argv[optind]);
	if (!ifindex)
		die(argv[optind]);

	pfd[0].fd = open_tap(ifindex);
	pfd[1].fd = catch_sigterm();
	if (group)
		join_group(address_arg(group), ifindex);
	while (!pfd[1].revents) {
		if (poll(pfd, 2, -1) < 0)
			die("poll");
		count_packets(pfd[0].fd, counts, nr);
	}
	for (i = 0; i < nr; i++)
		printf("tap: %s %lu\n", inet_ntoa(counts[i].addr),
		       counts[i].seen);
	return 0;
}
