/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_ERRORS_H
#define CONFIG_ERRORS_H
/*
 * Collecting what is wrong with a text; printing it is in config.h.
 * Owns:     the messages, in the caller's struct config_errors.
 * Threads:  one at a time.
 * Includes: config.h, attr.h.
 */
#include "attr.h"
#include "config.h"

/* Starts over for a text: label is copied, text too unless it is NULL.
 * Returns: 0; -ENOMEM. */
int config_errors_begin(
	struct config_errors *errors, const char *label, const char *text, size_t len);

/* Adds a sentence; beyond CONFIG_MAX_ERRORS (or without memory) it is only counted. */
void config_errors_add(struct config_errors *errors, uint32_t line, uint32_t col,
	const char *format, ...) attr_printf(4, 5);

/* Puts the errors into the text's order, each once. */
void config_errors_sort(struct config_errors *errors);

bool config_errors_has_any(const struct config_errors *errors);
#endif
