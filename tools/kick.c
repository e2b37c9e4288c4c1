/* SPDX-License-Identifier: MIT */
/*
 * zoe kick: takes programs off a stream.
 */
#include "tool.h"

enum { ANSWER_MS = 5000 };

int kick_run(struct tool *tool, int argc, char **argv) {
	const struct tool_option options[] = {{NULL, 0, false, NULL}};
	uint32_t n_kicked = 0;
	int n_args, rc;

	rc = tool_parse(tool, argc, argv, options, &n_args);
	if (rc >= 0) {
		return rc;
	}
	if (n_args != 2) {
		return tool_fail_usage(tool, "needs a STREAM, and a PID or the NAME of a program");
	}
	if (tool_connect(tool) != 0) {
		return TOOL_FAILED;
	}
	rc = zoe_client_kick(tool->client, argv[1], argv[2], &n_kicked,
		tool->timeout_ms < 0 ? ANSWER_MS : tool->timeout_ms);
	if (rc < 0) {
		return tool_fail_client(tool);
	}
	if (tool->is_json) {
		printf("{\"kicked\": %u}\n", n_kicked);
	} else {
		printf("%u kicked\n", n_kicked);
	}
	return TOOL_DONE;
}
