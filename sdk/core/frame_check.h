/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CORE_FRAME_CHECK_H
#define ZOE_CORE_FRAME_CHECK_H
/*
 * Between the frame header in shared memory and the plain values of zoe/frame.h: believe nothing
 * that a producer wrote, and write what consumers will believe.
 * Owns:     nothing.
 * Threads:  pure functions on the caller's memory, from any thread.
 * Includes: frame_layout.h, zoe/frame.h. No OS header.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zoe/frame.h>

#include "frame_layout.h"

/* To the byte: a format has no padding. Word by word in place, since a call of memcmp() costs a CPU
 * that has just slept a tenth of a microsecond (tests/bench: cold). */
static inline int zoe_format_is_equal(const struct zoe_format *a, const struct zoe_format *b) {
	static_assert(sizeof(*a) == 72, "a format has no padding");
	uint64_t x[9], y[9], differs = 0;

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	for (unsigned i = 0; i < 9; i++) {
		differs |= x[i] ^ y[i];
	}
	return differs == 0;
}

/* Checks a header against what its ring offers, and hands out its format with the unused planes 0.
 * copy must be private: of memory that its producer can still change, a check proves nothing.
 * The identity (seq, times, flags), the HDR values and user words may be anything.
 * Returns: 0 and *out; -EBADMSG. */
int zoe_frame_header_check(const struct zoe_frame_header *copy, uint64_t slot_bytes,
	uint32_t meta_capacity, struct zoe_format *out);

/* The same, of one frame after the other: a format equal to *known is not checked again. known
 * holds what this function wrote last with the same slot_bytes, or zeroes. */
int zoe_frame_header_check_known(const struct zoe_frame_header *copy, uint64_t slot_bytes,
	uint32_t meta_capacity, struct zoe_format *known);

/* Writes a format that passed zoe_format_check() into hdr: its members, no crop, and the rate 0/1
 * where none is set yet. Touches nothing else. */
void zoe_frame_header_set_format(struct zoe_frame_header *hdr, const struct zoe_format *f);

/* Adds a tag to *used bytes of TLVs, or replaces it. On failure nothing changes. meta is aligned to
 * 8; data may not lie in it.
 * Returns: 0; -ENOSPC; -EINVAL tag 0, no data, or the TLVs are broken. */
int zoe_tlv_put(uint8_t *meta, uint32_t capacity, uint32_t *used, uint32_t tag, const void *data,
	size_t size);

/* The data of a tag, aligned to 8 if meta is. Never looks past `used`, whatever the TLVs say; meta
 * is a private copy, or the size and the data may change after the look.
 * Returns: NULL = absent, or hidden by a broken TLV; else *size is its size, which may be 0. */
const void *zoe_tlv_find(const uint8_t *meta, uint32_t used, uint32_t tag, size_t *size);
#endif
