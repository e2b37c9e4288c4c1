/* SPDX-License-Identifier: MIT */
#include "status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "consumer.h"
#include "frame_layout.h"
#include "group.h"
#include "memory.h"
#include "producer.h"
#include "ring_check.h"
#include "ring_wait.h"
#include "server.h"
#include "stream.h"

/* Values of zoe_msg_stream.may and zoe_msg_peer's role and state: zoe/zoe.h has them for
 * programs. */
enum status_may { MAY_PRODUCE = 1, MAY_CONSUME = 2, MAY_RELIABLE = 4, MAY_ADMIN = 8 };
enum status_role { ROLE_PRODUCER = 1, ROLE_CONSUMER = 2 };
enum status_peer { PEER_RUNNING = 0, PEER_PARKED = 1, PEER_DEMOTED = 2 };

#define NOT_KNOWN UINT64_MAX

bool status_may_see(const struct client *client, const struct stream *stream) {
	return access_may_see(stream->config, &client->who, stream->owner);
}

/* Copies the header of frame seq, if it stays that frame's from before to after. Nothing in it is
 * checked. */
static bool frame_copy_header(
	const struct zoe_ring *ring, uint64_t seq, struct zoe_frame_header *copy) {
	uint64_t published = zoe_state_pack(ZOE_SLOT_PUBLISHED, 0, seq), entry;
	const _Atomic zoe_u64 *state;

	if (seq == 0 || seq >= ZOE_MAX_SEQ) {
		return false;
	}
	/* [ORDER] acquire: the slot it names was filled before. */
	entry = atomic_load_explicit(zoe_ring_get_order(ring, seq), memory_order_acquire);
	if (zoe_order_seq(entry) != seq || zoe_order_slot(entry) >= ring->geo.n_slots) {
		return false;
	}
	state = zoe_ring_get_state(ring, zoe_order_slot(entry));
	/* [STATE] acquire: the header is complete once the frame is published. */
	if (atomic_load_explicit(state, memory_order_acquire) != published) {
		return false;
	}
	memcpy(copy, zoe_ring_get_header(ring, zoe_order_slot(entry)), sizeof(*copy));
	/* [STATE] the fence keeps the copy before the second look at the same word. */
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(state, memory_order_relaxed) == published;
}

/* From one CLOCK_MONOTONIC time to another; strangers' times may be nonsense. */
static uint64_t get_span(uint64_t from_ns, uint64_t to_ns) {
	return from_ns <= to_ns && to_ns <= zoe_now_ns() ? to_ns - from_ns : NOT_KNOWN;
}

static void status_fill_picture(struct zoe_msg_stream *msg, struct generation *g) {
	struct zoe_ring_view view;

	zoe_ring_inspect(&g->ring, &view);
	msg->rate_mhz = view.rate_mhz;
	msg->last_publish_ns = view.last_publish_ns;
	msg->size_bytes = view.size_bytes;
	msg->fourcc = view.fourcc;
	msg->width = view.width;
	msg->height = view.height;
	msg->n_planes = view.n_planes;
	memcpy(msg->stride, view.stride, sizeof(msg->stride));
	memcpy(msg->offset, view.offset, sizeof(msg->offset));
}

static uint64_t ring_get_head(const struct zoe_ring *ring) {
	/* [PUB] relaxed: a number for people. */
	return zoe_head_seq(
		atomic_load_explicit(&zoe_ring_get_page(ring)->head, memory_order_relaxed));
}

/* What the newest frame's producer says of its own work. */
static void status_fill_work(struct zoe_msg_stream *msg, const struct zoe_ring *ring) {
	uint64_t head = ring_get_head(ring);
	struct zoe_frame_header hdr;

	if (head == 0 || !frame_copy_header(ring, head - 1, &hdr)) {
		return;
	}
	msg->dropped = hdr.dropped;
	if (hdr.clock == CLOCK_MONOTONIC && hdr.pts_ns != 0) {
		msg->capture_ns = get_span(hdr.pts_ns, hdr.publish_ns);
	}
}

static uint64_t status_get_head(const struct stream *stream) {
	return stream->newest ? ring_get_head(&stream->newest->ring) : 0;
}

static void status_fill_stream(
	struct zoe_msg_stream *msg, const struct client *client, struct stream *stream) {
	const struct stream_config *config = stream->config;
	struct generation *tail = stream_find_tail(stream);
	struct producer *producer;

	msg->kind = ZOE_STATUS_STREAM;
	msg->capture_ns = NOT_KNOWN;
	msg->n_producers = stream->n_producers;
	msg->n_consumers = stream->n_consumers;
	msg->max_producers = config->producers;
	msg->max_consumers = config->consumers;
	msg->depth = config->slots;
	msg->max_frame_bytes = config->max_bytes;
	msg->memory_bytes = stream_get_bytes(stream);
	msg->open = config->open;
	msg->hold = config->hold;
	msg->max_fps = config->max_fps;
	msg->patience_ms = (uint32_t)config->patience_ms;
	msg->state = (stream->is_live ? ZOE_STATE_LIVE : 0u) |
		     (config->blocks ? ZOE_STATE_BLOCKS : 0u) |
		     (stream->adoption ? ZOE_STATE_RETURNING : 0u) |
		     (stream->leaving ? ZOE_STATE_MOVING : 0u);
	if (access_may(config, RIGHT_PRODUCE, &client->who, stream->owner)) {
		msg->may |= MAY_PRODUCE;
	}
	if (access_may(config, RIGHT_CONSUME, &client->who, stream->owner)) {
		msg->may |= MAY_CONSUME;
	}
	if (access_may(config, RIGHT_RELIABLE, &client->who, stream->owner)) {
		msg->may |= MAY_RELIABLE;
	}
	if (access_may(config, RIGHT_ADMIN, &client->who, stream->owner)) {
		msg->may |= MAY_ADMIN;
	}
	zoe_wire_set_text(msg->name, sizeof(msg->name), stream->name);
	zoe_wire_set_text(msg->description, sizeof(msg->description), config->description);
	list_for_each(producer, &stream->producers, link) {
		zoe_wire_set_text(msg->producer, sizeof(msg->producer), producer->label);
		break;
	}
	if (stream->newest) {
		msg->generation = stream->newest->number;
		msg->n_slots = stream->newest->ring.geo.n_slots;
		msg->head_seq = status_get_head(stream);
		zoe_wire_set_text(msg->region, sizeof(msg->region), stream->newest->region);
		status_fill_picture(msg, tail ? tail : stream->newest);
		status_fill_work(msg, tail ? &tail->ring : &stream->newest->ring);
	}
}

static void status_send(
	struct client *client, struct stream *stream, const struct zoe_msg_header *header) {
	struct zoe_msg_stream msg;

	memset(&msg, 0, sizeof(msg));
	msg.header = *header;
	msg.header.size = sizeof(msg);
	status_fill_stream(&msg, client, stream);
	client_send(client, &msg.header, NULL, 0);
}

void status_send_stream(struct client *client, struct stream *stream, uint32_t type) {
	struct zoe_msg_header header = {.type = type};

	if (!status_may_see(client, stream)) {
		return;
	}
	/* One that does not read is spared the changes, and told all at once when it does. */
	if (type == ZOE_MSG_CHANGED && !client_is_drained(client)) {
		client->has_missed_changes = true;
		return;
	}
	status_send(client, stream, &header);
}

void status_send_sight(struct client *client, struct stream *stream, bool has_seen) {
	bool sees = status_may_see(client, stream);
	struct zoe_msg_stream msg;

	if (sees) {
		status_send_stream(client, stream, has_seen ? ZOE_MSG_CHANGED : ZOE_MSG_ADDED);
	} else if (has_seen) {
		memset(&msg, 0, sizeof(msg));
		zoe_msg_init(&msg, ZOE_MSG_REMOVED, 0);
		zoe_wire_set_text(msg.name, sizeof(msg.name), stream->name);
		client_send(client, &msg.header, NULL, 0);
	}
}

void status_list(struct client *client, const struct zoe_packet *packet) {
	struct zoe_msg_header header = {.type = packet->header.type,
		.serial = packet->header.serial,
		.flags = ZOE_MSG_MORE};
	struct stream *stream;

	list_for_each(stream, &client->server->registry.streams, link) {
		if (status_may_see(client, stream)) {
			status_send(client, stream, &header);
		}
	}
	header.flags = 0;
	header.size = sizeof(header);
	client_send(client, &header, NULL, 0);
}

void status_watch(struct client *client, const struct zoe_packet *packet) {
	status_list(client, packet);
	client->is_watching = true;
}

static void status_send_broker(struct client *client, const struct zoe_msg_header *header) {
	struct server *server = client->server;
	struct zoe_msg_broker msg;

	memset(&msg, 0, sizeof(msg));
	msg.header = *header;
	msg.header.size = sizeof(msg);
	msg.kind = ZOE_STATUS_BROKER;
	msg.pid = getpid();
	msg.n_streams = server->registry.n_streams;
	msg.n_clients = server->n_clients;
	msg.start_ns = server->start_ns;
	msg.load_ns = server->load_ns;
	msg.failure_ns = server->failure_ns;
	msg.memory_bytes = memory_get_used(server);
	msg.memory_limit_bytes = server->memory_limit;
	zoe_wire_set_text(msg.version, sizeof(msg.version), ZOETROPE_VERSION);
	zoe_wire_set_text(msg.protection, sizeof(msg.protection), server->protection);
	zoe_wire_set_text(msg.socket, sizeof(msg.socket), server->socket_path);
	zoe_wire_set_text(msg.config, sizeof(msg.config), server->config_path);
	client_send(client, &msg.header, NULL, 0);
}

static void peer_fill(struct zoe_msg_peer *msg, const struct client *peer,
	const struct stream *stream, const struct zoe_msg_header *header) {
	memset(msg, 0, sizeof(*msg));
	msg->header = *header;
	msg->header.size = sizeof(*msg);
	msg->kind = ZOE_STATUS_PEER;
	msg->read_ns = NOT_KNOWN;
	msg->state = stream->is_live ? PEER_RUNNING : PEER_PARKED;
	msg->uid = peer->who.uid;
	msg->pid = peer->who.pid;
	zoe_wire_set_text(msg->stream, sizeof(msg->stream), stream->name);
	zoe_wire_set_text(msg->app, sizeof(msg->app), peer->app);
}

static void status_send_producers(
	struct client *client, struct stream *stream, const struct zoe_msg_header *header) {
	struct producer *producer;
	struct turn *turn;
	struct zoe_msg_peer msg;

	list_for_each(producer, &stream->producers, link) {
		const struct generation *g = producer->generation;
		uint32_t owner = g ? generation_find_owner(g, producer) : 0;

		peer_fill(&msg, producer->client, stream, header);
		msg.role = ROLE_PRODUCER;
		msg.state = PEER_RUNNING;
		msg.generation = g ? g->number : 0;
		msg.held = owner ? zoe_ring_count_owned(&g->ring, owner) : 0;
		client_send(client, &msg.header, NULL, 0);
	}
	list_for_each(turn, &stream->turns, link) {
		peer_fill(&msg, turn->client, stream, header);
		msg.role = ROLE_PRODUCER;
		msg.state = PEER_PARKED;
		client_send(client, &msg.header, NULL, 0);
	}
}

/* As it is now: who is demoted gets what its like get. */
static uint32_t consumer_get_delivery(const struct consumer *consumer) {
	if (consumer->is_demoted && consumer->delivery == ZOE_DELIVER_RELIABLE) {
		return ZOE_DELIVER_EVERY;
	}
	if (consumer->is_demoted && consumer->delivery == ZOE_DELIVER_QUEUE_RELIABLE) {
		return ZOE_DELIVER_QUEUE;
	}
	return consumer->delivery;
}

/* From publish to take of the frame before the cursor, which a consumer moves just before it notes
 * the time: a look in between gives no answer. Queues do not keep a cursor. */
static uint64_t seat_get_read_ns(const struct seat *seat, uint64_t cursor, uint64_t last_take_ns) {
	struct zoe_frame_header hdr;

	if (seat->consumer->delivery > ZOE_DELIVER_RELIABLE || last_take_ns == 0 || cursor == 0 ||
		!frame_copy_header(&seat->generation->ring, cursor - 1, &hdr)) {
		return NOT_KNOWN;
	}
	return get_span(hdr.publish_ns, last_take_ns);
}

/* The next number that the consumer, or its group, takes. */
static uint64_t seat_get_next(const struct seat *seat) {
	/* [TAIL] and [SEAT] relaxed: numbers for people. */
	return seat->group ? atomic_load_explicit(&seat->group->words->tail, memory_order_relaxed)
			   : atomic_load_explicit(&seat->words->cursor, memory_order_relaxed);
}

/* [SEAT] relaxed throughout: numbers for people, each read once. */
static void peer_fill_seat(struct zoe_msg_peer *msg, const struct seat *seat, uint64_t head) {
	struct zoe_seat *words = seat->words;
	uint64_t cursor = seat_get_next(seat);

	msg->generation = seat->generation->number;
	for (uint32_t i = 0; i < seat->consumer->hold && i < ZOE_MAX_PINS; i++) {
		msg->held += atomic_load_explicit(&words->pin[i], memory_order_relaxed) != 0;
	}
	if (cursor < seat->generation->start) {
		cursor = seat->generation->start;
	}
	msg->lag = cursor < head && head <= ZOE_MAX_SEQ ? head - cursor : 0;
	/* [SHOW] relaxed: a consumer's own word about itself. */
	msg->taken = atomic_load_explicit(&words->taken, memory_order_relaxed);
	msg->lost = atomic_load_explicit(&words->lost, memory_order_relaxed);
	msg->last_ns = atomic_load_explicit(&words->last_take_ns, memory_order_relaxed);
	msg->read_ns = seat_get_read_ns(seat, cursor, msg->last_ns);
}

static void status_send_consumers(
	struct client *client, struct stream *stream, const struct zoe_msg_header *header) {
	struct consumer *consumer;
	struct zoe_msg_peer msg;

	list_for_each(consumer, &stream->consumers, link) {
		const struct seat *seat = consumer_find_seat(consumer);

		peer_fill(&msg, consumer->client, stream, header);
		msg.role = ROLE_CONSUMER;
		msg.delivery = consumer_get_delivery(consumer);
		zoe_wire_set_text(msg.group, sizeof(msg.group), consumer->group);
		if (seat) {
			peer_fill_seat(&msg, seat, status_get_head(stream));
			if (msg.delivery != consumer->delivery) {
				msg.state = PEER_DEMOTED;
			}
		} else {
			msg.state = PEER_PARKED;
		}
		client_send(client, &msg.header, NULL, 0);
	}
}

void status_report(struct client *client, const struct zoe_packet *packet) {
	const struct zoe_msg_name *msg = (const void *)packet->bytes;
	struct zoe_msg_header header = {
		.type = ZOE_MSG_STATUS, .serial = msg->header.serial, .flags = ZOE_MSG_MORE};
	struct server *server = client->server;
	struct stream *stream, *only = NULL;

	if (!zoe_wire_text_is_ok(msg->name, sizeof(msg->name))) {
		client_reject(client, &msg->header, "a text without end");
		return;
	}
	if (msg->name[0]) {
		only = registry_find(server, msg->name);
		if (!only || !status_may_see(client, only)) {
			const char *near = registry_suggest(server, msg->name, &client->who);

			client_refuse(client, &msg->header, -ENOENT, "no stream '%s'%s%s%s",
				msg->name, near ? "; did you mean '" : "", near ? near : "",
				near ? "'?" : "");
			return;
		}
	}
	status_send_broker(client, &header);
	list_for_each(stream, &server->registry.streams, link) {
		if ((only && stream != only) || !status_may_see(client, stream)) {
			continue;
		}
		status_send(client, stream, &header);
		status_send_producers(client, stream, &header);
		status_send_consumers(client, stream, &header);
	}
	header.flags = 0;
	header.size = sizeof(header);
	client_send(client, &header, NULL, 0);
}
