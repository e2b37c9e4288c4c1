/* SPDX-License-Identifier: MIT */
/*
 * Hammers one ring with producers and consumers that join, leave and (as processes) are killed, and
 * checks every byte of every frame taken. The main process plays the broker: roster and repair.
 *
 *   stress [--seconds S] [--producers N] [--consumers N] [--kills N] [--processes] [--expect-torn]
 *
 * Prints one line of JSON. Exit 0: nothing torn, no order broken (with --expect-torn, for the
 * mutants: something was).
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "frame_layout.h"
#include "ring_check.h"
#include "ring_read.h"
#include "ring_wait.h"
#include "ring_write.h"

enum { DEPTH = 2, HOLD = 2, MAX_PARTIES = 16, PAYLOAD_WORDS = 64 };

/* Shared by all parties; the tallies are the parties' own. */
struct shared {
	struct zoe_control_page control;
	_Atomic uint64_t stop;
	_Atomic uint64_t published, taken, torn, disorder, joins, lost;
	_Atomic uint32_t member[ZOE_MAX_SEATS]; // 1: the seat must be honoured
	unsigned char seats[ZOE_MAX_SEATS][ZOE_SEAT_STEP] __attribute__((aligned(128)));
};

static struct {
	struct shared *shared;
	struct zoe_ring ring;
	unsigned seconds, n_producers, n_consumers, n_kills;
	int is_processes, expects_torn;
} test = {.seconds = 3, .n_producers = 2, .n_consumers = 3};

struct party {
	unsigned index;
	uint32_t turn;
	bool is_consumer;
	pid_t pid;
	pthread_t thread;
};

static void tally(_Atomic uint64_t *counter) {
	atomic_fetch_add_explicit(
		counter, 1, memory_order_relaxed); /* [TALLY] a number for people */
}

static bool is_stopped(void) {
	return atomic_load_explicit(&test.shared->stop, memory_order_relaxed) != 0; /* [TALLY] */
}

static struct zoe_seat *seat_get(uint32_t i) {
	return (struct zoe_seat *)(void *)test.shared->seats[i];
}

/* What SEAT messages do for a real producer. */
static void writer_sync(struct zoe_writer *w) {
	w->roster = atomic_load_explicit(&test.shared->control.roster, memory_order_seq_cst);
	w->n_seats = ZOE_MAX_SEATS;
	for (uint32_t i = 0; i < ZOE_MAX_SEATS; i++) {
		bool is_in =
			atomic_load_explicit(&test.shared->member[i], memory_order_seq_cst) != 0;

		w->seats[i].seat = is_in ? seat_get(i) : NULL;
		w->seats[i].hold = HOLD;
	}
	while (w->n_seats > 0 && !w->seats[w->n_seats - 1].seat) {
		w->n_seats--;
	}
}

static void payload_fill(unsigned char *at, uint64_t value) {
	for (unsigned i = 0; i < PAYLOAD_WORDS; i++) {
		uint64_t word = value * 0x9e3779b97f4a7c15u + i;

		memcpy(at + 8 * i, &word, sizeof(word));
	}
}

static bool payload_is_whole(const unsigned char *at, uint64_t value) {
	for (unsigned i = 0; i < PAYLOAD_WORDS; i++) {
		uint64_t word;

		memcpy(&word, at + 8 * i, sizeof(word));
		if (word != value * 0x9e3779b97f4a7c15u + i) {
			return false;
		}
	}
	return true;
}

static unsigned char *payload_get(uint32_t slot) {
	unsigned char *frames;

	memcpy(&frames, &test.ring.frames, sizeof(frames));
	return frames + (size_t)slot * test.ring.geo.slot_stride;
}

static void produce(const struct party *me) {
	struct zoe_writer w = {.ring = test.ring, .owner = zoe_owner_pack(me->turn, me->index)};
	uint64_t value = (uint64_t)me->index << 56 | (uint64_t)me->turn << 48;

	writer_sync(&w);
	while (!is_stopped()) {
		struct zoe_wakes wakes = {0};
		enum zoe_ring_result result;
		uint32_t slot = 0;
		uint64_t seq;

		result = zoe_ring_acquire(&w, &slot, &wakes);
		if (result == ZOE_RING_STALE) {
			writer_sync(&w);
		}
		if (result != ZOE_RING_OK) {
			continue;
		}
		value++;
		payload_fill(payload_get(slot), value);
		((struct zoe_frame_header *)(void *)zoe_ring_get_header(&w.ring, slot))->user[0] =
			value;
		if (value % 64 == 0) {
			zoe_ring_cancel(&w, slot, &wakes);
			continue;
		}
		if (zoe_ring_publish(&w, slot, &seq, &wakes) == ZOE_RING_OK) {
			tally(&test.shared->published);
		}
	}
}

/* What the broker does at CONSUME and at a consumer's death. */
static void roster_set(uint32_t seat, bool is_in) {
	for (uint32_t k = 0; is_in && k < ZOE_MAX_PINS; k++) {
		/* [TEST] The real broker hands out a fresh page; here one that was killed left
		 * pins. */
		atomic_store_explicit(&seat_get(seat)->pin[k], 0, memory_order_seq_cst);
	}
	atomic_store_explicit(&test.shared->member[seat], is_in, memory_order_seq_cst);
	atomic_fetch_add_explicit(&test.shared->control.roster, 1, memory_order_seq_cst);
	atomic_fetch_add_explicit(&zoe_ring_get_page(&test.ring)->space, 1, memory_order_seq_cst);
}

static void frame_check(const struct zoe_ring *ring, uint32_t slot, uint64_t seq) {
	const struct zoe_frame_header *hdr = (const void *)zoe_ring_get_header(ring, slot);
	uint64_t value = hdr->user[0];

	for (unsigned look = 0; look < 3; look++) {
		if (hdr->seq != seq || hdr->user[0] != value ||
			!payload_is_whole(payload_get(slot), value)) {
			tally(&test.shared->torn);
			return;
		}
	}
}

/* Takes up to n frames, then leaves with its pins released. */
static void consume_some(uint32_t seat, unsigned n) {
	struct zoe_reader r = {.ring = test.ring, .seat = seat_get(seat), .start = 1};
	uint64_t want = zoe_ring_get_head(&r, NULL), last = 0;

	/* One older than the window: just what a producer is evicting, and free to be asked for. */
	want = want > DEPTH + 1 ? want - DEPTH - 1 : 1;
	for (unsigned i = 0; i < n && !is_stopped(); i++) {
		struct zoe_wakes wakes = {0};
		uint64_t head = zoe_ring_get_head(&r, NULL);
		enum zoe_ring_result result;
		uint32_t slot = 0;

		if (i > 0 && want < zoe_ring_get_oldest(&r, head)) {
			want = zoe_ring_get_oldest(&r, head);
		}
		result = zoe_ring_take(&r, want, i % HOLD, &slot, &wakes);
		if (result == ZOE_RING_OK) {
			frame_check(&r.ring, slot, want);
			if (want <= last) {
				tally(&test.shared->disorder);
			}
			last = want++;
			zoe_ring_set_cursor(&r, want);
			tally(&test.shared->taken);
			zoe_ring_unpin(&r.ring, r.seat, i % HOLD, &wakes);
		} else if (result != ZOE_RING_NONE) {
			tally(&test.shared->lost);
			want++;
		}
	}
}

static void consume(const struct party *me) {
	while (!is_stopped()) {
		/* Short stays: joining is where rosters go wrong. */
		roster_set(me->index, true);
		tally(&test.shared->joins);
		consume_some(me->index, me->index % 2 ? 2000 : 1);
		roster_set(me->index, false);
	}
}

static void *party_run(void *argument) {
	const struct party *me = argument;

	if (me->is_consumer) {
		consume(me);
	} else {
		produce(me);
	}
	return NULL;
}

static void party_start(struct party *p) {
	if (!test.is_processes) {
		if (pthread_create(&p->thread, NULL, party_run, p) != 0) {
			perror("pthread_create");
			exit(2);
		}
		return;
	}
	p->pid = fork();
	if (p->pid == 0) {
		party_run(p);
		_exit(0);
	}
}

/* Kills one party at a random moment, mends what it left, and starts it anew. */
static uint32_t kill_one(struct party *p) {
	uint32_t n_mended = 0;

	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	if (p->is_consumer) {
		roster_set(p->index, false);
	} else {
		n_mended = zoe_ring_repair(&test.ring, zoe_owner_pack(p->turn, p->index));
	}
	p->turn = p->turn == 63 ? 1 : p->turn + 1;
	party_start(p);
	return n_mended;
}

static void pause_us(long us) {
	struct timespec ts = {.tv_nsec = us * 1000};

	nanosleep(&ts, NULL);
}

static void *map_shared(size_t size) {
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return at;
}

static void ring_make(void) {
	struct zoe_geometry_request request = {.depth = DEPTH,
		.spares = test.n_producers + test.n_consumers * HOLD,
		.frame_bytes = PAYLOAD_WORDS * 8};

	if (zoe_geometry_init(&test.ring.geo, &request) != 0) {
		exit(2);
	}
	test.shared = map_shared(sizeof(*test.shared));
	test.ring.ring = map_shared(test.ring.geo.ring_bytes);
	test.ring.frames = map_shared(test.ring.geo.frames_bytes);
	test.ring.control = &test.shared->control;
	zoe_ring_format(&test.ring, 1);
}

static void options_parse(int argc, char **argv) {
	static const struct option options[] = {{"seconds", 1, NULL, 's'},
		{"producers", 1, NULL, 'p'}, {"consumers", 1, NULL, 'c'}, {"kills", 1, NULL, 'k'},
		{"processes", 0, NULL, 'P'}, {"expect-torn", 0, NULL, 't'}, {NULL, 0, NULL, 0}};
	int letter;

	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
		unsigned value = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

		switch (letter) {
		case 's':
			test.seconds = value;
			break;
		case 'p':
			test.n_producers = value;
			break;
		case 'c':
			test.n_consumers = value;
			break;
		case 'k':
			test.n_kills = value;
			test.is_processes = 1;
			break;
		case 'P':
			test.is_processes = 1;
			break;
		case 't':
			test.expects_torn = 1;
			break;
		default:
			exit(2);
		}
	}
	if (test.n_producers + test.n_consumers > MAX_PARTIES || test.n_producers == 0) {
		fprintf(stderr, "stress: 1 to %d parties\n", MAX_PARTIES);
		exit(2);
	}
}

static uint64_t get(_Atomic uint64_t *counter) {
	return atomic_load_explicit(counter, memory_order_relaxed); /* [TALLY] */
}

static int report(unsigned kills, uint64_t mended) {
	struct shared *s = test.shared;
	bool is_wrong = get(&s->torn) || get(&s->disorder);

	printf("{\"frames\": %llu, \"takes\": %llu, \"joins\": %llu, \"kills\": %u, \"repairs\": "
	       "%llu, "
	       "\"torn\": %llu, \"disorder\": %llu}\n",
		(unsigned long long)get(&s->published), (unsigned long long)get(&s->taken),
		(unsigned long long)get(&s->joins), kills, (unsigned long long)mended,
		(unsigned long long)get(&s->torn), (unsigned long long)get(&s->disorder));
	if (get(&s->published) == 0 || (test.n_consumers && get(&s->taken) == 0)) {
		fprintf(stderr, "stress: nothing flowed\n");
		return 1;
	}
	return is_wrong == (bool)test.expects_torn ? 0 : 1;
}

int main(int argc, char **argv) {
	struct party parties[MAX_PARTIES] = {0};
	unsigned kills = 0, n;
	uint64_t end, mended = 0;

	options_parse(argc, argv);
	ring_make();
	n = test.n_producers + test.n_consumers;
	for (unsigned i = 0; i < n; i++) {
		parties[i].is_consumer = i >= test.n_producers;
		parties[i].index = parties[i].is_consumer ? i - test.n_producers : i;
		parties[i].turn = 1;
		party_start(&parties[i]);
	}
	srand(1);
	end = zoe_now_ns() + test.seconds * UINT64_C(1000000000);
	while (test.n_kills ? kills < test.n_kills : zoe_now_ns() < end) {
		pause_us(500 + rand() % 2000);
		if (test.n_kills) {
			mended += kill_one(&parties[(unsigned)rand() % n]);
			kills++;
		} else if (test.expects_torn && get(&test.shared->torn)) {
			break;
		}
	}
	atomic_store_explicit(&test.shared->stop, 1, memory_order_relaxed); /* [TALLY] */
	for (unsigned i = 0; i < n; i++) {
		if (test.is_processes) {
			waitpid(parties[i].pid, NULL, 0);
		} else {
			pthread_join(parties[i].thread, NULL);
		}
	}
	return report(kills, mended);
}
