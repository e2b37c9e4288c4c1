/* SPDX-License-Identifier: MIT */
/*
 * Two processes that throw a frame, and in turn with it a word, to and fro and look all the time.
 * A sample is a batch's time by its ways. No clock runs within a batch.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

enum { TRIPS = 500, MAX_BATCHES = 2000 };

/* The two words lie on lines of their own, and no two of them in one pair of lines. */
struct words {
	_Atomic uint32_t ping;
	uint32_t reserved0[63];
	_Atomic uint32_t pong;
	uint32_t reserved1[63];
};

struct side {
	struct zoe_producer *producer;
	struct zoe_consumer *consumer;
	struct zoe_slot *slot; // the next to be thrown
};

static void word_wait(_Atomic uint32_t *word, uint32_t value) {
	while (atomic_load_explicit(word, memory_order_acquire) != value) {
#ifdef __x86_64__
		__builtin_ia32_pause();
#endif
	}
}

static void side_throw(struct side *s) {
	if (zoe_producer_publish(s->producer, s->slot) != 0 ||
		zoe_producer_acquire(s->producer, NULL, &s->slot, 0) != 0) {
		bench_die("cannot throw a frame");
	}
}

static const struct zoe_frame *side_catch(const struct side *s) {
	const struct zoe_frame *frame;
	int error;

	do {
		error = zoe_consumer_next(s->consumer, &frame, 0);
	} while (error == -EAGAIN);
	if (error != 0) {
		bench_die("cannot catch a frame");
	}
	return frame;
}

static void side_open(struct side *s, struct zoe_client *client, const char *out, const char *in) {
	s->producer = bench_produce(client, out, 64, 64);
	s->consumer = bench_consume(client, in, ZOE_EVERY);
	if (zoe_producer_acquire(s->producer, NULL, &s->slot, 1000) != 0) {
		bench_die("no slot");
	}
	bench_wait_wanted(s->producer);
}

static void answer(const struct bench *b, struct words *w, uint32_t n_batches) {
	struct zoe_client *client = bench_connect(b);
	struct side s;

	side_open(&s, client, "pong", "ping");
	for (uint32_t i = 0, word = 0; i < n_batches; i++) {
		for (unsigned k = 0; k < TRIPS; k++) {
			const struct zoe_frame *frame = side_catch(&s);

			side_throw(&s);
			zoe_frame_release(frame);
		}
		for (unsigned k = 0; k < TRIPS; k++) {
			word_wait(&w->ping, ++word);
			atomic_store_explicit(&w->pong, word, memory_order_release);
		}
	}
	zoe_client_destroy(client);
	_exit(0);
}

static double frames_ns(struct side *s) {
	double began = bench_now_us();

	for (unsigned k = 0; k < TRIPS; k++) {
		side_throw(s);
		zoe_frame_release(side_catch(s));
	}
	return (bench_now_us() - began) * 1e3 / (2 * TRIPS);
}

static double words_ns(struct words *w, uint32_t *word) {
	double began = bench_now_us();

	for (unsigned k = 0; k < TRIPS; k++) {
		atomic_store_explicit(&w->ping, ++*word, memory_order_release);
		word_wait(&w->pong, *word);
	}
	return (bench_now_us() - began) * 1e3 / (2 * TRIPS);
}

void measure_pingpong(const struct bench *b) {
	uint32_t n = b->is_short ? 300 : MAX_BATCHES, word = 0;
	static double zoe[MAX_BATCHES], bare[MAX_BATCHES];
	struct words *w = bench_share(sizeof(*w));
	struct zoe_client *client = bench_connect(b);
	pid_t other = bench_fork();
	struct side s;

	if (other == 0) {
		answer(b, w, n);
	}
	side_open(&s, client, "ping", "pong");
	for (uint32_t i = 0; i < n; i++) {
		zoe[i] = frames_ns(&s);
		bare[i] = words_ns(w, &word);
	}
	bench_join(other, "the other side failed");
	bench_report(b, &(struct bench_line){.name = "one way, both sides look all the time",
				.unit = "ns",
				.floor_name = "cache line, one way",
				.samples = zoe,
				.n = n,
				.floors = bare,
				.n_floors = n,
				.target = 5});
	zoe_client_destroy(client);
	munmap(w, sizeof(*w));
}
