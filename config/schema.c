/* SPDX-License-Identifier: MIT */
#include "schema.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "value.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static const struct schema_key document_keys[] = {
	{.name = "version",
		.type = SCHEMA_COUNT,
		.min = 1,
		.max = 1,
		.help = "the language of this file; 1",
		.offset = offsetof(struct config_document, version)},
	{.name = "broker",
		.type = SCHEMA_MAP,
		.help = "the broker's own settings",
		.offset = offsetof(struct config_document, broker)},
	{.name = "defaults",
		.type = SCHEMA_MAP,
		.help = "for every stream that does not say otherwise",
		.offset = offsetof(struct config_document, defaults)},
	{.name = "streams",
		.type = SCHEMA_MAP,
		.help = "names, or patterns in quotes, and what holds for them",
		.offset = offsetof(struct config_document, streams)},
};

static const struct schema_key broker_keys[] = {
	{.name = "socket",
		.type = SCHEMA_PATH,
		.max = 102, // sun_path's 108, less the ".lock" and NUL of its companion
		.help = "where clients knock",
		.offset = offsetof(struct broker_config, socket)},
	{.name = "socket_mode",
		.type = SCHEMA_MODE,
		.max = 0777,
		.default_text = "0666",
		.help = "who may knock; who may enter is 'access'",
		.offset = offsetof(struct broker_config, socket_mode)},
	{.name = "memory_limit",
		.type = SCHEMA_BYTES,
		.min = MIB,
		.max = 1024 * 1024 * GIB,
		.default_text = "1GiB",
		.help = "what is lent, all streams together",
		.offset = offsetof(struct broker_config, memory_limit)},
	{.name = "per_user",
		.type = SCHEMA_TABLE,
		.help = "what one user may take together; root and the broker's own user are "
			"exempt",
		.table = &schema_per_user},
	{.name = "settle",
		.type = SCHEMA_TIME,
		.max = 60 * 1000,
		.default_text = "1s",
		.help = "after a restart: how long reliable consumers are waited for",
		.offset = offsetof(struct broker_config, settle_ms)},
	{.name = "log_level",
		.type = SCHEMA_LEVEL,
		.default_text = "info",
		.help = "the least that is written to standard error",
		.offset = offsetof(struct broker_config, log_level)},
};

static const struct schema_key per_user_keys[] = {
	{.name = "memory",
		.type = SCHEMA_BYTES,
		.min = MIB,
		.max = 1024 * 1024 * GIB,
		.default_text = "512MiB",
		.help = "what is lent to one user, all streams together",
		.offset = offsetof(struct broker_config, per_user.memory_bytes)},
	{.name = "streams",
		.type = SCHEMA_COUNT,
		.min = 1,
		.max = 4096,
		.default_text = "32",
		.help = "streams that one user makes by patterns",
		.offset = offsetof(struct broker_config, per_user.streams)},
	{.name = "consumers",
		.type = SCHEMA_COUNT,
		.min = 1,
		.max = 65536,
		.default_text = "64",
		.help = "consumers that one user has at once",
		.offset = offsetof(struct broker_config, per_user.consumers)},
};

static const struct schema_key stream_keys[] = {
	{.name = "description",
		.type = SCHEMA_TEXT,
		.max = 256,
		.default_text = "",
		.change = STREAM_CHANGE_LIMITS,
		.help = "for people who list streams",
		.offset = offsetof(struct stream_config, description),
		.not_in_defaults = true},
	{.name = "max_frame",
		.type = SCHEMA_FORMAT,
		.change = STREAM_CHANGE_SIZE,
		.help = "the largest picture, as '3840x2160 XR24'; or max_bytes"},
	{.name = "max_bytes",
		.type = SCHEMA_PAYLOAD,
		.min = 1,
		.max = UINT32_MAX,
		.change = STREAM_CHANGE_SIZE,
		.help = "the largest frame in bytes; or max_frame"},
	{.name = "slots",
		.type = SCHEMA_COUNT,
		.min = 2,
		.max = 4096,
		.default_text = "6",
		.change = STREAM_CHANGE_GEOMETRY,
		.help = "newest frames that stay readable",
		.offset = offsetof(struct stream_config, slots)},
	{.name = "producers",
		.type = SCHEMA_COUNT,
		.min = 1,
		.max = 64,
		.default_text = "1",
		.change = STREAM_CHANGE_GEOMETRY,
		.help = "producers at once; one more is told 'busy', or waits its turn",
		.offset = offsetof(struct stream_config, producers)},
	{.name = "open",
		.type = SCHEMA_COUNT,
		.min = 1,
		.max = 8,
		.default_text = "1",
		.change = STREAM_CHANGE_GEOMETRY,
		.help = "slots a producer may hold at once",
		.offset = offsetof(struct stream_config, open)},
	{.name = "consumers",
		.type = SCHEMA_COUNT,
		.min = 1,
		.max = 64,
		.default_text = "16",
		.change = STREAM_CHANGE_GEOMETRY,
		.help = "consumers at once",
		.offset = offsetof(struct stream_config, consumers)},
	{.name = "hold",
		.type = SCHEMA_COUNT,
		.min = 1,
		.max = 8,
		.default_text = "3",
		.change = STREAM_CHANGE_GEOMETRY,
		.help = "frames a consumer may hold at once",
		.offset = offsetof(struct stream_config, hold)},
	{.name = "max_fps",
		.type = SCHEMA_COUNT,
		.max = 100000,
		.default_text = "0",
		.change = STREAM_CHANGE_TERMS,
		.help = "frames a second that producers are asked for; 0 = no limit",
		.offset = offsetof(struct stream_config, max_fps)},
	{.name = "when_full",
		.type = SCHEMA_FULL,
		.default_text = "drop",
		.change = STREAM_CHANGE_TERMS,
		.help = "while a reliable consumer owes a frame: 'drop' the new one, or 'block'",
		.offset = offsetof(struct stream_config, blocks)},
	{.name = "patience",
		.type = SCHEMA_TIME,
		.min = 1,
		.max = 3600 * 1000,
		.default_text = "500ms",
		.change = STREAM_CHANGE_TERMS,
		.help = "how long a reliable consumer may hold producers up",
		.offset = offsetof(struct stream_config, patience_ms)},
	{.name = "metadata",
		.type = SCHEMA_SMALL_BYTES,
		.max = 64 * KIB,
		.default_text = "1KiB",
		.change = STREAM_CHANGE_GEOMETRY,
		.help = "room for damage, cursor and captions, a frame",
		.offset = offsetof(struct stream_config, metadata_bytes)},
	{.name = "access",
		.type = SCHEMA_TABLE,
		.help = "who may do what; rights left out are those of 'defaults'",
		.table = &schema_access},
	{.name = "max_streams",
		.type = SCHEMA_COUNT,
		.min = 1,
		.max = 4096,
		.default_text = "8",
		.change = STREAM_CHANGE_LIMITS,
		.help = "live streams that a pattern may make",
		.offset = offsetof(struct stream_config, max_streams),
		.only_patterns = true},
	{.name = "linger",
		.type = SCHEMA_TIME,
		.max = 24 * 3600 * 1000,
		.default_text = "5s",
		.change = STREAM_CHANGE_LIMITS,
		.help = "a stream is gone this long after its last client",
		.offset = offsetof(struct stream_config, linger_ms)},
};

static const struct schema_key access_keys[] = {
	{.name = "produce",
		.type = SCHEMA_WHO,
		.default_text = "owner",
		.change = STREAM_CHANGE_ACCESS,
		.help = "who may feed the stream",
		.offset = offsetof(struct stream_config, produce)},
	{.name = "consume",
		.type = SCHEMA_WHO,
		.default_text = "owner",
		.change = STREAM_CHANGE_ACCESS,
		.help = "who may see its frames",
		.offset = offsetof(struct stream_config, consume)},
	{.name = "reliable",
		.type = SCHEMA_WHO,
		.default_text = "owner",
		.change = STREAM_CHANGE_ACCESS,
		.help = "who of them may hold producers up: no frame is lost for them",
		.offset = offsetof(struct stream_config, reliable)},
	{.name = "list",
		.type = SCHEMA_WHO,
		.default_text = "owner",
		.change = STREAM_CHANGE_ACCESS,
		.help = "who may know of it",
		.offset = offsetof(struct stream_config, list)},
	{.name = "admin",
		.type = SCHEMA_WHO,
		.default_text = "owner",
		.change = STREAM_CHANGE_ACCESS,
		.help = "who may put its clients out; of 'defaults': who may reload the broker",
		.offset = offsetof(struct stream_config, admin)},
};

static_assert(n_elements(broker_keys) + n_elements(per_user_keys) <= CONFIG_MAX_KEYS, "sources");
static_assert(n_elements(stream_keys) + n_elements(access_keys) <= CONFIG_MAX_KEYS, "sources");

const struct schema schema_document = {.noun = "the file",
	.prefix = "",
	.keys = document_keys,
	.n_keys = n_elements(document_keys)};
const struct schema schema_broker = {.noun = "broker",
	.prefix = "",
	.keys = broker_keys,
	.n_keys = n_elements(broker_keys),
	.sources = offsetof(struct broker_config, sources)};
const struct schema schema_per_user = {.noun = "per_user",
	.prefix = "per_user.",
	.keys = per_user_keys,
	.n_keys = n_elements(per_user_keys),
	.sources = offsetof(struct broker_config, sources),
	.first = n_elements(broker_keys)};
const struct schema schema_stream = {.noun = "a stream",
	.prefix = "",
	.keys = stream_keys,
	.n_keys = n_elements(stream_keys),
	.sources = offsetof(struct stream_config, sources)};
const struct schema schema_access = {.noun = "access",
	.prefix = "access.",
	.keys = access_keys,
	.n_keys = n_elements(access_keys),
	.sources = offsetof(struct stream_config, sources),
	.first = n_elements(stream_keys)};

const struct schema_key *schema_find(const struct schema *schema, const char *name) {
	for (size_t i = 0; i < schema->n_keys; i++) {
		if (strcmp(schema->keys[i].name, name) == 0) {
			return &schema->keys[i];
		}
	}
	return NULL;
}

static size_t source_index(const struct schema *schema, const struct schema_key *key) {
	return schema->first + (size_t)(key - schema->keys);
}

struct config_source schema_get_source(
	const struct schema *schema, const struct schema_key *key, const void *target) {
	const void *sources = (const char *)target + schema->sources;

	return schema->sources ? ((const struct config_source *)sources)[source_index(schema, key)]
			       : (struct config_source){0};
}

static void set_source(const struct schema *schema, const struct schema_key *key, void *target,
	struct config_source source) {
	void *sources = (char *)target + schema->sources;

	if (schema->sources) {
		((struct config_source *)sources)[source_index(schema, key)] = source;
	}
}

static void add_unknown(
	const struct schema *schema, const struct tree_node *key, struct config_errors *errors) {
	const char *near = NULL;
	size_t nearest = SIZE_MAX;

	if (strcmp(key->text, "<<") == 0) {
		config_errors_add(errors, key->line, key->col,
			"'<<' merges nothing here; what streams share stands under 'defaults'");
		return;
	}

	for (size_t i = 0; i < schema->n_keys; i++) {
		size_t distance = name_get_distance(key->text, schema->keys[i].name);

		if (distance < nearest && name_is_near(key->text, schema->keys[i].name)) {
			nearest = distance;
			near = schema->keys[i].name;
		}
	}
	config_errors_add(errors, key->line, key->col, "%s has no key '%.80s'%s%s%s", schema->noun,
		key->text, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

int schema_read(const struct schema *schema, const struct tree_node *map, void *target,
	bool is_defaults, struct config_errors *errors) {
	if (map->kind != TREE_MAP) {
		const char *colon = map->kind == TREE_SCALAR ? strchr(map->text, ':') : NULL;

		config_errors_add(errors, map->line, map->col,
			"%s is a map of 'key: value' lines, not %s%s", schema->noun,
			value_describe(map), colon ? "; a blank is missing after the ':'" : "");
		return 0;
	}
	for (size_t i = 0; i < map->n_entries; i++) {
		const struct tree_entry *entry = &map->entries[i];
		const struct schema_key *key = schema_find(schema, entry->key->text);
		int r = 0;

		if (!key) {
			add_unknown(schema, entry->key, errors);
		} else if (is_defaults && key->not_in_defaults) {
			config_errors_add(errors, entry->key->line, entry->key->col,
				"%s belongs to one stream, not to all", key->name);
		} else if (key->type == SCHEMA_TABLE) {
			r = schema_read(key->table, entry->value, target, is_defaults, errors);
		} else {
			r = value_read(key, entry->value, target, errors);
			set_source(schema, key, target,
				(struct config_source){
					entry->key->line, entry->key->col, is_defaults});
		}
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

int schema_set_defaults(const struct schema *schema, void *target) {
	struct config_errors errors;
	int r = 0;

	config_errors_init(&errors);
	for (size_t i = 0; i < schema->n_keys && r == 0; i++) {
		const struct schema_key *key = &schema->keys[i];

		if (key->type == SCHEMA_TABLE) {
			r = schema_set_defaults(key->table, target);
		} else if (key->default_text) {
			cleanup_free char *text = strdup(key->default_text);
			struct tree_node leaf = {.kind = TREE_SCALAR, .text = text};
			struct tree_entry item = {.value = &leaf};
			struct tree_node list = {
				.kind = TREE_LIST, .entries = &item, .n_entries = 1};

			r = text ? value_read(key, key->type == SCHEMA_WHO ? &list : &leaf, target,
					   &errors)
				 : -ENOMEM;
		}
	}
	config_errors_finish(&errors);
	return r;
}
