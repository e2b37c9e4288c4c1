/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <zoe/consumer.h>
#include <zoe/producer.h>

#include "bench.h"

enum { MAX_SAMPLES = 4096 };

/* The bare deed: a word, a wake, a sleeper. And where both readers write what they measured. */
struct shared {
	_Atomic uint32_t word;
	_Atomic uint64_t sent_ns[MAX_SAMPLES]; // of the wake from word i to i + 1
	double bare[MAX_SAMPLES], zoe[MAX_SAMPLES];
};

static uint64_t now_ns(void) {
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void bare_read(struct shared *s, uint32_t n) {
	for (uint32_t seen = 0; seen < n; seen++) {
		while (atomic_load_explicit(&s->word, memory_order_acquire) == seen) {
			syscall(SYS_futex, &s->word, FUTEX_WAIT, seen, NULL, NULL, 0);
		}
		/* Relaxed: it was stored before the word's release, which was acquired above. */
		s->bare[seen] = (double)(now_ns() - atomic_load_explicit(&s->sent_ns[seen],
							    memory_order_relaxed)) /
				1e3;
	}
	_exit(0);
}

static void bare_send(struct shared *s, uint32_t i) {
	atomic_store_explicit(&s->sent_ns[i], now_ns(), memory_order_relaxed);
	atomic_fetch_add_explicit(&s->word, 1, memory_order_release);
	syscall(SYS_futex, &s->word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void zoe_read(const struct bench *b, struct shared *s, const char *stream, uint32_t n) {
	struct zoe_consumer_options options = {
		.struct_size = sizeof(options), .delivery = ZOE_EVERY, .timeout_ms = 5000};
	struct zoe_client *client = bench_connect(b);
	struct zoe_consumer *consumer;

	if (zoe_consumer_open(client, stream, &options, &consumer) != 0) {
		_exit(1);
	}
	for (uint32_t seen = 0; seen < n; seen++) {
		const struct zoe_frame *frame;

		if (zoe_consumer_next(consumer, &frame, 5000) != 0) {
			_exit(1);
		}
		s->zoe[seen] = (double)(now_ns() - frame->user[0]) / 1e3;
		zoe_frame_release(frame);
	}
	zoe_client_destroy(client);
	_exit(0);
}

static void zoe_send(struct zoe_producer *producer) {
	struct zoe_slot *slot;

	if (zoe_producer_acquire(producer, NULL, &slot, 1000) != 0) {
		bench_die("no slot");
	}
	slot->user[0] = now_ns();
	if (zoe_producer_publish(producer, slot) != 0) {
		bench_die("cannot publish");
	}
}

static void pause_us(long us) {
	struct timespec ts = {.tv_nsec = us * 1000};

	nanosleep(&ts, NULL);
}

/* In turn, so that what disturbs the machine disturbs both. */
static void rounds_run(struct shared *s, struct zoe_producer *producer, uint32_t n, long pause) {
	for (uint32_t i = 0; i < n; i++) {
		pause_us(pause);
		zoe_send(producer);
		pause_us(pause);
		bare_send(s, i);
	}
}

static void measure_at(struct bench *b, uint32_t n, long pause, const char *const names[3]) {
	struct zoe_producer_options options = {.struct_size = sizeof(options), .timeout_ms = 1000};
	struct shared *s =
		mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct zoe_client *client = bench_connect(b);
	struct zoe_producer *producer = NULL;
	struct spread bare, zoe;
	pid_t readers[2];

	zoe_format_init(&options.format, ZOE_FORMAT_XR24, 64, 64);
	if (s == MAP_FAILED || zoe_producer_open(client, names[2], &options, &producer) != 0) {
		bench_die(zoe_client_get_error(client));
	}
	readers[0] = bench_fork();
	if (readers[0] == 0) {
		bare_read(s, n);
	}
	readers[1] = bench_fork();
	if (readers[1] == 0) {
		zoe_read(b, s, names[2], n);
	}
	for (unsigned i = 0; zoe_producer_is_wanted(producer) != 1; i++) {
		if (i > 5000) {
			bench_die("the reader does not come");
		}
		pause_us(1000);
	}
	rounds_run(s, producer, n, pause);
	for (unsigned i = 0; i < 2; i++) {
		bench_join(readers[i], "a reader failed");
	}
	bare = bench_spread(s->bare, n);
	zoe = bench_spread(s->zoe, n);
	bench_add(b, &(struct bench_result){names[0], "us", zoe.p50, bare.p50, 1.3, false});
	bench_add(b, &(struct bench_result){names[1], "us", zoe.p99, bare.p99, 0, false});
	zoe_client_destroy(client);
	munmap(s, sizeof(*s));
}

void measure_latency(struct bench *b) {
	static const char *const slow[] = {"latency at 60/s, sleeping reader, p50",
		"latency at 60/s, sleeping reader, p99", "latency/slow"};
	static const char *const fast[] = {"latency at 1000/s, sleeping reader, p50",
		"latency at 1000/s, sleeping reader, p99", "latency/fast"};

	measure_at(b, b->is_short ? 240 : 1800, 8333, slow);
	measure_at(b, b->is_short ? 2000 : 4000, 500, fast);
}
