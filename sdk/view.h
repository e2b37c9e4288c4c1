/* SPDX-License-Identifier: MIT */
#ifndef ZOE_VIEW_H
#define ZOE_VIEW_H
/*
 * One generation as a consumer sees it: its mappings, its seat there, and the frames on loan.
 * Owns:     mappings, the seat's descriptor, and a reference on its consumer. Counted: the consumer
 *           holds one, each frame on loan one; the last to go unmaps, in whatever thread.
 * Threads:  made and read by the consumer's thread; frames are released by any.
 * Includes: client.h, region, ring_read, ring_wait, frame_layout.
 * Ordering: [REFS] the count; [LOAN] in_use: release by the releaser, acquire by the consumer.
 */
#include <zoe/consumer.h>

#include "client.h"
#include "frame_layout.h"
#include "region.h"
#include "ring_read.h"

struct zoe_view;

struct zoe_loan {
	struct zoe_frame frame; // first: the public face
	struct zoe_view *view;
	uint32_t pin;
	_Atomic uint32_t in_use;
	uint32_t meta_size;
	uint8_t *meta; // private copy of the frame's tags, view.meta_bytes large
};

struct zoe_view {
	/* What every take looks at stands together: a CPU that has slept has none of it at hand. */
	_Atomic uint32_t n_refs;
	uint32_t hold, generation;
	uint64_t end;         // first number of the next generation; UINT64_MAX = not known
	uint64_t taken, lost; // shown to admins through the seat
	const struct zoe_client *client; // borrowed through owner
	struct zoe_reader reader;        // with a copy of region.ring
	struct zoe_loan loans[ZOE_MAX_PINS];
	/* The rest. */
	struct zoe_region region;
	void *seat_map, *group_map;   // group_map: NULL unless a member of a queue group
	int seat_fd;                  // kept for a broker that returns
	uint32_t seat, consumer;      // our numbers in it, for the same
	uint64_t broker_id;           // that made it
	uint32_t epoch;               // of the connection that gave it
	uint64_t want;                // first number to take; 0 = the consumer's choice
	void (*dropped)(void *owner); // told after the view is gone
	void *owner;
};

/* Makes a view from the broker's message; fds are ring, frames, control, seat [, group], borrowed.
 * Returns: 0; -EPROTO; -ENOMEM; -EMFILE. */
int zoe_view_create(
	struct zoe_view **out, const struct zoe_msg_region *msg, const int *fds, uint32_t n_fds);
void zoe_view_unref(struct zoe_view *view);
bool zoe_view_is_idle(const struct zoe_view *view); // nobody but the consumer refers to it

/* Takes frame s on loan. Returns: 0; -EAGAIN not there yet; -ESTALE overwritten; -ENOBUFS;
 * -EBADMSG the header lies (the frame is let go again). */
int zoe_view_take(struct zoe_view *view, uint64_t s, struct zoe_loan **out);

/* A reliable reader has taken a frame: producers that wait for it look again. */
void zoe_view_ring_bell(struct zoe_view *view);

/* Takes the group's next frame on loan. Returns: as zoe_view_take; -ESTALE also when another member
 * was faster; *n_skipped frames were passed over for the group; -EPROTO the page is corrupt. */
int zoe_view_take_queued(struct zoe_view *view, struct zoe_loan **out, uint64_t *n_skipped);
#endif
