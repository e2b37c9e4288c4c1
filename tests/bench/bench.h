/* SPDX-License-Identifier: MIT */
#ifndef BENCH_H
#define BENCH_H
/*
 * Measures of one run, each beside a floor: what the machine charges for the bare deed, measured in
 * turn with it.
 * Owns:     nothing; the lines reported are report.c's.
 * Threads:  one; the other sides of a measure are child processes.
 * Includes: the public headers and the ring's own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <zoe/consumer.h>
#include <zoe/producer.h>
#include <zoe/zoe.h>

struct bench {
	bool is_short, is_json, has_table;
	const char *broker_path;
	pid_t broker;
	char directory[64], socket[108];
};

/* A line. Values of one unit, as many as were measured; the least is the best unless is_more_better
 * says otherwise. Sorted by bench_report(). */
struct bench_line {
	const char *name, *unit, *floor_name;
	double *samples, *floors; // floors NULL: the values stand alone
	size_t n, n_floors;
	double target, target_p99; // of the ratio to the floor; 0 = none
	bool has_target_0;         // the target is 0
	bool is_absolute;    // the target is the value's own, as it is where there is no floor
	bool is_more_better; // and the target is the least that will do
	bool is_paired;      // samples[i] and floors[i] were measured side by side
	bool is_duty;        // missing the target fails the run
};
void bench_report(const struct bench *b, const struct bench_line *line);
/* Returns: how many duties were missed. */
int report_finish(const struct bench *b);
void report_host(const struct bench *b);
/* What is being done, for somebody at a terminal. */
void report_progress(const char *name);

double bench_now_us(void);
uint64_t bench_now_ns(void);
void bench_pause_us(double us);
/* The middle value; sorts. */
double bench_median(double *samples, size_t n);

/* Memory that children share, zeroed; ends with the process. */
void *bench_share(size_t size);
/* The same in huge or small pages of a memfd, as frames are, and touched. */
unsigned char *bench_frames(size_t size);
/* fork(), and the child dies with its parent, however that ends. */
pid_t bench_fork(void);
/* Waits for a child of bench_fork(), which must have exited with 0. */
void bench_join(pid_t child, const char *what);
void bench_die(const char *what);

struct zoe_client *bench_connect(const struct bench *b);
/* Dies where there is no attaching. The connection is the client's. */
struct zoe_producer *bench_produce(
	struct zoe_client *client, const char *stream, uint32_t width, uint32_t height);
struct zoe_consumer *bench_consume(
	struct zoe_client *client, const char *stream, enum zoe_delivery delivery);
/* Waits until somebody looks. */
void bench_wait_wanted(struct zoe_producer *producer);

/* Starts a broker in a directory of its own, and ends it. Returns: ms from fork to its first
 * client. */
double broker_start(struct bench *b);
void broker_stop(struct bench *b);
/* Time of CPU that the broker has used. */
double broker_cpu_us(const struct bench *b);
long broker_cpu_ticks(const struct bench *b);

/* A frame, or a bare wake, now and then. */
enum paced_how { PACED_SLEEP, PACED_RING, PACED_POLL, PACED_NEST, PACED_BUSY };
struct paced {
	const char *name;
	enum paced_how how;
	uint32_t n_readers, n; // n frames and as many bare deeds
	double pause_us;       // between a frame and a bare deed
	double target, target_p99;
};
void paced_measure(const struct bench *b, const struct paced *p);

void measure_attach(const struct bench *b);
void measure_bad(const struct bench *b);
void measure_cold(const struct bench *b);
void measure_cost(const struct bench *b);
void measure_cpu(const struct bench *b);
void measure_fanout(const struct bench *b);
void measure_flow(const struct bench *b);
void measure_latency(const struct bench *b);
void measure_pingpong(const struct bench *b);
void measure_push(const struct bench *b);
void measure_syscalls(const struct bench *b);
void measure_threshold(const struct bench *b);
#endif
