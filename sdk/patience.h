/* SPDX-License-Identifier: MIT */
#ifndef ZOE_PATIENCE_H
#define ZOE_PATIENCE_H
/*
 * How long reliable readers may hold a producer up: a bucket a seat, filled by the time it blocks,
 * emptied at a tenth of real time.
 * Owns:     nothing.
 * Threads:  its producer's.
 * Includes: ring_layout.h.
 */
#include <stdbool.h>

#include "ring_layout.h"

struct zoe_patience {
	uint64_t longest_ns;  // a bucket's size
	uint64_t since_ns;    // blocked since, or charged up to; 0 = not blocked
	uint32_t seat;        // by whom
	uint64_t reported_ns; // when the broker was told of it; 0 = not yet
	uint64_t used_ns[ZOE_MAX_SEATS], updated_ns[ZOE_MAX_SEATS];
};

/* An acquire was refused on behalf of a seat. Returns: true, its patience is used up. */
bool zoe_patience_block(struct zoe_patience *p, uint32_t seat, uint64_t now_ns);

/* An acquire succeeded. */
void zoe_patience_pass(struct zoe_patience *p, uint64_t now_ns);

/* What is left for the seat that blocks, in ns; 0 if none does. */
uint64_t zoe_patience_get_left(const struct zoe_patience *p);

/* A seat has a new consumer, or its consumer's delivery has changed. */
void zoe_patience_forget(struct zoe_patience *p, uint32_t seat);
#endif
