/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <string.h>

#include "access_list.h"
#include "errors.h"
#include "name.h"
#include "schema.h"

#define MIB (UINT64_C(1024) * 1024)
#define MAX_TRIES 2000u

static const struct access_list *get_list(
	const struct stream_config *stream, const struct schema_key *right) {
	const void *list = (const char *)stream + right->offset;

	return list;
}

static bool is_nobody(const struct access_list *list) {
	return !list->any && !list->owner && list->n_uids == 0 && list->n_gids == 0;
}

/* Where a stream says something; where it begins if `defaults` say it for it. */
static struct config_source find_place(
	const struct stream_config *stream, const struct schema *schema, const char *name) {
	struct config_source at = schema_get_source(schema, schema_find(schema, name), stream);

	return at.line && !at.is_default
		       ? at
		       : (struct config_source){.line = stream->line, .col = stream->col};
}

static void warn_nobody(const struct stream_config *stream, struct config_errors *warnings) {
	if (is_nobody(&stream->produce)) {
		struct config_source at = find_place(stream, &schema_access, "produce");

		config_errors_add(warnings, at.line, at.col, "'%s': nobody but root may feed it",
			stream->name);
	}
	if (is_nobody(&stream->consume)) {
		struct config_source at = find_place(stream, &schema_access, "consume");

		config_errors_add(warnings, at.line, at.col, "'%s': nobody but root may see it",
			stream->name);
	}
}

static bool has_id(const uint32_t *ids, size_t n_ids, uint32_t id) {
	for (size_t i = 0; i < n_ids; i++) {
		if (ids[i] == id) {
			return true;
		}
	}
	return false;
}

/* Whether the first list has somebody who is not in the second for sure: a user may be of a group
 * there, or be the owner. */
static bool has_stranger(const struct access_list *list, const struct access_list *among) {
	if (among->any || list->any) {
		return !among->any;
	}
	for (size_t i = 0; i < list->n_uids && among->n_gids == 0 && !among->owner; i++) {
		if (list->uids[i] != 0 && !has_id(among->uids, among->n_uids, list->uids[i])) {
			return true;
		}
	}
	for (size_t i = 0; i < list->n_gids; i++) {
		if (!has_id(among->gids, among->n_gids, list->gids[i])) {
			return true;
		}
	}
	return false;
}

/* Only where the stream itself says so: the rights under `defaults` are for many streams. */
static void warn_reliable(const struct stream_config *stream, struct config_errors *warnings) {
	struct config_source at =
		schema_get_source(&schema_access, schema_find(&schema_access, "reliable"), stream);

	if (at.line && !at.is_default && has_stranger(&stream->reliable, &stream->consume)) {
		config_errors_add(warnings, at.line, at.col,
			"'%s': reliable names some who may not consume", stream->name);
	}
}

static void warn_admin(const struct stream_config *stream, struct config_errors *warnings) {
	struct config_source at =
		schema_get_source(&schema_access, schema_find(&schema_access, "admin"), stream);

	if (stream->admin.any && !at.is_default) {
		config_errors_add(warnings, at.line, at.col,
			"'%s': anybody may put its clients out", stream->name);
	}
}

/* What the kernel says of users and groups that have no number here: they may be anybody. */
#define OVERFLOW_ID 65534u

static void warn_unknown(const struct stream_config *stream, struct config_errors *warnings) {
	for (size_t i = 0; i < schema_access.n_keys; i++) {
		const struct schema_key *right = &schema_access.keys[i];
		const struct access_list *list = get_list(stream, right);
		bool has_user = has_id(list->uids, list->n_uids, OVERFLOW_ID);

		if (has_user || has_id(list->gids, list->n_gids, OVERFLOW_ID)) {
			struct config_source at = find_place(stream, &schema_access, right->name);

			config_errors_add(warnings, at.line, at.col,
				"'%s': %s: %s 65534 stands for all that have no number here; "
				"%s",
				stream->name, right->name, has_user ? "user" : "group",
				has_user ? "only 'any' lets it in" : "nobody is let in by it");
		}
	}
}

/* Root and the broker's user are not held to a share. A producer's is all but what readers hold. */
static void warn_share(const struct config *config, const struct stream_config *stream,
	struct config_errors *warnings) {
	uint64_t share = config->broker.per_user.memory_bytes;
	uint64_t bytes = ((uint64_t)stream->slots + stream->open) *
			 (stream->max_bytes + stream->metadata_bytes);
	bool has_others =
		stream->produce.any || stream->produce.n_uids > 0 || stream->produce.n_gids > 0;

	if (has_others && bytes > share) {
		config_errors_add(warnings, stream->line, stream->col,
			"'%s' needs %" PRIu64
			"MiB of who feeds it, but per_user.memory gives one user "
			"%" PRIu64 "MiB",
			stream->name, (bytes + MIB - 1) / MIB, share / MIB);
	}
}

/* What a socket's mode lets in. */
struct door {
	bool lets_owner, lets_group, lets_others;
};

static bool shuts_out(const struct door *door, const struct access_list *list) {
	bool has_users = false;

	for (size_t i = 0; i < list->n_uids; i++) {
		has_users |= list->uids[i] != 0 && list->uids[i] != geteuid();
	}
	if (door->lets_others) {
		return list->owner && !door->lets_owner;
	}
	/* A user may be of the socket's group; more than one group cannot. */
	return list->any || (list->owner && !door->lets_owner) ||
	       (list->n_gids > (door->lets_group ? 1 : 0)) || (has_users && !door->lets_group);
}

static void warn_door(const struct config *config, struct config_errors *warnings) {
	const struct broker_config *broker = &config->broker;
	struct door door = {.lets_owner = broker->socket_mode & 0200,
		.lets_group = broker->socket_mode & 0020,
		.lets_others = broker->socket_mode & 0002};
	struct config_source at = schema_get_source(
		&schema_broker, schema_find(&schema_broker, "socket_mode"), broker);

	for (size_t i = 0; i < config->n_streams; i++) {
		for (size_t j = 0; j < schema_access.n_keys; j++) {
			const struct schema_key *right = &schema_access.keys[j];
			const struct access_list *list = get_list(&config->streams[i], right);

			if (!shuts_out(&door, list)) {
				continue;
			}
			cleanup_free char *who = access_list_get_text(list);
			config_errors_add(warnings, at.line, at.col,
				"socket_mode: %04" PRIo32
				" shuts some out whom '%s' allows: %s: %s",
				broker->socket_mode, config->streams[i].name, right->name,
				who ? who : "...");
			return; // one example is enough to see why
		}
	}
}

/* A name that the pattern covers: c, unless it is NUL, and `fill` stand for its first star, `fill`
 * for the others. Returns: whether it is a name. */
static bool make_name(char *name, const char *pattern, char c, const char *fill) {
	size_t n = pattern_get_prefix_len(pattern);
	const char *rest = pattern + n;
	bool is_first = true;

	memcpy(name, pattern, n);
	while (*rest && n <= CONFIG_MAX_NAME_BYTES) {
		if (*rest != '*') {
			name[n++] = *rest++;
			continue;
		}
		rest += strspn(rest, "*");
		if (is_first && c) {
			name[n++] = c;
		}
		is_first = false;
		for (const char *at = fill; *at && n <= CONFIG_MAX_NAME_BYTES; at++) {
			name[n++] = *at;
		}
	}
	name[n] = '\0';
	return name_is_valid(name);
}

/* Looks for a name that this pattern rules. Other patterns with a longer beginning can only cover
 * all if they have one for each character that may come next, so one name each is tried. */
static bool is_reached(
	const struct config *config, const struct stream_config *stream, unsigned *n_tries) {
	static const char next[] =
		"/.x_:+@-0123456789abcdefghijklmnopqrstuvwyzABCDEFGHIJKLMNOPQRSTU"
		"VWXYZ";
	static const char *const fills[] = {"", "0", "q-7.K"};
	char name[CONFIG_MAX_NAME_BYTES + 3];

	for (size_t i = 0; i < n_elements(fills); i++) {
		for (size_t j = sizeof(next); j > 0;
			j--) { // the NUL first: often nothing is needed
			if (make_name(name, stream->name, next[j - 1], fills[i]) &&
				(config_match(config, name) == stream || ++*n_tries > MAX_TRIES)) {
				return true; // or nobody can say in good time
			}
		}
	}
	return false;
}

static void warn_unreached(const struct config *config, struct config_errors *warnings) {
	unsigned n_tries = 0;

	for (size_t i = 0; i < config->n_streams; i++) {
		const struct stream_config *stream = &config->streams[i];

		if (stream->is_pattern && !is_reached(config, stream, &n_tries)) {
			config_errors_add(warnings, stream->line, stream->col,
				"'%s': no name is left to this pattern, others with more text "
				"before "
				"'*' rule them all",
				stream->name);
		}
	}
}

static void warn_file(const struct config *config, struct config_errors *warnings) {
	if (config->file_mode & 0002) {
		config_errors_add(warnings, 0, 0,
			"anybody may change this file (mode %04" PRIo32 ")", config->file_mode);
	}
}

void config_find_warnings(const struct config *config, struct config_errors *warnings) {
	warnings->are_warnings = true;
	warn_file(config, warnings);
	warn_door(config, warnings);
	if (config->admin.any) {
		config_errors_add(warnings, config->admin_source.line, config->admin_source.col,
			"anybody may reload the broker's config and put clients out");
	}
	for (size_t i = 0; i < config->n_streams; i++) {
		const struct stream_config *stream = &config->streams[i];

		warn_nobody(stream, warnings);
		warn_reliable(stream, warnings);
		warn_admin(stream, warnings);
		warn_unknown(stream, warnings);
		warn_share(config, stream, warnings);
	}
	warn_unreached(config, warnings);
	config_errors_sort(warnings);
}
