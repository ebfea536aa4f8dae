// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sends the shortest of UDP packets, as fast as it can, to several addresses by short
 * turns. Prints for each how many that were, and the seconds that it took until they
 * were sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT		9	/* discard */
#define AT_ONCE		32
#define MAX_ADDRESSES	8
#define TURN		0.3
#define PAUSE_US	60000	/* for those that receive to be done */
#define PATIENCE	10.0	/* seconds */

struct target {
	struct sockaddr_in addr;
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
	static char data[18];
	struct iovec iov = { .iov_base = data, .iov_len = sizeof(data) };
	struct mmsghdr msgs[AT_ONCE];
	int i, sent;

	for (i = 0; i < AT_ONCE; i++)
		msgs[i].msg_hdr = (struct msghdr) {
			.msg_name = &target->addr,
			.msg_namelen = sizeof(target->addr),
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

int main(int argc, char **argv)
{
	static struct target targets[MAX_ADDRESSES];
	int i, rounds, nr = argc - 2;
	/* Not connected: what is answered is not for us */
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (nr < 1 || nr > MAX_ADDRESSES) {
		fprintf(stderr, "usage: flood ROUNDS ADDRESS...\n");
		return 64;
	}
	if (fd < 0)
		die("socket");
	for (i = 0; i < nr; i++) {
		targets[i].addr.sin_family = AF_INET;
		targets[i].addr.sin_port = htons(PORT);
		if (!inet_aton(argv[i + 2], &targets[i].addr.sin_addr))
			die(argv[i + 2]);
	}
	for (rounds = atoi(argv[1]); rounds; rounds--)
		for (i = 0; i < nr; i++)
			take_turn(fd, &targets[i]);
	for (i = 0; i < nr; i++)
		printf("%lu %.6f%s", targets[i].packets, targets[i].seconds,
		       i + 1 < nr ? " " : "\n");
	return 0;
}
