/* SPDX-License-Identifier: MIT */
#ifndef BENCH_H
#define BENCH_H
/*
 * Measures of one run, each beside the floor that was measured in turn with it.
 * Owns:     nothing but the list of results.
 * Threads:  one; the other side of a measure is a child process.
 * Includes: the public headers and the ring's own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <zoe/zoe.h>

struct bench {
	bool is_short;
	pid_t broker;
	char socket[108];
	double ready_ms; // from exec to the first client
	int n_failed;    // results that must hold and do not
};

struct spread {
	double p50, p99, max;
};
/* Sorts the samples. */
struct spread bench_spread(double *samples, size_t n);

/* Adds a line. floor 0: the value stands alone. target 0: none. is_duty: missing it fails the run.
 */
struct bench_result {
	const char *name, *unit;
	double value, floor, target; // target: of value / floor, or of the value where floor is 0
	bool is_duty;
};
void bench_add(struct bench *b, const struct bench_result *result);

double bench_now_us(void);
/* fork(), and the child dies with its parent, however that ends. */
pid_t bench_fork(void);
/* Waits for a child of bench_fork(), which must have exited with 0. */
void bench_join(pid_t child, const char *what);
void bench_die(const char *what);
struct zoe_client *bench_connect(const struct bench *b);

/* Starts a broker in a directory of its own, and ends it. */
void broker_start(struct bench *b, const char *program);
void broker_stop(struct bench *b);

void measure_latency(struct bench *b);
void measure_cost(struct bench *b);
void measure_push(struct bench *b);
void measure_broker(struct bench *b);
#endif
