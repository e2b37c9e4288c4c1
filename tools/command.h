/* SPDX-License-Identifier: MIT */
#ifndef COMMAND_H
#define COMMAND_H
/*
 * The table of zoe's commands, and what each says of itself.
 * Owns:     nothing; the table is static.
 * Threads:  any.
 * Includes: tool.h.
 */
#include "tool.h"

/* Returns: NULL if there is no such command. */
const struct command *command_find(const char *name);
/* The command most likely meant. Returns: NULL if none is near. */
const struct command *command_suggest(const char *name);
/* Is one word a likely slip of the other: up to two letters, fewer in short words. */
bool command_is_near(const char *typed, const char *meant);

void command_print_list(FILE *to);
void command_print_help(const struct command *command, FILE *to);
#endif
