/* SPDX-License-Identifier: MIT */
/* What the broker lends in all, to one user, and of one pattern. Frames are of 1 MiB. */
#include "broker.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SIDE 512 /* of a picture of 1 MiB */

#define DEFAULTS                                                                                   \
	"defaults: {slots: 2, consumers: 8, hold: 2,\n"                                            \
	"  access: {produce: [any], consume: [any], list: [any]}}\n"                               \
	"streams:\n"
#define NAMED "  a: {max_frame: 512x512 XR24}\n  b: {max_frame: 512x512 XR24}\n"
#define MADE "  \"made/*\": {max_frame: 512x512 XR24, max_streams: 3, linger: 500ms}\n"

static char small[] = "version: 1\nbroker: {memory_limit: 5632KiB}\n" DEFAULTS MADE;
static char shared[] =
	"version: 1\n"
	"broker: {per_user: {memory: 5MiB, streams: 2, consumers: 3}}\n" DEFAULTS NAMED MADE;

static int open_producer(
	struct zoe_client *c, const char *stream, uint32_t side, struct zoe_producer **out) {
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .timeout_ms = DEADLINE_MS};
	int r = zoe_format_init(&options.format, ZOE_FORMAT_XR24, side, side);

	return r < 0 ? r : zoe_producer_open(c, stream, &options, out);
}

static int open_consumer(
	struct zoe_client *c, const char *stream, uint32_t hold, struct zoe_consumer **out) {
	struct zoe_consumer_options options = {
		.struct_size = sizeof(options), .hold = hold, .timeout_ms = DEADLINE_MS};

	return zoe_consumer_open(c, stream, &options, out);
}

static bool says(struct zoe_client *c, const char *text) {
	if (!strstr(zoe_client_get_error(c), text)) {
		fprintf(stderr, "no '%s' in: %s\n", text, zoe_client_get_error(c));
		return false;
	}
	return true;
}

static void test_quota_of_all_says_who_has_how_much(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = NULL, *refused = NULL;
	struct zoe_consumer *s = NULL, *none = NULL;

	assert_int_equal(open_producer(c, "made/a", SIDE, &p), 0);
	assert_int_equal(open_producer(c, "made/b", SIDE, &refused), -ENOMEM);
	assert_true(says(c, "stream 'made/b': no memory for its frames: 3.0 MiB more wanted, "
			    "memory_limit is 5.5 MiB, lent are 3.0 MiB: 'made/a' 3.0 MiB"));
	assert_int_equal(open_consumer(c, "made/a", 2, &s), 0);
	assert_int_equal(open_consumer(c, "made/a", 1, &none), -ENOMEM);
	assert_true(
		says(c, "stream 'made/a': no seat: 1.0 MiB more wanted, memory_limit is 5.5 MiB"));
	/* What nobody uses makes room. */
	zoe_consumer_close(s);
	zoe_producer_close(p);
	assert_int_equal(open_producer(c, "made/b", SIDE, &p), 0);
	zoe_client_destroy(c);
}

static void test_quota_of_a_pattern_is_free_again_after_linger(void **state) {
	struct zoe_client *c = broker_connect(*state);
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct zoe_producer *p[4] = {NULL};
	char name[16];
	int r;

	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "made/%d", i);
		assert_int_equal(open_producer(c, name, 16, &p[i]), 0);
	}
	assert_int_equal(open_producer(c, "made/3", 16, &p[3]), -EBUSY);
	assert_true(says(c, "'made/*' has all its 3 streams; raise max_streams:"));
	zoe_producer_close(p[0]);
	assert_int_equal(stream_get_state(*state, "made/0", &(struct stream_state){0}), 0);
	do {
		assert_true(now_ms() < deadline);
		r = open_producer(c, "made/3", 16, &p[3]);
		assert_true(r == 0 || r == -EBUSY);
	} while (r != 0);
	assert_int_equal(stream_get_state(*state, "made/0", &(struct stream_state){0}), -ENOENT);
	zoe_client_destroy(c);
}

static struct zoe_client *come_as_daemon(const struct broker *broker) {
	const struct passwd *user = getpwnam("daemon");

	CHILD_CHECK(user && setgroups(0, NULL) == 0 && setgid(user->pw_gid) == 0 &&
		    setuid(user->pw_uid) == 0);
	return broker_connect(broker);
}

static int take_streams(const struct broker *broker, int pipe) {
	struct zoe_client *c = come_as_daemon(broker);
	struct zoe_producer *p[3] = {NULL};

	(void)pipe;
	CHILD_CHECK(open_producer(c, "made/0", 16, &p[0]) == 0);
	CHILD_CHECK(open_producer(c, "made/1", 16, &p[1]) == 0);
	CHILD_CHECK(open_producer(c, "made/2", 16, &p[2]) == -EDQUOT);
	CHILD_CHECK(says(c, "stream 'made/2': uid 1 has 2 streams, per_user.streams allows it 2"));
	CHILD_CHECK(open_producer(c, "a", 16, &p[2]) == 0); /* no doing of its own */
	zoe_client_destroy(c);
	return 0;
}

static int take_streams_until_more(const struct broker *broker, int pipe) {
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct zoe_client *c = come_as_daemon(broker);
	struct zoe_producer *p[3] = {NULL};

	CHILD_CHECK(open_producer(c, "made/0", 16, &p[0]) == 0);
	CHILD_CHECK(open_producer(c, "made/1", 16, &p[1]) == 0);
	CHILD_CHECK(open_producer(c, "made/2", 16, &p[2]) == -EDQUOT);
	child_say_ready(pipe);
	while (open_producer(c, "made/2", 16, &p[2]) == -EDQUOT) {
		CHILD_CHECK(now_ms() < deadline);
		usleep(1000);
	}
	CHILD_CHECK(p[2] != NULL);
	zoe_client_destroy(c);
	return 0;
}

static int take_seats(const struct broker *broker, int pipe) {
	struct zoe_client *c = come_as_daemon(broker);
	struct zoe_consumer *s[4] = {NULL};

	(void)pipe;
	CHILD_CHECK(open_consumer(c, "a", 1, &s[0]) == 0);
	CHILD_CHECK(open_consumer(c, "b", 1, &s[1]) == 0);
	CHILD_CHECK(open_consumer(c, "made/none", 1, &s[2]) == 0); /* it only waits */
	CHILD_CHECK(open_consumer(c, "a", 1, &s[3]) == -EDQUOT);
	CHILD_CHECK(says(c, "uid 1 has 3 consumers, per_user.consumers allows it 3"));
	CHILD_CHECK(open_consumer(c, "made/other", 1, &s[3]) == -EDQUOT);
	zoe_consumer_close(s[0]);
	zoe_client_destroy(c);
	return 0;
}

static int take_memory(const struct broker *broker, int pipe) {
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct zoe_client *c = come_as_daemon(broker);
	struct zoe_producer *p[2] = {NULL};
	struct zoe_consumer *s = NULL;
	int r;

	(void)pipe;
	CHILD_CHECK(open_producer(c, "a", SIDE, &p[0]) == 0);
	CHILD_CHECK(open_producer(c, "b", SIDE, &p[1]) == -EDQUOT);
	CHILD_CHECK(says(c, "stream 'b': 3.0 MiB more wanted, uid 1 has 3.0 MiB, per_user.memory "
			    "allows it 5.0 MiB"));
	/* A small one fits, but must not grow. */
	CHILD_CHECK(open_producer(c, "b", 16, &p[1]) == 0);
	CHILD_CHECK(publish_sized(p[1], 1, SIDE) == -EDQUOT);
	CHILD_CHECK(open_consumer(c, "a", 2, &s) == -EDQUOT);
	CHILD_CHECK(open_consumer(c, "a", 1, &s) == 0);
	zoe_consumer_close(s);
	zoe_producer_close(p[0]);
	zoe_producer_close(p[1]);
	/* The region of 'a' stays, without clients, until somebody else needs the memory, and is
	 * still ours; but it is not in our way. */
	do {
		CHILD_CHECK(now_ms() < deadline);
		r = open_consumer(c, "a", 2, &s);
	} while (r == -EDQUOT);
	CHILD_CHECK(r == 0);
	zoe_client_destroy(c);
	return 0;
}

static void run_as_daemon(const struct broker *broker, child_fn function) {
	struct child child;

	if (geteuid() != 0) {
		skip();
	}
	child = child_start(broker, function);
	assert_int_equal(child_join(&child), 0);
}

static void test_quota_of_streams_is_of_a_user(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = NULL;
	char name[16];

	/* Whoever runs the broker is exempt. */
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "made/%d", i);
		assert_int_equal(open_producer(c, name, 16, &p), 0);
	}
	zoe_client_destroy(c);
	for (int i = 0; i < 3; i++) {
		uint64_t deadline = now_ms() + DEADLINE_MS;

		snprintf(name, sizeof(name), "made/%d", i);
		while (stream_get_state(*state, name, &(struct stream_state){0}) == 0) {
			assert_true(now_ms() < deadline);
		}
	}
	run_as_daemon(*state, take_streams);
}

static int ignore_line(void *user, const struct zoe_reload_line *line) {
	(void)user;
	(void)line;
	return 0;
}

static void test_quota_is_raised_by_a_reload(void **state) {
	const struct broker *broker = *state;
	struct zoe_client *c = broker_connect(broker);
	struct child child;
	FILE *file;

	if (geteuid() != 0) {
		zoe_client_destroy(c);
		skip();
	}
	child = child_start(broker, take_streams_until_more);
	child_wait_ready(&child);
	file = fopen(broker->config, "we");
	assert_non_null(file);
	fputs("version: 1\nbroker: {per_user: {memory: 5MiB, streams: 3, consumers: 3}}\n" DEFAULTS
			NAMED MADE,
		file);
	fclose(file);
	assert_int_equal(zoe_client_reload(c, 0, ignore_line, NULL, DEADLINE_MS), 0);
	assert_int_equal(child_join(&child), 0);
	zoe_client_destroy(c);
}

static void test_quota_of_consumers_is_of_a_user(void **state) {
	run_as_daemon(*state, take_seats);
}

static void test_quota_of_memory_is_of_a_user(void **state) {
	run_as_daemon(*state, take_memory);
}

/* It sits in the old generation, and has to bear it until it lets go of its frame. */
static int hold_old_frame(const struct broker *broker, int pipe) {
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct zoe_client *c = come_as_daemon(broker);
	struct zoe_consumer *s = NULL, *other = NULL;
	const struct zoe_frame *frame, *next;
	int r;

	CHILD_CHECK(open_consumer(c, "a", 2, &s) == 0);
	child_say_ready(pipe);
	CHILD_CHECK(zoe_consumer_next(s, &frame, DEADLINE_MS) == 0);
	CHILD_CHECK(frame->format.width == 300);
	CHILD_CHECK(zoe_consumer_next(s, &next, DEADLINE_MS) == 0);
	CHILD_CHECK(next->format.width == SIDE);
	/* Two of 1 MiB here; two of 0.35 MiB and the ring of two there. */
	CHILD_CHECK(open_consumer(c, "a", 2, &other) == -EDQUOT);
	zoe_frame_release(frame);
	do {
		CHILD_CHECK(now_ms() < deadline);
		(void)zoe_consumer_take_events(s); /* leaves the old one */
		r = open_consumer(c, "a", 2, &other);
	} while (r == -EDQUOT);
	CHILD_CHECK(r == 0);
	zoe_frame_release(next);
	zoe_client_destroy(c);
	return 0;
}

static void test_quota_counts_what_is_held_of_old_generations(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = NULL;
	struct child child;

	if (geteuid() != 0) {
		zoe_client_destroy(c);
		skip();
	}
	assert_int_equal(open_producer(c, "a", 300, &p), 0);
	child = child_start(*state, hold_old_frame);
	child_wait_ready(&child);
	assert_int_equal(publish_sized(p, 1, 300), 0);
	assert_int_equal(publish_sized(p, 2, SIDE), 0);
	assert_int_equal(child_join(&child), 0);
	zoe_client_destroy(c);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_quota_of_all_says_who_has_how_much, small),
		BROKER_TEST(test_quota_of_a_pattern_is_free_again_after_linger, small),
		BROKER_TEST(test_quota_of_streams_is_of_a_user, shared),
		BROKER_TEST(test_quota_is_raised_by_a_reload, shared),
		BROKER_TEST(test_quota_of_consumers_is_of_a_user, shared),
		BROKER_TEST(test_quota_of_memory_is_of_a_user, shared),
		BROKER_TEST(test_quota_counts_what_is_held_of_old_generations, shared),
	};

	return cmocka_run_group_tests_name("quota", tests, NULL, NULL);
}
