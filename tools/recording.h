/* SPDX-License-Identifier: MIT */
#ifndef RECORDING_H
#define RECORDING_H
/*
 * One run of `zoe record`: the frames of a stream go to a file, or to several one after another
 * where the picture changes its size or format.
 * Owns:     nothing past recording_run().
 * Threads:  one.
 * Includes: record_sink.h, tool.h.
 */
#include "record_sink.h"
#include "tool.h"

/* What is asked for. */
struct recording_order {
	const char *stream;
	struct record_target target;
	uint64_t max_frames; // 0 = no end
	int duration_ms;     // 0 = no end
	bool is_reliable;    // no frame may be lost
};

/* Records, and prints what came of it. Returns: the exit code. */
int recording_run(struct tool *tool, const struct recording_order *order);
#endif
