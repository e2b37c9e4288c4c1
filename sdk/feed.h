/* SPDX-License-Identifier: MIT */
#ifndef ZOE_FEED_H
#define ZOE_FEED_H
/*
 * One generation as a producer sees it: its mappings, the writer, and every consumer's seat there.
 * Owns:     mappings, seats and doorbells.
 * Threads:  its producer's.
 * Includes: region, ring_write, ring_wait.
 */
#include "region.h"
#include "ring_wait.h"

struct zoe_feed {
	struct zoe_region region;
	struct zoe_writer writer;
	uint32_t n_loans; // slots of this generation that the application holds
	void *seat_maps[ZOE_MAX_SEATS];
	int bells[ZOE_MAX_SEATS]; // -1 = none
};

/* fds: ring, frames, control, borrowed. Returns: 0; -EPROTO; -ENOMEM; -EMFILE. */
int zoe_feed_open(struct zoe_feed *feed, const struct zoe_msg_region *msg, const int *fds);
void zoe_feed_close(struct zoe_feed *feed);

/* Applies a SEAT message; fds: seat [, bell]; the bell is taken over (fds[1] becomes -1).
 * Returns: 0; -EPROTO; -ENOMEM. */
int zoe_feed_set_seat(
	struct zoe_feed *feed, const struct zoe_msg_seat *msg, int *fds, uint32_t n_fds);

/* Does the writer know all seats that must be honoured? */
bool zoe_feed_is_current(const struct zoe_feed *feed);
#endif
