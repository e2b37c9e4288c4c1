/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <zoe/frame.h>

#include "frame_check.h"
#include "region.h"
#include "ring_check.h"
#include "ring_read.h"
#include "ring_wait.h"
#include "ring_write.h"

enum { DEPTH = 3, SPARES = 5, FRAME_BYTES = 4096 };

struct fixture {
	struct zoe_ring ring;
	struct zoe_control_page control;
	struct zoe_seat seats[2];
	struct zoe_writer writers[2];
	struct zoe_reader reader;
};

static int setup(void **state) {
	struct zoe_geometry_request request = {
		.depth = DEPTH, .spares = SPARES, .meta_bytes = 64, .frame_bytes = FRAME_BYTES};
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(zoe_geometry_init(&f->ring.geo, &request), 0);
	f->ring.ring = aligned_alloc(4096, (size_t)f->ring.geo.ring_bytes);
	assert_non_null(f->ring.ring);
	memset(f->ring.ring, 0, (size_t)f->ring.geo.ring_bytes);
	f->ring.control = &f->control;
	zoe_ring_format(&f->ring, 1);
	for (uint32_t i = 0; i < 2; i++) {
		f->writers[i].ring = f->ring;
		f->writers[i].owner = zoe_owner_pack(1, i);
		f->writers[i].n_seats = 1;
		f->writers[i].seats[0] = (struct zoe_writer_seat){.seat = &f->seats[0], .hold = 2};
	}
	f->reader = (struct zoe_reader){.ring = f->ring, .seat = &f->seats[0], .start = 1};
	*state = f;
	return 0;
}

static int teardown(void **state) {
	struct fixture *f = *state;

	free(f->ring.ring);
	free(f);
	return 0;
}

static uint32_t must_acquire(struct zoe_writer *w) {
	struct zoe_wakes wakes = {0};
	uint32_t slot = UINT32_MAX;

	assert_int_equal(zoe_ring_acquire(w, &slot, &wakes), ZOE_RING_OK);
	return slot;
}

static uint64_t must_publish(struct zoe_writer *w) {
	struct zoe_wakes wakes = {0};
	uint64_t seq = 0;

	assert_int_equal(zoe_ring_publish(w, must_acquire(w), &seq, &wakes), ZOE_RING_OK);
	return seq;
}

static enum zoe_ring_result take(struct fixture *f, uint64_t seq, uint32_t pin, uint32_t *slot) {
	struct zoe_wakes wakes = {0};

	return zoe_ring_take(&f->reader, seq, pin, slot, &wakes);
}

static void test_ring_numbers_frames_from_start(void **state) {
	struct fixture *f = *state;

	assert_int_equal(must_publish(&f->writers[0]), 1);
	assert_int_equal(must_publish(&f->writers[1]), 2);
	assert_int_equal(zoe_ring_get_head(&f->reader, NULL), 3);
}

static void test_ring_keeps_depth_frames_readable(void **state) {
	struct fixture *f = *state;
	uint32_t slot;

	for (int i = 0; i < 100; i++) {
		must_publish(&f->writers[i % 2]);
	}
	for (uint64_t s = 98; s <= 100; s++) {
		assert_int_equal(take(f, s, 0, &slot), ZOE_RING_OK);
	}
	assert_int_equal(take(f, 101, 0, &slot), ZOE_RING_NONE);
	assert_int_equal(take(f, 50, 0, &slot), ZOE_RING_LOST);
}

static void test_ring_never_hands_out_a_pinned_slot(void **state) {
	struct fixture *f = *state;
	uint32_t pinned;

	must_publish(&f->writers[0]);
	assert_int_equal(take(f, 1, 0, &pinned), ZOE_RING_OK);
	for (int i = 0; i < 100; i++) {
		uint32_t slot = must_acquire(&f->writers[0]);
		struct zoe_wakes wakes = {0};
		uint64_t seq;

		assert_int_not_equal(slot, pinned);
		assert_int_equal(zoe_ring_publish(&f->writers[0], slot, &seq, &wakes), ZOE_RING_OK);
	}
}

static void test_ring_ignores_pins_beyond_hold(void **state) {
	struct fixture *f = *state;

	/* A hostile seat pins everything with the pins it was not given, and nonsense with the
	 * rest. */
	for (uint32_t k = 0; k < ZOE_MAX_PINS; k++) {
		atomic_store_explicit(&f->seats[0].pin[k], k < 2 ? UINT32_MAX : k + 1,
			memory_order_seq_cst); /* [TEST] */
	}
	for (int i = 0; i < 100; i++) {
		must_publish(&f->writers[0]);
	}
}

static void test_ring_says_stale_when_the_roster_changed(void **state) {
	struct fixture *f = *state;
	struct zoe_wakes wakes = {0};
	uint32_t slot;

	atomic_store_explicit(&f->control.roster, 7, memory_order_seq_cst); /* [TEST] */
	assert_int_equal(zoe_ring_acquire(&f->writers[0], &slot, &wakes), ZOE_RING_STALE);
	f->writers[0].roster = 7;
	must_acquire(&f->writers[0]);
}

static void test_ring_cancel_gives_the_slot_back(void **state) {
	struct fixture *f = *state;
	struct zoe_wakes wakes = {0};

	for (int i = 0; i < 100; i++) {
		zoe_ring_cancel(&f->writers[0], must_acquire(&f->writers[0]), &wakes);
	}
	assert_int_equal(zoe_ring_get_head(&f->reader, NULL), 1);
}

static void test_ring_close_ends_publishing(void **state) {
	struct fixture *f = *state;
	struct zoe_wakes wakes = {0};
	uint32_t slot = must_acquire(&f->writers[0]);
	uint64_t seq;
	int is_closed;

	must_publish(&f->writers[1]);
	assert_int_equal(zoe_ring_close(&f->ring), 2);
	assert_int_equal(zoe_ring_publish(&f->writers[0], slot, &seq, &wakes), ZOE_RING_MOVED);
	assert_int_equal(zoe_ring_acquire(&f->writers[0], &slot, &wakes), ZOE_RING_MOVED);
	assert_int_equal(zoe_ring_get_head(&f->reader, &is_closed), 2);
	assert_true(is_closed);
}

static void test_ring_repair_frees_what_the_dead_held(void **state) {
	struct fixture *f = *state;

	for (int round = 0; round < 50; round++) {
		must_acquire(&f->writers[0]);
		must_publish(&f->writers[1]);
		assert_int_equal(zoe_ring_count_owned(&f->ring, f->writers[0].owner), 1);
		assert_int_equal(zoe_ring_repair(&f->ring, f->writers[0].owner), 1);
		assert_int_equal(zoe_ring_count_owned(&f->ring, f->writers[0].owner), 0);
	}
}

static void test_ring_repair_finishes_a_committed_frame(void **state) {
	struct fixture *f = *state;
	uint32_t slot = must_acquire(&f->writers[0]), taken;
	struct zoe_frame_header *hdr = (void *)zoe_ring_get_header(&f->ring, slot);

	/* Dead between the commit in order[] and the count in head. */
	hdr->seq = 1;
	atomic_store_explicit(zoe_ring_get_state(&f->ring, slot),
		zoe_state_pack(ZOE_SLOT_WRITING, f->writers[0].owner, 1),
		memory_order_seq_cst); /* [TEST] */
	atomic_store_explicit(zoe_ring_get_order(&f->ring, 1), zoe_order_pack(1, slot),
		memory_order_seq_cst); /* [TEST] */
	zoe_ring_repair(&f->ring, f->writers[0].owner);
	assert_int_equal(zoe_ring_get_head(&f->reader, NULL), 2);
	assert_int_equal(take(f, 1, 0, &taken), ZOE_RING_OK);
	assert_int_equal(taken, slot);
}

static void test_ring_publish_helps_a_dead_committer(void **state) {
	struct fixture *f = *state;
	uint32_t slot = must_acquire(&f->writers[0]);

	atomic_store_explicit(zoe_ring_get_state(&f->ring, slot),
		zoe_state_pack(ZOE_SLOT_WRITING, f->writers[0].owner, 1),
		memory_order_seq_cst); /* [TEST] */
	atomic_store_explicit(zoe_ring_get_order(&f->ring, 1), zoe_order_pack(1, slot),
		memory_order_seq_cst); /* [TEST] */
	assert_int_equal(must_publish(&f->writers[1]), 2);
}

static void test_ring_survives_hostile_order_entries(void **state) {
	struct fixture *f = *state;
	uint32_t slot;

	must_publish(&f->writers[0]);
	atomic_store_explicit(zoe_ring_get_order(&f->ring, 1), zoe_order_pack(1, 0xffff),
		memory_order_seq_cst); /* [TEST] */
	assert_int_equal(take(f, 1, 0, &slot), ZOE_RING_LOST);
	for (int i = 0; i < 20; i++) {
		must_publish(&f->writers[1]);
	}
}

static void test_ring_is_sane_while_honest_producers_work(void **state) {
	struct fixture *f = *state;
	const uint32_t owners[ZOE_MAX_LANES] = {f->writers[0].owner, f->writers[1].owner};
	uint32_t slot;

	assert_true(zoe_ring_is_sane(&f->ring, 1, owners));
	slot = must_acquire(&f->writers[1]);
	for (int i = 0; i < 100; i++) {
		must_publish(&f->writers[0]);
		assert_true(zoe_ring_is_sane(&f->ring, 1, owners));
	}
	assert_false(zoe_ring_is_sane(&f->ring, 1, (const uint32_t[ZOE_MAX_LANES]){owners[0]}));
	zoe_ring_cancel(&f->writers[1], slot, &(struct zoe_wakes){0});
	assert_true(zoe_ring_is_sane(&f->ring, 1, (const uint32_t[ZOE_MAX_LANES]){owners[0]}));
}

/* Each word alone is enough to keep the next producer from publishing, or readers from reading. */
static void test_ring_is_not_sane_with_one_wild_word(void **state) {
	struct fixture *f = *state;
	const uint32_t owners[ZOE_MAX_LANES] = {0};
	const struct {
		_Atomic zoe_u64 *word;
		uint64_t value;
	} lies[] = {
		{&zoe_ring_get_page(&f->ring)->head, 0},
		{&zoe_ring_get_page(&f->ring)->head, zoe_head_pack(ZOE_MAX_SEQ)},
		{&zoe_ring_get_page(&f->ring)->head, zoe_head_pack(31) | ZOE_HEAD_CLOSED},
		{zoe_ring_get_order(&f->ring, 5), zoe_order_pack(37, 0)},
		{zoe_ring_get_order(&f->ring, 5), zoe_order_pack(6, 0)},
		{zoe_ring_get_order(&f->ring, 5), zoe_order_pack(5, f->ring.geo.n_slots)},
		{zoe_ring_get_state(&f->ring, 0), zoe_state_pack(ZOE_SLOT_FREE, 1, 0)},
		{zoe_ring_get_state(&f->ring, 0), zoe_state_pack(ZOE_SLOT_PUBLISHED, 0, 32)},
		{zoe_ring_get_state(&f->ring, 0), zoe_state_pack(ZOE_SLOT_PUBLISHED, 1, 28)},
		{zoe_ring_get_state(&f->ring, 7), zoe_state_pack(ZOE_SLOT_PUBLISHED, 0, 30)},
		{zoe_ring_get_state(&f->ring, 0), zoe_state_pack(ZOE_SLOT_CLAIMING, 65, 28)},
		{zoe_ring_get_state(&f->ring, 0), zoe_state_pack(ZOE_SLOT_WRITING, 65, 0)},
		{zoe_ring_get_state(&f->ring, 0), UINT64_MAX},
	};

	for (int i = 0; i < 30; i++) {
		must_publish(&f->writers[0]);
	}
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		uint64_t before =
			atomic_exchange_explicit(lies[i].word, lies[i].value, memory_order_relaxed);

		assert_false(zoe_ring_is_sane(&f->ring, 1, owners));
		atomic_store_explicit(lies[i].word, before, memory_order_relaxed);
		assert_true(zoe_ring_is_sane(&f->ring, 1, owners));
	}
}

static void test_ring_owes_wakes_only_to_sleepers(void **state) {
	struct fixture *f = *state;
	struct zoe_wakes wakes = {0};
	uint64_t seq;

	zoe_ring_publish(&f->writers[0], must_acquire(&f->writers[0]), &seq, &wakes);
	assert_int_equal(wakes.flags, 0);
	atomic_store_explicit(&f->seats[0].waiting, 1, memory_order_seq_cst); /* [TEST] */
	atomic_store_explicit(&f->seats[0].arm, 1, memory_order_seq_cst);     /* [TEST] */
	zoe_ring_publish(&f->writers[0], must_acquire(&f->writers[0]), &seq, &wakes);
	assert_int_equal(wakes.flags, ZOE_WAKE_HEAD);
	assert_int_equal(wakes.bells, 1);
}

/* Publishes n frames. Returns: what the acquire after them says. */
static enum zoe_ring_result feed_until_refused(struct fixture *f, unsigned n) {
	struct zoe_wakes wakes = {0};
	uint32_t slot;
	uint64_t seq;

	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(zoe_ring_acquire(&f->writers[0], &slot, &wakes), ZOE_RING_OK);
		assert_int_equal(zoe_ring_publish(&f->writers[0], slot, &seq, &wakes), ZOE_RING_OK);
	}
	return zoe_ring_acquire(&f->writers[0], &slot, &wakes);
}

static void make_reliable(struct fixture *f, const struct zoe_group *group) {
	f->writers[0].seats[0].flags = ZOE_SEAT_RELIABLE;
	f->writers[0].seats[0].group = group;
	zoe_writer_count(&f->writers[0]);
	assert_int_equal(f->writers[0].n_reliable, 1);
}

static void test_ring_owes_a_reliable_reader_its_frames(void **state) {
	struct fixture *f = *state;
	uint32_t slot;
	struct zoe_wakes wakes = {0};

	make_reliable(f, NULL);
	atomic_init(&f->seats[0].cursor, 1);
	/* depth frames and one more, though there are free slots. */
	assert_int_equal(feed_until_refused(f, DEPTH + 1), ZOE_RING_OWED);
	assert_int_equal(f->writers[0].owed_to, 0);
	assert_int_equal(zoe_ring_take(&f->reader, 1, 0, &slot, &wakes), ZOE_RING_OK);
	zoe_ring_set_cursor(&f->reader, 2);
	zoe_ring_unpin(&f->ring, &f->seats[0], 0, &wakes);
	assert_int_equal(feed_until_refused(f, 1), ZOE_RING_OWED);
}

/* A reader may hold more than `depth` frames: then no release follows the take that makes room. */
static void test_ring_tells_a_sleeping_producer_of_a_take(void **state) {
	struct fixture *f = *state;
	struct zoe_space_seen seen, after;
	struct zoe_wakes wakes = {0};
	uint32_t slot;

	make_reliable(f, NULL);
	atomic_init(&f->seats[0].cursor, 1);
	assert_int_equal(feed_until_refused(f, DEPTH + 1), ZOE_RING_OWED);
	zoe_ring_set_space_waiting(&f->writers[0], 1);
	zoe_writer_look(&f->writers[0], &seen);
	assert_int_equal(zoe_ring_take(&f->reader, 1, 0, &slot, &wakes), ZOE_RING_OK);
	zoe_ring_set_cursor(&f->reader, 2);
	zoe_ring_ring_bell(&f->ring, &f->seats[0], &wakes);
	assert_int_equal(wakes.flags & ZOE_WAKE_SPACE, ZOE_WAKE_SPACE);
	zoe_writer_look(&f->writers[0], &after);
	assert_int_equal(zoe_ring_acquire(&f->writers[0], &slot, &wakes), ZOE_RING_OK);
	assert_int_not_equal(seen.bell[0], after.bell[0]);
}

static void test_ring_a_joining_reliable_reader_holds_everything(void **state) {
	struct fixture *f = *state;

	assert_int_equal(feed_until_refused(f, 10), ZOE_RING_OK);
	make_reliable(f, NULL); /* its cursor is still 0 */
	assert_int_equal(feed_until_refused(f, 0), ZOE_RING_OWED);
}

static void test_ring_a_wild_cursor_or_tail_holds_nothing(void **state) {
	static const uint64_t wild[] = {
		UINT64_MAX, UINT64_MAX - DEPTH, UINT64_MAX - DEPTH + 1, UINT64_C(1) << 47, 1000};
	struct zoe_group group = {0};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
		make_reliable(f, NULL);
		atomic_init(&f->seats[0].cursor, wild[i]);
		assert_int_equal(feed_until_refused(f, 3 * DEPTH), ZOE_RING_OK);
		make_reliable(f, &group);
		atomic_init(&group.tail, wild[i]);
		assert_int_equal(feed_until_refused(f, 3 * DEPTH), ZOE_RING_OK);
		while (zoe_ring_repair(&f->ring, f->writers[0].owner) > 0) {
		}
	}
}

static void test_ring_group_takes_each_frame_once(void **state) {
	struct fixture *f = *state;
	struct zoe_group group = {0};
	struct zoe_reader other = {
		.ring = f->ring, .seat = &f->seats[1], .group = &group, .start = 1};
	struct zoe_wakes wakes = {0};
	struct zoe_queued taken;

	f->reader.group = &group;
	atomic_init(&group.tail, 1);
	assert_int_equal(zoe_ring_take_queued(&f->reader, 0, &taken, &wakes), ZOE_RING_NONE);
	assert_int_equal(feed_until_refused(f, 2), ZOE_RING_OK);
	assert_int_equal(zoe_ring_take_queued(&f->reader, 0, &taken, &wakes), ZOE_RING_OK);
	assert_int_equal(taken.seq, 1);
	assert_int_equal(zoe_ring_take_queued(&other, 0, &taken, &wakes), ZOE_RING_OK);
	assert_int_equal(taken.seq, 2);
	assert_int_equal(zoe_ring_take_queued(&other, 1, &taken, &wakes), ZOE_RING_NONE);
	assert_int_equal(atomic_load_explicit(&f->seats[1].pin[1], memory_order_relaxed), 0);
}

static void test_ring_lossy_group_passes_over_what_is_gone(void **state) {
	struct fixture *f = *state;
	struct zoe_group group = {0};
	struct zoe_wakes wakes = {0};
	struct zoe_queued taken;

	f->reader.group = &group;
	atomic_init(&group.tail, 1);
	assert_int_equal(feed_until_refused(f, 20), ZOE_RING_OK);
	assert_int_equal(zoe_ring_take_queued(&f->reader, 0, &taken, &wakes), ZOE_RING_LOST);
	assert_int_equal(taken.skipped, 20 - DEPTH);
	assert_int_equal(zoe_ring_take_queued(&f->reader, 0, &taken, &wakes), ZOE_RING_OK);
	assert_int_equal(taken.seq, 21 - DEPTH);
	atomic_init(&group.tail, 1000);
	assert_int_equal(zoe_ring_take_queued(&f->reader, 1, &taken, &wakes), ZOE_RING_ROGUE);
}

static void test_ring_sole_writer_hands_out_the_same_frames(void **state) {
	struct fixture *f = *state;
	struct zoe_wakes wakes = {0};
	uint32_t slot;

	f->writers[0].is_sole = 1;
	assert_int_equal(feed_until_refused(f, 50), ZOE_RING_OK);
	for (uint64_t s = 51 - DEPTH; s <= 50; s++) {
		assert_int_equal(zoe_ring_take(&f->reader, s, 0, &slot, &wakes), ZOE_RING_OK);
		zoe_ring_unpin(&f->ring, &f->seats[0], 0, &wakes);
	}
	assert_int_equal(zoe_ring_close(&f->ring), 51);
	assert_int_equal(feed_until_refused(f, 0), ZOE_RING_MOVED);
}

static void test_geometry_refuses_lies(void **state) {
	struct fixture *f = *state;
	struct zoe_geometry good = f->ring.geo, bad;

	assert_int_equal(zoe_geometry_check(&good), 0);
	/* Any single word set to each of a few wild values must be refused or harmless: what is
	 * accepted must fit the sizes that are mapped. */
	for (size_t word = 0; word < sizeof(good) / 4; word++) {
		static const uint32_t wild[] = {0, 1, 0x7fffffff, 0xffffffff, 0x80000000};

		for (size_t i = 0; i < sizeof(wild) / sizeof(wild[0]); i++) {
			bad = good;
			memcpy((char *)&bad + word * 4, &wild[i], 4);
			if (zoe_geometry_check(&bad) == 0) {
				assert_true((uint64_t)bad.header_offset +
						    (uint64_t)bad.n_slots * bad.header_stride <=
					    bad.ring_bytes);
				assert_true(bad.slot_stride * bad.n_slots <= bad.frames_bytes);
			}
		}
	}
}

/* A plain file can be cut under its readers, and has no seals to say that it cannot. */
static void test_region_refuses_memory_without_seals(void **state) {
	FILE *file = tmpfile();
	void *page = NULL;

	(void)state;
	assert_non_null(file);
	assert_int_equal(ftruncate(fileno(file), ZOE_SEAT_PAGE_BYTES), 0);
	assert_int_equal(zoe_seat_map(&page, fileno(file), false), -EPROTO);
	fclose(file);
}

int main(void) {
#define RING(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		RING(test_ring_numbers_frames_from_start),
		RING(test_ring_keeps_depth_frames_readable),
		RING(test_ring_never_hands_out_a_pinned_slot),
		RING(test_ring_ignores_pins_beyond_hold),
		RING(test_ring_says_stale_when_the_roster_changed),
		RING(test_ring_cancel_gives_the_slot_back),
		RING(test_ring_close_ends_publishing),
		RING(test_ring_repair_frees_what_the_dead_held),
		RING(test_ring_repair_finishes_a_committed_frame),
		RING(test_ring_publish_helps_a_dead_committer),
		RING(test_ring_survives_hostile_order_entries),
		RING(test_ring_is_sane_while_honest_producers_work),
		RING(test_ring_is_not_sane_with_one_wild_word),
		RING(test_ring_owes_wakes_only_to_sleepers),
		RING(test_ring_owes_a_reliable_reader_its_frames),
		RING(test_ring_tells_a_sleeping_producer_of_a_take),
		RING(test_ring_a_joining_reliable_reader_holds_everything),
		RING(test_ring_a_wild_cursor_or_tail_holds_nothing),
		RING(test_ring_group_takes_each_frame_once),
		RING(test_ring_lossy_group_passes_over_what_is_gone),
		RING(test_ring_sole_writer_hands_out_the_same_frames),
		RING(test_geometry_refuses_lies),
		cmocka_unit_test(test_region_refuses_memory_without_seals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
