/* SPDX-License-Identifier: MIT */
#ifndef GENERATION_H
#define GENERATION_H
/*
 * One generation of a stream: its memory, who has a seat in it and who a lane.
 * Owns:     the memfds, the broker's mappings, the seats. A seat belongs to its consumer's list
 *           too, and is destroyed by whoever ends its stay.
 * Threads:  one.
 * Includes: ring_layout.h, memfd.h, list.h, protocol.h.
 * Ordering: the control page's words are stored SC; producers load them SC (ring_write.c).
 *           [ROSTER] after the messages that lead to a value were queued; [ENDED] after the ring
 *           is closed; [GIVEN] before a producer gets the successor.
 */
#include "list.h"
#include "memfd.h"
#include "protocol.h"
#include "ring_layout.h"

struct consumer;
struct group;
struct producer;
struct stream;

struct seat {
	struct list link;              // generation.seats
	struct list consumer_link;     // consumer.seats
	struct generation *generation; // borrowed
	struct consumer *consumer;     // borrowed
	struct group *group;           // borrowed; NULL = takes for itself
	uint32_t index;
	bool is_listed; // producers must honour it; not so in a closed generation shown later
	struct memfd memory;
	void *page;
	struct zoe_seat *words; // within page; its consumer writes them once it was told
};

struct lane {
	struct producer *producer; // borrowed; NULL = free
	uint32_t turn;
};

struct generation {
	struct list link;      // stream.generations, newest first
	struct stream *stream; // borrowed
	uint32_t number;
	uint64_t lineage, start;
	uint64_t ended;  // h + 1; 0 = open
	uid_t payer;     // whose quota bears it while it is open
	bool is_adopted; // an earlier broker made it: only closed here, and its roster left alone
	bool is_sole;    // producers are told that there is only one
	bool is_broken;  // closed at a number that cannot be: its successor starts a new lineage
	uint32_t roster; // control.roster, as it is or is about to be
	char region[ZOE_REGION_BYTES]; // "desk#3"
	struct memfd ring_fd, frames_fd, control_fd;
	struct zoe_ring ring;               // frames NULL
	struct zoe_control_page *control;   // writable
	struct list seats;                  // seat.link
	struct list groups;                 // group.link
	struct seat *listed[ZOE_MAX_SEATS]; // borrowed, by index
	struct lane lanes[ZOE_MAX_LANES];
	uint32_t n_lanes; // in use
};

/* Makes the memory of the stream's next generation, which the caller puts in its place. The ring
 * is not formatted yet.
 * Returns: 0; -EOVERFLOW; -ENOMEM; -EMFILE, -ENFILE. */
int generation_create(
	struct generation **out, struct stream *stream, const struct zoe_geometry *geo);

/* Takes over the memory of one that an earlier broker made for this stream. What it says of itself
 * is checked; control must be writable.
 * Returns: 0, the memfds are MEMFD_NONE; -EPROTO it is not sane; -ENOMEM. */
int generation_adopt(struct generation **out, struct stream *stream, struct memfd *memory);

/* Frees it with all its seats. NULL is a no-op. */
void generation_destroy(struct generation *generation);

/* Makes sealed memory called REGION.PART. Returns: as memfd_init. */
int generation_make_memory(struct memfd *memory, const struct generation *generation,
	const char *part, uint64_t bytes);

/* Opens the ring: its first frame will be number start. */
void generation_start(struct generation *generation, uint64_t start);

/* Closes the ring for good. Returns: h, the number after its last frame. */
uint64_t generation_close(struct generation *generation);

/* Whether a frame has been published in it. */
bool generation_has_frames(const struct generation *generation);

/* Memory that its clients can come to use. */
uint64_t generation_get_bytes(struct generation *generation);

/* What of it a user bears, see quota.h. */
uint64_t generation_get_bytes_of(const struct generation *generation, uid_t uid);

/* Of that, what it takes without anybody attached. */
uint64_t geometry_get_base_bytes(const struct zoe_geometry *geo);

/* Wakes all who sleep on it, doorbells included. */
void generation_wake(struct generation *generation);

/* Gives the consumer a zeroed page of its own. index < 0: any free one. Producers are not told
 * yet (roster.h); an unlisted one they never are.
 * Returns: 0; -EBUSY; -EMFILE, -ENFILE; -ENOMEM. */
int seat_create(
	struct seat **out, struct generation *generation, struct consumer *consumer, int index);

/* How producers must honour it: enum zoe_seat_flags. */
uint32_t seat_get_flags(const struct seat *seat);

/* All that it takes for a reliable seat, or the group of a new one, to begin at number h. Its
 * consumer has not been told of it yet. */
void seat_set_start(struct seat *seat, uint64_t h);

/* Frees a seat that is not listed (roster_remove). NULL is a no-op. */
void seat_destroy(struct seat *seat);

/* Returns: 0 and the producer's owner id; -EBUSY all lanes are taken. */
int generation_take_lane(struct generation *generation, struct producer *producer, uint32_t *owner);
void generation_free_lane(struct generation *generation, uint32_t lane);
/* Returns: the producer's owner id here; 0 = none. */
uint32_t generation_find_owner(
	const struct generation *generation, const struct producer *producer);
#endif
