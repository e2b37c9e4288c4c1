/* SPDX-License-Identifier: MIT */
#ifndef RECORDING_H
#define RECORDING_H
/*
 * One run of `zoe record`: the frames of a stream (or what `zoe recover` has of one) go to a file,
 * or to several one after another where the picture changes its size or format. Owns:     nothing
 * past recording_run(); a recording its file, until it is destroyed. Threads:  one. Includes:
 * record_sink.h, tool.h.
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

struct recording;

/* Frames from elsewhere than a stream: the order's stream is only named in messages.
 * Returns: NULL when memory is short. */
struct recording *recording_create(struct tool *tool, const struct recording_order *order);
/* Returns: 0; -errno with its sentence printed. */
int recording_put(struct recording *recording, const struct zoe_frame *frame);
/* Finishes the file. Returns: as recording_put(). */
int recording_destroy(struct recording *recording);

/* Records, and prints what came of it. Returns: the exit code. */
int recording_run(struct tool *tool, const struct recording_order *order);
#endif
