/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_CHECK_H
#define CONFIG_CHECK_H
/*
 * What no single value can show: missing keys, names, patterns that clash, memory that is not
 * there.
 * Owns:     nothing.
 * Threads:  any.
 * Includes: schema.h, name.h.
 */
#include "schema.h"

#define CONFIG_MAX_STREAMS 4096u

void check_document(const struct config_document *document, const struct tree_node *root,
	struct config_errors *errors);

void check_name(const struct stream_config *stream, struct config_errors *errors);

/* map: the stream's own part of the text. */
void check_stream(const struct stream_config *stream, const struct tree_node *map,
	struct config_errors *errors);

/* max_frame and max_bytes say the same thing: at most one of them in a map. */
void check_one_size(const struct tree_node *map, struct config_errors *errors);

void check_patterns(const struct config *config, struct config_errors *errors);

void check_memory(const struct config *config, struct config_errors *errors);
#endif
