/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char config[] =
	"version: 1\n"
	"defaults: {access: {list: [any]}}\n"
	"streams:\n"
	"  all: {max_frame: 64x64 XR24, access: {produce: [any], consume: [any]}}\n"
	"  own: {max_frame: 64x64 XR24, access: {produce: [owner], consume: [owner]}}\n"
	"  his: {max_frame: 64x64 XR24, access: {produce: [owner], consume: [\"user:daemon\"]}}\n"
	"  secret: {max_frame: 64x64 XR24, access: {produce: [owner], consume: [owner], list: "
	"[owner]}}\n"
	"  team: {max_frame: 64x64 XR24, access: {consume: [\"group:daemon\", \"group:65534\"]}}\n"
	"  \"made/*\": {max_frame: 64x64 XR24, access: {produce: [any], consume: [owner]}}\n";

/* Not nobody: the overflow uid is any unknown user, and matches no right but "any". */
static void become_daemon(void) {
	const struct passwd *user = getpwnam("daemon");

	CHILD_CHECK(user && setgroups(0, NULL) == 0 && setgid(user->pw_gid) == 0 &&
		    setuid(user->pw_uid) == 0);
}

static int try_consume(struct zoe_client *c, const char *stream) {
	struct zoe_consumer_options options = {
		.struct_size = sizeof(options), .timeout_ms = DEADLINE_MS};
	struct zoe_consumer *s = NULL;

	return zoe_consumer_open(c, stream, &options, &s);
}

static int try_produce(struct zoe_client *c, const char *stream) {
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .timeout_ms = DEADLINE_MS};
	struct zoe_producer *p = NULL;

	return zoe_producer_open(c, stream, &options, &p);
}

static int consume_as_daemon(const struct broker *broker, int pipe) {
	struct zoe_client *c;

	(void)pipe;
	become_daemon();
	c = broker_connect(broker);
	CHILD_CHECK(try_consume(c, "all") == 0);
	CHILD_CHECK(try_consume(c, "his") == 0);
	CHILD_CHECK(try_consume(c, "own") == -EACCES);
	CHILD_CHECK(strstr(zoe_client_get_error(c), "'own': uid ") != NULL);
	CHILD_CHECK(strstr(zoe_client_get_error(c), "may not consume, allowed: owner") != NULL);
	CHILD_CHECK(try_consume(c, "secret") == -ENOENT);
	zoe_client_destroy(c);
	return 0;
}

/* Opens 'team' as the user daemon with a primary group and one more. */
static int consume_with_groups(const struct broker *broker, gid_t primary, gid_t other) {
	const struct passwd *user = getpwnam("daemon");
	struct zoe_client *c;
	int r;

	CHILD_CHECK(user && setgroups(1, &other) == 0 && setgid(primary) == 0 &&
		    setuid(user->pw_uid) == 0);
	c = broker_connect(broker);
	r = try_consume(c, "team");
	zoe_client_destroy(c);
	return r;
}

static int consume_by_primary_group(const struct broker *broker, int pipe) {
	(void)pipe;
	return consume_with_groups(broker, getpwnam("daemon")->pw_gid, 70001);
}

static int consume_by_other_group(const struct broker *broker, int pipe) {
	(void)pipe;
	return consume_with_groups(broker, 70001, getpwnam("daemon")->pw_gid);
}

/* 65534 is what the kernel says of groups without a number here: it may be anybody's. */
static int consume_by_no_group(const struct broker *broker, int pipe) {
	(void)pipe;
	CHILD_CHECK(consume_with_groups(broker, 65534, 65534) == -EACCES);
	return 0;
}

static void test_access_by_group_is_primary_or_other_and_never_overflow(void **state) {
	static const child_fn tries[] = {
		consume_by_primary_group, consume_by_other_group, consume_by_no_group};
	struct zoe_client *c;

	if (geteuid() != 0) {
		skip();
	}
	c = broker_connect(*state);
	assert_non_null(produce(c, "team", 1));
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		struct child child = child_start(*state, tries[i]);

		assert_int_equal(child_join(&child), 0);
	}
	zoe_client_destroy(c);
}

static void test_access_to_consume_is_any_owner_or_user(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct child child;

	if (geteuid() != 0) {
		zoe_client_destroy(c);
		skip();
	}
	assert_non_null(produce(c, "all", 1));
	child = child_start(*state, consume_as_daemon);
	assert_int_equal(child_join(&child), 0);
	zoe_client_destroy(c);
}

static int produce_as_daemon(const struct broker *broker, int pipe) {
	struct zoe_client *c;

	(void)pipe;
	become_daemon();
	c = broker_connect(broker);
	CHILD_CHECK(try_produce(c, "all") == 0);
	CHILD_CHECK(try_produce(c, "made/here") == 0);
	CHILD_CHECK(try_consume(c, "made/here") == 0);
	CHILD_CHECK(try_produce(c, "his") == -EACCES);
	CHILD_CHECK(strstr(zoe_client_get_error(c), "may not produce, allowed: owner") != NULL);
	CHILD_CHECK(try_produce(c, "secret") == -ENOENT);
	zoe_client_destroy(c);
	return 0;
}

static void test_access_to_a_pattern_is_of_who_made_the_stream(void **state) {
	struct child child;

	if (geteuid() != 0) {
		skip();
	}
	child = child_start(*state, produce_as_daemon);
	assert_int_equal(child_join(&child), 0);
}

/* Rights to take away: daemon has them all by one line. */
static char revoked[] =
	"version: 1\n"
	"defaults: {access: {produce: [owner, \"user:daemon\"], list: [owner, \"user:daemon\"],\n"
	"  consume: [owner, \"user:daemon\"], reliable: [owner, \"user:daemon\"]}}\n"
	"streams:\n"
	"  cam: {max_frame: 64x64 XR24, slots: 32, producers: 2, consumers: 4}\n";

static void set_defaults(const struct broker *broker, const char *access) {
	FILE *file = fopen(broker->config, "we");

	assert_non_null(file);
	fprintf(file,
		"version: 1\ndefaults: {access: {%s}}\nstreams:\n"
		"  cam: {max_frame: 64x64 XR24, slots: 32, producers: 2, consumers: 4}\n",
		access);
	fclose(file);
}

static int ignore_line(void *user, const struct zoe_reload_line *line) {
	(void)user;
	(void)line;
	return 0;
}

static void reload_file(const struct broker *broker) {
	struct zoe_client *c = broker_connect(broker);

	assert_int_equal(zoe_client_reload(c, 0, ignore_line, NULL, DEADLINE_MS), 0);
	zoe_client_destroy(c);
}

static void reload(const struct broker *broker, const char *access) {
	set_defaults(broker, access);
	reload_file(broker);
}

static void come_as_daemon(const struct broker *broker, struct zoe_client **c) {
	become_daemon();
	*c = broker_connect(broker);
}

static int consume_until_revoked(const struct broker *broker, int pipe) {
	const struct zoe_frame *frame = NULL;
	struct zoe_consumer *s;
	struct zoe_client *c;
	uint64_t last = 0;
	int r;

	come_as_daemon(broker, &c);
	s = consume(c, "cam", ZOE_RELIABLE, 1);
	CHILD_CHECK(s != NULL);
	child_say_ready(pipe);
	while ((r = zoe_consumer_next(s, &frame, DEADLINE_MS)) == 0) {
		last = frame->user[0];
		zoe_frame_release(frame);
	}
	CHILD_CHECK(r == -ECONNABORTED);
	CHILD_CHECK(strstr(zoe_client_get_error(c), "may not consume any more, allowed: owner") !=
		    NULL);
	CHILD_CHECK(last == 10); /* nothing that came later */
	CHILD_CHECK(try_consume(c, "cam") == -EACCES);
	zoe_client_destroy(c);
	return 0;
}

static void test_access_that_is_lost_shows_nothing_later(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_consumer *s = consume(c, "cam", ZOE_RELIABLE, 1);
	const struct zoe_frame *frame;
	struct child child;

	if (geteuid() != 0) {
		zoe_client_destroy(c);
		skip();
	}
	child = child_start(*state, consume_until_revoked);
	child_wait_ready(&child);
	for (uint64_t i = 1; i <= 30; i++) {
		if (i == 11) {
			reload(*state, "consume: [owner], list: [any]");
		}
		int r = publish(p, i);

		assert_true(r == 0 || (r == -ESTALE && publish(p, i) == 0));
		frame = take(s);
		assert_int_equal(frame->user[0], i);
		assert_int_equal(frame->lost, 0);
		zoe_frame_release(frame);
	}
	assert_int_equal(child_join(&child), 0);
	zoe_client_destroy(c);
}

static int produce_until_revoked(const struct broker *broker, int pipe) {
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct zoe_producer *p;
	struct zoe_client *c;
	int r;

	come_as_daemon(broker, &c);
	p = produce(c, "cam", 1);
	CHILD_CHECK(p != NULL && publish(p, 1) == 0);
	child_say_ready(pipe);
	do {
		CHILD_CHECK(now_ms() < deadline);
		r = publish(p, 2);
	} while (r == 0 || r == -ESTALE || r == -EAGAIN);
	CHILD_CHECK(r == -ECONNABORTED);
	CHILD_CHECK(strstr(zoe_client_get_error(c), "may not produce any more") != NULL);
	zoe_client_destroy(c);
	return 0;
}

static void test_access_to_produce_ends_with_the_right(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct child child;
	int r;

	if (geteuid() != 0) {
		zoe_client_destroy(c);
		skip();
	}
	child = child_start(*state, produce_until_revoked);
	child_wait_ready(&child);
	reload(*state, "produce: [owner]");
	assert_int_equal(child_join(&child), 0);
	r = publish(p, 3);
	assert_true(r == 0 || (r == -ESTALE && publish(p, 3) == 0));
	zoe_client_destroy(c);
}

static int be_demoted(const struct broker *broker, int pipe) {
	uint64_t deadline = now_ms() + DEADLINE_MS;
	const struct zoe_frame *frame;
	struct zoe_consumer *s;
	struct zoe_client *c;
	uint32_t events = 0;

	come_as_daemon(broker, &c);
	s = consume(c, "cam", ZOE_RELIABLE, 1);
	CHILD_CHECK(s != NULL);
	child_say_ready(pipe);
	while (!(events & ZOE_EV_DEMOTED)) {
		CHILD_CHECK(now_ms() < deadline);
		(void)zoe_consumer_next(s, &frame, 10);
		events |= zoe_consumer_take_events(s);
	}
	CHILD_CHECK(zoe_consumer_next(s, &frame, 0) == -EAGAIN);
	zoe_client_destroy(c);
	return 0;
}

static void test_access_to_reliable_delivery_is_lost_alone(void **state) {
	struct child child;

	if (geteuid() != 0) {
		skip();
	}
	child = child_start(*state, be_demoted);
	child_wait_ready(&child);
	reload(*state, "consume: [any], reliable: [owner]");
	assert_int_equal(child_join(&child), 0);
}

struct sight {
	unsigned n_added, n_removed;
};

static int note_sight(void *user, enum zoe_change change, const struct zoe_stream_info *info) {
	struct sight *sight = user;

	if (change == ZOE_ADDED) {
		sight->n_added++;
	} else if (change == ZOE_REMOVED) {
		sight->n_removed++;
		CHILD_CHECK(strcmp(info->name, "cam") == 0 && info->max_frame_bytes == 0);
	}
	return 0;
}

static int watch_as_daemon(const struct broker *broker, int pipe) {
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct sight sight = {0};
	struct zoe_client *c;
	bool is_ready = false;

	come_as_daemon(broker, &c);
	CHILD_CHECK(zoe_client_watch(c, note_sight, &sight) == 0);
	while (sight.n_removed == 0 || sight.n_added == 1) {
		CHILD_CHECK(now_ms() < deadline);
		CHILD_CHECK(zoe_client_dispatch(c) == 0);
		if (sight.n_added == 1 && !is_ready) {
			is_ready = true;
			child_say_ready(pipe);
		}
		if (sight.n_removed == 1 && is_ready) {
			is_ready = false;
			child_say_ready(pipe);
		}
		usleep(1000);
	}
	CHILD_CHECK(sight.n_added == 2 && sight.n_removed == 1);
	zoe_client_destroy(c);
	return 0;
}

static void test_access_to_the_list_is_lost_and_found_by_watchers(void **state) {
	struct child child;

	if (geteuid() != 0) {
		skip();
	}
	child = child_start(*state, watch_as_daemon);
	child_wait_ready(&child);
	reload(*state, "list: [owner]");
	child_wait_ready(&child);
	reload(*state, "list: [\"user:daemon\"]");
	assert_int_equal(child_join(&child), 0);
}

/* Whom "owner" means: who produces what a pattern made, the broker's user for a name of its own. */
static char patterned[] = "version: 1\nstreams:\n"
			  "  \"made/*\": {max_frame: 64x64 XR24, consumers: 4, access: {produce: "
			  "[any], consume: [owner]}}\n";

static int lose_ownership(const struct broker *broker, int pipe) {
	const struct zoe_frame *frame;
	struct zoe_producer *p;
	struct zoe_consumer *s;
	struct zoe_client *c;
	uint64_t deadline = now_ms() + DEADLINE_MS;

	come_as_daemon(broker, &c);
	p = produce(c, "made/here", 1);
	s = consume(c, "made/here", ZOE_EVERY, 1);
	CHILD_CHECK(p != NULL && s != NULL);
	child_say_ready(pipe);
	CHILD_CHECK(zoe_consumer_next(s, &frame, DEADLINE_MS) == -ECONNABORTED);
	CHILD_CHECK(try_consume(c, "made/here") == -EACCES);
	child_say_ready(pipe);
	while (try_consume(c, "made/here") != 0) {
		CHILD_CHECK(now_ms() < deadline);
		usleep(1000);
	}
	CHILD_CHECK(zoe_producer_is_wanted(p) == 1); /* it has not noticed */
	zoe_client_destroy(c);
	return 0;
}

static void test_access_of_the_owner_follows_the_entry_that_rules(void **state) {
	const struct broker *broker = *state;
	struct child child;
	FILE *file;

	if (geteuid() != 0) {
		skip();
	}
	child = child_start(broker, lose_ownership);
	child_wait_ready(&child);
	file = fopen(broker->config, "ae");
	assert_non_null(file);
	fprintf(file, "  made/here: {max_frame: 64x64 XR24, consumers: 4, access: {produce: [any], "
		      "consume: [owner]}}\n");
	fclose(file);
	reload_file(broker);
	child_wait_ready(&child);
	file = fopen(broker->config, "we");
	assert_non_null(file);
	fputs(patterned, file);
	fclose(file);
	reload_file(broker);
	assert_int_equal(child_join(&child), 0);
}

static int administer_as_daemon(const struct broker *broker, int pipe) {
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct zoe_client *c;
	int r;

	(void)pipe;
	come_as_daemon(broker, &c);
	CHILD_CHECK(zoe_client_reload(c, 1, ignore_line, NULL, DEADLINE_MS) == -EACCES);
	CHILD_CHECK(strstr(zoe_client_get_error(c), "may not reload the config, allowed") != NULL);
	CHILD_CHECK(zoe_client_kick(c, "all", "test", NULL, DEADLINE_MS) == -EACCES);
	CHILD_CHECK(
		strstr(zoe_client_get_error(c), "may not kick, allowed (admin): owner") != NULL);
	CHILD_CHECK(zoe_client_kick(c, "secret", "test", NULL, DEADLINE_MS) == -ENOENT);
	CHILD_CHECK(strstr(zoe_client_get_error(c), "no stream 'secret'") != NULL);
	/* Its own: who makes a stream of a pattern is its owner. */
	CHILD_CHECK(try_produce(c, "made/here") == 0);
	CHILD_CHECK(zoe_client_kick(c, "made/here", "test", NULL, DEADLINE_MS) == 0);
	/* But not as often as it likes: each time the stream has to move. */
	do {
		struct zoe_producer_options options = {
			.struct_size = sizeof(options), .timeout_ms = DEADLINE_MS};
		struct zoe_producer *p = NULL;

		CHILD_CHECK(now_ms() < deadline);
		r = zoe_producer_open(c, "made/here", &options, &p);
		if (r == 0) {
			r = zoe_client_kick(c, "made/here", "test", NULL, DEADLINE_MS);
		}
		zoe_producer_close(p);
	} while (r == 0);
	CHILD_CHECK(r == -EAGAIN);
	CHILD_CHECK(strstr(zoe_client_get_error(c), "cannot kick now: it moves too often") != NULL);
	zoe_client_destroy(c);
	return 0;
}

static void test_access_to_administer_is_a_right_of_its_own(void **state) {
	struct child child;

	if (geteuid() != 0) {
		skip();
	}
	child = child_start(*state, administer_as_daemon);
	assert_int_equal(child_join(&child), 0);
}

static void test_access_is_the_owners_without_a_word(void **state) {
	struct zoe_client *c = broker_connect(*state);

	assert_int_equal(try_produce(c, "own"), 0);
	assert_int_equal(try_consume(c, "own"), 0);
	assert_int_equal(try_consume(c, "secret"), 0);
	zoe_client_destroy(c);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_access_to_consume_is_any_owner_or_user, config),
		BROKER_TEST(test_access_by_group_is_primary_or_other_and_never_overflow, config),
		BROKER_TEST(test_access_to_a_pattern_is_of_who_made_the_stream, config),
		BROKER_TEST(test_access_is_the_owners_without_a_word, config),
		BROKER_TEST(test_access_to_administer_is_a_right_of_its_own, config),
		BROKER_TEST(test_access_of_the_owner_follows_the_entry_that_rules, patterned),
		BROKER_TEST(test_access_that_is_lost_shows_nothing_later, revoked),
		BROKER_TEST(test_access_to_produce_ends_with_the_right, revoked),
		BROKER_TEST(test_access_to_reliable_delivery_is_lost_alone, revoked),
		BROKER_TEST(test_access_to_the_list_is_lost_and_found_by_watchers, revoked),
	};

	return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
