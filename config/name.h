/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_NAME_H
#define CONFIG_NAME_H
/*
 * Names, patterns, and words that were meant to be others.
 * Owns:     nothing.
 * Threads:  any; pure.
 * Includes: config.h.
 */
#include "config.h"

bool pattern_is_valid(const char *pattern);

/* "*" stands for any bytes within a part, "**" for any bytes at all. */
bool pattern_matches(const char *pattern, const char *name);

/* Bytes before the first "*". */
size_t pattern_get_prefix_len(const char *pattern);
#endif
