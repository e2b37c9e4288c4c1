/* SPDX-License-Identifier: MIT */
#include "producer.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "adopt.h"
#include "client.h"
#include "consumer.h"
#include "group.h"
#include "log.h"
#include "memory.h"
#include "move.h"
#include "probe.h"
#include "quota.h"
#include "registry.h"
#include "ring_check.h"
#include "roster.h"
#include "server.h"
#include "stream.h"

#define MAX_SUFFIX 1000u /* of name-2, name-3 ... */

static_assert(CONFIG_MAX_NAME_BYTES + 1 == ZOE_NAME_BYTES, "one length for names");

/* A PRODUCE on its way. */
struct produce {
	struct client *client;
	const struct zoe_msg_produce *msg;
	const struct stream_config *config;
	struct stream *stream; // NULL: to be made
	char name[ZOE_NAME_BYTES];
	uint32_t open;
	uint64_t frame_bytes;
};

static bool produce_may(struct produce *p) {
	struct server *server = p->client->server;

	p->stream = registry_find(server, p->name);
	/* A reload may have had to leave the stream as it was. */
	p->config = p->stream ? p->stream->config : config_match(server->config, p->name);
	return p->config && access_may(p->config, RIGHT_PRODUCE, &p->client->who,
				    p->stream ? p->stream->owner : server->uid);
}

/* Returns: 0; -errno, and the client has its answer. */
static int produce_refuse_name(struct produce *p) {
	struct server *server = p->client->server;
	const char *near = NULL;
	char allowed[256];

	if (p->config && access_may_see(p->config, &p->client->who,
				 p->stream ? p->stream->owner : server->uid)) {
		access_describe(p->config, RIGHT_PRODUCE, allowed, sizeof(allowed));
		client_refuse(p->client, &p->msg->header, -EACCES,
			"stream '%s': uid %u may not produce, allowed: %s", p->name,
			p->client->who.uid, allowed);
		return -EACCES;
	}
	near = registry_suggest(server, p->name, &p->client->who);
	client_refuse(p->client, &p->msg->header, -ENOENT, "no stream '%s'%s%s%s", p->name,
		near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	return -ENOENT;
}

/* Looks for name, name-2, name-3 ... without a producer. */
static bool produce_find_free(struct produce *p) {
	for (uint32_t i = 1; i < MAX_SUFFIX; i++) {
		char name[2 * ZOE_NAME_BYTES];

		snprintf(name, sizeof(name), "%s-%u", p->msg->name, i);
		if (i == 1) {
			snprintf(name, sizeof(name), "%s", p->msg->name);
		}
		if (strlen(name) >= sizeof(p->name)) {
			break;
		}
		zoe_wire_set_text(p->name, sizeof(p->name), name);
		if (produce_may(p) && (!p->stream || p->stream->n_producers == 0)) {
			return true;
		}
	}
	return false;
}

static bool produce_is_full(const struct produce *p) {
	return p->stream && p->stream->n_producers >= p->config->producers;
}

static bool produce_takes_turns(const struct produce *p) {
	return (p->msg->flags & ZOE_PRODUCE_TAKE_TURNS) != 0;
}

static int produce_choose_name(struct produce *p) {
	zoe_wire_set_text(p->name, sizeof(p->name), p->msg->name);
	if (!name_is_valid(p->msg->name)) {
		client_refuse(p->client, &p->msg->header, -EINVAL,
			"'%.100s' is no stream's name: parts of [A-Za-z0-9._:+@-] between '/', at "
			"most %d bytes",
			p->msg->name, CONFIG_MAX_NAME_BYTES);
		return -EINVAL;
	}
	if (!produce_may(p)) {
		return produce_refuse_name(p);
	}
	if ((p->msg->flags & ZOE_PRODUCE_UNIQUE_NAME) && !produce_find_free(p)) {
		client_refuse(p->client, &p->msg->header, -EBUSY,
			"stream '%s': taken, and the config covers no free '%s-N'", p->msg->name,
			p->msg->name);
		return -EBUSY;
	}
	if (produce_is_full(p) && !produce_takes_turns(p)) {
		client_refuse(p->client, &p->msg->header, -EBUSY,
			"stream '%s': all %u producer seats taken (zoe status %s shows by whom); "
			"raise producers: in the config",
			p->name, p->config->producers, p->name);
		return -EBUSY;
	}
	return 0;
}

/* A request that is to be refused, and for which stream. */
struct refusal {
	struct client *client;
	const struct zoe_msg_header *request;
	const struct stream_config *config;
	const char *name;
	uint64_t n_bytes; // of memory that it would have taken
};

/* Says that frames of `bytes` are beyond the stream's config. */
static void refuse_size(const struct refusal *refusal, const char *format, uint64_t bytes) {
	const struct stream_config *config = refusal->config;
	const struct zoe_format *max = &config->max_format;
	const char *fourcc = max->fourcc ? zoe_format_get_name(max->fourcc) : NULL;
	char allowed[64] = "";

	if (fourcc) {
		snprintf(allowed, sizeof(allowed), " (%ux%u %s)", max->width, max->height, fourcc);
	}
	client_refuse(refusal->client, refusal->request, -EMSGSIZE,
		"stream '%s': %.47s needs %llu bytes a frame, %s allows %llu%s", refusal->name,
		format[0] ? format : "the picture", (unsigned long long)bytes,
		fourcc ? "max_frame" : "max_bytes", (unsigned long long)config->max_bytes, allowed);
}

static struct refusal produce_refusal(const struct produce *p) {
	return (struct refusal){.client = p->client,
		.request = &p->msg->header,
		.config = p->config,
		.name = p->name};
}

static int produce_check_size(struct produce *p) {
	p->open = p->msg->open ? p->msg->open : 1;
	p->frame_bytes = p->msg->frame_bytes ? p->msg->frame_bytes : p->config->max_bytes;
	if (p->open > p->config->open) {
		client_refuse(p->client, &p->msg->header, -EINVAL,
			"stream '%s': %u slots wanted at once, open: allows %u", p->name, p->open,
			p->config->open);
		return -EINVAL;
	}
	if (p->frame_bytes > p->config->max_bytes) {
		struct refusal refusal = produce_refusal(p);

		refuse_size(&refusal, p->msg->format, p->frame_bytes);
		return -EMSGSIZE;
	}
	return 0;
}

/* Who has hung up without a word again and again, its process alive, may not begin anew at once:
 * each time the stream had to move, for all that look at it. */
static int produce_check_moves(const struct produce *p) {
	if (!p->stream || !move_is_overdone(p->stream, p->client->who.uid)) {
		return 0;
	}
	client_refuse(p->client, &p->msg->header, -EAGAIN,
		"stream '%s': moves too often, since producers of uid %u vanish", p->name,
		p->client->who.uid);
	return -EAGAIN;
}

/* holder: the pid that keeps old frames, for -EBUSY. */
static void refuse_region(const struct refusal *refusal, int error, int32_t holder) {
	struct client *client = refusal->client;
	const struct zoe_msg_header *request = refusal->request;
	const char *name = refusal->name;
	char text[MEMORY_TEXT_SIZE];

	switch (error) {
	case -EBUSY:
		client_refuse(client, request, error,
			"stream '%s': cannot grow while pid %d still holds old frames", name,
			(int)holder);
		break;
	case -EAGAIN:
		client_refuse(client, request, error, "stream '%s': grows too often", name);
		break;
	case -ENOMEM:
		client_refuse(client, request, error, "stream '%s': no memory for its frames: %s",
			name, memory_explain(text, client, refusal->n_bytes));
		break;
	default:
		client_refuse(client, request, error, "stream '%s': cannot make its memory: %s",
			name, strerror(-error));
		break;
	}
}

/* What a stream takes with a new region of such frames, for a producer with so many slots. */
static uint64_t get_region_bytes(
	const struct stream *stream, uint64_t frame_bytes, uint32_t n_open) {
	struct zoe_geometry geo;

	if (stream_cut(stream, frame_bytes, &geo) < 0) {
		return UINT64_MAX;
	}
	return geometry_get_base_bytes(&geo) + n_open * geo.slot_stride;
}

/* What the client's user is to bear with this producer. */
static uint64_t produce_get_bytes(const struct produce *p) {
	const struct generation *newest = p->stream->newest;
	uint64_t bytes;

	if (!newest || newest->ring.geo.slot_bytes < p->frame_bytes) {
		return get_region_bytes(p->stream, p->frame_bytes, p->open);
	}
	bytes = p->open * newest->ring.geo.slot_stride;
	if (p->stream->n_producers == 0 && newest->payer != p->client->who.uid) {
		bytes += geometry_get_base_bytes(&newest->ring.geo);
	}
	return bytes;
}

/* Returns: 0; -EDQUOT, and the client has its answer. */
static int produce_check_quota(const struct produce *p) {
	char text[MEMORY_TEXT_SIZE];
	int r = quota_check_memory(
		p->client->server, p->client->who.uid, produce_get_bytes(p), text);

	if (r < 0) {
		client_refuse(
			p->client, &p->msg->header, r, "stream '%s': %s", p->stream->name, text);
		stream_note_clients(p->stream); /* one just made goes away again */
	}
	return r;
}

static int produce_make_stream(struct produce *p) {
	struct server *server = p->client->server;
	char text[MEMORY_TEXT_SIZE];
	int r = 0;

	if (!p->stream && quota_check_streams(server, p->client->who.uid, text) < 0) {
		client_refuse(
			p->client, &p->msg->header, -EDQUOT, "stream '%s': %s", p->name, text);
		return -EDQUOT;
	}
	if (!p->stream) {
		r = registry_make(server, p->config, p->name, p->client->who.uid, &p->stream);
	}
	if (r == -EBUSY) {
		client_refuse(p->client, &p->msg->header, r,
			"stream '%s': '%s' has all its %u streams; raise max_streams: in the "
			"config",
			p->name, p->config->name, p->config->max_streams);
	} else if (r < 0) {
		client_refuse(
			p->client, &p->msg->header, r, "stream '%s': %s", p->name, strerror(-r));
	}
	return r;
}

static int produce_make_region(struct produce *p) {
	struct stream *stream = p->stream;
	int32_t holder = 0;
	int r = 0;

	if (!stream->newest) {
		r = stream_make_region(stream, p->frame_bytes);
	} else if (stream->newest->ring.geo.slot_bytes < p->frame_bytes) {
		r = move_check(stream, &holder);
		if (r == 0) {
			r = move_start(stream, p->frame_bytes);
		}
	}
	if (r < 0) {
		struct refusal refusal = produce_refusal(p);

		refusal.n_bytes = get_region_bytes(stream, p->frame_bytes, p->open);
		refuse_region(&refusal, r, holder);
		stream_note_clients(stream); /* one just made goes away again */
	}
	return r;
}

/* "APP (pid N, USER)". Asks /etc/passwd alone, which cannot keep the loop waiting. */
static void producer_set_label(struct producer *producer) {
	const struct client *client = producer->client;
	struct passwd entry, *found = NULL;
	char text[1024], uid[32];
	FILE *file = fopen("/etc/passwd", "re");

	while (file && fgetpwent_r(file, &entry, text, sizeof(text), &found) == 0) {
		if (found->pw_uid == client->who.uid) {
			break;
		}
		found = NULL;
	}
	snprintf(uid, sizeof(uid), "uid %u", client->who.uid);
	snprintf(producer->label, sizeof(producer->label), "%s (pid %d, %.31s)", client->app,
		(int)client->who.pid, found ? found->pw_name : uid);
	if (file) {
		fclose(file);
	}
}

static struct producer *produce_make_producer(const struct produce *p) {
	struct producer *producer = calloc(1, sizeof(*producer));

	if (!producer) {
		return NULL;
	}
	list_init(&producer->link);
	producer->client = p->client;
	producer->stream = p->stream;
	producer->open = p->open;
	producer->is_external = (p->msg->flags & ZOE_PRODUCE_EXTERNAL_WRITER) != 0;
	producer_set_label(producer);
	return producer;
}

static void producer_join(struct producer *producer) {
	producer->client->producer = producer;
	list_append(&producer->stream->producers, &producer->link);
	producer->stream->n_producers++;
}

static void produce_reply_parked(const struct produce *p) {
	struct zoe_msg_region msg = {0};

	zoe_msg_init(&msg, ZOE_MSG_PRODUCE, p->msg->header.serial);
	msg.flags = ZOE_REGION_PARKED;
	zoe_wire_set_text(msg.name, sizeof(msg.name), p->stream->name);
	client_send(p->client, &msg.header, NULL, 0);
}

/* It goes on in the ring it brought, until the stream moves. */
static void produce_await_move(struct produce *p) {
	struct producer *producer = produce_make_producer(p);

	if (!producer) {
		client_refuse(p->client, &p->msg->header, -ENOMEM, "no memory");
		return;
	}
	producer_join(producer);
	stream_tell_live(p->stream);
	produce_reply_parked(p);
	stream_note_clients(p->stream);
	adopt_check(p->stream);
}

static int produce_attach(struct produce *p) {
	struct producer *producer = produce_make_producer(p);
	struct zoe_msg_region msg = {0};
	struct stream *stream = p->stream;

	if (!producer || generation_take_lane(stream->newest, producer, &msg.owner) < 0) {
		free(producer);
		client_refuse(p->client, &p->msg->header, -EBUSY, "stream '%s': no lane is free",
			stream->name);
		stream_note_clients(stream);
		return -EBUSY;
	}
	if (stream->n_producers == 0) {
		stream->newest->payer = p->client->who.uid;
	}
	producer_join(producer);
	/* [END] SC: before anybody can see a frame of it. */
	atomic_store_explicit(&stream->newest->control->stream_ended, 0, memory_order_seq_cst);
	/* Who waits without a seat does not hear that a producer is back: it has never been away.
	 * But it is seated before anybody can publish, and misses no frame. */
	stream_tell_live(stream);
	consumer_start_parked(stream);
	zoe_msg_init(&msg, ZOE_MSG_PRODUCE, p->msg->header.serial);
	producer_send_region(producer, stream->newest, &msg);
	log_debug("stream '%s': %s produces", stream->name, producer->label);
	return 0;
}

static void produce_wait(struct produce *p) {
	struct turn *turn = calloc(1, sizeof(*turn));

	if (!turn) {
		client_refuse(p->client, &p->msg->header, -ENOMEM, "no memory");
		return;
	}
	turn->client = p->client;
	turn->stream = p->stream;
	turn->msg = *p->msg;
	p->client->turn = turn;
	list_append(&p->stream->turns, &turn->link);
	produce_reply_parked(p);
	stream_note_clients(p->stream);
}

static void produce(struct client *client, const struct zoe_msg_produce *msg) {
	struct produce p = {.client = client, .msg = msg};

	if (produce_choose_name(&p) < 0 || produce_check_size(&p) < 0) {
		return;
	}
	if (produce_is_full(&p)) {
		adopt_refuse_producer(p.stream, client);
		produce_wait(&p);
		return;
	}
	if (produce_check_moves(&p) < 0) {
		return;
	}
	if (produce_make_stream(&p) < 0) {
		return;
	}
	if (adopt_producer(p.stream, client, p.frame_bytes) || p.stream->leaving) {
		produce_await_move(&p);
		return;
	}
	if (produce_check_quota(&p) < 0 || produce_make_region(&p) < 0 || produce_attach(&p) < 0) {
		return;
	}
	stream_note_clients(p.stream);
}

void turn_destroy(struct turn *turn) {
	struct stream *stream;

	if (!turn) {
		return;
	}
	stream = turn->stream;
	list_remove(&turn->link);
	turn->client->turn = NULL;
	free(turn);
	stream_note_clients(stream);
}

/* A seat may have come free: whose turn is it? One that is refused for another reason has had its
 * turn. */
void turn_grant(struct stream *stream) {
	struct turn *turn, *after;

	list_for_each_safe(turn, after, &stream->turns, link) {
		struct client *client = turn->client;
		struct zoe_msg_produce msg = turn->msg;

		if (stream->n_producers >= stream->config->producers) {
			return;
		}
		turn_destroy(turn);
		if (client_can_receive(client)) {
			produce(client, &msg);
		}
	}
}

void producer_produce(struct client *client, const struct zoe_packet *packet) {
	const struct zoe_msg_produce *msg = (const void *)packet->bytes;
	uint32_t both = ZOE_PRODUCE_UNIQUE_NAME | ZOE_PRODUCE_TAKE_TURNS;

	if (!zoe_wire_text_is_ok(msg->name, sizeof(msg->name)) ||
		!zoe_wire_text_is_ok(msg->format, sizeof(msg->format))) {
		client_reject(client, &msg->header, "a text without end");
		return;
	}
	if (client->producer || client->consumer || client->turn) {
		client_reject(client, &msg->header, "a second PRODUCE or CONSUME");
		return;
	}
	if ((msg->flags & both) == both) {
		client_refuse(client, &msg->header, -EINVAL,
			"stream '%s': a name of one's own, or a turn: not both", msg->name);
		return;
	}
	produce(client, msg);
}

void producer_send_region(
	struct producer *producer, struct generation *g, struct zoe_msg_region *msg) {
	int fds[] = {g->ring_fd.rw, g->frames_fd.rw, g->control_fd.ro};

	const struct stream_config *config = producer->stream->config;

	stream_describe_region(producer->stream, g, msg);
	msg->open = producer->open;
	msg->flags |=
		(config->blocks ? ZOE_REGION_BLOCK : 0u) | (g->is_sole ? ZOE_REGION_SOLE : 0u);
	msg->patience_ms = (uint32_t)config->patience_ms;
	msg->interval_us = config->max_fps ? 1000000 / config->max_fps : 0;
	client_send(producer->client, &msg->header, fds, n_elements(fds));
	roster_reset(producer, g);
	roster_push(producer);
}

/* Who speaks of a generation has done with those before it. */
static void producer_leave_before(struct producer *producer, uint32_t number) {
	struct generation *g;

	list_for_each(g, &producer->stream->generations, link) {
		uint32_t owner = generation_find_owner(g, producer);

		if (g->number < number && g->ended != 0 && owner != 0) {
			generation_free_lane(g, zoe_owner_lane(owner));
		}
	}
	stream_sweep(producer->stream);
}

/* Returns: 0; -EDQUOT, and the client has its answer. */
static int grow_check_quota(const struct refusal *refusal) {
	struct client *client = refusal->client;
	char text[MEMORY_TEXT_SIZE];
	int r = quota_check_memory(client->server, client->who.uid, refusal->n_bytes, text);

	if (r < 0) {
		client_refuse(client, refusal->request, r, "stream '%s': %s", refusal->name, text);
	}
	return r;
}

void producer_grow(struct client *client, const struct zoe_packet *packet) {
	const struct zoe_msg_grow *msg = (const void *)packet->bytes;
	struct zoe_msg_header reply = {
		.type = ZOE_MSG_GROW, .size = sizeof(reply), .serial = msg->header.serial};
	struct stream *stream = client->producer ? client->producer->stream : NULL;
	struct refusal refusal = {.client = client, .request = &msg->header};
	int32_t holder = 0;
	int r;

	if (!stream || !zoe_wire_text_is_ok(msg->format, sizeof(msg->format))) {
		client_reject(client, &msg->header, "GROW is for producers");
		return;
	}
	refusal.config = stream->config;
	refusal.name = stream->name;
	if (!stream->adoption) {
		producer_leave_before(client->producer, msg->generation);
	}
	if (msg->frame_bytes > stream->config->max_bytes) {
		refuse_size(&refusal, msg->format, msg->frame_bytes);
		return;
	}
	if (stream->adoption) {
		/* The move is to come anyway. */
		if (stream->adoption->frame_bytes < msg->frame_bytes) {
			stream->adoption->frame_bytes = msg->frame_bytes;
		}
		client_send(client, &reply, NULL, 0);
		return;
	}
	if (stream->newest && client->producer->generation == stream->newest &&
		msg->generation == stream->newest->number &&
		msg->frame_bytes > stream->newest->ring.geo.slot_bytes) {
		refusal.n_bytes =
			get_region_bytes(stream, msg->frame_bytes, client->producer->open);
		r = grow_check_quota(&refusal);
		if (r < 0) {
			return;
		}
		r = move_check(stream, &holder);
		if (r == 0) {
			r = move_start(stream, msg->frame_bytes);
		}
		if (r < 0) {
			refuse_region(&refusal, r, holder);
			return;
		}
		stream->newest->payer = client->who.uid;
	}
	client_send(client, &reply, NULL, 0);
}

/* Whether a reliable seat wants frames that would have to go. Everything is read anew: the producer
 * may lie, and so may the consumer. */
static bool seat_is_behind(const struct seat *seat, uint64_t *n_behind) {
	const struct zoe_ring *ring = &seat->generation->ring;
	/* [PUB] {report.head} [CURSOR] [TAIL] {report.cursor} acquire: numbers to compare. */
	uint64_t head = zoe_head_seq(
		atomic_load_explicit(&zoe_ring_get_page(ring)->head, memory_order_acquire));
	uint64_t wanted =
		seat->group ? atomic_load_explicit(&seat->group->words->tail, memory_order_acquire)
			    : atomic_load_explicit(&seat->words->cursor, memory_order_acquire);

	*n_behind = head > wanted ? head - wanted : 0;
	return *n_behind > ring->geo.depth;
}

void producer_report(struct client *client, const struct zoe_packet *packet) {
	const struct zoe_msg_report *msg = (const void *)packet->bytes;
	struct producer *producer = client->producer;
	struct generation *g = producer ? producer->generation : NULL;
	uint64_t n_behind;
	struct seat *seat;

	if (!producer || msg->seat >= ZOE_MAX_SEATS) {
		client_reject(client, &msg->header, "REPORT is for producers, about a seat");
		return;
	}
	if (!g || g->is_adopted) {
		return; /* of its seats we know nothing: the producer demotes on its own */
	}
	seat = g->number == msg->generation ? g->listed[msg->seat] : NULL;
	if (!seat || seat->consumer->id != msg->consumer ||
		!(seat_get_flags(seat) & ZOE_SEAT_RELIABLE) || !seat_is_behind(seat, &n_behind)) {
		return; /* old news */
	}
	log_warn("stream '%s': pid %d (%s) has held producers up for %llu ms and is %llu frames "
		 "behind: it is not reliable any more",
		producer->stream->name, (int)seat->consumer->client->who.pid,
		seat->consumer->client->app,
		(unsigned long long)producer->stream->config->patience_ms,
		(unsigned long long)n_behind);
	consumer_demote(seat->consumer);
}

void producer_ack(struct client *client, const struct zoe_packet *packet) {
	const struct zoe_msg_ack *msg = (const void *)packet->bytes;
	struct producer *producer = client->producer;

	if (!producer || msg->n_seats - producer->n_seats_acked >
				 producer->n_seats_sent - producer->n_seats_acked) {
		client_reject(client, &msg->header, "an acknowledgement of what was never sent");
		return;
	}
	producer->n_seats_acked = msg->n_seats;
	if (!producer->stream->adoption) {
		producer_leave_before(producer, msg->generation);
	}
	roster_push(producer);
}

void producer_end_stream(struct client *client, const struct zoe_packet *packet) {
	struct zoe_msg_header reply = {
		.type = ZOE_MSG_END, .size = sizeof(reply), .serial = packet->header.serial};
	struct producer *producer = client->producer;
	struct stream *stream = producer ? producer->stream : NULL;

	if (!stream) {
		client_reject(client, &packet->header, "END is for producers");
		return;
	}
	producer->has_ended = true;
	stream_tell_live(stream);
	if (!stream->is_live && stream->newest) {
		/* [END] SC, then the wake: a sleeper looks at it before it sleeps again. */
		atomic_store_explicit(
			&stream->newest->control->stream_ended, 1, memory_order_seq_cst);
		generation_wake(stream->newest);
	}
	client_send(client, &reply, NULL, 0);
	registry_mark(stream);
}

void producer_continue(struct producer *producer) {
	roster_push(producer);
}

void producer_leave_generation(struct producer *producer, uint32_t number) {
	struct generation *g;

	list_for_each(g, &producer->stream->generations, link) {
		uint32_t owner = generation_find_owner(g, producer);

		if (g->number == number && g->ended != 0 && owner != 0) {
			generation_free_lane(g, zoe_owner_lane(owner));
			break;
		}
	}
	stream_sweep(producer->stream);
}

/* Whether those who are left, or come next, can go on in what a producer leaves: one that lied may
 * have written what would keep them out for ever. */
static bool generation_is_usable(const struct generation *g, const struct producer *leaving) {
	uint32_t owners[ZOE_MAX_LANES] = {0};

	for (uint32_t i = 0; i < ZOE_MAX_LANES; i++) {
		if (g->lanes[i].producer && g->lanes[i].producer != leaving) {
			owners[i] = zoe_owner_pack(g->lanes[i].turn, i);
		}
	}
	if (zoe_ring_is_sane(&g->ring, g->start, owners)) {
		return true;
	}
	log_stranger(
		"stream '%s': moves on, %s left a broken ring", g->stream->name, leaving->label);
	return false;
}

/* Returns: whether the generation can be used no more. */
static bool producer_clear_lane(
	struct producer *producer, struct generation *g, enum producer_end end) {
	uint32_t owner = generation_find_owner(g, producer);
	bool is_safe = end == PRODUCER_LEFT || (end == PRODUCER_DIED && !producer->is_external);

	if (owner == 0) {
		return false;
	}
	if (g->ended == 0 && is_safe) {
		uint32_t n = zoe_ring_repair(&g->ring, owner);

		ZOE_PROBE3(repair, g->region, owner, n);
		log_debug("%s: gave back %u slots of %s", g->region, n, producer->label);
		generation_wake(g);
		is_safe = generation_is_usable(g, producer);
	}
	generation_free_lane(g, zoe_owner_lane(owner));
	return g->ended == 0 && !is_safe;
}

void producer_destroy(struct producer *producer, enum producer_end end) {
	struct stream *stream;
	struct generation *g;
	bool must_move = false;

	if (!producer) {
		return;
	}
	stream = producer->stream;
	list_remove(&producer->link);
	stream->n_producers--;
	list_for_each(g, &stream->generations, link) {
		must_move |= producer_clear_lane(producer, g, end);
	}
	if (must_move) {
		move_charge(stream, producer->client->who.uid);
		move_away(stream);
	}
	log_debug("stream '%s': %s %s", stream->name, producer->label,
		end == PRODUCER_LEFT       ? "left"
		: end == PRODUCER_DIED     ? "died"
		: end == PRODUCER_VANISHED ? "vanished"
					   : "was evicted");
	producer->client->producer = NULL;
	free(producer);
	turn_grant(stream);
	stream_tell_live(stream);
	stream_sweep(stream);
	stream_note_clients(stream);
}
