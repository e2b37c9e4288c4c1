/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char config[] =
	"version: 1\n"
	"defaults: {access: {produce: [any], consume: [any], list: [any]}}\n"
	"streams:\n"
	"  cam: {max_frame: 64x64 XR24, slots: 8, producers: 3, open: 3, consumers: 4, hold: 3}\n";

static void test_flow_every_is_in_order(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(c, "cam", 1);
	const struct zoe_frame *frame;
	uint64_t seq = 0;

	for (uint64_t i = 0; i < 1000; i++) {
		assert_int_equal(publish(p, i), 0);
		if (i % 4 == 3) {
			for (uint64_t k = i - 3; k <= i; k++) {
				frame = take(s);
				assert_int_equal(frame->user[0], k);
				assert_int_equal(frame->lost, 0);
				assert_true(seq == 0 || frame->seq == seq + 1);
				seq = frame->seq;
				zoe_frame_release(frame);
			}
		}
	}
	zoe_client_destroy(c);
}

static void test_flow_every_counts_what_it_lost(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(c, "cam", 1);
	const struct zoe_frame *frame;

	assert_int_equal(publish(p, 0), 0);
	frame = take(s);
	zoe_frame_release(frame);
	for (uint64_t i = 1; i <= 20; i++) {
		assert_int_equal(publish(p, i), 0);
	}
	frame = take(s);
	assert_int_equal(frame->user[0], 13);
	assert_int_equal(frame->lost, 12);
	zoe_frame_release(frame);
	zoe_client_destroy(c);
}

static void test_flow_latest_jumps_to_the_newest(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_LATEST, 1);
	struct zoe_producer *p = produce(c, "cam", 1);
	const struct zoe_frame *frame;

	for (uint64_t i = 0; i < 5; i++) {
		assert_int_equal(publish(p, i), 0);
	}
	frame = take(s);
	assert_int_equal(frame->user[0], 4);
	zoe_frame_release(frame);
	assert_int_equal(zoe_consumer_next(s, &frame, 0), -EAGAIN);
	assert_int_equal(zoe_consumer_next(s, &frame, 20), -ETIMEDOUT);
	assert_int_equal(zoe_consumer_latest(s, &frame), 0);
	assert_int_equal(frame->user[0], 4);
	zoe_frame_release(frame);
	zoe_client_destroy(c);
}

static void test_flow_at_finds_a_frame_by_number(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 2);
	struct zoe_producer *p = produce(c, "cam", 1);
	const struct zoe_frame *first, *frame;

	assert_int_equal(publish(p, 0), 0);
	first = take(s);
	for (uint64_t i = 1; i <= 10; i++) {
		assert_int_equal(publish(p, i), 0);
	}
	assert_int_equal(zoe_consumer_at(s, first->seq + 9, &frame), 0);
	assert_int_equal(frame->user[0], 9);
	zoe_frame_release(frame);
	assert_int_equal(zoe_consumer_at(s, first->seq + 1, &frame), -ESTALE);
	assert_int_equal(zoe_consumer_at(s, first->seq + 11, &frame), -EAGAIN);
	zoe_frame_release(first);
	zoe_client_destroy(c);
}

static void test_flow_wakes_a_poller_for_every_frame(void **state) {
	struct zoe_client *c = broker_connect(*state), *other = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(other, "cam", 1);
	struct pollfd bell = {.events = POLLIN};
	const struct zoe_frame *frame;
	uint64_t n = 0, deadline = now_ms() + DEADLINE_MS;

	bell.fd = zoe_consumer_get_fd(s);
	assert_true(bell.fd >= 0);
	while (n < 200) {
		assert_int_equal(publish(p, n), 0);
		for (uint64_t want = n + 1; n < want && now_ms() < deadline;) {
			assert_int_equal(poll(&bell, 1, DEADLINE_MS), 1);
			while (zoe_consumer_next(s, &frame, 0) == 0) {
				assert_int_equal(frame->user[0], n);
				n++;
				zoe_frame_release(frame);
			}
		}
		assert_true(now_ms() < deadline);
	}
	assert_int_equal(zoe_consumer_get_fd(s), bell.fd);
	zoe_client_destroy(c);
	zoe_client_destroy(other);
}

static void test_flow_is_wanted_while_somebody_looks(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_consumer *s;
	uint64_t deadline = now_ms() + DEADLINE_MS;

	assert_int_equal(zoe_producer_is_wanted(p), 0);
	s = consume(c, "cam", ZOE_LATEST, 1);
	while (zoe_producer_is_wanted(p) == 0) {
		assert_true(now_ms() < deadline);
	}
	assert_int_equal(zoe_producer_is_wanted(p), 1);
	zoe_consumer_close(s);
	while (zoe_producer_is_wanted(p) == 1) {
		assert_true(now_ms() < deadline);
	}
	assert_int_equal(zoe_producer_is_wanted(p), 0);
	zoe_client_destroy(c);
}

static int feed_300(const struct broker *broker, int pipe) {
	struct zoe_client *c = broker_connect(broker);
	struct zoe_producer *p = produce(c, "cam", 1);
	uint64_t last = 0;

	CHILD_CHECK(p != NULL);
	child_say_ready(pipe);
	for (uint64_t i = 1; i <= 300; i++) {
		CHILD_CHECK(publish(p, (uint64_t)getpid() << 16 | i) == 0);
		last = i;
	}
	zoe_client_destroy(c);
	return last == 300 ? 0 : 1;
}

static void test_flow_of_several_producers_is_in_order(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	const struct zoe_frame *frame;
	struct child feeds[3];
	uint64_t seq = 0, last[3] = {0}, n_seen = 0;

	for (int i = 0; i < 3; i++) {
		feeds[i] = child_start(*state, feed_300);
	}
	while (n_seen < 900) {
		frame = take(s);
		assert_true(seq == 0 || frame->seq == seq + 1 + frame->lost);
		n_seen += frame->lost + 1;
		seq = frame->seq;
		for (int i = 0; i < 3; i++) {
			if (frame->user[0] >> 16 == (uint64_t)feeds[i].pid) {
				assert_true((frame->user[0] & 0xffff) > last[i]);
				last[i] = frame->user[0] & 0xffff;
			}
		}
		zoe_frame_release(frame);
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(child_join(&feeds[i]), 0);
	}
	zoe_client_destroy(c);
}

static void test_flow_publishes_slots_in_any_order(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(c, "cam", 3);
	struct zoe_slot *slots[3], *more;
	static const uint64_t order[3] = {2, 0, 1};
	const struct zoe_frame *frame;

	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(zoe_producer_acquire(p, NULL, &slots[i], DEADLINE_MS), 0);
		memset(slots[i]->plane[0], (int)i, slots[i]->format.size_bytes);
		slots[i]->user[0] = i;
	}
	assert_int_equal(zoe_producer_acquire(p, NULL, &more, 0), -EBUSY);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(zoe_producer_publish(p, slots[order[i]]), 0);
	}
	for (int i = 0; i < 3; i++) {
		frame = take(s);
		assert_int_equal(frame->user[0], order[i]);
		zoe_frame_release(frame);
	}
	zoe_client_destroy(c);
}

/* What a child may do with the handles that it inherited. */
static int use_after_fork(struct zoe_client *c, struct zoe_producer *p, struct zoe_slot *slot,
	struct zoe_consumer *s) {
	struct zoe_consumer *more_s = NULL;
	struct zoe_producer *more_p = NULL;
	const struct zoe_frame *frame = NULL;
	struct zoe_slot *other = NULL;

	CHILD_CHECK(zoe_client_connect(c, 0) == -ECHILD);
	CHILD_CHECK(zoe_client_list(c, NULL, NULL, 0) == -ECHILD);
	CHILD_CHECK(zoe_client_status(c, NULL, NULL, NULL, 0) == -ECHILD);
	CHILD_CHECK(zoe_client_watch(c, NULL, NULL) == -ECHILD);
	CHILD_CHECK(zoe_client_get_fd(c) == -ECHILD);
	CHILD_CHECK(zoe_client_dispatch(c) == -ECHILD);
	CHILD_CHECK(zoe_consumer_open(c, "cam", NULL, &more_s) == -ECHILD);
	CHILD_CHECK(zoe_producer_open(c, "cam", NULL, &more_p) == -ECHILD);
	CHILD_CHECK(zoe_producer_is_wanted(p) == -ECHILD);
	CHILD_CHECK(zoe_producer_acquire(p, NULL, &other, 0) == -ECHILD);
	CHILD_CHECK(zoe_producer_edit(p, &other, 0) == -ECHILD);
	CHILD_CHECK(zoe_producer_get_fd(p) == -ECHILD);
	CHILD_CHECK(zoe_producer_publish(p, slot) == -ECHILD);
	CHILD_CHECK(zoe_producer_end(p) == -ECHILD);
	CHILD_CHECK(zoe_consumer_next(s, &frame, 0) == -ECHILD);
	CHILD_CHECK(zoe_consumer_latest(s, &frame) == -ECHILD);
	CHILD_CHECK(zoe_consumer_at(s, 1, &frame) == -ECHILD);
	CHILD_CHECK(zoe_consumer_get_fd(s) == -ECHILD);
	CHILD_CHECK(zoe_consumer_take_events(s) == 0);
	zoe_producer_close(p);
	zoe_consumer_close(s);
	zoe_client_destroy(c);
	return 0;
}

static void test_flow_goes_on_after_a_fork(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 2);
	struct zoe_producer *p = produce(c, "cam", 1);
	const struct zoe_frame *held, *frame;
	struct zoe_slot *slot = NULL;
	pid_t pid;

	assert_int_equal(publish(p, 1), 0);
	held = take(s);
	assert_int_equal(zoe_producer_acquire(p, NULL, &slot, DEADLINE_MS), 0);
	pid = fork();
	if (pid == 0) {
		int status = use_after_fork(c, p, slot, s);

		zoe_frame_release(held);
		_exit(status);
	}
	assert_int_equal(process_wait(pid), 0);
	memset(slot->plane[0], 2, slot->format.size_bytes);
	slot->user[0] = 2;
	assert_int_equal(zoe_producer_publish(p, slot), 0);
	frame = take(s);
	assert_int_equal(frame->user[0], 2);
	assert_true(frame_is_whole(held));
	zoe_frame_release(frame);
	zoe_frame_release(held);
	zoe_client_destroy(c);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_flow_every_is_in_order, config),
		BROKER_TEST(test_flow_every_counts_what_it_lost, config),
		BROKER_TEST(test_flow_latest_jumps_to_the_newest, config),
		BROKER_TEST(test_flow_at_finds_a_frame_by_number, config),
		BROKER_TEST(test_flow_wakes_a_poller_for_every_frame, config),
		BROKER_TEST(test_flow_is_wanted_while_somebody_looks, config),
		BROKER_TEST(test_flow_of_several_producers_is_in_order, config),
		BROKER_TEST(test_flow_publishes_slots_in_any_order, config),
		BROKER_TEST(test_flow_goes_on_after_a_fork, config),
	};

	return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
