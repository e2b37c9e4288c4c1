/* SPDX-License-Identifier: MIT */
#include "registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "config.h"
#include "consumer.h"
#include "evict.h"
#include "server.h"
#include "status.h"
#include "stream.h"

static void registry_insert(struct registry *registry, struct stream *stream) {
	struct list *before = &registry->streams;
	struct stream *other;

	list_for_each(other, &registry->streams, link) {
		if (strcmp(other->name, stream->name) > 0) {
			break;
		}
		before = &other->link;
	}
	list_insert(before, &stream->link);
	registry->n_streams++;
	notify_status(&stream->server->notify);
}

void registry_finish(struct server *server) {
	struct stream *stream, *after;

	list_for_each_safe(stream, after, &server->registry.streams, link) {
		stream_destroy(stream);
	}
}

struct stream *registry_find(struct server *server, const char *name) {
	struct stream *stream;

	list_for_each(stream, &server->registry.streams, link) {
		if (strcmp(stream->name, name) == 0) {
			return stream;
		}
	}
	return NULL;
}

static void registry_tell(struct stream *stream, uint32_t type) {
	struct client *client;

	list_for_each(client, &stream->server->clients, link) {
		if (client->is_watching) {
			status_send_stream(client, stream, type);
		}
	}
}

static void registry_adopt_parked(struct server *server, struct stream *stream) {
	struct consumer *consumer, *after;

	list_for_each_safe(consumer, after, &server->registry.parked, link) {
		if (strcmp(consumer->name, stream->name) == 0 &&
			access_may(stream->config, RIGHT_CONSUME, &consumer->client->who,
				stream->owner)) {
			consumer_adopt(consumer, stream);
		}
	}
}

int registry_add(struct server *server, const struct stream_config *config) {
	struct stream *stream = NULL;
	int r = stream_create(&stream, server, config, config->name);

	if (r < 0) {
		return r;
	}
	registry_insert(&server->registry, stream);
	registry_tell(stream, ZOE_MSG_ADDED);
	registry_adopt_parked(server, stream);
	return 0;
}

int registry_init(struct server *server) {
	int r = 0;

	for (size_t i = 0; r == 0 && i < server->config->n_streams; i++) {
		if (!server->config->streams[i].is_pattern) {
			r = registry_add(server, &server->config->streams[i]);
		}
	}
	return r;
}

int registry_make(struct server *server, const struct stream_config *config, const char *name,
	uid_t owner, struct stream **out) {
	struct stream *stream;
	uint32_t n = 0;
	int r;

	list_for_each(stream, &server->registry.streams, link) {
		n += stream->config->is_pattern && strcmp(stream->config->name, config->name) == 0;
	}
	if (n >= config->max_streams) {
		return -EBUSY;
	}
	r = stream_create(&stream, server, config, name);
	if (r < 0) {
		return r;
	}
	stream->owner = owner;
	registry_insert(&server->registry, stream);
	registry_tell(stream, ZOE_MSG_ADDED);
	registry_adopt_parked(server, stream);
	*out = stream;
	return 0;
}

void registry_drop(struct stream *stream) {
	registry_tell(stream, ZOE_MSG_REMOVED);
	stream->server->registry.n_streams--;
	notify_status(&stream->server->notify);
	stream_destroy(stream);
}

void registry_remove(struct stream *stream) {
	evict_all(stream);
	registry_drop(stream);
}

void registry_end_parked(struct server *server) {
	struct consumer *consumer, *after;
	char text[256];

	list_for_each_safe(consumer, after, &server->registry.parked, link) {
		if (config_match(server->config, consumer->name)) {
			continue;
		}
		snprintf(text, sizeof(text), "stream '%s': no entry of the config covers it now",
			consumer->name);
		client_evict(consumer->client, ZOE_MSG_REMOVED, -EPIPE, text);
		consumer_destroy(consumer);
	}
}

const char *registry_suggest(
	struct server *server, const char *name, const struct credentials *who) {
	const char *best = NULL;
	size_t nearest = SIZE_MAX;
	struct stream *stream;

	list_for_each(stream, &server->registry.streams, link) {
		size_t distance;

		if (!access_may_see(stream->config, who, stream->owner) ||
			!name_is_near(name, stream->name)) {
			continue;
		}
		distance = name_get_distance(name, stream->name);
		if (distance < nearest) {
			nearest = distance;
			best = stream->name;
		}
	}
	return best;
}

void registry_mark(struct stream *stream) {
	stream->is_changed = true;
	stream->server->registry.has_changes = true;
	notify_status(&stream->server->notify);
}

void registry_tell_watchers(struct server *server) {
	struct stream *stream;

	if (!server->registry.has_changes) {
		return;
	}
	server->registry.has_changes = false;
	list_for_each(stream, &server->registry.streams, link) {
		if (stream->is_changed) {
			stream->is_changed = false;
			registry_tell(stream, ZOE_MSG_CHANGED);
		}
	}
}
