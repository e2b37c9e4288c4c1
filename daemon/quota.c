/* SPDX-License-Identifier: MIT */
#include "quota.h"

#include <errno.h>
#include <stdio.h>

#include "client.h"
#include "consumer.h"
#include "generation.h"
#include "server.h"
#include "stream.h"

static bool quota_is_exempt(const struct server *server, uid_t uid) {
	return uid == 0 || uid == server->uid;
}

static uint64_t quota_get_memory(struct server *server, uid_t uid) {
	struct stream *stream;
	struct generation *g;
	uint64_t bytes = 0;

	list_for_each(stream, &server->registry.streams, link) {
		list_for_each(g, &stream->generations, link) {
			bytes += generation_get_bytes_of(g, uid);
		}
	}
	return bytes;
}

int quota_check_memory(
	struct server *server, uid_t uid, uint64_t bytes, char text[MEMORY_TEXT_SIZE]) {
	uint64_t limit = server->config->broker.per_user.memory_bytes, used, sum;
	char wanted[MEMORY_WORD_SIZE], lent[MEMORY_WORD_SIZE], most[MEMORY_WORD_SIZE];

	if (quota_is_exempt(server, uid)) {
		return 0;
	}
	used = quota_get_memory(server, uid);
	if (!__builtin_add_overflow(used, bytes, &sum) && sum <= limit) {
		return 0;
	}
	snprintf(text, MEMORY_TEXT_SIZE,
		"%s more wanted, uid %u has %s, per_user.memory allows it %s",
		memory_word(wanted, bytes), uid, memory_word(lent, used), memory_word(most, limit));
	return -EDQUOT;
}

int quota_check_streams(struct server *server, uid_t uid, char text[MEMORY_TEXT_SIZE]) {
	uint32_t limit = server->config->broker.per_user.streams, n = 0;
	const struct stream *stream;

	if (quota_is_exempt(server, uid)) {
		return 0;
	}
	/* Streams that the config names are nobody's doing. */
	list_for_each(stream, &server->registry.streams, link) {
		n += stream->config->is_pattern && stream->owner == uid;
	}
	if (n < limit) {
		return 0;
	}
	snprintf(text, MEMORY_TEXT_SIZE, "uid %u has %u streams, per_user.streams allows it %u",
		uid, n, limit);
	return -EDQUOT;
}

int quota_check_consumers(struct server *server, uid_t uid, char text[MEMORY_TEXT_SIZE]) {
	uint32_t limit = server->config->broker.per_user.consumers, n = 0;
	const struct client *client;

	if (quota_is_exempt(server, uid)) {
		return 0;
	}
	list_for_each(client, &server->clients, link) {
		n += client->consumer && client->who.uid == uid;
	}
	if (n < limit) {
		return 0;
	}
	snprintf(text, MEMORY_TEXT_SIZE, "uid %u has %u consumers, per_user.consumers allows it %u",
		uid, n, limit);
	return -EDQUOT;
}
