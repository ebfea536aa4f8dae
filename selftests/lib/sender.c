// SPDX-License-Identifier: GPL-2.0-only
#include <sched.h>
#include <time.h>

#include "flow.h"
#include "lab.h"
#include "sender.h"

static void *send_frames(void *arg)
{
	struct sender *sender = arg;
	__u8 frame[PEER_MAX_FRAME];
	__u32 seed = 0;

	while (!__atomic_load_n(&sender->end, __ATOMIC_RELAXED)) {
		if (__atomic_load_n(&sender->pause, __ATOMIC_ACQUIRE)) {
			__atomic_store_n(&sender->paused, true, __ATOMIC_RELEASE);
			sched_yield();
			continue;
		}
		seed++;
		frame_build(frame, nic_mac, sender->peer.mac, -1, seed, flow_len(seed));
		peer_send(&sender->peer, frame, flow_len(seed));
	}
	return NULL;
}

int sender_start(struct sender *sender)
{
	int ret;

	ret = peer_open(&sender->peer, lab_netdev());
	if (ret)
		return ret;
	ret = -pthread_create(&sender->thread, NULL, send_frames, sender);
	sender->running = !ret;
	return ret;
}

void sender_stop(struct sender *sender)
{
	if (!sender->running)
		return;
	__atomic_store_n(&sender->end, true, __ATOMIC_RELAXED);
	pthread_join(sender->thread, NULL);
	peer_close(&sender->peer);
	sender->running = false;
}

void rest_us(long us)
{
	struct timespec ts = { .tv_nsec = us * 1000 };

	nanosleep(&ts, NULL);
}

/* Until nothing is under way any more: the head has come to rest */
void sender_pause(struct sender *sender, struct nic *nic)
{
	__u32 was, head = igbvf_read(&nic->vf, RDH(0));

	__atomic_store_n(&sender->paused, false, __ATOMIC_RELAXED);
	__atomic_store_n(&sender->pause, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&sender->paused, __ATOMIC_ACQUIRE))
		sched_yield();
	do {
		was = head;
		rest_us(5000);
		head = igbvf_read(&nic->vf, RDH(0));
	} while (head != was);
}

void sender_resume(struct sender *sender)
{
	__atomic_store_n(&sender->pause, false, __ATOMIC_RELEASE);
}
