/* SPDX-License-Identifier: MIT */
#include "pattern.h"

#include <string.h>

#include "pixel.h"

enum { N_BARS = 7, STEP = 4 };

/* RP 219's order, 75 % of full level; then the same from the right, every other one black. */
static const uint8_t bars[2][N_BARS][3] = {
	{{191, 191, 191}, {191, 191, 0}, {0, 191, 191}, {0, 191, 0}, {191, 0, 191}, {191, 0, 0},
		{0, 0, 191}},
	{{0, 0, 191}, {16, 16, 16}, {191, 0, 191}, {16, 16, 16}, {0, 191, 191}, {16, 16, 16},
		{191, 191, 191}},
};

static void set_pixel(uint8_t *rgba, const uint8_t *rgb) {
	memcpy(rgba, rgb, 3);
	rgba[3] = 255;
}

static void make_bars(uint8_t *row, uint32_t width, const uint8_t (*colours)[3]) {
	for (uint32_t x = 0; x < width; x++) {
		set_pixel(row + 4 * (size_t)x, colours[(uint64_t)x * N_BARS / width]);
	}
}

/* A ramp from black to white, and over it the box. */
static void make_ramp(uint8_t *row, uint32_t width, uint64_t number) {
	uint32_t box = width / 16 + 2, start = (uint32_t)(number * STEP % width);

	for (uint32_t x = 0; x < width; x++) {
		uint8_t grey = (uint8_t)((uint64_t)x * 255 / width);
		uint8_t inverse = (uint8_t)(grey < 128 ? 255 : 0);
		bool is_box = (x + width - start) % width < box;
		uint8_t level = is_box ? inverse : grey;

		set_pixel(row + 4 * (size_t)x, (const uint8_t[]){level, level, level});
	}
}

/* Fills rows y to end, all alike; y is even. Rows are converted once and copied. */
static void draw_band(const struct zoe_format *f, uint8_t *const plane[4], const uint32_t y[2],
	const uint8_t *row) {
	if (y[0] >= y[1]) {
		return;
	}
	pixel_write_row(f, plane, y[0], row);
	for (unsigned p = 0; p < f->n_planes; p++) {
		uint32_t row_bytes, n_rows, sub = p == 0 ? 1 : 2;
		uint32_t first = y[0] / sub, end = (y[1] + sub - 1) / sub;
		const uint8_t *from = plane[p] + (size_t)first * f->stride[p];

		if (zoe_format_get_plane(f, p, &row_bytes, &n_rows) < 0) {
			return;
		}
		for (uint32_t i = first + 1; i < end && i < n_rows; i++) {
			memcpy(plane[p] + (size_t)i * f->stride[p], from, row_bytes);
		}
	}
}

void pattern_draw_bars(
	const struct zoe_format *f, uint8_t *const plane[4], uint64_t number, uint8_t *row) {
	uint32_t middle = f->height * 2 / 3 & ~1u, low = f->height * 3 / 4 & ~1u;

	make_bars(row, f->width, bars[0]);
	draw_band(f, plane, (const uint32_t[2]){0, middle}, row);
	make_bars(row, f->width, bars[1]);
	draw_band(f, plane, (const uint32_t[2]){middle, low}, row);
	make_ramp(row, f->width, number);
	draw_band(f, plane, (const uint32_t[2]){low, f->height}, row);
}

/* splitmix64's finaliser: every bit of the input reaches every bit of the result. */
static uint64_t mix(uint64_t z) {
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint32_t get_seed(const struct pattern_id *id, unsigned plane, uint32_t row) {
	uint64_t place = (uint64_t)plane << 32 | row;

	return (uint32_t)mix(mix(id->counter + mix(id->producer)) + place);
}

static uint32_t get_word(uint32_t seed, uint32_t i) {
	uint32_t word = (seed + i) * 0x9e3779b1u;

	return word ^ word >> 15;
}

static void draw_row(uint8_t *row, uint32_t row_bytes, uint32_t seed) {
	uint32_t n_words = row_bytes / 4, last;

	for (uint32_t i = 0; i < n_words; i++) {
		uint32_t word = get_word(seed, i);

		memcpy(row + 4 * (size_t)i, &word, 4);
	}
	last = get_word(seed, n_words);
	memcpy(row + 4 * (size_t)n_words, &last, row_bytes % 4);
}

/* Returns: the first byte that differs; row_bytes if none does. */
static uint32_t compare_row(const uint8_t *row, uint32_t row_bytes, uint32_t seed) {
	uint32_t n_words = row_bytes / 4, difference = 0, last;

	for (uint32_t i = 0; i < n_words; i++) {
		uint32_t word;

		memcpy(&word, row + 4 * (size_t)i, 4);
		difference |= word ^ get_word(seed, i);
	}
	last = get_word(seed, n_words);
	if (difference == 0 && memcmp(row + 4 * (size_t)n_words, &last, row_bytes % 4) == 0) {
		return row_bytes;
	}
	for (uint32_t i = 0; i < row_bytes; i++) {
		uint32_t word = get_word(seed, i / 4);

		if (row[i] != (uint8_t)(word >> i % 4 * 8)) {
			return i;
		}
	}
	return 0; /* it has become right meanwhile: it was not when it was first read */
}

void pattern_draw_counter(
	const struct zoe_format *f, uint8_t *const plane[4], const struct pattern_id *id) {
	for (unsigned p = 0; p < f->n_planes; p++) {
		uint32_t row_bytes, n_rows;

		if (zoe_format_get_plane(f, p, &row_bytes, &n_rows) < 0) {
			return;
		}
		for (uint32_t y = 0; y < n_rows; y++) {
			draw_row(
				plane[p] + (size_t)y * f->stride[p], row_bytes, get_seed(id, p, y));
		}
	}
}

bool pattern_is_counter(const struct zoe_format *f, const uint8_t *const plane[4],
	const struct pattern_id *id, struct pattern_spot *bad) {
	for (unsigned p = 0; p < f->n_planes; p++) {
		uint32_t row_bytes, n_rows;

		if (zoe_format_get_plane(f, p, &row_bytes, &n_rows) < 0) {
			return false;
		}
		for (uint32_t y = 0; y < n_rows; y++) {
			uint32_t at = compare_row(
				plane[p] + (size_t)y * f->stride[p], row_bytes, get_seed(id, p, y));

			if (at < row_bytes) {
				*bad = (struct pattern_spot){p, y, at};
				return false;
			}
		}
	}
	return true;
}
