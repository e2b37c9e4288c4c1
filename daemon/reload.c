/* SPDX-License-Identifier: MIT */
#include "reload.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "log.h"
#include "probe.h"
#include "registry.h"
#include "reload_stream.h"
#include "ring_wait.h"
#include "server.h"
#include "stream.h"

/* A config that was read after the start. */
struct reloaded {
	struct list link; // server.configs
	struct config *config;
};

void reload_send(const struct reload *reload, struct zoe_msg_reload_line *line) {
	if (!reload->client) {
		return;
	}
	line->header = (struct zoe_msg_header){.type = ZOE_MSG_RELOAD,
		.size = sizeof(*line),
		.serial = reload->request.serial,
		.flags = ZOE_MSG_MORE};
	client_send(reload->client, &line->header, NULL, 0);
}

static void reload_log(const struct reload *reload, const struct zoe_msg_reload_line *line) {
	static const char *const words[] = {[ZOE_MSG_RELOAD_CHANGE] = "changed",
		[ZOE_MSG_RELOAD_ADD] = "added",
		[ZOE_MSG_RELOAD_REMOVE] = "removed"};
	const char *what = line->name[0] ? "stream '" : "broker";

	if (reload->is_dry_run) {
		return;
	}
	if (line->kind == ZOE_MSG_RELOAD_ERROR) {
		log_err("reload: %s", line->text);
	} else if (line->kind == ZOE_MSG_RELOAD_WARNING && line->line) {
		log_warn("reload: %s", line->text);
	} else if (line->kind == ZOE_MSG_RELOAD_WARNING) {
		log_warn("reload: %s%s%s: %s", what, line->name, line->name[0] ? "'" : "",
			line->text);
	} else if (line->kind != ZOE_MSG_RELOAD_KEEP && line->kind != ZOE_MSG_RELOAD_PEER) {
		log_info("reload: %s%s%s: %s%s%s", what, line->name, line->name[0] ? "'" : "",
			words[line->kind], line->text[0] ? ": " : "", line->text);
	}
}

void reload_say(const struct reload *reload, enum zoe_msg_reload_kind kind, const char *name,
	const char *format, ...) {
	struct zoe_msg_reload_line line;
	va_list args;

	memset(&line, 0, sizeof(line));
	line.kind = kind;
	zoe_wire_set_text(line.name, sizeof(line.name), name);
	va_start(args, format);
	vsnprintf(line.text, sizeof(line.text), format, args);
	va_end(args);
	reload_log(reload, &line);
	reload_send(reload, &line);
}

/* Errors, or warnings, of the file. */
static void reload_say_errors(const struct reload *reload, const struct config_errors *errors) {
	bool are_warnings = errors->are_warnings;

	for (size_t i = 0; i < errors->n_errors; i++) {
		const struct config_error *error = &errors->list[i];
		struct zoe_msg_reload_line line;
		char place[32] = "";

		if (error->line) {
			snprintf(place, sizeof(place), ":%u:%u", error->line, error->col);
		}
		memset(&line, 0, sizeof(line));
		line.kind = are_warnings ? ZOE_MSG_RELOAD_WARNING : ZOE_MSG_RELOAD_ERROR;
		line.line = error->line;
		line.col = error->col;
		snprintf(line.text, sizeof(line.text), "%s%s: %s%s", reload->server->config_path,
			place, are_warnings ? "" : "error: ", error->message);
		reload_log(reload, &line);
		reload_send(reload, &line);
	}
}

static void reload_refuse(const struct reload *reload, int error, const char *sentence) {
	const char *path = reload->server->config_path;

	log_err("reload: config '%s': %s; nothing has changed", path, sentence);
	if (reload->client) {
		client_refuse(reload->client, &reload->request, error,
			"config '%s': %s; nothing has changed", path, sentence);
	}
}

/* Returns: 0; -errno, and it has been said. */
static int reload_load(struct reload *reload, struct config **out) {
	struct config_errors *errors = calloc(1, sizeof(*errors));
	char sentence[80];
	int r = -ENOMEM;

	if (!reload->server->has_file) {
		free(errors);
		reload_refuse(reload, -ENOENT, "the broker was started without a file");
		return -ENOENT;
	}
	if (errors) {
		config_errors_init(errors);
		r = config_load(out, reload->server->config_path, errors);
	}
	if (r == 0) {
		config_find_warnings(*out, errors);
		reload_say_errors(reload, errors);
	}
	if (r < 0 && errors && errors->n_errors > 0) {
		size_t n = errors->n_errors + errors->n_dropped;

		reload_say_errors(reload, errors);
		snprintf(sentence, sizeof(sentence), "%zu error%s", n, n == 1 ? "" : "s");
		reload_refuse(reload, r, sentence);
	} else if (r < 0) {
		reload_refuse(reload, r, strerror(-r));
	}
	if (errors) {
		config_errors_finish(errors);
	}
	free(errors);
	return r;
}

static bool text_is_same(const char *a, const char *b) {
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void reload_say_broker(const struct reload *reload) {
	const struct broker_config *before = &reload->server->config->broker;
	const struct broker_config *after = &reload->config->broker;
	cleanup_free char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool differs = broker_config_get_changes(before, after, out);

	if (out) {
		fclose(out);
	}
	if (differs) {
		reload_say(reload, ZOE_MSG_RELOAD_CHANGE, "", "%s", text ? text : "");
	}
	if (!text_is_same(before->socket, after->socket)) {
		reload_say(reload, ZOE_MSG_RELOAD_WARNING, "",
			"the socket stays %s until a restart", reload->server->socket_path);
	}
}

static const struct stream_config *config_find(const struct config *config, const char *name) {
	for (size_t i = 0; i < config->n_streams; i++) {
		if (strcmp(config->streams[i].name, name) == 0) {
			return &config->streams[i];
		}
	}
	return NULL;
}

static void reload_say_pattern(const struct reload *reload, const struct stream_config *after) {
	const struct stream_config *before = config_find(reload->server->config, after->name);
	cleanup_free char *text = NULL;
	size_t size = 0;
	uint32_t changes = 0;
	FILE *out;

	if (!before) {
		reload_say(reload, ZOE_MSG_RELOAD_ADD, after->name, "%s", "");
		return;
	}
	out = open_memstream(&text, &size);
	changes = stream_config_get_changes(before, after, out);
	if (out) {
		fclose(out);
	}
	reload_say(reload, changes ? ZOE_MSG_RELOAD_CHANGE : ZOE_MSG_RELOAD_KEEP, after->name, "%s",
		text ? text : "");
}

/* Entries of either file that are no stream (yet). */
static void reload_say_entries(const struct reload *reload) {
	const struct config *before = reload->server->config;

	for (size_t i = 0; i < reload->config->n_streams; i++) {
		const struct stream_config *entry = &reload->config->streams[i];

		if (entry->is_pattern) {
			reload_say_pattern(reload, entry);
		} else if (!registry_find(reload->server, entry->name)) {
			reload_say(reload, ZOE_MSG_RELOAD_ADD, entry->name, "%s", "");
		}
	}
	for (size_t i = 0; i < before->n_streams; i++) {
		const struct stream_config *entry = &before->streams[i];

		if (entry->is_pattern && !config_find(reload->config, entry->name)) {
			reload_say(reload, ZOE_MSG_RELOAD_REMOVE, entry->name, "%s", "");
		}
	}
}

static void reload_say_all(const struct reload *reload) {
	const struct stream *stream;

	reload_say_broker(reload);
	list_for_each(stream, &reload->server->registry.streams, link) {
		reload_say_stream(reload, stream);
	}
	reload_say_entries(reload);
}

static bool config_is_lent(const struct server *server, const struct config *config) {
	uintptr_t first = (uintptr_t)config->streams;
	uintptr_t end = (uintptr_t)(config->streams + config->n_streams);
	const struct stream *stream;

	list_for_each(stream, &server->registry.streams, link) {
		uintptr_t at = (uintptr_t)stream->config;

		if (at >= first && at < end) {
			return true;
		}
	}
	return false;
}

static void reload_sweep(struct server *server) {
	struct reloaded *reloaded, *after;

	list_for_each_safe(reloaded, after, &server->configs, link) {
		if (reloaded->config != server->config &&
			!config_is_lent(server, reloaded->config)) {
			list_remove(&reloaded->link);
			config_destroy(reloaded->config);
			free(reloaded);
		}
	}
}

/* Any of them may go while another moves, as memory is made. */
static struct stream *reload_find_next(struct server *server) {
	struct stream *stream;

	list_for_each(stream, &server->registry.streams, link) {
		if (!stream->is_reloaded) {
			return stream;
		}
	}
	return NULL;
}

static void reload_apply_streams(const struct reload *reload) {
	struct server *server = reload->server;
	struct stream *stream;

	list_for_each(stream, &server->registry.streams, link) {
		stream->is_reloaded = false;
	}
	while ((stream = reload_find_next(server)) != NULL) {
		stream->is_reloaded = true;
		reload_apply_stream(reload, stream);
	}
	for (size_t i = 0; i < reload->config->n_streams; i++) {
		const struct stream_config *entry = &reload->config->streams[i];
		int r = 0;

		if (!entry->is_pattern && !registry_find(server, entry->name)) {
			r = registry_add(server, entry);
		}
		if (r < 0) {
			reload_say(reload, ZOE_MSG_RELOAD_WARNING, entry->name, "cannot add it: %s",
				strerror(-r));
		}
	}
	registry_end_parked(server);
}

static int reload_apply(const struct reload *reload, struct config *config) {
	struct server *server = reload->server;
	struct reloaded *reloaded = calloc(1, sizeof(*reloaded));

	if (!reloaded) {
		reload_refuse(reload, -ENOMEM, "no memory");
		return -ENOMEM;
	}
	reloaded->config = config;
	list_append(&server->configs, &reloaded->link);
	server->config = config;
	server_apply_config(server);
	reload_apply_streams(reload);
	reload_sweep(server);
	log_info("config '%s' is reloaded", server->config_path);
	return 0;
}

/* Returns: 0; -errno, and it has been said. */
static int reload_run(struct reload *reload) {
	struct zoe_msg_header done = {
		.type = ZOE_MSG_RELOAD, .size = sizeof(done), .serial = reload->request.serial};
	struct config *config = NULL;
	int r = reload_load(reload, &config);

	if (r < 0) {
		if (!reload->is_dry_run) {
			reload->server->failure_ns = zoe_now_ns();
		}
		return r;
	}
	reload->config = config;
	reload_say_all(reload);
	if (reload->is_dry_run) {
		config_destroy(config);
	} else {
		r = reload_apply(reload, config);
	}
	if (r < 0) {
		config_destroy(config);
		return r;
	}
	if (reload->client) {
		client_send(reload->client, &done, NULL, 0);
	}
	return 0;
}

static void reload_begin(struct reload *reload) {
	struct notify *notify = &reload->server->notify;
	int r;

	if (reload->is_dry_run) {
		(void)reload_run(reload);
		return;
	}
	notify_reloading(notify);
	r = reload_run(reload);
	ZOE_PROBE3(reload, reload->server->config_path, r, reload->server->registry.n_streams);
	notify_ready(notify);
}

void reload_request(struct client *client, const struct zoe_packet *packet) {
	const struct zoe_msg_reload *msg = (const void *)packet->bytes;
	struct server *server = client->server;
	struct reload reload = {.server = server,
		.client = client,
		.request = msg->header,
		.is_dry_run = (msg->flags & ZOE_RELOAD_DRY_RUN) != 0};
	char allowed[256];

	if (!access_list_has(&server->config->admin, &client->who, server->uid)) {
		access_list_describe(&server->config->admin, allowed, sizeof(allowed));
		client_refuse(client, &msg->header, -EACCES,
			"uid %u may not reload the config, allowed (admin of the defaults): %s",
			client->who.uid, allowed);
		return;
	}
	reload_begin(&reload);
}

void reload_on_hangup(struct server *server) {
	struct reload reload = {.server = server};

	reload_begin(&reload);
}

void reload_finish(struct server *server) {
	struct reloaded *reloaded, *after;

	list_for_each_safe(reloaded, after, &server->configs, link) {
		list_remove(&reloaded->link);
		config_destroy(reloaded->config);
		free(reloaded);
	}
}
