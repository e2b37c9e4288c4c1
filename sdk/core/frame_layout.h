/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CORE_FRAME_LAYOUT_H
#define ZOE_CORE_FRAME_LAYOUT_H
/*
 * A frame's header as it stands in shared memory: 256 bytes, four cache lines ordered by how often
 * they are read, then tags (struct zoe_tlv and its data, padded to 8).
 * Owns:     nothing; layout only.
 * Threads:  plain data, written by the slot's owner before it publishes; readers copy it once, then
 *           check the copy (frame_check.h).
 * Includes: types.h. Field names are those of DRM, V4L2, ITU-T H.273 and GStreamer.
 * Little-endian, naturally aligned. Unknown flags and tags are skipped.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "types.h"

#define ZOE_TLV_ALIGN 8u

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"
struct zoe_frame_header {
	/* line 0: identity */
	zoe_u64 seq;        // number in the stream; gaps = lost
	zoe_u64 pts_ns;     // capture time in `clock`
	zoe_u64 publish_ns; // CLOCK_MONOTONIC
	uint32_t clock;     // clockid_t of pts_ns
	uint32_t flags;     // enum zoe_frame_flags
	uint32_t size;      // payload bytes
	uint32_t width, height;
	uint32_t fourcc; // DRM_FORMAT_*
	uint32_t reserved0[4];
	/* line 1: geometry */
	zoe_u64 modifier; // DRM_FORMAT_MOD_LINEAR
	uint32_t offset[4], stride[4];
	uint16_t crop_x, crop_y, crop_width, crop_height; // pixels; all 0 = all
	uint8_t n_planes;
	uint8_t transform;      // wl_output.transform, 0-7
	uint8_t alpha_mode;     // enum zoe_alpha
	uint8_t field;          // 0 progressive, 1 top first, 2 bottom first
	uint32_t format_serial; // bumps when anything in lines 1-2 changes
	uint32_t reserved1[2];
	/* line 2: colour, rate */
	uint8_t primaries, transfer, matrix; // H.273
	uint8_t range;                       // enum zoe_range
	uint8_t chroma_site;                 // H.273 ChromaLocType + 1
	uint8_t reserved2[3];
	uint32_t rate_num, rate_den; // frames a second; 0/1 = variable, den never 0
	zoe_u64 duration_ns;
	uint16_t par_num, par_den; // pixel aspect ratio; 0/0 = square
	uint32_t reserved3;
	zoe_u64 source_seq, source_ns; // the source's own number and clock
	zoe_u64 dropped;               // by the producer, cumulative
	uint32_t meta_size;            // bytes of tags
	uint32_t n_damage;
	/* line 3: HDR (SMPTE ST 2086, CTA-861.3), user */
	uint16_t mastering_x[4], mastering_y[4]; // R, G, B, white; units of 0.00002
	uint32_t luminance_max, luminance_min;   // units of 0.0001 cd/m2
	uint16_t max_cll, max_fall;              // cd/m2
	uint32_t sdr_white;                      // units of 0.0001 cd/m2
	zoe_u64 user[2];
	uint32_t generation;
	uint32_t crc32c; // of the payload; 0 = none
	uint32_t reserved4[2];
};
#define ZOE_FRAME_AT(field, at)                                                                    \
	static_assert(offsetof(struct zoe_frame_header, field) == (at), #field)
ZOE_FRAME_AT(seq, 0);
ZOE_FRAME_AT(pts_ns, 8);
ZOE_FRAME_AT(publish_ns, 16);
ZOE_FRAME_AT(clock, 24);
ZOE_FRAME_AT(flags, 28);
ZOE_FRAME_AT(size, 32);
ZOE_FRAME_AT(width, 36);
ZOE_FRAME_AT(height, 40);
ZOE_FRAME_AT(fourcc, 44);
ZOE_FRAME_AT(reserved0, 48);
ZOE_FRAME_AT(modifier, 64);
ZOE_FRAME_AT(offset, 72);
ZOE_FRAME_AT(stride, 88);
ZOE_FRAME_AT(crop_x, 104);
ZOE_FRAME_AT(crop_y, 106);
ZOE_FRAME_AT(crop_width, 108);
ZOE_FRAME_AT(crop_height, 110);
ZOE_FRAME_AT(n_planes, 112);
ZOE_FRAME_AT(transform, 113);
ZOE_FRAME_AT(alpha_mode, 114);
ZOE_FRAME_AT(field, 115);
ZOE_FRAME_AT(format_serial, 116);
ZOE_FRAME_AT(reserved1, 120);
ZOE_FRAME_AT(primaries, 128);
ZOE_FRAME_AT(transfer, 129);
ZOE_FRAME_AT(matrix, 130);
ZOE_FRAME_AT(range, 131);
ZOE_FRAME_AT(chroma_site, 132);
ZOE_FRAME_AT(reserved2, 133);
ZOE_FRAME_AT(rate_num, 136);
ZOE_FRAME_AT(rate_den, 140);
ZOE_FRAME_AT(duration_ns, 144);
ZOE_FRAME_AT(par_num, 152);
ZOE_FRAME_AT(par_den, 154);
ZOE_FRAME_AT(reserved3, 156);
ZOE_FRAME_AT(source_seq, 160);
ZOE_FRAME_AT(source_ns, 168);
ZOE_FRAME_AT(source_ns, 168);
ZOE_FRAME_AT(dropped, 176);
ZOE_FRAME_AT(meta_size, 184);
ZOE_FRAME_AT(n_damage, 188);
ZOE_FRAME_AT(mastering_x, 192);
ZOE_FRAME_AT(mastering_y, 200);
ZOE_FRAME_AT(luminance_max, 208);
ZOE_FRAME_AT(luminance_min, 212);
ZOE_FRAME_AT(max_cll, 216);
ZOE_FRAME_AT(max_fall, 218);
ZOE_FRAME_AT(sdr_white, 220);
ZOE_FRAME_AT(user, 224);
ZOE_FRAME_AT(generation, 240);
ZOE_FRAME_AT(crc32c, 244);
ZOE_FRAME_AT(reserved4, 248);
#undef ZOE_FRAME_AT
static_assert(sizeof(struct zoe_frame_header) == 256, "frame header");
static_assert(_Alignof(struct zoe_frame_header) == 8, "the same on 32 and 64 bits");

struct zoe_tlv {
	uint32_t tag;  // enum zoe_tag
	uint32_t size; // bytes of data that follow, without the padding to 8
};
static_assert(offsetof(struct zoe_tlv, tag) == 0, "tag");
static_assert(offsetof(struct zoe_tlv, size) == 4, "size");
static_assert(sizeof(struct zoe_tlv) == 8, "tlv: data stays aligned to 8");
#pragma GCC diagnostic pop
#endif
