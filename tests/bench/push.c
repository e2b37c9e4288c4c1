/* SPDX-License-Identifier: MIT */
/*
 * Copies into a ring: each round does every bare way and a push, beginning with another one, over
 * memory of the same kind and as many buffers as the ring turns over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"
#include "copies.h"

enum { BUFFERS = 7, MAX_ROUNDS = 200, MAX_WAYS = 6, ROUND_BYTES = 64 << 20 };

struct size {
	const char *name, *stream;
	uint32_t width, height;
};

struct arena {
	unsigned char *buffers, *source;
	size_t size;
	unsigned n_frames; // a round
};

static double gbps(const struct arena *a, double us) {
	return (double)a->size * a->n_frames / us / 1e3;
}

static double bare_gbps(copy_fn copy, const struct arena *a) {
	double began;

	copy(a->buffers, a->source, a->size); /* the way before has thrown the source out */
	began = bench_now_us();
	for (unsigned i = 0; i < a->n_frames; i++) {
		copy(a->buffers + ((i + 1) % BUFFERS) * a->size, a->source, a->size);
	}
	return gbps(a, bench_now_us() - began);
}

static double push_gbps(
	struct zoe_producer *producer, const struct zoe_picture *picture, const struct arena *a) {
	double began = 0;

	for (unsigned i = 0; i <= a->n_frames; i++) {
		if (i == 1) {
			began = bench_now_us(); /* the first warms up, as above */
		}
		if (zoe_producer_push(producer, picture, 1000) != 0) {
			bench_die("cannot push");
		}
	}
	return gbps(a, bench_now_us() - began);
}

static struct arena arena_make(const struct zoe_format *format) {
	struct arena a = {.size = (size_t)format->size_bytes};

	a.buffers = bench_frames(BUFFERS * a.size);
	a.source = bench_frames(a.size);
	a.n_frames = (unsigned)(ROUND_BYTES / a.size);
	a.n_frames = a.n_frames < BUFFERS ? BUFFERS : a.n_frames;
	return a;
}

static void arena_free(const struct arena *a) {
	munmap(a->buffers, BUFFERS * a->size);
	munmap(a->source, a->size);
}

/* The way whose middle round is the fastest. */
static unsigned find_best(double rounds[][MAX_ROUNDS], unsigned n_ways, unsigned n_rounds) {
	static double copy[MAX_ROUNDS];
	double best = 0;
	unsigned found = 0;

	for (unsigned i = 0; i < n_ways; i++) {
		double median;

		memcpy(copy, rounds[i], n_rounds * sizeof(*copy));
		median = bench_median(copy, n_rounds);
		if (median > best) {
			best = median;
			found = i;
		}
	}
	return found;
}

static void measure_size(const struct bench *b, const struct size *size) {
	static double rounds[MAX_WAYS + 1][MAX_ROUNDS];
	const struct copy_way *ways = copy_ways();
	struct zoe_client *client = bench_connect(b);
	struct zoe_producer *producer =
		bench_produce(client, size->stream, size->width, size->height);
	unsigned n_rounds = b->is_short ? 15 : MAX_ROUNDS, n_ways = 0, best;
	struct zoe_picture picture;
	struct arena a;
	char floor_name[64];

	memset(&picture, 0, sizeof(picture));
	zoe_format_init(&picture.format, ZOE_FORMAT_XR24, size->width, size->height);
	a = arena_make(&picture.format);
	picture.plane[0] = a.source;
	for (; ways[n_ways].name; n_ways++) {
	}
	push_gbps(producer, &picture, &a); /* touches the slots */
	for (unsigned i = 0; i < n_rounds; i++) {
		for (unsigned k = i; k < i + n_ways + 1; k++) {
			unsigned way = k % (n_ways + 1);

			rounds[way][i] = way == n_ways ? push_gbps(producer, &picture, &a)
						       : bare_gbps(ways[way].copy, &a);
		}
	}
	best = find_best(rounds, n_ways, n_rounds);
	snprintf(floor_name, sizeof(floor_name), "bare %s", ways[best].name);
	bench_report(b, &(struct bench_line){.name = size->name,
				.unit = "GB/s",
				.floor_name = floor_name,
				.samples = rounds[n_ways],
				.n = n_rounds,
				.floors = rounds[best],
				.n_floors = n_rounds,
				.target = 0.95,
				.is_more_better = true,
				.is_paired = true});
	arena_free(&a);
	zoe_client_destroy(client);
}

void measure_push(const struct bench *b) {
	static const struct size sizes[] = {{"push 1 MiB", "push-1m", 512, 512},
		{"push 1920x1080", "push-1080p", 1920, 1080},
		{"push 3840x2160", "big/push-4k", 3840, 2160}};

	for (unsigned i = 0; i < 3; i++) {
		measure_size(b, &sizes[i]);
	}
}

/* Where the cache is bypassed: what zoe_copy() decides by, at sizes around its threshold. The copy
 * is read once by the same CPU, a frame behind, as a reader would. */
static double copied_and_read_gbps(copy_fn copy, const struct arena *a, uint64_t *sum) {
	double began = bench_now_us();

	for (unsigned i = 0; i < a->n_frames; i++) {
		copy(a->buffers + ((i + 1) % BUFFERS) * a->size, a->source, a->size);
		*sum += read_all(a->buffers + (i % BUFFERS) * a->size, a->size);
	}
	return gbps(a, bench_now_us() - began);
}

static void measure_step(const struct bench *b, size_t size, bool is_read) {
	static double streaming[MAX_ROUNDS], cached[MAX_ROUNDS];
	static uint64_t sum;
	unsigned n_rounds = b->is_short ? 11 : 60;
	copy_fn cached_copy = copy_ways()[0].copy;
	struct zoe_format format = {.size_bytes = size};
	struct arena a = arena_make(&format);
	char name[64];

	for (unsigned i = 0; i < n_rounds; i++) {
		streaming[i] = is_read ? copied_and_read_gbps(copy_streaming, &a, &sum)
				       : bare_gbps(copy_streaming, &a);
		cached[i] = is_read ? copied_and_read_gbps(cached_copy, &a, &sum)
				    : bare_gbps(cached_copy, &a);
	}
	snprintf(name, sizeof(name), "non-temporal copy%s of %zu KiB", is_read ? " + read" : "",
		size / 1024);
	bench_report(b, &(struct bench_line){.name = name,
				.unit = "GB/s",
				.floor_name = "memcpy",
				.samples = streaming,
				.n = n_rounds,
				.floors = cached,
				.n_floors = n_rounds,
				.is_more_better = true,
				.is_paired = true});
	arena_free(&a);
}

void measure_threshold(const struct bench *b) {
	for (size_t size = 128 << 10; size <= 8 << 20; size *= 2) {
		measure_step(b, size, false);
	}
	for (size_t size = 128 << 10; size <= 8 << 20; size *= 2) {
		measure_step(b, size, true);
	}
}
