// SPDX-License-Identifier: GPL-2.0-only
/*
 * hammer: calls everything that the files of a device can be called for, from
 * several threads, with arguments that are of the right size and little else. The
 * kernel has to live, nobody hangs, and neither the user of another VF nor the next
 * one of this VF notices.
 */
#include <getopt.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hammer.h"

#define SECONDS		8
#define LONGEST		12	/* times that */
/* In so many all that can succeed has done so */
#define ENOUGH_TURNS	60000
/* For a process to go, after its session and all that it may have waited for */
#define GRACE_MS	120000

struct hammer *hammer;

static void usage(const char *name)
{
	printf("%s [--seconds N] [--seed N] [--variant group|cdev]\n"
	       "\n"
	       "Hammers on the first VF of VFMIG_VFS, while another user has the second.\n"
	       "\n"
	       "  --seconds N   how long, for each of the two ways to open a device\n"
	       "                (default: %u)\n"
	       "  --seed N      what each thread tries, in which order; the default is\n"
	       "                another one each time. When threads meet is up to the\n"
	       "                machine\n"
	       "  --variant V   one of the two: through the group, or by the file of its\n"
	       "                own and an iommufd\n",
	       name, SECONDS);
}

static int parse(int argc, char **argv, unsigned int *seconds,
		 const char **variant)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'd' },
		{ "variant", required_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{}
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 's':
			*seconds = strtoul(optarg, NULL, 0);
			break;
		case 'd':
			hammer->seed = strtoul(optarg, NULL, 0);
			break;
		case 'v':
			*variant = optarg;
			break;
		case 'h':
			usage(argv[0]);
			exit(KSFT_PASS);
		default:
			return -1;
		}
	}
	return optind == argc ? 0 : -1;
}

static pid_t start_session(bool cdev)
{
	pid_t pid = fork();

	if (!pid)
		_exit(hammer_session(hammer->sessions, cdev) ? 1 : 0);
	if (pid < 0)
		hammer_bad("no process");
	hammer->sessions++;
	return pid;
}

/* It ends by itself, or by its own hand */
static void judge_end(int status)
{
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		books_count(&hammer->books, HAMMER_END, 0);
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		books_count(&hammer->books, HAMMER_END, 0);
	else if (WIFEXITED(status))
		hammer_bad("session %u: the device cannot be opened",
			   hammer->sessions - 1);
	else
		hammer_bad("session %u: signal %d", hammer->sessions - 1,
			   WTERMSIG(status));
}

/* False where @pid does not come to an end */
static bool await_session(struct bystander *b, pid_t pid)
{
	long long end = clock_ms() + GRACE_MS;
	unsigned int n;
	int status;

	for (n = 1; waitpid(pid, &status, WNOHANG) != pid; n++) {
		usleep(10000);
		if (n % 25 == 0 && !books_stopped(&hammer->books))
			bystander_check(b);
		if (books_find_hung(&hammer->books) || clock_ms() > end) {
			hammer_bad("session %u does not end",
				   hammer->sessions - 1);
			return false;
		}
	}
	judge_end(status);
	memset(hammer->books.task, 0,
	       HAMMER_MAIN * sizeof(*hammer->books.task));
	return true;
}

/* A machine that is slow gets longer */
static bool goes_on(long long start, unsigned int seconds)
{
	long long ms = clock_ms() - start;

	if (books_stopped(&hammer->books))
		return false;
	if (ms < seconds * 1000LL)
		return true;
	return hammer_missing() && hammer->turns < ENOUGH_TURNS &&
	       ms < LONGEST * seconds * 1000LL;
}

static bool hammer_on(struct bystander *b, bool cdev, unsigned int seconds)
{
	long long start = clock_ms();
	pid_t pid;

	while (goes_on(start, seconds)) {
		pid = start_session(cdev);
		if (pid > 0 && !await_session(b, pid))
			return false;
	}
	return true;
}

static void die(void)
{
	ksft_test_result_fail("seed %u: %s\n", hammer->seed, hammer->books.what);
	exit(KSFT_FAIL);
}

static void run_variant(const char *name, bool cdev, unsigned int seconds)
{
	struct bystander b = {};
	char bdf[16];
	int ret;

	hammer_clear_counts();
	books_enter(&hammer->books, HAMMER_MAIN);
	ret = bystander_open(&b, cdev);
	if (ret)
		hammer_bad("the second VF: %s", strerror(-ret));
	if (!hammer_on(&b, cdev, seconds))
		die();
	books_enter(&hammer->books, HAMMER_MAIN);
	lab_vf_name(0, bdf, sizeof(bdf));
	if (!hammer->books.bad) {
		bystander_check(&b);
		bystander_finish(&b, bdf);
	}
	bystander_close(&b);
	if (hammer_missing())
		hammer_bad("%s: not once with success in %lu turns",
			   hammer_missing(), hammer->turns);
	books_print(&hammer->books);
	ksft_print_msg("%s: %u sessions, %lu turns\n", name, hammer->sessions,
		       hammer->turns);
	if (hammer->books.bad)
		die();
	ksft_test_result_pass("%s\n", name);
}

static void run(const char *name, bool cdev, unsigned int seconds,
		const char *wanted)
{
	if (wanted && strcmp(wanted, name))
		ksft_test_result_skip("%s: not asked for\n", name);
	else if (cdev && !vfio_has_cdev())
		ksft_test_result_skip("%s: the kernel has no iommufd\n", name);
	else
		run_variant(name, cdev, seconds);
}

int main(int argc, char **argv)
{
	const char *variant = NULL;
	unsigned int seconds = SECONDS;

	setvbuf(stdout, NULL, _IOLBF, 0);
	hammer = mmap(NULL, sizeof(*hammer), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (hammer == MAP_FAILED)
		ksft_exit_fail_msg("no memory\n");
	hammer_open_books();
	hammer->seed = time(NULL);
	if (parse(argc, argv, &seconds, &variant)) {
		usage(argv[0]);
		return KSFT_FAIL;
	}
	ksft_print_header();
	if (lab_vf_count() < 2 || !lab_netdev())
		ksft_exit_skip("needs 2 VFs and a PF, see run_tests.sh\n");
	ksft_set_plan(2);
	ksft_print_msg("%u s, seed %u\n", seconds, hammer->seed);
	lab_one_processor();
	run("group", false, seconds, variant);
	run("cdev", true, seconds, variant);
	ksft_finished();
}
