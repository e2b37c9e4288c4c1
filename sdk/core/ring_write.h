/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CORE_RING_WRITE_H
#define ZOE_CORE_RING_WRITE_H
/*
 * A producer's side of a ring: acquire a slot, publish it as the next frame, or cancel it.
 * Owns:     the writer's private view of the roster; mappings and doorbells are the caller's.
 * Threads:  one a writer; many writers, readers and the broker work on the same ring.
 * Includes: ring_layout.h. No OS header and no system call: what must be woken comes back as flags
 *           for ring_wait.c to carry out.
 * Ordering: [LIMIT] head before roster, [ROSTER] roster against pins, [PIN] claim against pin,
 *           [STATE] slot states, [ORDER] the commit, [PUB] head, [SLEEP] waiting words, [BELL]
 *           space, [CURSOR] and [TAIL] what reliable readers are owed. Each is argued where it
 *           stands, in zoetrope-ring(7), and by a mutant under stress.
 */
#include "ring_layout.h"

enum zoe_ring_result {
	ZOE_RING_OK = 0,
	ZOE_RING_NONE,  /* nothing free (acquire), nothing new (take) */
	ZOE_RING_OWED,  /* acquire: a reliable reader still wants what would go; writer.owed_to */
	ZOE_RING_STALE, /* the roster changed: sync with the broker and call again */
	ZOE_RING_MOVED, /* the ring is closed: go on in the next generation */
	ZOE_RING_DEAD,  /* we have been declared dead */
	ZOE_RING_ROGUE, /* another producer breaks the rules */
	ZOE_RING_LOST,  /* take: overwritten */
	ZOE_RING_BUSY   /* take: being evicted just now */
};

enum zoe_wake { ZOE_WAKE_HEAD = 1, ZOE_WAKE_SPACE = 2 };

/* Wake-ups owed after a call. */
struct zoe_wakes {
	uint32_t flags; // enum zoe_wake
	uint64_t bells; // seats whose doorbell must be rung
	uint64_t seats; // seats that sleep, for rings whose seats belong to several users
};

struct zoe_writer_seat {
	const struct zoe_seat *seat;   // borrowed from a mapping; NULL = empty
	const struct zoe_group *group; // the same; NULL = takes for itself
	uint32_t hold;
	uint32_t arm_seen; // last value of seat.arm that was rung for
	uint32_t flags;    // enum zoe_seat_flags
};

struct zoe_writer {
	struct zoe_ring ring;
	uint32_t owner;
	uint32_t roster; // value of control.roster up to which seats[] is right
	uint32_t rotor;
	uint32_t is_sole; // no other lane is ever in use beside ours: plain stores will do
	uint32_t n_seats; // one past the highest seat in use
	uint32_t n_reliable;
	uint32_t owed_to; // after OWED: the seat that is furthest behind
	struct zoe_writer_seat seats[ZOE_MAX_SEATS];
};

/* Counts seats[] after a change. */
void zoe_writer_count(struct zoe_writer *w);

/* Finds a slot that nobody reads or will read.
 * Returns: OK and *slot; NONE; OWED; STALE; MOVED; DEAD. */
enum zoe_ring_result zoe_ring_acquire(
	struct zoe_writer *w, uint32_t *slot, struct zoe_wakes *wakes);

/* Hands the filled slot out as the next frame; *seq is its number. The loan ends whatever is
 * returned, except for MOVED, after which the slot's memory may still be read (not written).
 * Returns: OK; MOVED the frame is not part of this ring; DEAD; ROGUE. */
enum zoe_ring_result zoe_ring_publish(
	struct zoe_writer *w, uint32_t slot, uint64_t *seq, struct zoe_wakes *wakes);

/* Gives an acquired slot back. */
void zoe_ring_cancel(struct zoe_writer *w, uint32_t slot, struct zoe_wakes *wakes);

/* Announces that this producer sleeps for space, or no longer does. */
void zoe_ring_set_space_waiting(const struct zoe_writer *w, int is_waiting);

/* Doorbells and sleepers of all seats: after a seat was added, whoever armed it before. */
void zoe_ring_scan(struct zoe_writer *w, struct zoe_wakes *wakes);

/* One help step at number s: finishes a publish that was committed and not counted. Used by
 * producers and by the broker's repair and close. Returns 1 if there was something to help. */
int zoe_ring_help(const struct zoe_ring *ring, uint64_t s);
#endif
