// SPDX-License-Identifier: GPL-2.0-only
/* vfmig check: runs the conformance suite, and gives a verdict */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session.h"

/* The statuses of a program of the kernel's selftest harness */
#define SUITE_PASSED	0
#define SUITE_FAILED	1
#define SUITE_SKIPPED	4

struct count {
	unsigned int passed;
	unsigned int failed;
	unsigned int skipped;
	unsigned int announced;
	struct json_object *failures;
};

static FILE *start_suite(const char *suite, const char *bdf, const char *peer, pid_t *pid)
{
	int fds[2];

	if (pipe(fds))
		return NULL;
	*pid = fork();
	if (!*pid) {
		/* With its own children, so that all of them can be ended. */
		setpgid(0, 0);
		dup2(fds[1], STDOUT_FILENO);
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		execl(suite, suite, "--device", bdf, peer ? "--peer" : NULL, peer, NULL);
		_exit(127);
	}
	close(fds[1]);
	setpgid(*pid, *pid);
	return fdopen(fds[0], "r");
}

static void take_result(struct count *count, char *line)
{
	line[strcspn(line, "\n")] = '\0';
	if (!strncmp(line, "1..", 3))
		count->announced = atoi(line + 3);
	else if (!strncmp(line, "ok ", 3) && strstr(line, "# SKIP"))
		count->skipped++;
	else if (!strncmp(line, "ok ", 3))
		count->passed++;
	if (strncmp(line, "not ok ", 7))
		return;
	count->failed++;
	line += 7;
	json_object_array_add(count->failures,
			      json_object_new_string(line + strspn(line, "0123456789 ")));
}

static int follow(FILE *suite, pid_t pid, struct count *count, bool verbose)
{
	char line[1024];
	int status;

	while (fgets(line, sizeof(line), suite)) {
		if (verbose)
			fputs(line, stderr);
		take_result(count, line);
	}
	fclose(suite);
	if (stopped_by())
		kill(-pid, SIGTERM);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void show(struct json_object *tree)
{
	struct json_object *failures;
	size_t i;

	json_object_object_get_ex(tree, "failures", &failures);
	for (i = 0; i < json_object_array_length(failures); i++)
		printf("failed: %s\n",
		       json_object_get_string(json_object_array_get_idx(failures, i)));
	printf("%s %s: %llu passed, %llu failed, %llu skipped\n", get_text(tree, "device"),
	       get_text(tree, "verdict"), get_number(tree, "passed"),
	       get_number(tree, "failed"), get_number(tree, "skipped"));
}

static int report(const struct options *opt, const char *bdf, struct count *count, bool good)
{
	struct json_object *tree = json_object_new_object();

	put_text(tree, "device", bdf);
	put_text(tree, "verdict", good ? "conforms" : "does not conform");
	put_number(tree, "passed", count->passed);
	put_number(tree, "failed", count->failed);
	put_number(tree, "skipped", count->skipped);
	json_object_object_add(tree, "failures", json_object_get(count->failures));
	put_result(tree, opt->json ? NULL : show);
	return good ? DONE : FAILED;
}

static int judge(const struct options *opt, const char *bdf, struct count *count, int status)
{
	unsigned int seen = count->passed + count->failed + count->skipped;

	if (stopped_by()) {
		vfmig_err("stopped by a signal before the suite had ended: there is no verdict");
		return 128 + stopped_by();
	}
	if (!count->announced || seen != count->announced ||
	    (status != SUITE_PASSED && status != SUITE_FAILED && status != SUITE_SKIPPED)) {
		vfmig_err("the suite ended with status %d after %u of %u tests: there is no verdict; --verbose shows what it said",
			  status, seen, count->announced);
		return FAILED;
	}
	if (!count->passed && !count->failed) {
		vfmig_err("the suite has skipped all of its tests: there is no verdict; --verbose shows why");
		return FAILED;
	}
	return report(opt, bdf, count, !count->failed);
}

static int run(const struct options *opt, const char *suite, const char *bdf,
	       const char *peer)
{
	struct count count = { .failures = json_object_new_array() };
	FILE *output;
	pid_t pid;
	int ret;

	stop_on_signals();
	output = start_suite(suite, bdf, peer, &pid);
	if (!output) {
		vfmig_err("the suite %s cannot be started: %s", suite, strerror(errno));
		ret = FAILED;
	} else {
		ret = follow(output, pid, &count, opt->verbose);
		ret = judge(opt, bdf, &count, ret);
	}
	json_object_put(count.failures);
	return ret;
}

/* It opens and closes the devices: better now than to find it out test by test. */
static int try_open(const struct options *opt)
{
	struct session s;
	int ret;

	ret = session_begin(&s, opt);
	if (!ret)
		ret = session_open(&s, opt->arg[0]);
	if (!ret && opt->peer)
		ret = session_open(&s, opt->peer);
	session_end(&s);
	return ret;
}

int cmd_check(const struct options *opt)
{
	const char *suite = opt->suite ? opt->suite : SUITE;
	char bdf[BDF_LEN], peer[BDF_LEN];
	int ret;

	if (access(suite, X_OK)) {
		vfmig_err("the conformance suite is not installed as %s: build it (\"make -C selftests\", which needs the kernel's kselftest_harness.h), and name it by --suite",
			  suite);
		return FAILED;
	}
	ret = pci_find(opt->arg[0], bdf);
	if (!ret && opt->peer)
		ret = pci_find(opt->peer, peer);
	if (!ret)
		ret = try_open(opt);
	return ret ? ret : run(opt, suite, bdf, opt->peer ? peer : NULL);
}
