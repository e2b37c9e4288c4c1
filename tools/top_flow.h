/* SPDX-License-Identifier: MIT */
#ifndef TOP_FLOW_H
#define TOP_FLOW_H
/*
 * What flowed between two samples, stream by stream and reader by reader.
 * Owns:     nothing; lists that are made here are the caller's, to be freed.
 * Threads:  one.
 * Includes: sample.h.
 * Counts start anew with a new consumer or region: then nothing can be said of this interval.
 */
#include "sample.h"

struct flow {
	const struct sample *before, *after; // borrowed; before may be empty
};

struct stream_flow {
	const struct stream_sample *now; // borrowed from flow.after
	double fps;                      // < 0 = not known
	uint64_t read_ns;                // of its slowest reader; SAMPLE_NOT_KNOWN
	bool is_dropping;                // more was dropped than before
};

struct reader_flow {
	const struct consumer_sample *now; // borrowed from flow.after
	double fps, lost;                  // a second; < 0 = not known
};

enum flow_order {
	FLOW_AS_TOLD, // as the broker lists them
	FLOW_BY_NAME,
	FLOW_BY_FPS,
	FLOW_BY_READ,
	FLOW_BY_DROPS,
	FLOW_BY_READERS,
	FLOW_BY_MEMORY,
	FLOW_N_ORDERS
};

double flow_get_seconds(const struct flow *f);

/* All streams; the largest first where it is not by name. Returns: 0; -ENOMEM. */
int flow_list_streams(
	const struct flow *f, enum flow_order order, struct stream_flow **out, size_t *n_out);

/* The readers of a stream (NULL = of all). Returns: 0; -ENOMEM. */
int flow_list_readers(
	const struct flow *f, const char *stream, struct reader_flow **out, size_t *n_out);
#endif
