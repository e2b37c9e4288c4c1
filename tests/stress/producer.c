/* SPDX-License-Identifier: MIT */
/*
 * A producer: fills every word of a slot, publishes, sometimes cancels, sometimes holds two slots
 * and publishes the later one first, follows the stream when it moves.
 */
#include <sched.h>
#include <string.h>

#include "frame_layout.h"
#include "stress.h"

static void payload_fill(unsigned char *at, uint64_t value) {
	for (unsigned i = 0; i < PAYLOAD_WORDS; i++) {
		uint64_t word = value * 0x9e3779b97f4a7c15u + i;

		memcpy(at + 8 * i, &word, sizeof(word));
	}
}

/* What SEAT messages do for a real producer. */
static void writer_sync(struct zoe_writer *w, uint32_t generation) {
	struct generation *g = &test.shared->generations[generation];

	w->roster = atomic_load_explicit(&g->control.roster, memory_order_seq_cst); /* [ROSTER] */
	for (uint32_t i = 0; i < ZOE_MAX_SEATS; i++) {
		uint32_t flags = atomic_load_explicit(&g->flags[i], memory_order_seq_cst);

		w->seats[i].seat = flags ? stress_get_seat(generation, i) : NULL;
		w->seats[i].flags = flags ? flags - 1 : 0;
		w->seats[i].group = flags && (flags - 1) & ZOE_SEAT_GROUPED ? &g->group : NULL;
		w->seats[i].hold = HOLD;
	}
	zoe_writer_count(w);
}

static void writer_enter(struct zoe_writer *w, const struct party *me, uint32_t generation) {
	memset(w, 0, sizeof(*w));
	w->ring = test.rings[generation];
	w->owner = zoe_owner_pack(me->turn, me->index);
	w->is_sole = test.is_sole;
	writer_sync(w, generation);
}

static void wake(const struct zoe_writer *w, const struct zoe_wakes *wakes) {
	static const int no_bells[ZOE_MAX_SEATS] = {-1};
	struct zoe_wakes owed = {.flags = wakes->flags, .seats = wakes->seats};

	zoe_writer_wake(w, &owed, no_bells);
}

/* The code's way to sleep for space. Returns: OK where the last look found it. */
static enum zoe_ring_result sleep_for_space(struct zoe_writer *w, uint32_t *slot) {
	struct zoe_space_seen seen;
	struct zoe_wakes wakes = {0};
	enum zoe_ring_result result;
	int error = 0;

	zoe_ring_set_space_waiting(w, 1);
	zoe_writer_look(w, &seen);
	result = zoe_ring_acquire(w, slot, &wakes);
	wake(w, &wakes);
	if (result == ZOE_RING_NONE || result == ZOE_RING_OWED) {
		error = zoe_writer_wait(w, &seen, -1);
	}
	zoe_ring_set_space_waiting(w, 0);
	if (error != 0 && test.n_kills == 0 && test.n_stops == 0) {
		/* The whole bound: was there nothing indeed? */
		wakes = (struct zoe_wakes){0};
		result = zoe_ring_acquire(w, slot, &wakes);
		wake(w, &wakes);
		stress_count(&test.shared->tallies.missed_wakes, result == ZOE_RING_OK);
	}
	return result;
}

/* Returns: false, it is time to end. */
static bool acquire(
	struct zoe_writer *w, const struct party *me, uint32_t *generation, uint32_t *slot) {
	while (stress_get_stop() == GO) {
		struct zoe_wakes wakes = {0};
		enum zoe_ring_result result = zoe_ring_acquire(w, slot, &wakes);

		wake(w, &wakes);
		if (result == ZOE_RING_OWED || result == ZOE_RING_NONE) {
			if (me->sleeps) {
				result = sleep_for_space(w, slot);
			} else {
				sched_yield();
			}
		}
		if (result == ZOE_RING_OK) {
			return true;
		}
		if (result == ZOE_RING_STALE) {
			writer_sync(w, *generation);
		}
		if (result == ZOE_RING_MOVED &&
			atomic_load_explicit(&test.shared->told_producers, memory_order_seq_cst) >
				*generation) { /* [MOVE] */
			writer_enter(w, me, ++*generation);
		}
	}
	return false;
}

static void fill(struct zoe_writer *w, uint32_t slot, uint64_t value) {
	unsigned char *frames;

	memcpy(&frames, &w->ring.frames, sizeof(frames));
	payload_fill(frames + (size_t)slot * w->ring.geo.slot_stride, value);
	((struct zoe_frame_header *)(void *)zoe_ring_get_header(&w->ring, slot))->user[0] = value;
}

/* [TALLY] SC: no number is given out twice. */
static void check_number(uint64_t seq) {
	uint64_t before = atomic_exchange_explicit(
		&test.shared->given[seq % N_HAD], seq, memory_order_seq_cst);

	stress_count(&test.shared->tallies.duplicates, before == seq);
}

/* Returns: false, the slot lies in a closed ring. */
static bool publish(struct zoe_writer *w, uint32_t slot) {
	struct zoe_wakes wakes = {0};
	uint64_t seq;
	enum zoe_ring_result result = zoe_ring_publish(w, slot, &seq, &wakes);

	wake(w, &wakes);
	if (result == ZOE_RING_OK) {
		stress_count(&test.shared->tallies.frames, 1);
		check_number(seq);
	}
	return result != ZOE_RING_MOVED;
}

static void cancel(struct zoe_writer *w, uint32_t slot) {
	struct zoe_wakes wakes = {0};

	zoe_ring_cancel(w, slot, &wakes);
	wake(w, &wakes);
}

void producer_run(const struct party *me) {
	uint32_t generation = atomic_load_explicit(
		&test.shared->told_producers, memory_order_seq_cst); /* [MOVE] */
	uint64_t value = (uint64_t)me->index << 56 | (uint64_t)me->turn << 48;
	uint32_t slot, other, other_generation;
	struct zoe_writer w;

	writer_enter(&w, me, generation);
	while (acquire(&w, me, &generation, &slot)) {
		fill(&w, slot, ++value);
		if (value % 64 == 0) {
			cancel(&w, slot);
			continue;
		}
		if (value % 16 != 0) {
			publish(&w, slot);
			continue;
		}
		/* Two at once, the second one first. A frame left in a closed ring is dropped. */
		other_generation = generation;
		if (!acquire(&w, me, &generation, &other)) {
			cancel(&w, slot);
			return;
		}
		fill(&w, other, ++value);
		publish(&w, other);
		if (other_generation == generation) {
			publish(&w, slot);
		}
	}
}
