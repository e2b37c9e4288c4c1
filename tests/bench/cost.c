/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zoe/producer.h>

#include "bench.h"
#include "ring_check.h"
#include "ring_write.h"

enum { ROUNDS = 15 };

static struct zoe_control_page control;
/* A page each, as consumers have them. */
static unsigned char seats[ZOE_MAX_SEATS][ZOE_SEAT_PAGE_BYTES] __attribute__((aligned(4096)));

/* What the ring's rules ask of the machine for a frame of a stream's only producer: claim a slot,
 * count in head. */
static double bare_cost_ns(unsigned n) {
	static struct {
		_Atomic zoe_u64 word;
		unsigned char reserved[56];
	} lines[2] __attribute__((aligned(64)));
	double began = bench_now_us();

	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < 2; k++) {
			_Atomic zoe_u64 *word = &lines[k].word;
			/* Relaxed: nobody else is here. */
			zoe_u64 old = atomic_load_explicit(word, memory_order_relaxed);

			atomic_compare_exchange_strong_explicit(
				word, &old, old + 1, memory_order_seq_cst, memory_order_relaxed);
		}
	}
	return (bench_now_us() - began) * 1e3 / n;
}

static double ring_cost_ns(struct zoe_writer *w, unsigned n) {
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

static void measure_ring(struct bench *b, uint32_t n_seats, double target, const char *name) {
	struct zoe_geometry_request request = {
		.depth = 6, .spares = 1 + 3 * 16, .frame_bytes = 4096};
	struct zoe_writer *w = calloc(1, sizeof(*w));
	unsigned n = b->is_short ? 100000 : 1000000;
	double samples[ROUNDS], floors[ROUNDS];

	if (!w || zoe_geometry_init(&w->ring.geo, &request) != 0) {
		bench_die("no ring");
	}
	w->ring.ring = mmap(NULL, (size_t)w->ring.geo.ring_bytes, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	w->ring.control = &control;
	zoe_ring_format(&w->ring, 1);
	w->owner = zoe_owner_pack(1, 0);
	w->n_seats = n_seats;
	w->is_sole = 1; /* as with `producers: 1`, the default */
	for (uint32_t i = 0; i < n_seats; i++) {
		w->seats[i] = (struct zoe_writer_seat){.seat = zoe_seat_at(seats[i], i), .hold = 3};
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		floors[i] = bare_cost_ns(n);
		samples[i] = ring_cost_ns(w, n);
	}
	bench_add(b, &(struct bench_result){
			     name, "ns", bench_spread(samples, ROUNDS).p50, 0, target, false});
	if (n_seats == 0) {
		bench_add(b, &(struct bench_result){"two bare compare-exchanges, as a frame needs",
				     "ns", bench_spread(floors, ROUNDS).p50, 0, 0, false});
	}
	munmap(w->ring.ring, (size_t)w->ring.geo.ring_bytes);
	free(w);
}

static void measure_library(struct bench *b) {
	struct zoe_producer_options options = {.struct_size = sizeof(options), .timeout_ms = 1000};
	struct zoe_client *client = bench_connect(b);
	struct zoe_producer *producer;
	double samples[ROUNDS];
	unsigned n = b->is_short ? 50000 : 500000;

	zoe_format_init(&options.format, ZOE_FORMAT_XR24, 32, 32);
	if (zoe_producer_open(client, "cost", &options, &producer) != 0) {
		bench_die(zoe_client_get_error(client));
	}
	for (unsigned r = 0; r < ROUNDS; r++) {
		double began = bench_now_us();

		for (unsigned i = 0; i < n; i++) {
			struct zoe_slot *slot;

			if (zoe_producer_acquire(producer, NULL, &slot, 0) != 0 ||
				zoe_producer_publish(producer, slot) != 0) {
				bench_die(zoe_client_get_error(client));
			}
		}
		samples[r] = (bench_now_us() - began) * 1e3 / n;
	}
	bench_add(b, &(struct bench_result){"acquire + publish by the library, header and clock",
			     "ns", bench_spread(samples, ROUNDS).p50, 0, 0, false});
	zoe_client_destroy(client);
}

void measure_cost(struct bench *b) {
	measure_ring(b, 0, 20, "acquire + publish, ring, 0 seats");
	measure_ring(b, 8, 70, "acquire + publish, ring, 8 seats");
	measure_ring(b, 64, 450, "acquire + publish, ring, 64 seats");
	measure_library(b);
}
