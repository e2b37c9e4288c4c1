/* SPDX-License-Identifier: MIT */
/*
 * What publish costs its caller where nobody sleeps: the ring alone in one process, then the
 * library with its header and clock.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"
#include "frame_layout.h"
#include "ring_check.h"
#include "ring_read.h"
#include "ring_write.h"

enum { MAX_ROUNDS = 60 };

static struct zoe_control_page control;
/* A page each, as consumers have them. */
static unsigned char seats[ZOE_MAX_SEATS][ZOE_SEAT_PAGE_BYTES] __attribute__((aligned(4096)));

/* Compare-exchanges on lines of their own, which nobody else touches. */
static double exchanges_ns(unsigned n_each, unsigned n) {
	static struct {
		_Atomic zoe_u64 word;
		unsigned char reserved[56];
	} lines[8] __attribute__((aligned(64)));
	double began = bench_now_us();

	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < n_each; k++) {
			_Atomic zoe_u64 *word = &lines[k].word;
			/* Relaxed: nobody else is here. */
			zoe_u64 old = atomic_load_explicit(word, memory_order_relaxed);

			atomic_compare_exchange_strong_explicit(
				word, &old, old + 1, memory_order_seq_cst, memory_order_relaxed);
		}
	}
	return (bench_now_us() - began) * 1e3 / n;
}

static double ring_ns(struct zoe_writer *w, unsigned n) {
	double began = bench_now_us();

	for (unsigned i = 0; i < n; i++) {
		struct zoe_wakes wakes = {0};
		uint32_t slot;
		uint64_t seq;

		if (zoe_ring_acquire(w, &slot, &wakes) != ZOE_RING_OK ||
			zoe_ring_publish(w, slot, &seq, &wakes) != ZOE_RING_OK) {
			bench_die("the ring does not turn");
		}
	}
	return (bench_now_us() - began) * 1e3 / n;
}

static struct zoe_writer *writer_create(uint32_t n_seats, bool is_sole) {
	struct zoe_geometry_request request = {
		.depth = 6, .spares = 1 + 3 * ZOE_MAX_SEATS, .frame_bytes = 4096};
	struct zoe_writer *w = calloc(1, sizeof(*w));

	if (!w || zoe_geometry_init(&w->ring.geo, &request) != 0) {
		bench_die("no ring");
	}
	w->ring.ring = bench_share((size_t)w->ring.geo.ring_bytes);
	w->ring.control = &control;
	zoe_ring_format(&w->ring, 1);
	w->owner = zoe_owner_pack(1, 0);
	w->is_sole = is_sole;
	for (uint32_t i = 0; i < n_seats; i++) {
		w->seats[i] = (struct zoe_writer_seat){.seat = zoe_seat_at(seats[i], i), .hold = 3};
	}
	zoe_writer_count(w);
	return w;
}

static void measure_ring(const struct bench *b, uint32_t n_seats, bool is_sole, double target) {
	struct zoe_writer *w = writer_create(n_seats, is_sole);
	unsigned n = b->is_short ? 20000 : 100000, n_rounds = b->is_short ? 20 : MAX_ROUNDS;
	unsigned n_exchanges = is_sole ? 2 : 4;
	double samples[MAX_ROUNDS], floors[MAX_ROUNDS];
	char name[64];

	snprintf(name, sizeof(name), "acquire + publish, ring, %u seats%s", n_seats,
		is_sole ? "" : ", several producers");
	ring_ns(w, n);
	for (unsigned i = 0; i < n_rounds; i++) {
		floors[i] = exchanges_ns(n_exchanges, n);
		samples[i] = ring_ns(w, n);
	}
	bench_report(b,
		&(struct bench_line){.name = name,
			.unit = "ns",
			.floor_name = is_sole ? "two compare-exchanges" : "four compare-exchanges",
			.samples = samples,
			.n = n_rounds,
			.floors = floors,
			.n_floors = n_rounds,
			.target = target,
			.is_absolute = true});
	munmap(w->ring.ring, (size_t)w->ring.geo.ring_bytes);
	free(w);
}

/* What every frame must be told, and when it was. */
static double header_ns(unsigned n) {
	static struct zoe_frame_header slots[8];
	struct zoe_frame_header header = {0};
	double began = bench_now_us();

	for (unsigned i = 0; i < n; i++) {
		header.publish_ns = bench_now_ns();
		memcpy(&slots[i % 8], &header, sizeof(header));
		/* The compiler must not see that nobody reads them. */
		atomic_signal_fence(memory_order_seq_cst);
	}
	return (bench_now_us() - began) * 1e3 / n + exchanges_ns(2, n);
}

static double library_ns(struct zoe_producer *producer, unsigned n) {
	double began = bench_now_us();

	for (unsigned i = 0; i < n; i++) {
		struct zoe_slot *slot;

		if (zoe_producer_acquire(producer, NULL, &slot, 0) != 0 ||
			zoe_producer_publish(producer, slot) != 0) {
			bench_die("frames do not flow");
		}
	}
	return (bench_now_us() - began) * 1e3 / n;
}

static void measure_library(const struct bench *b) {
	struct zoe_client *client = bench_connect(b);
	struct zoe_producer *producer = bench_produce(client, "cost", 32, 32);
	unsigned n = b->is_short ? 20000 : 100000, n_rounds = b->is_short ? 20 : MAX_ROUNDS;
	double samples[MAX_ROUNDS], floors[MAX_ROUNDS];

	for (unsigned i = 0; i < n_rounds; i++) {
		floors[i] = header_ns(n);
		samples[i] = library_ns(producer, n);
	}
	bench_report(b, &(struct bench_line){.name = "acquire + publish, library, nobody attached",
				.unit = "ns",
				.floor_name = "clock, header, two exchanges",
				.samples = samples,
				.n = n_rounds,
				.floors = floors,
				.n_floors = n_rounds});
	zoe_client_destroy(client);
}

void measure_cost(const struct bench *b) {
	measure_ring(b, 0, true, 20);
	measure_ring(b, 8, true, 70);
	measure_ring(b, 64, true, 450);
	measure_ring(b, 0, false, 0);
	measure_ring(b, 8, false, 0);
	measure_ring(b, 64, false, 0);
	measure_library(b);
}
