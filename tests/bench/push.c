/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zoe/producer.h>

#include "bench.h"
#include "copy.h"

enum { BUFFERS = 7, FRAMES = 14, MAX_ROUNDS = 200 }; // as many buffers as a ring of 6 turns over

typedef void (*copy_fn)(void *to, const void *from, size_t size);

static void copy_memcpy(void *to, const void *from, size_t size) {
	memcpy(to, from, size);
}

static double bare_us(copy_fn copy, unsigned char *buffers, const void *from, size_t size) {
	double began;

	copy(buffers, from, size); /* the copy before has thrown the source out of the cache */
	began = bench_now_us();
	for (unsigned i = 0; i < FRAMES; i++) {
		copy(buffers + (i % BUFFERS) * size, from, size);
	}
	return (bench_now_us() - began) / FRAMES;
}

static double push_us(struct zoe_producer *producer, const struct zoe_picture *picture) {
	double began = 0;

	for (unsigned i = 0; i <= FRAMES; i++) {
		if (i == 1) {
			began = bench_now_us(); /* the first warms up, as in bare_us() */
		}
		if (zoe_producer_push(producer, picture, 1000) != 0) {
			bench_die("cannot push");
		}
	}
	return (bench_now_us() - began) / FRAMES;
}

static unsigned char *memory_get(size_t size) {
	unsigned char *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (at == MAP_FAILED) {
		bench_die("no memory");
	}
	memset(at, 1, size);
	return at;
}

void measure_push(struct bench *b) {
	struct zoe_producer_options options = {.struct_size = sizeof(options), .timeout_ms = 1000};
	unsigned n_rounds = b->is_short ? 40 : MAX_ROUNDS;
	struct zoe_client *client = bench_connect(b);
	static double ratios[MAX_ROUNDS], pushes[MAX_ROUNDS], floors[MAX_ROUNDS];
	unsigned char *buffers, *source;
	struct zoe_picture picture;
	struct zoe_producer *producer;
	size_t size;

	memset(&picture, 0, sizeof(picture));
	zoe_format_init(&picture.format, ZOE_FORMAT_XR24, 1920, 1080);
	options.format = picture.format;
	size = (size_t)picture.format.size_bytes;
	buffers = memory_get(BUFFERS * size);
	source = memory_get(size);
	picture.plane[0] = source;
	if (zoe_producer_open(client, "push", &options, &producer) != 0) {
		bench_die(zoe_client_get_error(client));
	}
	push_us(producer, &picture); /* touch the slots once */
	for (unsigned i = 0; i < n_rounds; i++) {
		double us[3] = {0}; /* memcpy, non-temporal, push: each round begins with another */

		for (unsigned k = i; k < i + 3; k++) {
			us[k % 3] = k % 3 == 2 ? push_us(producer, &picture)
					       : bare_us(k % 3 ? zoe_copy : copy_memcpy, buffers,
							 source, size);
		}
		pushes[i] = us[2];
		floors[i] = us[0] < us[1] ? us[0] : us[1];
		ratios[i] = floors[i] / pushes[i];
	}
	bench_add(b, &(struct bench_result){
			     "push 1080p", "us", bench_spread(pushes, n_rounds).p50, 0, 0, false});
	bench_add(b, &(struct bench_result){"best bare copy of 1080p", "us",
			     bench_spread(floors, n_rounds).p50, 0, 0, false});
	bench_add(b, &(struct bench_result){"push, share of the best bare copy (speed)", "",
			     bench_spread(ratios, n_rounds).p50, 0, -0.95, false});
	munmap(buffers, BUFFERS * size);
	munmap(source, size);
	zoe_client_destroy(client);
}
