/* SPDX-License-Identifier: MIT */
/*
 * The command line: a command's own options and the common ones, anywhere among the arguments.
 */
#include <getopt.h>
#include <string.h>

#include "command.h"
#include "tool.h"

enum { MAX_OPTIONS = 24, FIRST_VALUE = 256 };

struct common_words {
	const char *socket, *timeout, *json, *quiet, *help;
};

/* The two tables as one, and as getopt_long wants it: an option's value is its index. */
struct option_table {
	struct tool_option all[MAX_OPTIONS];
	struct option lines[MAX_OPTIONS + 1];
	char letters[2 + 2 * MAX_OPTIONS];
	int n;
};

static void table_add(struct option_table *t, const struct tool_option *option) {
	size_t len = strlen(t->letters);

	if (t->n == MAX_OPTIONS) {
		return;
	}
	t->all[t->n] = *option;
	t->lines[t->n] = (struct option){option->name,
		option->has_value ? required_argument : no_argument, NULL, FIRST_VALUE + t->n};
	t->n++;
	if (option->letter != 0) {
		t->letters[len] = option->letter;
		t->letters[len + 1] = option->has_value ? ':' : '\0';
	}
}

static const struct tool_option *table_find(const struct option_table *t, int value) {
	for (int i = 0; i < t->n; i++) {
		if (value == FIRST_VALUE + i || (value != 0 && value == t->all[i].letter)) {
			return &t->all[i];
		}
	}
	return NULL;
}

static int fail_option(
	const struct tool *tool, const struct option_table *t, int kind, const char *word) {
	const struct tool_option *option = table_find(t, optopt);

	if (option != NULL) {
		return tool_fail_usage(tool, "--%s %s", option->name,
			kind == ':' ? "needs a value" : "takes no value");
	}
	if (optopt != 0) {
		return tool_fail_usage(tool, "unknown option '-%c'", optopt);
	}
	for (int i = 0; word != NULL && i < t->n; i++) {
		if (command_is_near(word + 2, t->all[i].name)) {
			return tool_fail_usage(tool, "unknown option '%s'; did you mean '--%s'?",
				word, t->all[i].name);
		}
	}
	return tool_fail_usage(
		tool, "option '%s' is unknown or not unique", word != NULL ? word : "?");
}

static int take_common(struct tool *tool, const struct common_words *w) {
	if (w->help != NULL) {
		command_print_help(tool->command, stdout);
		return TOOL_DONE;
	}
	if (w->timeout != NULL && tool_parse_duration_ms(w->timeout, &tool->timeout_ms) < 0) {
		return tool_fail_usage(tool, "--timeout %s: a time, like 500ms or 2s", w->timeout);
	}
	tool->socket = w->socket;
	tool->is_json = w->json != NULL;
	tool->is_quiet = w->quiet != NULL;
	return -1;
}

int tool_parse(
	struct tool *tool, int argc, char **argv, const struct tool_option *options, int *n_args) {
	struct common_words w = {NULL, NULL, NULL, NULL, NULL};
	const struct tool_option common[] = {{"socket", 'S', true, &w.socket},
		{"timeout", 't', true, &w.timeout}, {"json", 'j', false, &w.json},
		{"quiet", 'q', false, &w.quiet}, {"help", 'h', false, &w.help}};
	struct option_table t = {.letters = ":"};
	int value;

	for (; options->name != NULL; options++) {
		table_add(&t, options);
	}
	for (size_t i = 0; i < n_elements(common); i++) {
		table_add(&t, &common[i]);
	}
	optind = 0; /* begins anew, and forgets the letters of another call */
	opterr = 0;
	while ((value = getopt_long(argc, argv, t.letters, t.lines, NULL)) != -1) {
		const struct tool_option *option = table_find(&t, value);

		if (value == '?' || value == ':' || option == NULL) {
			return fail_option(tool, &t, value, optind > 0 ? argv[optind - 1] : NULL);
		}
		*option->value = option->has_value ? optarg : "";
	}
	*n_args = argc - optind;
	memmove(argv + 1, argv + optind, (size_t)*n_args * sizeof(*argv));
	return take_common(tool, &w);
}
