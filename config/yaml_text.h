/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_YAML_TEXT_H
#define CONFIG_YAML_TEXT_H
/*
 * The bytes that libyaml is to read: places in them, and what it is spared.
 * Owns:     nothing.
 * Threads:  any; pure.
 * Includes: the C library.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct yaml_place {
	uint32_t line, col; // 1-based; a column is a character
};

struct yaml_place yaml_text_find(const char *text, size_t len, size_t offset);

/* The first byte of the character at a place. Returns: NUL past the end. */
char yaml_text_get(const char *text, size_t len, struct yaml_place place);

/* Whether it begins with the byte order mark of UTF-16 or UTF-32. */
bool yaml_text_is_wide(const char *text, size_t len);

/* libyaml compares each %TAG line with all before it: a file full of them takes very long.
 * Returns: the first line that is one too many; 0 if none is. */
uint32_t yaml_text_find_excess_directive(const char *text, size_t len);
#endif
