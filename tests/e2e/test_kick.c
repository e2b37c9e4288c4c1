/* SPDX-License-Identifier: MIT */
/* A client that is taken off a stream: what it sees, what it is told, and what the others lose. */
#include "broker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "raw.h"

static char config[] = "version: 1\n"
		       "defaults: {access: {produce: [any], consume: [any], list: [any]}}\n"
		       "streams:\n"
		       "  cam: {max_frame: 64x64 XR24, slots: 16, producers: 2, when_full: block}\n"
		       "  one: {max_frame: 64x64 XR24}\n";

/* A client with a name of its own, to be kicked by it. */
static struct zoe_client *connect_as(const struct broker *broker, const char *app) {
	struct zoe_client_options options = {
		.struct_size = sizeof(options), .socket = broker->socket, .app_name = app};
	struct zoe_client *client = NULL;

	assert_int_equal(zoe_client_create(&client, &options), 0);
	return client;
}

static int kick(const struct broker *broker, const char *stream, const char *who) {
	struct zoe_client *admin = connect_as(broker, "admin");
	uint32_t n = 0;
	int r = zoe_client_kick(admin, stream, who, &n, DEADLINE_MS);

	assert_true(r < 0 ? zoe_client_get_error(admin)[0] != '\0' : n > 0);
	zoe_client_destroy(admin);
	return r < 0 ? r : (int)n;
}

static void test_kick_tells_a_consumer_and_shows_it_nothing_later(void **state) {
	struct zoe_client *c = connect_as(*state, "honest"), *bad = connect_as(*state, "bad");
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_consumer *honest = consume(c, "cam", ZOE_RELIABLE, 1);
	struct zoe_consumer *kicked = consume(bad, "cam", ZOE_EVERY, 1);
	const struct zoe_frame *frame;

	assert_int_equal(publish(p, 1), 0);
	assert_int_equal(kick(*state, "cam", "bad"), 1);
	for (uint64_t i = 2; i <= 20; i++) {
		int r = publish(p, i);

		assert_true(r == 0 || (r == -ESTALE && publish(p, i) == 0));
		frame = take(honest);
		assert_int_equal(frame->user[0], i - 1);
		assert_int_equal(frame->lost, 0);
		zoe_frame_release(frame);
	}
	frame = take(kicked);
	assert_int_equal(frame->user[0], 1);
	zoe_frame_release(frame);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(zoe_consumer_next(kicked, &frame, DEADLINE_MS), -ECONNABORTED);
		assert_non_null(strstr(zoe_client_get_error(bad), "stream 'cam': an admin, uid "));
		assert_non_null(strstr(zoe_client_get_error(bad), "has taken 'bad' (pid "));
	}
	assert_int_equal(zoe_consumer_next(kicked, &frame, 0), -ECONNABORTED);
	assert_int_equal(zoe_consumer_latest(kicked, &frame), -ECONNABORTED);
	zoe_client_destroy(bad);
	zoe_client_destroy(c);
}

static void test_kick_leaves_frames_that_are_held_alone(void **state) {
	struct zoe_client *c = connect_as(*state, "honest"), *bad = connect_as(*state, "bad");
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_consumer *kicked = consume(bad, "cam", ZOE_LATEST, 1);
	const struct zoe_frame *held, *frame;

	assert_int_equal(publish(p, 1), 0);
	held = take(kicked);
	assert_int_equal(kick(*state, "cam", "bad"), 1);
	for (uint64_t i = 2; i <= 100; i++) {
		int r = publish(p, i);

		assert_true(r == 0 || r == -ESTALE);
	}
	assert_int_equal(zoe_consumer_next(kicked, &frame, DEADLINE_MS), -ECONNABORTED);
	assert_int_equal(held->user[0], 1);
	assert_true(frame_is_whole(held));
	zoe_frame_release(held);
	zoe_client_destroy(bad);
	zoe_client_destroy(c);
}

static void test_kick_wakes_a_reader_that_sleeps_or_polls(void **state) {
	struct zoe_client *c = connect_as(*state, "honest"), *bad = connect_as(*state, "bad");
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_consumer *kicked = consume(bad, "cam", ZOE_EVERY, 1);
	struct pollfd fd = {.fd = zoe_consumer_get_fd(kicked), .events = POLLIN};
	uint64_t deadline = now_ms() + DEADLINE_MS;
	const struct zoe_frame *frame;
	int r;

	assert_non_null(p);
	assert_int_equal(kick(*state, "cam", "bad"), 1);
	do {
		assert_true(now_ms() < deadline);
		assert_int_equal(poll(&fd, 1, DEADLINE_MS), 1);
		r = zoe_consumer_next(kicked, &frame, 0);
	} while (r == -EAGAIN);
	assert_int_equal(r, -ECONNABORTED);
	zoe_client_destroy(bad);
	zoe_client_destroy(c);
}

static void test_kick_of_a_producer_frees_its_place_at_once(void **state) {
	struct zoe_client *c = connect_as(*state, "honest"), *bad = connect_as(*state, "bad");
	struct zoe_consumer *s = consume(c, "one", ZOE_EVERY, 1);
	struct zoe_producer *kicked = produce(bad, "one", 1), *p;
	const struct zoe_frame *frame;
	struct zoe_slot *slot = NULL;

	assert_int_equal(publish(kicked, 1), 0);
	assert_int_equal(zoe_producer_acquire(kicked, NULL, &slot, DEADLINE_MS), 0);
	assert_int_equal(kick(*state, "one", "bad"), 1);
	p = produce(c, "one", 1);
	assert_int_equal(zoe_producer_publish(kicked, slot), -ESTALE);
	assert_int_equal(zoe_producer_acquire(kicked, NULL, &slot, DEADLINE_MS), -ECONNABORTED);
	assert_non_null(strstr(zoe_client_get_error(bad), "has taken 'bad'"));
	assert_int_equal(zoe_producer_is_wanted(kicked), -ECONNABORTED);
	assert_int_equal(publish(p, 2), 0);
	for (uint64_t i = 1; i <= 2; i++) {
		frame = take(s);
		assert_int_equal(frame->user[0], i);
		assert_int_equal(frame->lost, 0);
		zoe_frame_release(frame);
	}
	zoe_client_destroy(bad);
	zoe_client_destroy(c);
}

static void test_kick_is_by_pid_too_and_names_nobody_wrong(void **state) {
	struct zoe_client *c = connect_as(*state, "honest");
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	const struct zoe_frame *frame;
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	assert_int_equal(kick(*state, "cam", "nobody-here"), -ENOENT);
	assert_int_equal(kick(*state, "cma", pid), -ENOENT);
	assert_int_equal(kick(*state, "one", pid), -ENOENT);
	assert_int_equal(zoe_consumer_next(s, &frame, 0), -EAGAIN);
	assert_int_equal(kick(*state, "cam", pid), 1); /* it waits for a producer */
	assert_int_equal(zoe_consumer_next(s, &frame, DEADLINE_MS), -ECONNABORTED);
	assert_int_equal(kick(*state, "cam", pid), -ENOENT);
	zoe_client_destroy(c);
}

/* One that ignores what it is told, and keeps its mapping of the ring. */
static void test_kick_moves_the_frames_away_from_an_old_mapping(void **state) {
	int socket = raw_open(*state);
	struct zoe_client *c = connect_as(*state, "honest");
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_msg_consume ask = {.hold = 1, .delivery = ZOE_DELIVER_EVERY};
	const struct zoe_msg_region *region;
	static struct zoe_packet packet;
	const unsigned char *frames;
	size_t bytes;

	zoe_msg_init(&ask, ZOE_MSG_CONSUME, 1);
	zoe_wire_set_text(ask.name, sizeof(ask.name), "cam");
	assert_int_equal(raw_send(socket, &ask, sizeof(ask)), 0);
	assert_int_equal(raw_receive(socket, &packet), 0);
	region = zoe_packet_get(&packet, sizeof(*region));
	assert_non_null(region);
	bytes = (size_t)region->geometry.frames_bytes;
	frames = mmap(NULL, bytes, PROT_READ, MAP_SHARED, packet.fds[1], 0);
	assert_true(frames != MAP_FAILED);
	zoe_packet_finish(&packet);
	assert_int_equal(publish(p, 0x11), 0);
	assert_non_null(memchr(frames, 0x11, bytes));
	assert_int_equal(kick(*state, "cam", "raw"), 1);
	for (uint64_t i = 0; i < 50; i++) {
		int r = publish(p, 0x5a);

		assert_true(r == 0 || r == -ESTALE);
	}
	assert_null(memchr(frames, 0x5a, bytes));
	assert_int_equal(raw_receive(socket, &packet), 0);
	assert_int_equal(packet.header.type, ZOE_MSG_EVICTED);
	assert_int_equal(packet.header.status, -ECONNABORTED);
	zoe_packet_finish(&packet);
	/* What it says now is not even wrong; and then it is hung up on. */
	assert_int_equal(raw_send(socket, &ask, sizeof(ask)), 0);
	raw_expect_drop(socket);
	munmap((void *)(uintptr_t)frames, bytes);
	zoe_client_destroy(c);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_kick_tells_a_consumer_and_shows_it_nothing_later, config),
		BROKER_TEST(test_kick_leaves_frames_that_are_held_alone, config),
		BROKER_TEST(test_kick_wakes_a_reader_that_sleeps_or_polls, config),
		BROKER_TEST(test_kick_of_a_producer_frees_its_place_at_once, config),
		BROKER_TEST(test_kick_is_by_pid_too_and_names_nobody_wrong, config),
		BROKER_TEST(test_kick_moves_the_frames_away_from_an_old_mapping, config),
	};

	return cmocka_run_group_tests_name("kick", tests, NULL, NULL);
}
