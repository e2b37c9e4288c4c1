/* SPDX-License-Identifier: MIT */
#ifndef HONEST_H
#define HONEST_H
/*
 * Eight honest programs that stream while others attack: two producers, and a reliable, an every
 * and a latest consumer of each.
 * Owns:     its processes, from start to stop.
 * Threads:  one.
 * Includes: broker.h.
 */
#include "broker.h"

#define N_HONEST 8
#define HONEST_STREAMS                                                                             \
	"  desk: {max_frame: 64x64 XR24, slots: 64, consumers: 24, hold: 3, patience: 20s,\n"      \
	"    access: {produce: [owner], consume: [any], reliable: [owner]}}\n"                     \
	"  cam: {max_frame: 64x64 XR24, slots: 240, consumers: 24, hold: 3, patience: 20s,\n"      \
	"    when_full: block,\n"                                                                  \
	"    access: {produce: [owner], consume: [any], reliable: [owner]}}\n"

/* What one has counted. */
struct honest_count {
	uint64_t frames;  // published or taken
	uint64_t lost;    // by a reliable or every consumer
	uint64_t torn;    // not what their producer made
	uint64_t late;    // taken long after they were published
	uint64_t refused; // slots
	uint64_t worst_us;
};

struct honest_mark {
	struct honest_count count[N_HONEST];
	uint64_t ms;
};

/* Returns: their processes. */
const pid_t *honest_start(const struct broker *broker);
void honest_stop(void);

void honest_set_mark(struct honest_mark *mark);

/* How they fared since the mark, in words. Returns: whether it was well. */
bool honest_check(const struct honest_mark *since, char *text, size_t size);
#endif
