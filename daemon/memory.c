/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "log.h"
#include "registry.h"
#include "server.h"
#include "status.h"
#include "stream.h"

#define N_NAMED 3u /* in a refusal */

uint64_t memory_get_used(struct server *server) {
	struct stream *stream;
	uint64_t bytes = 0;

	list_for_each(stream, &server->registry.streams, link) {
		bytes += stream_get_bytes(stream);
	}
	return bytes;
}

static struct stream *memory_find_idle(struct server *server, const struct stream *keep) {
	struct stream *stream;

	list_for_each(stream, &server->registry.streams, link) {
		if (stream != keep && !stream_has_clients(stream) &&
			!list_is_empty(&stream->generations)) {
			return stream;
		}
	}
	return NULL;
}

int memory_reserve(struct server *server, const struct stream *keep, uint64_t bytes) {
	uint64_t limit = server->memory_limit;

	for (;;) {
		uint64_t used = memory_get_used(server), wanted;
		struct stream *idle;

		if (!__builtin_add_overflow(used, bytes, &wanted) && wanted <= limit) {
			return 0;
		}
		idle = memory_find_idle(server, keep);
		if (!idle) {
			return -ENOMEM;
		}
		log_debug("stream '%s': dropped its region, memory is short", idle->name);
		if (idle->config->is_pattern) {
			registry_drop(idle);
		} else {
			stream_drop_region(idle);
			registry_mark(idle);
		}
	}
}

const char *memory_word(char word[MEMORY_WORD_SIZE], uint64_t bytes) {
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024.0 && unit + 1 < n_elements(units)) {
		value /= 1024.0;
		unit++;
	}
	snprintf(word, MEMORY_WORD_SIZE, "%.*f %s", unit > 0, value, units[unit]);
	return word;
}

/* The streams that hold most, largest first. Returns: how many. */
static size_t memory_find_largest(const struct client *client, struct stream *largest[N_NAMED]) {
	struct stream *stream;
	size_t n = 0;

	list_for_each(stream, &client->server->registry.streams, link) {
		uint64_t bytes = stream_get_bytes(stream);
		size_t at = n;

		if (bytes == 0 || !status_may_see(client, stream)) {
			continue;
		}
		while (at > 0 && stream_get_bytes(largest[at - 1]) < bytes) {
			at--;
		}
		if (at == N_NAMED) {
			continue;
		}
		n += n < N_NAMED;
		memmove(&largest[at + 1], &largest[at], (n - at - 1) * sizeof(*largest));
		largest[at] = stream;
	}
	return n;
}

const char *memory_explain(
	char text[MEMORY_TEXT_SIZE], const struct client *client, uint64_t bytes) {
	uint64_t used = memory_get_used(client->server), rest = used;
	struct stream *largest[N_NAMED];
	size_t n = memory_find_largest(client, largest), len;
	char wanted[MEMORY_WORD_SIZE], limit[MEMORY_WORD_SIZE], lent[MEMORY_WORD_SIZE];

	snprintf(text, MEMORY_TEXT_SIZE, "%s more wanted, memory_limit is %s, lent are %s",
		memory_word(wanted, bytes), memory_word(limit, client->server->memory_limit),
		memory_word(lent, used));
	for (size_t i = 0; i < n; i++) {
		rest -= stream_get_bytes(largest[i]);
		len = strlen(text);
		snprintf(text + len, MEMORY_TEXT_SIZE - len, "%s'%.40s' %s", i == 0 ? ": " : ", ",
			largest[i]->name, memory_word(lent, stream_get_bytes(largest[i])));
	}
	if (rest > 0) {
		len = strlen(text);
		snprintf(text + len, MEMORY_TEXT_SIZE - len, "%sothers %s", n == 0 ? ": " : ", ",
			memory_word(lent, rest));
	}
	return text;
}
