/* SPDX-License-Identifier: MIT */
#ifndef SAMPLE_H
#define SAMPLE_H
/*
 * What all streams and programs had counted at one moment, to be compared with a later one.
 * Owns:     its lists, from sample_take() to sample_finish().
 * Threads:  one.
 * Includes: tool.h.
 */
#include "tool.h"

struct stream_sample {
	char name[128];
	struct zoe_format format;
	uint64_t head_seq;
	uint32_t n_consumers, max_consumers;
};

struct consumer_sample {
	char stream[128], app[128];
	int32_t pid;
	uint32_t number; // among those of the same stream and pid
	uint32_t held;
	uint64_t lag, taken, lost;
};

struct sample {
	uint64_t time_ns;
	struct stream_sample *streams;
	struct consumer_sample *consumers;
	size_t n_streams, n_consumers;
};

/* Asks the broker. Returns: 0; TOOL_FAILED with its sentence, *s is empty then. */
int sample_take(struct tool *tool, struct sample *s);
void sample_finish(struct sample *s);

/* Returns: NULL if it was not there. */
const struct stream_sample *sample_find_stream(const struct sample *s, const char *name);
const struct consumer_sample *sample_find_consumer(
	const struct sample *s, const struct consumer_sample *like);
#endif
