/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define N_FED 300
#define N_LOOKING 3

static char config[] = "version: 1\n"
		       "defaults: {access: {produce: [any], consume: [any], list: [any]}}\n"
		       "streams:\n"
		       "  cam:\n"
		       "    max_frame: 256x256 XR24\n"
		       "    slots: 1024\n"
		       "    producers: 2\n"
		       "    open: 2\n"
		       "    consumers: 8\n"
		       "    hold: 3\n"
		       "  long: {max_frame: 64x64 XR24, patience: 60s}\n"
		       "  brief: {max_frame: 64x64 XR24, patience: 300ms}\n";

static void test_move_keeps_frames_that_are_held(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 2);
	struct zoe_producer *p = produce(c, "cam", 1);
	const struct zoe_frame *held, *frame;
	struct stream_state now;

	assert_int_equal(publish(p, 1), 0);
	held = take(s);
	assert_int_equal(publish(p, 2), 0);
	assert_int_equal(publish_sized(p, 3, 64), 0);
	for (uint64_t i = 2; i <= 3; i++) {
		frame = take(s);
		assert_int_equal(frame->user[0], i);
		assert_int_equal(frame->seq, held->seq + i - 1);
		assert_int_equal(frame->lost, 0);
		assert_int_equal(frame->format.width, i == 3 ? 64 : 16);
		zoe_frame_release(frame);
	}
	assert_int_equal(stream_get_state(*state, "cam", &now), 0);
	assert_int_equal(now.generation, 2);
	assert_string_equal(now.region, "cam#2");
	assert_int_equal(held->user[0], 1);
	assert_true(frame_is_whole(held));
	zoe_frame_release(held);
	zoe_client_destroy(c);
}

static void test_move_ends_at_max_frame(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .timeout_ms = DEADLINE_MS};
	struct zoe_producer *other = NULL;

	assert_int_equal(publish_sized(p, 1, 512), -EMSGSIZE);
	assert_non_null(strstr(zoe_client_get_error(c), "512x512 XR24"));
	assert_non_null(strstr(zoe_client_get_error(c), "(256x256 XR24)"));
	assert_int_equal(publish_sized(p, 1, 256), 0);
	zoe_format_init(&options.format, ZOE_FORMAT_XR24, 300, 300);
	assert_int_equal(zoe_producer_open(c, "cam", &options, &other), -EMSGSIZE);
	zoe_client_destroy(c);
}

static void test_move_gives_a_late_joiner_the_old_newest(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_slot *slot = NULL;
	const struct zoe_frame *frame;
	struct zoe_consumer *s;
	struct zoe_format large;

	assert_int_equal(publish(p, 1), 0);
	zoe_format_init(&large, ZOE_FORMAT_XR24, 64, 64);
	assert_int_equal(zoe_producer_acquire(p, &large, &slot, DEADLINE_MS), 0);
	zoe_producer_cancel(p, slot);
	s = consume(c, "cam", ZOE_EVERY, 1);
	frame = take(s);
	assert_int_equal(frame->user[0], 1);
	zoe_frame_release(frame);
	assert_int_equal(publish(p, 2), 0);
	frame = take(s);
	assert_int_equal(frame->user[0], 2);
	assert_int_equal(frame->lost, 0);
	zoe_frame_release(frame);
	zoe_client_destroy(c);
}

/* Pictures that grow twice on the way. */
static int feed_growing(const struct broker *broker, int pipe) {
	struct zoe_client *c = broker_connect(broker);
	struct zoe_producer *p = produce(c, "cam", 1);

	CHILD_CHECK(p != NULL);
	child_say_ready(pipe);
	for (uint64_t i = 1; i <= N_FED;) {
		int r = publish_sized(p, i, i < 100 ? 16 : i < 200 ? 64 : 200);

		CHILD_CHECK(r == 0 || r == -ESTALE);
		i += r == 0;
	}
	zoe_producer_close(p);
	zoe_client_destroy(c);
	return 0;
}

static void take_next_of(struct zoe_consumer *s, uint64_t *seq) {
	const struct zoe_frame *frame = take(s);

	assert_int_equal(frame->lost, 0);
	assert_true(*seq == 0 || frame->seq == *seq + 1);
	*seq = frame->seq;
	zoe_frame_release(frame);
}

static void test_move_loses_no_frame_of_two_producers(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *looking[N_LOOKING];
	uint64_t seqs[N_LOOKING] = {0};
	struct child feeds[2];
	struct stream_state now;
	const struct zoe_frame *frame;

	for (int i = 0; i < N_LOOKING; i++) {
		looking[i] = consume(c, "cam", ZOE_EVERY, 1);
		assert_non_null(looking[i]);
	}
	feeds[0] = child_start(*state, feed_growing);
	feeds[1] = child_start(*state, feed_growing);
	for (uint64_t n = 0; n < 2 * N_FED; n++) {
		for (int i = 0; i < N_LOOKING; i++) {
			take_next_of(looking[i], &seqs[i]);
		}
	}
	assert_int_equal(child_join(&feeds[0]), 0);
	assert_int_equal(child_join(&feeds[1]), 0);
	for (int i = 0; i < N_LOOKING; i++) {
		assert_int_equal(zoe_consumer_next(looking[i], &frame, 0), -EAGAIN);
	}
	assert_int_equal(stream_get_state(*state, "cam", &now), 0);
	assert_true(now.generation >= 3);
	zoe_client_destroy(c);
}

static void test_move_follows_the_end_of_stream(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(c, "cam", 1);
	const struct zoe_frame *frame;

	assert_int_equal(publish(p, 1), 0);
	assert_int_equal(publish_sized(p, 2, 64), 0);
	assert_int_equal(zoe_producer_end(p), 0);
	for (uint64_t i = 1; i <= 2; i++) {
		frame = take(s);
		assert_int_equal(frame->user[0], i);
		zoe_frame_release(frame);
	}
	assert_int_equal(zoe_consumer_next(s, &frame, DEADLINE_MS), -ENODATA);
	assert_int_equal(zoe_consumer_next(s, &frame, 0), -ENODATA);
	zoe_producer_close(p);
	p = produce(c, "cam", 1);
	assert_non_null(p);
	assert_int_equal(publish(p, 3), 0);
	frame = take(s);
	assert_int_equal(frame->user[0], 3);
	zoe_frame_release(frame);
	zoe_client_destroy(c);
}

static void wait_for_events(struct zoe_consumer *s, uint32_t events) {
	uint64_t deadline = now_ms() + DEADLINE_MS;
	const struct zoe_frame *frame = NULL;
	uint32_t seen = 0;

	while ((seen & events) != events) {
		assert_true(now_ms() < deadline);
		assert_int_equal(zoe_consumer_next(s, &frame, 10), -ETIMEDOUT);
		seen |= zoe_consumer_take_events(s);
	}
}

static void test_move_of_producers_makes_events(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);

	assert_int_equal(zoe_consumer_take_events(s) & ZOE_EV_PRODUCER_GONE, 0);
	zoe_producer_close(p);
	wait_for_events(s, ZOE_EV_PRODUCER_GONE);
	p = produce(c, "cam", 1);
	assert_non_null(p);
	wait_for_events(s, ZOE_EV_PRODUCER_BACK);
	zoe_client_destroy(c);
}

/* Producers that come and go are told of, until a reader that does not read has its socket full. */
static void deafen(const struct broker *broker, const char *stream) {
	for (unsigned i = 0; i < 200; i++) {
		struct zoe_client *c = broker_connect(broker);

		produce(c, stream, 1);
		zoe_client_destroy(c);
	}
}

static int acquire_larger(struct zoe_producer *p, int timeout_ms) {
	struct zoe_format format;
	struct zoe_slot *slot = NULL;
	int r;

	assert_int_equal(zoe_format_init(&format, ZOE_FORMAT_XR24, 64, 64), 0);
	r = zoe_producer_acquire(p, &format, &slot, timeout_ms);
	if (r == 0) {
		assert_int_equal(zoe_producer_publish(p, slot), 0);
	}
	return r;
}

static void test_move_waits_until_all_have_heard(void **state) {
	struct zoe_client *c = broker_connect(*state), *other = broker_connect(*state);
	struct zoe_consumer *deaf = consume(c, "long", ZOE_EVERY, 1);
	struct zoe_producer *p;

	deafen(*state, "long");
	p = produce(other, "long", 1);
	assert_int_equal(publish(p, 1), 0);
	assert_int_equal(acquire_larger(p, 300), -ETIMEDOUT);
	zoe_consumer_take_events(deaf);
	assert_int_equal(acquire_larger(p, DEADLINE_MS), 0);
	zoe_client_destroy(c);
	zoe_client_destroy(other);
}

static void test_move_waits_no_longer_than_patience(void **state) {
	struct zoe_client *c = broker_connect(*state), *other = broker_connect(*state);
	struct zoe_consumer *deaf = consume(c, "brief", ZOE_EVERY, 1);
	const struct zoe_frame *frame;
	struct zoe_producer *p;
	uint64_t began;

	deafen(*state, "brief");
	p = produce(other, "brief", 1);
	assert_int_equal(publish(p, 1), 0);
	began = now_ms();
	assert_int_equal(acquire_larger(p, DEADLINE_MS), 0);
	assert_true(now_ms() - began >= 200);
	/* It is back by itself, and sees what comes. */
	for (uint64_t value = 0; value != 7;) {
		assert_true(now_ms() - began < DEADLINE_MS);
		assert_int_equal(publish(p, 7), 0);
		if (zoe_consumer_next(deaf, &frame, 100) == 0) {
			value = frame->user[0];
			zoe_frame_release(frame);
		}
	}
	zoe_client_destroy(c);
	zoe_client_destroy(other);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_move_keeps_frames_that_are_held, config),
		BROKER_TEST(test_move_ends_at_max_frame, config),
		BROKER_TEST(test_move_gives_a_late_joiner_the_old_newest, config),
		BROKER_TEST(test_move_loses_no_frame_of_two_producers, config),
		BROKER_TEST(test_move_follows_the_end_of_stream, config),
		BROKER_TEST(test_move_of_producers_makes_events, config),
		BROKER_TEST(test_move_waits_until_all_have_heard, config),
		BROKER_TEST(test_move_waits_no_longer_than_patience, config),
	};

	return cmocka_run_group_tests_name("move", tests, NULL, NULL);
}
