/* SPDX-License-Identifier: MIT */
#include "keep_sync.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

static struct timespec add_ns(struct timespec from, uint64_t ns) {
	uint64_t sum = (uint64_t)from.tv_nsec + ns % 1000000000U;

	from.tv_sec += (time_t)(ns / 1000000000U + sum / 1000000000U);
	from.tv_nsec = (long)(sum % 1000000000U);
	return from;
}

/* Until the interval has passed, or the end. With the mutex held. */
static void rest(struct keep_sync *sync, const struct timespec *from) {
	struct timespec until = add_ns(*from, sync->interval_ns);

	while (!sync->is_ending &&
		pthread_cond_timedwait(&sync->change, &sync->mutex, &until) != ETIMEDOUT) {
	}
}

static void *run(void *data) {
	struct keep_sync *sync = data;

	pthread_mutex_lock(&sync->mutex);
	while (!sync->is_ending) {
		struct timespec start;
		int error;

		if (!sync->is_dirty) {
			pthread_cond_wait(&sync->change, &sync->mutex);
			continue;
		}
		sync->is_dirty = false;
		clock_gettime(CLOCK_MONOTONIC, &start);
		pthread_mutex_unlock(&sync->mutex);
		error = fdatasync(sync->fd) < 0 ? -errno : 0;
		pthread_mutex_lock(&sync->mutex);
		sync->error = error != 0 ? error : sync->error;
		rest(sync, &start);
	}
	pthread_mutex_unlock(&sync->mutex);
	return NULL;
}

int keep_sync_start(struct keep_sync *sync, int fd, uint64_t interval_ns) {
	pthread_condattr_t attributes;
	sigset_t all, before;
	int rc;

	*sync = (struct keep_sync){.fd = fd, .interval_ns = interval_ns};
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_mutex_init(&sync->mutex, NULL);
	pthread_cond_init(&sync->change, &attributes);
	pthread_condattr_destroy(&attributes);
	/* Signals are for the thread that waits for frames. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = -pthread_create(&sync->thread, NULL, run, sync);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	sync->is_running = rc == 0;
	return rc;
}

void keep_sync_touch(struct keep_sync *sync) {
	pthread_mutex_lock(&sync->mutex);
	if (!sync->is_dirty) {
		sync->is_dirty = true;
		pthread_cond_signal(&sync->change);
	}
	pthread_mutex_unlock(&sync->mutex);
}

int keep_sync_take_error(struct keep_sync *sync) {
	int error;

	pthread_mutex_lock(&sync->mutex);
	error = sync->error;
	sync->error = 0;
	pthread_mutex_unlock(&sync->mutex);
	return error;
}

void keep_sync_stop(struct keep_sync *sync) {
	if (!sync->is_running) {
		return;
	}
	pthread_mutex_lock(&sync->mutex);
	sync->is_ending = true;
	pthread_cond_signal(&sync->change);
	pthread_mutex_unlock(&sync->mutex);
	pthread_join(sync->thread, NULL);
	pthread_cond_destroy(&sync->change);
	pthread_mutex_destroy(&sync->mutex);
	sync->is_running = false;
}
