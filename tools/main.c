/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "command.h"
#include "tool.h"

static int fail_command(const char *name) {
	const struct command *meant = command_suggest(name);

	if (name[0] == '-') {
		tool_fail("unknown option '%s'; 'zoe --help' lists what there is", name);
	} else if (meant != NULL) {
		tool_fail("no command '%s'; did you mean '%s'?", name, meant->name);
	} else {
		tool_fail("no command '%s'; 'zoe --help' lists them", name);
	}
	return TOOL_USAGE;
}

static int print_help(int argc, char **argv) {
	const struct command *command;

	if (argc < 3) {
		command_print_list(stdout);
		return TOOL_DONE;
	}
	command = command_find(argv[2]);
	if (command == NULL) {
		return fail_command(argv[2]);
	}
	command_print_help(command, stdout);
	return TOOL_DONE;
}

static int run(int argc, char **argv) {
	struct tool tool = {.timeout_ms = -1};
	int rc;

	if (argc < 2) {
		command_print_list(stderr);
		return TOOL_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0) {
		return print_help(argc, argv);
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("zoe %s (libzoetrope %s)\n", ZOETROPE_VERSION, zoe_get_version());
		return TOOL_DONE;
	}
	if (strcmp(argv[1], "complete") == 0) {
		rc = complete_run(&tool, argc - 1, argv + 1);
		tool_finish(&tool);
		return rc;
	}
	tool.command = command_find(argv[1]);
	if (tool.command == NULL) {
		return fail_command(argv[1]);
	}
	rc = tool.command->run(&tool, argc - 1, argv + 1);
	tool_finish(&tool);
	return rc == TOOL_STOPPED ? TOOL_DONE : rc;
}

int main(int argc, char **argv) {
	int rc;

	if (tool_catch_signals() != 0) {
		return TOOL_FAILED;
	}
	rc = run(argc, argv);
	return rc == TOOL_DONE ? tool_flush() : rc; /* one sentence is enough */
}
