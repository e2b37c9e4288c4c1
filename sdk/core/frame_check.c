/* SPDX-License-Identifier: MIT */
#include "frame_check.h"

#include <errno.h>
#include <string.h>

void zoe_frame_header_set_format(struct zoe_frame_header *hdr, const struct zoe_format *f) {
	hdr->fourcc = f->fourcc;
	hdr->width = f->width;
	hdr->height = f->height;
	hdr->size = (uint32_t)f->size_bytes;
	hdr->modifier = f->modifier;
	memcpy(hdr->offset, f->offset, sizeof(hdr->offset));
	memcpy(hdr->stride, f->stride, sizeof(hdr->stride));
	hdr->n_planes = (uint8_t)f->n_planes;
	hdr->transform = f->transform;
	hdr->alpha_mode = f->alpha;
	hdr->field = f->field;
	hdr->primaries = f->primaries;
	hdr->transfer = f->transfer;
	hdr->matrix = f->matrix;
	hdr->range = f->range;
	hdr->chroma_site = f->chroma_site;
}

int zoe_frame_header_check(const struct zoe_frame_header *copy, uint64_t slot_bytes,
	uint32_t meta_capacity, struct zoe_format *out) {
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

	memcpy(f.stride, copy->stride, sizeof(f.stride));
	memcpy(f.offset, copy->offset, sizeof(f.offset));
	if (copy->meta_size > meta_capacity || zoe_format_check(&f, slot_bytes) != 0) {
		return -EBADMSG;
	}
	*out = f;
	return 0;
}

/* Where the entry at `at` ends; 0 = it does not fit. */
static uint32_t tlv_end(const uint8_t *meta, uint32_t used, uint32_t at, struct zoe_tlv *tlv) {
	uint64_t end;

	if (used - at < sizeof(*tlv)) {
		return 0;
	}
	memcpy(tlv, meta + at, sizeof(*tlv));
	end = (uint64_t)at + sizeof(*tlv) + ((uint64_t)tlv->size + 7) / 8 * 8;
	return end <= used ? (uint32_t)end : 0;
}

const void *zoe_tlv_find(const uint8_t *meta, uint32_t used, uint32_t tag, size_t *size) {
	struct zoe_tlv tlv;
	uint32_t end;

	for (uint32_t at = 0; at < used; at = end) {
		end = tlv_end(meta, used, at, &tlv);
		if (end == 0) {
			return NULL;
		}
		if (tlv.tag == tag) {
			*size = tlv.size;
			return meta + at + sizeof(tlv);
		}
	}
	return NULL;
}

static void tlv_remove(uint8_t *meta, uint32_t *used, uint32_t tag) {
	struct zoe_tlv tlv;
	uint32_t end;

	for (uint32_t at = 0; at < *used; at = end) {
		end = tlv_end(meta, *used, at, &tlv);
		if (end == 0) {
			return;
		}
		if (tlv.tag == tag) {
			memmove(meta + at, meta + end, *used - end);
			*used -= end - at;
			return;
		}
	}
}

int zoe_tlv_put(uint8_t *meta, uint32_t capacity, uint32_t *used, uint32_t tag, const void *data,
	size_t size) {
	struct zoe_tlv tlv = {.tag = tag};
	uint64_t padded = ((uint64_t)size + 7) / 8 * 8;
	uint64_t end;

	if (tag == 0 || (!data && size)) {
		return -EINVAL;
	}
	if (size > capacity) {
		return -ENOSPC;
	}
	tlv_remove(meta, used, tag);
	end = (uint64_t)*used + sizeof(tlv) + padded;
	if (end > capacity) {
		return -ENOSPC;
	}
	tlv.size = (uint32_t)size;
	memcpy(meta + *used, &tlv, sizeof(tlv));
	if (size) {
		memcpy(meta + *used + sizeof(tlv), data, size);
	}
	memset(meta + *used + sizeof(tlv) + size, 0, (size_t)(padded - size));
	*used = (uint32_t)end;
	return 0;
}
