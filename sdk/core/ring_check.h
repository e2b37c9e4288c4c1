/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CORE_RING_CHECK_H
#define ZOE_CORE_RING_CHECK_H
/*
 * The broker's side of a ring: cut it, look into it, close it, and mend what a dead producer left.
 * Owns:     nothing; works on mappings the caller holds.
 * Threads:  one (the broker's); all shared words are atomics that producers use meanwhile.
 * Includes: ring_layout.h, frame_layout.h. No OS header: wakes that are owed come back as flags.
 * Ordering: every state change is an exact-value compare-and-swap, see ring_check.c.
 */
#include <stdbool.h>

#include "ring_layout.h"

struct zoe_geometry_request {
	uint32_t depth;       /* 2-4096 */
	uint32_t spares;      /* producers * open + consumers * hold */
	uint32_t meta_bytes;  /* room for tags */
	uint64_t frame_bytes; /* largest payload, 1 .. 4 GiB - 1 */
};

/* Works out where everything stands. Returns: 0; -EINVAL; -EOVERFLOW too many slots or bytes. */
int zoe_geometry_init(struct zoe_geometry *geo, const struct zoe_geometry_request *request);

/* Is a geometry from a message sane, whoever sent it? Returns: 0; -EPROTO. */
int zoe_geometry_check(const struct zoe_geometry *geo);

/* Makes a zeroed ring mapping an empty ring whose next number is start (>= 1). */
void zoe_ring_format(const struct zoe_ring *ring, uint64_t start);

/* Closes the ring; returns h, the number of the first frame that is not in it. Wake head and
 * space afterwards. */
uint64_t zoe_ring_close(const struct zoe_ring *ring);

/* Gives back everything the certainly dead producer `owner` held. Wake head and space and ring the
 * doorbells afterwards. Returns: the number of slots mended. */
uint32_t zoe_ring_repair(const struct zoe_ring *ring, uint32_t owner);

/* Whether producers could go on in an open ring: no word of it is one that honest producers, of
 * which those of owners[] (0 = none, by lane) may be at work meanwhile, would not have written. */
bool zoe_ring_is_sane(
	const struct zoe_ring *ring, uint64_t start, const uint32_t owners[ZOE_MAX_LANES]);

/* Slots that `owner` holds now; for status. */
uint32_t zoe_ring_count_owned(const struct zoe_ring *ring, uint32_t owner);

/* What the newest frames look like, for status; every value checked, none trusted. */
struct zoe_ring_view {
	uint64_t head_seq;
	bool is_closed, has_frame;
	uint64_t last_publish_ns;
	uint32_t rate_mhz; /* frames in 1,000 s over the readable window; 0 = not known */
	uint32_t fourcc, width, height;
	uint32_t stride[4], offset[4], n_planes;
	uint64_t size_bytes;
};
void zoe_ring_inspect(const struct zoe_ring *ring, struct zoe_ring_view *view);
#endif
