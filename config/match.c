/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "name.h"

const struct stream_config *config_match(const struct config *config, const char *name) {
	const struct stream_config *best = NULL;
	size_t best_len = 0;

	if (!name_is_valid(name)) {
		return NULL;
	}
	for (size_t i = 0; i < config->n_streams; i++) {
		const struct stream_config *stream = &config->streams[i];

		if (!stream->is_pattern && strcmp(stream->name, name) == 0) {
			return stream;
		}
		size_t len = pattern_get_prefix_len(stream->name);
		if (stream->is_pattern && (!best || len > best_len) &&
			pattern_matches(stream->name, name)) {
			best = stream;
			best_len = len;
		}
	}
	return best;
}

const char *config_suggest(const struct config *config, const char *name) {
	const char *best = NULL;
	size_t nearest = SIZE_MAX;

	for (size_t i = 0; i < config->n_streams; i++) {
		const struct stream_config *stream = &config->streams[i];

		if (stream->is_pattern || !name_is_near(name, stream->name)) {
			continue;
		}
		size_t distance = name_get_distance(name, stream->name);
		if (distance < nearest) {
			nearest = distance;
			best = stream->name;
		}
	}
	return best;
}
