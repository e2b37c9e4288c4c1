/* SPDX-License-Identifier: MIT */
/*
 * The broker's part: seats come and go, the dead are mended and replaced, streams move. The order
 * of the steps is daemon/roster.c's, consumer.c's and move.c's.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stress.h"

static void *map_shared(size_t size) {
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		perror("mmap");
		exit(2);
	}
	return at;
}

void stress_make(void) {
	struct zoe_geometry_request request = {.depth = DEPTH,
		.spares = test.n_producers * OPEN + (test.n_parties - test.n_producers) * HOLD,
		.frame_bytes = PAYLOAD_WORDS * 8};
	struct zoe_geometry geo;

	if (zoe_geometry_init(&geo, &request) != 0) {
		exit(2);
	}
	test.shared = map_shared(sizeof(*test.shared));
	for (unsigned g = 0; g <= test.n_moves; g++) {
		test.rings[g].geo = geo;
		test.rings[g].ring = map_shared(geo.ring_bytes);
		test.rings[g].frames = map_shared(geo.frames_bytes);
		test.rings[g].control = &test.shared->generations[g].control;
	}
	zoe_ring_format(&test.rings[0], 1);
	atomic_init(&test.shared->generations[0].control.start, 1);
}

struct zoe_seat *stress_get_seat(uint32_t generation, uint32_t seat) {
	return (struct zoe_seat *)(void *)test.shared->generations[generation].seats[seat];
}

void seat_list(uint32_t generation, uint32_t seat, bool is_in, uint32_t flags) {
	struct generation *g = &test.shared->generations[generation];

	for (uint32_t k = 0; is_in && k < ZOE_MAX_PINS; k++) {
		/* The real broker hands out a fresh page; here one that was killed left pins. */
		atomic_store_explicit(&stress_get_seat(generation, seat)->pin[k], 0,
			memory_order_seq_cst); /* [PIN] */
	}
	atomic_store_explicit(&g->flags[seat], is_in ? flags + 1 : 0, memory_order_seq_cst);
	atomic_fetch_add_explicit(&g->control.roster, 1, memory_order_seq_cst); /* [ROSTER] */
	atomic_fetch_add_explicit(&zoe_ring_get_page(&test.rings[generation])->space, 1,
		memory_order_seq_cst); /* [SPACE] */
	zoe_ring_wake_all(&test.rings[generation]);
}

static uint32_t role_get_flags(enum role role) {
	return role == RELIABLE ? ZOE_SEAT_RELIABLE
	       : role == MEMBER ? ZOE_SEAT_RELIABLE | ZOE_SEAT_GROUPED
				: 0;
}

static void seat_begin(uint32_t generation, const struct party *p, uint64_t h) {
	struct generation *g = &test.shared->generations[generation];

	/* [CURSOR] [TAIL] release: as daemon/generation.c does. */
	atomic_store_explicit(
		&stress_get_seat(generation, p->index)->cursor, h, memory_order_release);
	if (p->role == MEMBER &&
		atomic_load_explicit(&g->group.tail, memory_order_relaxed) == 0) { /* [TAIL] */
		atomic_store_explicit(&g->group.tail, h, memory_order_release);
	}
}

/* [LIMIT] cursor 0, roster, head, cursor: in this order. */
void party_join(struct party *p) {
	uint64_t h;

	atomic_store_explicit(&stress_get_seat(test.newest, p->index)->cursor, 0,
		memory_order_seq_cst); /* [CURSOR] */
	seat_list(test.newest, p->index, true, role_get_flags(p->role));
	h = zoe_head_seq(atomic_load_explicit(&zoe_ring_get_page(&test.rings[test.newest])->head,
		memory_order_seq_cst)); /* [LIMIT] */
	seat_begin(test.newest, p, h);
	p->joined = test.newest;
	p->begin = h;
}

static void *party_run(void *argument) {
	const struct party *me = argument;

	if (me->role == PRODUCER) {
		producer_run(me);
	} else {
		consumer_run(me);
	}
	return NULL;
}

void party_start(struct party *p) {
	if (p->role != PRODUCER && p->role != JOINER) {
		party_join(p);
	}
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

uint32_t party_kill(struct party *p) {
	uint32_t n_mended = 0;

	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	if (p->role == PRODUCER) {
		n_mended = zoe_ring_repair(
			&test.rings[test.newest], zoe_owner_pack(p->turn, p->index));
		zoe_ring_wake_all(&test.rings[test.newest]);
	} else {
		seat_list(test.newest, p->index, false, 0);
	}
	p->turn = p->turn == 63 ? 1 : p->turn + 1;
	party_start(p);
	return n_mended;
}

void party_stop_and_go(const struct party *p, long us) {
	struct timespec ts = {.tv_nsec = us * 1000};

	kill(p->pid, SIGSTOP);
	nanosleep(&ts, NULL);
	kill(p->pid, SIGCONT);
}

bool stress_move(void) {
	struct shared *s = test.shared;
	uint32_t old = test.newest, next = old + 1;
	uint64_t h;

	if (next > test.n_moves) {
		return false;
	}
	for (uint32_t i = 0; i < ZOE_MAX_SEATS; i++) {
		atomic_store_explicit(&s->generations[next].flags[i],
			atomic_load_explicit(&s->generations[old].flags[i], memory_order_seq_cst),
			memory_order_seq_cst); /* [ROSTER] */
	}
	h = zoe_ring_close(&test.rings[old]);
	/* [ENDED] SC: as daemon/generation.c */
	atomic_store_explicit(&s->generations[old].control.ended, h + 1, memory_order_seq_cst);
	zoe_ring_format(&test.rings[next], h);
	atomic_store_explicit(
		&s->generations[next].control.start, h, memory_order_seq_cst); /* [MOVE] */
	atomic_fetch_add_explicit(
		&s->generations[next].control.roster, 1, memory_order_seq_cst); /* [ROSTER] */
	for (unsigned i = 0; i < test.n_parties; i++) {
		if (test.parties[i].role != PRODUCER && test.parties[i].role != JOINER) {
			seat_begin(next, &test.parties[i], h);
		}
	}
	test.newest = next;
	/* [MOVE] SC: consumers first. */
	atomic_store_explicit(&s->told_consumers, next, memory_order_seq_cst);
	atomic_store_explicit(&s->told_producers, next, memory_order_seq_cst);
	zoe_ring_wake_all(&test.rings[old]);
	return true;
}
