/* SPDX-License-Identifier: MIT */
/*
 * What a producer says of a frame: its header, its tags; and formats as people spell them.
 * Input: u8 0 = a header and tags, else a text.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frame_check.h"
#include "fuzz.h"

enum { META_BYTES = 512, MAX_PUTS = 16 };

/* What an accepted format promises to whoever walks its planes. */
static void check_format(const struct zoe_format *f, uint64_t capacity) {
	must(zoe_format_check(f, capacity) == 0);
	must(f->n_planes >= 1 && f->n_planes <= 4);
	must(f->size_bytes <= capacity && f->size_bytes <= UINT32_MAX);
	must(zoe_format_get_name(f->fourcc) != NULL);
	must(zoe_format_find_fourcc(zoe_format_get_name(f->fourcc)) == f->fourcc);
	for (unsigned p = 0; p < f->n_planes; p++) {
		uint32_t row_bytes = 0, n_rows = 0;

		must(zoe_format_get_plane(f, p, &row_bytes, &n_rows) == 0);
		must(row_bytes > 0 && n_rows > 0 && f->stride[p] >= row_bytes);
		must((uint64_t)f->offset[p] + (uint64_t)f->stride[p] * (n_rows - 1) + row_bytes <=
			f->size_bytes);
	}
}

static void check_header(struct input *in) {
	uint64_t slot_bytes = input_u32(in);
	uint32_t meta_capacity = input_u16(in) % 256;
	struct zoe_format f, known = {0};
	struct zoe_frame_header hdr, again;

	input_copy(in, &hdr, sizeof(hdr));
	memset(&f, 0xa5, sizeof(f));
	if (zoe_frame_header_check(&hdr, slot_bytes, meta_capacity, &f) != 0) {
		must(f.fourcc == 0xa5a5a5a5);
		must(zoe_frame_header_check_known(&hdr, slot_bytes, meta_capacity, &known) ==
			-EBADMSG);
		return;
	}
	check_format(&f, slot_bytes);
	must(hdr.rate_den != 0 && hdr.meta_size <= meta_capacity);
	must((uint64_t)hdr.n_damage * 16 <= hdr.meta_size);
	must((uint32_t)hdr.crop_x + hdr.crop_width <= hdr.width);
	must((uint32_t)hdr.crop_y + hdr.crop_height <= hdr.height);
	for (unsigned i = 0; i < 2; i++) { /* not known yet; then known */
		must(zoe_frame_header_check_known(&hdr, slot_bytes, meta_capacity, &known) == 0);
		must(zoe_format_is_equal(&f, &known));
	}
	memset(&again, 0, sizeof(again));
	zoe_frame_header_set_format(&again, &f);
	must(zoe_frame_header_check(&again, slot_bytes, 0, &known) == 0);
	must(zoe_format_is_equal(&f, &known));
}

/* Tags that a stranger wrote, then ours among them. */
static void check_tags(struct input *in) {
	uint32_t used = input_u16(in) % (META_BYTES + 1);
	uint8_t *meta = aligned_alloc(8, META_BYTES);

	must(meta);
	input_copy(in, meta, META_BYTES);
	for (uint32_t tag = 0; tag < 8; tag++) {
		size_t size = 0;
		const uint8_t *at = zoe_tlv_find(meta, used, tag, &size);

		must(!at || (at >= meta + 8 && at + size <= meta + used));
	}
	for (unsigned i = 0; i < MAX_PUTS && in->left > 0; i++) {
		uint32_t tag = input_below(in, 8), before = used;
		size_t size = input_u8(in) * 2u, found = 0;
		uint8_t data[512];
		const void *at;
		int r;

		memset(data, (int)(i + 1), sizeof(data));
		r = zoe_tlv_put(meta, META_BYTES, &used, tag, data, size);
		must(used <= META_BYTES);
		if (r != 0) {
			must(used == before && (r == -ENOSPC || r == -EINVAL));
			continue;
		}
		at = zoe_tlv_find(meta, used, tag, &found);
		must(at && found == size && memcmp(at, data, size) == 0);
	}
	free(meta);
}

static void check_text(const uint8_t *data, size_t size) {
	char *text = malloc(size + 1);
	struct zoe_format f;

	must(text);
	memcpy(text, data, size);
	text[size] = '\0';
	memset(&f, 0xa5, sizeof(f));
	if (zoe_format_parse(&f, text) == 0) {
		check_format(&f, UINT32_MAX);
	} else {
		must(f.fourcc == 0xa5a5a5a5);
	}
	if (zoe_format_find_fourcc(text) != 0) {
		must(zoe_format_get_name(zoe_format_find_fourcc(text)) != NULL);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct input in = {data, size};

	if (input_u8(&in) != 0) {
		check_text(in.at, in.left);
		return 0;
	}
	check_header(&in);
	check_tags(&in);
	return 0;
}
