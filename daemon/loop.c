/* SPDX-License-Identifier: MIT */
#include "loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "attr.h"
#include "log.h"

#define RESERVE_BYTES 65536

/* libev aborts where it gets no memory, and tells its allocator nothing but a size: so this is
 * global. What is given back at the first refusal lets it go on; who finds none left ends with a
 * sentence, and streams go on without the broker until the next one starts. */
static void *reserve;

static void loop_refill(void) {
	if (!reserve) {
		reserve = malloc(RESERVE_BYTES);
	}
}

static void *loop_alloc(void *old, long size) {
	void *block;

	if (size <= 0) {
		free(old);
		return NULL;
	}
	block = realloc(old, (size_t)size);
	if (!block) {
		log_warn("event loop: out of memory for %ld bytes, takes the reserve", size);
		free(reserve);
		reserve = NULL;
		block = realloc(old, (size_t)size);
	}
	if (!block) {
		log_err("event loop: out of memory for %ld bytes, ends", size);
		_exit(EXIT_FAILURE);
	}
	return block;
}

/* Returning would make libev try for ever, or abort. */
static void loop_on_error(const char *what) {
	log_err("event loop: %s: %s, ends", what, strerror(errno));
	_exit(EXIT_FAILURE);
}

/* libev finds out that epoll refuses a descriptor when it has decided how long to sleep, and tells
 * the watcher after it: so it is woken at once. */
static struct ev_io nudge;

static void loop_on_release(struct ev_loop *loop) {
	static const uint64_t one = 1;

	if (ev_pending_count(loop) > 0) {
		(void)!write(nudge.fd, &one, sizeof(one));
	}
}

static void loop_on_acquire(struct ev_loop *loop) {
	(void)loop;
}

static void loop_on_nudge(struct ev_loop *loop, struct ev_io *io, int events) {
	uint64_t n;

	(void)loop;
	(void)events;
	(void)!read(io->fd, &n, sizeof(n));
}

/* Returns: whether it is watched. */
static bool nudge_open(struct ev_loop *loop) {
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	ev_io_init(&nudge, loop_on_nudge, fd, EV_READ);
	if (fd < 0) {
		return false;
	}
	ev_io_start(loop, &nudge);
	ev_run(loop, EVRUN_NOWAIT);
	ev_set_loop_release_cb(loop, loop_on_release, loop_on_acquire);
	return ev_is_active(&nudge);
}

struct ev_loop *loop_create(void) {
	struct ev_loop *loop;

	loop_refill();
	if (!reserve) {
		return NULL;
	}
	ev_set_allocator(loop_alloc);
	ev_set_syserr_cb(loop_on_error);
	/* The default loop would wait for children, through a pipe. */
	loop = ev_loop_new(EVFLAG_AUTO);
	nudge.fd = -1;
	if (loop && !nudge_open(loop)) {
		loop_destroy(loop);
		return NULL;
	}
	return loop;
}

void loop_tend(void) {
	loop_refill();
}

void loop_destroy(struct ev_loop *loop) {
	if (loop) {
		ev_io_stop(loop, &nudge);
		cleanup_fd_fn(&nudge.fd);
		ev_loop_destroy(loop);
	}
	free(reserve);
	reserve = NULL;
}
