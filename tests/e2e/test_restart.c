/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <errno.h>

static char config[] = "version: 1\n"
		       "defaults: {access: {produce: [any], consume: [any], list: [any]}}\n"
		       "streams:\n"
		       "  cam: {max_frame: 64x64 XR24, slots: 8, consumers: 4, hold: 3}\n";

static void test_restart_stops_no_frame(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(c, "cam", 1);
	const struct zoe_frame *frame;
	uint64_t seq = 0, end = now_ms() + 1000;

	assert_int_equal(publish(p, 0), 0);
	frame = take(s); /* both have all they need */
	zoe_frame_release(frame);
	broker_kill(*state);
	for (uint64_t i = 0; i < 100 || now_ms() < end; i++) {
		assert_int_equal(publish(p, i), 0);
		frame = take(s);
		assert_int_equal(frame->user[0], i);
		assert_int_equal(frame->lost, 0);
		assert_true(seq == 0 || frame->seq == seq + 1);
		assert_int_equal(frame->flags & ZOE_DISCONT, 0);
		seq = frame->seq;
		zoe_frame_release(frame);
	}
	assert_true(zoe_consumer_take_events(s) & ZOE_EV_BROKER_GONE);
	zoe_client_destroy(c);
}

/* Publishes and takes until a frame says DISCONT. Returns: the events meanwhile. */
static uint32_t flow_to_discont(struct zoe_producer *p, struct zoe_consumer *s, uint64_t *value) {
	uint64_t deadline = now_ms() + DEADLINE_MS;
	const struct zoe_frame *frame;
	uint32_t events = 0, flags = 0;

	while (!(flags & ZOE_DISCONT)) {
		int r = publish(p, ++*value);

		assert_true(r == 0 || r == -ESTALE);
		r = zoe_consumer_next(s, &frame, 10);
		assert_true(r == 0 || r == -ETIMEDOUT);
		if (r == 0) {
			assert_true(frame_is_whole(frame));
			flags = frame->flags;
			zoe_frame_release(frame);
		}
		events |= zoe_consumer_take_events(s);
		assert_true(now_ms() < deadline);
	}
	return events;
}

static void test_restart_brings_both_back_by_themselves(void **state) {
	struct zoe_client *c = broker_connect(*state), *other = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 2), *late;
	struct zoe_producer *p = produce(other, "cam", 1);
	const struct zoe_frame *held, *frame;
	uint64_t value = 1;
	uint32_t events;

	assert_int_equal(publish(p, value), 0);
	held = take(s);
	broker_kill(*state);
	broker_start(*state);
	events = flow_to_discont(p, s, &value);
	assert_true(events & ZOE_EV_BROKER_GONE);
	assert_true(events & ZOE_EV_BROKER_BACK);
	assert_true(frame_is_whole(held));
	zoe_frame_release(held);
	stream_wait(*state, "cam", &(struct stream_state){.n_producers = 1, .n_consumers = 1});
	late = consume(other, "cam", ZOE_EVERY, 1);
	assert_int_equal(publish(p, 1000), 0);
	do {
		frame = take(late);
		value = frame->user[0];
		zoe_frame_release(frame);
	} while (value != 1000);
	zoe_client_destroy(c);
	zoe_client_destroy(other);
}

static void test_restart_brings_back_who_waited_alone(void **state) {
	struct zoe_client *c = broker_connect(*state), *other = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	uint64_t deadline = now_ms() + DEADLINE_MS;
	const struct zoe_frame *frame;
	struct zoe_producer *p;

	broker_kill(*state);
	broker_start(*state);
	while (!(zoe_consumer_take_events(s) & ZOE_EV_BROKER_BACK)) {
		assert_int_equal(zoe_consumer_next(s, &frame, 10), -ETIMEDOUT);
		assert_true(now_ms() < deadline);
	}
	p = produce(other, "cam", 1);
	assert_int_equal(publish(p, 3), 0);
	frame = take(s);
	assert_int_equal(frame->user[0], 3);
	zoe_frame_release(frame);
	zoe_client_destroy(c);
	zoe_client_destroy(other);
}

static void test_restart_three_times_in_a_row(void **state) {
	struct zoe_client *c = broker_connect(*state), *other = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(other, "cam", 1);
	const struct zoe_frame *frame;
	uint64_t value = 1;

	assert_int_equal(publish(p, value), 0);
	frame = take(s);
	zoe_frame_release(frame);
	for (int i = 0; i < 3; i++) {
		broker_kill(*state);
		broker_start(*state);
		flow_to_discont(p, s, &value);
	}
	stream_wait(*state, "cam", &(struct stream_state){.n_producers = 1, .n_consumers = 1});
	zoe_client_destroy(c);
	zoe_client_destroy(other);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_restart_stops_no_frame, config),
		BROKER_TEST(test_restart_brings_both_back_by_themselves, config),
		BROKER_TEST(test_restart_brings_back_who_waited_alone, config),
		BROKER_TEST(test_restart_three_times_in_a_row, config),
	};

	return cmocka_run_group_tests_name("restart", tests, NULL, NULL);
}
