/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define N_ROUNDS 1000

static char config[] = "version: 1\n"
		       "defaults: {access: {produce: [any], consume: [any], list: [any]}}\n"
		       "streams:\n"
		       "  cam:\n"
		       "    max_frame: 64x64 XR24\n"
		       "    slots: 6\n"
		       "    producers: 3\n"
		       "    open: 2\n"
		       "    consumers: 4\n"
		       "    hold: 3\n"
		       "  lone: {max_frame: 64x64 XR24}\n";

static int hold_frames(const struct broker *broker, int pipe) {
	struct zoe_client *c = broker_connect(broker);
	struct zoe_consumer *s = consume(c, "cam", ZOE_LATEST, 2);
	const struct zoe_frame *frame = NULL;

	CHILD_CHECK(s && zoe_consumer_next(s, &frame, DEADLINE_MS) == 0);
	CHILD_CHECK(zoe_consumer_latest(s, &frame) == 0);
	child_say_ready(pipe);
	pause();
	return 0;
}

static int hold_slots(const struct broker *broker, int pipe) {
	struct zoe_client *c = broker_connect(broker);
	struct zoe_producer *p = produce(c, "cam", 2);
	struct zoe_slot *slot = NULL;

	CHILD_CHECK(p && zoe_producer_acquire(p, NULL, &slot, DEADLINE_MS) == 0);
	CHILD_CHECK(zoe_producer_acquire(p, NULL, &slot, DEADLINE_MS) == 0);
	child_say_ready(pipe);
	pause();
	return 0;
}

static void publish_and_take(
	struct zoe_producer *p, struct zoe_consumer *s, uint64_t from, uint64_t n) {
	for (uint64_t i = from; i < from + n; i++) {
		const struct zoe_frame *frame;

		assert_int_equal(publish(p, i), 0);
		frame = take(s);
		assert_int_equal(frame->user[0], i);
		assert_int_equal(frame->lost, 0);
		zoe_frame_release(frame);
	}
}

static void test_kill_of_a_consumer_gives_its_frames_back(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct child child;

	publish_and_take(p, s, 1, 1);
	child = child_start(*state, hold_frames);
	child_wait_ready(&child);
	stream_wait(*state, "cam",
		&(struct stream_state){.n_producers = 1, .n_consumers = 2, .n_held = 2});
	publish_and_take(p, s, 2, 20);
	child_kill(&child);
	publish_and_take(p, s, 22, 20);
	stream_wait(*state, "cam", &(struct stream_state){.n_producers = 1, .n_consumers = 1});
	publish_and_take(p, s, 42, 20);
	zoe_client_destroy(c);
}

static void test_kill_of_a_producer_gives_its_slots_back(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct stream_state now;

	publish_and_take(p, s, 1, 1);
	for (uint64_t i = 0; i < 10; i++) {
		struct child child = child_start(*state, hold_slots);

		child_wait_ready(&child);
		stream_wait(*state, "cam",
			&(struct stream_state){.n_producers = 2, .n_consumers = 1, .n_held = 2});
		publish_and_take(p, s, 100 * i + 10, 20);
		child_kill(&child);
		publish_and_take(p, s, 100 * i + 30, 20);
		stream_wait(
			*state, "cam", &(struct stream_state){.n_producers = 1, .n_consumers = 1});
	}
	assert_int_equal(stream_get_state(*state, "cam", &now), 0);
	assert_int_equal(now.generation, 1); /* repaired in place */
	zoe_client_destroy(c);
}

static void test_kill_of_a_thousand_leaks_nothing(void **state) {
	const char *text = getenv("ZOETROPE_ROUNDS");
	const struct broker *broker = *state;
	long n_rounds = text ? strtol(text, NULL, 10) : N_ROUNDS;
	struct zoe_client *c = broker_connect(broker);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct stream_state quiet = {.n_producers = 1, .n_consumers = 1};
	int n_fds;

	publish_and_take(p, s, 1, 1);
	stream_wait(broker, "cam", &quiet);
	n_fds = count_fds(broker->pid);
	for (long i = 0; i < n_rounds; i++) {
		struct child child = child_start(broker, i % 2 ? hold_slots : hold_frames);

		child_wait_ready(&child);
		child_kill(&child);
		publish_and_take(p, s, 2 + (uint64_t)i, 1);
		/* Seats are few: the next one waits for the broker to hear of the death. */
		stream_wait(broker, "cam", &quiet);
	}
	broker_wait_fds(broker, n_fds);
	zoe_client_destroy(c);
}

/* Closes all sockets this process has. Returns: how many. */
static int close_sockets(void) {
	char path[64], target[64];
	int n = 0;

	for (int fd = 3; fd < 256; fd++) {
		ssize_t size;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		size = readlink(path, target, sizeof(target) - 1);
		target[size > 0 ? size : 0] = '\0';
		if (strncmp(target, "socket:", 7) == 0) {
			close(fd);
			n++;
		}
	}
	return n;
}

static int close_socket_alive(const struct broker *broker, int pipe) {
	struct zoe_client *c;
	struct zoe_producer *p;

	close_sockets(); /* the parent's, inherited */
	c = broker_connect(broker);
	p = produce(c, "cam", 1);
	CHILD_CHECK(p && publish(p, 1) == 0);
	CHILD_CHECK(close_sockets() == 1);
	child_say_ready(pipe);
	pause();
	return 0;
}

static int write_externally(const struct broker *broker, int pipe) {
	struct zoe_producer_options options = {.struct_size = sizeof(options),
		.flags = ZOE_EXTERNAL_WRITER,
		.timeout_ms = DEADLINE_MS};
	struct zoe_client *c = broker_connect(broker);
	struct zoe_producer *p = NULL;

	zoe_format_init(&options.format, ZOE_FORMAT_XR24, 16, 16);
	CHILD_CHECK(zoe_producer_open(c, "cam", &options, &p) == 0);
	CHILD_CHECK(publish(p, 1) == 0);
	child_say_ready(pipe);
	pause();
	return 0;
}

/* The stream leaves generation 1 without a frame lost. */
static void expect_new_generation(const struct broker *broker, child_fn function, bool is_kill) {
	struct zoe_client *c = broker_connect(broker);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(c, "cam", 1);
	const struct zoe_frame *frame;
	struct child child;

	assert_int_equal(publish(p, 1), 0);
	child = child_start(broker, function);
	child_wait_ready(&child);
	for (int i = 0; i < 2; i++) {
		frame = take(s);
		assert_int_equal(frame->generation, 1);
		zoe_frame_release(frame);
	}
	if (is_kill) {
		child_kill(&child);
	}
	stream_wait_generation(broker, "cam", 2);
	publish_and_take(p, s, 3, 20);
	stream_wait(broker, "cam", &(struct stream_state){.n_producers = 1, .n_consumers = 1});
	if (!is_kill) {
		child_kill(&child);
	}
	zoe_client_destroy(c);
}

static void test_kill_of_a_socket_moves_away_from_its_producer(void **state) {
	expect_new_generation(*state, close_socket_alive, false);
}

static void test_kill_of_an_external_writer_moves_away(void **state) {
	expect_new_generation(*state, write_externally, true);
}

static void cut_sockets(void) {
	for (int fd = 3; fd < 256; fd++) {
		(void)shutdown(fd, SHUT_RDWR); /* of anything else it is refused */
	}
}

static void test_kill_of_a_socket_lets_its_producer_come_back(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "lone", 1);
	uint64_t end = now_ms() + DEADLINE_MS;
	struct stream_state now = {0};

	assert_int_equal(publish(p, 1), 0);
	cut_sockets();
	assert_true(zoe_producer_get_fd(p) >= 0); /* every question looks at the socket now */
	while ((now.generation != 2 || now.n_producers != 1) && now_ms() < end) {
		assert_true(zoe_producer_is_wanted(p) >= 0);
		assert_int_equal(stream_get_state(*state, "lone", &now), 0);
	}
	assert_int_equal(now.n_producers, 1);
	assert_int_equal(publish(p, 2), 0);
	zoe_client_destroy(c);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_kill_of_a_consumer_gives_its_frames_back, config),
		BROKER_TEST(test_kill_of_a_producer_gives_its_slots_back, config),
		BROKER_TEST(test_kill_of_a_thousand_leaks_nothing, config),
		BROKER_TEST(test_kill_of_a_socket_moves_away_from_its_producer, config),
		BROKER_TEST(test_kill_of_a_socket_lets_its_producer_come_back, config),
		BROKER_TEST(test_kill_of_an_external_writer_moves_away, config),
	};

	return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}
