/* SPDX-License-Identifier: MIT */
#ifndef KEEP_FORMAT_H
#define KEEP_FORMAT_H
/*
 * The file of `zoe keep` as it lies on the disk; zoetrope-keep(5) tells it in words.
 * Owns:     nothing; layout only.
 * Threads:  plain data. Readers copy it once, then check the copy (keep_file.h).
 * Includes: the C library. Little-endian, naturally aligned.
 * Block 0 is the superblock, written once and never again. A record begins on a block: head, tags,
 * padding to 64 bytes, payload, zeros to the end of its last block. No place in the file says where
 * the ring begins or ends: a record is whole if its three sums are right, its number says how old
 * it is, and the oldest is written over. So nothing can be torn that says what is whole.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define KEEP_MAGIC "ZOEKEEP\n"
#define KEEP_HEAD_MAGIC 0x4345525au /* "ZREC" */

enum {
	KEEP_VERSION = 1,
	KEEP_BLOCK_BYTES = 4096,
	KEEP_ALIGN_BYTES = 64,     // of the payload in its record
	KEEP_MAX_META = 1 << 20,   // bytes of tags
	KEEP_STREAM_SIZE = 104,    // of a name, NUL included
	KEEP_MIN_BYTES = 16 * 4096 // of a file
};

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"
struct keep_super {
	uint8_t magic[8];
	uint32_t version, block_bytes;
	uint8_t file_id[16]; // random: no record of another file is taken for one of this
	uint64_t created_ns; // CLOCK_REALTIME
	uint64_t sum;        // XXH3 (64 bits) of the bytes before it
};

struct keep_head {
	uint32_t magic, head_bytes;
	uint8_t file_id[16];
	uint64_t number; // of the record, from 1 on; a higher one is younger
	uint64_t block;  // where it stands
	uint64_t payload_bytes, payload_sum, meta_sum;
	uint32_t meta_bytes; // struct keep_tlv and its data, padded to 8
	uint32_t session;    // one run of `zoe keep`
	uint8_t boot_id[16]; // of the kernel whose CLOCK_MONOTONIC this is; 0 = not known
	uint64_t realtime_ns;
	/* the frame */
	uint64_t seq;
	uint64_t lost; // frames of the stream that are missing before this one
	uint64_t pts_ns, publish_ns, duration_ns, source_seq, user[2];
	uint32_t clock, flags, generation, rate_num, rate_den;
	uint32_t fourcc, width, height, n_planes, stride[4], offset[4];
	uint32_t reserved0;
	uint64_t modifier;
	uint8_t transform, alpha, primaries, transfer, matrix, range, chroma_site, field;
	char stream[KEEP_STREAM_SIZE];
	uint8_t reserved[136]; // zero
	uint64_t sum;          // XXH3 (64 bits) of the bytes before it
};

struct keep_tlv {
	uint32_t tag, size; // enum zoe_tag; bytes of data, without padding
};
#pragma GCC diagnostic pop

static_assert(sizeof(struct keep_super) == 48, "layout");
static_assert(offsetof(struct keep_super, sum) == 40, "layout");
static_assert(offsetof(struct keep_head, number) == 24, "layout");
static_assert(offsetof(struct keep_head, payload_bytes) == 40, "layout");
static_assert(offsetof(struct keep_head, meta_bytes) == 64, "layout");
static_assert(offsetof(struct keep_head, realtime_ns) == 88, "layout");
static_assert(offsetof(struct keep_head, clock) == 160, "layout");
static_assert(offsetof(struct keep_head, stride) == 196, "layout");
static_assert(offsetof(struct keep_head, modifier) == 232, "layout");
static_assert(offsetof(struct keep_head, transform) == 240, "layout");
static_assert(offsetof(struct keep_head, stream) == 248, "layout");
static_assert(offsetof(struct keep_head, reserved) == 352, "layout");
static_assert(offsetof(struct keep_head, sum) == 488, "layout");
static_assert(sizeof(struct keep_head) == 496, "layout");

static inline uint64_t keep_round_up(uint64_t bytes, uint64_t unit) {
	return (bytes + unit - 1) / unit * unit;
}

/* Where the payload begins in its record. */
static inline uint64_t keep_get_payload_offset(uint32_t meta_bytes) {
	return keep_round_up(sizeof(struct keep_head) + meta_bytes, KEEP_ALIGN_BYTES);
}

/* Blocks of a record. meta_bytes <= KEEP_MAX_META, payload_bytes < 2^32. */
static inline uint64_t keep_get_n_blocks(uint32_t meta_bytes, uint64_t payload_bytes) {
	return keep_round_up(
		       keep_get_payload_offset(meta_bytes) + payload_bytes, KEEP_BLOCK_BYTES) /
	       KEEP_BLOCK_BYTES;
}
#endif
