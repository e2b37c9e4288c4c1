/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <zoe/frame.h>

#include "attr.h"

enum { MAX_DIMENSION = 65535 };

/* One plane: bytes of a group of `group` pixels; subsampling as powers of two. */
struct plane_layout {
	uint8_t group, group_bytes;
	uint8_t shift_x, shift_y;
};

struct format_layout {
	uint32_t fourcc;
	char name[5];
	uint8_t n_planes;
	struct plane_layout planes[3];
	/* Other spellings: drm_fourcc.h's long name, FFmpeg's, GStreamer's, V4L2's. */
	const char *spellings;
};

/* Plane layouts as drm_fourcc.h (Linux) describes them. Where two worlds use one word for two
 * formats the row that has the word decides: BGR is GStreamer's and FFmpeg's bytes B, G, R. */
static const struct format_layout formats[] = {
	{ZOE_FORMAT_XR24, "XR24", 1, {{1, 4, 0, 0}}, "XRGB8888,bgr0,BGRx"},
	{ZOE_FORMAT_AR24, "AR24", 1, {{1, 4, 0, 0}}, "ARGB8888,bgra"},
	{ZOE_FORMAT_XB24, "XB24", 1, {{1, 4, 0, 0}}, "XBGR8888,rgb0,RGBx"},
	{ZOE_FORMAT_AB24, "AB24", 1, {{1, 4, 0, 0}}, "ABGR8888,rgba"},
	{ZOE_FORMAT_RG24, "RG24", 1, {{1, 3, 0, 0}}, "RGB888,bgr24,BGR,BGR3"},
	{ZOE_FORMAT_BG24, "BG24", 1, {{1, 3, 0, 0}}, "BGR888,rgb24,RGB,RGB3"},
	{ZOE_FORMAT_XR30, "XR30", 1, {{1, 4, 0, 0}}, "XRGB2101010,x2rgb10le,x2rgb10,BGR10x2_LE"},
	{ZOE_FORMAT_RG16, "RG16", 1, {{1, 2, 0, 0}}, "RGB565,rgb565le,RGB16,RGBP"},
	{ZOE_FORMAT_R8, "R8", 1, {{1, 1, 0, 0}}, "gray,gray8,GREY,Y800"},
	{ZOE_FORMAT_YUYV, "YUYV", 1, {{2, 4, 0, 0}}, "yuyv422,YUY2"},
	{ZOE_FORMAT_UYVY, "UYVY", 1, {{2, 4, 0, 0}}, "uyvy422"},
	{ZOE_FORMAT_NV12, "NV12", 2, {{1, 1, 0, 0}, {1, 2, 1, 1}}, "NM12"},
	{ZOE_FORMAT_P010, "P010", 2, {{1, 2, 0, 0}, {1, 4, 1, 1}}, "p010le,P010_10LE"},
	{ZOE_FORMAT_YU12, "YU12", 3, {{1, 1, 0, 0}, {1, 1, 1, 1}, {1, 1, 1, 1}},
		"YUV420,I420,yuv420p"},
	{ZOE_FORMAT_AB4H, "AB4H", 1, {{1, 8, 0, 0}}, "ABGR16161616F,rgbaf16le,rgbaf16"},
	{ZOE_FORMAT_BLOB, "BLOB", 1, {{1, 1, 0, 0}}, "bytes"},
};

static const struct format_layout *layout_find(uint32_t fourcc) {
	for (size_t i = 0; i < n_elements(formats); i++) {
		if (formats[i].fourcc == fourcc) {
			return &formats[i];
		}
	}
	return NULL;
}

const char *zoe_format_get_name(uint32_t fourcc) {
	const struct format_layout *layout = layout_find(fourcc);

	return layout ? layout->name : NULL;
}

uint32_t zoe_format_get_known(unsigned i, const char **spellings) {
	if (i >= n_elements(formats)) {
		return 0;
	}
	if (spellings) {
		*spellings = formats[i].spellings;
	}
	return formats[i].fourcc;
}

/* Is word one of the comma-separated words of list, whatever the case? */
static bool list_has(const char *list, const char *word) {
	size_t len = strlen(word);

	while (*list) {
		size_t one = strcspn(list, ",");

		if (one == len && strncasecmp(list, word, len) == 0) {
			return true;
		}
		list += one + (list[one] == ',');
	}
	return false;
}

uint32_t zoe_format_find_fourcc(const char *name) {
	if (!name || !name[0]) {
		return 0;
	}
	for (size_t i = 0; i < n_elements(formats); i++) {
		if (strcasecmp(formats[i].name, name) == 0) {
			return formats[i].fourcc;
		}
	}
	for (size_t i = 0; i < n_elements(formats); i++) {
		if (list_has(formats[i].spellings, name)) {
			return formats[i].fourcc;
		}
	}
	return 0;
}

/* Bytes a row and rows of a plane, before they are known to fit 32 bits. */
static void plane_get_size(const struct plane_layout *plane, uint32_t width, uint32_t height,
	uint64_t *row_bytes, uint64_t *rows) {
	uint64_t across = ((uint64_t)width + (1u << plane->shift_x) - 1) >> plane->shift_x;

	*row_bytes = (across + plane->group - 1) / plane->group * plane->group_bytes;
	*rows = ((uint64_t)height + (1u << plane->shift_y) - 1) >> plane->shift_y;
}

static bool size_is_possible(const struct format_layout *layout, uint32_t width, uint32_t height) {
	if (layout->fourcc == ZOE_FORMAT_BLOB) {
		return width > 0 && height == 1;
	}
	return width > 0 && height > 0 && width <= MAX_DIMENSION && height <= MAX_DIMENSION;
}

int zoe_format_init(struct zoe_format *f, uint32_t fourcc, uint32_t width, uint32_t height) {
	const struct format_layout *layout = layout_find(fourcc);
	struct zoe_format made = {.fourcc = fourcc, .width = width, .height = height};

	if (!layout || !size_is_possible(layout, width, height)) {
		return -EINVAL;
	}
	made.n_planes = layout->n_planes;
	for (uint32_t i = 0; i < layout->n_planes; i++) {
		uint64_t row_bytes, rows;

		plane_get_size(&layout->planes[i], width, height, &row_bytes, &rows);
		if (made.size_bytes + row_bytes * rows > UINT32_MAX) {
			return -EOVERFLOW;
		}
		made.stride[i] = (uint32_t)row_bytes;
		made.offset[i] = (uint32_t)made.size_bytes;
		made.size_bytes += row_bytes * rows;
	}
	*f = made;
	return 0;
}

int zoe_format_parse(struct zoe_format *f, const char *text) {
	unsigned long long width, height = 1;
	char name[32] = "XR24", rest;
	uint32_t fourcc;

	if (sscanf(text, " BLOB %llu %c", &width, &rest) == 1 ||
		sscanf(text, " blob %llu %c", &width, &rest) == 1) {
		fourcc = ZOE_FORMAT_BLOB;
	} else {
		int n = sscanf(text, " %llux%llu %31s %c", &width, &height, name, &rest);

		if (n != 2 && n != 3) {
			return -EINVAL;
		}
		fourcc = zoe_format_find_fourcc(name);
	}
	if (strchr(text, '-') || strchr(text, '+')) {
		return -EINVAL; /* sscanf's idea of unsigned */
	}
	if (width > UINT32_MAX || height > UINT32_MAX) {
		return -EOVERFLOW;
	}
	return zoe_format_init(f, fourcc, (uint32_t)width, (uint32_t)height);
}

int zoe_format_get_plane(
	const struct zoe_format *f, unsigned plane, uint32_t *row_bytes, uint32_t *rows) {
	const struct format_layout *layout = layout_find(f->fourcc);
	uint64_t bytes, n;

	if (!layout || plane >= layout->n_planes ||
		!size_is_possible(layout, f->width, f->height)) {
		return -EINVAL;
	}
	plane_get_size(&layout->planes[plane], f->width, f->height, &bytes, &n);
	if (bytes > UINT32_MAX) {
		return -EINVAL;
	}
	*row_bytes = (uint32_t)bytes;
	*rows = (uint32_t)n;
	return 0;
}

int zoe_format_check(const struct zoe_format *f, uint64_t capacity_bytes) {
	const struct format_layout *layout = layout_find(f->fourcc);

	if (!layout || f->modifier != 0 || f->n_planes != layout->n_planes || f->transform > 7 ||
		f->size_bytes == 0 || f->size_bytes > UINT32_MAX) {
		return -EINVAL;
	}
	for (uint32_t i = 0; i < f->n_planes; i++) {
		uint32_t row_bytes, rows;
		uint64_t end;

		if (zoe_format_get_plane(f, i, &row_bytes, &rows) != 0 ||
			f->stride[i] < row_bytes) {
			return -EINVAL;
		}
		/* 32-bit factors: neither the product nor the sum can overflow 64 bits. */
		end = f->offset[i] + (uint64_t)f->stride[i] * (rows - 1) + row_bytes;
		if (end > f->size_bytes) {
			return -EINVAL;
		}
	}
	return f->size_bytes <= capacity_bytes ? 0 : -EMSGSIZE;
}
