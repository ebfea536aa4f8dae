// SPDX-License-Identifier: GPL-2.0-only
/*
 * ^C and its like. Work that has begun is not torn off: it looks here between two
 * steps, and goes back to where it came from.
 */
#include <signal.h>
#include <stddef.h>

#include "vfmig.h"

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
static int stopped;

static void note(int number)
{
	__atomic_store_n(&stopped, number, __ATOMIC_RELAXED);
}

/* Without SA_RESTART, so that a read or a write ends as well. */
void stop_on_signals(void)
{
	struct sigaction action = { .sa_handler = note };
	size_t i;

	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &action, NULL);
}

/* The number of the signal, or 0 */
int stopped_by(void)
{
	return __atomic_load_n(&stopped, __ATOMIC_RELAXED);
}

/* For what must not be left half done */
void hold_signals(bool hold)
{
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaddset(&set, signals[i]);
	sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}
