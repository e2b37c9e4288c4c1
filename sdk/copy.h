/* SPDX-License-Identifier: MIT */
#ifndef ZOE_COPY_H
#define ZOE_COPY_H
/*
 * Copies of whole pictures into slots.
 * Owns:     nothing.
 * Threads:  any.
 * Includes: zoe/producer.h.
 * Large copies bypass the cache with non-temporal stores: a ring is larger than the L3, so what is
 * written would only push out what somebody reads (tests/bench prints all ways beside each other).
 */
#include <zoe/producer.h>

/* Ways that only some CPUs do well. */
enum { ZOE_COPY_STRING = 1, ZOE_COPY_AVX = 2 };
/* Those of this one. Asks it, which takes a virtual machine some microseconds: once is enough. */
uint32_t zoe_copy_ways(void);

/* By what every CPU does well. */
void zoe_copy(void *to, const void *from, size_t size);

/* Row by row where strides differ. Returns: 0; -EINVAL a source stride shorter than its row. */
int zoe_copy_picture(struct zoe_slot *slot, const struct zoe_picture *src, uint32_t ways);
#endif
