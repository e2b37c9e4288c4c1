/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

static char config[] = "version: 1\n"
		       "defaults: {access: {produce: [any], consume: [any], list: [any]}}\n"
		       "streams:\n"
		       "  cam: {max_frame: 64x64 XR24, slots: 4, consumers: 4, hold: 3}\n";

static void test_loan_of_as_many_frames_as_hold_allows(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 3);
	struct zoe_producer *p = produce(c, "cam", 1);
	const struct zoe_frame *held[3], *frame;

	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(publish(p, i), 0);
		held[i] = take(s);
	}
	assert_int_equal(publish(p, 3), 0);
	assert_int_equal(zoe_consumer_next(s, &frame, DEADLINE_MS), -ENOBUFS);
	for (uint64_t i = 4; i < 50; i++) {
		assert_int_equal(publish(p, i), 0);
	}
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(held[i]->user[0], i);
		assert_true(frame_is_whole(held[i]));
	}
	zoe_frame_release(held[1]);
	frame = take(s);
	assert_int_equal(frame->user[0], 46);
	zoe_frame_release(frame);
	zoe_frame_release(held[0]);
	zoe_frame_release(held[2]);
	zoe_client_destroy(c);
}

static void *release(void *frame) {
	zoe_frame_release(frame);
	return NULL;
}

static void test_loan_ends_in_another_thread(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(c, "cam", 1);
	const struct zoe_frame *frame;

	for (uint64_t i = 0; i < 100; i++) {
		union {
			const struct zoe_frame *frame;
			void *pointer;
		} loan;
		pthread_t thread;

		assert_int_equal(publish(p, i), 0);
		loan.frame = take(s);
		assert_int_equal(loan.frame->user[0], i);
		assert_int_equal(pthread_create(&thread, NULL, release, loan.pointer), 0);
		assert_int_equal(pthread_join(thread, NULL), 0);
	}
	assert_int_equal(publish(p, 100), 0);
	frame = take(s);
	zoe_frame_release(frame);
	zoe_client_destroy(c);
}

static void test_loan_outlives_its_consumer(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(c, "cam", 1);
	const struct zoe_frame *frame;

	assert_int_equal(publish(p, 9), 0);
	frame = take(s);
	zoe_consumer_close(s);
	for (uint64_t i = 10; i < 40; i++) {
		assert_int_equal(publish(p, i), 0);
	}
	assert_int_equal(frame->user[0], 9);
	assert_true(frame_is_whole(frame));
	zoe_frame_release(frame);
	stream_wait(*state, "cam", &(struct stream_state){.n_producers = 1});
	zoe_client_destroy(c);
}

static void test_loan_outlives_its_client(void **state) {
	struct zoe_client *c = broker_connect(*state), *other = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 2);
	struct zoe_producer *p = produce(other, "cam", 1);
	const struct zoe_frame *one, *two;

	assert_int_equal(publish(p, 1), 0);
	assert_int_equal(publish(p, 2), 0);
	one = take(s);
	two = take(s);
	zoe_client_destroy(c);
	for (uint64_t i = 10; i < 40; i++) {
		assert_int_equal(publish(p, i), 0);
	}
	assert_true(frame_is_whole(one));
	zoe_frame_release(one);
	assert_true(frame_is_whole(two));
	zoe_frame_release(two);
	stream_wait(*state, "cam", &(struct stream_state){.n_producers = 1});
	zoe_client_destroy(other);
}

/* Cuts every connection of ours but those of fds below `first`. */
static void cut_connections(int first) {
	for (int fd = first; fd < 256; fd++) {
		shutdown(fd, SHUT_RDWR); /* of anything but a socket an error */
	}
}

static int count_dup(void) {
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static void test_loan_outlives_its_connection(void **state) {
	int first = count_dup();
	struct zoe_client *reader = broker_connect(*state);
	struct zoe_consumer *s = consume(reader, "cam", ZOE_EVERY, 2);
	struct zoe_client *writer;
	struct zoe_producer *p;
	uint64_t deadline = now_ms() + DEADLINE_MS;
	const struct zoe_frame *held, *frame;

	/* The producer's connection is made later than this one's cut. */
	assert_non_null(s);
	writer = broker_connect(*state);
	p = produce(writer, "cam", 1);
	assert_int_equal(publish(p, 1), 0);
	held = take(s);
	zoe_client_destroy(writer);
	cut_connections(first);
	writer = broker_connect(*state);
	p = produce(writer, "cam", 1);
	for (uint64_t i = 2; i < 50; i++) {
		assert_int_equal(publish(p, i), 0);
	}
	assert_int_equal(held->user[0], 1);
	assert_true(frame_is_whole(held));
	while (!(zoe_consumer_take_events(s) & ZOE_EV_BROKER_BACK)) {
		assert_true(now_ms() < deadline);
	}
	while (zoe_consumer_next(s, &frame, 200) == 0) {
		zoe_frame_release(frame); /* attached again, with a seat of its own */
	}
	assert_int_equal(publish(p, 50), 0);
	frame = take(s);
	assert_int_equal(frame->user[0], 50);
	zoe_frame_release(frame);
	assert_true(frame_is_whole(held));
	stream_wait(*state, "cam",
		&(struct stream_state){.n_producers = 1, .n_consumers = 2, .n_held = 1});
	zoe_frame_release(held);
	stream_wait(*state, "cam", &(struct stream_state){.n_producers = 1, .n_consumers = 1});
	zoe_client_destroy(writer);
	zoe_client_destroy(reader);
}

static void test_loan_of_a_slot_ends_with_cancel(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(c, "cam", 1);
	const struct zoe_frame *frame;
	struct zoe_slot *slot = NULL;

	for (uint64_t i = 0; i < 100; i++) {
		assert_int_equal(zoe_producer_acquire(p, NULL, &slot, DEADLINE_MS), 0);
		zoe_producer_cancel(p, slot);
	}
	assert_int_equal(zoe_consumer_next(s, &frame, 0), -EAGAIN);
	assert_int_equal(zoe_producer_edit(p, &slot, 0), -ENODATA);
	assert_int_equal(publish(p, 5), 0);
	assert_int_equal(zoe_producer_edit(p, &slot, DEADLINE_MS), 0);
	assert_int_equal(slot->user[0], 5);
	assert_int_equal(zoe_producer_publish(p, slot), 0);
	for (int i = 0; i < 2; i++) {
		frame = take(s);
		assert_int_equal(frame->user[0], 5);
		zoe_frame_release(frame);
	}
	zoe_client_destroy(c);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_loan_of_as_many_frames_as_hold_allows, config),
		BROKER_TEST(test_loan_ends_in_another_thread, config),
		BROKER_TEST(test_loan_outlives_its_consumer, config),
		BROKER_TEST(test_loan_outlives_its_client, config),
		BROKER_TEST(test_loan_outlives_its_connection, config),
		BROKER_TEST(test_loan_of_a_slot_ends_with_cancel, config),
	};

	return cmocka_run_group_tests_name("loan", tests, NULL, NULL);
}
