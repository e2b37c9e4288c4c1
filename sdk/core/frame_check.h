/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CORE_FRAME_CHECK_H
#define ZOE_CORE_FRAME_CHECK_H
/*
 * Frame headers and tags: written for a format, checked against a producer that lies.
 * Owns:     nothing. Works on private copies, never on shared memory, but for zoe_tlv_put, whose
 *           caller owns the slot.
 * Threads:  any; pure.
 * Includes: frame_layout.h, zoe/frame.h.
 */
#include <zoe/frame.h>

#include "frame_layout.h"

/* Puts a format into a header, payload size included. */
void zoe_frame_header_set_format(struct zoe_frame_header *hdr, const struct zoe_format *f);

/* Is the copied header of a frame in a slot of slot_bytes, with room for meta_capacity bytes of
 * tags, sane? Returns: 0 and *out; -EBADMSG. */
int zoe_frame_header_check(const struct zoe_frame_header *copy, uint64_t slot_bytes,
	uint32_t meta_capacity, struct zoe_format *out);

/* Adds a tag, or replaces it. *used is the size of all tags. Returns: 0; -ENOSPC; -EINVAL. */
int zoe_tlv_put(uint8_t *meta, uint32_t capacity, uint32_t *used, uint32_t tag, const void *data,
	size_t size);

/* Finds a tag in a private copy; NULL if it is absent or does not fit. */
const void *zoe_tlv_find(const uint8_t *meta, uint32_t used, uint32_t tag, size_t *size);
#endif
