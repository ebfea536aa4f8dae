// SPDX-License-Identifier: GPL-2.0-only
/* Holding a device to requirements, and telling how it did */
#include <stdarg.h>
#include <stdio.h>

#include "conformance.h"

#define MAX_TOLD	8

static bool announced(const struct conf_test *test, enum req_id req)
{
	unsigned int i;

	for (i = 0; i < MAX_HOLDS; i++)
		if (test->holds[i] == req)
			return true;
	return false;
}

/* The table of results names tests by what they announce: so that must be true */
static void check_announced(const struct conf *c, enum req_id req)
{
	if (announced(c->test, req))
		return;
	printf("# %s does not announce %s\n", c->test->name,
	       requirements[req].id);
	abort();
}

static bool judge(struct conf *c, enum req_id req, bool ok, const char *fmt,
		  va_list args)
{
	const struct requirement *r = &requirements[req];

	check_announced(c, req);
	if (ok) {
		if (c->verdict[req] != BROKEN)
			c->verdict[req] = HELD;
		return true;
	}

	if (c->verdict[req] != BROKEN)
		printf("# BROKEN %s: %s [%s]\n", r->id, r->words, r->place);
	c->verdict[req] = BROKEN;
	if (c->told[req]++ < MAX_TOLD) {
		printf("#        ");
		vprintf(fmt, args);
		printf("\n");
	}
	return false;
}

bool holds(struct conf *c, enum req_id req, bool ok, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	judge(c, req, ok, fmt, args);
	va_end(args);
	return ok;
}

/* Where there is no going on without it */
void must(struct conf *c, enum req_id req, bool ok, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	judge(c, req, ok, fmt, args);
	va_end(args);
	if (!ok)
		longjmp(c->end, 1);
}

/* What only counts as a requirement in another test, and this one needs */
void need(struct conf *c, bool ok, const char *fmt, ...)
{
	va_list args;

	if (ok)
		return;
	printf("# cannot go on: ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	c->gave_up = true;
	longjmp(c->end, 1);
}

void give_reason(struct conf *c, enum req_id req, const char *fmt, ...)
{
	va_list args;

	check_announced(c, req);
	if (c->verdict[req] != UNSEEN)
		return;
	c->verdict[req] = UNTESTED;
	va_start(args, fmt);
	vsnprintf(c->reason[req], sizeof(c->reason[req]), fmt, args);
	va_end(args);
}

void remark(const char *fmt, ...)
{
	va_list args;

	printf("# note: ");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
}

/* Returns how many of the requirements have not been held */
static unsigned int sum_up(struct conf *c, bool ended_early)
{
	unsigned int i, bad = c->gave_up;
	enum req_id req;

	for (i = 0; i < MAX_HOLDS && c->test->holds[i]; i++) {
		req = c->test->holds[i];
		printf("# %s: ", requirements[req].id);
		switch (c->verdict[req]) {
		case HELD:
			printf("held\n");
			break;
		case BROKEN:
			bad++;
			printf("broken\n");
			break;
		case UNTESTED:
			printf("not tested: %s\n", c->reason[req]);
			break;
		default:
			/* What a test announces and does not do is a bug in it */
			bad += !ended_early;
			printf("not tested: %s\n", ended_early ?
			       "the test had to end" : "forgotten");
		}
	}
	return bad;
}

unsigned int conf_run(struct conf *c, const struct conf_test *test)
{
	unsigned int bad;

	c->test = test;
	if (!setjmp(c->end)) {
		test->run(c);
		bad = sum_up(c, false);
	} else {
		bad = sum_up(c, true);
	}
	fflush(stdout);
	return bad;
}

/* For a script: what there is, a line each, the fields parted by tabs */
void conf_list(const struct conf_entry *tests, size_t nr)
{
	const struct conf_test *test;
	const struct requirement *r;
	unsigned int i, j;

	for (i = R_NONE + 1; i < NR_REQS; i++) {
		r = &requirements[i];
		printf("requirement\t%s\t%s\t%s\t%s\n", r->id, r->place,
		       r->words, r->untested ?: "");
	}
	for (i = 0; i < nr; i++) {
		test = tests[i].test;
		printf("test\t%s\t", test->name);
		for (j = 0; j < MAX_HOLDS && test->holds[j]; j++)
			printf("%s%s", j ? " " : "",
			       requirements[test->holds[j]].id);
		printf("\n");
	}
}
