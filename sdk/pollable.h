/* SPDX-License-Identifier: MIT */
#ifndef ZOE_POLLABLE_H
#define ZOE_POLLABLE_H
/*
 * The one descriptor a handle gives out for poll(2): an epoll set with a slow tick, the broker's
 * socket as it comes and goes, and what else the handle adds.
 * Owns:     the epoll set and the timer.
 * Threads:  its handle's.
 * Includes: link.h.
 * The tick (500 ms) bounds what a lost ring can cost and looks for a lost broker.
 */
#include "link.h"

struct zoe_pollable {
	int epoll, timer; // -1 until asked for
};

void zoe_pollable_init(struct zoe_pollable *pollable);

/* Makes it if need be, readable at once. Returns: the descriptor, borrowed; -EMFILE, -ENFILE,
 * -ENOMEM, with the client's sentence. */
int zoe_pollable_open(struct zoe_pollable *pollable, struct zoe_link *link);

bool zoe_pollable_is_open(const struct zoe_pollable *pollable);

/* Watches one more descriptor. It has to be removed before it is closed: where a forked child has
 * it open too, closing it alone leaves it in the set. */
void zoe_pollable_add(const struct zoe_pollable *pollable, int fd);
void zoe_pollable_remove(const struct zoe_pollable *pollable, int fd);

/* Takes a tick that is due; never waits. */
void zoe_pollable_tick(const struct zoe_pollable *pollable);

/* The next tick comes in wait_ns (> 0) already. */
void zoe_pollable_wake_in(const struct zoe_pollable *pollable, uint64_t wait_ns);

void zoe_pollable_close(struct zoe_pollable *pollable);
#endif
