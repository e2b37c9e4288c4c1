/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define QUIET_MS 50
#define TICK_MS 500 /* of every pollable descriptor: what a lost wake-up costs at most */
#define MAX_POLLS 200

static char config[] = "version: 1\n"
		       "streams:\n"
		       "  cam: {max_frame: 64x64 XR24, consumers: 4}\n";

static void take_all(struct zoe_consumer *s) {
	const struct zoe_frame *frame;

	while (zoe_consumer_next(s, &frame, 0) == 0) {
		zoe_frame_release(frame);
	}
}

/* Obeys the descriptor until it has been silent for a while. */
static void obey(struct zoe_consumer *s) {
	struct pollfd fd = {.fd = zoe_consumer_get_fd(s), .events = POLLIN};

	while (poll(&fd, 1, QUIET_MS) > 0) {
		take_all(s);
	}
}

/* Returns: how often the descriptor wakes within a second. */
static int count_polls(struct zoe_consumer *s) {
	struct pollfd fd = {.fd = zoe_consumer_get_fd(s), .events = POLLIN};
	uint64_t end = now_ms() + 1000;
	int n = 0;

	for (; now_ms() < end; n++) {
		poll(&fd, 1, 100);
		take_all(s);
	}
	return n;
}

static void expect_ring(struct zoe_consumer *s, uint64_t published_ms) {
	struct pollfd fd = {.fd = zoe_consumer_get_fd(s), .events = POLLIN};

	assert_int_equal(poll(&fd, 1, DEADLINE_MS), 1);
	assert_in_range(now_ms() - published_ms, 0, TICK_MS / 3);
}

static void test_poll_rings_for_the_first_frame_of_a_region(void **state) {
	struct zoe_client *c = broker_connect(*state), *d = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p;
	struct zoe_slot *slot = NULL;
	struct zoe_format large;
	uint64_t published_ms;

	obey(s);
	p = produce(d, "cam", 1);
	obey(s);
	published_ms = now_ms();
	assert_int_equal(publish(p, 1), 0);
	expect_ring(s, published_ms);

	zoe_format_init(&large, ZOE_FORMAT_XR24, 64, 64);
	assert_int_equal(zoe_producer_acquire(p, &large, &slot, DEADLINE_MS), 0);
	obey(s);
	published_ms = now_ms();
	assert_int_equal(zoe_producer_publish(p, slot), 0);
	expect_ring(s, published_ms);
	zoe_client_destroy(c);
	zoe_client_destroy(d);
}

static void test_poll_sleeps_when_all_others_are_gone(void **state) {
	struct zoe_client *c = broker_connect(*state), *d = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(d, "cam", 1);

	assert_int_equal(publish(p, 1), 0);
	obey(s);
	zoe_client_destroy(d);
	broker_kill(*state);
	assert_in_range(count_polls(s), 1, MAX_POLLS);
	zoe_client_destroy(c);
	broker_start(*state);
}

static pid_t fork_idle_child(void) {
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static void test_poll_sleeps_though_a_child_keeps_the_socket(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	pid_t child;

	obey(s);
	child = fork_idle_child();
	broker_kill(*state);
	assert_in_range(count_polls(s), 1, MAX_POLLS);
	zoe_client_destroy(c);
	kill(child, SIGKILL);
	process_wait(child);
	broker_start(*state);
}

static void test_close_frees_the_seat_though_a_child_keeps_the_socket(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	pid_t child = fork_idle_child();

	zoe_consumer_close(s);
	stream_wait(*state, "cam", &(struct stream_state){.n_consumers = 0});
	kill(child, SIGKILL);
	process_wait(child);
	zoe_client_destroy(c);
}

/* Whoever asks so seldom finds the answer to be there before it asks again. */
static void test_grow_is_refused_also_to_a_slow_caller(void **state) {
	static const struct timespec nap = {.tv_nsec = 150000000};
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "cam", 1);
	uint64_t end = now_ms() + DEADLINE_MS;
	struct zoe_slot *slot = NULL;
	struct zoe_format large;
	int r;

	zoe_format_init(&large, ZOE_FORMAT_XR24, 640, 640);
	while ((r = zoe_producer_acquire(p, &large, &slot, 0)) == -EINPROGRESS && now_ms() < end) {
		nanosleep(&nap, NULL); /* the slowness, no synchronisation */
	}
	assert_int_equal(r, -EMSGSIZE);
	zoe_client_destroy(c);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_poll_rings_for_the_first_frame_of_a_region, config),
		BROKER_TEST(test_poll_sleeps_when_all_others_are_gone, config),
		BROKER_TEST(test_poll_sleeps_though_a_child_keeps_the_socket, config),
		BROKER_TEST(test_close_frees_the_seat_though_a_child_keeps_the_socket, config),
		BROKER_TEST(test_grow_is_refused_also_to_a_slow_caller, config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
