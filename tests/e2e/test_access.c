/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
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
		BROKER_TEST(test_access_to_a_pattern_is_of_who_made_the_stream, config),
		BROKER_TEST(test_access_is_the_owners_without_a_word, config),
	};

	return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
