/* SPDX-License-Identifier: MIT */
#ifndef STRESS_H
#define STRESS_H
/*
 * What the parts of the stress share: generations in anonymous shared memory, what each party is,
 * and the tallies.
 * Owns:     nothing; the memory lives as long as the program.
 * Threads:  parties are threads or processes; all that changes here is atomic, or the main
 *           process's, which plays the broker.
 * Includes: the ring's core.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ring_check.h"
#include "ring_read.h"
#include "ring_wait.h"
#include "ring_write.h"

enum { DEPTH = 2, HOLD = 2, OPEN = 2, MAX_PARTIES = 32, PAYLOAD_WORDS = 64, MAX_GENERATIONS = 64 };
enum { N_HAD = 1 << 20 }; /* numbers that are remembered */

enum role {
	PRODUCER,
	JOINER,   // joins, takes old frames that just go, and leaves: thousands of times
	EVERY,    // stays; may lose what left the window
	RELIABLE, // may lose nothing
	MEMBER    // of the lossless group
};

/* 0: go on. 1: producers end. 2: consumers end as well, when they have read everything. */
enum stop { GO, STOP_PRODUCERS, STOP_ALL };

struct tallies {
	_Atomic uint64_t frames, takes, reliable_takes, group_takes, joins;
	_Atomic uint64_t torn, gaps, disorder, duplicates, missed_wakes;
	_Atomic uint64_t
		owed; // reliable frames that were to be taken by those who lived to the end
};

struct generation {
	struct zoe_control_page control;
	struct zoe_group group;
	_Atomic uint32_t flags[ZOE_MAX_SEATS]; // 1 + enum zoe_seat_flags of a seat; 0 = not listed
	unsigned char seats[ZOE_MAX_SEATS][ZOE_SEAT_STEP] __attribute__((aligned(128)));
};

struct shared {
	_Atomic uint32_t stop; // enum stop
	/* Generations that consumers, and producers, have been told of; the newest of the broker.
	 */
	_Atomic uint32_t told_consumers, told_producers;
	_Atomic uint64_t had[N_HAD];   // numbers that members of the group took
	_Atomic uint64_t given[N_HAD]; // numbers that publish gave out
	struct tallies tallies;
	struct generation generations[MAX_GENERATIONS];
};

struct party {
	enum role role;
	unsigned index; // lane of a producer, seat of a consumer
	uint32_t turn;
	uint32_t joined; // generation in which a consumer was seated
	uint64_t begin;  // first number that it takes there
	bool sleeps;     // waits in the kernel where others spin
	pid_t pid;
	pthread_t thread;
};

struct test {
	struct shared *shared;
	struct zoe_ring rings[MAX_GENERATIONS];
	struct party parties[MAX_PARTIES];
	unsigned n_parties, n_producers, seconds, n_kills, n_stops, n_moves, seed;
	uint32_t newest; // generation, as the broker knows
	bool is_processes, is_sole, is_sleepy, expects_wrong;
};

extern struct test test;

/* Made before any party starts. */
void stress_make(void);
struct zoe_seat *stress_get_seat(uint32_t generation, uint32_t seat);
void stress_count(_Atomic uint64_t *counter, uint64_t n);
uint64_t stress_get(_Atomic uint64_t *counter);
enum stop stress_get_stop(void);

/* What a party does until it is stopped. */
void producer_run(const struct party *me);
void consumer_run(const struct party *me);

/* A frame that is to be looked at once more and let go of. */
struct held {
	struct zoe_reader reader;
	uint64_t seq;
	uint32_t pin, slot;
};
void held_release(const struct held *held);

/* A consumer's second thread, which lets go of every other frame in its place. */
struct releaser {
	struct held held[HOLD];
	unsigned n_held;
	_Atomic uint32_t is_busy[HOLD]; // 1: the pin is in its hands
	bool is_ending;
	pthread_mutex_t lock;
	pthread_cond_t change;
	pthread_t thread;
};
void releaser_init(struct releaser *releaser);
void releaser_give(struct releaser *releaser, const struct held *held);
/* Returns when the pin is free again. */
void releaser_await(struct releaser *releaser, uint32_t pin);
/* Ends the thread when all is released. */
void releaser_finish(struct releaser *releaser);

/* The broker's deeds; of the main process, but for seat_list() of joiners. */
void seat_list(uint32_t generation, uint32_t seat, bool is_in, uint32_t flags);
void party_join(struct party *p);
void party_start(struct party *p);
uint32_t party_kill(struct party *p); // Returns: slots mended
void party_stop_and_go(const struct party *p, long us);
bool stress_move(void);
#endif
