/* SPDX-License-Identifier: MIT */
/*
 * Four readers at 60 frames a second, one of which behaves, is slow (100 ms a frame), or is stopped
 * with a frame in hand, by turns. What counts is what the other three get.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { READERS = 4, BAD = 3, FPS = 60, SLOW_US = 100000, MAX_FRAMES = 4096 };
enum { TURN_FRAMES = 60, MAX_TURNS = 10 };
enum manners { GOOD, SLOW, STOPPED, N_MANNERS };

struct sampled {
	double us[MAX_FRAMES];
	uint32_t n, n_lost;
};

struct shared {
	_Atomic uint32_t manners; // of the bad reader, as the producer asks
	_Atomic uint32_t n_ready;
	_Atomic uint32_t n_taken[N_MANNERS]; // by the bad reader, under each
	struct sampled readers[READERS][N_MANNERS];
};

/* What it does with a frame in hand. */
static void behave_badly(struct shared *s) {
	/* Relaxed: a hint of the producer, looked at again with the next frame. */
	uint32_t now = atomic_load_explicit(&s->manners, memory_order_relaxed);

	atomic_fetch_add_explicit(&s->n_taken[now], 1, memory_order_relaxed);
	if (now == SLOW) {
		bench_pause_us(SLOW_US);
	}
	if (now == STOPPED) {
		raise(SIGSTOP);
	}
}

/* user[0]: when it was sent; user[1]: the manners of the time, or N_MANNERS at the end. */
static void reader_run(const struct bench *b, struct shared *s, unsigned k) {
	struct zoe_client *client = bench_connect(b);
	struct zoe_consumer *consumer = bench_consume(client, "deep/bad", ZOE_EVERY);

	atomic_fetch_add_explicit(&s->n_ready, 1, memory_order_release);
	for (;;) {
		const struct zoe_frame *frame;
		struct sampled *to;

		if (zoe_consumer_next(consumer, &frame, 5000) != 0 || frame->user[1] > N_MANNERS) {
			_exit(1);
		}
		if (frame->user[1] == N_MANNERS) {
			break;
		}
		to = &s->readers[k][frame->user[1]];
		to->n_lost += (uint32_t)frame->lost;
		if (to->n < MAX_FRAMES) {
			to->us[to->n++] = (double)(bench_now_ns() - frame->user[0]) / 1e3;
		}
		if (k == BAD) {
			behave_badly(s);
		}
		zoe_frame_release(frame);
	}
	_exit(0);
}

static void send_frame(struct zoe_producer *producer, uint32_t manners) {
	struct zoe_slot *slot;

	bench_pause_us(1e6 / FPS);
	if (zoe_producer_acquire(producer, NULL, &slot, 1000) != 0) {
		bench_die("a bad reader stops the producer");
	}
	slot->user[1] = manners;
	slot->user[0] = bench_now_ns();
	if (zoe_producer_publish(producer, slot) != 0) {
		bench_die("cannot publish");
	}
}

/* The bad reader stops at its first frame of the turn; without that nothing was measured. */
static void wake_stopped(pid_t bad) {
	int status;

	for (unsigned i = 0; waitpid(bad, &status, WUNTRACED | WNOHANG) != bad; i++) {
		if (i == 1000) {
			bench_die("the bad reader does not stop");
		}
		bench_pause_us(1000);
	}
	if (!WIFSTOPPED(status)) {
		bench_die("the bad reader failed");
	}
	kill(bad, SIGCONT);
}

static void turns_run(
	struct shared *s, struct zoe_producer *producer, pid_t bad, unsigned n_turns) {
	for (unsigned turn = 0; turn < n_turns; turn++) {
		for (uint32_t manners = GOOD; manners < N_MANNERS; manners++) {
			atomic_store_explicit(&s->manners, manners, memory_order_relaxed);
			for (unsigned i = 0; i < TURN_FRAMES; i++) {
				send_frame(producer, manners);
			}
			if (manners == STOPPED) {
				atomic_store_explicit(&s->manners, GOOD, memory_order_relaxed);
				wake_stopped(bad);
			}
		}
	}
	atomic_store_explicit(&s->manners, GOOD, memory_order_relaxed);
	send_frame(producer, N_MANNERS);
}

static size_t gather(const struct shared *s, uint32_t manners, double *to, double *n_lost) {
	size_t n = 0;

	for (unsigned k = 0; k < BAD; k++) {
		const struct sampled *from = &s->readers[k][manners];

		for (uint32_t i = 0; i < from->n; i++) {
			to[n++] = from->us[i];
		}
		*n_lost += from->n_lost;
	}
	return n;
}

static void report(const struct bench *b, const struct shared *s, uint32_t manners) {
	static double samples[BAD * MAX_FRAMES], floors[BAD * MAX_FRAMES];
	const char *name = manners == SLOW ? "slow" : "stopped";
	double n_lost = 0, n_lost_before = 0;
	size_t n = gather(s, manners, samples, &n_lost);
	size_t n_floors = gather(s, GOOD, floors, &n_lost_before);
	char text[64];

	snprintf(text, sizeof(text), "one %s reader of four: the others' latency", name);
	bench_report(b, &(struct bench_line){.name = text,
				.unit = "us",
				.samples = samples,
				.n = n,
				.floor_name = "while it behaves",
				.floors = floors,
				.n_floors = n_floors,
				.target = 1.25});
	snprintf(text, sizeof(text), "one %s reader of four: the others' losses", name);
	bench_report(b, &(struct bench_line){.name = text,
				.unit = "frames",
				.samples = &n_lost,
				.n = 1,
				.has_target_0 = true,
				.is_duty = true});
}

void measure_bad(const struct bench *b) {
	unsigned n_turns = b->is_short ? 3 : MAX_TURNS;
	struct shared *s = bench_share(sizeof(*s));
	struct zoe_client *client = bench_connect(b);
	struct zoe_producer *producer = bench_produce(client, "deep/bad", 64, 64);
	pid_t readers[READERS];

	for (unsigned k = 0; k < READERS; k++) {
		readers[k] = bench_fork();
		if (readers[k] == 0) {
			reader_run(b, s, k);
		}
	}
	for (unsigned i = 0; atomic_load_explicit(&s->n_ready, memory_order_acquire) < READERS;
		i++) {
		if (i == 5000) {
			bench_die("the readers do not come");
		}
		bench_pause_us(1000);
	}
	bench_wait_wanted(producer);
	turns_run(s, producer, readers[BAD], n_turns);
	for (unsigned k = 0; k < READERS; k++) {
		bench_join(readers[k], "a reader of four failed");
	}
	/* A slow reader that saw every frame was none. */
	if (atomic_load_explicit(&s->n_taken[SLOW], memory_order_relaxed) * 2 >
		n_turns * TURN_FRAMES) {
		bench_die("the slow reader was not slow");
	}
	report(b, s, SLOW);
	report(b, s, STOPPED);
	zoe_client_destroy(client);
	munmap(s, sizeof(*s));
}
