/* SPDX-License-Identifier: MIT */
#include "ring_check.h"

#include <errno.h>
#include <string.h>
#include <zoe/frame.h>

#include "frame_check.h"
#include "frame_layout.h"
#include "ring_write.h"

#define PAGE_BYTES 4096u
#define LINE_BYTES 64u

enum { MAX_CLOSE_ROUNDS = 100000 };

static uint64_t round_up(uint64_t value, uint64_t step) {
	return (value + step - 1) / step * step;
}

int zoe_geometry_init(struct zoe_geometry *geo, const struct zoe_geometry_request *request) {
	uint64_t n_slots = (uint64_t)request->depth + request->spares;
	uint64_t n_order = 1, header_stride, order_end, state_end, frames_bytes;
	uint64_t slot_stride = round_up(request->frame_bytes, PAGE_BYTES);

	if (request->depth < 2 || request->frame_bytes == 0 || request->meta_bytes > ZOE_MAX_META) {
		return -EINVAL;
	}
	if (n_slots > ZOE_MAX_SLOTS || request->frame_bytes > UINT32_MAX ||
		__builtin_mul_overflow(slot_stride, n_slots, &frames_bytes) ||
		frames_bytes > INT64_MAX) {
		return -EOVERFLOW;
	}
	while (n_order < n_slots) {
		n_order *= 2;
	}
	header_stride = round_up(sizeof(struct zoe_frame_header) + request->meta_bytes, LINE_BYTES);
	order_end = sizeof(struct zoe_ring_page) + n_order * 8;
	state_end = round_up(order_end, LINE_BYTES) + n_slots * LINE_BYTES;
	if (state_end + n_slots * header_stride > UINT32_MAX) {
		return -EOVERFLOW;
	}
	*geo = (struct zoe_geometry){
		.ring_version = ZOE_RING_VERSION,
		.n_slots = (uint32_t)n_slots,
		.depth = request->depth,
		.n_order = (uint32_t)n_order,
		.order_offset = sizeof(struct zoe_ring_page),
		.state_offset = (uint32_t)round_up(order_end, LINE_BYTES),
		.state_stride = LINE_BYTES,
		.header_offset = (uint32_t)state_end,
		.header_stride = (uint32_t)header_stride,
		.meta_bytes = request->meta_bytes,
		.slot_stride = slot_stride,
		.slot_bytes = request->frame_bytes,
		.ring_bytes = round_up(state_end + n_slots * header_stride, PAGE_BYTES),
		.frames_bytes = frames_bytes,
	};
	return 0;
}

int zoe_geometry_check(const struct zoe_geometry *geo) {
	uint64_t frames;

	if (geo->ring_version != ZOE_RING_VERSION || geo->n_slots < 2 ||
		geo->n_slots > ZOE_MAX_SLOTS || geo->depth < 2 || geo->depth > geo->n_slots ||
		geo->n_order < geo->n_slots || geo->n_order > 65536 ||
		(geo->n_order & (geo->n_order - 1)) || geo->meta_bytes > ZOE_MAX_META) {
		return -EPROTO;
	}
	if (geo->order_offset < sizeof(struct zoe_ring_page) || geo->order_offset % 8 ||
		geo->state_offset % 8 || geo->state_stride < 8 || geo->state_stride % 8 ||
		geo->header_offset % 8 || geo->header_stride % 8 ||
		geo->header_stride < sizeof(struct zoe_frame_header) + geo->meta_bytes) {
		return -EPROTO;
	}
	if (geo->ring_bytes > (UINT64_C(1) << 33) ||
		(uint64_t)geo->order_offset + 8 * (uint64_t)geo->n_order > geo->state_offset ||
		(uint64_t)geo->state_offset + (uint64_t)geo->n_slots * geo->state_stride >
			geo->header_offset ||
		(uint64_t)geo->header_offset + (uint64_t)geo->n_slots * geo->header_stride >
			geo->ring_bytes) {
		return -EPROTO;
	}
	if (geo->slot_bytes == 0 || geo->slot_bytes > UINT32_MAX ||
		geo->slot_stride < geo->slot_bytes || geo->slot_stride % PAGE_BYTES ||
		__builtin_mul_overflow(geo->slot_stride, (uint64_t)geo->n_slots, &frames) ||
		frames > geo->frames_bytes || geo->frames_bytes > INT64_MAX) {
		return -EPROTO;
	}
	return 0;
}

void zoe_ring_format(const struct zoe_ring *ring, uint64_t start) {
	struct zoe_ring_page *page = zoe_ring_get_page(ring);

	page->magic = ZOE_RING_MAGIC;
	page->version = ZOE_RING_VERSION;
	/* [PUB] {move.start} relaxed: nobody has the memory yet; the descriptors that go out order
	 * it. */
	atomic_store_explicit(&page->head, zoe_head_pack(start), memory_order_relaxed);
}

uint64_t zoe_ring_close(const struct zoe_ring *ring) {
	struct zoe_ring_page *page = zoe_ring_get_page(ring);

	for (unsigned i = 0; i < MAX_CLOSE_ROUNDS; i++) {
		/* [PUB] {close.head} {close.bit} SC, as in publish: each failure is a frame that
		 * somebody published meanwhile. */
		uint64_t head = atomic_load_explicit(&page->head, memory_order_seq_cst);
		uint64_t s = zoe_head_seq(head);

		if (head & ZOE_HEAD_CLOSED) {
			return s;
		}
		if (zoe_ring_help(ring, s)) {
			continue;
		}
		if (atomic_compare_exchange_strong_explicit(&page->head, &head,
			    head | ZOE_HEAD_CLOSED, memory_order_seq_cst, memory_order_seq_cst)) {
			return s;
		}
	}
	/* Only a producer that forges order[] can bring us here: it loses the frame being
	 * committed. [PUB] {-1} SC. */
	return zoe_head_seq(
		atomic_fetch_or_explicit(&page->head, ZOE_HEAD_CLOSED, memory_order_seq_cst));
}

/* [STATE] {repair.undo} {repair.publish} {repair.free} acq_rel on every edge here: exact values
 * only, so that a state that moved on since it was read stays as it is. */
static int state_replace(const struct zoe_ring *ring, uint32_t slot, uint64_t from, uint64_t to) {
	return atomic_compare_exchange_strong_explicit(zoe_ring_get_state(ring, slot), &from, to,
		memory_order_acq_rel, memory_order_relaxed);
}

static int slot_repair(const struct zoe_ring *ring, uint32_t slot, uint32_t owner) {
	struct zoe_ring_page *page = zoe_ring_get_page(ring);
	/* [STATE] {repair.state} SC, and before order[]: a bid that is in order[] was made before.
	 */
	uint64_t state = atomic_load_explicit(zoe_ring_get_state(ring, slot), memory_order_seq_cst);
	uint64_t s = zoe_state_seq(state), head = zoe_head_pack(s), entry;

	if (zoe_state_owner(state) != owner) {
		return 0;
	}
	if (zoe_state_kind(state) == ZOE_SLOT_CLAIMING) {
		return state_replace(ring, slot, state, zoe_state_pack(ZOE_SLOT_PUBLISHED, 0, s));
	}
	if (zoe_state_kind(state) != ZOE_SLOT_WRITING) {
		return 0;
	}
	/* [ORDER] {repair.order} acquire: was the bid committed? */
	entry = atomic_load_explicit(zoe_ring_get_order(ring, s), memory_order_acquire);
	if (s != 0 && entry == zoe_order_pack(s, slot)) {
		state_replace(ring, slot, state, zoe_state_pack(ZOE_SLOT_PUBLISHED, 0, s));
		/* [PUB] {repair.count} SC, as in publish. */
		return atomic_compare_exchange_strong_explicit(&page->head, &head,
			zoe_head_pack(s + 1), memory_order_seq_cst, memory_order_seq_cst);
	}
	return state_replace(ring, slot, state, 0);
}

uint32_t zoe_ring_repair(const struct zoe_ring *ring, uint32_t owner) {
	struct zoe_ring_page *page = zoe_ring_get_page(ring);
	uint32_t n_mended = 0;

	for (uint32_t i = 0; i < ring->geo.n_slots; i++) {
		n_mended += (uint32_t)slot_repair(ring, i, owner);
	}
	/* The last committed frame may be PUBLISHED already while head lags. */
	zoe_ring_help(ring, zoe_head_seq(atomic_load_explicit(
				    &page->head, memory_order_seq_cst))); /* [PUB] {repair.head} */
	/* [BELL] {repair.space_waiting} {repair.space} SC: the dead sleep no more; space may have
	 * come. */
	atomic_fetch_and_explicit(&page->space_waiting, ~(UINT64_C(1) << zoe_owner_lane(owner)),
		memory_order_seq_cst);
	atomic_fetch_add_explicit(&page->space, 1, memory_order_seq_cst);
	return n_mended;
}

/* An entry stands in its place, and its number is not above a head that is read after it. */
static bool order_is_sane(const struct zoe_ring *ring, uint64_t place) {
	/* [ORDER] {-1} [PUB] {-1} acquire, in this order. */
	uint64_t entry =
		atomic_load_explicit(zoe_ring_get_order(ring, place), memory_order_acquire);
	uint64_t head = atomic_load_explicit(&zoe_ring_get_page(ring)->head, memory_order_acquire);
	uint64_t s = zoe_order_seq(entry);

	return entry == 0 || (s <= zoe_head_seq(head) && (s & (ring->geo.n_order - 1)) == place &&
				     zoe_order_slot(entry) < ring->geo.n_slots);
}

/* As above; a frame that was published stands in order[], or a newer one in its place, so that it
 * is not more than `depth` slots that nobody may evict. */
static bool slot_is_sane(
	const struct zoe_ring *ring, uint32_t slot, const uint32_t owners[ZOE_MAX_LANES]) {
	/* [STATE] {-1} [ORDER] {-1} [PUB] {-1} acquire, in this order. */
	uint64_t state = atomic_load_explicit(zoe_ring_get_state(ring, slot), memory_order_acquire);
	uint64_t s = zoe_state_seq(state), head;
	uint64_t entry = atomic_load_explicit(zoe_ring_get_order(ring, s), memory_order_acquire);
	uint32_t owner = zoe_state_owner(state);
	bool is_owned = owner != 0 && owners[zoe_owner_lane(owner)] == owner;

	head = zoe_head_seq(
		atomic_load_explicit(&zoe_ring_get_page(ring)->head, memory_order_acquire));
	switch (zoe_state_kind(state)) {
	case ZOE_SLOT_FREE:
		return state == 0;
	case ZOE_SLOT_PUBLISHED:
		return owner == 0 && s != 0 && s <= head &&
		       (zoe_order_seq(entry) > s || entry == zoe_order_pack(s, slot));
	case ZOE_SLOT_CLAIMING:
		return is_owned && s != 0 && s < head;
	case ZOE_SLOT_WRITING:
		return is_owned && s <= head;
	default:
		return false;
	}
}

bool zoe_ring_is_sane(
	const struct zoe_ring *ring, uint64_t start, const uint32_t owners[ZOE_MAX_LANES]) {
	/* [PUB] {-1} acquire: closed is not for producers to say. */
	uint64_t head = atomic_load_explicit(&zoe_ring_get_page(ring)->head, memory_order_acquire);
	bool is_sane = !(head & ZOE_HEAD_CLOSED) && zoe_head_seq(head) >= start &&
		       zoe_head_seq(head) < ZOE_MAX_SEQ;

	for (uint32_t i = 0; is_sane && i < ring->geo.n_order; i++) {
		is_sane = order_is_sane(ring, i);
	}
	for (uint32_t i = 0; is_sane && i < ring->geo.n_slots; i++) {
		is_sane = slot_is_sane(ring, i, owners);
	}
	return is_sane;
}

uint32_t zoe_ring_count_owned(const struct zoe_ring *ring, uint32_t owner) {
	uint32_t n = 0;

	for (uint32_t i = 0; i < ring->geo.n_slots; i++) {
		/* [STATE] {-1} relaxed: a number for people. */
		uint64_t state =
			atomic_load_explicit(zoe_ring_get_state(ring, i), memory_order_relaxed);

		n += zoe_state_owner(state) == owner && zoe_state_kind(state) == ZOE_SLOT_WRITING;
	}
	return n;
}

/* Copies the header of frame s, if it stays that frame's from before to after. */
static int header_copy(const struct zoe_ring *ring, uint64_t s, struct zoe_frame_header *copy) {
	uint64_t entry = atomic_load_explicit(
		zoe_ring_get_order(ring, s), memory_order_acquire); /* [ORDER] {-3} */
	uint64_t published = zoe_state_pack(ZOE_SLOT_PUBLISHED, 0, s);
	uint32_t slot = zoe_order_slot(entry);

	if (zoe_order_seq(entry) != s || slot >= ring->geo.n_slots ||
		atomic_load_explicit(zoe_ring_get_state(ring, slot), memory_order_acquire) !=
			published) { /* [STATE] */
		return -EAGAIN;
	}
	memcpy(copy, zoe_ring_get_header(ring, slot), sizeof(*copy));
	/* [STATE] the fence keeps the copy before the second look. */
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(zoe_ring_get_state(ring, slot), memory_order_relaxed) ==
			       published
		       ? 0
		       : -EAGAIN;
}

static void view_set_rate(const struct zoe_ring *ring, struct zoe_ring_view *view) {
	uint64_t newest = view->head_seq - 1, first, span;
	struct zoe_frame_header hdr;
	double rate_mhz;

	first = view->head_seq > ring->geo.depth ? view->head_seq - ring->geo.depth : 1;
	while (first < newest && header_copy(ring, first, &hdr) != 0) {
		first++; /* at most depth steps */
	}
	if (first >= newest || hdr.publish_ns >= view->last_publish_ns) {
		return;
	}
	span = view->last_publish_ns - hdr.publish_ns;
	rate_mhz = (double)(newest - first) * 1e12 / (double)span;
	if (rate_mhz >= 1 && rate_mhz <= UINT32_MAX) {
		view->rate_mhz = (uint32_t)rate_mhz;
	}
}

void zoe_ring_inspect(const struct zoe_ring *ring, struct zoe_ring_view *view) {
	/* [PUB] {-1} acquire */
	uint64_t head = atomic_load_explicit(&zoe_ring_get_page(ring)->head, memory_order_acquire);
	struct zoe_frame_header hdr;
	struct zoe_format format;

	*view = (struct zoe_ring_view){
		.head_seq = zoe_head_seq(head), .is_closed = (head & ZOE_HEAD_CLOSED) != 0};
	if (view->head_seq < 2 || view->head_seq > ZOE_MAX_SEQ ||
		header_copy(ring, view->head_seq - 1, &hdr) != 0 ||
		zoe_frame_header_check(&hdr, ring->geo.slot_bytes, ring->geo.meta_bytes, &format) !=
			0) {
		return;
	}
	view->has_frame = true;
	view->last_publish_ns = hdr.publish_ns;
	view->fourcc = format.fourcc;
	view->width = format.width;
	view->height = format.height;
	view->n_planes = format.n_planes;
	memcpy(view->stride, format.stride, sizeof(view->stride));
	memcpy(view->offset, format.offset, sizeof(view->offset));
	view->size_bytes = format.size_bytes;
	view_set_rate(ring, view);
}
