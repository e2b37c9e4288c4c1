/* SPDX-License-Identifier: MIT */
/*
 * Geometry from a stranger, and the ring's two halves and its repair on memory that others write.
 * Input: a geometry, then steps; between them any word of the ring, the control page, the seats and
 * the group may be overwritten, as any producer or consumer could.
 * The ring is a block of just its size, so that a look beyond it is caught.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "ring_check.h"
#include "ring_read.h"
#include "ring_write.h"

enum { N_WRITERS = 3, N_SEATS = 3, MAX_STEPS = 200, MAX_RING_BYTES = 1 << 18, MAX_EDITS = 8 };

struct world {
	struct zoe_ring ring;
	struct zoe_control_page control;
	struct zoe_seat seats[N_SEATS];
	struct zoe_group group;
	struct zoe_writer writers[N_WRITERS];
	struct zoe_reader readers[N_SEATS];
	uint32_t held[N_WRITERS]; // slot + 1 on loan, 0 = none
};

/* What an accepted geometry promises: everything lies within, in order, and is aligned. */
static void check_geometry(const struct zoe_geometry *geo) {
	uint64_t last = geo->n_slots - 1;

	must(geo->depth >= 2 && geo->depth <= geo->n_slots && geo->n_slots <= ZOE_MAX_SLOTS);
	must(geo->n_order >= geo->n_slots && (geo->n_order & (geo->n_order - 1)) == 0);
	must(geo->order_offset >= sizeof(struct zoe_ring_page));
	must(geo->order_offset + geo->n_order * UINT64_C(8) <= geo->state_offset);
	must(geo->state_offset + last * geo->state_stride + 8 <= geo->header_offset);
	must(geo->header_stride >= sizeof(uint64_t[32]) + geo->meta_bytes);
	must(geo->header_offset + (last + 1) * geo->header_stride <= geo->ring_bytes);
	must(last * geo->slot_stride + geo->slot_bytes <= geo->frames_bytes);
	must(geo->slot_bytes > 0 && geo->slot_bytes <= geo->slot_stride);
	must((geo->order_offset | geo->state_offset | geo->state_stride | geo->header_offset |
		     geo->header_stride) %
			8 ==
		0);
}

/* A geometry of our own making, of which some words are then somebody else's. Returns: whether it
 * is accepted. */
static bool geometry_read(struct input *in, struct zoe_geometry *geo) {
	struct zoe_geometry_request request = {.depth = input_u8(in) % 40,
		.spares = input_u8(in) % 20,
		.meta_bytes = input_u16(in),
		.frame_bytes = input_u32(in)};
	unsigned n_edits = input_u8(in) % MAX_EDITS;

	memset(geo, 0, sizeof(*geo));
	if (zoe_geometry_init(geo, &request) == 0) {
		must(zoe_geometry_check(geo) == 0);
		must(geo->slot_bytes == request.frame_bytes && geo->depth == request.depth);
		must(geo->n_slots == request.depth + request.spares);
		check_geometry(geo);
	}
	for (unsigned i = 0; i < n_edits; i++) {
		uint32_t word = input_below(in, sizeof(*geo) / 4), value = input_u32(in);

		memcpy((char *)geo + 4 * (size_t)word, &value, sizeof(value));
	}
	if (zoe_geometry_check(geo) != 0) {
		return false;
	}
	check_geometry(geo);
	return geo->ring_bytes <= MAX_RING_BYTES;
}

static void world_init(struct world *w) {
	void *ring = NULL;

	must(posix_memalign(&ring, 64, (size_t)w->ring.geo.ring_bytes) == 0);
	memset(ring, 0, (size_t)w->ring.geo.ring_bytes);
	w->ring.ring = ring;
	w->ring.control = &w->control;
	zoe_ring_format(&w->ring, 1);
	for (uint32_t i = 0; i < N_WRITERS; i++) {
		struct zoe_writer *writer = &w->writers[i];

		writer->ring = w->ring;
		writer->owner = zoe_owner_pack(1 + i, i);
		for (uint32_t k = 0; k < N_SEATS; k++) {
			writer->seats[k] = (struct zoe_writer_seat){
				.seat = &w->seats[k], .hold = 1 + k, .flags = k == 1};
		}
		writer->seats[2].group = &w->group;
		zoe_writer_count(writer);
	}
	for (uint32_t k = 0; k < N_SEATS; k++) {
		w->readers[k] =
			(struct zoe_reader){.ring = w->ring, .seat = &w->seats[k], .start = 1};
	}
	w->readers[2].group = &w->group;
}

static uint64_t state_get(const struct world *w, uint32_t slot) {
	return atomic_load_explicit(zoe_ring_get_state(&w->ring, slot), memory_order_relaxed);
}

static uint64_t head_get(const struct world *w) {
	return atomic_load_explicit(&zoe_ring_get_page(&w->ring)->head, memory_order_relaxed);
}

/* A stranger writes a word: anywhere, or what it takes to be believed. */
static void scribble(struct world *w, struct input *in) {
	uint32_t how = input_below(in, 8), slot = input_u8(in) % w->ring.geo.n_slots;
	uint64_t head = zoe_head_seq(head_get(w)), s = head - 8 + input_u8(in) % 16;
	uint32_t owner = w->writers[input_below(in, N_WRITERS)].owner;
	uint64_t *words = (void *)w->ring.ring;

	switch (how) {
	case 0:
		words[input_u32(in) % (w->ring.geo.ring_bytes / 8)] = input_u64(in);
		break;
	case 1: /* any kind and owner, near the present */
		atomic_store_explicit(zoe_ring_get_state(&w->ring, slot),
			zoe_state_pack(input_u8(in) % 5, input_u8(in) % 2 ? owner : 0,
				input_u8(in) % 2 ? s : 0),
			memory_order_relaxed);
		break;
	case 2:
		atomic_store_explicit(zoe_ring_get_order(&w->ring, s),
			zoe_order_pack(s, input_u8(in) % 4 ? slot : input_u16(in)),
			memory_order_relaxed);
		break;
	case 3:
		atomic_store_explicit(&zoe_ring_get_page(&w->ring)->head,
			input_u8(in) % 4 ? zoe_head_pack(s) : input_u64(in), memory_order_relaxed);
		break;
	case 4:
		input_copy(in, &w->seats[input_below(in, N_SEATS)], 48);
		break;
	case 5:
		atomic_store_explicit(&w->group.tail, s, memory_order_relaxed);
		break;
	case 6:
		atomic_store_explicit(&w->control.roster, input_u8(in) % 2, memory_order_relaxed);
		atomic_store_explicit(
			&w->control.ended, input_u8(in) % 8 == 1, memory_order_relaxed);
		break;
	default:
		words[64 / 8] = head_get(w) ^ ZOE_HEAD_CLOSED;
		break;
	}
}

static void step_acquire(struct world *w, uint32_t who) {
	struct zoe_writer *writer = &w->writers[who];
	struct zoe_wakes wakes = {0};
	uint32_t slot = UINT32_MAX;
	enum zoe_ring_result result;

	if (w->held[who]) {
		return;
	}
	result = zoe_ring_acquire(writer, &slot, &wakes);
	must(result <= ZOE_RING_DEAD);
	if (result == ZOE_RING_OK) {
		must(slot < w->ring.geo.n_slots);
		must(state_get(w, slot) == zoe_state_pack(ZOE_SLOT_WRITING, writer->owner, 0));
		w->held[who] = slot + 1;
	} else if (result == ZOE_RING_OWED) {
		must(writer->owed_to < N_SEATS);
		must(writer->seats[writer->owed_to].flags & ZOE_SEAT_RELIABLE);
	}
	must((wakes.bells | wakes.seats) < UINT64_C(1) << N_SEATS);
}

static void step_publish(struct world *w, uint32_t who, bool is_cancel) {
	struct zoe_wakes wakes = {0};
	uint32_t slot = w->held[who] - 1;
	enum zoe_ring_result result;
	uint64_t seq = 0;

	if (!w->held[who]) {
		return;
	}
	w->held[who] = 0;
	if (is_cancel) {
		zoe_ring_cancel(&w->writers[who], slot, &wakes);
		return;
	}
	result = zoe_ring_publish(&w->writers[who], slot, &seq, &wakes);
	must(result == ZOE_RING_OK || result == ZOE_RING_MOVED || result == ZOE_RING_DEAD ||
		result == ZOE_RING_ROGUE);
	if (result == ZOE_RING_OK && seq < ZOE_MAX_SEQ) { /* beyond, somebody wrote a wild head */
		must(zoe_head_seq(head_get(w)) == seq + 1);
		must(state_get(w, slot) == zoe_state_pack(ZOE_SLOT_PUBLISHED, 0, seq));
	}
	must((wakes.bells | wakes.seats) < UINT64_C(1) << N_SEATS);
}

static void step_take(struct world *w, struct input *in) {
	uint32_t who = input_below(in, N_SEATS), k = input_below(in, ZOE_MAX_PINS),
		 slot = UINT32_MAX;
	struct zoe_reader *r = &w->readers[who];
	struct zoe_wakes wakes = {0};
	struct zoe_queued taken = {0};
	enum zoe_ring_result result;

	if (r->group) {
		result = zoe_ring_take_queued(r, k, &taken, &wakes);
		slot = taken.slot;
	} else {
		uint64_t head = zoe_ring_get_head(r, NULL);

		must(zoe_ring_get_oldest(r, head) >= 1);
		result = zoe_ring_take(r, head - input_below(in, 16), k, &slot, &wakes);
	}
	if (result == ZOE_RING_OK) {
		must(slot < w->ring.geo.n_slots);
		must(atomic_load_explicit(&r->seat->pin[k], memory_order_relaxed) == slot + 1);
		touch(zoe_ring_get_header(&w->ring, slot), w->ring.geo.header_stride);
	}
}

/* Nothing of the dead remains, and of the others at most the frame that was committed at head. */
static void step_repair(struct world *w, uint32_t who) {
	uint32_t n = w->ring.geo.n_slots, owner = w->writers[who].owner;
	uint64_t *before = malloc(n * sizeof(*before));
	uint32_t n_helped = 0, n_mended;

	must(before);
	for (uint32_t i = 0; i < n; i++) {
		before[i] = state_get(w, i);
	}
	n_mended = zoe_ring_repair(&w->ring, owner);
	must(n_mended <= n);
	must(zoe_ring_count_owned(&w->ring, owner) == 0);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t now = state_get(w, i);
		unsigned kind = zoe_state_kind(now);

		must(zoe_state_owner(now) != owner ||
			(kind != ZOE_SLOT_CLAIMING && kind != ZOE_SLOT_WRITING));
		if (now != before[i] && zoe_state_owner(before[i]) != owner) {
			must(zoe_state_kind(before[i]) == ZOE_SLOT_WRITING);
			must(now ==
				zoe_state_pack(ZOE_SLOT_PUBLISHED, 0, zoe_state_seq(before[i])));
			n_helped++;
		}
	}
	must(n_helped <= 1);
	free(before);
	w->held[who] = 0;
}

static void step_close(struct world *w) {
	uint64_t h = zoe_ring_close(&w->ring);

	must(head_get(w) == (zoe_head_pack(h) | ZOE_HEAD_CLOSED));
	must(zoe_ring_close(&w->ring) == h);
}

static void step_inspect(const struct world *w) {
	struct zoe_ring_view view;

	zoe_ring_inspect(&w->ring, &view);
	must(!view.has_frame || view.size_bytes <= w->ring.geo.slot_bytes);
	must(view.n_planes <= 4);
}

static void world_step(struct world *w, struct input *in) {
	uint32_t what = input_below(in, 12), who = input_below(in, N_WRITERS);
	struct zoe_wakes wakes = {0};

	switch (what) {
	case 0:
	case 1:
		step_acquire(w, who);
		break;
	case 2:
	case 3:
		step_publish(w, who, false);
		break;
	case 4:
		step_publish(w, who, true);
		break;
	case 5:
		step_take(w, in);
		break;
	case 6:
		zoe_ring_unpin(&w->ring, &w->seats[who], input_below(in, ZOE_MAX_PINS), &wakes);
		break;
	case 7:
		step_repair(w, who);
		break;
	case 8:
		step_close(w);
		break;
	case 9:
		step_inspect(w);
		break;
	case 10: /* the writer learns of a change of the roster, and is the only one or not */
		w->writers[who].roster = input_below(in, 2);
		w->writers[who].is_sole = input_below(in, 2);
		break;
	default:
		scribble(w, in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct input in = {data, size};
	static struct world world;

	memset(&world, 0, sizeof(world));
	if (!geometry_read(&in, &world.ring.geo)) {
		return 0;
	}
	world_init(&world);
	for (unsigned i = 0; i < MAX_STEPS && in.left > 0; i++) {
		world_step(&world, &in);
	}
	free(world.ring.ring);
	return 0;
}
