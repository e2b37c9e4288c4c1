/* SPDX-License-Identifier: MIT */
#include "memory.h"

#include <errno.h>

#include "log.h"
#include "registry.h"
#include "server.h"
#include "stream.h"

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
