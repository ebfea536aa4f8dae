// SPDX-License-Identifier: GPL-2.0-only
/*
 * soak: two tenants who do all they can think of to their VFs at once, and a
 * host that lets errors happen, resets VFs, and takes them away. Nothing may
 * hang, no rule may be broken, and whenever all is still the VFs have to work.
 */
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/lab.h"
#include "soak.h"

#define SECONDS		15
#define GRACE_MS	180000

struct soak *soak;

static void usage(const char *name)
{
	printf("%s [--seconds N] [--seed N]\n"
	       "\n"
	       "Has two processes use and abuse the VFs of VFMIG_VFS, half of them each,\n"
	       "while errors, resets and unbinding happen to them.\n"
	       "\n"
	       "  --seconds N   how long (default: %u)\n"
	       "  --seed N      what each thread tries, in which order; the default is\n"
	       "                another one each time. When threads meet is up to the\n"
	       "                machine\n",
	       name, SECONDS);
}

static int parse(int argc, char **argv, unsigned int *seconds)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'd' },
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
			soak->seed = strtoul(optarg, NULL, 0);
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

static void make_books(void)
{
	pthread_rwlockattr_t attr;

	soak = mmap(NULL, sizeof(*soak), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (soak == MAP_FAILED)
		ksft_exit_fail_msg("no memory\n");
	soak_open_books();
	soak->seed = time(NULL);
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_rwlock_init(&soak->calm, &attr);
}

static bool migratable(void)
{
	struct lab lab = {};
	__u64 flags;
	bool ret;

	if (lab_open(&lab, 1))
		return false;
	ret = !vfio_mig_flags(&lab.vf[0], &flags);
	lab_close(&lab);
	return ret;
}

static void start_tenants(pid_t *pid, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < SOAK_TENANTS; i++) {
		pid[i] = fork();
		if (pid[i] < 0)
			ksft_exit_fail_msg("no process\n");
		if (!pid[i])
			_exit(soak_tenant(i, nr));
	}
}

/* Whether @pid, which is set to 0 when it has, has ended */
static bool gone(pid_t *pid)
{
	int status;

	if (!*pid)
		return true;
	if (waitpid(*pid, &status, WNOHANG) != *pid)
		return false;
	*pid = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		soak_bad("a tenant has died, status %#x", status);
	return true;
}

/* Until the time is up or something is wrong, and all have come to their end */
static void watch(pid_t *pid)
{
	unsigned int left = SOAK_TENANTS, i;

	while (left && clock_ms() < soak->end + GRACE_MS) {
		usleep(100000);
		if (clock_ms() > soak->end)
			__atomic_store_n(&soak->books.stop, true, __ATOMIC_RELEASE);
		left = soak_host_threads();
		for (i = 0; i < SOAK_TENANTS; i++)
			left += !gone(&pid[i]);
		/* It hangs for good, and all that there is to say has been said */
		if (books_find_hung(&soak->books))
			break;
	}
	if (left)
		soak_bad("%u threads or processes do not come to an end", left);
}

static void finish(void)
{
	if (!soak->books.bad)
		soak_find_missing();
	books_print(&soak->books);
	if (soak->books.bad)
		ksft_print_msg("seed %u: %s\n", soak->seed, soak->books.what);
	ksft_test_result(!soak->books.bad, "soak\n");
	ksft_print_cnts();
	fflush(stdout);
	/* Not even exit() if there is a thread that hangs */
	_exit(soak->books.bad ? KSFT_FAIL : KSFT_PASS);
}

int main(int argc, char **argv)
{
	unsigned int seconds = SECONDS, nr;
	pid_t pid[SOAK_TENANTS];

	setvbuf(stdout, NULL, _IOLBF, 0);
	make_books();
	if (parse(argc, argv, &seconds)) {
		usage(argv[0]);
		return KSFT_FAIL;
	}
	ksft_print_header();
	nr = lab_vf_count() / SOAK_TENANTS;
	if (!nr || !lab_netdev())
		ksft_exit_skip("needs %u VFs and a PF, see run_tests.sh\n",
			       SOAK_TENANTS);
	if (!migratable())
		ksft_exit_skip("the driver offers no migration\n");
	ksft_set_plan(1);
	ksft_print_msg("%u s, seed %u\n", seconds, soak->seed);

	soak->end = clock_ms() + seconds * 1000LL;
	start_tenants(pid, nr > SOAK_DEVS ? SOAK_DEVS : nr);
	if (soak_host_start())
		ksft_exit_fail_msg("no thread\n");
	watch(pid);
	finish();
}
