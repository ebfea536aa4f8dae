/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames without end, from the PF to a VF, of all sizes that go on the wire */
#ifndef SELFTESTS_LIB_SENDER_H
#define SELFTESTS_LIB_SENDER_H

#include <pthread.h>
#include <stdbool.h>

#include "nic.h"
#include "peer.h"

struct sender {
	pthread_t thread;
	struct peer peer;
	bool running;
	bool pause;
	bool paused;
	bool end;
};

int sender_start(struct sender *sender);
void sender_stop(struct sender *sender);
void rest_us(long us);
void sender_pause(struct sender *sender, struct nic *nic);
void sender_resume(struct sender *sender);

#endif
