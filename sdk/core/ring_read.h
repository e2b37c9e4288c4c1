/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CORE_RING_READ_H
#define ZOE_CORE_RING_READ_H
/*
 * A consumer's side of a ring: pin frame number s, look at it, unpin it.
 * Owns:     nothing; the seat and the mappings are the caller's.
 * Threads:  take by the consumer's thread; unpin by any.
 * Includes: ring_layout.h, ring_write.h (results, wakes). No OS header and no system call.
 * Ordering: [PIN] pin against claim, [PUB] head, [CURSOR], [TAIL], [BELL], [SLEEP] as in
 *           ring_write.h.
 */
#include "ring_layout.h"
#include "ring_write.h"

struct zoe_reader {
	struct zoe_ring ring;
	struct zoe_seat *seat;   // borrowed from a mapping, writable
	struct zoe_group *group; // the same; NULL = takes for itself
	uint64_t start;          // first number of this generation
};

/* The next number that will be published, and whether the ring is closed. Never less than a value
 * returned before is promised by honest producers only: clamp. */
uint64_t zoe_ring_get_head(const struct zoe_reader *r, int *is_closed);

/* Asks for the line that says where frame s is, while head is on its way: both were written just
 * now, on another CPU. */
static inline void zoe_ring_prefetch(const struct zoe_reader *r, uint64_t s) {
	__builtin_prefetch(zoe_ring_get_order(&r->ring, s));
}

/* Pins frame s by pin k. Returns: OK and *slot; NONE not published yet; LOST; BUSY evicted just now
 * (try again a few times, then lost). After LOST and BUSY *wakes may owe a wake-up. */
enum zoe_ring_result zoe_ring_take(
	struct zoe_reader *r, uint64_t s, uint32_t k, uint32_t *slot, struct zoe_wakes *wakes);

struct zoe_queued {
	uint64_t seq, skipped;
	uint32_t slot;
};
/* Pins by pin k the next frame that no other member of the group has had, and counts it as taken.
 * Returns: OK, taken->slot and seq; NONE nothing new; BUSY another member was faster: again; LOST
 * overwritten, taken->skipped numbers were passed over for the whole group: again; ROGUE the
 * group's page is corrupt. After anything but OK *wakes may owe a wake-up. */
enum zoe_ring_result zoe_ring_take_queued(
	struct zoe_reader *r, uint32_t k, struct zoe_queued *taken, struct zoe_wakes *wakes);

/* The number that the group takes next, at most head_seq. */
uint64_t zoe_ring_get_tail(const struct zoe_reader *r, uint64_t head_seq);

/* Whether a member of the group broke its page: its number lies beyond the head. */
int zoe_ring_tail_is_wild(const struct zoe_reader *r);

/* Drops pin k. Any thread. Wake seat.bell if wakes->flags says SPACE. */
void zoe_ring_unpin(
	const struct zoe_ring *ring, struct zoe_seat *seat, uint32_t k, struct zoe_wakes *wakes);

/* Says that every frame before `next` is done with. A reliable reader rings its bell afterwards. */
void zoe_ring_set_cursor(struct zoe_reader *r, uint64_t next);

/* Counts the bell: producers that wait for room look again. After an unpin it has been done; after
 * the cursor or tail of a reliable reader moved it is still to be done, since such a reader may
 * hold the frame for as long as it likes. Wake seat.bell if wakes->flags says SPACE. */
void zoe_ring_ring_bell(
	const struct zoe_ring *ring, struct zoe_seat *seat, struct zoe_wakes *wakes);

/* The oldest number that is still readable. */
uint64_t zoe_ring_get_oldest(const struct zoe_reader *r, uint64_t head_seq);
#endif
