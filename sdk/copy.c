/* SPDX-License-Identifier: MIT */
#include "copy.h"

#include <errno.h>
#include <string.h>

#ifdef __x86_64__
#include <emmintrin.h>
#endif

/* From here on non-temporal stores win (measured by tests/bench: push). */
enum { NON_TEMPORAL_BYTES = 1 << 20 };

#ifdef __x86_64__
static void copy_non_temporal(unsigned char *to, const unsigned char *from, size_t size) {
	size_t head = (size_t)(-(uintptr_t)to & 63);

	memcpy(to, from, head);
	to += head;
	from += head;
	size -= head;
	for (; size >= 64; size -= 64, to += 64, from += 64) {
		__m128i a = _mm_loadu_si128((const void *)from);
		__m128i b = _mm_loadu_si128((const void *)(from + 16));
		__m128i c = _mm_loadu_si128((const void *)(from + 32));
		__m128i d = _mm_loadu_si128((const void *)(from + 48));

		_mm_stream_si128((void *)to, a);
		_mm_stream_si128((void *)(to + 16), b);
		_mm_stream_si128((void *)(to + 32), c);
		_mm_stream_si128((void *)(to + 48), d);
	}
	memcpy(to, from, size);
	_mm_sfence(); /* no C11 order covers these stores */
}
#endif

void zoe_copy(void *to, const void *from, size_t size) {
#ifdef __x86_64__
	if (size >= NON_TEMPORAL_BYTES) {
		copy_non_temporal(to, from, size);
		return;
	}
#endif
	memcpy(to, from, size);
}

int zoe_copy_picture(struct zoe_slot *slot, const struct zoe_picture *src) {
	for (uint32_t i = 0; i < slot->format.n_planes; i++) {
		uint32_t row_bytes, rows, stride = src->format.stride[i];
		const uint8_t *from = src->plane[i];

		if (zoe_format_get_plane(&slot->format, i, &row_bytes, &rows) != 0 || !from ||
			(stride < row_bytes && rows > 1)) {
			return -EINVAL;
		}
		if (stride == slot->format.stride[i]) {
			zoe_copy(slot->plane[i], from, (size_t)stride * (rows - 1) + row_bytes);
			continue;
		}
		for (uint32_t y = 0; y < rows; y++) {
			memcpy(slot->plane[i] + (size_t)y * slot->format.stride[i],
				from + (size_t)y * stride, row_bytes);
		}
	}
	return 0;
}
