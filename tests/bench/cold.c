/* SPDX-License-Identifier: MIT */
/*
 * What a call costs on a CPU that has just slept, beside the same call at once again: publish with
 * nobody asleep, and a take of a frame that is there. No wake is in it: it is what a hand-over to a
 * sleeper has beside its wake. The bare ring's take is measured likewise.
 */
#include <string.h>
#include <sys/mman.h>

#include "bare.h"
#include "bench.h"

enum { MAX_ROUNDS = 1200, SLEEP_US = 8333 };

struct pair {
	double cold[MAX_ROUNDS], warm[MAX_ROUNDS];
};

struct stream {
	struct zoe_producer *producer;
	struct zoe_consumer *consumer;
};

static double publish_us(const struct stream *s) {
	struct zoe_slot *slot;
	double began;

	if (zoe_producer_acquire(s->producer, NULL, &slot, 1000) != 0) {
		bench_die("no slot");
	}
	began = bench_now_us();
	if (zoe_producer_publish(s->producer, slot) != 0) {
		bench_die("cannot publish");
	}
	return bench_now_us() - began;
}

static double take_us(const struct stream *s) {
	double began = bench_now_us(), us;
	const struct zoe_frame *frame;

	if (zoe_consumer_next(s->consumer, &frame, 0) != 0) {
		bench_die("the frame is not there");
	}
	us = bench_now_us() - began;
	zoe_frame_release(frame);
	return us;
}

static double bare_take_us(struct bare *bare, uint32_t i) {
	const struct bare_waiter waiter = {.bare = bare, .how = PACED_RING};
	double began = bench_now_us();

	bare_wait(&waiter, i);
	return bench_now_us() - began;
}

static void report(const struct bench *b, const char *name, struct pair *p, size_t n) {
	bench_report(b, &(struct bench_line){.name = name,
				.unit = "us",
				.floor_name = "the same, at once again",
				.samples = p->cold,
				.n = n,
				.floors = p->warm,
				.n_floors = n});
}

static void run(struct stream *s, struct bare *bare, struct pair p[3], unsigned n) {
	for (unsigned i = 0; i < n; i++) {
		bench_pause_us(SLEEP_US);
		p[0].cold[i] = publish_us(s);
		p[0].warm[i] = publish_us(s);
		bare_send(bare, PACED_RING, NULL, 0);
		bare_send(bare, PACED_RING, NULL, 0);
		bench_pause_us(SLEEP_US);
		p[1].cold[i] = take_us(s);
		p[1].warm[i] = take_us(s);
		bench_pause_us(SLEEP_US);
		p[2].cold[i] = bare_take_us(bare, 2 * i);
		p[2].warm[i] = bare_take_us(bare, 2 * i + 1);
	}
}

void measure_cold(const struct bench *b) {
	static struct pair pairs[3];
	unsigned n = b->is_short ? 150 : MAX_ROUNDS;
	struct bare *bare = bench_share(sizeof(*bare));
	struct zoe_client *client = bench_connect(b);
	struct stream s = {.producer = bench_produce(client, "deep/cold", 64, 64)};

	s.consumer = bench_consume(client, "deep/cold", ZOE_EVERY);
	bench_wait_wanted(s.producer);
	run(&s, bare, pairs, n);
	report(b, "publish after 8 ms of sleep", &pairs[0], n);
	report(b, "take after 8 ms of sleep", &pairs[1], n);
	report(b, "bare ring's take after 8 ms of sleep", &pairs[2], n);
	zoe_client_destroy(client);
	munmap(bare, sizeof(*bare));
}
