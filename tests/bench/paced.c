/* SPDX-License-Identifier: MIT */
/*
 * A frame, a bare wake, a frame, a bare wake: both to the same readers, with a pause between, so
 * that what disturbs the machine disturbs both. A sample is the time from just before the publish
 * (the store) to the reader's hand.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bare.h"
#include "bench.h"

enum { MAX_READERS = 16, ATTACH_MS = 5000 };

struct samples {
	double zoe[BARE_ROUNDS], bare[BARE_ROUNDS]; // -1 = none
};

struct reader {
	const struct paced *paced;
	const char *stream;
	struct bare_waiter waiter;
	struct samples *out;
	struct zoe_consumer *consumer;
	int epoll;
};

static const char *const floor_names[] = {
	[PACED_SLEEP] = "futex wake",
	[PACED_RING] = "futex wake + bare ring",
	[PACED_POLL] = "socket wake, epoll",
	[PACED_NEST] = "socket wake, epoll in epoll",
	[PACED_BUSY] = "word looked at",
};

static bool is_poll(enum paced_how how) {
	return how == PACED_POLL || how == PACED_NEST;
}

static int zoe_wait(const struct reader *r, const struct zoe_frame **frame) {
	int error;

	if (r->paced->how == PACED_SLEEP || r->paced->how == PACED_RING) {
		return zoe_consumer_next(r->consumer, frame, 5000);
	}
	while ((error = zoe_consumer_next(r->consumer, frame, 0)) == -EAGAIN) {
		if (is_poll(r->paced->how)) {
			bare_epoll_sleep(r->epoll);
		}
	}
	return error;
}

/* A reader that was kept from the CPU for longer than the ring is deep goes on behind the gap. */
static void reader_run(struct reader *r) {
	uint32_t i = 0;

	while (i < r->paced->n) {
		const struct zoe_frame *frame;
		uint64_t sent_ns;

		if (zoe_wait(r, &frame) != 0 || frame->user[1] < i ||
			frame->user[1] >= BARE_ROUNDS) {
			_exit(1);
		}
		i = (uint32_t)frame->user[1];
		r->out->zoe[i] = (double)(bench_now_ns() - frame->user[0]) / 1e3;
		zoe_frame_release(frame);
		sent_ns = bare_wait(&r->waiter, i);
		r->out->bare[i] = (double)(bench_now_ns() - sent_ns) / 1e3;
		i++;
	}
}

static void reader_start(const struct bench *b, struct reader *r) {
	struct zoe_client *client = bench_connect(b);

	r->consumer = bench_consume(client, r->stream, ZOE_EVERY);
	if (is_poll(r->paced->how)) {
		r->epoll = bare_epoll_of(zoe_consumer_get_fd(r->consumer));
		r->waiter.epoll = bare_epoll_of(r->waiter.socket);
	}
	if (r->paced->how == PACED_NEST) {
		r->waiter.epoll = bare_epoll_of(r->waiter.epoll);
	}
	atomic_fetch_add_explicit(&r->waiter.bare->n_ready, 1, memory_order_release);
	reader_run(r);
	zoe_client_destroy(client);
	_exit(0);
}

static void zoe_send(struct zoe_producer *producer, uint32_t i) {
	struct zoe_slot *slot;

	if (zoe_producer_acquire(producer, NULL, &slot, 1000) != 0) {
		bench_die("no slot");
	}
	slot->user[1] = i;
	slot->user[0] = bench_now_ns();
	if (zoe_producer_publish(producer, slot) != 0) {
		bench_die("cannot publish");
	}
}

static void send_all(struct zoe_producer *producer, struct bare *bare, const struct paced *p,
	const int *sockets) {
	for (uint32_t i = 0; i < p->n; i++) {
		bench_pause_us(p->pause_us);
		zoe_send(producer, i);
		bench_pause_us(p->pause_us);
		bare_send(bare, p->how, sockets, p->n_readers);
	}
}

/* All that were measured, closed up. Returns: how many. */
static size_t gather(double *to, const double *from, size_t n) {
	size_t n_kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (from[i] >= 0) {
			to[n_kept++] = from[i];
		}
	}
	return n_kept;
}

static void report(const struct bench *b, const struct paced *p, const struct samples *out) {
	size_t n_most = (size_t)p->n_readers * p->n, n = 0, n_floors = 0;
	double *zoe = calloc(n_most, sizeof(*zoe)), *bare = calloc(n_most, sizeof(*bare));

	if (!zoe || !bare) {
		bench_die("no memory");
	}
	for (uint32_t k = 0; k < p->n_readers; k++) {
		n += gather(zoe + n, out[k].zoe, p->n);
		n_floors += gather(bare + n_floors, out[k].bare, p->n);
	}
	bench_report(b, &(struct bench_line){.name = p->name,
				.unit = "us",
				.floor_name = floor_names[p->how],
				.samples = zoe,
				.n = n,
				.floors = bare,
				.n_floors = n_floors,
				.target = p->target,
				.target_p99 = p->target_p99});
	free(zoe);
	free(bare);
}

/* Forks a reader like r. Returns: its end of the socket that wakes it. */
static int reader_fork(const struct bench *b, struct reader r, pid_t *pid) {
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		bench_die("no socket");
	}
	r.waiter.socket = pair[1];
	*pid = bench_fork();
	if (*pid == 0) {
		reader_start(b, &r);
	}
	close(pair[1]);
	return pair[0];
}

static void wait_ready(struct bare *bare, uint32_t n_readers) {
	for (unsigned i = 0; atomic_load_explicit(&bare->n_ready, memory_order_acquire) < n_readers;
		i++) {
		if (i == ATTACH_MS) {
			bench_die("the readers do not come");
		}
		bench_pause_us(1000);
	}
}

static struct samples *samples_create(const struct paced *p) {
	struct samples *out = bench_share(p->n_readers * sizeof(*out));

	for (uint32_t k = 0; k < p->n_readers; k++) {
		for (uint32_t i = 0; i < p->n; i++) {
			out[k].zoe[i] = out[k].bare[i] = -1;
		}
	}
	return out;
}

void paced_measure(const struct bench *b, const struct paced *p) {
	struct bare *bare = bench_share(sizeof(*bare));
	struct samples *out = samples_create(p);
	struct zoe_client *client = bench_connect(b);
	struct zoe_producer *producer;
	int sockets[MAX_READERS];
	pid_t readers[MAX_READERS];
	char stream[64];

	snprintf(stream, sizeof(stream), "deep/%d-%u-%.0f", (int)p->how, p->n_readers, p->pause_us);
	producer = bench_produce(client, stream, 64, 64);
	for (uint32_t k = 0; k < p->n_readers; k++) {
		sockets[k] = reader_fork(b,
			(struct reader){.paced = p,
				.stream = stream,
				.waiter = {.bare = bare, .how = p->how},
				.out = &out[k]},
			&readers[k]);
	}
	wait_ready(bare, p->n_readers);
	bench_wait_wanted(producer);
	send_all(producer, bare, p, sockets);
	for (uint32_t k = 0; k < p->n_readers; k++) {
		bench_join(readers[k], "a reader failed");
		close(sockets[k]);
	}
	report(b, p, out);
	zoe_client_destroy(client);
	munmap(bare, sizeof(*bare));
	munmap(out, p->n_readers * sizeof(*out));
}
