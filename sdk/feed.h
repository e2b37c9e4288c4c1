/* SPDX-License-Identifier: MIT */
#ifndef ZOE_FEED_H
#define ZOE_FEED_H
/*
 * One generation as a producer sees it: its mappings, the writer, and every consumer's seat there.
 * Owns:     mappings, seats and doorbells.
 * Threads:  its producer's.
 * Includes: patience, region, ring_write, ring_wait.
 */
#include "patience.h"
#include "region.h"
#include "ring_wait.h"

#define ZOE_TOUCH_SLOTS 1024u /* the first ones; more are left to page faults */

struct zoe_feed {
	struct zoe_region region;
	struct zoe_writer writer;
	uint32_t n_loans;     // slots of this generation that the application holds
	bool blocks;          // when_full: acquire waits for reliable readers, up to its timeout
	uint32_t interval_us; // the stream's max_fps; 0 = no limit
	uint64_t touched[ZOE_TOUCH_SLOTS / 64]; // bit = slot with memory behind it
	uint32_t consumers[ZOE_MAX_SEATS];      // the broker's ids, for reports
	struct zoe_patience patience;
	void *seat_maps[ZOE_MAX_SEATS], *group_maps[ZOE_MAX_SEATS];
	int bells[ZOE_MAX_SEATS]; // -1 = none
};

/* fds: ring, frames, control, borrowed. Returns: 0; -EPROTO; -ENOMEM; -EMFILE. */
int zoe_feed_open(struct zoe_feed *feed, const struct zoe_msg_region *msg, const int *fds);
void zoe_feed_close(struct zoe_feed *feed);

/* Gives memory to a slot and maps it, once: a write meets no page fault then. */
void zoe_feed_touch(struct zoe_feed *feed, uint32_t slot);

/* Takes a reliable reader for one that may lose frames, until the broker says something else. */
void zoe_feed_demote(struct zoe_feed *feed, uint32_t seat);

/* The least time between frames that anybody asks for. Returns: 1 and *interval_ns, 0 = every
 * frame; 0 nobody looks. */
int zoe_feed_get_interval(const struct zoe_feed *feed, uint64_t *interval_ns);

/* Applies a SEAT message; fds: seat [, bell] [, group]; the bell is taken over (its entry becomes
 * -1).
 * Returns: 0; -EPROTO; -ENOMEM. */
int zoe_feed_set_seat(
	struct zoe_feed *feed, const struct zoe_msg_seat *msg, int *fds, uint32_t n_fds);

/* Does the writer know all seats that must be honoured? */
bool zoe_feed_is_current(const struct zoe_feed *feed);
#endif
