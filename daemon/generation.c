/* SPDX-License-Identifier: MIT */
#include "generation.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "client.h"
#include "consumer.h"
#include "group.h"
#include "log.h"
#include "producer.h"
#include "ring_check.h"
#include "ring_wait.h"
#include "stream.h"

int generation_make_memory(
	struct memfd *memory, const struct generation *g, const char *part, uint64_t bytes) {
	char name[ZOE_REGION_BYTES + 16];

	snprintf(name, sizeof(name), "%s.%s", g->region, part);
	return memfd_init(memory, name, bytes);
}

static int generation_map(struct generation *g, const struct zoe_geometry *geo) {
	void *ring = NULL, *control = NULL;
	int r = generation_make_memory(&g->ring_fd, g, "ring", geo->ring_bytes);

	if (r == 0) {
		r = generation_make_memory(&g->frames_fd, g, "frames", geo->frames_bytes);
	}
	if (r == 0) {
		r = generation_make_memory(
			&g->control_fd, g, "control", sizeof(struct zoe_control_page));
	}
	if (r == 0) {
		r = memfd_map(&g->ring_fd, true, &ring);
		g->ring.ring = ring;
	}
	if (r == 0) {
		r = memfd_map(&g->control_fd, true, &control);
		g->control = control;
		g->ring.control = control;
	}
	memfd_close_rw(&g->control_fd);
	return r;
}

static int generation_fill_control(struct generation *g) {
	struct zoe_control_page *page = g->control;
	struct stat ring, frames;

	if (fstat(g->ring_fd.ro, &ring) < 0 || fstat(g->frames_fd.ro, &frames) < 0) {
		return -errno;
	}
	page->magic = ZOE_CONTROL_MAGIC;
	page->version = ZOE_RING_VERSION;
	page->lineage = g->lineage;
	page->generation = g->number;
	page->ring_dev = ring.st_dev;
	page->ring_ino = ring.st_ino;
	page->frames_dev = frames.st_dev;
	page->frames_ino = frames.st_ino;
	snprintf(page->name, sizeof(page->name), "%s", g->region);
	page->geometry = g->ring.geo;
	return 0;
}

static struct generation *generation_alloc(struct stream *stream) {
	struct generation *g = calloc(1, sizeof(*g));

	if (g) {
		list_init(&g->link);
		list_init(&g->seats);
		list_init(&g->groups);
		g->stream = stream;
		g->payer = stream->newest ? stream->newest->payer : stream->owner;
		g->ring_fd = g->frames_fd = g->control_fd = MEMFD_NONE;
	}
	return g;
}

int generation_create(
	struct generation **out, struct stream *stream, const struct zoe_geometry *geo) {
	struct generation *g = generation_alloc(stream);
	int r;

	if (!g) {
		return -ENOMEM;
	}
	g->number = stream->last_number + 1;
	g->lineage = stream->lineage;
	/* A limit may have been lowered below what is attached. */
	g->is_sole = stream->config->producers == 1 && stream->n_producers <= 1;
	g->ring.geo = *geo;
	snprintf(g->region, sizeof(g->region), "%s#%u", stream->name, g->number);
	r = generation_map(g, geo);
	if (r == 0) {
		r = generation_fill_control(g);
	}
	if (r < 0) {
		generation_destroy(g);
		return r;
	}
	stream->last_number = g->number;
	*out = g;
	return 0;
}

static bool memfd_is(const struct memfd *memory, uint64_t dev, uint64_t ino) {
	struct stat st;

	return fstat(memory->ro, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* The control page is a broker's alone; what it says of the other two must be so. */
static int generation_read_control(struct generation *g) {
	const struct zoe_control_page *page = g->control;
	struct zoe_geometry geo = page->geometry;
	/* [ENDED] {adopt.ended} acquire: the broker that stored them is gone. */
	uint64_t start = atomic_load_explicit(&page->start, memory_order_acquire);
	uint64_t ended = atomic_load_explicit(&page->ended, memory_order_acquire);

	if (page->magic != ZOE_CONTROL_MAGIC || page->version != ZOE_RING_VERSION ||
		zoe_geometry_check(&geo) < 0 || geo.ring_bytes != g->ring_fd.bytes ||
		geo.frames_bytes != g->frames_fd.bytes ||
		!memfd_is(&g->ring_fd, page->ring_dev, page->ring_ino) ||
		!memfd_is(&g->frames_fd, page->frames_dev, page->frames_ino) || start < 1 ||
		start >= ZOE_MAX_SEQ || (ended != 0 && (ended <= start || ended > ZOE_MAX_SEQ))) {
		return -EPROTO;
	}
	g->ring.geo = geo;
	g->start = start;
	g->ended = ended;
	g->number = page->generation;
	g->lineage = page->lineage;
	snprintf(g->region, sizeof(g->region), "%s#%u", g->stream->name, g->number);
	return 0;
}

int generation_adopt(struct generation **out, struct stream *stream, struct memfd *memory) {
	struct generation *g = generation_alloc(stream);
	void *map = NULL;
	int r;

	if (!g) {
		return -ENOMEM;
	}
	g->is_adopted = true;
	g->ring_fd = memory[0];
	g->frames_fd = memory[1];
	g->control_fd = memory[2];
	memory[0] = memory[1] = memory[2] = MEMFD_NONE;
	r = g->control_fd.bytes < sizeof(*g->control) ? -EPROTO
						      : memfd_map(&g->control_fd, true, &map);
	if (r == 0) {
		g->control = map;
		g->ring.control = map;
		memfd_close_rw(&g->control_fd);
		r = generation_read_control(g);
	}
	if (r == 0) {
		r = memfd_map(&g->ring_fd, true, &map);
		g->ring.ring = r == 0 ? map : NULL;
	}
	if (r < 0) {
		generation_destroy(g);
		return r;
	}
	*out = g;
	return 0;
}

void generation_destroy(struct generation *g) {
	struct seat *seat, *after;

	if (!g) {
		return;
	}
	list_for_each_safe(seat, after, &g->seats, link) {
		seat_destroy(seat);
	}
	if (g->ring.ring) {
		munmap(g->ring.ring, (size_t)g->ring.geo.ring_bytes);
	}
	if (g->control) {
		munmap(g->control, g->control_fd.bytes);
	}
	memfd_finish(&g->ring_fd);
	memfd_finish(&g->frames_fd);
	memfd_finish(&g->control_fd);
	list_remove(&g->link);
	free(g);
}

void generation_start(struct generation *g, uint64_t start) {
	zoe_ring_format(&g->ring, start);
	g->start = start;
	/* [ENDED] relaxed: the descriptors that are sent afterwards carry it. */
	atomic_store_explicit(&g->control->start, start, memory_order_relaxed);
}

uint64_t generation_close(struct generation *g) {
	uint64_t h;

	if (g->ended != 0) {
		return g->ended - 1; /* by an earlier broker, whatever producers made of it since */
	}
	h = zoe_ring_close(&g->ring);
	if (h < g->start || h >= ZOE_MAX_SEQ) {
		log_warn("stream '%s': a producer wrote a wild frame number into %s: frames of "
			 "it are lost",
			g->stream->name, g->region);
		h = g->start;
		g->is_broken = true;
		/* [GIVEN] SC: should we die now, nobody goes on with it in its own lineage. */
		atomic_store_explicit(&g->control->given, 1, memory_order_seq_cst);
	}
	g->ended = h + 1;
	/* [ENDED] {move.ended} SC: producers that miss the closed bit, because one of them is a
	 * liar, see this on their next acquire. */
	atomic_store_explicit(&g->control->ended, g->ended, memory_order_seq_cst);
	return h;
}

bool generation_has_frames(const struct generation *g) {
	if (g->ended != 0) {
		return g->ended - 1 > g->start;
	}
	/* [PUB] acquire: whether there are any is all that is asked. */
	return zoe_head_seq(atomic_load_explicit(
		       &zoe_ring_get_page(&g->ring)->head, memory_order_acquire)) > g->start;
}

uint64_t generation_get_bytes(struct generation *g) {
	const struct zoe_geometry *geo = &g->ring.geo;
	uint64_t n_slots = geo->depth + (uint64_t)g->n_lanes * g->stream->config->open;
	uint64_t bytes = geo->ring_bytes + sizeof(struct zoe_control_page);
	struct group *group;
	struct seat *seat;

	list_for_each(seat, &g->seats, link) {
		n_slots += seat->consumer->hold;
		bytes += ZOE_SEAT_PAGE_BYTES;
	}
	list_for_each(group, &g->groups, link) {
		bytes += ZOE_SEAT_PAGE_BYTES;
	}
	if (n_slots > geo->n_slots) {
		n_slots = geo->n_slots;
	}
	return bytes + n_slots * geo->slot_stride;
}

uint64_t geometry_get_base_bytes(const struct zoe_geometry *geo) {
	return geo->ring_bytes + sizeof(struct zoe_control_page) + geo->depth * geo->slot_stride;
}

uint64_t generation_get_bytes_of(const struct generation *g, uid_t uid) {
	const struct zoe_geometry *geo = &g->ring.geo;
	bool bears = g->ended == 0 && g->payer == uid;
	const struct seat *seat;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < ZOE_MAX_LANES; i++) {
		const struct producer *producer = g->lanes[i].producer;

		if (producer && producer->client->who.uid == uid) {
			bytes += producer->open * geo->slot_stride;
			bears = bears || g->ended != 0;
		}
	}
	list_for_each(seat, &g->seats, link) {
		if (seat->consumer->client->who.uid == uid) {
			bytes += seat->consumer->hold * geo->slot_stride + ZOE_SEAT_PAGE_BYTES;
			bears = bears || g->ended != 0;
		}
	}
	return bytes + (bears ? geometry_get_base_bytes(geo) : 0);
}

void generation_wake(struct generation *g) {
	struct seat *seat;

	zoe_ring_wake_all(&g->ring);
	list_for_each(seat, &g->seats, link) {
		if (seat->consumer->bell >= 0) {
			zoe_bell_ring(seat->consumer->bell);
		}
	}
}

static int generation_find_index(const struct generation *g) {
	for (uint32_t i = 0; i < ZOE_MAX_SEATS; i++) {
		if (!g->listed[i]) {
			return (int)i;
		}
	}
	return -EBUSY;
}

int seat_create(struct seat **out, struct generation *g, struct consumer *consumer, int index) {
	struct seat *seat = NULL;
	char part[16];
	int r;

	if (index < 0) {
		index = generation_find_index(g);
	}
	if (index < 0) {
		return index;
	}
	seat = calloc(1, sizeof(*seat));
	if (!seat) {
		return -ENOMEM;
	}
	seat->memory = MEMFD_NONE;
	seat->generation = g;
	seat->consumer = consumer;
	seat->index = (uint32_t)index;
	snprintf(part, sizeof(part), "seat%d", index);
	r = generation_make_memory(&seat->memory, g, part, ZOE_SEAT_PAGE_BYTES);
	if (r == 0) {
		r = memfd_map(&seat->memory, true, &seat->page);
	}
	if (r < 0) {
		memfd_finish(&seat->memory);
		free(seat);
		return r;
	}
	seat->words = zoe_seat_at(seat->page, seat->index);
	list_append(&g->seats, &seat->link);
	list_append(&consumer->seats, &seat->consumer_link);
	r = consumer->group[0] ? group_join(seat) : 0;
	if (r < 0) {
		seat_destroy(seat);
		return r;
	}
	*out = seat;
	return 0;
}

uint32_t seat_get_flags(const struct seat *seat) {
	uint32_t delivery = seat->consumer->delivery;
	bool is_reliable =
		delivery == ZOE_DELIVER_RELIABLE || delivery == ZOE_DELIVER_QUEUE_RELIABLE;

	return (is_reliable && !seat->consumer->is_demoted ? ZOE_SEAT_RELIABLE : 0u) |
	       (seat->group ? ZOE_SEAT_GROUPED : 0u);
}

void seat_set_start(struct seat *seat, uint64_t h) {
	if (seat->group) {
		group_set_tail(seat->group, h);
	}
	/* [CURSOR] {join.cursor} release: as in group_set_tail(). */
	atomic_store_explicit(&seat->words->cursor, h, memory_order_release);
}

void seat_destroy(struct seat *seat) {
	if (!seat) {
		return;
	}
	if (seat->is_listed) {
		seat->generation->listed[seat->index] = NULL;
	}
	group_leave(seat);
	munmap(seat->page, ZOE_SEAT_PAGE_BYTES);
	memfd_finish(&seat->memory);
	list_remove(&seat->link);
	list_remove(&seat->consumer_link);
	free(seat);
}

int generation_take_lane(struct generation *g, struct producer *producer, uint32_t *owner) {
	if (g->is_sole && g->n_lanes > 0) {
		return -EBUSY; /* it was told that it is the only one */
	}
	for (uint32_t i = 0; i < ZOE_MAX_LANES; i++) {
		struct lane *lane = &g->lanes[i];

		if (!lane->producer) {
			lane->producer = producer;
			lane->turn = lane->turn % 63 + 1;
			g->n_lanes++;
			*owner = zoe_owner_pack(lane->turn, i);
			return 0;
		}
	}
	return -EBUSY;
}

void generation_free_lane(struct generation *g, uint32_t lane) {
	g->lanes[lane].producer = NULL;
	g->n_lanes--;
}

uint32_t generation_find_owner(const struct generation *g, const struct producer *producer) {
	for (uint32_t i = 0; i < ZOE_MAX_LANES; i++) {
		if (g->lanes[i].producer == producer) {
			return zoe_owner_pack(g->lanes[i].turn, i);
		}
	}
	return 0;
}
