/* SPDX-License-Identifier: MIT */
#include "pollable.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { TICK_NS = 500000000 };

void zoe_pollable_init(struct zoe_pollable *pollable) {
	*pollable = (struct zoe_pollable){.epoll = -1, .timer = -1};
}

bool zoe_pollable_is_open(const struct zoe_pollable *pollable) {
	return pollable->epoll >= 0;
}

void zoe_pollable_add(const struct zoe_pollable *pollable, int fd) {
	struct epoll_event event = {.events = EPOLLIN};

	epoll_ctl(pollable->epoll, EPOLL_CTL_ADD, fd, &event);
}

void zoe_pollable_remove(const struct zoe_pollable *pollable, int fd) {
	epoll_ctl(pollable->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void zoe_pollable_wake_in(const struct zoe_pollable *pollable, uint64_t wait_ns) {
	struct itimerspec every = {.it_interval = {.tv_nsec = TICK_NS},
		.it_value = {(time_t)(wait_ns / 1000000000), (long)(wait_ns % 1000000000)}};

	timerfd_settime(pollable->timer, 0, &every, NULL);
}

int zoe_pollable_open(struct zoe_pollable *pollable, struct zoe_link *link) {
	if (pollable->epoll >= 0) {
		return pollable->epoll;
	}
	pollable->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	pollable->epoll = pollable->timer < 0 ? -1 : epoll_create1(EPOLL_CLOEXEC);
	if (pollable->epoll < 0) {
		int error = -errno;

		zoe_pollable_close(pollable);
		return zoe_client_fail(link->client, error, "cannot make a pollable descriptor: %s",
			strerror(-error));
	}
	/* The first tick comes at once: something may be waiting already. */
	zoe_pollable_wake_in(pollable, 1);
	zoe_pollable_add(pollable, pollable->timer);
	link->epoll = pollable->epoll;
	if (link->fd >= 0) {
		zoe_pollable_add(pollable, link->fd);
	}
	return pollable->epoll;
}

void zoe_pollable_tick(const struct zoe_pollable *pollable) {
	uint64_t ticks;

	if (pollable->timer >= 0) {
		(void)!read(pollable->timer, &ticks, sizeof(ticks));
	}
}

void zoe_pollable_close(struct zoe_pollable *pollable) {
	if (pollable->epoll >= 0) {
		close(pollable->epoll);
	}
	if (pollable->timer >= 0) {
		close(pollable->timer);
	}
	zoe_pollable_init(pollable);
}
