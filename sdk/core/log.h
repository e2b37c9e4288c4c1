/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CORE_LOG_H
#define ZOE_CORE_LOG_H
/*
 * Log lines of the daemon and the tools: to stderr, with a level that journald understands when
 * stderr is the journal. libzoetrope itself never logs and does not link this file.
 * Owns:     one global: the level, and what strangers may still have logged.
 * Threads:  one (the daemon's, a tool's).
 * Includes: attr.h.
 */
#include "attr.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

void log_set_level(enum log_level level);
/* Lines begin with "NAME: "; borrowed, static. */
void log_set_name(const char *name);
void log_line(enum log_level level, const char *format, ...) attr_printf(2, 3);
/* A warning that a stranger can bring about as often as it likes: some at once, few a second. The
 * next that is written says how many were not. */
void log_stranger(const char *format, ...) attr_printf(1, 2);

#define log_err(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
#endif
