/* SPDX-License-Identifier: MIT */
/*
 * One trial of one peer: TRIAL DEED READERS SECONDS PLACE NAME, or TRIAL --version.
 * A producer and its readers, each a process. Prints one line of JSON: every latency in us, and
 * what a frame cost. Latency runs from just before the frame is published (IN_PLACE) or copied
 * (COPY) to where the reader has it (IN_PLACE) or has looked at each byte of it (COPY).
 * Exit: 0 measured; 1 failed, with a sentence; 77 the peer cannot do this deed.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "copy.h"
#include "peer.h"

enum { MAX_SAMPLES = 20000, SOURCES = 4, WARM_FRAMES = 30, FPS = 60, WAIT_S = 10 };

/* First and last words of a picture; the last one tells that it is torn. */
struct stamp {
	uint64_t sent_ns, number;
};

struct cost {
	double cpu_us;
	long n_sleeps, n_frames;
};

struct reader {
	_Alignas(64) _Atomic uint32_t n_seen; // of the measured frames
	_Atomic uint32_t is_ready;            // has seen a frame at all
	uint32_t n_samples, n_lost, n_torn;
	double seconds; // from the first measured frame to the last
	struct cost cost;
	double us[MAX_SAMPLES];
};

struct shared {
	_Atomic uint32_t is_open, is_done, is_over; // producer: has opened, has sent all; stop now
	_Alignas(64) _Atomic uint64_t first;        // number of the first measured frame
	struct cost producer;
	struct reader reader[MAX_READERS];
};

static struct shared *shared;

static uint64_t now_ns(void) {
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void pause_ms(long ms) {
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

static _Noreturn void die(const char *what) {
	fprintf(stderr, "trial: %s\n", what);
	_exit(1);
}

/* The flags between the processes stand alone: nothing is read by their order but what waitpid()
 * orders. Sequential consistency would say no more. */
static uint32_t flag_get(_Atomic uint32_t *flag) {
	return atomic_load_explicit(flag, memory_order_relaxed);
}

static void flag_set(_Atomic uint32_t *flag) {
	atomic_store_explicit(flag, 1, memory_order_relaxed);
}

static struct cost cost_now(void) {
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (struct cost){.cpu_us = 1e6 * (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
				       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec),
		.n_sleeps = u.ru_nvcsw};
}

static struct cost cost_since(struct cost began, long n_frames) {
	struct cost now = cost_now();

	return (struct cost){now.cpu_us - began.cpu_us, now.n_sleeps - began.n_sleeps, n_frames};
}

/* Libraries that say good-bye do so in exit handlers. */
static _Noreturn void leave(void) {
	if (peer.leave) {
		peer.leave();
	}
	exit(0);
}

/* -- producer -- */

static void picture_stamp(uint8_t *picture, uint64_t number) {
	struct stamp stamp = {now_ns(), number};

	memcpy(picture + FRAME_BYTES - sizeof(number), &number, sizeof(number));
	memcpy(picture, &stamp, sizeof(stamp));
}

static bool has_copy(const struct trial *t) {
	return t->deed == COPY || t->deed == FLOW || (t->deed == STOPPED && !peer.acquire);
}

/* Where the peer leaves the copying to its user, all use the same copy. */
static void frame_send(const struct trial *t, uint8_t *source, uint64_t number) {
	uint8_t *to;

	if (has_copy(t) && peer.send) {
		picture_stamp(source, number);
		if (peer.send(source) != 0) {
			die("cannot send");
		}
		return;
	}
	to = peer.acquire();
	if (!to) {
		die("cannot acquire");
	}
	if (has_copy(t)) {
		picture_stamp(source, number);
		zoe_copy(to, source, FRAME_BYTES);
	} else {
		picture_stamp(to, number);
	}
	if (peer.publish() != 0) {
		die("cannot publish");
	}
}

static void pace(uint64_t *at_ns) {
	struct timespec ts;

	*at_ns += 1000000000 / FPS;
	ts = (struct timespec){(time_t)(*at_ns / 1000000000), (long)(*at_ns % 1000000000)};
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static bool are_ready(const struct trial *t) {
	for (unsigned i = 0; i < t->n_readers; i++) {
		if (!flag_get(&shared->reader[i].is_ready)) {
			return false;
		}
	}
	return true;
}

static uint8_t *sources_make(void) {
	uint8_t *sources = malloc((size_t)SOURCES * FRAME_BYTES);

	if (!sources) {
		die("no memory");
	}
	for (size_t i = 0; i < (size_t)SOURCES * FRAME_BYTES; i++) {
		sources[i] = (uint8_t)(i * 2654435761u >> 13);
	}
	return sources;
}

/* Frames for nobody in particular, until every reader has seen one. Returns their number. */
static uint64_t warm_up(const struct trial *t, uint8_t *sources, uint64_t *at_ns) {
	uint64_t n = 0, n_ready = 0;

	while (n_ready < WARM_FRAMES) {
		if (n > WAIT_S * FPS) {
			die("the readers do not see frames");
		}
		pace(at_ns);
		frame_send(t, sources + n % SOURCES * FRAME_BYTES, n);
		n++;
		n_ready += are_ready(t);
	}
	return n;
}

static _Noreturn void produce(const struct trial *t) {
	uint8_t *sources = sources_make();
	uint64_t at_ns, end_ns, first, n;
	struct cost began;

	if (peer.produce(t) != 0) {
		die("the producer cannot open");
	}
	flag_set(&shared->is_open);
	at_ns = now_ns();
	first = n = warm_up(t, sources, &at_ns);
	atomic_store_explicit(&shared->first, first, memory_order_relaxed);
	began = cost_now();
	end_ns = now_ns() + (uint64_t)(t->seconds * 1e9);
	while (now_ns() < end_ns && n - first < MAX_SAMPLES && !flag_get(&shared->is_over)) {
		if (t->deed != FLOW) {
			pace(&at_ns);
		}
		frame_send(t, sources + n % SOURCES * FRAME_BYTES, n);
		n++;
	}
	shared->producer = cost_since(began, (long)(n - first));
	flag_set(&shared->is_done);
	pause_ms(500); // what is on its way must not be lost with its sender
	leave();
}

/* -- readers -- */

static uint64_t picture_sum(const uint8_t *picture) {
	uint64_t sum[4] = {0}, word[4];

	for (size_t i = 0; i < FRAME_BYTES; i += sizeof(word)) {
		memcpy(word, picture + i, sizeof(word));
		sum[0] += word[0];
		sum[1] += word[1];
		sum[2] += word[2];
		sum[3] += word[3];
	}
	return sum[0] ^ sum[1] ^ sum[2] ^ sum[3];
}

static _Atomic uint64_t sum_sink; // that the sums are not left out

struct read {
	uint64_t first, next, began_ns, last_ns;
	struct cost began;
};

static void frame_note(struct reader *r, struct read *state, struct stamp stamp, uint64_t tail) {
	uint64_t now = now_ns();

	if (state->next == 0) {
		state->began = cost_now();
		state->began_ns = now;
	} else if (stamp.number > state->next) {
		r->n_lost += (uint32_t)(stamp.number - state->next);
	}
	state->next = stamp.number + 1;
	state->last_ns = now;
	r->n_torn += tail != stamp.number;
	if (r->n_samples < MAX_SAMPLES) {
		r->us[r->n_samples++] = (double)(now - stamp.sent_ns) / 1e3;
	}
	atomic_fetch_add_explicit(&r->n_seen, 1, memory_order_relaxed);
}

static void frame_read(const struct trial *t, struct reader *r, struct read *state) {
	const uint8_t *picture = peer.next(100);
	struct stamp stamp;
	uint64_t first, tail;

	if (!picture) {
		return;
	}
	memcpy(&stamp, picture, sizeof(stamp));
	if (has_copy(t)) {
		atomic_store_explicit(&sum_sink, picture_sum(picture), memory_order_relaxed);
	}
	memcpy(&tail, picture + FRAME_BYTES - sizeof(tail), sizeof(tail));
	first = atomic_load_explicit(&shared->first, memory_order_relaxed);
	if (first != 0 && stamp.number >= first) {
		frame_note(r, state, stamp, tail);
	}
	flag_set(&r->is_ready);
	peer.release();
}

static _Noreturn void consume(const struct trial *t, unsigned index) {
	struct reader *r = &shared->reader[index];
	struct read state = {0};
	uint32_t n_idle = 0, n_seen = 0;

	for (unsigned i = 0; !flag_get(&shared->is_open); i++) {
		if (i > WAIT_S * 100) {
			die("no producer");
		}
		pause_ms(10);
	}
	if (peer.consume(t, index) != 0) {
		die("a reader cannot open");
	}
	while (!flag_get(&shared->is_over) && n_idle < 3) {
		frame_read(t, r, &state);
		n_idle = flag_get(&shared->is_done) && n_seen == r->n_samples ? n_idle + 1 : 0;
		n_seen = r->n_samples;
	}
	r->cost = cost_since(state.began, r->n_samples);
	r->seconds = (double)(state.last_ns - state.began_ns) / 1e9;
	leave();
}

/* -- both -- */

static pid_t child_start(void) {
	pid_t parent = getpid(), child = fork();

	if (child < 0) {
		die("cannot fork");
	}
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent) {
			_exit(1);
		}
	}
	return child;
}

/* Returns whether it ended well by itself before the deadline. */
static bool child_join(pid_t child, uint64_t deadline_ns) {
	int status;

	while (waitpid(child, &status, WNOHANG) == 0) {
		if (now_ns() > deadline_ns) {
			kill(child, SIGKILL);
			waitpid(child, &status, 0);
			return false;
		}
		pause_ms(20);
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Stops the last reader, and counts what the others get. Returns frames a second of the worst. */
static double stop_and_count(const struct trial *t, pid_t last) {
	uint32_t before[MAX_READERS], least = UINT32_MAX;

	for (unsigned i = 0; atomic_load_explicit(&shared->first, memory_order_relaxed) == 0; i++) {
		if (i > WAIT_S * 100) {
			return -1;
		}
		pause_ms(10);
	}
	kill(last, SIGSTOP);
	pause_ms(500); // the peers' buffers fill
	for (unsigned i = 0; i + 1 < t->n_readers; i++) {
		before[i] = flag_get(&shared->reader[i].n_seen);
	}
	pause_ms((long)(t->seconds * 1e3));
	for (unsigned i = 0; i + 1 < t->n_readers; i++) {
		uint32_t n = flag_get(&shared->reader[i].n_seen) - before[i];

		least = n < least ? n : least;
	}
	kill(last, SIGCONT);
	flag_set(&shared->is_over);
	return (double)least / t->seconds;
}

static void costs_print(const struct trial *t) {
	const struct cost *p = &shared->producer;
	struct cost all = {0};

	for (unsigned i = 0; i < t->n_readers; i++) {
		all.cpu_us += shared->reader[i].cost.cpu_us;
		all.n_sleeps += shared->reader[i].cost.n_sleeps;
		all.n_frames += shared->reader[i].cost.n_frames;
	}
	printf("\"producer_cpu_us\": %.1f, \"reader_cpu_us\": %.1f, \"reader_sleeps\": %.2f, ",
		p->cpu_us / (double)(p->n_frames ? p->n_frames : 1),
		all.cpu_us / (double)(all.n_frames ? all.n_frames : 1),
		(double)all.n_sleeps / (double)(all.n_frames ? all.n_frames : 1));
}

static void result_print(const struct trial *t, double healthy_fps) {
	const char *comma = "";
	uint32_t n_lost = 0, n_torn = 0;

	printf("{");
	if (t->deed == STOPPED) {
		printf("\"healthy_fps\": %.2f}\n", healthy_fps);
		return;
	}
	costs_print(t);
	for (unsigned i = 0; i < t->n_readers; i++) {
		n_lost += shared->reader[i].n_lost;
		n_torn += shared->reader[i].n_torn;
	}
	printf("\"lost\": %u, \"torn\": %u, ", n_lost, n_torn);
	if (t->deed == FLOW) {
		const struct reader *r = &shared->reader[0];

		printf("\"gb_s\": %.3f}\n",
			(double)(r->n_samples - 1) * FRAME_BYTES / r->seconds / 1e9);
		return;
	}
	printf("\"us\": [");
	for (unsigned i = 0; i < t->n_readers; i++) {
		for (uint32_t j = 0; j < shared->reader[i].n_samples; j++, comma = ", ") {
			printf("%s%.2f", comma, shared->reader[i].us[j]);
		}
	}
	printf("]}\n");
}

static int trial_run(const struct trial *t) {
	double seconds = t->deed == STOPPED ? t->seconds + 2 : t->seconds, healthy_fps = 0;
	struct trial longer = *t;
	pid_t producer, reader[MAX_READERS];
	uint64_t deadline_ns;
	bool is_well = true;

	longer.seconds = seconds;
	producer = child_start();
	if (producer == 0) {
		produce(&longer);
	}
	for (unsigned i = 0; i < t->n_readers; i++) {
		reader[i] = child_start();
		if (reader[i] == 0) {
			consume(&longer, i);
		}
	}
	if (t->deed == STOPPED) {
		healthy_fps = stop_and_count(t, reader[t->n_readers - 1]);
		deadline_ns = now_ns() + 2000000000;
	} else {
		deadline_ns = now_ns() + (uint64_t)((seconds + 2 * WAIT_S) * 1e9);
	}
	is_well &= child_join(producer, deadline_ns);
	flag_set(&shared->is_done);
	for (unsigned i = 0; i < t->n_readers; i++) {
		is_well &= child_join(reader[i], is_well ? deadline_ns : now_ns() + 1000000000);
	}
	if (peer.clean) {
		peer.clean(producer);
	}
	if (t->deed == STOPPED ? healthy_fps < 0 : !is_well || shared->reader[0].n_samples < 2) {
		fprintf(stderr, "trial: a process did not end well\n");
		return 1;
	}
	result_print(t, healthy_fps);
	return 0;
}

static int deed_parse(const char *text) {
	static const char *const names[] = {"in-place", "copy", "flow", "stopped"};

	for (int i = 0; i < 4; i++) {
		if (strcmp(text, names[i]) == 0) {
			return i;
		}
	}
	return -1;
}

int main(int argc, char **argv) {
	struct trial t;
	int deed;

	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("%s\n", peer.version());
		return 0;
	}
	deed = argc == 6 ? deed_parse(argv[1]) : -1;
	if (deed < 0) {
		fprintf(stderr, "usage: %s in-place|copy|flow|stopped READERS SECONDS PLACE NAME\n",
			argv[0]);
		return 2;
	}
	t = (struct trial){
		(enum deed)deed, (unsigned)atoi(argv[2]), atof(argv[3]), argv[4], argv[5]};
	if (t.n_readers < 1 || t.n_readers > MAX_READERS || !(t.seconds > 0 && t.seconds <= 60)) {
		fprintf(stderr, "%s: 1-%d readers, up to 60 seconds\n", argv[0], MAX_READERS);
		return 2;
	}
	if (!(peer.deeds & 1u << deed)) {
		return 77;
	}
	signal(SIGPIPE, SIG_IGN);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (shared == MAP_FAILED || (peer.prepare && peer.prepare(&t) != 0)) {
		fprintf(stderr, "trial: cannot prepare\n");
		return 1;
	}
	return trial_run(&t);
}
