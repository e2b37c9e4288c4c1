/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DEPTH = 4, PATIENCE_MS = 100, N_FED = 400 };

static char config[] = "version: 1\n"
		       "defaults: {access: {produce: [any], consume: [any], list: [any]}}\n"
		       "streams:\n"
		       "  drop: {max_frame: 256x256 XR24, slots: 4, patience: 100ms, hold: 2}\n"
		       "  block: {max_frame: 256x256 XR24, slots: 4, patience: 10s, when_full: "
		       "block, producers: 2}\n"
		       "  brief: {max_frame: 256x256 XR24, slots: 4, patience: 100ms, when_full: "
		       "block}\n"
		       "  paced: {max_frame: 256x256 XR24, max_fps: 50}\n"
		       "  mine: {max_frame: 16x16 XR24, access: {reliable: [user:12345]}}\n";

static void pause_ms(unsigned ms) {
	const struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&pause, NULL);
}

/* Publishes value with a timeout of its own. Returns: as zoe_producer_acquire(). */
static int feed(struct zoe_producer *p, uint64_t value, int timeout_ms) {
	struct zoe_slot *slot = NULL;
	int r = zoe_producer_acquire(p, NULL, &slot, timeout_ms);

	if (r < 0) {
		return r;
	}
	memset(slot->plane[0], (int)(value & 0xff), slot->format.size_bytes);
	slot->user[0] = value;
	return zoe_producer_publish(p, slot);
}

/* Feeds 1, 2, 3 ... until a reliable reader refuses. Returns: how many it took. */
static uint64_t fill(struct zoe_producer *p, int timeout_ms, int refusal) {
	uint64_t n = 0;
	int r;

	/* The first one may have to learn of its readers. */
	while ((r = feed(p, n + 1, n == 0 ? DEADLINE_MS : timeout_ms)) == 0) {
		n++;
		assert_in_range(n, 1, DEPTH + 1);
	}
	assert_int_equal(r, refusal);
	return n;
}

static void expect_next(struct zoe_consumer *s, uint64_t value) {
	const struct zoe_frame *frame = take(s);

	assert_int_equal(frame->user[0], value);
	assert_int_equal(frame->lost, 0);
	zoe_frame_release(frame);
}

static void test_reliable_drop_refuses_at_once_and_loses_nothing(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "drop", ZOE_RELIABLE, 1);
	struct zoe_producer *p = produce(c, "drop", 1);
	uint64_t n = fill(p, DEADLINE_MS, -EAGAIN), began = now_ms();

	assert_int_equal(feed(p, 99, DEADLINE_MS), -EAGAIN);
	assert_true(now_ms() - began < 1000);
	for (uint64_t i = 1; i <= n; i++) {
		expect_next(s, i);
	}
	assert_int_equal(feed(p, n + 1, 0), 0);
	expect_next(s, n + 1);
	assert_int_equal(zoe_consumer_take_events(s) & ZOE_EV_DEMOTED, 0);
	zoe_client_destroy(c);
}

static void test_reliable_memory_ends_at_depth_not_at_the_spares(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "drop", ZOE_RELIABLE, 1);
	struct zoe_producer *p = produce(c, "drop", 1);

	assert_int_equal(fill(p, 0, -EAGAIN), DEPTH + 1);
	expect_next(s, 1);
	zoe_client_destroy(c);
}

static void test_reliable_block_waits_for_its_timeout(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "block", ZOE_RELIABLE, 1);
	struct zoe_producer *p = produce(c, "block", 1);
	uint64_t n = fill(p, 0, -EAGAIN), began = now_ms();

	assert_int_equal(feed(p, 99, 50), -ETIMEDOUT);
	assert_in_range(now_ms() - began, 49, 5000);
	expect_next(s, 1);
	assert_int_equal(feed(p, n + 1, DEADLINE_MS), 0);
	for (uint64_t i = 2; i <= n + 1; i++) {
		expect_next(s, i);
	}
	zoe_client_destroy(c);
}

static void test_reliable_slow_one_is_demoted_and_told(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "brief", ZOE_RELIABLE, 1);
	struct zoe_producer *p = produce(c, "brief", 1);
	uint64_t n = fill(p, 0, -EAGAIN), began = now_ms();
	const struct zoe_frame *frame;

	assert_int_equal(feed(p, n + 1, DEADLINE_MS), 0); /* its patience later */
	assert_in_range(now_ms() - began, PATIENCE_MS - 10, 5000);
	for (uint64_t i = 2; i < 20; i++) {
		assert_int_equal(feed(p, n + i, 0), 0);
	}
	frame = take(s);
	assert_true(frame->lost > 0);
	assert_int_equal(frame->seq, frame->lost + 1);
	zoe_frame_release(frame);
	assert_int_equal(zoe_consumer_take_events(s) & ZOE_EV_DEMOTED, ZOE_EV_DEMOTED);
	assert_int_equal(zoe_consumer_take_events(s) & ZOE_EV_DEMOTED, 0);
	zoe_client_destroy(c);
}

static void test_reliable_slow_one_is_demoted_without_a_broker(void **state) {
	struct broker *broker = *state;
	struct zoe_client *c = broker_connect(broker);
	struct zoe_consumer *s = consume(c, "brief", ZOE_RELIABLE, 1);
	struct zoe_producer *p = produce(c, "brief", 1);
	uint64_t n = fill(p, 0, -EAGAIN);
	const struct zoe_frame *frame;

	broker_kill(broker);
	for (uint64_t i = 1; i < 20; i++) {
		assert_int_equal(feed(p, n + i, DEADLINE_MS), 0);
	}
	frame = take(s);
	assert_true(frame->lost > 0);
	zoe_frame_release(frame);
	assert_int_equal(zoe_consumer_take_events(s) & ZOE_EV_DEMOTED, ZOE_EV_DEMOTED);
	zoe_client_destroy(c);
	broker_start(broker);
}

static int hold_up(const struct broker *broker, int pipe) {
	struct zoe_client *c = broker_connect(broker);
	struct zoe_consumer *s = consume(c, "block", ZOE_RELIABLE, 1);

	CHILD_CHECK(s != NULL);
	child_say_ready(pipe);
	pause_ms(DEADLINE_MS); /* to be killed meanwhile */
	return 1;
}

static void test_reliable_one_that_dies_holds_nobody_up(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "block", 1);
	struct child child = child_start(*state, hold_up);
	uint64_t n, began;

	child_wait_ready(&child);
	n = fill(p, 0, -EAGAIN);
	child_kill(&child);
	began = now_ms();
	assert_int_equal(feed(p, n + 1, DEADLINE_MS), 0);
	assert_true(now_ms() - began < 5000); /* its patience is 10 s */
	zoe_client_destroy(c);
}

/* Feeds pictures that grow now and then: the stream moves under its readers. */
static int feed_growing(const struct broker *broker, int pipe) {
	struct zoe_client *c = broker_connect(broker);
	struct zoe_producer *p = produce(c, "block", 1);
	uint32_t side = 16;

	CHILD_CHECK(p != NULL);
	child_say_ready(pipe);
	for (uint64_t i = 1; i <= N_FED; i++) {
		side += i % 100 == 50 ? 32 : 0;
		CHILD_CHECK(publish_sized(p, i, side) == 0);
	}
	CHILD_CHECK(zoe_producer_end(p) == 0);
	zoe_client_destroy(c);
	return 0;
}

static void test_reliable_follows_moves_without_a_loss(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "block", ZOE_RELIABLE, 2);
	struct child child = child_start(*state, feed_growing);
	const struct zoe_frame *held = NULL, *frame = NULL;

	for (uint64_t i = 1; i <= N_FED; i++) {
		frame = take(s);
		assert_int_equal(frame->user[0], i);
		assert_int_equal(frame->lost, 0);
		zoe_frame_release(held);
		held = frame;
	}
	zoe_frame_release(held);
	assert_int_equal(zoe_consumer_next(s, &frame, DEADLINE_MS), -ENODATA);
	assert_int_equal(child_join(&child), 0);
	zoe_client_destroy(c);
}

static struct zoe_consumer *join_group(struct zoe_client *c, const char *stream) {
	const struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = ZOE_QUEUE_RELIABLE,
		.group = "pair",
		.hold = 1,
		.timeout_ms = DEADLINE_MS};
	struct zoe_consumer *s = NULL;

	assert_int_equal(zoe_consumer_open(c, stream, &options, &s), 0);
	return s;
}

static void test_reliable_group_shares_out_across_moves(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *members[2] = {join_group(c, "block"), join_group(c, "block")};
	struct child child = child_start(*state, feed_growing);

	for (uint64_t i = 1; i <= N_FED; i++) {
		expect_next(members[i % 3 == 0], i); /* whoever asks has the next one */
	}
	assert_int_equal(child_join(&child), 0);
	zoe_client_destroy(c);
}

static int join_and_die(const struct broker *broker, int pipe) {
	const struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = ZOE_QUEUE_RELIABLE,
		.group = "pair",
		.timeout_ms = DEADLINE_MS};
	struct zoe_client *c = broker_connect(broker);
	const struct zoe_frame *frame = NULL;
	struct zoe_consumer *s = NULL;

	CHILD_CHECK(zoe_consumer_open(c, "block", &options, &s) == 0);
	child_say_ready(pipe);
	CHILD_CHECK(zoe_consumer_next(s, &frame, DEADLINE_MS) == 0);
	child_say_ready(pipe);
	pause_ms(DEADLINE_MS); /* to be killed meanwhile */
	return 1;
}

static void test_reliable_group_goes_on_without_a_dead_member(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "block", 1);
	struct child child = child_start(*state, join_and_die);
	struct zoe_consumer *s;

	child_wait_ready(&child);
	assert_int_equal(feed(p, 1, DEADLINE_MS), 0);
	child_wait_ready(&child);
	s = join_group(c, "block");
	child_kill(&child);
	for (uint64_t i = 2; i < 50; i++) {
		assert_int_equal(feed(p, i, DEADLINE_MS), 0);
		expect_next(s, i); /* the first one went with the dead */
	}
	zoe_client_destroy(c);
}

static void test_reliable_groups_are_of_one_kind(void **state) {
	struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = ZOE_QUEUE,
		.group = "pair",
		.timeout_ms = DEADLINE_MS};
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "block", 1);
	struct zoe_consumer *s = NULL;

	assert_non_null(p);
	join_group(c, "block");
	assert_int_equal(zoe_consumer_open(c, "block", &options, &s), -EINVAL);
	assert_non_null(strstr(zoe_client_get_error(c), "group 'pair' is reliable"));
	options.group = NULL;
	assert_int_equal(zoe_consumer_open(c, "block", &options, &s), -EINVAL);
	options.delivery = ZOE_EVERY;
	options.group = "pair";
	assert_int_equal(zoe_consumer_open(c, "block", &options, &s), -EINVAL);
	zoe_client_destroy(c);
}

static void test_reliable_needs_its_right(void **state) {
	struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = ZOE_RELIABLE,
		.timeout_ms = DEADLINE_MS};
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = NULL;
	int r = zoe_consumer_open(c, "mine", &options, &s);

	if (((struct broker *)*state)->pid != 0 && geteuid() == 0) {
		assert_int_equal(r, 0); /* root passes everywhere; test_access has other users */
	} else {
		assert_int_equal(r, -EACCES);
	}
	zoe_client_destroy(c);
}

static void test_reliable_at_time_finds_the_frame_shown_then(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "drop", 1);
	struct zoe_consumer *s = consume(c, "drop", ZOE_EVERY, 2);
	const struct zoe_frame *frame = NULL;

	assert_int_equal(zoe_consumer_at_time(s, 1000, &frame), -EAGAIN);
	for (uint64_t i = 1; i <= DEPTH; i++) {
		struct zoe_slot *slot = NULL;

		assert_int_equal(zoe_producer_acquire(p, NULL, &slot, DEADLINE_MS), 0);
		memset(slot->plane[0], (int)i, slot->format.size_bytes);
		slot->user[0] = i;
		slot->pts_ns = 1000 * i;
		assert_int_equal(zoe_producer_publish(p, slot), 0);
	}
	for (uint64_t i = 1; i <= DEPTH; i++) {
		assert_int_equal(zoe_consumer_at_time(s, 1000 * i + 999, &frame), 0);
		assert_int_equal(frame->user[0], i);
		assert_true(frame_is_whole(frame));
		zoe_frame_release(frame);
	}
	assert_int_equal(zoe_consumer_at_time(s, UINT64_MAX, &frame), 0);
	assert_int_equal(frame->user[0], DEPTH);
	zoe_frame_release(frame);
	assert_int_equal(zoe_consumer_at_time(s, 999, &frame), -ESTALE);
	expect_next(s, 1); /* next()'s place did not move */
	zoe_client_destroy(c);
}

static void test_reliable_max_fps_paces_readers_and_producers(void **state) {
	const struct zoe_consumer_options options = {
		.struct_size = sizeof(options), .max_fps = 10, .timeout_ms = DEADLINE_MS};
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "paced", 1);
	struct zoe_consumer *s = NULL;
	uint64_t interval = 1, end = now_ms() + 1000;
	const struct zoe_frame *frame;
	unsigned n_fed = 0, n_seen = 0, n_wanted = 0;

	assert_int_equal(zoe_producer_is_wanted(p), 0);
	assert_int_equal(zoe_consumer_open(c, "paced", &options, &s), 0);
	while (now_ms() < end) {
		n_wanted += zoe_producer_is_wanted(p) == 1;
		assert_int_equal(feed(p, ++n_fed, 0), 0);
		if (zoe_consumer_next(s, &frame, 0) == 0) {
			n_seen++;
			zoe_frame_release(frame);
		}
		pause_ms(2);
	}
	assert_in_range(n_seen, 6, 12);
	assert_true(n_fed > 2 * n_seen && n_wanted < n_fed / 2);
	assert_int_equal(zoe_producer_get_interval(p, &interval), 1);
	assert_int_equal(interval, 100000000); /* the reader's, which is longer than the config's */
	zoe_consumer_close(s);
	s = consume(c, "paced", ZOE_EVERY, 1);
	frame = take(s);
	zoe_frame_release(frame);
	assert_int_equal(feed(p, ++n_fed, 0), 0); /* learns of the new seat */
	assert_int_equal(zoe_producer_get_interval(p, &interval), 1);
	assert_int_equal(interval, 20000000); /* the config's */
	zoe_client_destroy(c);
}

static int wait_for_turn(const struct broker *broker, int pipe) {
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .flags = ZOE_TAKE_TURNS, .timeout_ms = DEADLINE_MS};
	struct zoe_client *c = broker_connect(broker);
	struct zoe_producer *p = NULL;

	zoe_format_init(&options.format, ZOE_FORMAT_XR24, 16, 16);
	child_say_ready(pipe);
	CHILD_CHECK(zoe_producer_open(c, "drop", &options, &p) == 0);
	CHILD_CHECK(publish(p, (uint64_t)getpid()) == 0);
	zoe_client_destroy(c);
	return 0;
}

static void test_reliable_turns_pass_over_the_dead(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "drop", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(c, "drop", 1);
	struct child first = child_start(*state, wait_for_turn), second;
	const struct zoe_frame *frame;

	child_wait_ready(&first);
	pause_ms(50); /* in line, most likely */
	second = child_start(*state, wait_for_turn);
	child_wait_ready(&second);
	pause_ms(50);
	child_kill(&first);
	zoe_producer_close(p);
	frame = take(s);
	assert_int_equal(frame->user[0], (uint64_t)second.pid);
	zoe_frame_release(frame);
	assert_int_equal(child_join(&second), 0);
	zoe_client_destroy(c);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_reliable_drop_refuses_at_once_and_loses_nothing, config),
		BROKER_TEST(test_reliable_memory_ends_at_depth_not_at_the_spares, config),
		BROKER_TEST(test_reliable_block_waits_for_its_timeout, config),
		BROKER_TEST(test_reliable_slow_one_is_demoted_and_told, config),
		BROKER_TEST(test_reliable_slow_one_is_demoted_without_a_broker, config),
		BROKER_TEST(test_reliable_one_that_dies_holds_nobody_up, config),
		BROKER_TEST(test_reliable_follows_moves_without_a_loss, config),
		BROKER_TEST(test_reliable_group_shares_out_across_moves, config),
		BROKER_TEST(test_reliable_group_goes_on_without_a_dead_member, config),
		BROKER_TEST(test_reliable_groups_are_of_one_kind, config),
		BROKER_TEST(test_reliable_needs_its_right, config),
		BROKER_TEST(test_reliable_at_time_finds_the_frame_shown_then, config),
		BROKER_TEST(test_reliable_max_fps_paces_readers_and_producers, config),
		BROKER_TEST(test_reliable_turns_pass_over_the_dead, config),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
