/* SPDX-License-Identifier: MIT */
/*
 * The one table of pixel formats, and the plane maths that follows from it.
 * A plane is a grid of blocks: `block_bytes` bytes hold `h_sub` by `v_sub` pixels. That covers
 * packed 4:2:2 (4 bytes for 2 by 1) as well as the CbCr plane of NV12 (2 bytes for 2 by 2); a grid
 * that does not divide evenly is rounded up.
 * Includes: libc only, no I/O, nothing that depends on the locale: this runs in strangers'
 * programs.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <zoe/frame.h>

#include "attr.h"

#define MAX_SIDE 65535u
#define MAX_PLANES 3u

struct plane_info {
	uint8_t block_bytes, h_sub, v_sub;
};

struct format_info {
	uint32_t fourcc;
	uint32_t n_planes;
	struct plane_info planes[MAX_PLANES];
	const char *name;      // DRM's fourcc without the trailing spaces
	const char *spellings; // comma-separated, compared without regard to case
};

/* GStreamer and FFmpeg name bytes in the order of memory, DRM names bits from the highest of a
 * little-endian word: GStreamer's BGRA and DRM's ARGB8888 are one format, and DRM's RGB888 is
 * FFmpeg's bgr24. V4L2's own codes are those of DRM but for RGB3, BGR3, RGBP, GREY and NM12. */
static const struct format_info formats[] = {
	{ZOE_FORMAT_XR24, 1, {{4, 1, 1}}, "XR24", "XRGB8888,BGRx,bgr0"},
	{ZOE_FORMAT_AR24, 1, {{4, 1, 1}}, "AR24", "ARGB8888,BGRA"},
	{ZOE_FORMAT_XB24, 1, {{4, 1, 1}}, "XB24", "XBGR8888,RGBx,rgb0"},
	{ZOE_FORMAT_AB24, 1, {{4, 1, 1}}, "AB24", "ABGR8888,RGBA"},
	{ZOE_FORMAT_RG24, 1, {{3, 1, 1}}, "RG24", "RGB888,BGR,bgr24,BGR3"},
	{ZOE_FORMAT_BG24, 1, {{3, 1, 1}}, "BG24", "BGR888,RGB,rgb24,RGB3"},
	{ZOE_FORMAT_XR30, 1, {{4, 1, 1}}, "XR30", "XRGB2101010,x2rgb10le,x2rgb10,BGR10x2_LE"},
	{ZOE_FORMAT_RG16, 1, {{2, 1, 1}}, "RG16", "RGB565,RGB16,rgb565le,RGBP"},
	{ZOE_FORMAT_R8, 1, {{1, 1, 1}}, "R8", "GRAY8,gray,GREY,Y800"},
	{ZOE_FORMAT_YUYV, 1, {{4, 2, 1}}, "YUYV", "YUY2,yuyv422"},
	{ZOE_FORMAT_UYVY, 1, {{4, 2, 1}}, "UYVY", "uyvy422"},
	{ZOE_FORMAT_NV12, 2, {{1, 1, 1}, {2, 2, 2}}, "NV12", "NM12"},
	{ZOE_FORMAT_P010, 2, {{2, 1, 1}, {4, 2, 2}}, "P010", "P010_10LE,p010le"},
	{ZOE_FORMAT_YU12, 3, {{1, 1, 1}, {1, 2, 2}, {1, 2, 2}}, "YU12", "YUV420,I420,IYUV,yuv420p"},
	{ZOE_FORMAT_AB4H, 1, {{8, 1, 1}}, "AB4H", "ABGR16161616F,rgbaf16le,rgbaf16"},
	{ZOE_FORMAT_BLOB, 1, {{1, 1, 1}}, "BLOB", "bytes"},
};

static const struct format_info *info_find(uint32_t fourcc) {
	for (size_t i = 0; i < n_elements(formats); i++) {
		if (formats[i].fourcc == fourcc) {
			return &formats[i];
		}
	}
	return NULL;
}

/* ASCII's, not the locale's: the Turkish one would not find "i420". */
static char to_lower(char c) {
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool word_is(const char *a, size_t a_len, const char *b, size_t b_len) {
	if (a_len != b_len) {
		return false;
	}
	for (size_t i = 0; i < a_len; i++) {
		if (to_lower(a[i]) != to_lower(b[i])) {
			return false;
		}
	}
	return true;
}

static bool list_has(const char *list, const char *word, size_t len) {
	for (;;) {
		size_t n = strcspn(list, ",");

		if (n != 0 && word_is(list, n, word, len)) {
			return true;
		}
		if (list[n] == '\0') {
			return false;
		}
		list += n + 1;
	}
}

static const struct format_info *info_find_named(const char *word, size_t len) {
	for (size_t i = 0; i < n_elements(formats); i++) {
		const struct format_info *info = &formats[i];

		if (word_is(info->name, strlen(info->name), word, len) ||
			list_has(info->spellings, word, len)) {
			return info;
		}
	}
	return NULL;
}

/* Returns: 0; -EINVAL; -EOVERFLOW a side is too long. */
static int sides_check(uint32_t fourcc, uint32_t width, uint32_t height) {
	if (width == 0 || height == 0) {
		return -EINVAL;
	}
	if (fourcc == ZOE_FORMAT_BLOB) {
		return height == 1 ? 0 : -EINVAL;
	}
	return width <= MAX_SIDE && height <= MAX_SIDE ? 0 : -EOVERFLOW;
}

/* With sides that passed sides_check nothing overflows: 65535 pixels of 8 bytes, or a BLOB. */
static uint32_t plane_row_bytes(const struct plane_info *plane, uint32_t width) {
	return (width / plane->h_sub + (width % plane->h_sub != 0)) * plane->block_bytes;
}

static uint32_t plane_rows(const struct plane_info *plane, uint32_t height) {
	return height / plane->v_sub + (height % plane->v_sub != 0);
}

int zoe_format_init(struct zoe_format *f, uint32_t fourcc, uint32_t width, uint32_t height) {
	const struct format_info *info = info_find(fourcc);
	struct zoe_format tight = {.fourcc = fourcc, .width = width, .height = height};
	uint64_t end = 0;
	int error;

	if (!info) {
		return -EINVAL;
	}
	error = sides_check(fourcc, width, height);
	if (error) {
		return error;
	}
	tight.n_planes = info->n_planes;
	for (uint32_t i = 0; i < info->n_planes; i++) {
		tight.offset[i] = (uint32_t)end;
		tight.stride[i] = plane_row_bytes(&info->planes[i], width);
		end += (uint64_t)tight.stride[i] * plane_rows(&info->planes[i], height);
		if (end > UINT32_MAX) {
			return -EOVERFLOW;
		}
	}
	tight.size_bytes = end;
	*f = tight;
	return 0;
}

static const char *skip_blanks(const char *text) {
	return text + strspn(text, " \t");
}

/* Returns: 0, and *text past the digits; -EINVAL no digit; -EOVERFLOW beyond 32 bits. */
static int consume_number(const char **text, uint32_t *value) {
	const char *at = *text;
	uint64_t sum = 0;

	if (*at < '0' || *at > '9') {
		return -EINVAL;
	}
	for (; *at >= '0' && *at <= '9'; at++) {
		sum = sum * 10 + (uint64_t)(*at - '0');
		if (sum > UINT32_MAX) {
			return -EOVERFLOW;
		}
	}
	*text = at;
	*value = (uint32_t)sum;
	return 0;
}

/* "BLOB 4096": text stands behind the word. */
static int parse_blob(struct zoe_format *f, const char *text) {
	const char *at = skip_blanks(text);
	uint32_t bytes;
	int error;

	if (at == text) {
		return -EINVAL;
	}
	error = consume_number(&at, &bytes);
	if (error) {
		return error;
	}
	return *skip_blanks(at) == '\0' ? zoe_format_init(f, ZOE_FORMAT_BLOB, bytes, 1) : -EINVAL;
}

/* "1920x1080" or "1920x1080 XR24". */
static int parse_picture(struct zoe_format *f, const char *at) {
	const struct format_info *info = info_find(ZOE_FORMAT_XR24);
	uint32_t width, height;
	const char *word;
	size_t len;
	int error;

	error = consume_number(&at, &width);
	if (error) {
		return error;
	}
	if (to_lower(*at++) != 'x') {
		return -EINVAL;
	}
	error = consume_number(&at, &height);
	if (error) {
		return error;
	}
	word = skip_blanks(at);
	len = strcspn(word, " \t");
	if (len != 0) {
		info = word == at ? NULL : info_find_named(word, len);
	}
	if (!info || *skip_blanks(word + len) != '\0') {
		return -EINVAL;
	}
	return zoe_format_init(f, info->fourcc, width, height);
}

int zoe_format_parse(struct zoe_format *f, const char *text) {
	const char *at = skip_blanks(text);
	size_t len = strcspn(at, " \t");
	const struct format_info *info = info_find_named(at, len);

	if (info && info->fourcc == ZOE_FORMAT_BLOB) {
		return parse_blob(f, at + len);
	}
	return parse_picture(f, at);
}

uint32_t zoe_format_find_fourcc(const char *name) {
	const struct format_info *info = name ? info_find_named(name, strlen(name)) : NULL;

	return info ? info->fourcc : 0;
}

const char *zoe_format_get_name(uint32_t fourcc) {
	const struct format_info *info = info_find(fourcc);

	return info ? info->name : NULL;
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

int zoe_format_get_plane(
	const struct zoe_format *f, unsigned plane, uint32_t *row_bytes, uint32_t *rows) {
	const struct format_info *info = info_find(f->fourcc);

	if (!info || plane >= info->n_planes || sides_check(f->fourcc, f->width, f->height) != 0) {
		return -EINVAL;
	}
	*row_bytes = plane_row_bytes(&info->planes[plane], f->width);
	*rows = plane_rows(&info->planes[plane], f->height);
	return 0;
}

/* Where a plane's last pixel ends. Returns: 0; -EINVAL. */
static int plane_check(const struct zoe_format *f, unsigned plane) {
	uint32_t row_bytes, rows;
	uint64_t end;

	if (zoe_format_get_plane(f, plane, &row_bytes, &rows) != 0 ||
		f->stride[plane] < row_bytes) {
		return -EINVAL;
	}
	if (__builtin_mul_overflow((uint64_t)f->stride[plane], (uint64_t)rows - 1, &end) ||
		__builtin_add_overflow(end, (uint64_t)f->offset[plane] + row_bytes, &end)) {
		return -EINVAL;
	}
	return end <= f->size_bytes ? 0 : -EINVAL;
}

/* Values that programs use to index tables. H.273 leaves the code points open. */
static bool has_sane_codes(const struct zoe_format *f) {
	return f->transform <= 7 && f->alpha <= ZOE_ALPHA_STRAIGHT && f->range <= ZOE_RANGE_FULL &&
	       f->chroma_site <= 6 && f->field <= 2;
}

int zoe_format_check(const struct zoe_format *f, uint64_t capacity_bytes) {
	const struct format_info *info = info_find(f->fourcc);

	if (!info || f->n_planes != info->n_planes || f->modifier != 0 || !has_sane_codes(f)) {
		return -EINVAL;
	}
	for (unsigned i = 0; i < info->n_planes; i++) {
		if (plane_check(f, i) != 0) {
			return -EINVAL;
		}
	}
	return f->size_bytes <= capacity_bytes && f->size_bytes <= UINT32_MAX ? 0 : -EMSGSIZE;
}
