/* SPDX-License-Identifier: MIT */
/*
 * The broker is killed at every system call of what it does for a client: a join, a leave, a move,
 * the repair of a dead producer, a flight from one that others write for, and the return from its
 * own death. One producer and three readers live through all of it: they must come back by
 * themselves, and reliable readers get every frame once, in order.
 *
 * ZOETROPE_STRIDE=N kills at every N-th call (1 = all); ZOETROPE_KILLS=N adds N kills at random
 * moments, ZOETROPE_SEED=N as they were then.
 */
#include "traced.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { READERS = 3, FIRST_SIDE = 16, FRAME_MS = 3, HANG_MS = 30000, TRIGGER_MS = 1500 };
enum { MAX_CALLS = 1000 };

static char config[] =
	"version: 1\n"
	"broker: {settle: 900ms}\n" /* longer than a client's longest back-off */
	"defaults: {access: {produce: [any], consume: [any], list: [any], reliable: [any]}}\n"
	"streams:\n"
	/* Nobody who lives is given up while brokers come and go. */
	"  cam: {max_frame: 512x512 XR24, slots: 16, producers: 3, consumers: 8, patience: 20s}\n"
	/* Who left while there was no broker holds the others up so long. */
	"  brief: {max_frame: 512x512 XR24, slots: 16, producers: 3, consumers: 8, patience: "
	"500ms}\n";

struct reader {
	_Atomic uint32_t generation, n_discont, failed_line;
	_Atomic uint64_t n_taken, n_lost;
};

static struct flow {
	_Atomic uint32_t stop, side;
	_Atomic uint64_t n_published, n_dropped;
	_Atomic uint32_t producer_failed;
	struct reader readers[READERS];
	uint32_t next_reader;
	char stream[16];
} * flow;

static uint32_t option(const char *name, uint32_t otherwise) {
	const char *text = getenv(name);

	return text ? (uint32_t)strtoul(text, NULL, 10) : otherwise;
}

/* One frame, tried until it is in the stream. */
static int publish_one(struct zoe_producer *p, uint64_t value) {
	uint64_t deadline = now_ms() + HANG_MS;
	int r;

	do {
		r = publish_sized(
			p, value, atomic_load_explicit(&flow->side, memory_order_relaxed));
		if (r == -ESTALE) {
			atomic_fetch_add_explicit(&flow->n_dropped, 1, memory_order_relaxed);
		}
	} while ((r == -ESTALE || r == -EAGAIN || r == -ETIMEDOUT || r == -EINPROGRESS) &&
		 now_ms() < deadline);
	return r;
}

static int run_producer(const struct broker *broker, int pipe) {
	struct zoe_client *c = broker_connect(broker);
	struct zoe_producer *p = produce(c, flow->stream, 1);
	uint64_t value = 0;

	child_say_ready(pipe);
	while (!atomic_load_explicit(&flow->stop, memory_order_relaxed)) {
		int r = publish_one(p, value + 1);

		if (r != 0) {
			fprintf(stderr, "producer: %d, %s\n", r, zoe_client_get_error(c));
			atomic_store_explicit(&flow->producer_failed, 1, memory_order_relaxed);
			return 1;
		}
		value++;
		atomic_store_explicit(&flow->n_published, value, memory_order_relaxed);
		poll(NULL, 0, FRAME_MS);
	}
	zoe_client_destroy(c);
	return 0;
}

#define READER_CHECK(is_true)                                                                      \
	do {                                                                                       \
		if (!(is_true)) {                                                                  \
			atomic_store_explicit(                                                     \
				&reader->failed_line, __LINE__, memory_order_relaxed);             \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

/* The first two are reliable, the third looks at every frame it can have. */
static int run_reader(const struct broker *broker, int pipe) {
	uint32_t number = flow->next_reader;
	struct reader *reader = &flow->readers[number];
	bool is_reliable = number < 2;
	struct zoe_client *c = broker_connect(broker);
	struct zoe_consumer *s =
		consume(c, flow->stream, is_reliable ? ZOE_RELIABLE : ZOE_EVERY, 2);
	uint64_t value = 0, seq = 0;

	child_say_ready(pipe);
	while (!atomic_load_explicit(&flow->stop, memory_order_relaxed)) {
		const struct zoe_frame *frame;
		int r = zoe_consumer_next(s, &frame, 100);

		READER_CHECK(r == 0 || r == -ETIMEDOUT);
		if (r != 0) {
			continue;
		}
		READER_CHECK(frame_is_whole(frame));
		READER_CHECK(frame->user[0] > value);
		if (is_reliable) {
			READER_CHECK(frame->lost == 0);
			READER_CHECK(value == 0 || frame->user[0] == value + 1);
			READER_CHECK(
				seq == 0 || frame->seq == seq + 1 || (frame->flags & ZOE_DISCONT));
		}
		atomic_fetch_add_explicit(&reader->n_lost, value ? frame->user[0] - value - 1 : 0,
			memory_order_relaxed);
		atomic_fetch_add_explicit(&reader->n_discont, (frame->flags & ZOE_DISCONT) != 0,
			memory_order_relaxed);
		value = frame->user[0];
		seq = frame->seq;
		atomic_store_explicit(&reader->generation, frame->generation, memory_order_relaxed);
		atomic_fetch_add_explicit(&reader->n_taken, 1, memory_order_relaxed);
		zoe_frame_release(frame);
	}
	zoe_client_destroy(c);
	return 0;
}

/* A second producer that dies with a slot in hand. */
static int run_holder(const struct broker *broker, int pipe, uint32_t flags) {
	struct zoe_client *c = broker_connect(broker);
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .flags = flags, .timeout_ms = 5000};
	struct zoe_producer *p = NULL;
	struct zoe_slot *slot = NULL;

	CHILD_CHECK(zoe_format_init(&options.format, ZOE_FORMAT_XR24, 16, 16) == 0);
	CHILD_CHECK(zoe_producer_open(c, flow->stream, &options, &p) == 0);
	CHILD_CHECK(zoe_producer_acquire(p, NULL, &slot, 5000) == 0);
	child_say_ready(pipe);
	pause();
	return 1;
}

static int run_mortal(const struct broker *broker, int pipe) {
	return run_holder(broker, pipe, 0);
}

static int run_external(const struct broker *broker, int pipe) {
	return run_holder(broker, pipe, ZOE_EXTERNAL_WRITER);
}

static void check_flow(void) {
	for (unsigned i = 0; i < READERS; i++) {
		uint32_t line =
			atomic_load_explicit(&flow->readers[i].failed_line, memory_order_relaxed);

		if (line) {
			fail_msg("reader %u: failed at line %u", i, line);
		}
	}
	assert_int_equal(atomic_load_explicit(&flow->producer_failed, memory_order_relaxed), 0);
}

static bool is_flowing_in(uint32_t generation) {
	for (unsigned i = 0; i < READERS; i++) {
		if (atomic_load_explicit(&flow->readers[i].generation, memory_order_relaxed) !=
			generation) {
			return false;
		}
	}
	return true;
}

/* Until all are back, and read what was published in a generation of the present broker.
 * Returns: how long that took, ms. */
static uint64_t wait_back(const struct broker *broker, uint32_t last) {
	uint64_t began = now_ms();

	for (;;) {
		struct stream_state state = {0};
		int r = stream_get_state(broker, flow->stream, &state);
		/* An adopted ring has its old number, or the next one. */
		bool is_new = state.generation > last + 1 || state.generation < last;

		check_flow();
		if (r == 0 && state.n_producers == 1 && state.n_consumers >= READERS && is_new &&
			is_flowing_in(state.generation)) {
			return now_ms() - began;
		}
		if (now_ms() - began > HANG_MS) {
			fail_msg("not back in time: %d, generation %u after %u, %u + %u clients", r,
				state.generation, last, state.n_producers, state.n_consumers);
		}
		poll(NULL, 0, 5);
	}
}

static uint32_t get_generation(const struct broker *broker) {
	struct stream_state state = {0};

	assert_int_equal(stream_get_state(broker, flow->stream, &state), 0);
	return state.generation;
}

static void flow_start(const struct broker *broker, const char *stream) {
	struct child producer;

	flow = mmap(NULL, sizeof(*flow), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(flow, MAP_FAILED);
	atomic_init(&flow->side, FIRST_SIDE);
	snprintf(flow->stream, sizeof(flow->stream), "%s", stream);
	for (flow->next_reader = 0; flow->next_reader < READERS; flow->next_reader++) {
		struct child reader = child_start(broker, run_reader);

		child_wait_ready(&reader);
		close(reader.pipe);
	}
	producer = child_start(broker, run_producer);
	child_wait_ready(&producer);
	close(producer.pipe);
}

static void flow_end(void) {
	const struct reader *every = &flow->readers[2];

	check_flow();
	print_message("  %llu frames published, %llu dropped in moves; readers lost 0, 0, %llu; "
		      "DISCONT %u\n",
		(unsigned long long)atomic_load_explicit(&flow->n_published, memory_order_relaxed),
		(unsigned long long)atomic_load_explicit(&flow->n_dropped, memory_order_relaxed),
		(unsigned long long)atomic_load_explicit(&every->n_lost, memory_order_relaxed),
		atomic_load_explicit(&flow->readers[0].n_discont, memory_order_relaxed));
	atomic_store_explicit(&flow->stop, 1, memory_order_relaxed);
	children_kill();
	munmap(flow, sizeof(*flow));
}

/* What the broker is killed at. */
struct act {
	const char *name;
	child_fn helper; // a process that is there before, and dies
	struct zoe_client *client;
	struct zoe_consumer *consumer; // that joins or leaves
	struct child child;
	bool is_grow, is_join, is_leave, is_return;
};

static void act_prepare(struct act *act, const struct broker *broker) {
	act->client = broker_connect(broker);
	act->consumer = act->is_leave ? consume(act->client, flow->stream, ZOE_RELIABLE, 1) : NULL;
	if (act->helper) {
		act->child = child_start(broker, act->helper);
		child_wait_ready(&act->child);
	}
}

static void act_do(struct act *act) {
	struct zoe_consumer_options options = {
		.struct_size = sizeof(options), .delivery = ZOE_RELIABLE};

	if (act->is_join) {
		assert_int_equal(
			zoe_consumer_open(act->client, flow->stream, &options, &act->consumer), 0);
	}
	if (act->is_leave) {
		zoe_consumer_close(act->consumer);
		act->consumer = NULL;
	}
	if (act->is_grow) {
		atomic_fetch_add_explicit(&flow->side, 1, memory_order_relaxed);
	}
	if (act->helper) {
		child_kill(&act->child);
	}
}

/* While it waits, a client that joins has to be served. */
static void act_serve(struct act *act) {
	const struct zoe_frame *frame;

	if (act->consumer && zoe_consumer_next(act->consumer, &frame, 0) == 0) {
		zoe_frame_release(frame);
	}
	poll(NULL, 0, 1);
}

static void act_await_death(struct act *act, const struct traced *broker) {
	uint64_t deadline = now_ms() + TRIGGER_MS;

	while (!traced_is_dead(broker) && now_ms() < deadline) {
		act_serve(act);
	}
}

/* Whoever joined is in by now, and gets frames without a gap. */
static void act_finish(struct act *act) {
	uint64_t deadline = now_ms() + HANG_MS, value = 0;
	const struct zoe_frame *frame;

	for (unsigned n = 0; act->consumer && n < 20;) {
		int r = zoe_consumer_next(act->consumer, &frame, 100);

		assert_true(now_ms() < deadline);
		if (r != 0) {
			continue;
		}
		assert_int_equal(frame->lost, 0);
		assert_true(value == 0 || frame->user[0] == value + 1);
		value = frame->user[0];
		zoe_frame_release(frame);
		n++;
	}
	zoe_client_destroy(act->client);
	act->client = NULL;
	act->consumer = NULL;
}

/* Kills it at one call. Returns: whether it came so far. */
static bool kill_at(struct broker *broker, struct act *act, uint32_t call, uint64_t *longest) {
	struct traced traced;
	uint32_t last = get_generation(broker);
	uint64_t ms;
	bool was_killed;

	/* The one before is killed, and the one to be watched takes over. */
	broker_kill(broker);
	traced_start(&traced, broker, call, act->is_return);
	if (act->is_return) {
		act->client = broker_connect(broker);
		act_await_death(act, &traced);
	} else {
		wait_back(broker, last);
		last = get_generation(broker);
		act_prepare(act, broker);
		traced_arm(&traced);
		act_do(act);
		act_await_death(act, &traced);
	}
	was_killed = traced_is_dead(&traced);
	traced_end(&traced);
	broker_start(broker);
	act_finish(act);
	ms = wait_back(broker, last);
	*longest = ms > *longest ? ms : *longest;
	return was_killed;
}

static void run_act(struct broker *broker, struct act *act) {
	uint32_t stride = option("ZOETROPE_STRIDE", act->is_return ? 31 : 7);
	uint32_t seed = option("ZOETROPE_SEED", (uint32_t)time(NULL));
	uint32_t call = 1 + seed % (stride < 5 ? stride : 5), n = 0;
	uint64_t longest = 0;

	flow_start(broker, act->is_join || act->is_leave ? "brief" : "cam");
	while (call < MAX_CALLS && kill_at(broker, act, call, &longest)) {
		call += stride;
		n++;
	}
	print_message("  %s: killed at %u of about %u calls; all back after %llu ms at most\n",
		act->name, n, call, (unsigned long long)longest);
	assert_true(n > 0);
	flow_end();
}

static void test_broker_death_in_a_join(void **state) {
	run_act(*state, &(struct act){.name = "join", .is_join = true});
}

static void test_broker_death_in_a_leave(void **state) {
	run_act(*state, &(struct act){.name = "leave", .is_leave = true});
}

static void test_broker_death_in_a_move(void **state) {
	run_act(*state, &(struct act){.name = "move", .is_grow = true});
}

static void test_broker_death_in_a_repair(void **state) {
	run_act(*state, &(struct act){.name = "repair", .helper = run_mortal});
}

static void test_broker_death_in_a_flight(void **state) {
	run_act(*state, &(struct act){.name = "flight", .helper = run_external});
}

static void test_broker_death_in_its_return(void **state) {
	run_act(*state, &(struct act){.name = "return", .is_return = true});
}

/* At any moment: just started, in the middle of the return, or long after. */
static void test_broker_death_at_random(void **state) {
	struct broker *broker = *state;
	uint32_t n = option("ZOETROPE_KILLS", 10),
		 seed = option("ZOETROPE_SEED", (uint32_t)time(NULL));
	uint32_t last;

	flow_start(broker, "cam");
	srand(seed);
	last = get_generation(broker);
	for (uint32_t i = 0; i < n; i++) {
		poll(NULL, 0, rand() % 700);
		broker_kill(broker);
		if (rand() % 4 == 0) {
			atomic_fetch_add_explicit(&flow->side, 1, memory_order_relaxed);
		}
		poll(NULL, 0, rand() % 50);
		broker_start(broker);
		check_flow();
	}
	print_message("  %u kills at random, seed %u; all back after %llu ms\n", n, seed,
		(unsigned long long)wait_back(broker, last));
	flow_end();
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_broker_death_in_a_join, config),
		BROKER_TEST(test_broker_death_in_a_leave, config),
		BROKER_TEST(test_broker_death_in_a_move, config),
		BROKER_TEST(test_broker_death_in_a_repair, config),
		BROKER_TEST(test_broker_death_in_a_flight, config),
		BROKER_TEST(test_broker_death_in_its_return, config),
		BROKER_TEST(test_broker_death_at_random, config),
	};

	return cmocka_run_group_tests_name("broker_death", tests, NULL, NULL);
}
