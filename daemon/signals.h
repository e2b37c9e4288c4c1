/* SPDX-License-Identifier: MIT */
#ifndef SIGNALS_H
#define SIGNALS_H
/*
 * TERM, INT and HUP as a descriptor. libev's own way goes deaf for good where epoll refuses its
 * pipe once, and nobody is told.
 * Owns:     the descriptor and its watcher; the process's mask while it is open.
 * Threads:  one.
 * Includes: loop.h.
 */
#include <signal.h>

#include "loop.h"

struct signals {
	struct ev_loop *loop; // borrowed; NULL = not open
	int fd;
	sigset_t mask; // as it was before
	struct ev_io io;
	struct ev_timer retry;
	void (*on_signal)(struct signals *signals, int signum);
};

/* Returns: 0; -errno. */
int signals_init(struct signals *signals, struct ev_loop *loop,
	void (*on_signal)(struct signals *signals, int signum));
/* Also of one that was never open, and zero. */
void signals_finish(struct signals *signals);
#endif
