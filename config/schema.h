/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H
/*
 * Every key of zoetrope.yaml in one table: type, range, default, help, and where its value goes.
 * Owns:     nothing; the tables are constant.
 * Threads:  any.
 * Includes: config.h, errors.h, yaml_tree.h.
 */
#include "config.h"
#include "errors.h"
#include "yaml_tree.h"

enum schema_type {
	SCHEMA_COUNT,       // uint32_t: a whole number
	SCHEMA_BYTES,       // uint64_t: "64MiB"
	SCHEMA_SMALL_BYTES, // uint32_t: "1KiB"
	SCHEMA_TIME,        // uint64_t, milliseconds: "5s"
	SCHEMA_TEXT,        // char *
	SCHEMA_PATH,        // char *, absolute
	SCHEMA_MODE,        // uint32_t: "0666"
	SCHEMA_LEVEL,       // int, enum log_level
	SCHEMA_FULL,        // bool: "block" or not, "drop"
	SCHEMA_FORMAT,      // struct stream_config, its max_format and max_bytes
	SCHEMA_PAYLOAD,     // struct stream_config, its max_bytes
	SCHEMA_WHO,         // struct access_list
	SCHEMA_TABLE,       // a map whose keys lie in the same target, by the key's table
	SCHEMA_MAP,         // const struct tree_node *: read by whom the table's user is
};

struct schema;

struct schema_key {
	const char *name;
	enum schema_type type;
	uint64_t min, max;        // of a number; max of a text's length in bytes
	const char *default_text; // as in YAML; NULL: none
	const char *help;
	size_t offset;              // in the table's target
	bool not_in_defaults;       // belongs to one stream, not to all
	bool only_patterns;         // has no meaning for a name
	uint32_t change;            // enum stream_change; every key of a stream has one
	const struct schema *table; // of SCHEMA_TABLE
};

struct schema {
	const char *noun;   // what it describes
	const char *prefix; // of its keys, where the table they stand in is not said
	const struct schema_key *keys;
	size_t n_keys;
	size_t sources; // where the target notes whence its values come; 0: nowhere
	size_t first;   // of those, the place of this table's first key
};

/* The target of the topmost table; the nodes are borrowed from the tree. */
struct config_document {
	uint32_t version;
	const struct tree_node *broker, *defaults, *streams;
};

extern const struct schema schema_document; // target: struct config_document
extern const struct schema schema_broker;   // target: struct broker_config
extern const struct schema schema_stream;   // target: struct stream_config
extern const struct schema schema_per_user; // target: struct broker_config
extern const struct schema schema_access;   // target: struct stream_config

/* Whence a key's value comes, as in config.h. */
struct config_source schema_get_source(
	const struct schema *schema, const struct schema_key *key, const void *target);

/* Returns: NULL if there is no such key. */
const struct schema_key *schema_find(const struct schema *schema, const char *name);

/* Reads a map by a table into its target; is_defaults leaves out what belongs to one stream. Wrong
 * values go to errors and leave their place as it was.
 * Returns: 0; -ENOMEM. */
int schema_read(const struct schema *schema, const struct tree_node *map, void *target,
	bool is_defaults, struct config_errors *errors);

/* Fills a zeroed target with the table's defaults. Returns: 0; -ENOMEM. */
int schema_set_defaults(const struct schema *schema, void *target);
#endif
