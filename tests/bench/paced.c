/* SPDX-License-Identifier: MIT */
/*
 * A frame, a bare wake, a frame, a bare wake: both to the same readers, with a pause between, so
 * that what disturbs the machine disturbs both. A sample is the time from just before the publish
 * (the store) to the reader's hand.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

enum { MAX_READERS = 16, MAX_ROUNDS = 16384, ATTACH_MS = 5000 }; // what callers ask at most

/* The bare deed: a word and its wake. */
struct bare {
	_Atomic uint32_t word; // bare deeds done
	uint32_t reserved[15];
	_Atomic uint32_t n_ready; // readers that have attached
	_Atomic uint64_t sent_ns[MAX_ROUNDS];
};

struct samples {
	double zoe[MAX_ROUNDS], bare[MAX_ROUNDS]; // -1 = none
};

struct reader {
	const struct paced *paced;
	const char *stream;
	struct bare *bare;
	struct samples *out;
	struct zoe_consumer *consumer;
	int socket, epoll_bare, epoll_zoe;
};

static const char *const floor_names[] = {"futex wake", "socket wake with epoll", "word looked at"};

static void cpu_relax(void) {
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

static int epoll_of(int fd) {
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		_exit(1);
	}
	return epoll;
}

static void epoll_sleep(int epoll) {
	struct epoll_event event;

	epoll_wait(epoll, &event, 1, 1000);
}

static void bare_wait(const struct reader *r, uint32_t seen) {
	char byte;

	/* Acquire: sent_ns was stored before the word. */
	while (atomic_load_explicit(&r->bare->word, memory_order_acquire) == seen) {
		switch (r->paced->how) {
		case PACED_SLEEP:
			syscall(SYS_futex, &r->bare->word, FUTEX_WAIT, seen, NULL, NULL, 0);
			break;
		case PACED_POLL:
			epoll_sleep(r->epoll_bare);
			break;
		case PACED_BUSY:
		default:
			cpu_relax();
			break;
		}
	}
	if (r->paced->how == PACED_POLL && recv(r->socket, &byte, 1, 0) != 1) {
		_exit(1);
	}
}

static int zoe_wait(const struct reader *r, const struct zoe_frame **frame) {
	int error;

	if (r->paced->how == PACED_SLEEP) {
		return zoe_consumer_next(r->consumer, frame, 5000);
	}
	while ((error = zoe_consumer_next(r->consumer, frame, 0)) == -EAGAIN) {
		if (r->paced->how == PACED_POLL) {
			epoll_sleep(r->epoll_zoe);
		}
	}
	return error;
}

/* A reader that was kept from the CPU for longer than the ring is deep goes on behind the gap. */
static void reader_run(struct reader *r) {
	uint32_t i = 0;

	while (i < r->paced->n) {
		const struct zoe_frame *frame;

		if (zoe_wait(r, &frame) != 0 || frame->user[1] < i ||
			frame->user[1] >= MAX_ROUNDS) {
			_exit(1);
		}
		i = (uint32_t)frame->user[1];
		r->out->zoe[i] = (double)(bench_now_ns() - frame->user[0]) / 1e3;
		zoe_frame_release(frame);
		bare_wait(r, i);
		/* Relaxed: it was stored before the word, which was acquired. */
		r->out->bare[i] =
			(double)(bench_now_ns() -
				 atomic_load_explicit(&r->bare->sent_ns[i], memory_order_relaxed)) /
			1e3;
		i++;
	}
}

static void reader_start(const struct bench *b, struct reader *r) {
	struct zoe_client *client = bench_connect(b);

	r->consumer = bench_consume(client, r->stream, ZOE_EVERY);
	if (r->paced->how == PACED_POLL) {
		r->epoll_zoe = epoll_of(zoe_consumer_get_fd(r->consumer));
		r->epoll_bare = epoll_of(r->socket);
	}
	atomic_fetch_add_explicit(&r->bare->n_ready, 1, memory_order_release);
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

static void bare_send(struct bare *bare, const struct paced *p, const int *sockets, uint32_t i) {
	/* Relaxed, then release: see bare_wait(). */
	atomic_store_explicit(&bare->sent_ns[i], bench_now_ns(), memory_order_relaxed);
	atomic_fetch_add_explicit(&bare->word, 1, memory_order_release);
	if (p->how == PACED_SLEEP) {
		syscall(SYS_futex, &bare->word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	}
	for (uint32_t k = 0; p->how == PACED_POLL && k < p->n_readers; k++) {
		if (send(sockets[k], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1) {
			bench_die("a reader does not listen");
		}
	}
}

static void send_all(struct zoe_producer *producer, struct bare *bare, const struct paced *p,
	const int *sockets) {
	for (uint32_t i = 0; i < p->n; i++) {
		bench_pause_us(p->pause_us);
		zoe_send(producer, i);
		bench_pause_us(p->pause_us);
		bare_send(bare, p, sockets, i);
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
	r.socket = pair[1];
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
			(struct reader){.paced = p, .stream = stream, .bare = bare, .out = &out[k]},
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
