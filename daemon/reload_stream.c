/* SPDX-License-Identifier: MIT */
#include "reload_stream.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "access.h"
#include "client.h"
#include "consumer.h"
#include "evict.h"
#include "move.h"
#include "producer.h"
#include "registry.h"
#include "server.h"
#include "status.h"
#include "stream.h"

/* Values of zoe_msg_peer.role. */
enum { ROLE_PRODUCER = 1, ROLE_CONSUMER = 2 };

/* What becomes of a stream. */
struct plan {
	const struct stream *stream;
	const struct stream_config *before, *after; // after: NULL = it is removed
	uid_t old_owner, owner;                     // whom "owner" stands for
	uint32_t changes;                           // enum stream_change
	bool is_other;                              // another entry rules it
};

/* A name that a pattern rules belongs to who produces it. */
static uid_t plan_get_owner(const struct stream *stream, const struct stream_config *after) {
	const struct producer *first = list_entry(stream->producers.next, first, link);

	if (after->is_pattern == stream->config->is_pattern) {
		return stream->owner;
	}
	return after->is_pattern && !list_is_empty(&stream->producers) ? first->client->who.uid
								       : stream->server->uid;
}

/* text: what changes; the caller's to free, may be NULL. */
static struct plan plan_make(
	const struct reload *reload, const struct stream *stream, char **text) {
	struct plan plan = {.stream = stream,
		.before = stream->config,
		.after = config_match(reload->config, stream->name),
		.old_owner = stream->owner,
		.owner = stream->owner};
	size_t size = 0;
	FILE *out;

	if (!plan.after) {
		return plan;
	}
	out = text ? open_memstream(text, &size) : NULL;
	plan.owner = plan_get_owner(stream, plan.after);
	plan.is_other = strcmp(plan.before->name, plan.after->name) != 0;
	plan.changes = stream_config_get_changes(plan.before, plan.after, out);
	if (out && plan.is_other) {
		fprintf(out, "%s'%s' rules it instead of '%s'", plan.changes ? ", " : "",
			plan.after->name, plan.before->name);
	}
	if (out) {
		fclose(out);
	}
	return plan;
}

static bool plan_lets(const struct plan *plan, enum right right, const struct client *client) {
	return access_may(plan->after, right, &client->who, plan->owner);
}

/* Who could see or change its frames and cannot any more may still have them mapped, attached or
 * not. */
static bool plan_is_narrower(const struct plan *plan) {
	return !access_list_covers(&plan->after->consume, &plan->before->consume) ||
	       !access_list_covers(&plan->after->produce, &plan->before->produce) ||
	       plan->owner != plan->old_owner;
}

static void attr_printf(4, 5) say_peer(const struct reload *reload, const struct client *client,
	uint32_t role, const char *format, ...) {
	const struct stream *stream = role == ROLE_CONSUMER ? client->consumer->stream
				      : client->producer    ? client->producer->stream
							    : client->turn->stream;
	struct zoe_msg_reload_line line;
	va_list args;

	memset(&line, 0, sizeof(line));
	line.kind = ZOE_MSG_RELOAD_PEER;
	line.role = role;
	line.uid = client->who.uid;
	line.pid = client->who.pid;
	zoe_wire_set_text(line.name, sizeof(line.name), stream->name);
	zoe_wire_set_text(line.app, sizeof(line.app), client->app);
	va_start(args, format);
	vsnprintf(line.text, sizeof(line.text), format, args);
	va_end(args);
	reload_send(reload, &line);
}

static void say_producers(const struct reload *reload, const struct plan *plan) {
	const struct producer *producer;
	const struct turn *turn;
	uint32_t n = 0;

	list_for_each(producer, &plan->stream->producers, link) {
		const struct client *client = producer->client;

		if (!plan->after) {
			say_peer(reload, client, ROLE_PRODUCER, "goes with the stream");
		} else if (!plan_lets(plan, RIGHT_PRODUCE, client)) {
			say_peer(reload, client, ROLE_PRODUCER, "goes: may not produce any more");
		} else if (++n > plan->after->producers) {
			say_peer(reload, client, ROLE_PRODUCER,
				"stays, though producers: allows %u", plan->after->producers);
		} else if (producer->open > plan->after->open) {
			say_peer(reload, client, ROLE_PRODUCER,
				"stays with %u slots at once, though open: allows %u",
				producer->open, plan->after->open);
		} else {
			say_peer(reload, client, ROLE_PRODUCER, "%s", "");
		}
	}
	list_for_each(turn, &plan->stream->turns, link) {
		bool may = plan->after && plan_lets(plan, RIGHT_PRODUCE, turn->client);

		say_peer(reload, turn->client, ROLE_PRODUCER, "%s",
			may ? "waits for its turn" : "goes, and does not get its turn");
	}
}

static void say_consumers(const struct reload *reload, const struct plan *plan) {
	const struct consumer *consumer;
	uint32_t n = 0;

	list_for_each(consumer, &plan->stream->consumers, link) {
		const struct client *client = consumer->client;

		if (!plan->after) {
			say_peer(reload, client, ROLE_CONSUMER, "goes with the stream");
		} else if (!plan_lets(plan, RIGHT_CONSUME, client)) {
			say_peer(reload, client, ROLE_CONSUMER, "goes: may not consume any more");
		} else if (consumer_is_reliable(consumer) &&
			   !plan_lets(plan, RIGHT_RELIABLE, client)) {
			say_peer(reload, client, ROLE_CONSUMER,
				"stays, and may lose frames: may not consume reliably any more");
		} else if (++n > plan->after->consumers) {
			say_peer(reload, client, ROLE_CONSUMER,
				"stays, though consumers: allows %u", plan->after->consumers);
		} else if (consumer->hold > plan->after->hold) {
			say_peer(reload, client, ROLE_CONSUMER,
				"stays with %u frames at once, though hold: allows %u",
				consumer->hold, plan->after->hold);
		} else {
			say_peer(reload, client, ROLE_CONSUMER, "%s", "");
		}
	}
}

void reload_say_stream(const struct reload *reload, const struct stream *stream) {
	cleanup_free char *text = NULL;
	struct plan plan = plan_make(reload, stream, &text);
	enum zoe_msg_reload_kind kind = ZOE_MSG_RELOAD_KEEP;

	if (!plan.after) {
		kind = ZOE_MSG_RELOAD_REMOVE;
	} else if (plan.changes || plan.is_other) {
		kind = ZOE_MSG_RELOAD_CHANGE;
	}
	reload_say(reload, kind, stream->name, "%s", text ? text : "");
	say_producers(reload, &plan);
	say_consumers(reload, &plan);
}

static void evict_without(const struct plan *plan, enum right right, struct client *client) {
	const char *verb = right == RIGHT_PRODUCE ? "produce" : "consume";
	char text[512], allowed[256];

	if (client->is_absent || plan_lets(plan, right, client)) {
		return; /* one that is not back yet is asked when it comes */
	}
	access_describe(plan->after, right, allowed, sizeof(allowed));
	snprintf(text, sizeof(text), "stream '%s': uid %u may not %s any more, allowed: %s",
		plan->stream->name, client->who.uid, verb, allowed);
	client_evict(client, ZOE_MSG_EVICTED, -ECONNABORTED, text);
}

static void plan_evict(const struct plan *plan) {
	struct producer *producer;
	struct consumer *consumer;
	struct turn *turn;

	list_for_each(turn, &plan->stream->turns, link) {
		evict_without(plan, RIGHT_PRODUCE, turn->client);
	}
	list_for_each(producer, &plan->stream->producers, link) {
		evict_without(plan, RIGHT_PRODUCE, producer->client);
	}
	list_for_each(consumer, &plan->stream->consumers, link) {
		evict_without(plan, RIGHT_CONSUME, consumer->client);
		if (consumer_is_reliable(consumer) &&
			!plan_lets(plan, RIGHT_RELIABLE, consumer->client)) {
			consumer_demote(consumer);
		}
	}
}

/* Whether those who use its memory have to be told anew, or it is cut another way. */
static bool plan_needs_move(const struct plan *plan) {
	const struct generation *newest = plan->stream->newest;
	struct zoe_geometry geo;

	if (!newest) {
		return false;
	}
	if ((plan->changes & STREAM_CHANGE_TERMS) && plan->stream->n_producers > 0) {
		return true;
	}
	return stream_cut(plan->stream, newest->ring.geo.slot_bytes, &geo) == 0 &&
	       memcmp(&geo, &newest->ring.geo, sizeof(geo)) != 0;
}

/* Returns: 0; -errno, it is said, and nothing has changed. */
static int plan_move(const struct reload *reload, const struct plan *plan, struct stream *stream) {
	int32_t holder = 0;
	int r;

	if (move_is_blocked(stream, &holder)) {
		reload_say(reload, ZOE_MSG_RELOAD_WARNING, stream->name,
			"stays as it was while pid %d still holds old frames: reload again",
			(int)holder);
		return -EBUSY;
	}
	r = move_start(stream, plan->stream->newest->ring.geo.slot_bytes);
	if (r < 0) {
		reload_say(reload, ZOE_MSG_RELOAD_WARNING, stream->name,
			"stays as it was, its memory cannot be made: %s", strerror(-r));
	}
	return r;
}

static void plan_tell_watchers(const struct plan *plan, struct stream *stream) {
	struct client *client;

	list_for_each(client, &stream->server->clients, link) {
		if (client->is_watching) {
			status_send_sight(client, stream,
				access_may_see(plan->before, &client->who, plan->old_owner));
		}
	}
}

void reload_apply_stream(const struct reload *reload, struct stream *stream) {
	struct plan plan = plan_make(reload, stream, NULL);
	bool needs_move;

	if (!plan.after) {
		registry_remove(stream);
		return;
	}
	if (!plan.changes && !plan.is_other) {
		stream->config = plan.after;
		return;
	}
	stream->config = plan.after;
	stream->owner = plan.owner;
	needs_move = plan_needs_move(&plan);
	if (plan_is_narrower(&plan)) {
		plan_evict(&plan);
		evict_finish(stream, true);
	} else if (needs_move && plan_move(reload, &plan, stream) < 0) {
		stream->config = plan.before;
		stream->owner = plan.old_owner;
		return;
	} else {
		plan_evict(&plan); /* `reliable` may be narrower all the same */
	}
	plan_tell_watchers(&plan, stream);
	turn_grant(stream);
	stream_note_clients(stream);
}
