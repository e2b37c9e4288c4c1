/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zoe/frame.h>

#include <cmocka.h>

#include "attr.h"

static uint64_t half(uint64_t n) {
	return (n + 1) / 2;
}

/* Payload bytes as the formats' documents have them, without the table under test. */
static uint64_t expected_bytes(uint32_t fourcc, uint64_t w, uint64_t h) {
	switch (fourcc) {
	case ZOE_FORMAT_R8:
	case ZOE_FORMAT_BLOB:
		return w * h;
	case ZOE_FORMAT_RG16:
		return 2 * w * h;
	case ZOE_FORMAT_RG24:
	case ZOE_FORMAT_BG24:
		return 3 * w * h;
	case ZOE_FORMAT_YUYV:
	case ZOE_FORMAT_UYVY:
		return 4 * half(w) * h;
	case ZOE_FORMAT_NV12:
	case ZOE_FORMAT_YU12:
		return w * h + 2 * half(w) * half(h);
	case ZOE_FORMAT_P010:
		return 2 * (w * h + 2 * half(w) * half(h));
	case ZOE_FORMAT_AB4H:
		return 8 * w * h;
	default:
		return 4 * w * h;
	}
}

static void check_tight(uint32_t fourcc, uint32_t width, uint32_t height) {
	struct zoe_format f;
	uint32_t row_bytes, rows;
	uint64_t end = 0;

	assert_int_equal(zoe_format_init(&f, fourcc, width, height), 0);
	assert_int_equal(f.size_bytes, expected_bytes(fourcc, width, height));
	assert_int_equal(f.modifier, 0);
	for (unsigned i = 0; i < f.n_planes; i++) {
		assert_int_equal(zoe_format_get_plane(&f, i, &row_bytes, &rows), 0);
		assert_int_equal(f.stride[i], row_bytes);
		assert_int_equal(f.offset[i], end);
		end += (uint64_t)row_bytes * rows;
	}
	assert_int_equal(end, f.size_bytes);
	assert_int_equal(zoe_format_get_plane(&f, f.n_planes, &row_bytes, &rows), -EINVAL);
	assert_int_equal(zoe_format_check(&f, f.size_bytes), 0);
	assert_int_equal(zoe_format_check(&f, f.size_bytes - 1), -EMSGSIZE);
	f.size_bytes--;
	assert_int_equal(zoe_format_check(&f, UINT64_MAX), -EINVAL);
}

static void test_format_sizes_follow_the_documents(void **state) {
	static const uint32_t sides[] = {1, 2, 3, 4, 5, 7, 63, 64, 65, 639, 1081, 4095};
	uint32_t fourcc;

	(void)state;
	for (unsigned k = 0; (fourcc = zoe_format_get_known(k, NULL)) != 0; k++) {
		for (size_t i = 0; i < n_elements(sides); i++) {
			for (size_t j = 0; j < n_elements(sides); j++) {
				if (fourcc != ZOE_FORMAT_BLOB || sides[j] == 1) {
					check_tight(fourcc, sides[i], sides[j]);
				}
			}
		}
	}
}

static void test_format_odd_sizes_round_chroma_up(void **state) {
	struct zoe_format f;

	(void)state;
	assert_int_equal(zoe_format_init(&f, ZOE_FORMAT_NV12, 5, 3), 0);
	assert_int_equal(f.n_planes, 2);
	assert_int_equal(f.stride[0], 5);
	assert_int_equal(f.stride[1], 6);
	assert_int_equal(f.offset[1], 15);
	assert_int_equal(f.size_bytes, 27);
	assert_int_equal(zoe_format_init(&f, ZOE_FORMAT_YU12, 5, 3), 0);
	assert_int_equal(f.n_planes, 3);
	assert_int_equal(f.offset[1], 15);
	assert_int_equal(f.offset[2], 21);
	assert_int_equal(zoe_format_init(&f, ZOE_FORMAT_YUYV, 5, 1), 0);
	assert_int_equal(f.stride[0], 12);
}

static void test_format_init_refuses_impossible_sizes(void **state) {
	static const struct {
		uint32_t fourcc, width, height;
		int error;
	} cases[] = {
		{0, 1, 1, -EINVAL},
		{ZOE_FOURCC('X', 'R', '2', '5'), 1, 1, -EINVAL},
		{ZOE_FORMAT_XR24, 0, 1, -EINVAL},
		{ZOE_FORMAT_XR24, 1, 0, -EINVAL},
		{ZOE_FORMAT_BLOB, 0, 1, -EINVAL},
		{ZOE_FORMAT_BLOB, 16, 2, -EINVAL},
		{ZOE_FORMAT_XR24, 65536, 1, -EOVERFLOW},
		{ZOE_FORMAT_R8, 1, UINT32_MAX, -EOVERFLOW},
		{ZOE_FORMAT_YUYV, UINT32_MAX, 1, -EOVERFLOW},
		{ZOE_FORMAT_XR24, 32768, 32768, -EOVERFLOW},
		{ZOE_FORMAT_AB4H, 65535, 65535, -EOVERFLOW},
		{ZOE_FORMAT_YU12, 65535, 65535, -EOVERFLOW},
		{ZOE_FORMAT_R8, 65535, 65535, 0},
		{ZOE_FORMAT_XR24, 32768, 32767, 0},
		{ZOE_FORMAT_BLOB, UINT32_MAX, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < n_elements(cases); i++) {
		struct zoe_format f = {.fourcc = 42};

		assert_int_equal(
			zoe_format_init(&f, cases[i].fourcc, cases[i].width, cases[i].height),
			cases[i].error);
		assert_int_equal(f.fourcc, cases[i].error ? 42 : cases[i].fourcc);
	}
}

static const struct {
	const char *name;
	uint32_t fourcc;
} known_spellings[] = {
	{"BGRA", ZOE_FORMAT_AR24},
	{"bgra", ZOE_FORMAT_AR24},
	{"ARGB8888", ZOE_FORMAT_AR24},
	{"BGRx", ZOE_FORMAT_XR24},
	{"bgr0", ZOE_FORMAT_XR24},
	{"XRGB8888", ZOE_FORMAT_XR24},
	{"RGBA", ZOE_FORMAT_AB24},
	{"rgba", ZOE_FORMAT_AB24},
	{"ABGR8888", ZOE_FORMAT_AB24},
	{"RGBx", ZOE_FORMAT_XB24},
	{"rgb0", ZOE_FORMAT_XB24},
	{"XBGR8888", ZOE_FORMAT_XB24},
	{"RGB", ZOE_FORMAT_BG24},
	{"rgb24", ZOE_FORMAT_BG24},
	{"RGB3", ZOE_FORMAT_BG24},
	{"BGR888", ZOE_FORMAT_BG24},
	{"BGR", ZOE_FORMAT_RG24},
	{"bgr24", ZOE_FORMAT_RG24},
	{"BGR3", ZOE_FORMAT_RG24},
	{"RGB888", ZOE_FORMAT_RG24},
	{"GRAY8", ZOE_FORMAT_R8},
	{"gray", ZOE_FORMAT_R8},
	{"GREY", ZOE_FORMAT_R8},
	{"r8", ZOE_FORMAT_R8},
	{"I420", ZOE_FORMAT_YU12},
	{"yuv420p", ZOE_FORMAT_YU12},
	{"nv12", ZOE_FORMAT_NV12},
	{"p010le", ZOE_FORMAT_P010},
	{"P010_10LE", ZOE_FORMAT_P010},
	{"YUY2", ZOE_FORMAT_YUYV},
	{"yuyv422", ZOE_FORMAT_YUYV},
	{"YUYV", ZOE_FORMAT_YUYV},
	{"uyvy422", ZOE_FORMAT_UYVY},
	{"UYVY", ZOE_FORMAT_UYVY},
	{"RGB16", ZOE_FORMAT_RG16},
	{"rgb565le", ZOE_FORMAT_RG16},
	{"RGB565", ZOE_FORMAT_RG16},
	{"RGBP", ZOE_FORMAT_RG16},
	{"rgbaf16le", ZOE_FORMAT_AB4H},
	{"ABGR16161616F", ZOE_FORMAT_AB4H},
	{"x2rgb10le", ZOE_FORMAT_XR30},
	{"XRGB2101010", ZOE_FORMAT_XR30},
	{"blob", ZOE_FORMAT_BLOB},
	{"ARGB", 0},
	{"", 0},
	{",", 0},
	{"XR2", 0},
	{"XR24 ", 0},
	{"BGRx,bgr0", 0},
};

static void test_format_finds_every_world_s_spelling(void **state) {
	(void)state;
	for (size_t i = 0; i < n_elements(known_spellings); i++) {
		assert_int_equal(
			zoe_format_find_fourcc(known_spellings[i].name), known_spellings[i].fourcc);
	}
	assert_int_equal(zoe_format_find_fourcc(NULL), 0);
}

static void assert_unique(char *word, uint32_t fourcc) {
	assert_int_equal(zoe_format_find_fourcc(word), fourcc);
	for (char *c = word; *c; c++) {
		*c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
	}
	assert_int_equal(zoe_format_find_fourcc(word), fourcc);
}

static void test_format_no_spelling_stands_for_two_formats(void **state) {
	const char *spellings;
	uint32_t fourcc;
	unsigned n = 0;

	(void)state;
	for (; (fourcc = zoe_format_get_known(n, &spellings)) != 0; n++) {
		char words[128], *rest = words;
		const char *name = zoe_format_get_name(fourcc);

		assert_non_null(name);
		assert_true(strlen(spellings) < sizeof(words));
		assert_int_equal(zoe_format_find_fourcc(name), fourcc);
		assert_memory_equal(name, &fourcc, strlen(name));
		strcpy(words, spellings);
		while (rest && *rest) {
			assert_unique(strsep(&rest, ","), fourcc);
		}
	}
	assert_int_equal(n, 16);
	assert_int_equal(zoe_format_get_known(UINT32_MAX, NULL), 0);
	assert_null(zoe_format_get_name(0));
}

static void test_format_parse_takes_what_it_promises(void **state) {
	static const struct {
		const char *text;
		uint32_t fourcc, width, height;
	} cases[] = {
		{"1920x1080 XR24", ZOE_FORMAT_XR24, 1920, 1080},
		{"1920x1080", ZOE_FORMAT_XR24, 1920, 1080},
		{"640X480  nv12", ZOE_FORMAT_NV12, 640, 480},
		{" 1x1\tgray ", ZOE_FORMAT_R8, 1, 1},
		{"0007x65535 bgr24", ZOE_FORMAT_RG24, 7, 65535},
		{"BLOB 4096", ZOE_FORMAT_BLOB, 4096, 1},
		{"Blob 4294967295", ZOE_FORMAT_BLOB, UINT32_MAX, 1},
		{"4096x1 BLOB", ZOE_FORMAT_BLOB, 4096, 1},
	};

	(void)state;
	for (size_t i = 0; i < n_elements(cases); i++) {
		struct zoe_format f, tight;

		assert_int_equal(zoe_format_parse(&f, cases[i].text), 0);
		assert_int_equal(
			zoe_format_init(&tight, cases[i].fourcc, cases[i].width, cases[i].height),
			0);
		assert_memory_equal(&f, &tight, sizeof(f));
	}
}

static void test_format_parse_refuses_the_rest(void **state) {
	static const struct {
		const char *text;
		int error;
	} cases[] = {
		{"", -EINVAL},
		{"x", -EINVAL},
		{"XR24", -EINVAL},
		{"1920", -EINVAL},
		{"1920x", -EINVAL},
		{"1920 x 1080", -EINVAL},
		{"1920x 1080", -EINVAL},
		{"1920x1080XR24", -EINVAL},
		{"1920x1080 XR25", -EINVAL},
		{"1920x1080 XR24 XR24", -EINVAL},
		{"-1x1", -EINVAL},
		{"1x+1", -EINVAL},
		{"0x16", -EINVAL},
		{"0x0", -EINVAL},
		{"BLOB", -EINVAL},
		{"BLOB ", -EINVAL},
		{"BLOB4096", -EINVAL},
		{"BLOB 0", -EINVAL},
		{"BLOB 4096x1", -EINVAL},
		{"BLOB -1", -EINVAL},
		{"16x2 BLOB", -EINVAL},
		{"65536x1", -EOVERFLOW},
		{"65535x65535", -EOVERFLOW},
		{"4294967296x1", -EOVERFLOW},
		{"BLOB 4294967296", -EOVERFLOW},
		{"1x99999999999999999999999", -EOVERFLOW},
	};

	(void)state;
	for (size_t i = 0; i < n_elements(cases); i++) {
		struct zoe_format f = {.fourcc = 42};

		assert_int_equal(zoe_format_parse(&f, cases[i].text), cases[i].error);
		assert_int_equal(f.fourcc, 42);
	}
}

static void test_format_check_allows_padding_but_for_the_last_row(void **state) {
	struct zoe_format f;

	(void)state;
	assert_int_equal(zoe_format_init(&f, ZOE_FORMAT_XR24, 10, 4), 0);
	f.stride[0] = 64;
	f.offset[0] = 8;
	f.size_bytes = 8 + 3 * 64 + 40;
	assert_int_equal(zoe_format_check(&f, f.size_bytes), 0);
	f.size_bytes--;
	assert_int_equal(zoe_format_check(&f, UINT32_MAX), -EINVAL);
	f.size_bytes = UINT64_C(1) << 32;
	assert_int_equal(zoe_format_check(&f, UINT64_MAX), -EMSGSIZE);
}

static void test_format_get_plane_refuses_what_would_overflow(void **state) {
	struct zoe_format f = {.fourcc = ZOE_FORMAT_AB4H, .width = UINT32_MAX, .height = 1};
	uint32_t row_bytes = 42, rows = 42;

	(void)state;
	assert_int_equal(zoe_format_get_plane(&f, 0, &row_bytes, &rows), -EINVAL);
	f.width = 0;
	assert_int_equal(zoe_format_get_plane(&f, 0, &row_bytes, &rows), -EINVAL);
	f.width = 1;
	assert_int_equal(zoe_format_get_plane(&f, UINT32_MAX, &row_bytes, &rows), -EINVAL);
	assert_int_equal(row_bytes, 42);
	assert_int_equal(rows, 42);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format_sizes_follow_the_documents),
		cmocka_unit_test(test_format_odd_sizes_round_chroma_up),
		cmocka_unit_test(test_format_init_refuses_impossible_sizes),
		cmocka_unit_test(test_format_finds_every_world_s_spelling),
		cmocka_unit_test(test_format_no_spelling_stands_for_two_formats),
		cmocka_unit_test(test_format_parse_takes_what_it_promises),
		cmocka_unit_test(test_format_parse_refuses_the_rest),
		cmocka_unit_test(test_format_check_allows_padding_but_for_the_last_row),
		cmocka_unit_test(test_format_get_plane_refuses_what_would_overflow),
	};

	return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}
