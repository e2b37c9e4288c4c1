/* SPDX-License-Identifier: MIT */
#ifndef KEEP_SUMMARY_H
#define KEEP_SUMMARY_H
/*
 * What is in a file of `zoe keep`, told to people and scripts.
 * Owns:     nothing past a call.
 * Threads:  one.
 * Includes: keep_file.h, tool.h.
 */
#include "keep_file.h"
#include "tool.h"

struct keep_summary {
	uint64_t n_frames, n_bytes, n_lost;
	uint64_t n_gaps; // places where records are missing in between
	uint64_t first_seq, last_seq, first_ns, last_ns;
	uint32_t first_session, last_session;
	char stream[KEEP_STREAM_SIZE]; // of the last frame
	struct zoe_format format;
};

/* Opens a file to read; *fd is the caller's, -1 on failure. Returns: 0; TOOL_FAILED with its
 * sentence, and there is nothing to close. */
int keep_summary_open(struct keep_file *file, const char *path, int *fd);
/* Returns: 0; TOOL_FAILED with its sentence. */
int keep_summary_take(struct keep_summary *s, struct keep_file *file, const char *path);
/* Lines, or the members of a JSON object without its braces. */
void keep_summary_print(const struct keep_summary *s, const struct keep_file *file, FILE *to);
void keep_summary_print_json(const struct keep_summary *s, const struct keep_file *file, FILE *to);

/* One frame: a line of a table, or a JSON object. */
void keep_summary_print_frame(const struct keep_frame *kept, FILE *to);
void keep_summary_print_frame_json(const struct keep_frame *kept, const char *file, FILE *to);
/* "2026-03-01 12:00:00.123", local time. Returns buf. */
const char *keep_summary_get_time(uint64_t realtime_ns, char *buf, size_t size);
#endif
