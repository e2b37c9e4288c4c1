/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_VALUE_TEXT_H
#define CONFIG_VALUE_TEXT_H
/*
 * Values on their way back: as the YAML that reads as the same value, and compared.
 * Owns:     nothing.
 * Threads:  one at a time (users' names are asked of the user database).
 * Includes: schema.h, access_list.h, core's log.h for the levels' numbers.
 */
#include "schema.h"

/* Prints one value, no line end. A key whose value is not set (has_value) prints nothing. */
void value_print(FILE *out, const struct schema_key *key, const void *target);

/* Whether there is a value to print: a path that nobody gave has none, and of max_frame and
 * max_bytes one has. */
bool value_is_set(const struct schema_key *key, const void *target);

bool value_is_equal(const struct schema_key *key, const void *a, const void *b);

/* What may stand there, for people: "2 to 4096", "drop, block". */
void value_print_range(FILE *out, const struct schema_key *key);

/* A text in double quotes, with the escapes that YAML needs and terminals ask for. */
void value_print_quoted(FILE *out, const char *text);
#endif
