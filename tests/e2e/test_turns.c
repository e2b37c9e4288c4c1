/* SPDX-License-Identifier: MIT */
#include "seated.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static char config[] = "version: 1\n"
		       "defaults: {access: {produce: [any], consume: [any], list: [any]}}\n"
		       "streams:\n"
		       "  cam: {max_frame: 64x64 XR24, slots: 4}\n"
		       "  two: {max_frame: 64x64 XR24, producers: 2}\n"
		       "  \"made/*\": {max_frame: 64x64 XR24, linger: 0}\n";

static void produce_in_turn(struct seated *p, const struct broker *broker, const char *stream) {
	struct production production = {.stream = stream, .flags = ZOE_PRODUCE_TAKE_TURNS};

	seated_produce(p, broker, &production);
	assert_int_equal(p->status, 0);
}

static void expect_waiting(struct seated *p) {
	assert_int_equal(p->region.flags, ZOE_REGION_PARKED);
	assert_int_equal(p->n_fds, 0);
	assert_false(seated_was_told(p, ZOE_MSG_PRODUCE));
}

static void expect_turn(struct seated *p) {
	struct zoe_packet *packet = seated_wait(p, ZOE_MSG_PRODUCE);

	assert_int_equal(packet->header.serial, p->serial);
	assert_int_equal(packet->n_fds, 3);
	assert_int_equal(p->region.flags & ZOE_REGION_PARKED, 0);
	assert_int_not_equal(p->region.owner, 0);
	zoe_packet_finish(packet);
}

static void test_turns_come_first_come_first_served(void **state) {
	struct seated p[4], busy;

	for (int i = 0; i < 4; i++) {
		produce_in_turn(&p[i], *state, "cam");
	}
	assert_int_equal(p[0].region.flags & ZOE_REGION_PARKED, 0);
	for (int i = 0; i < 3; i++) {
		expect_waiting(&p[i + 1]);
		seated_produce(&busy, *state, &(struct production){.stream = "cam"});
		assert_int_equal(busy.status, -EBUSY);
		seated_close(&busy);
		seated_leave(&p[i], 0);
		expect_turn(&p[i + 1]);
		for (int k = i + 2; k < 4; k++) {
			assert_false(seated_was_told(&p[k], ZOE_MSG_PRODUCE));
		}
	}
	assert_int_equal(p[3].region.generation, 1);
	for (int i = 0; i < 4; i++) {
		seated_close(&p[i]);
	}
}

static void test_turns_skip_those_who_went_away(void **state) {
	struct seated p[4];

	for (int i = 0; i < 4; i++) {
		produce_in_turn(&p[i], *state, "cam");
	}
	seated_close(&p[1]);
	seated_leave(&p[2], 0);
	seated_leave(&p[0], 0);
	expect_turn(&p[3]);
	assert_false(seated_was_told(&p[2], ZOE_MSG_PRODUCE));
	seated_close(&p[0]);
	seated_close(&p[2]);
	seated_close(&p[3]);
}

static int produce_until_killed(const struct broker *broker, int pipe) {
	struct zoe_client *c = broker_connect(broker);
	struct zoe_producer *p = produce(c, "cam", 1);

	CHILD_CHECK(publish(p, 1) == 0);
	child_say_ready(pipe);
	pause();
	return 1;
}

static void test_turns_come_when_a_producer_dies(void **state) {
	struct production production = {
		.stream = "cam", .flags = ZOE_PRODUCE_TAKE_TURNS, .frame_bytes = 1};
	struct child child = child_start(*state, produce_until_killed);
	struct seated p;

	child_wait_ready(&child);
	seated_produce(&p, *state, &production);
	expect_waiting(&p);
	child_kill(&child);
	expect_turn(&p);
	assert_int_equal(p.region.generation, 1); /* repaired, not left */
	/* [PUB] acquire: what the dead one has published is there. */
	assert_int_equal(
		atomic_load_explicit(&p.ring->head, memory_order_acquire), zoe_head_pack(2));
	seated_close(&p);
}

/* Its process lives and may still write: the successor is alone in a generation of its own. */
static void test_turns_come_when_a_producer_vanishes(void **state) {
	struct seated p, q;

	produce_in_turn(&p, *state, "cam");
	produce_in_turn(&q, *state, "cam");
	seated_close(&p);
	expect_turn(&q);
	assert_int_equal(q.region.generation, 2);
	assert_int_equal(q.region.flags, ZOE_REGION_SOLE);
	seated_close(&q);
}

static void test_turns_are_for_as_many_as_have_seats(void **state) {
	struct seated p[4];

	for (int i = 0; i < 4; i++) {
		produce_in_turn(&p[i], *state, "two");
	}
	assert_int_equal(p[1].region.flags, 0); /* neither is alone */
	expect_waiting(&p[2]);
	expect_waiting(&p[3]);
	seated_leave(&p[1], 0);
	expect_turn(&p[2]);
	seated_leave(&p[0], 0);
	expect_turn(&p[3]);
	assert_int_not_equal(p[2].region.owner, p[3].region.owner);
	for (int i = 0; i < 4; i++) {
		seated_close(&p[i]);
	}
}

static void test_turns_are_refused_where_they_are_vain(void **state) {
	struct production both = {
		.stream = "cam", .flags = ZOE_PRODUCE_TAKE_TURNS | ZOE_PRODUCE_UNIQUE_NAME};
	struct production large = {
		.stream = "cam", .flags = ZOE_PRODUCE_TAKE_TURNS, .frame_bytes = 1 << 20};
	struct seated p, q;

	seated_produce(&q, *state, &both);
	assert_int_equal(q.status, -EINVAL);
	seated_close(&q);
	produce_in_turn(&p, *state, "cam");
	seated_produce(&q, *state, &large);
	assert_int_equal(q.status, -EMSGSIZE);
	seated_close(&q);
	seated_close(&p);
}

static void test_turns_end_with_a_second_request(void **state) {
	static const uint32_t types[] = {ZOE_MSG_PRODUCE, ZOE_MSG_CONSUME, ZOE_MSG_GROW,
		ZOE_MSG_END, ZOE_MSG_ROSTER_ACK, ZOE_MSG_REPORT};
	struct seated p, q;

	produce_in_turn(&p, *state, "cam");
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		union {
			struct zoe_msg_header header;
			unsigned char bytes[512];
		} msg = {.header = {.type = types[i], .size = sizeof(msg), .serial = 9}};

		produce_in_turn(&q, *state, "cam");
		expect_waiting(&q);
		assert_int_equal(raw_send(q.socket, &msg, sizeof(msg)), 0);
		raw_expect_drop(dup(q.socket));
		seated_close(&q);
	}
	seated_leave(&p, 0);
	produce_in_turn(&q, *state, "cam"); /* none of them has it */
	assert_int_equal(q.region.flags, ZOE_REGION_SOLE);
	seated_close(&q);
	seated_close(&p);
}

static int note_peers(void *user, const struct zoe_status *status) {
	uint32_t *n = user;

	if (status->peer && status->peer->role == ZOE_ROLE_PRODUCER) {
		n[status->peer->state == ZOE_PEER_PARKED]++;
	}
	return 0;
}

static void test_turns_are_seen_in_the_status(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct seated p, q;
	uint32_t n[2] = {0, 0};

	produce_in_turn(&p, *state, "made/1");
	produce_in_turn(&q, *state, "made/1");
	assert_int_equal(zoe_client_status(c, "made/1", note_peers, n, DEADLINE_MS), 0);
	assert_int_equal(n[0], 1);
	assert_int_equal(n[1], 1);
	seated_leave(&p, 0); /* linger is 0, but somebody is next */
	expect_turn(&q);
	assert_string_equal(q.region.name, "made/1");
	seated_close(&q);
	seated_close(&p);
	zoe_client_destroy(c);
}

/* Reads what is there. Returns: how many packets lent something, once the broker has hung up. */
static uint32_t count_loans(int socket) {
	uint32_t n = 0;
	int r;

	do {
		r = raw_receive(socket, seated_get_packet());
		n += r == 0 && seated_get_packet()->n_fds > 0;
		zoe_packet_finish(seated_get_packet());
	} while (r == 0 || r == -ECONNRESET); /* it had not read all of ours: ours is still there */
	assert_int_equal(r, -EPIPE);
	return n;
}

/* Each CONSUME lends four descriptors, which stay in flight until they are read. */
static void test_turns_who_never_reads_is_not_lent_for_ever(void **state) {
	struct zoe_msg_leave leave;
	struct zoe_msg_consume consume;
	struct seated p;
	int fd = raw_open(*state), r = 0;

	memset(&leave, 0, sizeof(leave));
	zoe_msg_init(&leave, ZOE_MSG_LEAVE, 0);
	memset(&consume, 0, sizeof(consume));
	zoe_msg_init(&consume, ZOE_MSG_CONSUME, 2);
	zoe_wire_set_text(consume.name, sizeof(consume.name), "cam");
	seated_produce(&p, *state, &(struct production){.stream = "cam"});
	for (int i = 0; i < 100 && r == 0; i++) {
		r = raw_send(fd, &consume, sizeof(consume));
		r = r < 0 ? r : raw_send(fd, &leave, sizeof(leave));
		seated_was_told(&p, 0);
		seated_was_told(&p, 0); /* two rounds: by now both were handled */
	}
	assert_true(r == -EPIPE || r == -ECONNRESET); /* dropped */
	assert_in_range(count_loans(fd), 16, 32);
	close(fd);
	seated_close(&p);
}

/* The same, but read: as often as one likes. */
static void test_turns_who_reads_is_lent_again(void **state) {
	struct zoe_msg_consume consume;
	struct seated p, s;

	memset(&consume, 0, sizeof(consume));
	zoe_msg_init(&consume, ZOE_MSG_CONSUME, 2);
	zoe_wire_set_text(consume.name, sizeof(consume.name), "cam");
	seated_produce(&p, *state, &(struct production){.stream = "cam"});
	seated_consume(&s, *state, &(struct consumption){.stream = "cam"});
	for (int i = 0; i < 100; i++) {
		seated_leave(&s, 0);
		assert_int_equal(raw_send(s.socket, &consume, sizeof(consume)), 0);
		seated_wait_region(&s, ZOE_MSG_CONSUME);
		assert_int_equal(s.status, 0);
	}
	seated_close(&s);
	seated_close(&p);
}

static void test_turns_who_vanishes_too_often_has_to_pause(void **state) {
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct seated p;
	int n = 0;

	for (;; n++) {
		struct production production = {
			.stream = "cam", .flags = n ? ZOE_PRODUCE_TAKE_TURNS : 0};

		seated_produce(&p, *state, &production);
		if (p.status < 0) {
			break;
		}
		seated_close(&p); /* the next connection ends this one: the stream has to move */
		assert_true(now_ms() < deadline);
	}
	assert_int_equal(p.status, -EAGAIN);
	assert_non_null(strstr(p.error, "'cam': moves too often"));
	assert_true(n > 4);
	while (p.status == -EAGAIN) {
		seated_close(&p);
		assert_true(now_ms() < deadline);
		seated_produce(&p, *state, &(struct production){.stream = "cam"});
	}
	assert_int_equal(p.status, 0);
	seated_leave(&p, 0);
	seated_close(&p);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_turns_come_first_come_first_served, config),
		BROKER_TEST(test_turns_skip_those_who_went_away, config),
		BROKER_TEST(test_turns_come_when_a_producer_dies, config),
		BROKER_TEST(test_turns_come_when_a_producer_vanishes, config),
		BROKER_TEST(test_turns_are_for_as_many_as_have_seats, config),
		BROKER_TEST(test_turns_are_refused_where_they_are_vain, config),
		BROKER_TEST(test_turns_end_with_a_second_request, config),
		BROKER_TEST(test_turns_are_seen_in_the_status, config),
		BROKER_TEST(test_turns_who_never_reads_is_not_lent_for_ever, config),
		BROKER_TEST(test_turns_who_reads_is_lent_again, config),
		BROKER_TEST(test_turns_who_vanishes_too_often_has_to_pause, config),
	};

	return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
