/* SPDX-License-Identifier: MIT */
#include "ring_read.h"

#ifndef ZOE_MUTANT
#define ZOE_MUTANT 0 /* tests/stress builds this text with one rule switched off */
#endif
enum { HEADER_BYTES = 256 }; // without the tags
enum { MUTANT_PIN_RELEASED = 11, MUTANT_UNPIN_RELAXED = 12, MUTANT_NO_BELL = 13 };

uint64_t zoe_ring_get_head(const struct zoe_reader *r, int *is_closed) {
	/* [PUB] {take.head} acquire: frames below head are PUBLISHED for us. */
	uint64_t head =
		atomic_load_explicit(&zoe_ring_get_page(&r->ring)->head, memory_order_acquire);

	if (is_closed) {
		*is_closed = (head & ZOE_HEAD_CLOSED) != 0;
	}
	return zoe_head_seq(head);
}

uint64_t zoe_ring_get_oldest(const struct zoe_reader *r, uint64_t head_seq) {
	uint64_t oldest = head_seq > r->ring.geo.depth ? head_seq - r->ring.geo.depth : 1;

	return oldest > r->start ? oldest : r->start;
}

void zoe_ring_ring_bell(
	const struct zoe_ring *ring, struct zoe_seat *seat, struct zoe_wakes *wakes) {
	if (ZOE_MUTANT == MUTANT_NO_BELL) {
		return;
	}
	/* [BELL] {unpin.bell} {unpin.space_waiting} SC on both sides: a producer either sees the
	 * count change, and with it what made room, or we see that it waits. */
	atomic_fetch_add_explicit(&seat->bell, 1, memory_order_seq_cst);
	if (atomic_load_explicit(&zoe_ring_get_page(ring)->space_waiting, memory_order_seq_cst) !=
		0) {
		wakes->flags |= ZOE_WAKE_SPACE;
	}
}

void zoe_ring_unpin(
	const struct zoe_ring *ring, struct zoe_seat *seat, uint32_t k, struct zoe_wakes *wakes) {
	/* [PIN] {unpin.pin} release: our reads of the payload come before the producer's writes. */
	atomic_store_explicit(&seat->pin[k], 0,
		ZOE_MUTANT == MUTANT_UNPIN_RELAXED ? memory_order_relaxed : memory_order_release);
	zoe_ring_ring_bell(ring, seat, wakes);
}

/* The pin's store lets no load pass, so the header's lines are asked for before it. */
static void prefetch_header(const struct zoe_ring *ring, uint32_t slot) {
	const unsigned char *header = zoe_ring_get_header(ring, slot);

	__builtin_prefetch(zoe_ring_get_state(ring, slot));
	for (unsigned at = 0; at < HEADER_BYTES; at += 64) {
		__builtin_prefetch(header + at);
	}
}

enum zoe_ring_result zoe_ring_take(
	struct zoe_reader *r, uint64_t s, uint32_t k, uint32_t *slot, struct zoe_wakes *wakes) {
	uint64_t entry, state;
	uint32_t i;

	if (s >= zoe_ring_get_head(r, NULL)) {
		return ZOE_RING_NONE;
	}
	/* [ORDER] {take.order} acquire: pairs with the commit. */
	entry = atomic_load_explicit(zoe_ring_get_order(&r->ring, s), memory_order_acquire);
	i = zoe_order_slot(entry);
	if (zoe_order_seq(entry) != s || i >= r->ring.geo.n_slots) {
		return ZOE_RING_LOST;
	}
	prefetch_header(&r->ring, i);
	/* [PIN] {take.pin} SC store, {take.state} SC load: see slot_is_pinned(). With less a
	 * claimer and we miss each other and the frame changes under us. */
	atomic_store_explicit(&r->seat->pin[k], i + 1,
		ZOE_MUTANT == MUTANT_PIN_RELEASED ? memory_order_release : memory_order_seq_cst);
	state = atomic_load_explicit(zoe_ring_get_state(&r->ring, i),
		ZOE_MUTANT == MUTANT_PIN_RELEASED ? memory_order_acquire : memory_order_seq_cst);
	if (state == zoe_state_pack(ZOE_SLOT_PUBLISHED, 0, s)) {
		*slot = i;
		return ZOE_RING_OK;
	}
	zoe_ring_unpin(&r->ring, r->seat, k, wakes);
	return zoe_state_kind(state) == ZOE_SLOT_CLAIMING && zoe_state_seq(state) == s
		       ? ZOE_RING_BUSY
		       : ZOE_RING_LOST;
}

void zoe_ring_set_cursor(struct zoe_reader *r, uint64_t next) {
	/* [CURSOR] {take.cursor} release: a producer that sees it may evict; our pin stands since
	 * before. */
	atomic_store_explicit(&r->seat->cursor, next, memory_order_release);
}

uint64_t zoe_ring_get_tail(const struct zoe_reader *r, uint64_t head_seq) {
	/* [TAIL] {queue.tail} acquire: pairs with the member that moved it. */
	uint64_t tail = atomic_load_explicit(&r->group->tail, memory_order_acquire);

	return tail < head_seq ? tail : head_seq;
}

int zoe_ring_tail_is_wild(const struct zoe_reader *r) {
	/* [TAIL] {-1} acquire, and before head: a tail beyond it is no honest member's. */
	uint64_t tail = atomic_load_explicit(&r->group->tail, memory_order_acquire);

	return tail > zoe_ring_get_head(r, NULL);
}

/* [TAIL] {queue.take} {queue.skip} acq_rel: whoever moves the tail from t is the only one to have
 * t; producers that see the new tail see the pin that was set before. */
static int tail_replace(struct zoe_group *group, uint64_t from, uint64_t to) {
	return atomic_compare_exchange_strong_explicit(
		&group->tail, &from, to, memory_order_acq_rel, memory_order_relaxed);
}

enum zoe_ring_result zoe_ring_take_queued(
	struct zoe_reader *r, uint32_t k, struct zoe_queued *taken, struct zoe_wakes *wakes) {
	/* [TAIL] {queue.tail} acquire, and before head: a tail beyond it is no honest member's. */
	uint64_t t = atomic_load_explicit(&r->group->tail, memory_order_acquire);
	uint64_t head = zoe_ring_get_head(r, NULL), oldest = zoe_ring_get_oldest(r, head);
	enum zoe_ring_result result;

	taken->skipped = 0;
	if (t > head) {
		return ZOE_RING_ROGUE;
	}
	result = zoe_ring_take(r, t, k, &taken->slot, wakes);
	if (result == ZOE_RING_OK) {
		taken->seq = t;
		if (tail_replace(r->group, t, t + 1)) {
			return ZOE_RING_OK;
		}
		zoe_ring_unpin(&r->ring, r->seat, k, wakes);
		return ZOE_RING_BUSY;
	}
	if (result == ZOE_RING_LOST) {
		oldest = oldest > t ? oldest : t + 1;
		if (!tail_replace(r->group, t, oldest)) {
			return ZOE_RING_BUSY; /* it was taken, and evicted afterwards */
		}
		taken->skipped = oldest - t;
	}
	return result;
}
