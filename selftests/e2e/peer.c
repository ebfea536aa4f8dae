// SPDX-License-Identifier: GPL-2.0-only
/*
 * Both ends of one TCP connection that carries numbered records both ways.
 *
 * Each record has a number and a checksum of its own. TCP alone would not do:
 * the NIC checks its checksum, so a page that is lost between the NIC's DMA and
 * the copy of the memory would go unnoticed. The connection is made once. When
 * it ends before both sides have said their last word, that is a failure.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC	1000000000LL
#define RECORD_MAGIC	0x67696d76
#define RECORD_SIZE	512
#define CONNECT_SECONDS	30
#define GOODBYE_SECONDS	15
#define UUID_CHARS	36
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

enum record_type {
	RECORD_DATA = 1,
	RECORD_LAST = 2,
};

/* In host byte order: both ends run on the same kind of CPU. */
struct record {
	__u32 crc;		/* over all that follows */
	__u32 magic;
	__u32 type;
	__u32 reserved;
	__u64 number;	/* for RECORD_LAST: how many came before it */
	__u64 received;	/* the sender has had that many good records */
	__u64 uptime;	/* of the sender, in ns */
	char boot_id[UUID_CHARS + 4];
	__u64 fill[(RECORD_SIZE - 80) / 8];
};

static_assert(sizeof(struct record) == RECORD_SIZE, "record has a hole");

/* What to do wrong on purpose, so that the checks can be seen to work. */
enum mischief {
	MISCHIEF_NONE,
	MISCHIEF_LOSE,
	MISCHIEF_REPEAT,
	MISCHIEF_CORRUPT,
	MISCHIEF_CLOSE,
};

static const char * const mischief_names[] = {
	[MISCHIEF_LOSE] = "lose",
	[MISCHIEF_REPEAT] = "repeat",
	[MISCHIEF_CORRUPT] = "corrupt",
	[MISCHIEF_CLOSE] = "close",
};

struct options {
	bool listen;
	unsigned int rate;
	unsigned int interval_ms;
	unsigned int silence_s;
	enum mischief mischief;
	__u64 mischief_at;
	struct sockaddr_in addr;
};

struct peer {
	const struct options *opt;
	int fd;
	int stop_fd;		/* readable once SIGTERM has come */
	bool asked_to_stop;

	struct record out;
	size_t out_done;	/* bytes of it that the socket has taken */
	bool out_busy;
	bool mischief_done;
	__u64 sent;
	__s64 next_send;
	bool said_last;

	struct record in;
	size_t in_done;
	__u64 expected;
	__u64 good;
	__u64 lost;
	__u64 stale;		/* repeated, or behind a later one */
	__u64 corrupt;
	bool heard_last;
	__u64 last_number;
	__s64 heard_at;

	char boot_id[UUID_CHARS + 1];
	char far_boot_id[UUID_CHARS + 1];
	unsigned int far_boots;
	__u64 far_uptime;
	__u64 far_received;
	bool far_uptime_fell;
};

static __u32 crc_table[256];

static noreturn void die(const char *fmt, ...)
{
	va_list ap;

	printf("peer: failed: ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
	exit(2);
}

static __s64 clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static __s64 now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static void crc_init(void)
{
	for (__u32 i = 0; i < 256; i++) {
		__u32 c = i;

		for (int bit = 0; bit < 8; bit++)
			c = c & 1 ? (c >> 1) ^ 0xedb88320 : c >> 1;
		crc_table[i] = c;
	}
}

static __u32 record_crc(const struct record *rec)
{
	const unsigned char *p = (const unsigned char *)rec;
	__u32 c = ~0U;

	for (size_t i = sizeof(rec->crc); i < sizeof(*rec); i++)
		c = crc_table[(c ^ p[i]) & 0xff] ^ (c >> 8);
	return ~c;
}

static void read_boot_id(char *boot_id)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	if (read(fd, boot_id, UUID_CHARS) != UUID_CHARS)
		die("%s is too short", path);
	close(fd);
	boot_id[UUID_CHARS] = '\0';
}

static void fill_record(struct peer *p, enum record_type type)
{
	struct record *rec = &p->out;
	__u64 x = p->sent * 0x9e3779b97f4a7c15ULL + 1;

	memset(rec, 0, sizeof(*rec));
	rec->magic = RECORD_MAGIC;
	rec->type = type;
	rec->number = p->sent;
	rec->received = p->good;
	rec->uptime = clock_ns(CLOCK_BOOTTIME);
	memcpy(rec->boot_id, p->boot_id, sizeof(p->boot_id));
	for (size_t i = 0; i < ARRAY_SIZE(rec->fill); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		rec->fill[i] = x;
	}
	rec->crc = record_crc(rec);
}

static void do_mischief(struct peer *p)
{
	p->mischief_done = true;
	switch (p->opt->mischief) {
	case MISCHIEF_LOSE:
		p->sent++;
		break;
	case MISCHIEF_REPEAT:
		p->sent--;
		break;
	case MISCHIEF_CORRUPT:
		p->out.fill[0] ^= 1;
		return;
	case MISCHIEF_CLOSE:
		close(p->fd);
		die("closed the connection on purpose");
	case MISCHIEF_NONE:
		return;
	}
	fill_record(p, RECORD_DATA);
}

static void start_record(struct peer *p, enum record_type type)
{
	fill_record(p, type);
	if (type == RECORD_DATA && p->sent == p->opt->mischief_at &&
	    !p->mischief_done)
		do_mischief(p);
	p->out_done = 0;
	p->out_busy = true;
	if (type == RECORD_DATA)
		p->sent++;
	else
		p->said_last = true;
}

static void push_out(struct peer *p)
{
	const char *bytes = (const char *)&p->out;

	while (p->out_busy) {
		ssize_t n = send(p->fd, bytes + p->out_done,
				 sizeof(p->out) - p->out_done, MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			die("send: %s", strerror(errno));
		p->out_done += n;
		p->out_busy = p->out_done < sizeof(p->out);
	}
}

static void note_far_end(struct peer *p, const struct record *rec)
{
	if (memcmp(p->far_boot_id, rec->boot_id, sizeof(p->far_boot_id))) {
		memcpy(p->far_boot_id, rec->boot_id, sizeof(p->far_boot_id));
		p->far_boots++;
	}
	if (rec->uptime < p->far_uptime)
		p->far_uptime_fell = true;
	p->far_uptime = rec->uptime;
	p->far_received = rec->received;
}

static void check_record(struct peer *p)
{
	const struct record *rec = &p->in;

	if (rec->magic != RECORD_MAGIC || rec->crc != record_crc(rec)) {
		p->corrupt++;
		p->expected++;
		return;
	}
	note_far_end(p, rec);

	if (rec->number > p->expected)
		p->lost += rec->number - p->expected;
	if (rec->type == RECORD_LAST) {
		p->heard_last = true;
		p->last_number = rec->number;
		return;
	}
	if (rec->number < p->expected) {
		p->stale++;
		return;
	}
	p->expected = rec->number + 1;
	p->good++;
}

/* One record at most: who can hardly read as fast as the other sends must send as well. */
static void pull_in(struct peer *p)
{
	char *bytes = (char *)&p->in;

	while (!p->heard_last) {
		ssize_t n = recv(p->fd, bytes + p->in_done,
				 sizeof(p->in) - p->in_done, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			die("recv: %s", strerror(errno));
		if (!n)
			die("the far end closed the connection before its last record");
		p->heard_at = now_ns();
		p->in_done += n;
		if (p->in_done == sizeof(p->in)) {
			check_record(p);
			p->in_done = 0;
			return;
		}
	}
}

static unsigned int retransmits(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return 0;
	return info.tcpi_total_retrans;
}

static void print_state(const struct peer *p, const char *what)
{
	printf("peer: %s record=%zu sent=%llu received=%llu",
	       what, sizeof(p->in), p->sent, p->good);
	printf(" lost=%llu stale=%llu corrupt=%llu retransmits=%u",
	       p->lost, p->stale, p->corrupt, retransmits(p->fd));
	printf(" far_received=%llu far_uptime=%.3f far_uptime_fell=%d",
	       p->far_received, p->far_uptime / 1e9, p->far_uptime_fell);
	printf(" far_boots=%u far_boot_id=%s\n", p->far_boots,
	       p->far_boots ? p->far_boot_id : "none");
	fflush(stdout);
}

static void maybe_send(struct peer *p)
{
	__s64 now = now_ns();

	if (p->out_busy || p->said_last)
		return;
	if (p->asked_to_stop || p->heard_last) {
		start_record(p, RECORD_LAST);
		return;
	}
	if (now < p->next_send)
		return;
	start_record(p, RECORD_DATA);
	p->next_send += NSEC_PER_SEC / p->opt->rate;
	/* A blackout is not made up for: no burst after it. */
	if (p->next_send < now - NSEC_PER_SEC / 10)
		p->next_send = now;
}

static void wait_for_work(struct peer *p, __s64 wake_at)
{
	struct pollfd pfd[] = {
		{ .fd = p->fd, .events = p->heard_last ? 0 : POLLIN },
		{ .fd = p->asked_to_stop ? -1 : p->stop_fd, .events = POLLIN },
	};
	__s64 left = wake_at - now_ns();
	struct timespec ts;

	if (p->out_busy)
		pfd[0].events |= POLLOUT;
	if (left < 0)
		left = 0;
	ts.tv_sec = left / NSEC_PER_SEC;
	ts.tv_nsec = left % NSEC_PER_SEC;
	if (ppoll(pfd, ARRAY_SIZE(pfd), &ts, NULL) > 0 && pfd[1].revents)
		p->asked_to_stop = true;
}

static bool finished(const struct peer *p)
{
	return p->said_last && p->heard_last && !p->out_busy;
}

static void converse(struct peer *p)
{
	const struct options *opt = p->opt;
	__s64 interval = opt->interval_ms * 1000000LL;
	__s64 print_at = now_ns();
	__s64 leave_at = 0;

	p->next_send = print_at;
	p->heard_at = print_at;
	while (!finished(p)) {
		__s64 now = now_ns();
		__s64 wake_at = now + NSEC_PER_SEC;	/* to look at the limits */

		if (now >= print_at) {
			print_state(p, "state");
			print_at = now + interval;
		}
		if (print_at < wake_at)
			wake_at = print_at;
		if (now - p->heard_at > opt->silence_s * NSEC_PER_SEC)
			die("nothing heard for %u s", opt->silence_s);
		if (p->said_last && !leave_at)
			leave_at = now + GOODBYE_SECONDS * NSEC_PER_SEC;
		if (leave_at && now > leave_at)
			die("no last record from the far end in %d s",
			    GOODBYE_SECONDS);

		maybe_send(p);
		push_out(p);
		if (!p->said_last && !p->out_busy && p->next_send < wake_at)
			wake_at = p->next_send;
		if (finished(p))
			break;
		wait_for_work(p, wake_at);
		pull_in(p);
	}
}

static int listen_once(const struct sockaddr_in *addr)
{
	int one = 1;
	int fd, conn;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)))
		die("bind: %s", strerror(errno));
	if (listen(fd, 1))
		die("listen: %s", strerror(errno));
	printf("peer: listening\n");
	fflush(stdout);
	conn = accept(fd, NULL, NULL);
	if (conn < 0)
		die("accept: %s", strerror(errno));
	/* A second connection is refused from here on. */
	close(fd);
	return conn;
}

static int connect_patiently(const struct sockaddr_in *addr)
{
	__s64 give_up = now_ns() + CONNECT_SECONDS * NSEC_PER_SEC;

	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0)
			die("socket: %s", strerror(errno));
		if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)))
			return fd;
		if (now_ns() > give_up)
			die("connect: %s", strerror(errno));
		close(fd);
		usleep(200000);
	}
}

static noreturn void bad_usage(void)
{
	fprintf(stderr,
		"usage: peer [-l] [-r RATE] [-i MS] [-t SECONDS] [-b KIND:N] ADDRESS PORT\n"
		"Exchanges numbered records over one TCP connection and checks each of them.\n"
		"  -l          wait for the connection at ADDRESS (default: connect to it)\n"
		"  -r RATE     records to send in a second (200)\n"
		"  -i MS       print the counts that often (500)\n"
		"  -t SECONDS  fail after so long a silence (25)\n"
		"  -b KIND:N   break record N on purpose: lose, repeat, corrupt or close\n"
		"SIGTERM ends the exchange in an orderly way.\n"
		"The exit status is 0 only if nothing was lost, repeated, reordered or corrupted.\n");
	exit(64);
}

static unsigned int number_arg(const char *s, unsigned int max)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (!*s || *end || !n || n > max)
		bad_usage();
	return n;
}

static void mischief_arg(struct options *opt, const char *s)
{
	const char *colon = strchr(s, ':');

	if (!colon)
		bad_usage();
	for (int i = MISCHIEF_LOSE; i <= MISCHIEF_CLOSE; i++) {
		if (strlen(mischief_names[i]) == (size_t)(colon - s) &&
		    !strncmp(mischief_names[i], s, colon - s))
			opt->mischief = i;
	}
	if (!opt->mischief)
		bad_usage();
	opt->mischief_at = number_arg(colon + 1, 1000000);
}

static void parse_args(struct options *opt, int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "lr:i:t:b:")) != -1) {
		switch (c) {
		case 'l':
			opt->listen = true;
			break;
		case 'r':
			opt->rate = number_arg(optarg, 100000);
			break;
		case 'i':
			opt->interval_ms = number_arg(optarg, 3600000);
			break;
		case 't':
			opt->silence_s = number_arg(optarg, 3600);
			break;
		case 'b':
			mischief_arg(opt, optarg);
			break;
		default:
			bad_usage();
		}
	}
	if (argc - optind != 2)
		bad_usage();
	opt->addr.sin_family = AF_INET;
	if (!inet_aton(argv[optind], &opt->addr.sin_addr))
		bad_usage();
	opt->addr.sin_port = htons(number_arg(argv[optind + 1], 65535));
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
		die("signalfd: %s", strerror(errno));
	return fd;
}

int main(int argc, char **argv)
{
	struct options opt = {
		.rate = 200,
		.interval_ms = 500,
		.silence_s = 25,
	};
	struct peer peer = { .opt = &opt };
	int one = 1;
	bool fine;

	parse_args(&opt, argc, argv);
	crc_init();
	read_boot_id(peer.boot_id);

	peer.fd = opt.listen ? listen_once(&opt.addr) :
			       connect_patiently(&opt.addr);
	peer.stop_fd = catch_sigterm();
	setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fcntl(peer.fd, F_SETFL, O_NONBLOCK))
		die("fcntl: %s", strerror(errno));
	printf("peer: connected\n");

	converse(&peer);
	fine = !peer.lost && !peer.stale && !peer.corrupt &&
	       peer.good == peer.last_number && peer.far_boots == 1 &&
	       !peer.far_uptime_fell;
	print_state(&peer, fine ? "done" : "broken");
	return fine ? 0 : 1;
}
