/* SPDX-License-Identifier: MIT */
/*
 * Consumers: each looks at every word of each frame it takes, three times, and knows which frames
 * it must have had.
 */
#include <sched.h>
#include <string.h>

#include "frame_layout.h"
#include "stress.h"

enum { LOOKS = 3 };

static bool payload_is_whole(const unsigned char *at, uint64_t value) {
	for (unsigned i = 0; i < PAYLOAD_WORDS; i++) {
		uint64_t word;

		memcpy(&word, at + 8 * i, sizeof(word));
		if (word != value * 0x9e3779b97f4a7c15u + i) {
			return false;
		}
	}
	return true;
}

static void frame_check(const struct zoe_ring *ring, uint32_t slot, uint64_t seq) {
	const struct zoe_frame_header *hdr = (const void *)zoe_ring_get_header(ring, slot);
	const unsigned char *payload = ring->frames + (size_t)slot * ring->geo.slot_stride;
	uint64_t value = hdr->user[0];

	for (unsigned look = 0; look < LOOKS; look++) {
		if (hdr->seq != seq || hdr->user[0] != value || !payload_is_whole(payload, value)) {
			stress_count(&test.shared->tallies.torn, 1);
			return;
		}
	}
}

static void unpin(const struct zoe_reader *r, uint32_t k) {
	struct zoe_wakes wakes = {0};

	zoe_ring_unpin(&r->ring, r->seat, k, &wakes);
	zoe_seat_wake(r->seat, &wakes);
}

void held_release(const struct held *held) {
	frame_check(&held->reader.ring, held->slot, held->seq);
	unpin(&held->reader, held->pin);
}

static struct zoe_reader reader_enter(const struct party *me, uint32_t generation) {
	struct generation *g = &test.shared->generations[generation];

	return (struct zoe_reader){.ring = test.rings[generation],
		.seat = stress_get_seat(generation, me->index),
		.group = me->role == MEMBER ? &g->group : NULL,
		.start =
			atomic_load_explicit(&g->control.start, memory_order_seq_cst)}; /* [MOVE] */
}

/* A frame that was lost although it still belongs to the newest `depth` is a hole. */
static void check_hole(const struct zoe_reader *r, uint64_t s) {
	uint64_t head = zoe_ring_get_head(r, NULL);

	stress_count(&test.shared->tallies.gaps, s + DEPTH >= head && s >= r->start);
}

/* Stays a moment: asks for frames that just go, which is where rosters go wrong. */
static void join_and_leave(const struct party *me, unsigned n) {
	struct zoe_reader r = reader_enter(me, 0);
	uint64_t want, last = 0;

	seat_list(0, me->index, true, 0);
	stress_count(&test.shared->tallies.joins, 1);
	want = zoe_ring_get_head(&r, NULL);
	want = want > DEPTH + 1 ? want - DEPTH - 1 : 1; /* one older than the window */
	for (unsigned i = 0; i < n && stress_get_stop() == GO; i++) {
		struct zoe_wakes wakes = {0};
		uint64_t oldest = zoe_ring_get_oldest(&r, zoe_ring_get_head(&r, NULL));
		enum zoe_ring_result result;
		uint32_t slot = 0;

		want = i > 0 && want < oldest ? oldest : want;
		result = zoe_ring_take(&r, want, i % HOLD, &slot, &wakes);
		zoe_seat_wake(r.seat, &wakes);
		if (result == ZOE_RING_OK) {
			frame_check(&r.ring, slot, want);
			stress_count(&test.shared->tallies.disorder, want <= last);
			stress_count(&test.shared->tallies.takes, 1);
			last = want++;
			zoe_ring_set_cursor(&r, want);
			unpin(&r, i % HOLD);
		} else if (result != ZOE_RING_NONE) {
			check_hole(&r, want);
			want++;
		}
	}
	seat_list(0, me->index, false, 0);
}

static void sleep_for_frame(const struct party *me, struct zoe_reader *r, uint64_t want) {
	int is_closed;

	if (!me->sleeps) {
		sched_yield();
		return;
	}
	if (zoe_reader_wait(r, want, -1) != 0 && test.n_kills == 0 && test.n_stops == 0) {
		/* The whole bound: was there nothing indeed? */
		stress_count(&test.shared->tallies.missed_wakes,
			zoe_ring_get_head(r, &is_closed) > want);
	}
}

static void count_take(const struct party *me, uint64_t seq) {
	struct tallies *t = &test.shared->tallies;

	stress_count(&t->takes, 1);
	stress_count(&t->reliable_takes, me->role == RELIABLE);
	if (me->role == MEMBER) {
		/* [TALLY] SC: who had this number before? */
		uint64_t before = atomic_exchange_explicit(
			&test.shared->had[seq % N_HAD], seq, memory_order_seq_cst);

		stress_count(&t->group_takes, 1);
		stress_count(&t->duplicates, before == seq);
	}
}

/* What a consumer that stays goes by. */
struct stay {
	const struct party *me;
	struct zoe_reader reader;
	struct releaser *releaser;
};

static void let_go(struct stay *stay, const struct held *held) {
	if (held->seq % 2) {
		releaser_give(stay->releaser, held);
	} else {
		unpin(&held->reader, held->pin);
	}
}

/* Takes what is next. Returns: false, nothing is. */
static bool take_next(struct stay *stay, uint32_t k, uint64_t *want) {
	const struct party *me = stay->me;
	struct zoe_reader *r = &stay->reader;
	struct zoe_queued taken = {0};
	struct zoe_wakes wakes = {0};
	enum zoe_ring_result result;

	releaser_await(stay->releaser, k);
	if (me->role == MEMBER) {
		result = zoe_ring_take_queued(r, k, &taken, &wakes);
		*want = zoe_ring_get_tail(r, zoe_ring_get_head(r, NULL));
	} else {
		uint64_t oldest = zoe_ring_get_oldest(r, zoe_ring_get_head(r, NULL));

		*want = me->role == EVERY && *want < oldest ? oldest : *want;
		taken.seq = *want;
		result = zoe_ring_take(r, *want, k, &taken.slot, &wakes);
	}
	zoe_seat_wake(r->seat, &wakes);
	if (result == ZOE_RING_NONE) {
		return false;
	}
	if (result == ZOE_RING_OK) {
		if (me->role != MEMBER) {
			zoe_ring_set_cursor(r, ++*want);
			zoe_ring_ring_bell(&r->ring, r->seat, &wakes);
			zoe_seat_wake(r->seat, &wakes);
		}
		frame_check(&r->ring, taken.slot, taken.seq);
		count_take(me, taken.seq);
		let_go(stay, &(struct held){*r, taken.seq, k, taken.slot});
	} else if (me->role == EVERY) {
		check_hole(r, *want);
		++*want;
	} else if (result == ZOE_RING_LOST || me->role == RELIABLE) {
		stress_count(&test.shared->tallies.gaps, 1); /* it had been promised */
		*want += me->role == RELIABLE;
	}
	return true;
}

/* Goes on in the next generation, if this one is read to its end and there is one. */
static bool follow(
	const struct party *me, struct zoe_reader *r, uint32_t *generation, uint64_t want) {
	/* [MOVE] SC */
	uint64_t ended = atomic_load_explicit(
		&test.shared->generations[*generation].control.ended, memory_order_seq_cst);
	uint32_t told = atomic_load_explicit(&test.shared->told_consumers, memory_order_seq_cst);

	if (ended == 0 || want < ended - 1 || told <= *generation) {
		return false;
	}
	*r = reader_enter(me, ++*generation);
	return true;
}

static void stay(const struct party *me) {
	uint32_t generation = me->joined;
	struct releaser releaser;
	struct stay s = {.me = me, .reader = reader_enter(me, generation), .releaser = &releaser};
	uint64_t want = me->begin;

	releaser_init(&releaser);
	for (uint32_t k = 0;; k = (k + 1) % HOLD) {
		bool is_last = stress_get_stop() == STOP_ALL;

		if (take_next(&s, k, &want) || follow(me, &s.reader, &generation, want)) {
			continue;
		}
		if (is_last) {
			break; /* everything there is was read, and nothing comes any more */
		}
		sleep_for_frame(me, &s.reader, want);
	}
	releaser_finish(&releaser);
	if (me->role == RELIABLE) {
		stress_count(&test.shared->tallies.owed, want - me->begin);
	}
}

void consumer_run(const struct party *me) {
	if (me->role != JOINER) {
		stay(me);
		return;
	}
	while (stress_get_stop() == GO) {
		join_and_leave(me, me->index % 2 ? 2000 : 1);
	}
}
