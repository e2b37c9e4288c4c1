/* SPDX-License-Identifier: MIT */
#ifndef BARE_H
#define BARE_H
/*
 * The bare deeds that paced latencies are held against: a word and its wake, by futex, by socket,
 * or by nothing; and the same with the memory that any ring has to touch.
 * Owns:     nothing; a struct bare lies in memory that the sides share.
 * Threads:  one sender, as many waiters as there are.
 * Includes: bench.h.
 */
#include <stdatomic.h>

#include "bench.h"

enum { BARE_ROUNDS = 16384, BARE_SLOTS = 64, BARE_PAGE = 4096, BARE_HEADER = 256 };

/* What a hand-over has to touch beside its wake, on pages of their own as in a stream: which slot
 * is next, its header and state, and that somebody reads it. */
struct bare_ring {
	_Atomic uint64_t order[BARE_PAGE / 8];
	_Atomic uint64_t state[BARE_PAGE / 8];
	_Atomic uint32_t pin[BARE_PAGE / 4];
	unsigned char header[BARE_SLOTS][BARE_PAGE];
};

struct bare {
	_Atomic uint32_t word; // bare deeds done
	uint32_t reserved[15];
	_Atomic uint32_t n_ready; // readers that have attached
	_Atomic uint64_t sent_ns[BARE_ROUNDS];
	struct bare_ring ring __attribute__((aligned(4096)));
};

/* A waiter's ends. */
struct bare_waiter {
	struct bare *bare;
	enum paced_how how;
	int socket, epoll; // how: by poll
};

/* For BARE by poll: the descriptor to sleep on. */
int bare_epoll_of(int fd);
void bare_epoll_sleep(int epoll);

/* Waits for deed number `seen`. Returns: when it was sent. */
uint64_t bare_wait(const struct bare_waiter *w, uint32_t seen);

/* Does it; sockets: the other ends of n waiters. */
void bare_send(struct bare *bare, enum paced_how how, const int *sockets, uint32_t n);
#endif
