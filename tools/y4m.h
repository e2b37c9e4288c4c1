/* SPDX-License-Identifier: MIT */
#ifndef Y4M_H
#define Y4M_H
/*
 * YUV4MPEG2's two kinds of text lines, as written by mjpegtools and FFmpeg (man yuv4mpeg).
 * Owns:     nothing.
 * Threads:  any.
 * Includes: zoe/frame.h.
 */
#include <stdbool.h>
#include <stddef.h>
#include <zoe/frame.h>

enum { Y4M_MAX_LINE = 1024 };

struct y4m_header {
	struct zoe_format format;
	uint32_t rate_num, rate_den; // 0/0 = not said
};

/* Parses the first line, without its newline; 4:2:0 of 8 bits and mono are understood.
 * Returns: 0; -EINVAL with a sentence in error. */
int y4m_parse_header(struct y4m_header *out, const char *line, char *error, size_t size);

/* Is it the line before a frame? */
bool y4m_is_frame(const char *line);
#endif
