/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_VALUE_H
#define CONFIG_VALUE_H
/*
 * One value: from a node's text, by its key's type and range, into its place.
 * Owns:     nothing of its own; strings and lists go to the target, which owns them.
 * Threads:  one at a time (user:NAME asks the user database).
 * Includes: schema.h, access_list.h, core's log.h for the levels' numbers.
 */
#include "schema.h"

/* Returns: 0, the value is set or errors says why not; -ENOMEM. */
int value_read(const struct schema_key *key, const struct tree_node *node, void *target,
	struct config_errors *errors);

/* Writes a number as a key's values are written: "64KiB", "5s". */
void value_format_number(char *text, size_t size, const struct schema_key *key, uint64_t number);

/* "warning"; static. */
const char *value_get_level_name(int level);

/* "a list", "a map", "nothing" or "text"; static. */
const char *value_describe(const struct tree_node *node);
#endif
