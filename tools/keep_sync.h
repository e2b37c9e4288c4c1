/* SPDX-License-Identifier: MIT */
#ifndef KEEP_SYNC_H
#define KEEP_SYNC_H
/*
 * Has a file synced again and again beside the thread that writes it, which so never waits for it.
 * Owns:     a thread, from start to stop; the descriptor is borrowed.
 * Threads:  all calls from one.
 * Includes: the C library.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct keep_sync {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t change;
	int fd;
	uint64_t interval_ns; // from one sync to the next, at least
	bool is_running, is_dirty, is_ending;
	int error; // of the last sync that failed, 0 = none; taken by keep_sync_take_error()
};

/* Returns: 0; -errno. */
int keep_sync_start(struct keep_sync *sync, int fd, uint64_t interval_ns);
/* Something was written. */
void keep_sync_touch(struct keep_sync *sync);
/* Returns: 0; -errno of a sync since the last call. */
int keep_sync_take_error(struct keep_sync *sync);
void keep_sync_stop(struct keep_sync *sync);
#endif
