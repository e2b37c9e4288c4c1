/* SPDX-License-Identifier: MIT */
#include "consumer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "adopt.h"
#include "client.h"
#include "group.h"
#include "log.h"
#include "memory.h"
#include "move.h"
#include "quota.h"
#include "registry.h"
#include "roster.h"
#include "server.h"
#include "stream.h"

static struct consumer *consumer_alloc(struct client *client) {
	struct consumer *consumer = calloc(1, sizeof(*consumer));

	if (consumer) {
		list_init(&consumer->link);
		list_init(&consumer->seats);
		consumer->client = client;
		consumer->bell = -1;
		client->consumer = consumer;
	}
	return consumer;
}

static int consumer_create(
	struct consumer **out, struct client *client, const struct zoe_msg_consume *msg) {
	struct consumer *consumer = consumer_alloc(client);

	if (!consumer) {
		return -ENOMEM;
	}
	consumer->hold = msg->hold ? msg->hold : 1;
	consumer->delivery = msg->delivery;
	consumer->id = ++client->server->last_consumer;
	if (consumer->id == 0) {
		consumer->id = ++client->server->last_consumer;
	}
	zoe_wire_set_text(consumer->name, sizeof(consumer->name), msg->name);
	zoe_wire_set_text(consumer->group, sizeof(consumer->group), msg->group);
	*out = consumer;
	return 0;
}

static void consumer_join(struct consumer *consumer, struct stream *stream) {
	list_remove(&consumer->link);
	list_append(&stream->consumers, &consumer->link);
	consumer->stream = stream;
	stream->n_consumers++;
	stream_note_clients(stream);
}

int consumer_create_absent(
	struct consumer **out, struct stream *stream, const struct zoe_control_seat *seat) {
	uint64_t patience_ms = stream->config->patience_ms;
	uint64_t settle_ms = stream->server->config->broker.settle_ms;
	uint64_t ms = patience_ms > settle_ms ? patience_ms : settle_ms;
	bool is_grouped = (seat->flags & ZOE_SEAT_GROUPED) != 0;
	struct client *client = NULL;
	struct consumer *consumer;
	int r = client_create_absent(&client, stream->server, (double)(ms ? ms : 1) / 1000);

	if (r < 0) {
		return r;
	}
	consumer = consumer_alloc(client);
	if (!consumer) {
		client_doom(client);
		return -ENOMEM;
	}
	consumer->id = seat->consumer;
	consumer->hold = seat->hold < stream->config->hold ? seat->hold : stream->config->hold;
	consumer->delivery = is_grouped ? ZOE_DELIVER_QUEUE_RELIABLE : ZOE_DELIVER_RELIABLE;
	zoe_wire_set_text(consumer->name, sizeof(consumer->name), stream->name);
	if (is_grouped) {
		/* Nobody can ask for such a name. */
		consumer->group_id = seat->group;
		snprintf(consumer->group, sizeof(consumer->group), "?%u", seat->group);
	}
	consumer_join(consumer, stream);
	*out = consumer;
	return 0;
}

void consumer_send_region(struct seat *seat, struct zoe_msg_region *msg) {
	struct generation *g = seat->generation;
	int fds[5] = {g->ring_fd.ro, g->frames_fd.ro, g->control_fd.ro, seat->memory.rw};
	uint32_t n_fds = 4;

	if (seat->group) {
		fds[n_fds++] = seat->group->memory.rw;
	}

	stream_describe_region(g->stream, g, msg);
	msg->seat = seat->index;
	msg->hold = seat->consumer->hold;
	msg->consumer = seat->consumer->id;
	client_send(seat->consumer->client, &msg->header, fds, n_fds);
	memfd_close_rw(&seat->memory); /* its consumer's alone from now on */
}

/* Whether it begins with the frame that comes next, and no earlier. */
static bool consumer_is_from_now(const struct consumer *consumer) {
	return consumer->delivery != ZOE_DELIVER_LATEST && consumer->delivery != ZOE_DELIVER_EVERY;
}

/* A seat in the newest generation, and one that producers need not know of in the closed one that
 * has the newest picture. */
static uint64_t consumer_get_bytes(const struct consumer *consumer) {
	const struct generation *newest = consumer->stream->newest;

	return newest ? consumer->hold * newest->ring.geo.slot_stride + 2 * ZOE_SEAT_PAGE_BYTES : 0;
}

/* Returns: as quota_check_memory(). */
static int consumer_check_quota(const struct consumer *consumer, char text[MEMORY_TEXT_SIZE]) {
	return quota_check_memory(consumer->stream->server, consumer->client->who.uid,
		consumer_get_bytes(consumer), text);
}

static int consumer_make_seats(
	struct consumer *consumer, struct seat **newest, struct seat **tail) {
	struct stream *stream = consumer->stream;
	bool has_all = consumer_is_from_now(consumer) || adopt_is_known(stream, consumer->client);
	struct generation *old = has_all ? NULL : stream_find_tail(stream);
	char text[MEMORY_TEXT_SIZE];
	int r = consumer_check_quota(consumer, text);

	if (r == 0) {
		r = memory_reserve(stream->server, stream, consumer_get_bytes(consumer));
	}
	if (r == 0) {
		r = seat_create(newest, stream->newest, consumer, -1);
	}
	if (r == 0 && old) {
		r = seat_create(tail, old, consumer, (int)(*newest)->index);
		if (r < 0) {
			seat_destroy(*newest);
		}
	}
	return r;
}

/* The seat is in the roster, and its cursor (or its group's tail) is 0: nothing is evicted. From
 * here it begins. Returns: the first number that it gets, for a reliable one; 0. */
static uint64_t consumer_begin(struct seat *seat, bool is_first) {
	/* [LIMIT] {join.head} SC, and after the roster has counted: a producer that did not see
	 * that count has a limit not above this head. */
	uint64_t h = zoe_head_seq(atomic_load_explicit(
		&zoe_ring_get_page(&seat->generation->ring)->head, memory_order_seq_cst));

	if (!consumer_is_from_now(seat->consumer) || !is_first) {
		return 0;
	}
	if (h < seat->generation->start || h >= ZOE_MAX_SEQ) {
		h = seat->generation->start; /* a producer lies; it loses its own frames */
	}
	seat_set_start(seat, h);
	return seat->group ? 0 : h;
}

static void consumer_tell_demoted(const struct consumer *consumer) {
	const struct zoe_msg_header msg = {.type = ZOE_MSG_DEMOTED, .size = sizeof(msg)};

	client_send(consumer->client, &msg, NULL, 0);
}

/* Seats the consumer and tells it under the type and serial of msg. */
static int consumer_sit(struct consumer *consumer, struct zoe_msg_region *msg) {
	struct seat *newest = NULL, *tail = NULL;
	int r = consumer_make_seats(consumer, &newest, &tail);

	if (r < 0) {
		return r;
	}
	consumer->is_demoted |= newest->group && newest->group->is_demoted;
	roster_add(newest);
	msg->want = consumer_begin(newest, !newest->group || newest->group->n_members == 1);
	if (tail) {
		struct zoe_msg_region moved = {0};

		consumer_send_region(tail, msg);
		zoe_msg_init(&moved, ZOE_MSG_MOVED, 0);
		consumer_send_region(newest, &moved);
	} else {
		consumer_send_region(newest, msg);
	}
	if (consumer->is_demoted) {
		consumer_tell_demoted(consumer);
	}
	log_debug("stream '%s': pid %d looks on, seat %u of %s", consumer->stream->name,
		(int)consumer->client->who.pid, newest->index, newest->generation->region);
	return 0;
}

static void consumer_start(struct consumer *consumer) {
	struct zoe_msg_region msg = {0};
	int r;

	zoe_msg_init(&msg, ZOE_MSG_START, 0);
	r = consumer_sit(consumer, &msg);
	if (r < 0) {
		log_warn("stream '%s': cannot seat pid %d: %s", consumer->stream->name,
			(int)consumer->client->who.pid, strerror(-r));
		client_doom(consumer->client);
	}
}

void consumer_start_parked(struct stream *stream) {
	struct consumer *consumer;

	list_for_each(consumer, &stream->consumers, link) {
		if (list_is_empty(&consumer->seats)) {
			consumer_start(consumer);
		}
	}
}

static bool delivery_is_reliable(uint32_t delivery) {
	return delivery == ZOE_DELIVER_RELIABLE || delivery == ZOE_DELIVER_QUEUE_RELIABLE;
}

bool consumer_is_reliable(const struct consumer *consumer) {
	return delivery_is_reliable(consumer->delivery) && !consumer->is_demoted;
}

static bool consumer_may_deliver(
	const struct client *client, uint32_t delivery, const struct stream *stream) {
	return !delivery_is_reliable(delivery) ||
	       access_may(stream->config, RIGHT_RELIABLE, &client->who, stream->owner);
}

/* One of the group it asks for, as its first member has it. That one may be waiting for a region,
 * too: all members get the group's page writable, and so are one user's. */
static const struct consumer *stream_find_member(const struct stream *stream, const char *group) {
	const struct consumer *consumer;

	list_for_each(consumer, &stream->consumers, link) {
		if (group[0] && strcmp(consumer->group, group) == 0) {
			return consumer;
		}
	}
	return NULL;
}

static bool consumer_fits(const struct consumer *consumer, const struct stream *stream) {
	const struct consumer *member = stream_find_member(stream, consumer->group);

	return stream->n_consumers < stream->config->consumers &&
	       consumer_may_deliver(consumer->client, consumer->delivery, stream) &&
	       (!member || (member->client->who.uid == consumer->client->who.uid &&
				   member->delivery == consumer->delivery));
}

void consumer_adopt(struct consumer *consumer, struct stream *stream) {
	if (!consumer_fits(consumer, stream)) {
		client_doom(consumer->client); /* it comes again, and is told why */
		return;
	}
	if (consumer->hold > stream->config->hold) {
		consumer->hold = stream->config->hold;
	}
	consumer_join(consumer, stream);
}

static void consumer_reply_parked(
	const struct consumer *consumer, const struct zoe_msg_header *request) {
	struct zoe_msg_region msg = {0};

	zoe_msg_init(&msg, ZOE_MSG_CONSUME, request->serial);
	msg.flags = ZOE_REGION_PARKED;
	msg.hold = consumer->hold;
	zoe_wire_set_text(msg.name, sizeof(msg.name), consumer->name);
	client_send(consumer->client, &msg.header, NULL, 0);
}

/* Returns: 0; -EINVAL, and the client has its answer. */
static int consume_check_hold(struct client *client, const struct zoe_msg_consume *msg,
	const struct stream_config *config) {
	if (msg->hold <= config->hold) {
		return 0;
	}
	client_refuse(client, &msg->header, -EINVAL,
		"stream '%s': %u frames wanted at once, hold: allows %u", msg->name, msg->hold,
		config->hold);
	return -EINVAL;
}

/* Waits for somebody to make a stream that a pattern covers. */
/* Returns: 0; -EDQUOT, and the client has its answer. */
static int consume_check_quota(struct client *client, const struct zoe_msg_consume *msg) {
	char text[MEMORY_TEXT_SIZE];
	int r = quota_check_consumers(client->server, client->who.uid, text);

	if (r < 0) {
		client_refuse(client, &msg->header, r, "stream '%s': %s", msg->name, text);
	}
	return r;
}

static void consume_park(struct client *client, const struct zoe_msg_consume *msg,
	const struct stream_config *config) {
	struct consumer *consumer = NULL;

	if (consume_check_hold(client, msg, config) < 0 || consume_check_quota(client, msg) < 0) {
		return;
	}
	if (consumer_create(&consumer, client, msg) < 0) {
		client_refuse(client, &msg->header, -ENOMEM, "no memory");
		return;
	}
	list_append(&client->server->registry.parked, &consumer->link);
	consumer_reply_parked(consumer, &msg->header);
}

/* A name that nobody has made, as far as the client may know. */
static void consume_unknown(struct client *client, const struct zoe_msg_consume *msg) {
	struct server *server = client->server;
	const struct stream_config *config = config_match(server->config, msg->name);
	const char *near;

	if ((msg->flags & ZOE_CONSUME_WAIT_UNKNOWN) && config && config->is_pattern) {
		consume_park(client, msg, config);
		return;
	}
	near = registry_suggest(server, msg->name, &client->who);
	client_refuse(client, &msg->header, -ENOENT, "no stream '%s'%s%s%s", msg->name,
		near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Returns: 0; -EACCES, -EINVAL, and the client has its answer. */
static int consume_check_group(
	struct client *client, const struct zoe_msg_consume *msg, const struct stream *stream) {
	const struct consumer *member = stream_find_member(stream, msg->group);

	if (member && member->client->who.uid != client->who.uid) {
		client_refuse(client, &msg->header, -EACCES, "stream '%s': group '%s' is uid %u's",
			stream->name, msg->group, member->client->who.uid);
		return -EACCES;
	}
	if (member && member->delivery != msg->delivery) {
		client_refuse(client, &msg->header, -EINVAL, "stream '%s': group '%s' %s reliable",
			stream->name, msg->group,
			member->delivery == ZOE_DELIVER_QUEUE ? "is not" : "is");
		return -EINVAL;
	}
	return 0;
}

/* Returns: 0; -errno, and the client has its answer. */
static int consume_check(
	struct client *client, const struct zoe_msg_consume *msg, const struct stream *stream) {
	const struct stream_config *config = stream->config;
	char allowed[256];

	if (!access_may(config, RIGHT_CONSUME, &client->who, stream->owner)) {
		access_describe(config, RIGHT_CONSUME, allowed, sizeof(allowed));
		client_refuse(client, &msg->header, -EACCES,
			"stream '%s': uid %u may not consume, allowed: %s", stream->name,
			client->who.uid, allowed);
		return -EACCES;
	}
	if (!consumer_may_deliver(client, msg->delivery, stream)) {
		access_describe(config, RIGHT_RELIABLE, allowed, sizeof(allowed));
		client_refuse(client, &msg->header, -EACCES,
			"stream '%s': uid %u may not consume reliably, allowed: %s", stream->name,
			client->who.uid, allowed);
		return -EACCES;
	}
	if (consume_check_hold(client, msg, config) < 0) {
		return -EINVAL;
	}
	if (consume_check_group(client, msg, stream) < 0) {
		return -EACCES;
	}
	if (stream->n_consumers >= config->consumers && !adopt_find_absent(stream, client)) {
		client_refuse(client, &msg->header, -EBUSY,
			"stream '%s': all %u consumer seats taken (zoe status %s shows by whom); "
			"raise consumers: in the config",
			stream->name, config->consumers, stream->name);
		return -EBUSY;
	}
	return consume_check_quota(client, msg);
}

/* The placeholder becomes the client's: all seats that were kept for it are sent, oldest first. */
static void consume_come_back(
	struct client *client, const struct zoe_msg_consume *msg, struct consumer *consumer) {
	struct client *absent = consumer->client;
	struct zoe_msg_region reply = {0};
	struct seat *seat, *after;

	absent->consumer = NULL;
	client_doom(absent);
	consumer->client = client;
	client->consumer = consumer;
	consumer->delivery = msg->delivery;
	zoe_wire_set_text(consumer->group, sizeof(consumer->group), msg->group);
	zoe_msg_init(&reply, ZOE_MSG_CONSUME, msg->header.serial);
	list_for_each_safe(seat, after, &consumer->seats, consumer_link) {
		if (seat->generation->is_adopted &&
			client->hand_in->generation >= seat->generation->number) {
			seat_destroy(seat); /* it has that one */
			continue;
		}
		if (seat->group) {
			group_set_name(seat->group, msg->group);
		}
		consumer_send_region(seat, &reply);
		memset(&reply, 0, sizeof(reply));
		zoe_msg_init(&reply, ZOE_MSG_MOVED, 0);
	}
	roster_touch(consumer->stream->newest);
	log_debug("stream '%s': pid %d is back", consumer->stream->name, (int)client->who.pid);
}

static void consume_refuse_seat(
	struct client *client, const struct zoe_msg_consume *msg, int error) {
	const struct consumer *consumer = client->consumer;
	char text[MEMORY_TEXT_SIZE];
	const char *why = text;

	if (error == -ENOMEM && consumer) {
		memory_explain(text, client, consumer_get_bytes(consumer));
	} else if (error != -EDQUOT || consumer_check_quota(consumer, text) == 0) {
		why = strerror(-error);
	}
	client_refuse(client, &msg->header, error, "stream '%s': no seat: %s", msg->name, why);
}

static void consume_attach(
	struct client *client, const struct zoe_msg_consume *msg, struct stream *stream) {
	struct consumer *consumer = adopt_find_absent(stream, client);
	struct zoe_msg_region reply = {0};
	int r;

	if (consumer) {
		consume_come_back(client, msg, consumer);
		return;
	}
	r = consumer_create(&consumer, client, msg);
	if (r == 0) {
		consumer_join(consumer, stream);
		if (!stream->newest || stream->adoption || stream->leaving) {
			consumer_reply_parked(consumer, &msg->header);
			adopt_consumer(consumer);
			adopt_check(stream);
			return;
		}
		zoe_msg_init(&reply, ZOE_MSG_CONSUME, msg->header.serial);
		r = consumer_sit(consumer, &reply);
	}
	if (r < 0) {
		consume_refuse_seat(client, msg, r);
		consumer_destroy(consumer);
	}
}

static bool consume_is_sane(const struct zoe_msg_consume *msg) {
	bool is_queue =
		msg->delivery == ZOE_DELIVER_QUEUE || msg->delivery == ZOE_DELIVER_QUEUE_RELIABLE;

	return msg->delivery < ZOE_N_DELIVERIES && is_queue == (msg->group[0] != '\0') &&
	       (!is_queue || name_is_valid(msg->group));
}

void consumer_consume(struct client *client, const struct zoe_packet *packet) {
	const struct zoe_msg_consume *msg = (const void *)packet->bytes;
	struct stream *stream;

	if (!zoe_wire_text_is_ok(msg->name, sizeof(msg->name)) ||
		!zoe_wire_text_is_ok(msg->group, sizeof(msg->group))) {
		client_reject(client, &msg->header, "a text without end");
		return;
	}
	if (client->producer || client->consumer || client->turn) {
		client_reject(client, &msg->header, "a second PRODUCE or CONSUME");
		return;
	}
	if (!name_is_valid(msg->name) || !consume_is_sane(msg)) {
		client_refuse(client, &msg->header, -EINVAL,
			"'%.100s' is no stream's name, or the delivery or group does not exist",
			msg->name);
		return;
	}
	stream = registry_find(client->server, msg->name);
	if (!stream || !access_may_see(stream->config, &client->who, stream->owner)) {
		consume_unknown(client, msg);
	} else if (consume_check(client, msg, stream) == 0) {
		consume_attach(client, msg, stream);
	}
}

struct seat *consumer_find_seat(struct consumer *consumer) {
	struct seat *seat;

	list_for_each(seat, &consumer->seats, consumer_link) {
		if (seat->is_listed && seat->generation == consumer->stream->newest) {
			return seat;
		}
	}
	return NULL;
}

void consumer_get_bell(struct client *client, const struct zoe_packet *packet) {
	struct zoe_msg_header reply = {
		.type = ZOE_MSG_BELL, .size = sizeof(reply), .serial = packet->header.serial};
	struct consumer *consumer = client->consumer;
	struct seat *seat;
	int ends[2];

	if (!consumer) {
		client_reject(client, &packet->header, "BELL is for consumers");
		return;
	}
	if (consumer->bell >= 0) {
		client_refuse(client, &packet->header, -EBUSY, "stream '%s': it has a doorbell",
			consumer->name);
		return;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
		int r = -errno;

		client_refuse(client, &packet->header, r, "stream '%s': cannot make a doorbell: %s",
			consumer->name, strerror(-r));
		return;
	}
	consumer->bell = ends[0];
	consumer->bell_serial++;
	seat = consumer_find_seat(consumer);
	if (seat) {
		roster_touch(seat->generation);
	}
	client_send(client, &reply, &ends[1], 1);
	close(ends[1]);
}

void consumer_demote(struct consumer *consumer) {
	struct stream *stream = consumer->stream;
	struct consumer *other;
	struct generation *g;

	list_for_each(other, &stream->consumers, link) {
		bool is_meant = other == consumer ||
				(consumer->group[0] && strcmp(other->group, consumer->group) == 0);

		if (is_meant && !other->is_demoted) {
			other->is_demoted = true;
			consumer_tell_demoted(other);
		}
	}
	list_for_each(g, &stream->generations, link) {
		struct group *group = consumer->group[0] ? group_find(g, consumer->group) : NULL;

		if (group) {
			group->is_demoted = true;
		}
		if (g->ended == 0) {
			roster_touch(g);
			roster_note_space(g);
		}
	}
}

bool consumer_holds_frames(const struct consumer *consumer) {
	const struct seat *seat;
	uint32_t any = 0;

	if (!consumer) {
		return false;
	}
	list_for_each(seat, &consumer->seats, consumer_link) {
		for (uint32_t k = 0; k < consumer->hold; k++) {
			/* [PIN] acquire: 0 says that its reads are over. */
			any |= atomic_load_explicit(&seat->words->pin[k], memory_order_acquire);
		}
	}
	return any != 0;
}

void consumer_detach(struct consumer *consumer) {
	struct seat *seat;

	consumer->is_demoted = true;
	consumer->group[0] = '\0';
	list_for_each(seat, &consumer->seats, consumer_link) {
		group_leave(seat);
		if (seat->is_listed && seat->generation->ended == 0) {
			roster_touch(seat->generation);
			roster_note_space(seat->generation);
		}
	}
}

static void consumer_leave_seat(struct seat *seat) {
	const struct generation *g = seat->generation;

	/* An adopted ring's list is what the broker after us goes by, ended or not. */
	if (seat->is_listed && (g->ended == 0 || g->is_adopted)) {
		roster_remove(seat);
	}
	seat_destroy(seat);
}

void consumer_leave_generation(struct consumer *consumer, uint32_t number) {
	struct seat *seat, *after;

	list_for_each_safe(seat, after, &consumer->seats, consumer_link) {
		if (seat->generation->number == number && seat->generation->ended != 0) {
			consumer_leave_seat(seat);
		}
	}
	if (consumer->stream) {
		stream_sweep(consumer->stream);
	}
}

void consumer_destroy(struct consumer *consumer) {
	struct seat *seat, *after;

	if (!consumer) {
		return;
	}
	list_for_each_safe(seat, after, &consumer->seats, consumer_link) {
		consumer_leave_seat(seat);
	}
	list_remove(&consumer->link);
	cleanup_fd_fn(&consumer->bell);
	consumer->client->consumer = NULL;
	if (consumer->stream) {
		consumer->stream->n_consumers--;
		move_check_heard(consumer->stream);
		stream_sweep(consumer->stream);
		stream_note_clients(consumer->stream);
	}
	free(consumer);
}
