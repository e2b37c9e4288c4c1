/* SPDX-License-Identifier: MIT */
/*
 * zoe reload: has the broker read its config again, and says what that changes.
 */
#include <string.h>

#include "tool.h"

enum { ANSWER_MS = 30000 }; /* names of users and groups may be asked of a network */

struct reload {
	bool is_json, is_dry_run;
	unsigned n_lines;
	const char *comma; // between the lines of JSON
};

static const char *const words[] = {[ZOE_RELOAD_ERROR] = "error",
	[ZOE_RELOAD_WARNING] = "warning",
	[ZOE_RELOAD_KEEP] = "keep",
	[ZOE_RELOAD_CHANGE] = "change",
	[ZOE_RELOAD_ADD] = "add",
	[ZOE_RELOAD_REMOVE] = "remove",
	[ZOE_RELOAD_PEER] = "peer"};

static int print_json(void *user, const struct zoe_reload_line *line) {
	struct reload *reload = user;

	printf("%s\n  {\"what\": \"%s\"", reload->comma, words[line->kind]);
	reload->comma = ",";
	if (line->kind == ZOE_RELOAD_ERROR) {
		printf(", \"line\": %u, \"column\": %u", line->line, line->column);
	} else {
		printf(", \"stream\": ");
		tool_print_json_string(stdout, line->name);
	}
	if (line->kind == ZOE_RELOAD_PEER) {
		printf(", \"role\": \"%s\", \"pid\": %d, \"uid\": %u, \"app\": ",
			line->role == ZOE_ROLE_PRODUCER ? "producer" : "consumer", (int)line->pid,
			line->uid);
		tool_print_json_string(stdout, line->app);
	}
	printf(", \"text\": ");
	tool_print_json_string(stdout, line->text);
	printf("}");
	return 0;
}

static void print_peer(const struct zoe_reload_line *line) {
	char app[256], text[1024];

	printf("         %s %s (pid %d, uid %u)%s%s\n",
		line->role == ZOE_ROLE_PRODUCER ? "fed by" : "read by",
		tool_printable(line->app, app, sizeof(app)), (int)line->pid, line->uid,
		line->text[0] ? ": " : "", tool_printable(line->text, text, sizeof(text)));
}

static int print_line(void *user, const struct zoe_reload_line *line) {
	struct reload *reload = user;
	char name[256], text[1024];

	reload->n_lines++;
	tool_printable(line->name, name, sizeof(name));
	tool_printable(line->text, text, sizeof(text));
	if (line->kind == ZOE_RELOAD_ERROR) {
		fprintf(stderr, "%s\n", text);
	} else if (line->kind == ZOE_RELOAD_PEER) {
		print_peer(line);
	} else if (line->kind == ZOE_RELOAD_WARNING) {
		fprintf(stderr, "warning: %s%s%s\n", name, name[0] ? ": " : "", text);
	} else {
		printf("%-8s %s%s%s\n", words[line->kind], name, text[0] ? ": " : "", text);
	}
	return 0;
}

static int ask(struct tool *tool, struct reload *reload) {
	int rc;

	if (reload->is_json) {
		printf("{\"dry_run\": %s, \"lines\": [", reload->is_dry_run ? "true" : "false");
	}
	rc = zoe_client_reload(tool->client, reload->is_dry_run,
		reload->is_json ? print_json : print_line, reload,
		tool->timeout_ms < 0 ? ANSWER_MS : tool->timeout_ms);
	if (reload->is_json) {
		printf("%s], \"ok\": %s}\n", reload->comma[0] ? "\n" : "",
			rc == 0 ? "true" : "false");
	} else if (rc == 0 && reload->n_lines == 0) {
		printf("no streams in the config\n");
	}
	return rc < 0 ? tool_fail_client(tool) : TOOL_DONE;
}

int reload_run(struct tool *tool, int argc, char **argv) {
	const char *is_dry_run = NULL;
	const struct tool_option options[] = {
		{"dry-run", 'n', false, &is_dry_run}, {NULL, 0, false, NULL}};
	struct reload reload = {.comma = ""};
	int n_args, rc;

	rc = tool_parse(tool, argc, argv, options, &n_args);
	if (rc >= 0) {
		return rc;
	}
	if (n_args != 0) {
		return tool_fail_usage(
			tool, "takes no argument, but got '%s': it is the broker's file", argv[1]);
	}
	if (tool_connect(tool) != 0) {
		return TOOL_FAILED;
	}
	reload.is_json = tool->is_json;
	reload.is_dry_run = is_dry_run != NULL;
	return ask(tool, &reload);
}
