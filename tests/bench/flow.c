/* SPDX-License-Identifier: MIT */
/*
 * As fast as it goes between two processes. In place: a producer that fills nothing and a reader
 * that takes what it can. Copy-in with a full read, nothing lost: a reliable reader; beside it a
 * bare ring of as many buffers with a counter at each end and no rules at all.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "copies.h"

enum { SLOTS = 16, MAX_ROUNDS = 60, SPINS = 400, IN_PLACE_FRAMES = 20000 };

/* A bare ring. */
struct bare {
	_Atomic uint32_t head;
	uint32_t reserved0[15];
	_Atomic uint32_t tail;
	uint32_t reserved1[15];
	_Atomic uint32_t n_sleepers;
	uint32_t reserved2[15];
	_Atomic uint32_t n_phases; // that the reader has done; the first is to attach
	unsigned char header[SLOTS][256];
};

struct flow {
	const char *name, *stream;
	uint32_t width, height, n_slots; // n_slots: of the bare ring, as the stream's
	struct bare *bare;
	unsigned char *frames; // of the bare ring
	size_t size;
	uint32_t n_rounds, n_frames;
	uint64_t sum; // of what was read
};

static void word_wait(struct bare *bare, _Atomic uint32_t *word, uint32_t value) {
	const struct timespec longest = {.tv_nsec = 100000000};

	for (unsigned i = 0; i < SPINS; i++) {
		if (atomic_load_explicit(word, memory_order_acquire) != value) {
			return;
		}
#ifdef __x86_64__
		__builtin_ia32_pause();
#endif
	}
	atomic_fetch_add_explicit(&bare->n_sleepers, 1, memory_order_seq_cst);
	while (atomic_load_explicit(word, memory_order_seq_cst) == value) {
		syscall(SYS_futex, word, FUTEX_WAIT, value, &longest, NULL, 0);
	}
	atomic_fetch_sub_explicit(&bare->n_sleepers, 1, memory_order_relaxed);
}

static void word_step(struct bare *bare, _Atomic uint32_t *word) {
	atomic_fetch_add_explicit(word, 1, memory_order_seq_cst);
	if (atomic_load_explicit(&bare->n_sleepers, memory_order_seq_cst) != 0) {
		syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	}
}

static void bare_write(const struct flow *f, const void *source, uint32_t n) {
	struct bare *bare = f->bare;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t head = atomic_load_explicit(&bare->head, memory_order_relaxed);

		while (head - atomic_load_explicit(&bare->tail, memory_order_acquire) ==
			f->n_slots) {
			word_wait(bare, &bare->tail, head - f->n_slots);
		}
		copy_streaming(f->frames + (head % f->n_slots) * f->size, source, f->size);
		word_step(bare, &bare->head);
	}
}

static void bare_read(struct flow *f, uint32_t n) {
	struct bare *bare = f->bare;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t tail = atomic_load_explicit(&bare->tail, memory_order_relaxed);

		while (atomic_load_explicit(&bare->head, memory_order_acquire) == tail) {
			word_wait(bare, &bare->head, tail);
		}
		f->sum += read_all(f->frames + (tail % f->n_slots) * f->size, f->size);
		word_step(bare, &bare->tail);
	}
}

static void zoe_read(struct flow *f, struct zoe_consumer *consumer, uint32_t n) {
	for (uint32_t i = 0; i < n; i++) {
		const struct zoe_frame *frame;

		if (zoe_consumer_next(consumer, &frame, 5000) != 0 || frame->lost != 0) {
			fprintf(stderr, "zoe-bench: a reliable reader lost a frame\n");
			_exit(1);
		}
		f->sum += read_all(frame->plane[0], f->size);
		zoe_frame_release(frame);
	}
}

static void phase_end(struct bare *bare) {
	atomic_fetch_add_explicit(&bare->n_phases, 1, memory_order_release);
}

static struct zoe_consumer *open_reliable(struct zoe_client *client, const char *stream) {
	struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = ZOE_RELIABLE,
		.spin_us = 20,
		.timeout_ms = 5000};
	struct zoe_consumer *consumer;

	if (zoe_consumer_open(client, stream, &options, &consumer) != 0) {
		bench_die(zoe_client_get_error(client));
	}
	return consumer;
}

static void read_rounds(const struct bench *b, struct flow *f) {
	struct zoe_client *client = bench_connect(b);
	struct zoe_consumer *consumer = open_reliable(client, f->stream);

	phase_end(f->bare);
	for (uint32_t i = 0; i <= f->n_rounds; i++) {
		zoe_read(f, consumer, f->n_frames);
		phase_end(f->bare);
		bare_read(f, f->n_frames);
		phase_end(f->bare);
	}
	zoe_client_destroy(client);
	_exit(f->sum == 0); /* frames are of ones */
}

static void zoe_write(
	struct zoe_producer *producer, const struct zoe_picture *picture, uint32_t n) {
	for (uint32_t i = 0; i < n; i++) {
		if (zoe_producer_push(producer, picture, 5000) != 0) {
			bench_die("cannot push to a reliable reader");
		}
	}
}

/* The reader has attached, and has read all of so many phases. Bounded by its own timeouts. */
static void wait_phases(const struct bare *bare, uint32_t n) {
	for (double began = bench_now_us();
		atomic_load_explicit(&bare->n_phases, memory_order_acquire) != n;) {
		if (bench_now_us() - began > 20e6) {
			bench_die("the reader does not come");
		}
	}
}

static double gbps_since(const struct flow *f, double began) {
	return (double)f->size * f->n_frames / (bench_now_us() - began) / 1e3;
}

static void rounds_run(const struct bench *b, struct flow *f, struct zoe_producer *producer) {
	static double zoe[MAX_ROUNDS], bare[MAX_ROUNDS];
	struct zoe_picture picture;

	memset(&picture, 0, sizeof(picture));
	zoe_format_init(&picture.format, ZOE_FORMAT_XR24, f->width, f->height);
	picture.plane[0] = bench_frames(f->size);
	for (uint32_t i = 0; i <= f->n_rounds; i++) {
		uint32_t k = i ? i - 1 : 0; /* the first round warms up */
		double began = bench_now_us();

		zoe_write(producer, &picture, f->n_frames);
		wait_phases(f->bare, 2 + 2 * i);
		zoe[k] = gbps_since(f, began);
		began = bench_now_us();
		bare_write(f, picture.plane[0], f->n_frames);
		wait_phases(f->bare, 3 + 2 * i);
		bare[k] = gbps_since(f, began);
	}
	bench_report(b, &(struct bench_line){.name = f->name,
				.unit = "GB/s",
				.floor_name = "bare ring, the same",
				.samples = zoe,
				.n = f->n_rounds,
				.floors = bare,
				.n_floors = f->n_rounds,
				.target = 0.95,
				.is_more_better = true,
				.is_paired = true});
}

static void measure_copied(const struct bench *b, struct flow *f) {
	struct zoe_client *client = bench_connect(b);
	struct zoe_producer *producer = bench_produce(client, f->stream, f->width, f->height);
	pid_t reader;

	f->bare = bench_share(sizeof(*f->bare));
	f->size = (size_t)f->width * f->height * 4;
	f->frames = bench_frames(f->n_slots * f->size);
	f->n_rounds = b->is_short ? 8 : 40;
	f->n_frames = (uint32_t)((512u << 20) / f->size);
	reader = bench_fork();
	if (reader == 0) {
		read_rounds(b, f);
	}
	wait_phases(f->bare, 1);
	bench_wait_wanted(producer);
	rounds_run(b, f, producer);
	bench_join(reader, "the reliable reader failed");
	munmap(f->frames, f->n_slots * f->size);
	munmap(f->bare, sizeof(*f->bare));
	zoe_client_destroy(client);
}

/* The same header as a frame has, and a counter. */
static void bare_fill(struct bare *bare, uint32_t n) {
	unsigned char header[256] = {0};

	for (uint32_t i = 0; i < n; i++) {
		uint32_t head = atomic_load_explicit(&bare->head, memory_order_relaxed);
		uint64_t now = bench_now_ns();

		memcpy(header, &now, sizeof(now));
		memcpy(bare->header[head % SLOTS], header, sizeof(header));
		atomic_store_explicit(&bare->head, head + 1, memory_order_seq_cst);
	}
}

static void bare_look(struct bare *bare, uint32_t end) {
	unsigned char header[256];
	uint32_t head;

	do {
		head = atomic_load_explicit(&bare->head, memory_order_acquire);
		memcpy(header, bare->header[head % SLOTS], sizeof(header));
		/* The compiler must not see that nobody looks at it. */
		atomic_signal_fence(memory_order_seq_cst);
	} while (head != end);
}

/* user[0] of a phase's last frame is 1. */
static void zoe_look(struct zoe_consumer *consumer) {
	uint64_t is_last = 0;

	while (!is_last) {
		const struct zoe_frame *frame;
		int error = zoe_consumer_next(consumer, &frame, 0);

		if (error == 0) {
			is_last = frame->user[0];
			zoe_frame_release(frame);
		} else if (error != -EAGAIN) {
			_exit(1);
		}
	}
}

static void zoe_fill(struct zoe_producer *producer, uint32_t n) {
	for (uint32_t i = 0; i < n; i++) {
		struct zoe_slot *slot;

		if (zoe_producer_acquire(producer, NULL, &slot, 1000) != 0) {
			bench_die("no slot");
		}
		slot->user[0] = i + 1 == n;
		if (zoe_producer_publish(producer, slot) != 0) {
			bench_die("frames do not flow");
		}
	}
}

static void look_rounds(const struct bench *b, struct bare *bare, uint32_t n_rounds) {
	struct zoe_client *client = bench_connect(b);
	struct zoe_consumer *consumer = bench_consume(client, "in-place", ZOE_LATEST);

	phase_end(bare);
	for (uint32_t i = 0; i < n_rounds; i++) {
		zoe_look(consumer);
		phase_end(bare);
		bare_look(bare, (i + 1) * IN_PLACE_FRAMES);
		phase_end(bare);
	}
	zoe_client_destroy(client);
	_exit(0);
}

static double rate_since(double began) {
	return IN_PLACE_FRAMES / (bench_now_us() - began);
}

static void measure_in_place(const struct bench *b) {
	static double zoe[MAX_ROUNDS], bare_rate[MAX_ROUNDS];
	uint32_t n_rounds = b->is_short ? 15 : MAX_ROUNDS;
	struct bare *bare = bench_share(sizeof(*bare));
	struct zoe_client *client = bench_connect(b);
	struct zoe_producer *producer = bench_produce(client, "in-place", 1920, 1080);
	pid_t reader = bench_fork();

	if (reader == 0) {
		look_rounds(b, bare, n_rounds);
	}
	wait_phases(bare, 1);
	bench_wait_wanted(producer);
	for (uint32_t i = 0; i < n_rounds; i++) {
		double began = bench_now_us();

		zoe_fill(producer, IN_PLACE_FRAMES);
		zoe[i] = rate_since(began);
		wait_phases(bare, 2 + 2 * i);
		began = bench_now_us();
		bare_fill(bare, IN_PLACE_FRAMES);
		bare_rate[i] = rate_since(began);
		wait_phases(bare, 3 + 2 * i);
	}
	bench_join(reader, "the reader of the newest failed");
	bench_report(b, &(struct bench_line){.name = "in place, unpaced, one reader that looks",
				.unit = "M/s",
				.floor_name = "clock, header, counter",
				.samples = zoe,
				.n = n_rounds,
				.floors = bare_rate,
				.n_floors = n_rounds,
				.is_more_better = true,
				.is_paired = true});
	zoe_client_destroy(client);
	munmap(bare, sizeof(*bare));
}

void measure_flow(const struct bench *b) {
	struct flow all[] = {
		{.name = "push + read 1 MiB, 20 slots, nothing lost",
			.stream = "flow20/1m",
			.width = 512,
			.height = 512,
			.n_slots = 20},
		{.name = "push + read 1920x1080, nothing lost",
			.stream = "flow/1080p",
			.width = 1920,
			.height = 1080,
			.n_slots = SLOTS},
		{.name = "push + read 3840x2160, nothing lost",
			.stream = "flow/4k",
			.width = 3840,
			.height = 2160,
			.n_slots = SLOTS},
	};

	measure_in_place(b);
	for (unsigned i = 0; i < 3; i++) {
		measure_copied(b, &all[i]);
	}
}
