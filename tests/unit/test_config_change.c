/* SPDX-License-Identifier: MIT */
#include "config/parse.h"

#include "schema.h"

static struct config *parse_good(const char *text) {
	struct config *config = NULL;
	char *printed = NULL;

	int r = parse(&config, text, strlen(text), true, &printed);
	assert_string_equal(printed, "");
	assert_int_equal(r, 0);
	free(printed);
	return config;
}

/* The stream "desk" with some lines, beside itself without. */
static struct config *parse_desk(const char *lines) {
	char text[1024];

	snprintf(text, sizeof(text), TEXT_HEAD "  desk:\n    max_frame: 64x32 XR24\n%s", lines);
	return parse_good(text);
}

struct change_case {
	const char *before, *after; // lines of the stream
	uint32_t bits;
	const char *printed;
};

static const struct change_case change_cases[] = {
	{"", "", 0, ""},
	{"", "    slots: 6\n    linger: 5s\n    access: {list: [owner]}\n", 0, ""},
	{"    access: {list: [\"user:9\", any, \"user:0\"]}\n",
		"\n\n    access: {list: [any, user:root, \"user:9\", any, user:root]}\n", 0, ""},
	{"", "    description: 'a \"b\"'\n", STREAM_CHANGE_LIMITS,
		"description \"\" -> \"a \\\"b\\\"\""},
	{"", "    linger: 2500ms\n", STREAM_CHANGE_LIMITS, "linger 5s -> 2500ms"},
	{"", "    slots: 8\n", STREAM_CHANGE_GEOMETRY, "slots 6 -> 8"},
	{"", "    producers: 2\n", STREAM_CHANGE_GEOMETRY, "producers 1 -> 2"},
	{"", "    open: 2\n", STREAM_CHANGE_GEOMETRY, "open 1 -> 2"},
	{"", "    consumers: 17\n", STREAM_CHANGE_GEOMETRY, "consumers 16 -> 17"},
	{"", "    hold: 1\n", STREAM_CHANGE_GEOMETRY, "hold 3 -> 1"},
	{"", "    metadata: 0\n", STREAM_CHANGE_GEOMETRY, "metadata 1KiB -> 0"},
	{"", "    max_fps: 60\n", STREAM_CHANGE_TERMS, "max_fps 0 -> 60"},
	{"", "    when_full: block\n", STREAM_CHANGE_TERMS, "when_full drop -> block"},
	{"", "    patience: 2s\n", STREAM_CHANGE_TERMS, "patience 500ms -> 2s"},
	{"", "    access: {produce: [any]}\n", STREAM_CHANGE_ACCESS,
		"access.produce [owner] -> [any]"},
	{"", "    access: {consume: []}\n", STREAM_CHANGE_ACCESS, "access.consume [owner] -> []"},
	{"", "    access: {reliable: [owner, \"group:root\", \"user:0\"]}\n", STREAM_CHANGE_ACCESS,
		"access.reliable [owner] -> [owner, user:root, group:root]"},
	{"    access: {list: [\"user:4294967294\"]}\n", "    access: {list: [\"user:42949\"]}\n",
		STREAM_CHANGE_ACCESS, "access.list [user:4294967294] -> [user:42949]"},
	{"", "    access: {admin: []}\n", STREAM_CHANGE_ACCESS, "access.admin [owner] -> []"},
	{"", "    hold: 1\n    max_fps: 60\n    access: {list: [any]}\n",
		STREAM_CHANGE_GEOMETRY | STREAM_CHANGE_TERMS | STREAM_CHANGE_ACCESS,
		"hold 3 -> 1, max_fps 0 -> 60, access.list [owner] -> [any]"},
};

static void check_change(const struct change_case *c) {
	struct config *before = parse_desk(c->before), *after = parse_desk(c->after);
	const struct stream_config *a = before->streams, *b = after->streams;
	char *printed = NULL;
	size_t n = 0;
	FILE *file = open_memstream(&printed, &n);

	assert_int_equal(stream_config_get_changes(a, b, file), c->bits);
	fclose(file);
	assert_string_equal(printed, c->printed);
	assert_int_equal(stream_config_get_changes(a, b, NULL), c->bits);
	assert_int_equal(stream_config_get_changes(b, a, NULL), c->bits);
	free(printed);
	config_destroy(before);
	config_destroy(after);
}

static void test_config_change_says_what_differs(void **state) {
	(void)state;
	for (size_t i = 0; i < n_elements(change_cases); i++) {
		check_change(&change_cases[i]);
	}
}

static void test_config_change_tells_sizes_apart(void **state) {
	struct config *config = parse_good(
		"version: 1\nstreams:\n"
		"  a: {max_frame: 64x32 XR24}\n  b: {max_frame: 32x64 XR24}\n"
		"  c: {max_bytes: 8KiB}\n  d: {max_bytes: 8192}\n  e: {max_frame: BLOB 9}\n"
		"  \"p/*\": {max_bytes: 8KiB}\n  \"q/*\": {max_bytes: 8KiB, max_streams: 9}\n");
	const struct stream_config *s = config->streams;
	char *printed = NULL;
	size_t n = 0;
	FILE *file = open_memstream(&printed, &n);

	(void)state;
	assert_int_equal(stream_config_get_changes(&s[0], &s[1], file), STREAM_CHANGE_SIZE);
	fputc('\n', file);
	assert_int_equal(stream_config_get_changes(&s[0], &s[2], file), STREAM_CHANGE_SIZE);
	fputc('\n', file);
	assert_int_equal(stream_config_get_changes(&s[2], &s[3], file), 0);
	assert_int_equal(stream_config_get_changes(&s[0], &s[4], file), STREAM_CHANGE_SIZE);
	fputc('\n', file);
	assert_int_equal(stream_config_get_changes(&s[5], &s[6], file), STREAM_CHANGE_LIMITS);
	fclose(file);
	assert_string_equal(printed, "max_frame 64x32 XR24 -> 32x64 XR24\n"
				     "max_frame 64x32 XR24 -> none, max_bytes none -> 8KiB\n"
				     "max_frame 64x32 XR24 -> BLOB 9\n"
				     "max_streams 8 -> 9");
	free(printed);
	config_destroy(config);
}

static void test_config_change_compares_brokers(void **state) {
	struct config *before = parse_good("version: 1\nstreams: {}\n");
	struct config *after = parse_good(
		"version: 1\nbroker: {socket: /run/z, socket_mode: \"0660\", memory_limit: "
		"1000MiB,\n"
		"  per_user: {streams: 3}, settle: 0s, log_level: debug}\nstreams: {}\n");
	char *printed = NULL;
	size_t n = 0;
	FILE *file = open_memstream(&printed, &n);

	(void)state;
	assert_false(broker_config_get_changes(&before->broker, &before->broker, file));
	assert_true(broker_config_get_changes(&before->broker, &after->broker, file));
	fclose(file);
	assert_string_equal(printed,
		"socket none -> \"/run/z\", socket_mode \"0666\" -> \"0660\", "
		"memory_limit 1GiB -> 1000MiB, per_user.streams 32 -> 3, settle 1s -> 0s, "
		"log_level info -> debug");
	free(printed);
	config_destroy(before);
	config_destroy(after);
}

/* A key without a class would change and nobody would hear of it. */
static void test_config_change_knows_every_key(void **state) {
	const struct schema *tables[] = {&schema_stream, &schema_access};

	(void)state;
	for (size_t i = 0; i < n_elements(tables); i++) {
		for (size_t j = 0; j < tables[i]->n_keys; j++) {
			const struct schema_key *key = &tables[i]->keys[j];

			assert_true(key->type == SCHEMA_TABLE || key->change != 0);
		}
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_change_says_what_differs),
		cmocka_unit_test(test_config_change_tells_sizes_apart),
		cmocka_unit_test(test_config_change_compares_brokers),
		cmocka_unit_test(test_config_change_knows_every_key),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
