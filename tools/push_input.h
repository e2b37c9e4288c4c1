/* SPDX-License-Identifier: MIT */
#ifndef PUSH_INPUT_H
#define PUSH_INPUT_H
/*
 * Frames from stdin, Y4M or raw, read straight into slots.
 * Owns:     nothing but its buffer; the descriptor is borrowed.
 * Threads:  one.
 * Includes: tool.h. Every read ends with a signal.
 */
#include "tool.h"

struct push_input {
	int fd; // borrowed
	bool is_y4m;
	struct zoe_format format;
	uint32_t rate_num, rate_den; // 0/0 = not said
	uint64_t n_frames;           // begun
	uint8_t buf[4096];
	size_t pos, len;
};

/* Reads a Y4M header; with a raw format (not NULL) nothing yet.
 * Returns: 0; TOOL_FAILED with its sentence; TOOL_STOPPED. */
int push_input_init(struct push_input *in, int fd, const struct zoe_format *raw);

/* Waits for the next frame to begin. Returns: 0; -ENODATA the end; -ECANCELED a signal; -EINVAL,
 * -EIO with its sentence printed. */
int push_input_begin(struct push_input *in);

/* Reads the frame's pixels. Returns: as push_input_begin(), -EIO if it is cut short. */
int push_input_read(struct push_input *in, const struct zoe_format *f, uint8_t *const plane[4]);
#endif
