/* SPDX-License-Identifier: MIT */
#include "pixel.h"

#include <math.h>
#include <string.h>

#include "attr.h"

/* H.273's Kr and Kb, and the steps of the 8-bit codes. */
struct yuv {
	float kr, kb;
	float y_zero, y_scale, c_scale; // code = zero + scale * value
};

static struct yuv yuv_init(const struct zoe_format *f) {
	static const struct {
		uint8_t matrix;
		float kr, kb;
	} known[] = {{1, 0.2126f, 0.0722f}, {4, 0.30f, 0.11f}, {5, 0.299f, 0.114f},
		{6, 0.299f, 0.114f}, {7, 0.212f, 0.087f}, {9, 0.2627f, 0.0593f}};
	unsigned matrix = f->matrix;
	struct yuv yuv = {0.2126f, 0.0722f, 16, 219, 224};

	if (f->height <= 576) {
		yuv.kr = 0.299f;
		yuv.kb = 0.114f;
	}
	for (size_t i = 0; i < n_elements(known); i++) {
		if (known[i].matrix == matrix) {
			yuv.kr = known[i].kr;
			yuv.kb = known[i].kb;
		}
	}
	if (f->range == ZOE_RANGE_FULL) {
		yuv.y_zero = 0;
		yuv.y_scale = yuv.c_scale = 255;
	}
	return yuv;
}

static uint8_t clamp(float value) {
	return value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)(value + 0.5f);
}

/* The codes may have a fraction: those of 10 bits come divided by four. */
static void yuv_to_rgba(const struct yuv *m, const float code[3], uint8_t *rgba) {
	float y = (code[0] - m->y_zero) / m->y_scale;
	float cb = (code[1] - 128) / m->c_scale, cr = (code[2] - 128) / m->c_scale;
	float r = y + 2 * (1 - m->kr) * cr;
	float b = y + 2 * (1 - m->kb) * cb;
	float g = (y - m->kr * r - m->kb * b) / (1 - m->kr - m->kb);

	rgba[0] = clamp(r * 255);
	rgba[1] = clamp(g * 255);
	rgba[2] = clamp(b * 255);
	rgba[3] = 255;
}

static void yuv_from_rgba(const struct yuv *m, const uint8_t *rgba, float code[3]) {
	float r = (float)rgba[0] / 255, g = (float)rgba[1] / 255, b = (float)rgba[2] / 255;
	float y = m->kr * r + (1 - m->kr - m->kb) * g + m->kb * b;

	code[0] = m->y_zero + m->y_scale * y;
	code[1] = 128 + m->c_scale * (b - y) / (2 * (1 - m->kb));
	code[2] = 128 + m->c_scale * (r - y) / (2 * (1 - m->kr));
}

static uint32_t load16(const uint8_t *p) {
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static void store16(uint8_t *p, uint32_t value) {
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
}

static float half_to_float(uint32_t h) {
	int exponent = (int)(h >> 10 & 31);
	float mantissa = (float)(h & 1023);
	float value = exponent == 0    ? ldexpf(mantissa, -24)
		      : exponent == 31 ? 65536.0f
				       : ldexpf(mantissa + 1024, exponent - 25);

	return h & 0x8000 ? -value : value;
}

/* Of 0 to 1. */
static uint32_t half_from_float(float value) {
	int exponent;
	float mantissa = frexpf(value, &exponent);

	return value < 1.0f / 4096
		       ? 0
		       : (uint32_t)(exponent + 14) << 10 | ((uint32_t)(mantissa * 2048) & 1023);
}

/* Light itself (H.273 transfer 8) is put through sRGB's curve, IEC 61966-2-1. */
static uint8_t half_to_byte(uint32_t half, bool is_linear) {
	float v = half_to_float(half);

	if (is_linear && v > 0 && v < 1) {
		v = v <= 0.0031308f ? 12.92f * v : 1.055f * powf(v, 1 / 2.4f) - 0.055f;
	}
	return clamp(v * 255);
}

/* Where a colour lies in a pixel of whole bytes. */
static const struct byte_layout {
	uint32_t fourcc;
	uint8_t size, r, g, b;
	bool has_alpha; // the fourth byte
} layouts[] = {
	{ZOE_FORMAT_XR24, 4, 2, 1, 0, false},
	{ZOE_FORMAT_AR24, 4, 2, 1, 0, true},
	{ZOE_FORMAT_XB24, 4, 0, 1, 2, false},
	{ZOE_FORMAT_AB24, 4, 0, 1, 2, true},
	{ZOE_FORMAT_RG24, 3, 2, 1, 0, false},
	{ZOE_FORMAT_BG24, 3, 0, 1, 2, false},
};

static const struct byte_layout *layout_find(uint32_t fourcc) {
	for (size_t i = 0; i < n_elements(layouts); i++) {
		if (layouts[i].fourcc == fourcc) {
			return &layouts[i];
		}
	}
	return NULL;
}

static bool is_yuv(uint32_t fourcc) {
	return fourcc == ZOE_FORMAT_YUYV || fourcc == ZOE_FORMAT_UYVY ||
	       fourcc == ZOE_FORMAT_NV12 || fourcc == ZOE_FORMAT_P010 || fourcc == ZOE_FORMAT_YU12;
}

bool pixel_is_known(uint32_t fourcc) {
	return layout_find(fourcc) != NULL || is_yuv(fourcc) || fourcc == ZOE_FORMAT_XR30 ||
	       fourcc == ZOE_FORMAT_RG16 || fourcc == ZOE_FORMAT_R8 || fourcc == ZOE_FORMAT_AB4H;
}

/* Where in its planes a YUV pixel's three codes lie. */
static void yuv_find(const struct zoe_format *f, uint32_t x, uint32_t y, size_t at[3]) {
	size_t row = (size_t)y * f->stride[0], chroma_row = (size_t)(y / 2) * f->stride[1];
	bool is_luma_first = f->fourcc == ZOE_FORMAT_YUYV;

	switch (f->fourcc) {
	case ZOE_FORMAT_YUYV:
	case ZOE_FORMAT_UYVY:
		at[0] = row + 2 * (size_t)x + (is_luma_first ? 0 : 1);
		at[1] = row + 4 * (size_t)(x / 2) + (is_luma_first ? 1 : 0);
		at[2] = at[1] + 2;
		return;
	case ZOE_FORMAT_NV12:
		at[0] = row + x;
		at[1] = chroma_row + 2 * (size_t)(x / 2);
		at[2] = at[1] + 1;
		return;
	case ZOE_FORMAT_P010:
		at[0] = row + 2 * (size_t)x;
		at[1] = chroma_row + 4 * (size_t)(x / 2);
		at[2] = at[1] + 2;
		return;
	default: /* YU12 */
		at[0] = row + x;
		at[1] = chroma_row + x / 2;
		at[2] = (size_t)(y / 2) * f->stride[2] + x / 2;
	}
}

/* The planes that the three codes lie in. */
static void yuv_find_planes(const struct zoe_format *f, unsigned plane[3]) {
	plane[0] = 0;
	plane[1] = f->n_planes > 1 ? 1 : 0;
	plane[2] = f->n_planes > 2 ? 2 : plane[1];
}

static void read_yuv(
	const struct zoe_format *f, const uint8_t *const plane[4], uint32_t y, uint8_t *rgba) {
	struct yuv yuv = yuv_init(f);
	unsigned in[3];

	yuv_find_planes(f, in);
	for (uint32_t x = 0; x < f->width; x++, rgba += 4) {
		size_t at[3];
		float code[3];

		yuv_find(f, x, y, at);
		for (int i = 0; i < 3; i++) {
			const uint8_t *p = plane[in[i]] + at[i];

			code[i] = f->fourcc == ZOE_FORMAT_P010 ? (float)(load16(p) >> 6) / 4
							       : (float)*p;
		}
		yuv_to_rgba(&yuv, code, rgba);
	}
}

static void write_yuv(
	const struct zoe_format *f, uint8_t *const plane[4], uint32_t y, const uint8_t *rgba) {
	struct yuv yuv = yuv_init(f);
	unsigned in[3];

	yuv_find_planes(f, in);
	for (uint32_t x = 0; x < f->width; x++, rgba += 4) {
		bool has_chroma = x % 2 == 0 && (f->n_planes == 1 || y % 2 == 0);
		size_t at[3];
		float code[3];

		yuv_find(f, x, y, at);
		yuv_from_rgba(&yuv, rgba, code);
		for (int i = 0; i < (has_chroma ? 3 : 1); i++) {
			uint8_t *p = plane[in[i]] + at[i];

			if (f->fourcc == ZOE_FORMAT_P010) {
				store16(p, (uint32_t)lrintf(code[i] * 4) << 6);
			} else {
				*p = clamp(code[i]);
			}
		}
	}
}

/* A pixel of none of the simple kinds. */
static void read_packed(const struct zoe_format *f, const uint8_t *p, uint8_t *rgba) {
	bool is_linear = f->transfer == 8;
	uint32_t v;

	rgba[3] = 255;
	switch (f->fourcc) {
	case ZOE_FORMAT_XR30:
		v = load16(p) | load16(p + 2) << 16;
		rgba[0] = (uint8_t)(v >> 22);
		rgba[1] = (uint8_t)(v >> 12);
		rgba[2] = (uint8_t)(v >> 2);
		return;
	case ZOE_FORMAT_RG16:
		v = load16(p);
		rgba[0] = (uint8_t)((v >> 11) * 255 / 31);
		rgba[1] = (uint8_t)((v >> 5 & 63) * 255 / 63);
		rgba[2] = (uint8_t)((v & 31) * 255 / 31);
		return;
	case ZOE_FORMAT_AB4H:
		for (int i = 0; i < 4; i++) {
			rgba[i] = half_to_byte(load16(p + 2 * i), is_linear && i < 3);
		}
		return;
	default: /* R8 */
		rgba[0] = rgba[1] = rgba[2] = *p;
	}
}

static void write_packed(const struct zoe_format *f, const uint8_t *rgba, uint8_t *p) {
	uint32_t r = rgba[0], g = rgba[1], b = rgba[2], v;

	switch (f->fourcc) {
	case ZOE_FORMAT_XR30:
		v = 3u << 30 | (r << 2 | r >> 6) << 20 | (g << 2 | g >> 6) << 10 | b << 2 | b >> 6;
		store16(p, v);
		store16(p + 2, v >> 16);
		return;
	case ZOE_FORMAT_RG16:
		store16(p, r >> 3 << 11 | g >> 2 << 5 | b >> 3);
		return;
	case ZOE_FORMAT_AB4H:
		for (int i = 0; i < 4; i++) {
			store16(p + 2 * i, half_from_float((float)rgba[i] / 255));
		}
		return;
	default: /* R8: BT.709's luminance */
		*p = (uint8_t)((r * 54 + g * 183 + b * 19) >> 8);
	}
}

static size_t get_packed_size(uint32_t fourcc) {
	return fourcc == ZOE_FORMAT_AB4H   ? 8
	       : fourcc == ZOE_FORMAT_XR30 ? 4
	       : fourcc == ZOE_FORMAT_RG16 ? 2
					   : 1;
}

void pixel_read_row(
	const struct zoe_format *f, const uint8_t *const plane[4], uint32_t y, uint8_t *rgba) {
	const struct byte_layout *layout = layout_find(f->fourcc);
	const uint8_t *p = plane[0] + (size_t)y * f->stride[0];

	if (is_yuv(f->fourcc)) {
		read_yuv(f, plane, y, rgba);
		return;
	}
	for (uint32_t x = 0; x < f->width; x++, rgba += 4) {
		if (layout == NULL) {
			read_packed(f, p, rgba);
			p += get_packed_size(f->fourcc);
			continue;
		}
		rgba[0] = p[layout->r];
		rgba[1] = p[layout->g];
		rgba[2] = p[layout->b];
		rgba[3] = layout->has_alpha ? p[3] : 255;
		p += layout->size;
	}
}

void pixel_write_row(
	const struct zoe_format *f, uint8_t *const plane[4], uint32_t y, const uint8_t *rgba) {
	const struct byte_layout *layout = layout_find(f->fourcc);
	uint8_t *p = plane[0] + (size_t)y * f->stride[0];

	if (is_yuv(f->fourcc)) {
		write_yuv(f, plane, y, rgba);
		return;
	}
	for (uint32_t x = 0; x < f->width; x++, rgba += 4) {
		if (layout == NULL) {
			write_packed(f, rgba, p);
			p += get_packed_size(f->fourcc);
			continue;
		}
		if (layout->size == 4) {
			p[3] = rgba[3];
		}
		p[layout->r] = rgba[0];
		p[layout->g] = rgba[1];
		p[layout->b] = rgba[2];
		p += layout->size;
	}
}
