/* SPDX-License-Identifier: MIT */
/*
 * Hammers rings with producers and consumers that join, leave, sleep, are stopped and killed, while
 * the stream moves, and checks every word of every frame taken. The main process plays the broker.
 * Prints one line of JSON. Exit 0: nothing torn, lost, twice, out of order or left asleep (with
 * --expect-wrong, for the mutants: something was).
 */
#include "stress.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct test test = {.seconds = 3, .seed = 1};

static const char usage[] =
	"usage: stress [OPTIONS]\n"
	"  --seconds S    how long (3)\n"
	"  --producers N  (2)          --joiners N   join, look and leave for ever (3)\n"
	"  --every N      stay (0)     --reliable N  lose nothing (0)\n"
	"  --group N      members of one lossless queue (0)\n"
	"  --sole         one producer, which knows that it is alone\n"
	"  --processes    parties are processes, not threads\n"
	"  --kills N      kill -9 of a random party, mended and replaced, N times\n"
	"  --stops N      SIGSTOP of a random party for some ms, N times\n"
	"  --moves N      to a next generation, spread over the run; at most 63, without joiners\n"
	"  --seed N       of the choice of parties and pauses (1)\n"
	"  --sleepy       nobody spins: who was not woken stays asleep\n"
	"  --expect-wrong succeed if something went wrong\n";

void stress_count(_Atomic uint64_t *counter, uint64_t n) {
	if (n > 0) {
		/* [TALLY] relaxed: a number for people. */
		atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
	}
}

uint64_t stress_get(_Atomic uint64_t *counter) {
	return atomic_load_explicit(counter, memory_order_relaxed); /* [TALLY] */
}

enum stop stress_get_stop(void) {
	/* [STOP] SC: what was published before is there to be read. */
	return (enum stop)atomic_load_explicit(&test.shared->stop, memory_order_seq_cst);
}

static void add_parties(enum role role, unsigned n) {
	for (unsigned i = 0; i < n; i++) {
		struct party *p = &test.parties[test.n_parties];

		if (test.n_parties == MAX_PARTIES) {
			fprintf(stderr, "stress: at most %d parties\n", MAX_PARTIES);
			exit(2);
		}
		p->role = role;
		p->turn = 1;
		p->index = role == PRODUCER ? i : test.n_parties - test.n_producers;
		p->sleeps = i % 2 == 1 || role == MEMBER || test.is_sleepy;
		test.n_parties++;
		test.n_producers += role == PRODUCER;
	}
}

struct wish {
	unsigned producers, joiners, every, reliable, group;
};

static const struct option options[] = {{"seconds", 1, NULL, 's'}, {"producers", 1, NULL, 'p'},
	{"joiners", 1, NULL, 'j'}, {"every", 1, NULL, 'e'}, {"reliable", 1, NULL, 'r'},
	{"group", 1, NULL, 'g'}, {"kills", 1, NULL, 'k'}, {"stops", 1, NULL, 'S'},
	{"moves", 1, NULL, 'm'}, {"seed", 1, NULL, 'x'}, {"sole", 0, NULL, 'o'},
	{"sleepy", 0, NULL, 'z'}, {"processes", 0, NULL, 'P'}, {"expect-wrong", 0, NULL, 'w'},
	{"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};

static void set_option(struct wish *wish, int letter, unsigned value) {
	switch (letter) {
	case 's':
		test.seconds = value;
		break;
	case 'p':
		wish->producers = value;
		break;
	case 'j':
		wish->joiners = value;
		break;
	case 'e':
		wish->every = value;
		break;
	case 'r':
		wish->reliable = value;
		break;
	case 'g':
		wish->group = value;
		break;
	case 'k':
		test.n_kills = value;
		break;
	case 'S':
		test.n_stops = value;
		break;
	case 'm':
		test.n_moves = value;
		break;
	case 'x':
		test.seed = value;
		break;
	case 'o':
		test.is_sole = true;
		break;
	case 'z':
		test.is_sleepy = true;
		break;
	case 'P':
		test.is_processes = true;
		break;
	case 'w':
		test.expects_wrong = true;
		break;
	case 'h':
		fputs(usage, stdout);
		exit(0);
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static void options_parse(int argc, char **argv) {
	struct wish wish = {.producers = 2, .joiners = 3};
	int letter;

	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
		set_option(&wish, letter, optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0);
	}
	test.is_processes |= test.n_kills > 0 || test.n_stops > 0;
	if (test.n_moves > 0) {
		wish.joiners = 0;
	}
	if (test.is_sole) {
		wish.producers = 1;
	}
	if (wish.producers == 0 || test.n_moves >= MAX_GENERATIONS) {
		fputs(usage, stderr);
		exit(2);
	}
	add_parties(PRODUCER, wish.producers);
	add_parties(JOINER, wish.joiners);
	add_parties(EVERY, wish.every);
	add_parties(RELIABLE, wish.reliable);
	add_parties(MEMBER, wish.group);
}

struct deeds {
	unsigned kills, stops, moves;
	uint64_t mended;
	unsigned dead_members;
};

static bool something_is_wrong(void) {
	struct tallies *t = &test.shared->tallies;

	return stress_get(&t->torn) || stress_get(&t->gaps) || stress_get(&t->disorder) ||
	       stress_get(&t->duplicates) || stress_get(&t->missed_wakes);
}

/* One thing that happens to the parties. Returns: false, nothing is left to be done. */
static bool disturb(struct deeds *d, double progress) {
	struct party *p = &test.parties[(unsigned)rand() % test.n_parties];

	if (d->moves < test.n_moves && progress > (double)d->moves / test.n_moves) {
		d->moves += stress_move();
	} else if (d->stops < test.n_stops) {
		party_stop_and_go(p, 200 + rand() % 3000);
		d->stops++;
	} else if (d->kills < test.n_kills) {
		d->dead_members += p->role == MEMBER;
		d->mended += party_kill(p);
		d->kills++;
	} else {
		return false;
	}
	return true;
}

static void let_run(struct deeds *d) {
	uint64_t began = zoe_now_ns(), length = test.seconds * UINT64_C(1000000000);
	bool is_busy = true;

	while (zoe_now_ns() - began < length || (is_busy && test.n_kills)) {
		struct timespec ts = {.tv_nsec = (300 + rand() % 2000) * 1000};

		nanosleep(&ts, NULL);
		is_busy = disturb(d, (double)(zoe_now_ns() - began) / (double)length);
		if (test.expects_wrong && something_is_wrong()) {
			return;
		}
	}
}

static void parties_end(enum role from, enum role to, enum stop stop) {
	atomic_store_explicit(&test.shared->stop, stop, memory_order_seq_cst); /* [STOP] */
	for (unsigned g = 0; g <= test.newest; g++) {
		zoe_ring_wake_all(&test.rings[g]);
	}
	for (unsigned i = 0; i < test.n_parties; i++) {
		struct party *p = &test.parties[i];

		if (p->role < from || p->role > to) {
			continue;
		}
		if (test.is_processes) {
			waitpid(p->pid, NULL, 0);
		} else {
			pthread_join(p->thread, NULL);
		}
	}
}

/* A lossless group has all frames from its first join on, but those that died with a member. */
static void check_group(const struct deeds *d) {
	uint64_t begin = 0, head, had = stress_get(&test.shared->tallies.group_takes);

	for (unsigned i = 0; i < test.n_parties; i++) {
		if (test.parties[i].role == MEMBER) {
			begin = 1; /* all joined before the first frame */
		}
	}
	head = zoe_head_seq(atomic_load_explicit(
		&zoe_ring_get_page(&test.rings[test.newest])->head, memory_order_seq_cst));
	if (begin && had + d->dead_members < head - begin) {
		stress_count(&test.shared->tallies.gaps, head - begin - had - d->dead_members);
	}
}

static int report(const struct deeds *d) {
	struct tallies *t = &test.shared->tallies;
	uint64_t owed = stress_get(&t->owed), reliable = stress_get(&t->reliable_takes);

	/* Those who were killed have taken some as well. */
	stress_count(&t->gaps, reliable < owed ? owed - reliable : 0);
	printf("{\"frames\": %llu, \"takes\": %llu, \"reliable_takes\": %llu, \"group_takes\": "
	       "%llu, "
	       "\"joins\": %llu, \"kills\": %u, \"stops\": %u, \"moves\": %u, \"repairs\": %llu, "
	       "\"torn\": %llu, \"gaps\": %llu, \"disorder\": %llu, \"duplicates\": %llu, "
	       "\"missed_wakes\": %llu}\n",
		(unsigned long long)stress_get(&t->frames),
		(unsigned long long)stress_get(&t->takes), (unsigned long long)reliable,
		(unsigned long long)stress_get(&t->group_takes),
		(unsigned long long)stress_get(&t->joins), d->kills, d->stops, d->moves,
		(unsigned long long)d->mended, (unsigned long long)stress_get(&t->torn),
		(unsigned long long)stress_get(&t->gaps),
		(unsigned long long)stress_get(&t->disorder),
		(unsigned long long)stress_get(&t->duplicates),
		(unsigned long long)stress_get(&t->missed_wakes));
	if (stress_get(&t->frames) == 0 ||
		(test.n_parties > test.n_producers && stress_get(&t->takes) == 0)) {
		fprintf(stderr, "stress: nothing flowed\n");
		return 1;
	}
	return something_is_wrong() == test.expects_wrong ? 0 : 1;
}

int main(int argc, char **argv) {
	struct deeds deeds = {0};

	options_parse(argc, argv);
	srand(test.seed);
	stress_make();
	for (unsigned i = test.n_parties; i-- > 0;) {
		party_start(&test.parties[i]); /* producers last: a group must not miss the first */
	}
	let_run(&deeds);
	if (test.expects_wrong && something_is_wrong()) {
		report(&deeds); /* a broken ring may keep parties from ending */
		for (unsigned i = 0; i < test.n_parties && test.is_processes; i++) {
			kill(test.parties[i].pid, 9);
		}
		fflush(stdout);
		_exit(0);
	}
	parties_end(PRODUCER, JOINER, STOP_PRODUCERS);
	parties_end(EVERY, MEMBER, STOP_ALL);
	check_group(&deeds);
	return report(&deeds);
}
