/* SPDX-License-Identifier: MIT */
#include "command.h"

#include <string.h>

#define EVERYWHERE                                                                                 \
	"\nEverywhere:\n"                                                                          \
	"  -S, --socket PATH   the broker's socket (else $ZOETROPE_SOCKET,\n"                      \
	"                      $XDG_RUNTIME_DIR/zoetrope/socket, /run/zoetrope/socket)\n"          \
	"  -t, --timeout T     wait no longer than T (500ms, 2s) for the stream and its\n"         \
	"                      frames; else for ever\n"                                            \
	"  -j, --json          print for programs\n"                                               \
	"  -q, --quiet         no progress\n"                                                      \
	"  -h, --help          this\n"

const struct command *command_find(const char *name) {
	for (size_t i = 0; commands[i].name != NULL; i++) {
		if (strcmp(commands[i].name, name) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

enum { MAX_WORD = 24 };

/* Edits (insert, drop, change, swap neighbours) between two words of at most MAX_WORD bytes. */
static size_t get_distance(const char *a, const char *b) {
	size_t d[MAX_WORD + 1][MAX_WORD + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	for (size_t i = 0; i <= a_len; i++) {
		for (size_t k = 0; k <= b_len; k++) {
			size_t best = i == 0 ? k : d[i - 1][k] + 1;

			if (i > 0 && k > 0) {
				size_t change = d[i - 1][k - 1] + (a[i - 1] != b[k - 1]);

				best = d[i][k - 1] + 1 < best ? d[i][k - 1] + 1 : best;
				best = change < best ? change : best;
			} else if (k == 0) {
				best = i;
			}
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
				d[i - 2][k - 2] + 1 < best) {
				best = d[i - 2][k - 2] + 1;
			}
			d[i][k] = best;
		}
	}
	return d[a_len][b_len];
}

bool command_is_near(const char *typed, const char *meant) {
	size_t len = strlen(typed);

	if (len < 2 || len > MAX_WORD || strlen(meant) > MAX_WORD) {
		return false;
	}
	return get_distance(typed, meant) <= (len < 4 ? 1u : 2u);
}

const struct command *command_suggest(const char *name) {
	const struct command *nearest = NULL;
	size_t least = SIZE_MAX;

	for (size_t i = 0; commands[i].name != NULL; i++) {
		if (command_is_near(name, commands[i].name) &&
			get_distance(name, commands[i].name) < least) {
			least = get_distance(name, commands[i].name);
			nearest = &commands[i];
		}
	}
	return nearest;
}

void command_print_list(FILE *to) {
	fputs("zoe: streams of pictures in shared memory\n\n"
	      "usage: zoe COMMAND [ARGUMENTS]\n\n",
		to);
	for (size_t i = 0; commands[i].name != NULL; i++) {
		fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].summary);
	}
	fputs("\n'zoe COMMAND --help' tells more, with examples. To begin with, in two terminals:\n"
	      "  zoe push desk\n"
	      "  zoe snap desk shot.png\n"
	      "\nExit status: 0 done, 1 failed, 2 wrong usage.\n",
		to);
}

void command_print_help(const struct command *command, FILE *to) {
	fprintf(to, "zoe %s: %s\n\nusage: zoe %s %s\n\n%s%s", command->name, command->summary,
		command->name, command->usage, command->help, EVERYWHERE);
}
