/* SPDX-License-Identifier: MIT */
#include "copies.h"

#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

static void copy_memcpy(void *to, const void *from, size_t size) {
	memcpy(to, from, size);
}

#ifdef __x86_64__
static void copy_sse2(void *to, const void *from, size_t size) {
	__m128i *t = to;
	const __m128i *f = from;

	for (; size >= 64; size -= 64, t += 4, f += 4) {
		__m128i a = _mm_loadu_si128(f), b = _mm_loadu_si128(f + 1);
		__m128i c = _mm_loadu_si128(f + 2), d = _mm_loadu_si128(f + 3);

		_mm_stream_si128(t, a);
		_mm_stream_si128(t + 1, b);
		_mm_stream_si128(t + 2, c);
		_mm_stream_si128(t + 3, d);
	}
	memcpy(t, f, size);
	_mm_sfence();
}

__attribute__((target("avx"))) static void copy_avx(void *to, const void *from, size_t size) {
	__m256i *t = to;
	const __m256i *f = from;

	for (; size >= 128; size -= 128, t += 4, f += 4) {
		__m256i a = _mm256_loadu_si256(f), b = _mm256_loadu_si256(f + 1);
		__m256i c = _mm256_loadu_si256(f + 2), d = _mm256_loadu_si256(f + 3);

		_mm256_stream_si256(t, a);
		_mm256_stream_si256(t + 1, b);
		_mm256_stream_si256(t + 2, c);
		_mm256_stream_si256(t + 3, d);
	}
	if (size) {
		copy_sse2(t, f, size);
	}
	_mm_sfence();
}

/* Pages are walked four at a time: as many streams for the prefetcher, and fewer misses of the
 * translation in its way. */
static void copy_pages(void *to, const void *from, size_t size) {
	enum { PAGE = 4096, LANES = 4 };
	unsigned char *t = to;
	const unsigned char *f = from;

	for (; size >= LANES * PAGE; size -= LANES * PAGE, t += LANES * PAGE, f += LANES * PAGE) {
		for (size_t i = 0; i < PAGE; i += 64) {
			for (size_t lane = 0; lane < LANES; lane++) {
				__m128i *tt = (void *)(t + lane * PAGE + i);
				const __m128i *ff = (const void *)(f + lane * PAGE + i);
				__m128i a = _mm_loadu_si128(ff), b = _mm_loadu_si128(ff + 1);
				__m128i c = _mm_loadu_si128(ff + 2), d = _mm_loadu_si128(ff + 3);

				_mm_stream_si128(tt, a);
				_mm_stream_si128(tt + 1, b);
				_mm_stream_si128(tt + 2, c);
				_mm_stream_si128(tt + 3, d);
			}
		}
	}
	copy_sse2(t, f, size);
}

static void copy_rep(void *to, const void *from, size_t size) {
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}
#endif

void copy_streaming(void *to, const void *from, size_t size) {
#ifdef __x86_64__
	copy_sse2(to, from, size);
#else
	memcpy(to, from, size);
#endif
}

const struct copy_way *copy_ways(void) {
#ifdef __x86_64__
	static const struct copy_way without_avx[] = {{"memcpy", copy_memcpy},
		{"rep movsb", copy_rep}, {"non-temporal, SSE2", copy_sse2},
		{"non-temporal, 4 pages", copy_pages}, {NULL, NULL}};
	static const struct copy_way with_avx[] = {{"memcpy", copy_memcpy}, {"rep movsb", copy_rep},
		{"non-temporal, SSE2", copy_sse2}, {"non-temporal, AVX", copy_avx},
		{"non-temporal, 4 pages", copy_pages}, {NULL, NULL}};

	return __builtin_cpu_supports("avx") ? with_avx : without_avx;
#else
	static const struct copy_way plain[] = {{"memcpy", copy_memcpy}, {NULL, NULL}};

	return plain;
#endif
}

uint64_t read_all(const void *from, size_t size) {
	const uint64_t *at = from;
	uint64_t sum[4] = {0};

	for (; size >= 32; size -= 32, at += 4) {
		for (unsigned i = 0; i < 4; i++) {
			sum[i] += at[i];
		}
	}
	return sum[0] + sum[1] + sum[2] + sum[3];
}
