/* SPDX-License-Identifier: MIT */
/*
 * A file of zoe keep that anybody may have written. Input: u8 blocks; records, each laid down as a
 * writer would, then changed, with its sums made right again or left wrong; and changes that come
 * while the file is read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "fuzz.h"
#include "keep_file.h"

enum { MAX_BLOCKS = 24, MAX_RECORDS = 12, MAX_EDITS = 4, MAX_META = 256, MAX_LATER = 8 };

struct image {
	uint8_t *bytes;
	uint64_t n_blocks;
};

static uint8_t *image_at(const struct image *image, uint64_t block) {
	return image->bytes + block * KEEP_BLOCK_BYTES;
}

static void image_make(struct image *image, struct input *in) {
	struct keep_super super = {.version = KEEP_VERSION, .block_bytes = KEEP_BLOCK_BYTES};
	uint32_t at = input_u8(in);

	image->n_blocks = 1 + input_below(in, MAX_BLOCKS);
	image->bytes = calloc((size_t)image->n_blocks, KEEP_BLOCK_BYTES);
	must(image->bytes);
	memcpy(super.magic, KEEP_MAGIC, sizeof(super.magic));
	super.file_id[0] = 1;
	if (at < sizeof(super)) {
		((uint8_t *)&super)[at] ^= input_u8(in);
	}
	super.sum = XXH3_64bits(&super, offsetof(struct keep_super, sum));
	super.sum ^= input_below(in, 16) == 15;
	memcpy(image->bytes, &super, sizeof(super));
}

static void head_init(struct keep_head *head, struct input *in) {
	static const uint32_t fourccs[] = {ZOE_FORMAT_BLOB, ZOE_FORMAT_XR24, ZOE_FORMAT_NV12};
	uint32_t fourcc = fourccs[input_below(in, 3)], width = 1 + input_u16(in) % 8192;
	struct zoe_format f;

	must(zoe_format_init(&f, fourcc, fourcc == ZOE_FORMAT_BLOB ? width : width % 64 + 1,
		     fourcc == ZOE_FORMAT_BLOB ? 1 : 1 + input_below(in, 64)) == 0);
	*head = (struct keep_head){.magic = KEEP_HEAD_MAGIC,
		.head_bytes = sizeof(*head),
		.file_id = {1},
		.number = input_below(in, 16),
		.payload_bytes = f.size_bytes,
		.meta_bytes = input_u8(in) / 8 * 8u,
		.session = input_below(in, 2),
		.rate_den = 1,
		.fourcc = f.fourcc,
		.width = f.width,
		.height = f.height,
		.n_planes = f.n_planes,
		.stream = "s"};
	memcpy(head->stride, f.stride, sizeof(f.stride));
	memcpy(head->offset, f.offset, sizeof(f.offset));
}

/* The sums of what really lies there, as far as the file goes. */
static void head_set_sums(struct keep_head *head, const struct image *image) {
	uint64_t size = image->n_blocks * KEEP_BLOCK_BYTES, start = head->block * KEEP_BLOCK_BYTES;
	uint64_t meta = start + sizeof(*head);
	uint64_t payload = start + keep_get_payload_offset(head->meta_bytes % KEEP_MAX_META);

	if (meta <= size && head->meta_bytes <= size - meta) {
		head->meta_sum = XXH3_64bits(image->bytes + meta, head->meta_bytes);
	}
	if (payload <= size && head->payload_bytes <= size - payload) {
		head->payload_sum =
			XXH3_64bits(image->bytes + payload, (size_t)head->payload_bytes);
	}
}

static void record_write(struct image *image, struct input *in) {
	uint64_t block = input_u8(in) % image->n_blocks;
	uint32_t n_edits = input_below(in, MAX_EDITS), is_wrong;
	uint8_t meta[MAX_META];
	struct keep_head head;

	head_init(&head, in);
	head.block = block;
	input_copy(in, meta, input_below(in, 32));
	memcpy(image_at(image, block) + sizeof(head), meta, 32);
	for (uint32_t i = 0; i < n_edits; i++) {
		uint32_t at = input_u8(in) % (sizeof(head) / 4), value = input_u32(in);

		memcpy((uint8_t *)&head + 4 * (size_t)at, &value, sizeof(value));
	}
	is_wrong = input_below(in, 16);
	if (head.block < image->n_blocks) {
		head_set_sums(&head, image);
	}
	head.payload_sum ^= is_wrong == 13;
	head.meta_sum ^= is_wrong == 14;
	head.sum = XXH3_64bits(&head, offsetof(struct keep_head, sum)) ^ (is_wrong == 15);
	memcpy(image_at(image, block), &head, sizeof(head));
}

static void check_frame(const struct keep_frame *frame, bool has_payload) {
	const struct zoe_format *format = &frame->frame.format;

	must(zoe_format_check(format, UINT32_MAX) == 0);
	must(strnlen(frame->stream, sizeof(frame->stream)) < sizeof(frame->stream));
	must(frame->meta_bytes <= KEEP_MAX_META);
	touch(frame->meta, frame->meta_bytes);
	for (unsigned tag = 0; tag < 8; tag++) {
		size_t size = 0;
		const void *data = keep_frame_find(frame, (enum zoe_tag)tag, &size);

		touch(data, data ? size : 0);
	}
	for (unsigned i = 0; i < format->n_planes; i++) {
		uint32_t row_bytes = 0, n_rows = 0;

		must((frame->frame.plane[i] != NULL) == has_payload);
		must(zoe_format_get_plane(format, i, &row_bytes, &n_rows) == 0);
		if (has_payload) {
			touch(frame->frame.plane[i],
				(size_t)format->stride[i] * (n_rows - 1) + row_bytes);
		}
	}
}

static void read_all(struct keep_file *f) {
	struct keep_frame frame, last = {0};

	for (size_t i = 0; i < f->n_entries; i++) {
		const struct keep_entry *e = &f->entries[i];

		must(e->number > 0 && e->block >= 1 && e->n_blocks >= 1);
		must(e->block + e->n_blocks <= f->n_blocks);
		must(i == 0 || f->entries[i - 1].number < e->number);
		for (int has_payload = 0; has_payload <= 1; has_payload++) {
			int r = has_payload ? keep_file_read(f, i, &frame)
					    : keep_file_look(f, i, &frame);

			must(r == 0 || r == -ESTALE);
			if (r == 0) {
				check_frame(&frame, has_payload);
				(void)keep_frame_is_same_clock(&last, &frame);
				last = frame;
			}
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct input in = {data, size};
	struct keep_file f;
	struct image image;
	unsigned n_records, n_later;
	int r;

	image_make(&image, &in);
	n_records = input_below(&in, MAX_RECORDS);
	for (unsigned i = 0; i < n_records && in.left > 0; i++) {
		record_write(&image, &in);
	}
	n_later = input_below(&in, MAX_LATER);
	r = keep_file_open_bytes(&f, image.bytes, (size_t)image.n_blocks * KEEP_BLOCK_BYTES);
	must(r == 0 || ((r == -EINVAL || r == -EBADMSG) && f.error[0]));
	if (r == 0) {
		read_all(&f);
		for (unsigned i = 0; i < n_later && in.left > 0; i++) {
			record_write(&image, &in);
		}
		read_all(&f);
	}
	keep_file_close(&f);
	free(image.bytes);
	return 0;
}
