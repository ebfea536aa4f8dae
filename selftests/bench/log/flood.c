// SPDX-License-Identifier: GPL-2.0-only
/* Sends the shortest of UDP packets, as fast as it can. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define PORT		9	/* discard */
#define AT_ONCE		32

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(PORT),
	};
	static const char data[18];
	long long end;
	int i, fd;

	if (argc != 3 || !inet_aton(argv[1], &addr.sin_addr)) {
		fprintf(stderr, "usage: flood ADDRESS SECONDS\n");
		return 64;
	}
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	/* Not connected: an answer that nobody listens there is not for us */
	for (end = now_ms() + 1000LL * atoi(argv[2]); fd >= 0 && now_ms() < end;)
		for (i = 0; i < AT_ONCE; i++)
			sendto(fd, data, sizeof(data), 0, (struct sockaddr *)&addr,
			       sizeof(addr));
	return fd < 0;
}
