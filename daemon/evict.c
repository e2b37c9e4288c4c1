/* SPDX-License-Identifier: MIT */
#include "evict.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "consumer.h"
#include "move.h"
#include "producer.h"
#include "registry.h"
#include "server.h"
#include "stream.h"

/* Whether any of them has the newest memory mapped. */
static bool stream_has_evicted(const struct stream *stream) {
	struct producer *producer;
	struct consumer *consumer;

	list_for_each(producer, &stream->producers, link) {
		if (producer->client->is_evicted) {
			return true;
		}
	}
	list_for_each(consumer, &stream->consumers, link) {
		if (consumer->client->is_evicted && !list_is_empty(&consumer->seats)) {
			return true;
		}
	}
	return false;
}

/* Turns go first: the place of a producer that goes is given to the next one who waits. */
static void stream_end_evicted(struct stream *stream) {
	struct producer *producer, *next_producer;
	struct consumer *consumer, *next_consumer;
	struct turn *turn, *next_turn;

	list_for_each_safe(turn, next_turn, &stream->turns, link) {
		if (turn->client->is_evicted) {
			turn_destroy(turn);
		}
	}
	list_for_each_safe(consumer, next_consumer, &stream->consumers, link) {
		if (consumer->client->is_evicted) {
			consumer_destroy(consumer);
		}
	}
	list_for_each_safe(producer, next_producer, &stream->producers, link) {
		if (producer->client->is_evicted) {
			producer_destroy(producer, PRODUCER_EVICTED);
		}
	}
}

void evict_finish(struct stream *stream, bool is_open) {
	if (stream->newest && (is_open || stream_has_evicted(stream))) {
		move_away_from_evicted(stream);
	}
	stream_end_evicted(stream);
}

static void evict_removed(struct client *client, const struct stream *stream) {
	char text[256];

	snprintf(text, sizeof(text), "stream '%s': removed by the admin", stream->name);
	client_evict(client, ZOE_MSG_REMOVED, -EPIPE, text);
}

void evict_all(struct stream *stream) {
	struct producer *producer;
	struct consumer *consumer;
	struct turn *turn;

	list_for_each(turn, &stream->turns, link) {
		evict_removed(turn->client, stream);
	}
	list_for_each(consumer, &stream->consumers, link) {
		evict_removed(consumer->client, stream);
	}
	list_for_each(producer, &stream->producers, link) {
		evict_removed(producer->client, stream);
	}
	move_end(stream);
	stream_end_evicted(stream);
}

/* A KICK on its way. */
struct kick {
	const struct client *by;
	const struct zoe_msg_kick *msg;
	struct stream *stream;
	bool is_dry_run; // finds, and does nothing
	uint32_t n_found;
};

static void kick_client(struct kick *kick, struct client *client) {
	const struct zoe_msg_kick *msg = kick->msg;
	char text[512];

	if (msg->pid ? client->who.pid != msg->pid : strcmp(client->app, msg->app) != 0) {
		return;
	}
	kick->n_found++;
	if (kick->is_dry_run) {
		return;
	}
	snprintf(text, sizeof(text), "stream '%s': an admin, uid %u, has taken '%s' (pid %d) off",
		kick->stream->name, kick->by->who.uid, client->app, (int)client->who.pid);
	client_evict(client, ZOE_MSG_EVICTED, -ECONNABORTED, text);
}

static void kick_all(struct kick *kick) {
	struct producer *producer;
	struct consumer *consumer;
	struct turn *turn;

	kick->n_found = 0;
	list_for_each(turn, &kick->stream->turns, link) {
		kick_client(kick, turn->client);
	}
	list_for_each(consumer, &kick->stream->consumers, link) {
		kick_client(kick, consumer->client);
	}
	list_for_each(producer, &kick->stream->producers, link) {
		kick_client(kick, producer->client);
	}
}

/* Returns: the stream, if the client may kick somebody off it; NULL, and it has its answer. */
static struct stream *kick_find_stream(struct client *client, const struct zoe_msg_kick *msg) {
	struct stream *stream = registry_find(client->server, msg->name);
	const char *near;
	char allowed[256];

	if (!stream ||
		!(access_may_see(stream->config, &client->who, stream->owner) ||
			access_may(stream->config, RIGHT_ADMIN, &client->who, stream->owner))) {
		near = registry_suggest(client->server, msg->name, &client->who);
		client_refuse(client, &msg->header, -ENOENT, "no stream '%s'%s%s%s", msg->name,
			near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
		return NULL;
	}
	if (!access_may(stream->config, RIGHT_ADMIN, &client->who, stream->owner)) {
		access_describe(stream->config, RIGHT_ADMIN, allowed, sizeof(allowed));
		client_refuse(client, &msg->header, -EACCES,
			"stream '%s': uid %u may not kick, allowed (admin): %s", stream->name,
			client->who.uid, allowed);
		return NULL;
	}
	return stream;
}

static void kick_refuse_nobody(struct client *client, const struct zoe_msg_kick *msg) {
	char whom[80];

	if (msg->pid) {
		snprintf(whom, sizeof(whom), "pid %d is not", msg->pid);
	} else {
		snprintf(whom, sizeof(whom), "no '%s' is", msg->app);
	}
	client_refuse(client, &msg->header, -ENOENT,
		"stream '%s': %s attached (zoe status %s shows who is)", msg->name, whom,
		msg->name);
}

/* Who rules one stream alone, as whoever made it does, moves it as often as GROW may and within
 * memory_limit: a kick of one's own consumers must not cost the others anything.
 * Returns: 0; -errno, and the client has its answer. */
static int kick_check_move(const struct kick *kick, struct client *client) {
	struct server *server = client->server;
	struct stream *stream = kick->stream;
	char why[64] = "it moves too often";
	int32_t holder = 0;
	int r;

	if (!stream->newest || access_list_has(&server->config->admin, &client->who, server->uid)) {
		return 0;
	}
	r = move_check(stream, &holder);
	if (r == -EBUSY) {
		snprintf(why, sizeof(why), "pid %d still holds old frames", (int)holder);
	} else if (r == 0) {
		r = move_check_room(stream);
		snprintf(why, sizeof(why), "memory_limit leaves no room to move");
	}
	if (r < 0) {
		client_refuse(client, &kick->msg->header, r, "stream '%s': cannot kick now: %s",
			stream->name, why);
	}
	return r;
}

void evict_kick(struct client *client, const struct zoe_packet *packet) {
	const struct zoe_msg_kick *msg = (const void *)packet->bytes;
	struct kick kick = {.by = client, .msg = msg};
	struct zoe_msg_kicked reply;

	if (!zoe_wire_text_is_ok(msg->name, sizeof(msg->name)) ||
		!zoe_wire_text_is_ok(msg->app, sizeof(msg->app)) || msg->pid < 0 ||
		(msg->pid == 0) == (msg->app[0] == '\0')) {
		client_reject(client, &msg->header, "a KICK of nobody");
		return;
	}
	kick.stream = kick_find_stream(client, msg);
	if (!kick.stream) {
		return;
	}
	kick.is_dry_run = true;
	kick_all(&kick);
	if (kick.n_found == 0) {
		kick_refuse_nobody(client, msg);
		return;
	}
	if (kick_check_move(&kick, client) < 0) {
		return;
	}
	kick.is_dry_run = false;
	kick_all(&kick);
	evict_finish(kick.stream, false);
	zoe_msg_init(&reply, ZOE_MSG_KICK, msg->header.serial);
	reply.n_kicked = kick.n_found;
	reply.reserved = 0;
	client_send(client, &reply.header, NULL, 0);
}
