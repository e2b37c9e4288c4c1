/* SPDX-License-Identifier: MIT */
#ifndef ZOE_WATCH_H
#define ZOE_WATCH_H
/*
 * What the broker tells a client about streams: list, status, and changes as they come.
 * Owns:     the epoll descriptor given out by zoe_client_get_fd(), with its timer.
 * Threads:  its client's.
 * Includes: client.h, link.h.
 */
struct zoe_watch;

void zoe_watch_destroy(struct zoe_watch *watch);
#endif
