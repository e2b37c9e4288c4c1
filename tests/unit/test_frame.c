/* SPDX-License-Identifier: MIT */
#include "frame_check.h"

#include <errno.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attr.h"

enum { SLOT_BYTES = 1 << 20, META_BYTES = 1024 };

static struct zoe_frame_header honest_header(uint32_t fourcc, uint32_t width, uint32_t height) {
	struct zoe_frame_header hdr = {.meta_size = 32, .n_damage = 1};
	struct zoe_format f;

	assert_int_equal(zoe_format_init(&f, fourcc, width, height), 0);
	zoe_frame_header_set_format(&hdr, &f);
	return hdr;
}

static void test_frame_header_carries_a_format_there_and_back(void **state) {
	uint32_t fourcc;

	(void)state;
	for (unsigned i = 0; (fourcc = zoe_format_get_known(i, NULL)) != 0; i++) {
		struct zoe_frame_header hdr;
		struct zoe_format in, out;

		memset(&hdr, 0, sizeof(hdr));
		zoe_format_init(&in, fourcc, 33, fourcc == ZOE_FORMAT_BLOB ? 1 : 17);
		in.transform = 7;
		in.alpha = ZOE_ALPHA_STRAIGHT;
		in.primaries = 9;
		in.transfer = 16;
		in.matrix = 255;
		in.range = ZOE_RANGE_FULL;
		in.chroma_site = 6;
		in.field = 2;
		zoe_frame_header_set_format(&hdr, &in);
		assert_int_equal(zoe_frame_header_check(&hdr, in.size_bytes, 0, &out), 0);
		assert_memory_equal(&in, &out, sizeof(in));
		assert_int_equal(hdr.rate_num, 0);
		assert_int_equal(hdr.rate_den, 1);
	}
}

static void test_frame_set_format_forgets_the_planes_before(void **state) {
	struct zoe_frame_header hdr = honest_header(ZOE_FORMAT_YU12, 64, 64);
	struct zoe_format f;

	(void)state;
	hdr.seq = 5;
	hdr.rate_num = 30;
	hdr.crop_width = 64;
	zoe_format_init(&f, ZOE_FORMAT_R8, 8, 8);
	f.stride[2] = 99;
	zoe_frame_header_set_format(&hdr, &f);
	assert_int_equal(hdr.stride[1] | hdr.offset[1] | hdr.stride[2] | hdr.offset[2], 0);
	assert_int_equal(hdr.crop_width, 0);
	assert_int_equal(hdr.seq, 5);
	assert_int_equal(hdr.rate_num, 30);
}

static void test_frame_check_hides_the_unused_planes(void **state) {
	struct zoe_frame_header hdr = honest_header(ZOE_FORMAT_XR24, 64, 64);
	struct zoe_format f;

	(void)state;
	hdr.stride[1] = hdr.offset[1] = hdr.stride[3] = hdr.offset[3] = UINT32_MAX;
	assert_int_equal(zoe_frame_header_check(&hdr, SLOT_BYTES, META_BYTES, &f), 0);
	assert_int_equal(f.stride[1] | f.offset[1] | f.stride[3] | f.offset[3], 0);
}

#define LIE(field, lie)                                                                            \
	{                                                                                          \
#field, offsetof(struct zoe_frame_header, field),                                  \
			sizeof(((struct zoe_frame_header *)NULL)->field), lie                      \
	}
/* Each on its own in the header of a YU12 picture of 64x64: 4096 + 1024 + 1024 bytes. */
static const struct {
	const char *name;
	size_t offset, size;
	uint64_t lie;
} lies[] = {
	LIE(fourcc, 0),
	LIE(fourcc, ZOE_FOURCC('Y', 'U', '1', '3')),
	LIE(fourcc, ZOE_FORMAT_NV12), // three planes in a format of two
	LIE(fourcc, ZOE_FORMAT_BLOB),
	LIE(width, 0),
	LIE(width, 65),
	LIE(width, 65536),
	LIE(width, UINT32_MAX),
	LIE(height, 0),
	LIE(height, 65),
	LIE(height, UINT32_MAX),
	LIE(size, 0),
	LIE(size, 6143),
	LIE(size, SLOT_BYTES + 1),
	LIE(size, UINT32_MAX),
	LIE(modifier, 1),
	LIE(modifier, UINT64_C(0x00ffffffffffffff)), // DRM_FORMAT_MOD_INVALID
	LIE(offset[0], 1u << 16),
	LIE(offset[1], UINT32_MAX),
	LIE(offset[2], 5121),
	LIE(stride[0], 0),
	LIE(stride[0], 63),
	LIE(stride[0], UINT32_MAX),
	LIE(stride[1], 31),
	LIE(stride[2], 33),
	LIE(n_planes, 0),
	LIE(n_planes, 1),
	LIE(n_planes, 4),
	LIE(n_planes, 255),
	LIE(transform, 8),
	LIE(alpha_mode, 4),
	LIE(field, 3),
	LIE(range, 3),
	LIE(chroma_site, 7),
	LIE(rate_den, 0),
	LIE(par_num, 1),
	LIE(par_den, 1),
	LIE(crop_x, 1),
	LIE(crop_y, 1),
	LIE(crop_width, 64),
	LIE(crop_height, 65535),
	LIE(meta_size, META_BYTES + 1),
	LIE(meta_size, UINT32_MAX),
	LIE(meta_size, 15),
	LIE(n_damage, 3),
	LIE(n_damage, UINT32_MAX),
};
#undef LIE

static void test_frame_check_believes_no_lie(void **state) {
	struct zoe_frame_header honest = honest_header(ZOE_FORMAT_YU12, 64, 64), hdr;
	struct zoe_format f;

	(void)state;
	assert_int_equal(zoe_frame_header_check(&honest, SLOT_BYTES, META_BYTES, &f), 0);
	f.fourcc = 42;
	for (size_t i = 0; i < n_elements(lies); i++) {
		hdr = honest;
		memcpy((char *)&hdr + lies[i].offset, &lies[i].lie, lies[i].size);
		if (zoe_frame_header_check(&hdr, SLOT_BYTES, META_BYTES, &f) != -EBADMSG) {
			fail_msg("%s = %#llx was believed", lies[i].name,
				(unsigned long long)lies[i].lie);
		}
		assert_int_equal(f.fourcc, 42);
	}
}

static void test_frame_check_bounds_the_crop(void **state) {
	struct zoe_frame_header hdr = honest_header(ZOE_FORMAT_NV12, 64, 48);
	struct zoe_format f;

	(void)state;
	hdr.crop_x = 16;
	hdr.crop_width = 48;
	hdr.crop_height = 48;
	assert_int_equal(zoe_frame_header_check(&hdr, SLOT_BYTES, META_BYTES, &f), 0);
	hdr.crop_x = 17;
	assert_int_equal(zoe_frame_header_check(&hdr, SLOT_BYTES, META_BYTES, &f), -EBADMSG);
	hdr.crop_x = hdr.crop_width = 65535;
	assert_int_equal(zoe_frame_header_check(&hdr, SLOT_BYTES, META_BYTES, &f), -EBADMSG);
}

static void test_frame_check_takes_a_blob_as_wide_as_its_slot(void **state) {
	struct zoe_frame_header hdr = honest_header(ZOE_FORMAT_BLOB, SLOT_BYTES, 1);
	struct zoe_format f;

	(void)state;
	assert_int_equal(zoe_frame_header_check(&hdr, SLOT_BYTES, META_BYTES, &f), 0);
	assert_int_equal(f.size_bytes, SLOT_BYTES);
	assert_int_equal(zoe_frame_header_check(&hdr, SLOT_BYTES - 1, META_BYTES, &f), -EBADMSG);
	hdr.height = 2;
	assert_int_equal(zoe_frame_header_check(&hdr, SLOT_BYTES, META_BYTES, &f), -EBADMSG);
}

static void assert_tag(const uint8_t *meta, uint32_t used, uint32_t tag, const char *text) {
	size_t size = 0;
	const void *data = zoe_tlv_find(meta, used, tag, &size);

	assert_non_null(data);
	assert_int_equal(size, strlen(text));
	assert_memory_equal(data, text, size);
	assert_int_equal((uintptr_t)data % ZOE_TLV_ALIGN, 0);
}

static void put_text(uint8_t *meta, uint32_t *used, uint32_t tag, const char *text) {
	assert_int_equal(zoe_tlv_put(meta, 64, used, tag, text, strlen(text)), 0);
	assert_int_equal(*used % ZOE_TLV_ALIGN, 0);
}

static void test_frame_tlv_replaces_a_tag_in_place_or_at_the_end(void **state) {
	alignas(8) uint8_t meta[64];
	uint32_t used = 0;
	size_t size = 42;

	(void)state;
	memset(meta, 0xee, sizeof(meta));
	put_text(meta, &used, 1, "one");
	put_text(meta, &used, 2, "");
	put_text(meta, &used, 3, "three is");
	assert_int_equal(used, 16 + 8 + 16);
	assert_int_equal(meta[8 + 3] | meta[8 + 7], 0); // no stale bytes in the padding
	put_text(meta, &used, 1, "uno");
	assert_int_equal(used, 40);
	put_text(meta, &used, 1, "one, and longer");
	assert_int_equal(used, 48);
	put_text(meta, &used, 3, "3");
	assert_int_equal(used, 48);
	assert_tag(meta, used, 1, "one, and longer");
	assert_tag(meta, used, 2, "");
	assert_tag(meta, used, 3, "3");
	assert_null(zoe_tlv_find(meta, used, 4, &size));
	assert_int_equal(size, 42);
}

static void test_frame_tlv_put_that_fails_changes_nothing(void **state) {
	alignas(8) uint8_t meta[64], before[64];
	char big[64] = "";
	uint32_t used = 0;

	(void)state;
	memset(meta, 0xee, sizeof(meta));
	put_text(meta, &used, 1, "1234567890123456");
	put_text(meta, &used, 2, "1234567890123456789012345");
	assert_int_equal(used, 64);
	memcpy(before, meta, sizeof(meta));
	assert_int_equal(zoe_tlv_put(meta, 64, &used, 3, NULL, 0), -ENOSPC);
	assert_int_equal(zoe_tlv_put(meta, 64, &used, 1, big, 17), -ENOSPC);
	assert_int_equal(zoe_tlv_put(meta, 64, &used, 2, big, 33), -ENOSPC);
	assert_int_equal(zoe_tlv_put(meta, 64, &used, 2, big, SIZE_MAX), -ENOSPC);
	assert_int_equal(zoe_tlv_put(meta, 64, &used, 2, big, SIZE_MAX - 7), -ENOSPC);
	assert_int_equal(zoe_tlv_put(meta, 64, &used, 0, big, 1), -EINVAL);
	assert_int_equal(zoe_tlv_put(meta, 64, &used, 2, NULL, 1), -EINVAL);
	assert_int_equal(zoe_tlv_put(meta, 56, &used, 2, big, 1), -EINVAL);
	assert_int_equal(used, 64);
	assert_memory_equal(meta, before, sizeof(meta));
	assert_int_equal(zoe_tlv_put(meta, 64, &used, 2, big, 32), 0);
	assert_int_equal(used, 64);
}

/* The metas lie at the end of an allocation, so that a sanitizer sees the first byte too far. */
static void test_frame_tlv_survives_hostile_metas(void **state) {
	static const uint32_t sizes[] = {
		1, 8, 9, 17, 0x7fffffff, 0xfffffff0, 0xfffffff7, 0xfffffff8, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < n_elements(sizes); i++) {
		for (uint32_t n = 0; n < 16; n++) {
			const struct zoe_tlv tlv = {.tag = 1, .size = sizes[i]};
			uint8_t *meta = malloc(n ? n : 1);
			size_t size = 42;
			uint32_t used = n;

			assert_non_null(meta);
			memcpy(meta, &tlv, n < sizeof(tlv) ? n : sizeof(tlv));
			assert_null(zoe_tlv_find(meta, n, 1, &size));
			assert_null(zoe_tlv_find(meta, n, 2, &size));
			assert_int_equal(size, 42);
			assert_int_equal(zoe_tlv_put(meta, n, &used, 2, NULL, 0),
				n == 0 ? -ENOSPC : -EINVAL);
			free(meta);
		}
	}
}

static void test_frame_tlv_find_ends_on_noise(void **state) {
	uint8_t meta[256];
	size_t size;

	(void)state;
	srandom(1);
	for (unsigned round = 0; round < 20000; round++) {
		for (size_t i = 0; i < sizeof(meta); i++) {
			meta[i] = (uint8_t)(random() % 4 ? 0 : random() % 24);
		}
		for (uint32_t tag = 0; tag < 4; tag++) {
			const uint8_t *data = zoe_tlv_find(meta, sizeof(meta), tag, &size);

			assert_true(!data || size <= (size_t)(meta + sizeof(meta) - data));
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frame_header_carries_a_format_there_and_back),
		cmocka_unit_test(test_frame_set_format_forgets_the_planes_before),
		cmocka_unit_test(test_frame_check_hides_the_unused_planes),
		cmocka_unit_test(test_frame_check_believes_no_lie),
		cmocka_unit_test(test_frame_check_bounds_the_crop),
		cmocka_unit_test(test_frame_check_takes_a_blob_as_wide_as_its_slot),
		cmocka_unit_test(test_frame_tlv_replaces_a_tag_in_place_or_at_the_end),
		cmocka_unit_test(test_frame_tlv_put_that_fails_changes_nothing),
		cmocka_unit_test(test_frame_tlv_survives_hostile_metas),
		cmocka_unit_test(test_frame_tlv_find_ends_on_noise),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
