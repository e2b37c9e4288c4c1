/* SPDX-License-Identifier: MIT */
#include "ring_read.h"

#ifndef ZOE_MUTANT
#define ZOE_MUTANT 0 /* tests/stress builds this text with one rule switched off */
#endif
enum { MUTANT_PIN_RELEASED = 11 };

uint64_t zoe_ring_get_head(const struct zoe_reader *r, int *is_closed) {
	/* [PUB] acquire: frames below head are PUBLISHED for us. */
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

void zoe_ring_unpin(
	const struct zoe_ring *ring, struct zoe_seat *seat, uint32_t k, struct zoe_wakes *wakes) {
	/* [PIN] release: our reads of the payload come before the producer's writes. */
	atomic_store_explicit(&seat->pin[k], 0, memory_order_release);
	/* [BELL] SC on both sides: a producer either sees the count change or we see that it waits.
	 */
	atomic_fetch_add_explicit(&seat->bell, 1, memory_order_seq_cst);
	if (atomic_load_explicit(&zoe_ring_get_page(ring)->space_waiting, memory_order_seq_cst) !=
		0) {
		wakes->flags |= ZOE_WAKE_SPACE;
	}
}

enum zoe_ring_result zoe_ring_take(
	struct zoe_reader *r, uint64_t s, uint32_t k, uint32_t *slot, struct zoe_wakes *wakes) {
	uint64_t entry, state;
	uint32_t i;

	if (s >= zoe_ring_get_head(r, NULL)) {
		return ZOE_RING_NONE;
	}
	/* [ORDER] acquire: pairs with the commit. */
	entry = atomic_load_explicit(zoe_ring_get_order(&r->ring, s), memory_order_acquire);
	i = zoe_order_slot(entry);
	if (zoe_order_seq(entry) != s || i >= r->ring.geo.n_slots) {
		return ZOE_RING_LOST;
	}
	/* [PIN] SC store, SC load: see slot_is_pinned(). With less a claimer and we miss each other
	 * and the frame changes under us. */
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
	/* [CURSOR] release: a producer that sees it may evict; our pin stands since before. */
	atomic_store_explicit(&r->seat->cursor, next, memory_order_release);
}
