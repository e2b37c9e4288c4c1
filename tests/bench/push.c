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

enum { BUFFERS = 7, MAX_ROUNDS = 200, TRIALS = 9, ROUND_BYTES = 64 << 20, PAGE = 4096 };

struct size {
	const char *name, *stream;
	uint32_t width, height, pad; // pad: bytes between the source's rows
};

struct arena {
	unsigned char *buffers, *source;
	size_t size, step, source_size; // step: from buffer to buffer, as from slot to slot
	unsigned n_frames;              // a round
};

static double gbps(const struct arena *a, double us) {
	return (double)a->size * a->n_frames / us / 1e3;
}

static double bare_gbps(copy_fn copy, const struct arena *a) {
	double began;

	copy(a->buffers, a->source, a->size); /* the way before has thrown the source out */
	began = bench_now_us();
	for (unsigned i = 0; i < a->n_frames; i++) {
		copy(a->buffers + ((i + 1) % BUFFERS) * a->step, a->source, a->size);
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

static struct arena arena_make(const struct zoe_format *format, size_t padding) {
	struct arena a = {.size = (size_t)format->size_bytes};

	a.source_size = a.size + padding;
	a.step = (a.size + PAGE - 1) / PAGE * PAGE;

	a.buffers = bench_frames(BUFFERS * a.step);
	a.source = bench_frames(a.source_size);
	a.n_frames = (unsigned)(ROUND_BYTES / a.size);
	a.n_frames = a.n_frames < BUFFERS ? BUFFERS : a.n_frames;
	return a;
}

static void arena_free(const struct arena *a) {
	munmap(a->buffers, BUFFERS * a->step);
	munmap(a->source, a->source_size);
}

/* The way whose middle round is the fastest. Dirty lines that one way leaves in the cache are
 * written back at the next one's cost, so each is warmed up by a round of its own. */
static const struct copy_way *find_best(const struct arena *a) {
	const struct copy_way *ways = copy_ways(), *best = ways;
	double most = 0;

	for (unsigned i = 0; ways[i].name; i++) {
		double rounds[TRIALS], median;

		bare_gbps(ways[i].copy, a);
		for (unsigned k = 0; k < TRIALS; k++) {
			rounds[k] = bare_gbps(ways[i].copy, a);
		}
		median = bench_median(rounds, TRIALS);
		if (median > most) {
			most = median;
			best = &ways[i];
		}
	}
	return best;
}

static void measure_size(const struct bench *b, const struct size *size) {
	static double pushed[MAX_ROUNDS], bare[MAX_ROUNDS];
	struct zoe_client *client = bench_connect(b);
	struct zoe_producer *producer =
		bench_produce(client, size->stream, size->width, size->height);
	unsigned n_rounds = b->is_short ? 30 : MAX_ROUNDS;
	const struct copy_way *best;
	struct zoe_picture picture;
	struct arena a;
	char floor_name[64];

	memset(&picture, 0, sizeof(picture));
	zoe_format_init(&picture.format, ZOE_FORMAT_XR24, size->width, size->height);
	picture.format.stride[0] += size->pad;
	a = arena_make(&picture.format, (size_t)size->pad * size->height);
	picture.plane[0] = a.source;
	push_gbps(producer, &picture, &a); /* touches the slots */
	best = find_best(&a);
	for (unsigned i = 0; i < n_rounds; i++) {
		if (i % 2) {
			pushed[i] = push_gbps(producer, &picture, &a);
		}
		bare[i] = bare_gbps(best->copy, &a);
		if (i % 2 == 0) {
			pushed[i] = push_gbps(producer, &picture, &a);
		}
	}
	snprintf(floor_name, sizeof(floor_name), "bare %s", best->name);
	bench_report(b, &(struct bench_line){.name = size->name,
				.unit = "GB/s",
				.floor_name = floor_name,
				.samples = pushed,
				.n = n_rounds,
				.floors = bare,
				.n_floors = n_rounds,
				.target = size->pad ? 0 : 0.95, // the floor knows no rows
				.is_more_better = true,
				.is_paired = true});
	arena_free(&a);
	zoe_client_destroy(client);
}

void measure_push(const struct bench *b) {
	static const struct size sizes[] = {{"push 1 MiB", "push-1m", 512, 512, 0},
		{"push 1920x1080", "push-1080p", 1920, 1080, 0},
		{"push 3840x2160", "big/push-4k", 3840, 2160, 0},
		{"push 1366x768, tight rows", "push-tight", 1366, 768, 0},
		{"push 1366x768, padded rows", "push-rows", 1366, 768, 40},
		{"push 1918x1078, padded rows", "push-more-rows", 1918, 1078, 56}};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		measure_size(b, &sizes[i]);
	}
}

/* Bare copies alone, or each read once, a frame behind, as a reader would. */
static double step_gbps(copy_fn copy, const struct arena *a, bool is_read) {
	double began = bench_now_us();
	uint64_t sum = !is_read;

	for (unsigned i = 0; i < a->n_frames; i++) {
		copy(a->buffers + ((i + 1) % BUFFERS) * a->step, a->source, a->size);
		if (is_read) {
			sum += read_all(a->buffers + (i % BUFFERS) * a->step, a->size);
		}
	}
	if (sum == 0) {
		bench_die("the copies are not read"); /* they are of ones */
	}
	return gbps(a, bench_now_us() - began);
}

static void measure_way(
	const struct bench *b, const struct copy_way *way, const struct arena *a, bool is_read) {
	static double samples[MAX_ROUNDS], cached[MAX_ROUNDS];
	unsigned n_rounds = b->is_short ? 6 : 20;
	copy_fn plain = copy_ways()[0].copy;
	char name[64];

	for (unsigned i = 0; i < n_rounds; i++) {
		step_gbps(plain, a, is_read); /* see find_best() */
		cached[i] = step_gbps(plain, a, is_read);
		step_gbps(way->copy, a, is_read);
		samples[i] = step_gbps(way->copy, a, is_read);
	}
	snprintf(name, sizeof(name), "%zu KiB, %s%s", a->size / 1024, way->name,
		is_read ? ", and a read" : "");
	bench_report(b, &(struct bench_line){.name = name,
				.unit = "GB/s",
				.floor_name = "memcpy",
				.samples = samples,
				.n = n_rounds,
				.floors = cached,
				.n_floors = n_rounds,
				.is_more_better = true,
				.is_paired = true});
}

/* Around the sizes by which sdk/copy.c decides. */
void measure_threshold(const struct bench *b) {
	const struct copy_way *ways = copy_ways();

	for (size_t size = 512 << 10; size <= 8 << 20; size *= 2) {
		struct arena a = arena_make(&(struct zoe_format){.size_bytes = size}, 0);

		for (unsigned i = 1; ways[i].name && i < 3; i++) {
			measure_way(b, &ways[i], &a, false);
			measure_way(b, &ways[i], &a, true);
		}
		arena_free(&a);
	}
}
