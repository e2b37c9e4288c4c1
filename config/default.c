/* SPDX-License-Identifier: MIT */
#include "config.h"

static const char default_text[] =
	"version: 1\n"
	"broker:\n"
	"  socket_mode: \"0600\"\n"
	"  memory_limit: 1GiB\n"
	"streams:\n"
	"  \"**\":\n"
	"    description: Any name, for the user who runs the broker\n"
	"    max_bytes: 64MiB\n"
	"    slots: 4\n"
	"    max_streams: 16\n"
	"    access: {produce: [owner], consume: [owner], list: [owner]}\n";

const char *config_get_default_text(void) {
	return default_text;
}
