/* SPDX-License-Identifier: MIT */
/*
 * Frames that are let go of by another thread than the one that took them.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "stress.h"

static void *releaser_run(void *argument) {
	struct releaser *releaser = argument;

	pthread_mutex_lock(&releaser->lock);
	while (!releaser->is_ending || releaser->n_held > 0) {
		struct held held;

		if (releaser->n_held == 0) {
			pthread_cond_wait(&releaser->change, &releaser->lock);
			continue;
		}
		held = releaser->held[--releaser->n_held];
		pthread_mutex_unlock(&releaser->lock);
		held_release(&held);
		/* [LOAN] release: everything done with the pin comes before its next use. */
		atomic_store_explicit(&releaser->is_busy[held.pin], 0, memory_order_release);
		pthread_mutex_lock(&releaser->lock);
	}
	pthread_mutex_unlock(&releaser->lock);
	return NULL;
}

void releaser_init(struct releaser *releaser) {
	*releaser = (struct releaser){.is_ending = false};
	pthread_mutex_init(&releaser->lock, NULL);
	pthread_cond_init(&releaser->change, NULL);
	if (pthread_create(&releaser->thread, NULL, releaser_run, releaser) != 0) {
		perror("pthread_create");
		exit(2);
	}
}

void releaser_give(struct releaser *releaser, const struct held *held) {
	/* [LOAN] relaxed: the lock carries it. */
	atomic_store_explicit(&releaser->is_busy[held->pin], 1, memory_order_relaxed);
	pthread_mutex_lock(&releaser->lock);
	releaser->held[releaser->n_held++] = *held;
	pthread_cond_signal(&releaser->change);
	pthread_mutex_unlock(&releaser->lock);
}

void releaser_await(struct releaser *releaser, uint32_t pin) {
	while (atomic_load_explicit(&releaser->is_busy[pin], memory_order_acquire)) { /* [LOAN] */
		sched_yield();
	}
}

void releaser_finish(struct releaser *releaser) {
	pthread_mutex_lock(&releaser->lock);
	releaser->is_ending = true;
	pthread_cond_signal(&releaser->change);
	pthread_mutex_unlock(&releaser->lock);
	pthread_join(releaser->thread, NULL);
	pthread_cond_destroy(&releaser->change);
	pthread_mutex_destroy(&releaser->lock);
}
