/* SPDX-License-Identifier: MIT */
/*
 * From nothing to the first frame; and from exec to a broker that answers.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { MAX_ROUNDS = 300, STARTS = 7 };

static double attach_ms(const struct bench *b) {
	struct zoe_client *client = bench_connect(b);
	double began = bench_now_us(), ms;
	struct zoe_consumer *consumer = bench_consume(client, "attach", ZOE_EVERY);
	const struct zoe_frame *frame;

	if (zoe_consumer_next(consumer, &frame, 1000) != 0) {
		bench_die("cannot attach");
	}
	ms = (bench_now_us() - began) / 1e3;
	zoe_frame_release(frame);
	zoe_client_destroy(client);
	return ms;
}

static double connect_ms(const struct bench *b) {
	struct zoe_client *client = bench_connect(b);
	double began = bench_now_us(), ms;

	if (zoe_client_connect(client, 1000) != 0) {
		bench_die("cannot connect");
	}
	ms = (bench_now_us() - began) / 1e3;
	zoe_client_destroy(client);
	return ms;
}

static void measure_readers(const struct bench *b) {
	static double samples[MAX_ROUNDS], floors[MAX_ROUNDS];
	unsigned n = b->is_short ? 50 : MAX_ROUNDS;
	struct zoe_client *client = bench_connect(b);
	struct zoe_producer *producer = bench_produce(client, "attach", 1920, 1080);
	struct zoe_slot *slot;

	if (zoe_producer_acquire(producer, NULL, &slot, 1000) != 0 ||
		zoe_producer_publish(producer, slot) != 0) {
		bench_die("cannot publish");
	}
	for (unsigned i = 0; i < n; i++) {
		samples[i] = attach_ms(b);
		floors[i] = connect_ms(b);
	}
	bench_report(b, &(struct bench_line){.name = "attach to first frame",
				.unit = "ms",
				.floor_name = "connect to first answer",
				.samples = samples,
				.n = n,
				.floors = floors,
				.n_floors = n,
				.target = 1,
				.is_absolute = true});
	zoe_client_destroy(client);
}

/* The program says its version and ends: what exec and the linker cost. */
static double exec_ms(const struct bench *b) {
	double began = bench_now_us();
	pid_t child = bench_fork();

	if (child == 0) {
		if (!freopen("/dev/null", "w", stdout)) {
			_exit(126);
		}
		execlp(b->broker_path, b->broker_path, "--version", (char *)NULL);
		_exit(127);
	}
	bench_join(child, "the broker does not say its version");
	return (bench_now_us() - began) / 1e3;
}

static double start_ms(const struct bench *b) {
	struct bench other = *b;
	double ms = broker_start(&other);

	broker_stop(&other);
	return ms;
}

void measure_attach(const struct bench *b) {
	double samples[STARTS], floors[STARTS];

	measure_readers(b);
	for (unsigned i = 0; i < STARTS; i++) {
		samples[i] = start_ms(b);
		floors[i] = exec_ms(b);
	}
	bench_report(b, &(struct bench_line){.name = "broker, exec to first client",
				.unit = "ms",
				.floor_name = "exec to end",
				.samples = samples,
				.n = STARTS,
				.floors = floors,
				.n_floors = STARTS,
				.target = 20,
				.is_absolute = true});
}
