/* SPDX-License-Identifier: MIT */
#include "config/parse.h"

#include "log.h"

static const char good_text[] =
	"version: 1\n"
	"broker: {socket: /run/z/s, socket_mode: \"0660\", memory_limit: 2GiB, log_level: debug,\n"
	"  settle: 250ms, per_user: {memory: 3MiB, consumers: 5}}\n"
	"defaults: &d\n"
	"  slots: 4096\n"
	"  max_bytes: 4KiB\n"
	"  access: {produce: [\"user:root\"], list: [any], admin: [\"group:9\"]}\n"
	"streams:\n"
	"  desk:\n"
	"    description: 'The wall: \"ü\"'\n"
	"    max_frame: 64x32 XR24\n"
	"    slots: 2\n"
	"    producers: 3\n"
	"    open: 8\n"
	"    consumers: 64\n"
	"    hold: 5\n"
	"    metadata: 2KiB\n"
	"    max_fps: 120\n"
	"    when_full: block\n"
	"    patience: 40ms\n"
	"    access: {consume: [group:root, \"user:12345\", owner], reliable: [\"user:7\"]}\n"
	"  \"game/*\":\n"
	"    max_streams: 4\n"
	"    linger: 250ms\n"
	"    access: {admin: [\"user:3\"]}\n"
	"  again: *d\n";

static struct config *parse_good(const char *text) {
	struct config *config = NULL;
	char *printed = NULL;

	int r = parse(&config, text, strlen(text), true, &printed);
	assert_string_equal(printed, "");
	assert_int_equal(r, 0);
	free(printed);
	return config;
}

static void test_config_reads_the_broker(void **state) {
	struct config *config = parse_good(good_text);

	(void)state;
	assert_string_equal(config->broker.socket, "/run/z/s");
	assert_int_equal(config->broker.socket_mode, 0660);
	assert_int_equal(config->broker.memory_limit, UINT64_C(2) << 30);
	assert_int_equal(config->broker.log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(config->broker.settle_ms, 250);
	assert_int_equal(config->broker.per_user.memory_bytes, 3 << 20);
	assert_int_equal(config->broker.per_user.streams, 32);
	assert_int_equal(config->broker.per_user.consumers, 5);
	config_destroy(config);
}

static void test_config_reads_a_stream(void **state) {
	struct config *config = parse_good(good_text);
	const struct stream_config *desk = config_match(config, "desk");

	(void)state;
	assert_int_equal(config->n_streams, 3);
	assert_string_equal(desk->name, "desk");
	assert_false(desk->is_pattern);
	assert_string_equal(desk->description, "The wall: \"ü\"");
	assert_int_equal(desk->max_format.fourcc, ZOE_FORMAT_XR24);
	assert_int_equal(desk->max_bytes, 64 * 32 * 4);
	assert_int_equal(desk->slots, 2);
	assert_int_equal(desk->producers, 3);
	assert_int_equal(desk->open, 8);
	assert_int_equal(desk->consumers, 64);
	assert_int_equal(desk->hold, 5);
	assert_int_equal(desk->metadata_bytes, 2048);
	assert_int_equal(desk->max_fps, 120);
	assert_true(desk->blocks);
	assert_int_equal(desk->patience_ms, 40);
	assert_int_equal(desk->max_streams, 1);
	assert_int_equal(desk->linger_ms, 5000);
	assert_int_equal(desk->line, 9);
	assert_int_equal(desk->col, 3);
	assert_int_equal(stream_config_get_n_slots(desk), 2 + 3 * 8 + 64 * 5);
	assert_int_equal(stream_config_get_bytes(desk), (2 + 8 + 5) * (64 * 32 * 4 + 2048));
	config_destroy(config);
}

static void test_config_replaces_access_right_by_right(void **state) {
	struct config *config = parse_good(good_text);
	const struct stream_config *desk = config_match(config, "desk");

	(void)state;
	assert_int_equal(desk->produce.n_uids, 1);
	assert_int_equal(desk->produce.uids[0], 0);
	assert_false(desk->produce.owner);
	assert_true(desk->consume.owner);
	assert_int_equal(desk->consume.n_uids, 1);
	assert_int_equal(desk->consume.uids[0], 12345);
	assert_int_equal(desk->consume.n_gids, 1);
	assert_int_equal(desk->consume.gids[0], 0);
	assert_int_equal(desk->reliable.n_uids, 1);
	assert_int_equal(desk->reliable.uids[0], 7);
	assert_false(desk->reliable.owner);
	assert_true(desk->list.any);
	assert_false(desk->list.owner);
	assert_int_equal(desk->admin.gids[0], 9);
	assert_int_equal(config_match(config, "game/doom")->admin.uids[0], 3);
	config_destroy(config);
}

static void test_config_takes_the_admin_of_the_broker_from_defaults(void **state) {
	struct config *config = parse_good(good_text);

	(void)state;
	assert_int_equal(config->admin.n_gids, 1);
	assert_int_equal(config->admin.gids[0], 9);
	assert_false(config->admin.owner);
	config_destroy(config);
	config = parse_good(TEXT_DESK "    access: {admin: [any]}\n");
	assert_true(config->admin.owner);
	assert_false(config->admin.any);
	assert_true(config->streams[0].admin.any);
	config_destroy(config);
}

static void test_config_inherits_defaults(void **state) {
	struct config *config = parse_good(good_text);
	const struct stream_config *game = config_match(config, "game/doom");
	const struct stream_config *again = config_match(config, "again");

	(void)state;
	assert_int_equal(game->slots, 4096);
	assert_int_equal(game->max_bytes, 4096);
	assert_int_equal(game->max_format.fourcc, 0);
	assert_int_equal(game->max_streams, 4);
	assert_int_equal(game->linger_ms, 250);
	assert_true(game->consume.owner);
	assert_true(game->reliable.owner);
	assert_int_equal(game->max_fps, 0);
	assert_false(game->blocks);
	assert_int_equal(game->patience_ms, 500);
	assert_int_equal(again->slots, 4096);
	config_destroy(config);
}

static void test_config_matches_the_most_exact_entry(void **state) {
	static const struct {
		const char *name, *entry;
	} cases[] = {
		{"a/b", "a/b"},
		{"a/c", "a/*"},
		{"a/bcd", "a/b*"},
		{"a/b/c", "**"},
		{"a/x-end", "a/x*-end"},
		{"a/x-", "a/*"},
		{"a/x/-end", "**"},
		{"z", "**"},
		{"deep/x/y/z.raw", "deep/**.raw"},
		{"deep/.raw", "deep/**.raw"},
		{"deep/x", "**"},
	};
	struct config *config = parse_good(
		"version: 1\ndefaults: {max_bytes: 1}\nstreams:\n"
		"  \"**\": {}\n  \"a/*\": {}\n  \"a/b*\": {}\n  a/b: {}\n  \"a/x*-end\": {}\n"
		"  \"deep/**.raw\": {}\n");

	(void)state;
	for (size_t i = 0; i < n_elements(cases); i++) {
		const struct stream_config *found = config_match(config, cases[i].name);

		assert_non_null(found);
		assert_string_equal(found->name, cases[i].entry);
	}
	assert_null(config_match(config, "a/"));
	assert_null(config_match(config, ""));
	assert_null(config_match(config, "a/*"));
	config_destroy(config);
}

static void test_config_suggests_near_names(void **state) {
	struct config *config = parse_good("version: 1\ndefaults: {max_bytes: 1}\nstreams: {desk: "
					   "{}, wall: {}, \"wal*\": {}}\n");

	(void)state;
	assert_string_equal(config_suggest(config, "dekt"), "desk");
	assert_string_equal(config_suggest(config, "desk2"), "desk");
	assert_string_equal(config_suggest(config, "wlal"), "wall");
	assert_null(config_suggest(config, "kitchen"));
	config_destroy(config);
}

static void test_config_knows_names(void **state) {
	static const char *const good[] = {"a", "a/b", "A.b_c:d+e@f-9", "...", "a/.b"};
	static const char *const bad[] = {"", "/", "/a", "a/", "a//b", ".", "..", "a/.", "../a",
		"a b", "a*", "\xc3\xbc", "a#1"};
	char name[98];

	(void)state;
	for (size_t i = 0; i < n_elements(good); i++) {
		assert_true(name_is_valid(good[i]));
	}
	for (size_t i = 0; i < n_elements(bad); i++) {
		assert_false(name_is_valid(bad[i]));
	}
	memset(name, 'a', sizeof(name));
	name[97] = '\0';
	assert_false(name_is_valid(name));
	name[96] = '\0';
	assert_true(name_is_valid(name));
}

static void test_config_default_loads(void **state) {
	struct config *config = NULL;

	(void)state;
	assert_int_equal(config_load_default(&config), 0);
	assert_int_equal(config->n_streams, 1);
	assert_string_equal(config_match(config, "any/thing")->name, "**");
	assert_true(config->streams[0].produce.owner);
	assert_false(config->streams[0].produce.any);
	assert_false(config->streams[0].list.any);
	assert_null(config->broker.socket);
	assert_int_equal(config->broker.settle_ms, 1000);
	assert_int_equal(config->broker.per_user.memory_bytes, 512 << 20);
	assert_int_equal(config->broker.per_user.streams, 32);
	assert_int_equal(config->broker.per_user.consumers, 64);
	assert_true(config->admin.owner);
	config_destroy(config);
}

static void test_config_skips_a_byte_order_mark(void **state) {
	(void)state;
	config_destroy(parse_good("\xef\xbb\xbf" TEXT_DESK));
	config_destroy(parse_good("version: 1\r\nstreams:\r\n  a: {max_bytes: 1}\r\n"));
}

static char *print(const struct config *config, const char *label) {
	char *text = NULL;
	size_t n = 0;
	FILE *file = open_memstream(&text, &n);

	config_print(config, file, label);
	fclose(file);
	return text;
}

static void assert_same(const struct config *a, const struct config *b) {
	assert_false(broker_config_get_changes(&a->broker, &b->broker, stderr));
	assert_int_equal(a->admin.n_gids, b->admin.n_gids);
	assert_int_equal(a->admin.owner, b->admin.owner);
	assert_int_equal(a->n_streams, b->n_streams);
	for (size_t i = 0; i < a->n_streams; i++) {
		assert_string_equal(a->streams[i].name, b->streams[i].name);
		assert_int_equal(
			stream_config_get_changes(&a->streams[i], &b->streams[i], stderr), 0);
	}
}

/* What is printed reads as the same config, and prints as the same text. */
static void check_print(const struct config *config) {
	cleanup_free char *remarked = print(config, "a\nb"), *text = print(config, NULL);
	struct config *again = parse_good(remarked);
	cleanup_free char *second = print(again, NULL);

	assert_same(config, again);
	assert_string_equal(text, second);
	config_destroy(again);
}

static void test_config_survives_every_prefix(void **state) {
	(void)state;
	for (size_t len = 0; len < strlen(good_text); len++) {
		cleanup_free char *text =
			malloc(len + 1); // exact, so that sanitizers see overreads
		struct config *config = NULL;
		char *printed = NULL;

		assert_non_null(text);
		memcpy(text, good_text, len);
		int r = parse(&config, text, len, true, &printed);
		assert_true(r == 0 || r == -EINVAL);
		assert_int_equal(r == 0, printed[0] == '\0');
		config_destroy(config);
		free(printed);
	}
}

static void test_config_survives_changed_bytes(void **state) {
	uint64_t random = 0x9e3779b97f4a7c15;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		char text[sizeof(good_text)];
		struct config *config = NULL;
		char *printed = NULL;

		memcpy(text, good_text, sizeof(text));
		for (int n = 0; n <= i % 3; n++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			text[(random >> 8) % (sizeof(text) - 1)] = (char)random;
		}
		int r = parse(&config, text, sizeof(text) - 1, true, &printed);
		if (r == 0) {
			check_print(config);
		}
		assert_true(r == 0 || r == -EINVAL);
		assert_int_equal(r == 0, printed[0] == '\0');
		config_destroy(config);
		free(printed);
	}
}

static void test_config_prints_what_reads_as_the_same(void **state) {
	static const char *const texts[] = {good_text, "version: 1\nstreams: {}\n",
		TEXT_DESK "    description: \"a\\\\b\\\"c\\td\\x1b\\x7f \\N \\L \\P \\ud7ff"
			  "\\U0001F600'#: \"\n",
		TEXT_DESK "    description: \"\\x01\\x9f \\uFEFF\\uFFFE \xf0\x9f\x98\x80\"\n",
		TEXT_HEAD "  \"-\": {max_bytes: 1}\n  \":\": {max_frame: BLOB 4096}\n"
			  "  \"**\": {max_frame: 7x5 NV12, linger: 0, metadata: 64KiB}\n"};

	(void)state;
	for (size_t i = 0; i < n_elements(texts); i++) {
		struct config *config = parse_good(texts[i]);

		check_print(config);
		config_destroy(config);
	}
}

static const char printed_text[] =
	"# \"/etc/z.yaml\" with every default filled in; remarks say whence the values come.\n"
	"version: 1\n"
	"broker:\n"
	"  socket_mode: \"0600\"  # line 2\n"
	"  memory_limit: 1GiB  # built in\n"
	"  per_user:\n"
	"    memory: 512MiB  # built in\n"
	"    streams: 9  # line 2\n"
	"    consumers: 64  # built in\n"
	"  settle: 1s  # built in\n"
	"  log_level: info  # built in\n"
	"defaults:\n"
	"  access:\n"
	"    admin: [user:root]  # defaults, line 3\n"
	"streams:\n"
	"  \"desk\":  # line 5\n"
	"    description: \"\"  # built in\n"
	"    max_bytes: 1MiB  # defaults, line 3\n"
	"    slots: 7  # line 6\n"
	"    producers: 1  # built in\n"
	"    open: 1  # built in\n"
	"    consumers: 16  # built in\n"
	"    hold: 3  # built in\n"
	"    max_fps: 0  # built in\n"
	"    when_full: drop  # built in\n"
	"    patience: 500ms  # built in\n"
	"    metadata: 1KiB  # built in\n"
	"    access:\n"
	"      produce: [any]  # line 7\n"
	"      consume: [owner]  # built in\n"
	"      reliable: [owner]  # built in\n"
	"      list: [owner]  # built in\n"
	"      admin: [user:root]  # defaults, line 3\n"
	"    linger: 5s  # built in\n";

static void test_config_prints_whence_values_come(void **state) {
	struct config *config =
		parse_good("version: 1\n"
			   "broker: {socket_mode: \"0600\", per_user: {streams: 9}}\n"
			   "defaults: {max_bytes: 1024KiB, access: {admin: [\"user:0\"]}}\n"
			   "streams:\n"
			   "  desk:\n"
			   "    slots: 7\n"
			   "    access: {produce: [any]}\n");
	cleanup_free char *text = print(config, "/etc/z.yaml");

	(void)state;
	assert_string_equal(text, printed_text);
	config_destroy(config);
}

static void test_config_example_loads(void **state) {
	const char *path = getenv("ZOETROPE_EXAMPLE_CONFIG");
	struct config_errors errors;
	struct config *config = NULL;

	(void)state;
	if (!path) {
		skip();
	}
	config_errors_init(&errors);
	int r = config_load(&config, path, &errors);
	config_errors_print(&errors, stderr, true);
	assert_int_equal(r, 0);
	assert_int_equal(config->n_streams, 2);
	config_destroy(config);
	config_errors_finish(&errors);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_reads_the_broker),
		cmocka_unit_test(test_config_reads_a_stream),
		cmocka_unit_test(test_config_replaces_access_right_by_right),
		cmocka_unit_test(test_config_takes_the_admin_of_the_broker_from_defaults),
		cmocka_unit_test(test_config_inherits_defaults),
		cmocka_unit_test(test_config_matches_the_most_exact_entry),
		cmocka_unit_test(test_config_suggests_near_names),
		cmocka_unit_test(test_config_knows_names),
		cmocka_unit_test(test_config_default_loads),
		cmocka_unit_test(test_config_skips_a_byte_order_mark),
		cmocka_unit_test(test_config_survives_every_prefix),
		cmocka_unit_test(test_config_survives_changed_bytes),
		cmocka_unit_test(test_config_prints_what_reads_as_the_same),
		cmocka_unit_test(test_config_prints_whence_values_come),
		cmocka_unit_test(test_config_example_loads),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
