/* SPDX-License-Identifier: MIT */
#include "frame_check.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { DAMAGE_BYTES = 16 }; // x, y, width, height

static bool has_sane_crop(const struct zoe_frame_header *hdr) {
	if (hdr->crop_width == 0 || hdr->crop_height == 0) {
		return (hdr->crop_x | hdr->crop_y | hdr->crop_width | hdr->crop_height) == 0;
	}
	return (uint32_t)hdr->crop_x + hdr->crop_width <= hdr->width &&
	       (uint32_t)hdr->crop_y + hdr->crop_height <= hdr->height;
}

/* No zero below a fraction's line: readers divide. */
static bool has_sane_fractions(const struct zoe_frame_header *hdr) {
	return hdr->rate_den != 0 && (hdr->par_num == 0) == (hdr->par_den == 0);
}

static bool format_is_known(const struct zoe_format *f, const struct zoe_format *known) {
	return known->n_planes != 0 && zoe_format_is_equal(f, known);
}

int zoe_frame_header_check_known(const struct zoe_frame_header *copy, uint64_t slot_bytes,
	uint32_t meta_capacity, struct zoe_format *known) {
	struct zoe_format f = {
		.fourcc = copy->fourcc,
		.width = copy->width,
		.height = copy->height,
		.n_planes = copy->n_planes,
		.modifier = copy->modifier,
		.size_bytes = copy->size,
		.transform = copy->transform,
		.alpha = copy->alpha_mode,
		.primaries = copy->primaries,
		.transfer = copy->transfer,
		.matrix = copy->matrix,
		.range = copy->range,
		.chroma_site = copy->chroma_site,
		.field = copy->field,
	};

	for (unsigned i = 0; i < 4 && i < f.n_planes; i++) {
		f.stride[i] = copy->stride[i];
		f.offset[i] = copy->offset[i];
	}
	if ((!format_is_known(&f, known) && zoe_format_check(&f, slot_bytes) != 0) ||
		!has_sane_crop(copy) || !has_sane_fractions(copy) ||
		copy->meta_size > meta_capacity ||
		copy->n_damage > copy->meta_size / DAMAGE_BYTES) {
		return -EBADMSG;
	}
	*known = f;
	return 0;
}

int zoe_frame_header_check(const struct zoe_frame_header *copy, uint64_t slot_bytes,
	uint32_t meta_capacity, struct zoe_format *out) {
	struct zoe_format f = {0};
	int error = zoe_frame_header_check_known(copy, slot_bytes, meta_capacity, &f);

	if (!error) {
		*out = f;
	}
	return error;
}

void zoe_frame_header_set_format(struct zoe_frame_header *hdr, const struct zoe_format *f) {
	hdr->size = (uint32_t)f->size_bytes;
	hdr->width = f->width;
	hdr->height = f->height;
	hdr->fourcc = f->fourcc;
	hdr->modifier = f->modifier;
	for (unsigned i = 0; i < 4; i++) {
		hdr->offset[i] = i < f->n_planes ? f->offset[i] : 0;
		hdr->stride[i] = i < f->n_planes ? f->stride[i] : 0;
	}
	hdr->crop_x = hdr->crop_y = hdr->crop_width = hdr->crop_height = 0;
	hdr->n_planes = (uint8_t)f->n_planes;
	hdr->transform = f->transform;
	hdr->alpha_mode = f->alpha;
	hdr->field = f->field;
	hdr->primaries = f->primaries;
	hdr->transfer = f->transfer;
	hdr->matrix = f->matrix;
	hdr->range = f->range;
	hdr->chroma_site = f->chroma_site;
	if (hdr->rate_den == 0) {
		hdr->rate_num = 0;
		hdr->rate_den = 1;
	}
}

static uint64_t tlv_total(uint64_t size) {
	return sizeof(struct zoe_tlv) + (size + ZOE_TLV_ALIGN - 1) / ZOE_TLV_ALIGN * ZOE_TLV_ALIGN;
}

/* Reads the TLV at pos, each word once; what follows works with *tlv alone.
 * Returns: its bytes, at least 8, all of them before `used`; 0 = no (whole) TLV there. */
static uint32_t tlv_read(const uint8_t *meta, uint32_t used, uint32_t pos, struct zoe_tlv *tlv) {
	uint32_t left = used - pos;
	uint64_t total;

	if (left < sizeof(*tlv)) {
		return 0;
	}
	memcpy(tlv, meta + pos, sizeof(*tlv));
	total = tlv_total(tlv->size);
	return total <= left ? (uint32_t)total : 0;
}

/* Where the tag stands, and its bytes; pos = used and 0 bytes if it is absent.
 * Returns: 0; -EINVAL the TLVs are broken, be it behind the tag, or name it twice: what is added
 * there later could not be found. */
static int tlv_seek(const uint8_t *meta, uint32_t used, uint32_t tag, uint32_t *found_pos,
	uint32_t *found_bytes) {
	struct zoe_tlv tlv;
	uint32_t bytes;

	*found_pos = used;
	*found_bytes = 0;
	for (uint32_t pos = 0; pos < used; pos += bytes) {
		bytes = tlv_read(meta, used, pos, &tlv);
		if (bytes == 0 || (tlv.tag == tag && *found_bytes != 0)) {
			return -EINVAL;
		}
		if (tlv.tag == tag) {
			*found_pos = pos;
			*found_bytes = bytes;
		}
	}
	return 0;
}

int zoe_tlv_put(uint8_t *meta, uint32_t capacity, uint32_t *used, uint32_t tag, const void *data,
	size_t size) {
	struct zoe_tlv tlv = {.tag = tag};
	uint32_t pos, old_bytes, kept, new_bytes;

	if (tag == 0 || (!data && size != 0) || *used > capacity ||
		tlv_seek(meta, *used, tag, &pos, &old_bytes) != 0) {
		return -EINVAL;
	}
	kept = *used - old_bytes;
	if (size > capacity || tlv_total(size) > capacity - kept) {
		return -ENOSPC;
	}
	tlv.size = (uint32_t)size;
	new_bytes = (uint32_t)tlv_total(size);
	if (new_bytes != old_bytes) {
		memmove(meta + pos, meta + pos + old_bytes, kept - pos);
		pos = kept;
	}
	memcpy(meta + pos, &tlv, sizeof(tlv));
	if (size != 0) {
		memcpy(meta + pos + sizeof(tlv), data, size);
	}
	/* The padding is shared memory too: nothing of an older frame may show through it. */
	memset(meta + pos + sizeof(tlv) + size, 0, new_bytes - sizeof(tlv) - size);
	*used = kept + new_bytes;
	return 0;
}

const void *zoe_tlv_find(const uint8_t *meta, uint32_t used, uint32_t tag, size_t *size) {
	struct zoe_tlv tlv;
	uint32_t bytes;

	for (uint32_t pos = 0; pos < used; pos += bytes) {
		bytes = tlv_read(meta, used, pos, &tlv);
		if (bytes == 0) {
			return NULL;
		}
		if (tlv.tag == tag) {
			*size = tlv.size;
			return meta + pos + sizeof(tlv);
		}
	}
	return NULL;
}
