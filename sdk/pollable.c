/* SPDX-License-Identifier: MIT */
#include "pollable.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

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

int zoe_pollable_open(struct zoe_pollable *pollable, struct zoe_link *link) {
	/* The first tick comes at once: something may be waiting already. */
	struct itimerspec every = {
		.it_interval = {.tv_nsec = 500000000}, .it_value = {.tv_nsec = 1}};

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
	timerfd_settime(pollable->timer, 0, &every, NULL);
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
