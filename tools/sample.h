/* SPDX-License-Identifier: MIT */
#ifndef SAMPLE_H
#define SAMPLE_H
/*
 * What all streams and programs had counted at one moment, to be compared with a later one.
 * Owns:     its lists, from sample_take() or sample_ask() to sample_finish().
 * Threads:  one.
 * Includes: tool.h.
 */
#include "tool.h"

#define SAMPLE_NOT_KNOWN UINT64_MAX /* of the latencies */

struct broker_sample {
	char version[64], protection[64];
	int32_t pid;
	uint32_t n_streams, n_clients;
	uint64_t start_ns, memory_bytes, memory_limit_bytes;
};

struct stream_sample {
	char name[128], producer[128]; // producer: "" = nobody
	struct zoe_format format;
	uint64_t head_seq, dropped, memory_bytes;
	uint64_t capture_ns; // of the newest frame
	uint32_t n_producers, n_consumers, max_consumers;
};

struct consumer_sample {
	char stream[128], app[128], group[64];
	int32_t pid;
	uint32_t number; // among those of the same stream and pid
	uint32_t held, delivery, state;
	uint64_t lag, taken, lost;
	uint64_t read_ns; // of the frame taken last
};

struct sample {
	uint64_t time_ns;
	struct broker_sample broker;
	struct stream_sample *streams;
	struct consumer_sample *consumers;
	size_t n_streams, n_consumers;
};

/* Asks the broker, which has timeout_ms to answer. Returns: 0; -ENOMEM; as zoe_client_status(),
 * *s is empty then. */
int sample_ask(struct tool *tool, struct sample *s, int timeout_ms);
/* The same, with as much time as --timeout says. Returns: 0; TOOL_FAILED with its sentence. */
int sample_take(struct tool *tool, struct sample *s);
void sample_finish(struct sample *s);

/* Returns: NULL if it was not there. */
const struct stream_sample *sample_find_stream(const struct sample *s, const char *name);
const struct consumer_sample *sample_find_consumer(
	const struct sample *s, const struct consumer_sample *like);
#endif
