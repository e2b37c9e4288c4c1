/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_YAML_RIDDLE_H
#define CONFIG_YAML_RIDDLE_H
/*
 * What libyaml's complaints mean to somebody who writes a config.
 * Owns:     nothing.
 * Threads:  any.
 * Includes: errors.h. Knows libyaml's sentences, not its types.
 */
#include "errors.h"

struct yaml_riddle {
	const char *context, *problem;      // libyaml's words, may be NULL
	uint32_t line, col;                 // of the problem, 1-based
	uint32_t context_line, context_col; // 1-based; where the thing in question began
	char c;                             // the character at the problem, NUL at the end
};

void yaml_riddle_add(struct config_errors *errors, const struct yaml_riddle *riddle);
#endif
