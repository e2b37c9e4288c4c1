/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

#include "adopt.h"
#include "client.h"
#include "consumer.h"
#include "log.h"
#include "memory.h"
#include "move.h"
#include "producer.h"
#include "registry.h"
#include "ring_check.h"
#include "server.h"

#define SWEEP_S 1.0 /* how often a generation kept for its last picture is looked at */

static void stream_on_linger(struct ev_loop *loop, struct ev_timer *timer, int events) {
	struct stream *stream = container_of(timer, struct stream, linger);

	(void)loop;
	(void)events;
	if (!stream_has_clients(stream)) {
		log_debug("stream '%s': gone, nobody has used it for %.1f s", stream->name,
			(double)stream->config->linger_ms / 1000);
		registry_drop(stream);
	}
}

static void stream_on_sweep(struct ev_loop *loop, struct ev_timer *timer, int events) {
	(void)loop;
	(void)events;
	stream_sweep(container_of(timer, struct stream, sweep));
}

int stream_create(struct stream **out, struct server *server, const struct stream_config *config,
	const char *name) {
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream) {
		return -ENOMEM;
	}
	list_init(&stream->link);
	list_init(&stream->generations);
	list_init(&stream->producers);
	list_init(&stream->consumers);
	list_init(&stream->turns);
	stream->server = server;
	stream->config = config;
	stream->owner = server->uid;
	snprintf(stream->name, sizeof(stream->name), "%s", name);
	ev_timer_init(&stream->linger, stream_on_linger, 0.0, 0.0);
	ev_timer_init(&stream->sweep, stream_on_sweep, 0.0, SWEEP_S);
	ev_timer_init(&stream->hearing, move_on_patience, 0.0, 0.0);
	*out = stream;
	return 0;
}

void stream_destroy(struct stream *stream) {
	stream_drop_region(stream);
	ev_timer_stop(stream->server->loop, &stream->linger);
	ev_timer_stop(stream->server->loop, &stream->sweep);
	ev_timer_stop(stream->server->loop, &stream->hearing);
	list_remove(&stream->link);
	free(stream);
}

static uint32_t get_larger(uint32_t a, uint32_t b) {
	return a > b ? a : b;
}

/* Slots that can be on loan at once. Who came in before a limit was lowered stays. */
static uint32_t stream_count_spares(const struct stream *stream) {
	const struct stream_config *config = stream->config;
	uint32_t open = config->open, hold = config->hold;
	const struct producer *producer;
	const struct consumer *consumer;

	list_for_each(producer, &stream->producers, link) {
		open = get_larger(open, producer->open);
	}
	list_for_each(consumer, &stream->consumers, link) {
		hold = get_larger(hold, consumer->hold);
	}
	return open * get_larger(config->producers, stream->n_producers) +
	       hold * get_larger(config->consumers, stream->n_consumers);
}

int stream_cut(const struct stream *stream, uint64_t frame_bytes, struct zoe_geometry *geo) {
	const struct stream_config *config = stream->config;
	struct zoe_geometry_request request = {.depth = config->slots,
		.spares = stream_count_spares(stream),
		.meta_bytes = config->metadata_bytes,
		.frame_bytes = frame_bytes < config->max_bytes ? frame_bytes : config->max_bytes};

	return zoe_geometry_init(geo, &request);
}

int stream_make_region(struct stream *stream, uint64_t frame_bytes) {
	struct generation *g = NULL;
	struct zoe_geometry geo;
	int r = stream_cut(stream, frame_bytes, &geo);

	if (r < 0) {
		return r;
	}
	r = memory_reserve(stream->server, stream,
		geo.ring_bytes + (geo.depth + (uint64_t)stream->config->open) * geo.slot_stride);
	if (r < 0) {
		return r;
	}
	if (getrandom(&stream->lineage, sizeof(stream->lineage), 0) < 0) {
		return -errno;
	}
	r = generation_create(&g, stream, &geo);
	if (r < 0) {
		return r;
	}
	generation_start(g, 1);
	list_insert(&stream->generations, &g->link);
	stream->newest = g;
	log_info("stream '%s': made %s, %u slots of %llu bytes", stream->name, g->region,
		geo.n_slots, (unsigned long long)geo.slot_bytes);
	return 0;
}

void stream_drop_region(struct stream *stream) {
	struct generation *g, *after;

	adoption_destroy(stream->adoption);
	stream->leaving = NULL;
	list_for_each_safe(g, after, &stream->generations, link) {
		generation_destroy(g);
	}
	stream->newest = NULL;
	ev_timer_stop(stream->server->loop, &stream->sweep);
}

struct generation *stream_find_tail(struct stream *stream) {
	struct generation *g;

	list_for_each(g, &stream->generations, link) {
		if (!stream->newest || g->lineage != stream->newest->lineage) {
			return NULL;
		}
		if (generation_has_frames(g)) {
			return g == stream->newest ? NULL : g;
		}
	}
	return NULL;
}

void stream_sweep(struct stream *stream) {
	struct generation *tail = stream_find_tail(stream), *g, *after;
	bool is_waiting = false;

	list_for_each_safe(g, after, &stream->generations, link) {
		if (g == stream->newest || g == stream->leaving || g->n_lanes > 0 ||
			!list_is_empty(&g->seats)) {
			continue;
		}
		if (g == tail) {
			is_waiting = true;
			continue;
		}
		log_debug("stream '%s': freed %s", stream->name, g->region);
		generation_destroy(g);
	}
	/* Only the ring knows when the newest generation gets its first frame. */
	if (!is_waiting) {
		ev_timer_stop(stream->server->loop, &stream->sweep);
	} else if (!ev_is_active(&stream->sweep)) {
		ev_timer_again(stream->server->loop, &stream->sweep);
	}
}

void stream_tell_live(struct stream *stream) {
	struct zoe_msg_header msg = {.size = sizeof(msg)};
	struct producer *producer;
	struct consumer *consumer;
	bool is_live = false;

	list_for_each(producer, &stream->producers, link) {
		is_live = is_live || !producer->has_ended;
	}
	if (is_live == stream->is_live) {
		return;
	}
	stream->is_live = is_live;
	msg.type = is_live ? ZOE_MSG_BACK : ZOE_MSG_GONE;
	list_for_each(consumer, &stream->consumers, link) {
		/* Those without a seat have never heard of a producer. */
		if (!list_is_empty(&consumer->seats)) {
			client_send(consumer->client, &msg, NULL, 0);
		}
	}
}

bool stream_has_clients(const struct stream *stream) {
	return stream->n_producers > 0 || stream->n_consumers > 0 || !list_is_empty(&stream->turns);
}

void stream_note_clients(struct stream *stream) {
	struct ev_loop *loop = stream->server->loop;

	registry_mark(stream);
	ev_timer_stop(loop, &stream->linger);
	if (stream->config->is_pattern && !stream_has_clients(stream)) {
		ev_timer_set(&stream->linger, (double)stream->config->linger_ms / 1000, 0.0);
		ev_timer_start(loop, &stream->linger);
	}
}

uint64_t stream_get_bytes(struct stream *stream) {
	struct generation *g;
	uint64_t bytes = 0;

	list_for_each(g, &stream->generations, link) {
		bytes += generation_get_bytes(g);
	}
	return bytes;
}

void stream_describe_region(
	struct stream *stream, const struct generation *g, struct zoe_msg_region *msg) {
	msg->generation = g->number;
	msg->lineage = g->lineage;
	msg->start = g->start;
	msg->geometry = g->ring.geo;
	msg->max_frame_bytes = stream->config->max_bytes;
	zoe_wire_set_text(msg->name, sizeof(msg->name), stream->name);
	zoe_wire_set_text(msg->region, sizeof(msg->region), g->region);
}
