/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CORE_RING_WAIT_H
#define ZOE_CORE_RING_WAIT_H
/*
 * Sleeping and waking: the only futex calls of the project, and the doorbells.
 * Owns:     nothing.
 * Threads:  any.
 * Includes: ring_write.h, ring_read.h; futex system calls. Never PRIVATE futexes.
 * Every sleep is bounded (ZOE_MAX_SLEEP_MS) and its caller looks again: that bounds the harm of a
 * publisher stopped between counting a frame and waking, and of a hostile requeue.
 */
#include "ring_read.h"
#include "ring_write.h"

#define ZOE_MAX_SLEEP_MS 500

/* Carries out the wake-ups a publish, acquire or cancel owes. bell[i] is seat i's doorbell or -1.
 */
void zoe_writer_wake(const struct zoe_writer *w, const struct zoe_wakes *wakes, const int *bell);

/* Carries out what an unpin owes: wakes producers that wait for this seat. */
void zoe_seat_wake(struct zoe_seat *seat, const struct zoe_wakes *wakes);

/* Wakes all sleepers of a ring: after repair, leave, close and end of stream. */
void zoe_ring_wake_all(const struct zoe_ring *ring);

/* Sleeps until a frame numbered want or more is there, the ring is closed, or timeout_ns is over.
 * Spurious returns are normal. Returns: 0 look again; -ETIMEDOUT. */
int zoe_reader_wait(struct zoe_reader *r, uint64_t want, int64_t timeout_ns);

/* Looks for such a frame for spin_ns (at most 20 us or so: where reader and writer share a CPU,
 * spinning keeps the frame from coming). Returns: 1 it is there; 0. */
int zoe_reader_spin(const struct zoe_reader *r, uint64_t want, uint64_t spin_ns);

/* Sleeps until space may have come: call between a failed acquire and the next, with
 * zoe_ring_set_space_waiting(1) and `seen` taken before that acquire. */
struct zoe_space_seen {
	uint32_t head_low, space, bell[ZOE_MAX_SEATS];
};
void zoe_writer_look(const struct zoe_writer *w, struct zoe_space_seen *seen);
int zoe_writer_wait(
	const struct zoe_writer *w, const struct zoe_space_seen *seen, int64_t timeout_ns);

/* Rings a doorbell; a full or dead one is not an error. */
void zoe_bell_ring(int fd);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t zoe_now_ns(void);
#endif
