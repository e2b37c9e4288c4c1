/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "command.h"

/* What libraries and brokers say may quote strangers: nothing of it may steer a terminal. */
static void print_sentence(const char *prefix, const char *sentence) {
	char safe[1024];

	fflush(stdout);
	fprintf(stderr, "zoe: %s%s\n", prefix, tool_printable(sentence, safe, sizeof(safe)));
}

int tool_fail(const char *format, ...) {
	char sentence[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	print_sentence("", sentence);
	return TOOL_FAILED;
}

int tool_fail_usage(const struct tool *tool, const char *format, ...) {
	char sentence[1024], prefix[64] = "";
	va_list args;

	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	if (tool->command != NULL) {
		snprintf(prefix, sizeof(prefix), "%s: ", tool->command->name);
	}
	print_sentence(prefix, sentence);
	if (tool->command != NULL) {
		fprintf(stderr, "usage: zoe %s %s\n('zoe %s --help' tells more)\n",
			tool->command->name, tool->command->usage, tool->command->name);
	}
	return TOOL_USAGE;
}

int tool_fail_client(const struct tool *tool) {
	return tool_fail("%s", zoe_client_get_error(tool->client));
}

int tool_connect(struct tool *tool) {
	struct zoe_client_options options = {
		.struct_size = sizeof(options), .socket = tool->socket};
	char app[64];
	int rc;

	if (tool->client != NULL) {
		return 0;
	}
	snprintf(app, sizeof(app), "zoe %s", tool->command->name);
	options.app_name = app;
	rc = zoe_client_create(&tool->client, &options);
	if (rc == -EINVAL) {
		return tool_fail("--socket '%s': a path has at most 107 bytes", tool->socket);
	}
	return rc < 0 ? tool_fail("client: %s", strerror(-rc)) : 0;
}

void tool_finish(struct tool *tool) {
	zoe_client_destroy(tool->client);
	*tool = (struct tool){.timeout_ms = -1};
}

int tool_flush(void) {
	if (fflush(stdout) == 0 && !ferror(stdout)) {
		return 0;
	}
	return errno == EPIPE ? TOOL_FAILED : tool_fail("stdout: %s", strerror(errno));
}
