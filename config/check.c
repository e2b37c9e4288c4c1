/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <inttypes.h>
#include <string.h>

#include "name.h"

#define MIB (UINT64_C(1024) * 1024)

void check_document(const struct config_document *document, const struct tree_node *root,
	struct config_errors *errors) {
	if (!tree_find(root, "version")) {
		config_errors_add(
			errors, root->line, root->col, "version is missing; write 'version: 1'");
	}
	if (!document->streams) {
		config_errors_add(errors, root->line, root->col,
			"streams is missing; nothing could be made or seen");
	}
}

void check_name(const struct stream_config *stream, struct config_errors *errors) {
	const char *name = stream->name;

	if (stream->is_pattern ? pattern_is_valid(name) : name_is_valid(name)) {
		return;
	}
	if (strlen(name) > CONFIG_MAX_NAME_BYTES) {
		config_errors_add(errors, stream->line, stream->col,
			"a name of %zu bytes is too long, at most %u", strlen(name),
			(unsigned)CONFIG_MAX_NAME_BYTES);
		return;
	}
	config_errors_add(errors, stream->line, stream->col,
		"'%.96s' is not a %s: letters, digits and ._:+@- in parts between '/'%s", name,
		stream->is_pattern ? "pattern" : "name",
		stream->is_pattern ? ", '*' within a part, '**' across" : "");
}

void check_one_size(const struct tree_node *map, struct config_errors *errors) {
	const struct tree_entry *frame = tree_find(map, "max_frame");
	const struct tree_entry *bytes = tree_find(map, "max_bytes");

	if (frame && bytes) {
		config_errors_add(errors, bytes->key->line, bytes->key->col,
			"max_bytes: max_frame in line %u says it already", frame->key->line);
	}
}

void check_stream(const struct stream_config *stream, const struct tree_node *map,
	struct config_errors *errors) {
	const struct tree_entry *several = tree_find(map, "max_streams");

	check_one_size(map, errors);
	if (stream->max_bytes == 0 && !tree_find(map, "max_frame") &&
		!tree_find(map, "max_bytes")) {
		config_errors_add(errors, stream->line, stream->col,
			"'%.96s' lacks its largest frame: max_frame or max_bytes", stream->name);
	}
	if (several && !stream->is_pattern) {
		config_errors_add(errors, several->key->line, several->key->col,
			"max_streams: '%.96s' is one stream, only a pattern makes several",
			stream->name);
	}
}

/* The first pattern before this one that has the same text before its star. */
static const struct stream_config *find_equal(
	const struct config *config, const struct stream_config *late) {
	size_t len = pattern_get_prefix_len(late->name);

	for (const struct stream_config *early = config->streams; early < late; early++) {
		if (early->is_pattern && strncmp(early->name, late->name, len) == 0 &&
			early->name[len] == '*') {
			return early;
		}
	}
	return NULL;
}

/* Two patterns of one literal prefix could both rule a name, and neither comes first. */
void check_patterns(const struct config *config, struct config_errors *errors) {
	for (size_t i = 1; i < config->n_streams; i++) {
		const struct stream_config *late = &config->streams[i];
		const struct stream_config *early =
			late->is_pattern ? find_equal(config, late) : NULL;

		if (early) {
			config_errors_add(errors, late->line, late->col,
				"'%s' ranks equal with '%s' in line %u: same text before '*'",
				late->name, early->name, early->line);
		}
	}
}

static uint64_t times(uint64_t n_slots, const struct stream_config *stream) {
	uint64_t bytes;

	if (__builtin_mul_overflow(n_slots, stream->max_bytes + stream->metadata_bytes, &bytes)) {
		return UINT64_MAX;
	}
	return bytes;
}

uint64_t stream_config_get_n_slots(const struct stream_config *stream) {
	return (uint64_t)stream->slots + (uint64_t)stream->producers * stream->open +
	       (uint64_t)stream->consumers * stream->hold;
}

uint64_t stream_config_get_bytes(const struct stream_config *stream) {
	return times((uint64_t)stream->slots + stream->open + stream->hold, stream);
}

/* Rounded up, so that what does not fit never looks as if it did. */
static uint64_t mib(uint64_t bytes) {
	return bytes / MIB + (bytes % MIB != 0);
}

uint64_t config_get_bytes(const struct config *config) {
	uint64_t sum = 0;

	for (size_t i = 0; i < config->n_streams; i++) {
		if (!config->streams[i].is_pattern) {
			sum += stream_config_get_bytes(&config->streams[i]);
		}
	}
	return sum;
}

static const struct stream_config *find_largest(const struct config *config) {
	const struct stream_config *largest = NULL;

	for (size_t i = 0; i < config->n_streams; i++) {
		const struct stream_config *stream = &config->streams[i];

		if (!stream->is_pattern && (!largest || stream_config_get_bytes(stream) >
								stream_config_get_bytes(largest))) {
			largest = stream;
		}
	}
	return largest;
}

/* Named streams may all live at once; a pattern must be good for one stream at least. */
void check_memory(const struct config *config, struct config_errors *errors) {
	uint64_t limit = config->broker.memory_limit, sum = config_get_bytes(config);
	const struct stream_config *largest = find_largest(config);
	bool has_too_large = false;

	for (size_t i = 0; i < config->n_streams; i++) {
		const struct stream_config *stream = &config->streams[i];
		uint64_t bytes = stream_config_get_bytes(stream);

		if (bytes > limit) {
			has_too_large = true;
			config_errors_add(errors, stream->line, stream->col,
				"'%s' needs %" PRIu64 "MiB with one producer and one consumer "
				"(%u + %u + %u slots), but memory_limit is %" PRIu64 "MiB",
				stream->name, mib(bytes), stream->slots, stream->open, stream->hold,
				limit / MIB);
		}
	}
	if (largest && sum > limit && !has_too_large) {
		config_errors_add(errors, largest->line, largest->col,
			"the named streams need %" PRIu64 "MiB together, with one producer and one "
			"consumer each, but memory_limit is %" PRIu64
			"MiB; the largest is '%s', %" PRIu64 "MiB",
			mib(sum), limit / MIB, largest->name,
			mib(stream_config_get_bytes(largest)));
	}
}
