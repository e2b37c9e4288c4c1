/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <zoe/producer.h>

#include "copy.h"
#include "frame_check.h"
#include "probe.h"
#include "producer_priv.h"

enum { SYNC_MS = 20, MAX_TURNS = 64, NS_A_MS = 1000000 };

static struct zoe_open_slot *slot_find_free(struct zoe_producer *p) {
	for (uint32_t i = 0; i < p->options.open; i++) {
		if (!p->slots[i].feed) {
			return &p->slots[i];
		}
	}
	return NULL;
}

/* Readers of the slot's last frame have its header in their caches: it comes back while the slot is
 * filled, not when it is published. */
static void header_fetch(const struct zoe_ring *ring, uint32_t index) {
	const unsigned char *header = zoe_ring_get_header(ring, index);

	for (unsigned at = 0; at < sizeof(struct zoe_frame_header); at += 64) {
		__builtin_prefetch(header + at, 1);
	}
}

static void lend(struct zoe_producer *p, struct zoe_open_slot *o, uint32_t index,
	const struct zoe_format *f) {
	const struct zoe_geometry *geo = &p->feed->region.ring.geo;
	uint8_t *payload = (uint8_t *)p->feed->region.frames_map + (size_t)index * geo->slot_stride;

	o->producer = p;
	o->feed = p->feed;
	o->index = index;
	o->meta_size = 0;
	o->slot = (struct zoe_slot){.format = *f, .capacity_bytes = geo->slot_bytes};
	for (uint32_t i = 0; i < f->n_planes; i++) {
		o->slot.plane[i] = payload + f->offset[i];
	}
	p->feed->n_loans++;
	zoe_feed_touch(p->feed, index);
	header_fetch(&p->feed->region.ring, index);
}

/* Ends the loan in our books. */
static void unlend(struct zoe_open_slot *o) {
	struct zoe_feed *feed = o->feed;

	o->feed = NULL;
	feed->n_loans--;
	if (feed->n_loans == 0 && feed != o->producer->feed) {
		zoe_producer_leave_feed(o->producer, feed);
	}
}

/* One attempt. Returns: 0 and *index; -EAGAIN; -ENOSPC a reliable reader still wants what would go;
 * -EOWNERDEAD; 1 the roster or generation changed. */
static int try_acquire(struct zoe_producer *p, uint32_t *index) {
	struct zoe_wakes wakes = {0};
	enum zoe_ring_result result = zoe_ring_acquire(&p->feed->writer, index, &wakes);

	zoe_writer_wake(&p->feed->writer, &wakes, p->feed->bells);
	switch (result) {
	case ZOE_RING_OK:
		if (p->feed->patience.since_ns != 0) {
			zoe_patience_pass(&p->feed->patience, zoe_now_ns());
		}
		return 0;
	case ZOE_RING_OWED:
		zoe_producer_charge(p, p->feed->writer.owed_to);
		return -ENOSPC;
	case ZOE_RING_NONE:
	case ZOE_RING_LOST:
	case ZOE_RING_BUSY:
		return -EAGAIN;
	case ZOE_RING_STALE:
	case ZOE_RING_MOVED:
		return 1;
	case ZOE_RING_DEAD:
	case ZOE_RING_ROGUE:
	default:
		return zoe_client_fail(p->client, -EOWNERDEAD,
			"stream '%s': the broker has declared this producer dead", p->stream);
	}
}

/* May a refused acquire wait? Not for reliable readers, unless the config says so. */
static bool may_wait(
	const struct zoe_producer *p, int result, const struct zoe_deadline *deadline) {
	return deadline->end_ns != 0 &&
	       (result == -EAGAIN || (result == -ENOSPC && p->feed->blocks));
}

/* Sleeps until space may have come, or a reader's patience is used up. */
static int wait_space(
	struct zoe_producer *p, uint32_t *index, const struct zoe_deadline *deadline) {
	struct zoe_feed *feed = p->feed;
	struct zoe_space_seen seen;
	int result;

	zoe_ring_set_space_waiting(&feed->writer, 1);
	zoe_writer_look(&feed->writer, &seen);
	result = try_acquire(p, index);
	if (result == -EAGAIN || result == -ENOSPC) {
		int64_t left = zoe_deadline_left(deadline);
		int64_t patience = (int64_t)zoe_patience_get_left(&feed->patience);

		if (result == -ENOSPC) {
			patience = patience > NS_A_MS ? patience : NS_A_MS;
			left = left < 0 || left > patience ? patience : left;
		}
		zoe_writer_wait(&feed->writer, &seen, left);
	}
	zoe_ring_set_space_waiting(&feed->writer, 0);
	return result;
}

/* Catches up with the broker: seats, or the next generation. Returns: 0 look again; -EAGAIN. */
static int catch_up(struct zoe_producer *p, const struct zoe_deadline *deadline) {
	struct zoe_feed *feed = p->feed;
	uint32_t roster = feed->writer.roster;

	zoe_producer_service(p);
	if (p->state == ZOE_ATTACH_REFUSED) {
		return zoe_refusal_fail(&p->refusal, p->client);
	}
	if (p->feed != feed || feed->writer.roster != roster) {
		return 0;
	}
	if (p->is_starved) {
		return zoe_client_fail(p->client, -EMFILE,
			"stream '%s': no descriptor is left to map a consumer's seat", p->stream);
	}
	if (deadline->end_ns == 0) {
		return -EAGAIN;
	}
	zoe_link_poll(&p->link, deadline, SYNC_MS);
	return 0;
}

/* Waits for larger slots. Returns: 0; 1 look again; -errno. */
static int get_room(
	struct zoe_producer *p, const struct zoe_format *f, const struct zoe_deadline *deadline) {
	int error;

	zoe_producer_grow(p, f);
	zoe_producer_service(p);
	error = p->grow_error; /* now, or since the last call */
	p->grow_error = 0;
	if (f->size_bytes <= p->feed->region.ring.geo.slot_bytes) {
		return 0;
	}
	if (error) {
		p->grow_generation = 0;
		p->grow_bytes = 0;
	}
	/* Busy: readers have not left the generation before, or moves come too fast. It passes. */
	if (error && error != -EBUSY && error != -EAGAIN) {
		return error;
	}
	if (deadline->end_ns == 0) {
		return error ? -EAGAIN
			     : zoe_client_fail(p->client, -EINPROGRESS,
				       "stream '%s': waiting for larger slots", p->stream);
	}
	zoe_link_poll(&p->link, deadline, SYNC_MS);
	return 1;
}

/* Attached, and with slots that are large enough? Returns: 0; 1 look again; -errno. */
static int get_ready(
	struct zoe_producer *p, const struct zoe_format *f, const struct zoe_deadline *deadline) {
	int error = zoe_producer_service_sometimes(p);

	if (p->state == ZOE_ATTACH_REFUSED) {
		return zoe_refusal_fail(&p->refusal, p->client);
	}
	if (!p->feed) {
		if (deadline->end_ns == 0) {
			return error && error != -EAGAIN
				       ? -EAGAIN
				       : zoe_client_fail(p->client, -EAGAIN,
						 "stream '%s': not attached yet", p->stream);
		}
		zoe_link_poll(&p->link, deadline, 10);
		return 1;
	}
	if (f->size_bytes <= p->feed->region.ring.geo.slot_bytes) {
		return 0;
	}
	return get_room(p, f, deadline);
}

/* One turn of acquire_until. Returns: 0 and *index; 1 look again; -errno. */
static int acquire_turn(struct zoe_producer *p, const struct zoe_format *f, uint32_t *index,
	const struct zoe_deadline *deadline) {
	int result = get_ready(p, f, deadline);

	if (result != 0) {
		return result;
	}
	result = try_acquire(p, index);
	if (may_wait(p, result, deadline)) {
		result = wait_space(p, index, deadline);
		if (may_wait(p, result, deadline)) {
			zoe_producer_service_sometimes(p);
			return 1;
		}
	}
	if (result == 1) {
		result = catch_up(p, deadline);
		return result == 0 ? 1 : result;
	}
	return result;
}

static int acquire_until(struct zoe_producer *p, const struct zoe_format *f, uint32_t *index,
	const struct zoe_deadline *deadline) {
	for (unsigned turn = 0;; turn++) {
		int result = acquire_turn(p, f, index, deadline);

		if (result == -ENOSPC) {
			return zoe_client_fail(p->client, -EAGAIN,
				"stream '%s': a reliable reader still wants the oldest frame",
				p->stream);
		}
		if (result <= 0) {
			return result;
		}
		/* Consumers that come and go without pause must not keep a hook here. */
		if (deadline->end_ns == 0 && turn == MAX_TURNS) {
			return zoe_client_fail(p->client, -EAGAIN,
				"stream '%s': its readers change too fast", p->stream);
		}
		if (deadline->end_ns != 0 && zoe_deadline_left(deadline) == 0) {
			return zoe_client_fail(
				p->client, -ETIMEDOUT, "stream '%s': no slot in time", p->stream);
		}
	}
}

/* To the byte the last one published, which was found sane then. */
static bool format_is_published(const struct zoe_producer *p, const struct zoe_format *f) {
	return p->published.fourcc != 0 && zoe_format_is_equal(f, &p->published);
}

int zoe_producer_acquire(
	struct zoe_producer *p, const struct zoe_format *f, struct zoe_slot **out, int timeout_ms) {
	struct zoe_deadline deadline = zoe_deadline_init(timeout_ms);
	struct zoe_open_slot *o;
	uint32_t index = 0;
	int error;

	if (zoe_client_is_forked(p->client)) {
		return zoe_client_fail_forked(p->client);
	}
	f = f ? f : &p->format;
	error = format_is_published(p, f) ? 0 : zoe_format_check(f, UINT32_MAX);
	if (error) {
		return zoe_client_fail(p->client, error,
			"stream '%s': acquire: the format is not sane", p->stream);
	}
	o = slot_find_free(p);
	if (!o) {
		return zoe_client_fail(p->client, -EBUSY,
			"stream '%s': all %u `open` slots are on loan", p->stream, p->options.open);
	}
	error = acquire_until(p, f, &index, &deadline);
	if (error) {
		if (p->feed && (error == -EAGAIN || error == -ETIMEDOUT)) {
			p->n_dropped++;
			ZOE_PROBE3(drop, p->name, p->n_dropped, error);
		}
		return error;
	}
	lend(p, o, index, f);
	p->format = o->slot.format;
	*out = &o->slot;
	return 0;
}

static struct zoe_open_slot *slot_get_open(struct zoe_slot *s) {
	return container_of(s, struct zoe_open_slot, slot);
}

static bool format_is_same(const struct zoe_format *a, const struct zoe_format *b) {
	return a->fourcc == b->fourcc && a->width == b->width && a->height == b->height &&
	       a->size_bytes == b->size_bytes && a->transform == b->transform &&
	       a->field == b->field && a->chroma_site == b->chroma_site &&
	       a->primaries == b->primaries && a->transfer == b->transfer &&
	       a->matrix == b->matrix && a->range == b->range && a->alpha == b->alpha &&
	       memcmp(a->stride, b->stride, sizeof(a->stride)) == 0 &&
	       memcmp(a->offset, b->offset, sizeof(a->offset)) == 0;
}

/* What stands in the header of every frame of this format. */
static void template_fill(struct zoe_producer *p, const struct zoe_format *f) {
	p->format_serial += !format_is_same(f, &p->published);
	p->is_changed |= !format_is_same(f, &p->published);
	memset(&p->header, 0, sizeof(p->header));
	zoe_frame_header_set_format(&p->header, f);
	p->header.format_serial = p->format_serial;
	p->published = *f;
}

/* Writes the frame's header; the slot is ours, so plain stores do. */
static void header_fill(struct zoe_producer *p, const struct zoe_open_slot *o) {
	struct zoe_frame_header *hdr = (void *)zoe_ring_get_header(&o->feed->region.ring, o->index);
	const struct zoe_slot *s = &o->slot;

	if (!format_is_published(p, &s->format)) {
		template_fill(p, &s->format);
	}
	memcpy(hdr, &p->header, sizeof(*hdr));
	p->publish_ns = zoe_now_ns();
	hdr->publish_ns = p->publish_ns;
	hdr->pts_ns = s->pts_ns ? s->pts_ns : p->publish_ns;
	hdr->clock = s->pts_ns && s->clock ? s->clock : CLOCK_MONOTONIC;
	hdr->flags = s->flags | (p->is_changed ? ZOE_FORMAT_CHANGED : 0) |
		     (p->is_discont ? ZOE_DISCONT : 0);
	hdr->duration_ns = s->duration_ns;
	hdr->source_seq = s->source_seq;
	hdr->dropped = p->n_dropped;
	hdr->rate_num = s->rate_num;
	hdr->rate_den = s->rate_den ? s->rate_den : 1;
	hdr->user[0] = s->user[0];
	hdr->user[1] = s->user[1];
	hdr->meta_size = o->meta_size;
	hdr->generation = o->feed->region.generation;
}

static enum zoe_ring_result publish_in(
	struct zoe_producer *p, struct zoe_open_slot *o, uint64_t *seq) {
	struct zoe_wakes wakes = {0};
	enum zoe_ring_result result;

	header_fill(p, o);
	result = zoe_ring_publish(&o->feed->writer, o->index, seq, &wakes);
	zoe_writer_wake(&o->feed->writer, &wakes, o->feed->bells);
	return result;
}

/* The ring was closed under the slot: carry the frame over to the next generation, if that is at
 * hand. The old slot is still ours to read: nobody claims in a closed ring. */
static enum zoe_ring_result publish_moved(
	struct zoe_producer *p, struct zoe_open_slot *o, uint64_t *seq) {
	struct zoe_feed *old = o->feed;
	const struct zoe_geometry *from = &old->region.ring.geo;
	enum zoe_ring_result result = ZOE_RING_MOVED;
	uint32_t index, old_index = o->index;
	int error;

	for (unsigned i = 0; i < 4; i++) {
		zoe_producer_service(p);
		if (p->feed == old ||
			p->feed->region.ring.geo.slot_bytes < o->slot.format.size_bytes ||
			p->feed->region.ring.geo.meta_bytes < o->meta_size) {
			return ZOE_RING_MOVED;
		}
		error = try_acquire(p, &index);
		if (error < 0) {
			return ZOE_RING_MOVED;
		}
		if (error == 0) {
			break;
		}
	}
	if (error) {
		return ZOE_RING_MOVED;
	}
	zoe_copy((uint8_t *)p->feed->region.frames_map +
			 (size_t)index * p->feed->region.ring.geo.slot_stride,
		(const uint8_t *)old->region.frames_map + (size_t)old_index * from->slot_stride,
		(size_t)o->slot.format.size_bytes);
	memcpy(zoe_ring_get_header(&p->feed->region.ring, index) + sizeof(struct zoe_frame_header),
		zoe_ring_get_header(&old->region.ring, old_index) + sizeof(struct zoe_frame_header),
		o->meta_size);
	o->feed = p->feed;
	o->index = index;
	result = publish_in(p, o, seq);
	o->feed = old; /* whose loan it is */
	return result;
}

/* The planes may be laid out anew within the slot; where they are follows from the offsets. */
static int slot_check(const struct zoe_open_slot *o) {
	const struct zoe_format *f = &o->slot.format;
	uint64_t slot_bytes = o->feed->region.ring.geo.slot_bytes;

	if (f->size_bytes <= slot_bytes && format_is_published(o->producer, f)) {
		return 0;
	}
	return zoe_format_check(f, slot_bytes);
}

int zoe_producer_publish(struct zoe_producer *p, struct zoe_slot *s) {
	struct zoe_open_slot *o = slot_get_open(s);
	enum zoe_ring_result result;
	uint64_t seq = 0;

	if (zoe_client_is_forked(p->client)) {
		return zoe_client_fail_forked(p->client);
	}
	if (!o->feed || o->producer != p) {
		return zoe_client_fail(p->client, -EINVAL, "publish: this slot is not on loan");
	}
	if (slot_check(o) != 0) {
		zoe_producer_cancel(p, s);
		return zoe_client_fail(p->client, -EINVAL,
			"stream '%s': publish: the format does not fit the slot", p->stream);
	}
	result = publish_in(p, o, &seq);
	if (result == ZOE_RING_MOVED) {
		result = publish_moved(p, o, &seq);
	}
	unlend(o);
	switch (result) {
	case ZOE_RING_OK:
		ZOE_PROBE4(publish, p->name, seq, p->published.size_bytes, p->publish_ns);
		p->is_discont = false;
		p->is_changed = false;
		return 0;
	case ZOE_RING_DEAD:
		return zoe_client_fail(p->client, -EOWNERDEAD,
			"stream '%s': the broker has declared this producer dead", p->stream);
	case ZOE_RING_ROGUE:
		return zoe_client_fail(p->client, -EPROTO,
			"stream '%s': another producer breaks the ring's rules", p->stream);
	case ZOE_RING_NONE:
	case ZOE_RING_OWED:
	case ZOE_RING_STALE:
	case ZOE_RING_MOVED:
	case ZOE_RING_LOST:
	case ZOE_RING_BUSY:
	default:
		p->n_dropped++;
		p->is_discont = true;
		ZOE_PROBE3(drop, p->name, p->n_dropped, -ESTALE);
		return zoe_client_fail(p->client, -ESTALE,
			"stream '%s': the frame was dropped: the stream moved just now", p->stream);
	}
}

void zoe_producer_cancel(struct zoe_producer *p, struct zoe_slot *s) {
	struct zoe_open_slot *o = slot_get_open(s);
	struct zoe_wakes wakes = {0};

	if (zoe_client_is_forked(p->client) || !o->feed || o->producer != p) {
		return;
	}
	zoe_ring_cancel(&o->feed->writer, o->index, &wakes);
	zoe_writer_wake(&o->feed->writer, &wakes, o->feed->bells);
	unlend(o);
}

int zoe_slot_set(struct zoe_slot *s, enum zoe_tag tag, const void *data, size_t size) {
	struct zoe_open_slot *o = slot_get_open(s);
	const struct zoe_ring *ring;

	if (!o->feed) {
		return -EINVAL;
	}
	if (zoe_client_is_forked(o->producer->client)) {
		return zoe_client_fail_forked(o->producer->client); /* nothing is mapped here */
	}
	ring = &o->feed->region.ring;
	return zoe_tlv_put(zoe_ring_get_header(ring, o->index) + sizeof(struct zoe_frame_header),
		ring->geo.meta_bytes, &o->meta_size, (uint32_t)tag, data, size);
}

int zoe_slot_get_memfd(const struct zoe_slot *s, uint64_t *offset) {
	const struct zoe_open_slot *o = (const struct zoe_open_slot *)(const void *)s;

	if (!o->feed) {
		return -EINVAL;
	}
	*offset = (uint64_t)o->index * o->feed->region.ring.geo.slot_stride;
	return o->feed->region.frames_fd;
}

int zoe_producer_push(struct zoe_producer *p, const struct zoe_picture *src, int timeout_ms) {
	struct zoe_format tight;
	struct zoe_slot *slot;
	int error;

	if (zoe_client_is_forked(p->client)) {
		return zoe_client_fail_forked(p->client);
	}
	error = zoe_format_init(&tight, src->format.fourcc, src->format.width, src->format.height);
	if (error) {
		return zoe_client_fail(
			p->client, error, "stream '%s': push: the format is not sane", p->stream);
	}
	tight.transform = src->format.transform;
	tight.alpha = src->format.alpha;
	tight.primaries = src->format.primaries;
	tight.transfer = src->format.transfer;
	tight.matrix = src->format.matrix;
	tight.range = src->format.range;
	tight.chroma_site = src->format.chroma_site;
	tight.field = src->format.field;
	error = zoe_producer_acquire(p, &tight, &slot, timeout_ms);
	if (error) {
		return error;
	}
	error = zoe_copy_picture(slot, src, p->copy_ways);
	if (error) {
		zoe_producer_cancel(p, slot);
		return zoe_client_fail(p->client, error,
			"stream '%s': push: a stride is shorter than its row", p->stream);
	}
	slot->pts_ns = src->pts_ns;
	return zoe_producer_publish(p, slot);
}

/* The newest frame as a producer sees it: a copy made and then confirmed by the slot's state, since
 * a producer has no pin. Returns: 0; -ENODATA none; -EAGAIN overwritten meanwhile. */
static int copy_newest(struct zoe_slot *slot) {
	struct zoe_open_slot *o = slot_get_open(slot);
	const struct zoe_ring *ring = &o->feed->region.ring;
	/* [PUB] acquire: the frame below head is published for us. */
	uint64_t s = zoe_head_seq(atomic_load_explicit(
			     &zoe_ring_get_page(ring)->head, memory_order_acquire)) -
		     1;
	uint64_t entry = atomic_load_explicit(
		zoe_ring_get_order(ring, s), memory_order_acquire); /* [ORDER] */
	uint64_t published = zoe_state_pack(ZOE_SLOT_PUBLISHED, 0, s);
	uint32_t i = zoe_order_slot(entry);
	struct zoe_frame_header hdr;
	struct zoe_format format;

	if (zoe_order_seq(entry) != s || s == 0 || i >= ring->geo.n_slots) {
		return -ENODATA;
	}
	memcpy(&hdr, zoe_ring_get_header(ring, i), sizeof(hdr));
	if (zoe_frame_header_check(&hdr, ring->geo.slot_bytes, ring->geo.meta_bytes, &format) !=
		0) {
		return -ENODATA;
	}
	memcpy((uint8_t *)o->feed->region.frames_map + (size_t)o->index * ring->geo.slot_stride,
		ring->frames + (size_t)i * ring->geo.slot_stride, (size_t)format.size_bytes);
	/* [STATE] the fence keeps the copies before this look: unchanged since, or they are void.
	 */
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(zoe_ring_get_state(ring, i), memory_order_relaxed) != published) {
		return -EAGAIN;
	}
	slot->format = format;
	slot->user[0] = hdr.user[0];
	slot->user[1] = hdr.user[1];
	for (unsigned k = 0; k < 4; k++) {
		slot->plane[k] = k < format.n_planes
					 ? (uint8_t *)o->feed->region.frames_map +
						   (size_t)o->index * ring->geo.slot_stride +
						   format.offset[k]
					 : NULL;
	}
	return 0;
}

int zoe_producer_edit(struct zoe_producer *p, struct zoe_slot **out, int timeout_ms) {
	struct zoe_format any = {0}, last = p->format;
	struct zoe_slot *slot;
	int error = 0;

	if (zoe_client_is_forked(p->client)) {
		return zoe_client_fail_forked(p->client);
	}
	zoe_format_init(&any, ZOE_FORMAT_BLOB, 1, 1);
	error = zoe_producer_acquire(p, &any, &slot, timeout_ms);
	p->format = last; /* acquire's "the last one" is not what an edit borrows with */
	if (error) {
		return error;
	}
	error = -EAGAIN;
	for (unsigned i = 0; i < 16 && error == -EAGAIN; i++) {
		error = copy_newest(slot);
	}
	if (error) {
		zoe_producer_cancel(p, slot);
		return zoe_client_fail(p->client, error,
			error == -ENODATA
				? "stream '%s': there is no frame to edit"
				: "stream '%s': the newest frame changes too fast to edit",
			p->stream);
	}
	p->format = slot->format;
	*out = slot;
	return 0;
}
