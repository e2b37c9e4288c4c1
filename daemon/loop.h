/* SPDX-License-Identifier: MIT */
#ifndef LOOP_H
#define LOOP_H
/*
 * libev as the daemon uses it, without its names of old, and without its abort().
 * Owns:     one loop a process, and a reserve of memory for it.
 * Threads:  one.
 * Includes: <ev.h>, which no other file of the daemon includes.
 * A watcher whose descriptor cannot be watched any more (epoll's ENOMEM, ENOSPC) is stopped, and
 * its function called with EV_ERROR: it starts the watcher again a little later.
 */
#define EV_COMPAT3 0
#include <ev.h>

/* Returns: NULL: no memory, no way to wait. Later on the process ends with a sentence where the
 * loop finds neither memory nor reserve. */
struct ev_loop *loop_create(void);

/* Fills the reserve up where it was taken. Cheap. */
void loop_tend(void);

/* NULL is a no-op. */
void loop_destroy(struct ev_loop *loop);
#endif
