/* SPDX-License-Identifier: MIT */
/*
 * zoe complete -- WORD...: what the last word may become, for the shells' completions. A line each:
 * the word, a tab, what it is. ":file" stands for the names of files, which shells know better.
 * All of it is read from the help that people are shown, so that neither can miss what is new.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "tool.h"

enum { ANSWER_MS = 500 };

/* Not in the table: it is for shells. */
static const struct command self = {
	"complete", complete_run, "what a word may become", "-- WORD...", "For shells.\n"};

struct completion {
	struct tool *tool;
	const struct command *command;
	char *help;         // all that `zoe COMMAND --help` prints
	const char *typed;  // the beginning of the word
	const char *prefix; // printed in front of it: "--format="
	int prefix_len;
};

/* An option as the help has it: "  -f, --format F       text". */
struct help_option {
	const char *name, *text;
	int name_len, text_len;
	bool has_value;
	bool is_path; // the value
};

static void offer(const struct completion *c, const char *word, int len) {
	size_t typed = strlen(c->typed);

	if (typed <= (size_t)len && strncmp(word, c->typed, typed) == 0) {
		printf("%.*s%.*s\n", c->prefix_len, c->prefix, len, word);
	}
}

static void offer_commands(const char *typed) {
	for (size_t i = 0; commands[i].name != NULL; i++) {
		if (strncmp(commands[i].name, typed, strlen(typed)) == 0) {
			printf("%s\t%s\n", commands[i].name, commands[i].summary);
		}
	}
}

static int offer_stream(void *user, enum zoe_change change, const struct zoe_stream_info *info) {
	const struct completion *c = user;

	if (change == ZOE_ADDED) {
		offer(c, info->name, (int)strlen(info->name));
	}
	return 0;
}

/* Nobody waits at a prompt for a broker that is not there. */
static void offer_streams(struct completion *c) {
	if (tool_connect(c->tool) == TOOL_DONE) {
		(void)zoe_client_list(c->tool->client, offer_stream, c, ANSWER_MS);
	}
}

static const char *skip_spaces(const char *at) {
	return at + strspn(at, " ");
}

static bool parse_option(const char *line, struct help_option *option) {
	const char *at = line + 2, *value;

	if (strncmp(line, "  -", 3) != 0) {
		return false;
	}
	if (at[1] != '-' && strncmp(at + 2, ", --", 4) == 0) {
		at += 4;
	}
	if (strncmp(at, "--", 2) != 0) {
		return false;
	}
	option->name = at;
	option->name_len = (int)strcspn(at, " \n");
	value = at + option->name_len;
	option->has_value = value[0] == ' ' && value[1] != ' ' && value[1] != '\0';
	option->is_path = option->has_value && strncmp(value + 1, "PATH", 4) == 0;
	if (option->has_value) {
		value += 1 + strcspn(value + 1, " \n");
	}
	option->text = skip_spaces(value);
	option->text_len = (int)strcspn(option->text, "\n");
	return true;
}

static const char *get_next_line(const char *line) {
	const char *end = strchr(line, '\n');

	return end ? end + 1 : line + strlen(line);
}

/* Returns: whether there is such an option, "--format", or by its letter, "-f". */
static bool find_option(const struct completion *c, const char *word, struct help_option *option) {
	size_t len = strcspn(word, "=");

	for (const char *line = c->help; *line != '\0'; line = get_next_line(line)) {
		if (!parse_option(line, option)) {
			continue;
		}
		if (strncmp(option->name, word, len) == 0 && (size_t)option->name_len == len) {
			return true;
		}
		if (len == 2 && word[1] != '-' && line[3] == word[1]) {
			return true;
		}
	}
	return false;
}

static void offer_options(const struct completion *c) {
	struct help_option option;

	for (const char *line = c->help; *line != '\0'; line = get_next_line(line)) {
		if (parse_option(line, &option) &&
			strncmp(option.name, c->typed, strlen(c->typed)) == 0) {
			printf("%.*s\t%.*s\n", option.name_len, option.name, option.text_len,
				option.text);
		}
	}
}

/* Of "bars|counter" both; of "ID|NAME" none: these are no words to type. */
static void offer_choices(const struct completion *c, const char *choices, size_t len) {
	const char *end = choices + len;

	while (choices < end) {
		size_t word = strcspn(choices, "|] ");

		word = word < (size_t)(end - choices) ? word : (size_t)(end - choices);
		if (word > 0 && !isupper((unsigned char)choices[0])) {
			offer(c, choices, (int)word);
		}
		choices += word + 1;
	}
}

/* The usage says what an option's value may be: "[--pattern bars|counter]". */
static void offer_values(const struct completion *c, const struct help_option *option) {
	const char *at = c->command->usage;

	if (option->is_path) {
		puts(":file");
		return;
	}
	while ((at = strstr(at, "--")) != NULL) {
		if (strncmp(at, option->name, (size_t)option->name_len) == 0 &&
			at[option->name_len] == ' ') {
			at += option->name_len + 1;
			offer_choices(c, at, strcspn(at, " ]"));
			return;
		}
		at += 2;
	}
}

/* "  cost       acquire + publish ..." of the help of bench. */
static void offer_measures(const struct completion *c) {
	for (const char *line = c->help; *line != '\0'; line = get_next_line(line)) {
		size_t len = strncmp(line, "  ", 2) == 0 ? strcspn(line + 2, " \n") : 0;

		if (len > 0 && islower((unsigned char)line[2]) &&
			strncmp(line + 2 + len, "  ", 2) == 0) {
			offer(c, line + 2, (int)len);
		}
	}
}

static void offer_argument(struct completion *c, const char *what, size_t len) {
	if (strncmp(what, "STREAM", 6) == 0) {
		offer_streams(c);
	} else if (strncmp(what, "FILE", 4) == 0) {
		puts(":file");
	} else if (strncmp(what, "MEASURE", 7) == 0) {
		offer_measures(c);
	} else {
		offer_choices(c, what, len);
	}
}

/* The usage's argument of that number, options left out: "x11 STREAM [--display D]". */
static void offer_position(struct completion *c, int position) {
	const char *at = skip_spaces(c->command->usage);

	while (*at != '\0' && *at != '|') {
		bool is_optional = *at == '[';
		const char *what = at + is_optional;
		size_t len = strcspn(what, is_optional ? "]" : " ");

		if (strncmp(what, "--", 2) != 0 && !(what[0] == '-' && what[1] != ']')) {
			bool is_repeated = len > 3 && strncmp(what + len - 3, "...", 3) == 0;

			if (position-- == 0 || is_repeated) {
				offer_argument(c, what, len);
				return;
			}
		}
		at = what + len;
		at = skip_spaces(*at == ']' ? at + 1 : at);
	}
}

/* How many arguments stand before the last word; takes --socket on the way. */
static int count_arguments(struct completion *c, int n_words, char **words) {
	int n = 0;

	for (int i = 1; i < n_words - 1; i++) {
		struct help_option option;

		if (words[i][0] != '-' || words[i][1] == '\0') {
			n++;
		} else if (find_option(c, words[i], &option) && option.has_value &&
			   !strchr(words[i], '=')) {
			if (strncmp(option.name, "--socket", 8) == 0) {
				c->tool->socket = words[i + 1];
			}
			i++;
		}
	}
	return n;
}

static void complete_word(struct completion *c, int n_words, char **words) {
	int position = count_arguments(c, n_words, words);
	const char *before = n_words > 2 ? words[n_words - 2] : "";
	const char *equals = strchr(c->typed, '=');
	struct help_option option;

	if (c->typed[0] == '-' && equals) {
		if (find_option(c, c->typed, &option)) {
			c->prefix = c->typed;
			c->prefix_len = (int)(equals + 1 - c->typed);
			c->typed = equals + 1;
			offer_values(c, &option);
		}
	} else if (before[0] == '-' && !strchr(before, '=') && find_option(c, before, &option) &&
		   option.has_value) {
		offer_values(c, &option);
	} else if (c->typed[0] == '-' && c->typed[1] != '\0') {
		offer_options(c);
	} else {
		offer_position(c, position);
	}
}

static char *print_help(const struct command *command) {
	char *text = NULL;
	size_t size = 0;
	FILE *to = open_memstream(&text, &size);

	if (to == NULL) {
		return NULL;
	}
	command_print_help(command, to);
	return fclose(to) == 0 ? text : NULL;
}

int complete_run(struct tool *tool, int argc, char **argv) {
	struct completion c = {.tool = tool, .prefix = ""};
	int n_words = argc - 2;
	char **words = argv + 2;

	tool->command = &self;
	if (n_words < 1 || strcmp(argv[1], "--") != 0) {
		return tool_fail_usage(tool, "takes -- and the words of a line");
	}
	c.typed = words[n_words - 1];
	if (n_words == 1 || (n_words == 2 && strcmp(words[0], "help") == 0)) {
		offer_commands(c.typed);
		return TOOL_DONE;
	}
	c.command = command_find(words[0]);
	c.help = c.command ? print_help(c.command) : NULL;
	if (c.help != NULL) {
		complete_word(&c, n_words, words);
		free(c.help);
	}
	return TOOL_DONE;
}
