/* SPDX-License-Identifier: MIT */
#include "ring_write.h"

#include "frame_layout.h"

#ifdef __x86_64__
#include <emmintrin.h>
#endif

#ifndef ZOE_MUTANT
#define ZOE_MUTANT 0 /* tests/stress builds this text with one rule switched off */
#endif
enum {
	MUTANT_NO_ROSTER_CHECK = 1,
	MUTANT_STALE_HEAD = 2,
	MUTANT_WIDE_WINDOW = 4,
	MUTANT_NO_FLOOR = 5
};

enum { MAX_PASSES = 4, MAX_PUBLISH_ROUNDS = 10000 };

/* [PIN] {claim.pins} Does anybody hold slot? The loads are SC: together with the SC claim before
 * them and the reader's SC pin store and SC state load one of the two sides sees the other. Only
 * the first `hold` pins count, so that no consumer can lock more than its share. */
static int slot_is_pinned(const struct zoe_writer *w, uint32_t slot) {
	for (uint32_t i = 0; i < w->n_seats; i++) {
		const struct zoe_writer_seat *s = &w->seats[i];

		for (uint32_t k = 0; s->seat && k < s->hold; k++) {
			if (atomic_load_explicit(&s->seat->pin[k], memory_order_seq_cst) ==
				slot + 1) {
				return 1;
			}
		}
	}
	return 0;
}

/* Event for producers that sleep for space. [BELL] {signal.space} {signal.space_waiting} the add is
 * SC, as is the sleeper's bit: either we see the bit or it sees the new value. */
static void space_signal(const struct zoe_ring *ring, struct zoe_wakes *wakes) {
	struct zoe_ring_page *page = zoe_ring_get_page(ring);

	atomic_fetch_add_explicit(&page->space, 1, memory_order_seq_cst);
	if (atomic_load_explicit(&page->space_waiting, memory_order_seq_cst) != 0) {
		wakes->flags |= ZOE_WAKE_SPACE;
	}
}

static int roster_is_current(const struct zoe_writer *w) {
	/* [ROSTER] {acq.roster} {claim.roster} SC: orders this look after the claim (second check)
	 * or after head (first one).
	 */
	return atomic_load_explicit(&w->ring.control->roster, memory_order_seq_cst) == w->roster;
}

/* A state that we own is changed by nobody else, so a store will do; the look {own.look} notices an
 * owner that was declared dead by mistake. [STATE] {claim.own} {pub.bid} release: what we wrote
 * before goes with it. */
static int state_set_own(_Atomic zoe_u64 *word, uint64_t from, uint64_t to) {
	if (atomic_load_explicit(word, memory_order_relaxed) != from) {
		return 0;
	}
	atomic_store_explicit(word, to, memory_order_release);
	return 1;
}

/* Tries to evict the frame in slot, which was published as number s. */
static enum zoe_ring_result slot_claim(
	struct zoe_writer *w, uint32_t slot, uint64_t state, struct zoe_wakes *wakes) {
	_Atomic zoe_u64 *word = zoe_ring_get_state(&w->ring, slot);
	uint64_t claim = zoe_state_pack(ZOE_SLOT_CLAIMING, w->owner, zoe_state_seq(state));
	uint64_t expected = state;
	int is_stale;

	if (slot_is_pinned(w, slot)) {
		return ZOE_RING_NONE;
	}
	/* [PIN] {claim.state} SC: readers that pin after this see CLAIMING, those before it are
	 * seen below. */
	if (!atomic_compare_exchange_strong_explicit(
		    word, &expected, claim, memory_order_seq_cst, memory_order_relaxed)) {
		return ZOE_RING_NONE;
	}
	is_stale = ZOE_MUTANT != MUTANT_NO_ROSTER_CHECK && !roster_is_current(w);
	if (is_stale || slot_is_pinned(w, slot)) {
		expected = claim;
		/* [STATE] {claim.undo} acq_rel: gives the untouched frame back to readers and other
		 * producers.
		 */
		atomic_compare_exchange_strong_explicit(
			word, &expected, state, memory_order_acq_rel, memory_order_relaxed);
		space_signal(&w->ring, wakes);
		return is_stale ? ZOE_RING_STALE : ZOE_RING_NONE;
	}
	if (!state_set_own(word, claim, zoe_state_pack(ZOE_SLOT_WRITING, w->owner, 0))) {
		return ZOE_RING_DEAD;
	}
	/* [STATE] release: whoever copies a frame without a pin (inspect, edit) and sees our bytes
	 * sees the claim too when it looks again. */
	atomic_thread_fence(memory_order_release);
	return ZOE_RING_OK;
}

/* Frame s is older than the `depth` frames that stay readable. */
static int seq_is_evictable(const struct zoe_writer *w, uint64_t s, uint64_t limit) {
	uint64_t oldest = s + w->ring.geo.depth;

	return ZOE_MUTANT == MUTANT_WIDE_WINDOW ? oldest <= limit : oldest < limit;
}

static int state_is_recyclable(const struct zoe_writer *w, uint64_t state, uint64_t limit) {
	return zoe_state_kind(state) == ZOE_SLOT_PUBLISHED && zoe_state_owner(state) == 0 &&
	       seq_is_evictable(w, zoe_state_seq(state), limit);
}

/* What the reliable reader in a seat still wants: this number and all after it. */
static uint64_t seat_get_floor(const struct zoe_writer_seat *s, uint64_t limit) {
	/* [CURSOR] {acq.cursor} [TAIL] {acq.tail} acquire: the pin of the frame before it stands.
	 */
	uint64_t wanted = s->group ? atomic_load_explicit(&s->group->tail, memory_order_acquire)
				   : atomic_load_explicit(&s->seat->cursor, memory_order_acquire);

	return wanted < limit ? wanted : limit; /* consumers may write anything */
}

/* Is a frame that would have to go still wanted by a reliable reader? If not, whatever is evictable
 * below is wanted by none: all of it lies below limit - depth, and they want nothing below that. */
static int is_owed(struct zoe_writer *w, uint64_t limit) {
	uint64_t floor = UINT64_MAX;

	if (w->n_reliable == 0 || ZOE_MUTANT == MUTANT_NO_FLOOR) {
		return 0;
	}
	for (uint32_t i = 0; i < w->n_seats; i++) {
		const struct zoe_writer_seat *s = &w->seats[i];

		if (s->seat && (s->flags & ZOE_SEAT_RELIABLE)) {
			uint64_t wanted = seat_get_floor(s, limit);

			if (wanted < floor) {
				floor = wanted;
				w->owed_to = i;
			}
		}
	}
	return seq_is_evictable(w, floor, limit);
}

void zoe_writer_count(struct zoe_writer *w) {
	w->n_seats = 0;
	w->n_reliable = 0;
	for (uint32_t i = 0; i < ZOE_MAX_SEATS; i++) {
		if (w->seats[i].seat) {
			w->n_seats = i + 1;
			w->n_reliable += (w->seats[i].flags & ZOE_SEAT_RELIABLE) != 0;
		}
	}
}

/* Candidate 1: the frame that left the window last; its slot is warm in the cache. */
static enum zoe_ring_result claim_oldest(
	struct zoe_writer *w, uint64_t limit, uint32_t *slot, struct zoe_wakes *wakes) {
	uint64_t s, entry, state;
	uint32_t i;

	if (limit <= (uint64_t)w->ring.geo.depth + 1) {
		return ZOE_RING_NONE;
	}
	s = limit - w->ring.geo.depth - 1;
	/* [ORDER] {claim.order} acquire: pairs with the commit; the state is then the one of that
	 * commit or later. */
	entry = atomic_load_explicit(zoe_ring_get_order(&w->ring, s), memory_order_acquire);
	i = zoe_order_slot(entry);
	if (zoe_order_seq(entry) != s || i >= w->ring.geo.n_slots) {
		return ZOE_RING_NONE;
	}
	/* [STATE] {claim.look} acquire: a value to compare with; the claim itself decides. */
	state = atomic_load_explicit(zoe_ring_get_state(&w->ring, i), memory_order_acquire);
	if (state != zoe_state_pack(ZOE_SLOT_PUBLISHED, 0, s)) {
		return ZOE_RING_NONE;
	}
	*slot = i;
	return slot_claim(w, i, state, wakes);
}

/* Candidates 2: any recyclable slot, from a private rotor on. */
static enum zoe_ring_result claim_any(
	struct zoe_writer *w, uint64_t limit, uint32_t *slot, struct zoe_wakes *wakes) {
	uint32_t n = w->ring.geo.n_slots;

	for (uint32_t tried = 0; tried < n; tried++) {
		uint32_t i = w->rotor < n ? w->rotor : 0;
		uint64_t state;
		enum zoe_ring_result result;

		w->rotor = i + 1;
		/* [STATE] {claim.look} as in claim_oldest. */
		state = atomic_load_explicit(zoe_ring_get_state(&w->ring, i), memory_order_acquire);
		if (!state_is_recyclable(w, state, limit)) {
			continue;
		}
		result = slot_claim(w, i, state, wakes);
		if (result != ZOE_RING_NONE) {
			*slot = i;
			return result;
		}
	}
	return ZOE_RING_NONE;
}

/* Candidates 3: memory that was never touched or was given back. */
static enum zoe_ring_result claim_free(struct zoe_writer *w, uint32_t *slot) {
	uint64_t writing = zoe_state_pack(ZOE_SLOT_WRITING, w->owner, 0);

	for (uint32_t i = 0; i < w->ring.geo.n_slots; i++) {
		_Atomic zoe_u64 *word = zoe_ring_get_state(&w->ring, i);
		uint64_t expected = 0;

		/* [STATE] {claim.look} relaxed, {claim.free} acquire: nobody can hold a FREE slot;
		 * acquire orders us behind the producer that cancelled it. */
		if (atomic_load_explicit(word, memory_order_relaxed) == 0 &&
			atomic_compare_exchange_strong_explicit(word, &expected, writing,
				memory_order_acquire, memory_order_relaxed)) {
			*slot = i;
			return ZOE_RING_OK;
		}
	}
	return ZOE_RING_NONE;
}

static enum zoe_ring_result acquire_pass(
	struct zoe_writer *w, uint32_t *slot, struct zoe_wakes *wakes) {
	struct zoe_ring_page *page = zoe_ring_get_page(&w->ring);
	enum zoe_ring_result result;
	uint64_t head, limit;

	/* [LIMIT] {acq.limit} SC, and before the roster: a consumer that joined after our look at
	 * the roster took its start from a head that is not older than this one. */
	head = atomic_load_explicit(&page->head, memory_order_seq_cst);
	if (head & ZOE_HEAD_CLOSED) {
		return ZOE_RING_MOVED;
	}
	limit = zoe_head_seq(head);
	if (!roster_is_current(w)) {
		return ZOE_RING_STALE;
	}
	/* [MOVE] {acq.ended} SC: set by the broker after the close; a liar may have cleared the
	 * closed bit. */
	if (atomic_load_explicit(&w->ring.control->ended, memory_order_seq_cst) != 0) {
		return ZOE_RING_MOVED;
	}
	if (is_owed(w, limit)) {
		return ZOE_RING_OWED;
	}
	result = claim_oldest(w, limit, slot, wakes);
	if (result == ZOE_RING_NONE) {
		result = claim_any(w, limit, slot, wakes);
	}
	return result == ZOE_RING_NONE ? claim_free(w, slot) : result;
}

/* A number that changes whenever a consumer lets go of a frame. */
static uint32_t sum_bells(const struct zoe_writer *w) {
	uint32_t sum = 0;

	for (uint32_t i = 0; i < w->n_seats; i++) {
		if (w->seats[i].seat) {
			/* [BELL] {-1} acquire: what was released before is free for the next pass.
			 */
			sum += atomic_load_explicit(&w->seats[i].seat->bell, memory_order_acquire);
		}
	}
	return sum;
}

static int is_refusal(enum zoe_ring_result result) {
	return result == ZOE_RING_NONE || result == ZOE_RING_OWED;
}

enum zoe_ring_result zoe_ring_acquire(
	struct zoe_writer *w, uint32_t *slot, struct zoe_wakes *wakes) {
	struct zoe_ring_page *page = zoe_ring_get_page(&w->ring);
	enum zoe_ring_result result = acquire_pass(w, slot, wakes);

	for (unsigned pass = 1; pass < MAX_PASSES && is_refusal(result); pass++) {
		/* [BELL] {-4} acquire: did anything happen while we looked? If not, another look is
		 * vain. */
		uint32_t space = atomic_load_explicit(&page->space, memory_order_acquire);
		uint64_t head = atomic_load_explicit(&page->head, memory_order_acquire);
		uint32_t bells = sum_bells(w);

		result = acquire_pass(w, slot, wakes);
		if (sum_bells(w) == bells &&
			atomic_load_explicit(&page->space, memory_order_acquire) == space &&
			atomic_load_explicit(&page->head, memory_order_acquire) == head) {
			break;
		}
	}
	return result;
}

int zoe_ring_help(const struct zoe_ring *ring, uint64_t s) {
	struct zoe_ring_page *page = zoe_ring_get_page(ring);
	/* [ORDER] {help.order} acquire: pairs with the commit, so that the committer's bid is
	 * visible. */
	uint64_t entry = atomic_load_explicit(zoe_ring_get_order(ring, s), memory_order_acquire);
	uint32_t slot = zoe_order_slot(entry);
	uint64_t state, head = zoe_head_pack(s);

	if (zoe_order_seq(entry) != s || slot >= ring->geo.n_slots) {
		return 0;
	}
	/* [STATE] {help.state} acquire, {help.publish} acq_rel: hands the owner's payload on to
	 * readers. Exactly this bid: an owner that bids anew has another number or none. */
	state = atomic_load_explicit(zoe_ring_get_state(ring, slot), memory_order_acquire);
	if (zoe_state_kind(state) == ZOE_SLOT_WRITING && zoe_state_seq(state) == s) {
		atomic_compare_exchange_strong_explicit(zoe_ring_get_state(ring, slot), &state,
			zoe_state_pack(ZOE_SLOT_PUBLISHED, 0, s), memory_order_acq_rel,
			memory_order_relaxed);
	}
	/* [PUB] {help.count} SC: counts the frame; readers' acquire of head sees the PUBLISHED
	 * state. */
	atomic_compare_exchange_strong_explicit(&page->head, &head, zoe_head_pack(s + 1),
		memory_order_seq_cst, memory_order_seq_cst);
	return 1;
}

void zoe_ring_scan(struct zoe_writer *w, struct zoe_wakes *wakes) {
	/* [BELL] {scan.space_waiting} [SLEEP] {scan.waiting} {scan.arm} SC loads after the SC head
	 * CAS; sleepers store SC, then look at head. */
	if (atomic_load_explicit(
		    &zoe_ring_get_page(&w->ring)->space_waiting, memory_order_seq_cst)) {
		wakes->flags |= ZOE_WAKE_HEAD | ZOE_WAKE_SPACE;
	}
	for (uint32_t i = 0; i < w->n_seats; i++) {
		struct zoe_writer_seat *s = &w->seats[i];
		uint32_t arm;

		if (!s->seat) {
			continue;
		}
		if (atomic_load_explicit(&s->seat->waiting, memory_order_seq_cst)) {
			wakes->flags |= ZOE_WAKE_HEAD;
			wakes->seats |= UINT64_C(1) << i;
		}
		arm = atomic_load_explicit(&s->seat->arm, memory_order_seq_cst); /* [SLEEP] */
		if (arm != s->arm_seen) {
			s->arm_seen = arm;
			wakes->bells |= UINT64_C(1) << i;
		}
	}
}

/* Non-temporal stores into the payload are ordered by no C11 fence. */
static void payload_fence(void) {
#ifdef __x86_64__
	_mm_sfence();
#endif
}

/* Replaces a word that only producers of this ring write, and broker and helpers at most write the
 * same value to. The only producer does without the exchange. [ORDER] {pub.commit} [STATE]
 * {pub.state} acq_rel. */
static int word_replace(
	const struct zoe_writer *w, _Atomic zoe_u64 *word, uint64_t from, uint64_t to) {
	if (w->is_sole) {
		atomic_store_explicit(word, to, memory_order_release);
		return 1;
	}
	return atomic_compare_exchange_strong_explicit(
		word, &from, to, memory_order_acq_rel, memory_order_relaxed);
}

/* The commit point: puts (s, slot) into order[]. Returns OK, NONE to look again, MOVED, DEAD. */
static enum zoe_ring_result publish_bid(
	struct zoe_writer *w, uint32_t slot, uint64_t *held, uint64_t *seq) {
	struct zoe_ring_page *page = zoe_ring_get_page(&w->ring);
	struct zoe_frame_header *hdr = (void *)zoe_ring_get_header(&w->ring, slot);
	/* [PUB] {pub.head} acquire: pairs with the head CAS of the frame before. */
	uint64_t head = atomic_load_explicit(&page->head, memory_order_acquire);
	uint64_t s = zoe_head_seq(head), entry, bid;
	_Atomic zoe_u64 *order = zoe_ring_get_order(&w->ring, s);

	if (head & ZOE_HEAD_CLOSED) {
		return ZOE_RING_MOVED;
	}
	entry = atomic_load_explicit(order, memory_order_acquire); /* [ORDER] {pub.order} */
	if (zoe_order_seq(entry) > s && ZOE_MUTANT != MUTANT_STALE_HEAD) {
		return ZOE_RING_NONE; /* our s is stale */
	}
	if (zoe_order_seq(entry) == s) {
		zoe_ring_help(&w->ring, s);
		return ZOE_RING_BUSY;
	}
	hdr->seq = s;
	bid = zoe_state_pack(ZOE_SLOT_WRITING, w->owner, s);
	/* [STATE] the bid: makes the payload visible to whoever helps. */
	if (!state_set_own(zoe_ring_get_state(&w->ring, slot), *held, bid)) {
		return ZOE_RING_DEAD;
	}
	*held = bid;
	*seq = s;
	/* [ORDER] acq_rel: the commit. */
	return word_replace(w, order, entry, zoe_order_pack(s, slot)) ? ZOE_RING_OK : ZOE_RING_NONE;
}

enum zoe_ring_result zoe_ring_publish(
	struct zoe_writer *w, uint32_t slot, uint64_t *seq, struct zoe_wakes *wakes) {
	struct zoe_ring_page *page = zoe_ring_get_page(&w->ring);
	uint64_t held = zoe_state_pack(ZOE_SLOT_WRITING, w->owner, 0), head;
	enum zoe_ring_result result = ZOE_RING_NONE;
	int has_helped = 0;

	payload_fence();
	for (unsigned i = 0; i < MAX_PUBLISH_ROUNDS; i++) {
		result = publish_bid(w, slot, &held, seq);
		has_helped |= result == ZOE_RING_BUSY;
		if (result != ZOE_RING_NONE && result != ZOE_RING_BUSY) {
			break;
		}
	}
	if (result != ZOE_RING_OK) {
		if (has_helped) {
			zoe_ring_scan(w, wakes);
		}
		if (result == ZOE_RING_NONE || result == ZOE_RING_BUSY) {
			/* 10,000 rounds are lost only to a producer that breaks the rules. */
			atomic_compare_exchange_strong_explicit(zoe_ring_get_state(&w->ring, slot),
				&held, 0, memory_order_acq_rel,
				memory_order_relaxed); /* [STATE] {-1} */
			space_signal(&w->ring, wakes);
			return ZOE_RING_ROGUE;
		}
		return result;
	}
	/* [STATE] acq_rel: readers that see PUBLISHED see the payload; a helper may have done it.
	 */
	word_replace(w, zoe_ring_get_state(&w->ring, slot), held,
		zoe_state_pack(ZOE_SLOT_PUBLISHED, 0, *seq));
	head = zoe_head_pack(*seq);
	/* [PUB] {pub.count} SC: the frame counts from here; SC also orders the scan below behind
	 * it. */
	if (!atomic_compare_exchange_strong_explicit(&page->head, &head, zoe_head_pack(*seq + 1),
		    memory_order_seq_cst, memory_order_seq_cst) &&
		head == (zoe_head_pack(*seq) | ZOE_HEAD_CLOSED)) {
		result = ZOE_RING_MOVED;
	}
	zoe_ring_scan(w, wakes);
	return result;
}

void zoe_ring_cancel(struct zoe_writer *w, uint32_t slot, struct zoe_wakes *wakes) {
	uint64_t expected = zoe_state_pack(ZOE_SLOT_WRITING, w->owner, 0);

	/* [STATE] {cancel.state} acq_rel: the next owner of the slot is ordered behind us. */
	if (atomic_compare_exchange_strong_explicit(zoe_ring_get_state(&w->ring, slot), &expected,
		    0, memory_order_acq_rel, memory_order_relaxed)) {
		space_signal(&w->ring, wakes);
	}
}

void zoe_ring_set_space_waiting(const struct zoe_writer *w, int is_waiting) {
	struct zoe_ring_page *page = zoe_ring_get_page(&w->ring);
	uint64_t bit = UINT64_C(1) << zoe_owner_lane(w->owner);

	/* [BELL] {wait.space_waiting} {wait.done} SC: announced before the last look at what would
	 * end the wait. */
	if (is_waiting) {
		atomic_fetch_or_explicit(&page->space_waiting, bit, memory_order_seq_cst);
	} else {
		atomic_fetch_and_explicit(&page->space_waiting, ~bit, memory_order_seq_cst);
	}
}
