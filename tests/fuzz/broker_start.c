/* SPDX-License-Identifier: MIT */
#include "broker_start.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config.h"
#include "fuzz.h"
#include "server.h"

/* What the broker begins with, and what it may read later: less of everything, others' rights,
 * other streams. */
static const char *const config_texts[] = {
	"version: 1\n"
	"broker: {memory_limit: 24MiB, log_level: error}\n"
	"defaults:\n"
	"  access: {produce: [any], consume: [any], list: [any], reliable: [any], admin: [any]}\n"
	"streams:\n"
	"  a: {max_bytes: 1MiB, slots: 2, producers: 2, open: 2, consumers: 3, hold: 2,"
	" metadata: 64}\n"
	"  b: {max_frame: 64x64 XR24, slots: 3, when_full: block, patience: 1ms, consumers: 8}\n"
	"  \"q/*\": {max_bytes: 64KiB, slots: 2, max_streams: 2, producers: 3, linger: 1s}\n"
	"  \"**\": {max_bytes: 4KiB, max_streams: 1, linger: 0s}\n",

	"version: 1\n"
	"broker: {memory_limit: 8MiB, log_level: error, settle: 0ms}\n"
	"defaults:\n"
	"  access: {produce: [any], consume: [any], list: [any], reliable: [any], admin: [any]}\n"
	"streams:\n"
	"  a: {max_bytes: 64KiB, slots: 3, producers: 1, open: 1, consumers: 1, hold: 1}\n"
	"  x: {max_bytes: 1KiB}\n"
	"  \"q/*\": {max_bytes: 32KiB, slots: 2, max_streams: 1, producers: 1, linger: 0s}\n",

	"version: 1\n"
	"broker: {memory_limit: 24MiB, log_level: error}\n"
	"defaults:\n"
	"  access: {produce: [owner], consume: [any], list: [any], reliable: [owner], admin: "
	"[owner]}\n"
	"streams:\n"
	"  a: {max_bytes: 2MiB, slots: 2, producers: 2, open: 2, consumers: 3, hold: 2}\n"
	"  b: {max_frame: 64x64 XR24, access: {produce: [any], consume: [owner], list: [owner]}}\n"
	"  \"**\": {max_bytes: 4KiB, max_streams: 2}\n",
};

enum { N_CONFIGS = n_elements(config_texts) };

static char dir[32], socket_path[64], config_paths[N_CONFIGS][64];
static struct config *first;

static void files_remove(void) {
	char lock[sizeof(socket_path) + 8];

	snprintf(lock, sizeof(lock), "%s.lock", socket_path);
	(void)unlink(lock);
	for (unsigned i = 0; i < N_CONFIGS; i++) {
		(void)unlink(config_paths[i]);
	}
	(void)rmdir(dir);
	config_destroy(first);
}

static void config_load_first(void) {
	struct config_errors errors;

	config_errors_init(&errors);
	for (unsigned i = N_CONFIGS; i-- > 0;) {
		config_destroy(first);
		if (config_load(&first, config_paths[i], &errors) != 0) {
			config_errors_print(&errors, stderr, true);
			abort();
		}
	}
	config_errors_finish(&errors);
}

static void files_make(void) {
	temporary_make(dir, sizeof(dir));
	atexit(files_remove);
	snprintf(socket_path, sizeof(socket_path), "%s/socket", dir);
	for (unsigned i = 0; i < N_CONFIGS; i++) {
		FILE *file;

		snprintf(config_paths[i], sizeof(config_paths[i]), "%s/%u.yaml", dir, i);
		file = fopen(config_paths[i], "we");
		must(file && fputs(config_texts[i], file) >= 0 && fclose(file) == 0);
	}
	config_load_first();
}

struct server *broker_start(void) {
	struct server_options options = {.config_path = config_paths[0], .socket = socket_path};
	struct server *server = NULL;

	if (!first) {
		files_make();
	}
	options.config = first;
	must(server_create(&server, &options) == 0);
	return server;
}

const char *broker_get_config_path(unsigned n) {
	return config_paths[n % N_CONFIGS];
}
