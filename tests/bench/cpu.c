/* SPDX-License-Identifier: MIT */
/*
 * CPU time a frame, 1080p at 60 frames a second to 8 sleeping readers, and of a bare futex that
 * wakes as many: chunks of frames and of bare wakes in turn.
 */
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

enum { READERS = 8, FPS = 60, MAX_CHUNKS = 64, BASE_US = 1000000 };

struct plan {
	uint32_t n_chunks, n_frames; // frames a chunk
};

struct chunks {
	double zoe[MAX_CHUNKS], bare[MAX_CHUNKS]; // us a frame
};

struct shared {
	_Atomic uint32_t word;
	uint32_t reserved[15];
	_Atomic uint32_t n_ready;
	struct chunks readers[READERS];
};

static double cpu_us(void) {
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (double)ts.tv_sec * BASE_US + (double)ts.tv_nsec / 1e3;
}

static void bare_wait(struct shared *s, uint32_t seen) {
	while (atomic_load_explicit(&s->word, memory_order_acquire) == seen) {
		syscall(SYS_futex, &s->word, FUTEX_WAIT, seen, NULL, NULL, 0);
	}
}

/* Frames lost count as read: the reader was kept from the CPU, and goes on behind them. */
static void read_chunk(struct zoe_consumer *consumer, uint64_t end) {
	uint64_t i = 0;

	while (i + 1 < end) {
		const struct zoe_frame *frame;

		if (zoe_consumer_next(consumer, &frame, 5000) != 0) {
			_exit(1);
		}
		i = frame->user[0];
		zoe_frame_release(frame);
	}
}

static void reader_run(
	const struct bench *b, struct shared *s, const struct plan *plan, struct chunks *out) {
	struct zoe_client *client = bench_connect(b);
	struct zoe_consumer *consumer = bench_consume(client, "cpu", ZOE_EVERY);
	uint32_t n = plan->n_frames;

	atomic_fetch_add_explicit(&s->n_ready, 1, memory_order_release);
	for (uint32_t chunk = 0; chunk < plan->n_chunks; chunk++) {
		double began = cpu_us(), middle;

		read_chunk(consumer, (uint64_t)(chunk + 1) * n);
		middle = cpu_us();
		for (uint32_t i = 0; i < n; i++) {
			bare_wait(s, chunk * n + i);
		}
		out->zoe[chunk] = (middle - began) / n;
		out->bare[chunk] = (cpu_us() - middle) / n;
	}
	zoe_client_destroy(client);
	_exit(0);
}

static double send_frames(struct zoe_producer *producer, uint64_t first, uint32_t n) {
	double began = cpu_us();

	for (uint64_t i = first; i < first + n; i++) {
		struct zoe_slot *slot;

		bench_pause_us(BASE_US / FPS);
		if (zoe_producer_acquire(producer, NULL, &slot, 1000) != 0) {
			bench_die("no slot");
		}
		slot->user[0] = i;
		if (zoe_producer_publish(producer, slot) != 0) {
			bench_die("frames do not flow");
		}
	}
	return (cpu_us() - began) / n;
}

static double send_bare(struct shared *s, uint32_t n) {
	double began = cpu_us();

	for (uint32_t i = 0; i < n; i++) {
		bench_pause_us(BASE_US / FPS);
		atomic_fetch_add_explicit(&s->word, 1, memory_order_release);
		syscall(SYS_futex, &s->word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	}
	return (cpu_us() - began) / n;
}

static void report(const struct bench *b, const char *name, struct chunks *c, uint32_t n) {
	bench_report(b, &(struct bench_line){.name = name,
				.unit = "us",
				.samples = c->zoe,
				.n = n,
				.floor_name = "bare futex, the same",
				.floors = c->bare,
				.n_floors = n,
				.is_paired = true});
}

/* The mean of all readers, chunk by chunk. */
static void report_readers(const struct bench *b, const struct shared *s, uint32_t n) {
	struct chunks mean = {{0}, {0}};

	for (uint32_t i = 0; i < n; i++) {
		for (unsigned k = 0; k < READERS; k++) {
			mean.zoe[i] += s->readers[k].zoe[i] / READERS;
			mean.bare[i] += s->readers[k].bare[i] / READERS;
		}
	}
	report(b, "CPU a frame, each of 8 readers", &mean, n);
}

static void report_broker(const struct bench *b, double us, double ticks) {
	bench_report(
		b, &(struct bench_line){
			   .name = "CPU a frame, broker", .unit = "us", .samples = &us, .n = 1});
	bench_report(b, &(struct bench_line){.name = "CPU of the broker in that time",
				.unit = "ticks",
				.samples = &ticks,
				.n = 1,
				.has_target_0 = true,
				.is_duty = true});
}

static void readers_start(
	const struct bench *b, struct shared *s, const struct plan *plan, pid_t *readers) {
	for (unsigned k = 0; k < READERS; k++) {
		readers[k] = bench_fork();
		if (readers[k] == 0) {
			reader_run(b, s, plan, &s->readers[k]);
		}
	}
	for (unsigned i = 0; atomic_load_explicit(&s->n_ready, memory_order_acquire) < READERS;
		i++) {
		if (i == 5000) {
			bench_die("the readers do not come");
		}
		bench_pause_us(1000);
	}
}

static void turns_run(const struct bench *b, struct zoe_producer *producer, struct shared *s,
	const struct plan *plan) {
	struct chunks own;
	double broker_us = broker_cpu_us(b);
	long ticks = broker_cpu_ticks(b);

	for (uint32_t i = 0; i < plan->n_chunks; i++) {
		own.zoe[i] = send_frames(producer, (uint64_t)i * plan->n_frames, plan->n_frames);
		own.bare[i] = send_bare(s, plan->n_frames);
	}
	broker_us = (broker_cpu_us(b) - broker_us) / (plan->n_chunks * plan->n_frames);
	ticks = broker_cpu_ticks(b) - ticks;
	report(b, "CPU a frame, producer with 8 readers", &own, plan->n_chunks);
	report_broker(b, broker_us, (double)ticks);
}

/* What broker and producer have to tell each other after the joins: the producer looks at its
 * socket every 100 ms. */
static void settle(struct zoe_producer *producer) {
	for (unsigned i = 0; i < 4; i++) {
		struct zoe_slot *slot;

		bench_pause_us(BASE_US / 8);
		if (zoe_producer_acquire(producer, NULL, &slot, 1000) != 0) {
			bench_die("no slot");
		}
		zoe_producer_cancel(producer, slot);
	}
}

static double rss_kib_of(pid_t pid) {
	char path[64], line[256];
	double kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "VmRSS: %lf", &kib) == 1) {
			break;
		}
	}
	if (file) {
		fclose(file);
	}
	return kib;
}

void measure_cpu(const struct bench *b) {
	struct plan plan = {b->is_short ? 5 : 20, b->is_short ? 30 : 60};
	struct shared *s = bench_share(sizeof(*s));
	struct zoe_client *client = bench_connect(b);
	struct zoe_producer *producer = bench_produce(client, "cpu", 1920, 1080);
	pid_t readers[READERS];
	double kib;

	readers_start(b, s, &plan, readers);
	bench_wait_wanted(producer);
	settle(producer);
	turns_run(b, producer, s, &plan);
	kib = rss_kib_of(b->broker);
	for (unsigned k = 0; k < READERS; k++) {
		bench_join(readers[k], "a reader did not see the frames flow");
	}
	report_readers(b, s, plan.n_chunks);
	bench_report(b, &(struct bench_line){.name = "resident memory of the broker",
				.unit = "KiB",
				.samples = &kib,
				.n = 1,
				.target = 4096,
				.is_duty = true});
	zoe_client_destroy(client);
	munmap(s, sizeof(*s));
}
