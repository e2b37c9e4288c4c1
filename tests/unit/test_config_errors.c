/* SPDX-License-Identifier: MIT */
#include "config/parse.h"

#include <sys/stat.h>
#include <unistd.h>

struct bad_text {
	const char *text;
	const char *message; // all that is printed, without carets
};

static const struct bad_text bad_texts[] = {
	/* the shape of the file */
	{"", "t:1:1: error: the file is empty; it needs 'version: 1' and streams\n"},
	{"# only a remark\n",
		"t:1:1: error: the file is empty; it needs 'version: 1' and streams\n"},
	{"hello\n", "t:1:1: error: the file is a map of 'key: value' lines, not text\n"},
	{"- a\n", "t:1:1: error: the file is a map of 'key: value' lines, not a list\n"},
	{"streams: {}\n", "t:1:1: error: version is missing; write 'version: 1'\n"},
	{"version: 1\n", "t:1:1: error: streams is missing; nothing could be made or seen\n"},
	{"version: 2\nstreams: {}\n", "t:1:10: error: version: 2 is too large, at most 1\n"},
	{"version: 1\nstreams: []\n",
		"t:2:10: error: streams is a map of names to what holds for them, not a list\n"},
	{"version: 1\nstream: {}\nstreams: {}\n",
		"t:2:1: error: the file has no key 'stream'; did you mean 'streams'?\n"},
	{TEXT_DESK "---\nversion: 1\n",
		"t:5:1: error: a second document begins here; a config is one document\n"},
	{"version: 1\nstreams:\n",
		"t:2:9: error: streams is a map of names to what holds for them, not nothing; "
		"write 'streams: {}' for none\n"},
	{"version: one\nstreams: {}\n", "t:1:10: error: version: 'one' is not a whole number\n"},
	{"version:\nstreams: {}\n", "t:1:9: error: version: one value is expected, not nothing\n"},
	{"Version: 1\nstreams: {}\n",
		"t:1:1: error: the file has no key 'Version'; did you mean 'version'?\n"
		"t:1:1: error: version is missing; write 'version: 1'\n"},
	/* keys */
	{TEXT_HEAD "  desk:\n    max_bytes:1\n",
		"t:4:5: error: a stream is a map of 'key: value' lines, not text; a blank is "
		"missing after the ':'\n"},
	{TEXT_HEAD "  desk:\n    max_bytes = 1\n",
		"t:4:5: error: a stream is a map of 'key: value' lines, not text\n"},
	{TEXT_HEAD "  a: &a {max_bytes: 1}\n  b:\n    <<: *a\n    max_bytes: 2\n",
		"t:5:5: error: '<<' merges nothing here; what streams share stands under "
		"'defaults'\n"},
	{TEXT_DESK "    slot: 4\n",
		"t:5:5: error: a stream has no key 'slot'; did you mean 'slots'?\n"},
	{TEXT_DESK "    pateince: 4s\n",
		"t:5:5: error: a stream has no key 'pateince'; did you mean 'patience'?\n"},
	{TEXT_DESK "    when_full: wait\n",
		"t:5:16: error: when_full: 'wait' is not a way to go on; write drop or block\n"},
	{TEXT_DESK "    patience: 0s\n",
		"t:5:15: error: patience: 0s is too small, need at least 1ms\n"},
	{TEXT_DESK "    patience: 3601s\n",
		"t:5:15: error: patience: 3601s is too large, at most 3600s\n"},
	{TEXT_DESK "    max_fps: 59.94\n",
		"t:5:14: error: max_fps: '59.94' is not a whole number\n"},
	{TEXT_DESK "    max_fps: 100001\n",
		"t:5:14: error: max_fps: 100001 is too large, at most 100000\n"},
	{TEXT_DESK "    slots: 4\n    slots: 5\n",
		"t:6:5: error: 'slots' stands here twice, first in line 5\n"},
	{TEXT_DESK "  desk: {max_bytes: 1}\n",
		"t:5:3: error: 'desk' stands here twice, first in line 3\n"},
	{"version: 1\nbroker: {memory: 1GiB}\nstreams: {}\n",
		"t:2:10: error: broker has no key 'memory'\n"},
	{"version: 1\nbroker: {log_levle: info}\nstreams: {}\n",
		"t:2:10: error: broker has no key 'log_levle'; did you mean 'log_level'?\n"},
	{"version: 1\ndefaults: {description: x}\nstreams: {}\n",
		"t:2:12: error: description belongs to one stream, not to all\n"},
	{TEXT_DESK "    [a]: 4\n", "t:5:5: error: a key must be plain text, not a list or map\n"},
	/* numbers and units */
	{TEXT_DESK "    slots: 1\n", "t:5:12: error: slots: 1 is too small, need at least 2\n"},
	{TEXT_DESK "    slots: 4097\n", "t:5:12: error: slots: 4097 is too large, at most 4096\n"},
	{TEXT_DESK "    slots: six\n", "t:5:12: error: slots: 'six' is not a whole number\n"},
	{TEXT_DESK "    slots: -2\n", "t:5:12: error: slots: '-2' is not a whole number\n"},
	{TEXT_DESK "    slots: 99999999999999999999999\n",
		"t:5:12: error: slots: 99999999999999999999999 is too large, at most 4096\n"},
	{TEXT_DESK "    slots:\n", "t:5:11: error: slots: one value is expected, not nothing\n"},
	{TEXT_DESK "    slots: [2]\n", "t:5:12: error: slots: one value is expected, not a list\n"},
	{TEXT_DESK "    open: 9\n", "t:5:11: error: open: 9 is too large, at most 8\n"},
	{TEXT_DESK "    hold: 0\n", "t:5:11: error: hold: 0 is too small, need at least 1\n"},
	{TEXT_DESK "    consumers: 65\n",
		"t:5:16: error: consumers: 65 is too large, at most 64\n"},
	{TEXT_DESK "    producers: 65\n",
		"t:5:16: error: producers: 65 is too large, at most 64\n"},
	{TEXT_DESK "    metadata: 65KiB\n",
		"t:5:15: error: metadata: 65KiB is too large, at most 64KiB\n"},
	{TEXT_DESK "    metadata: 1KB\n",
		"t:5:15: error: metadata: '1KB' is not a size; write bytes, or a "
		"whole number with KiB, MiB or GiB\n"},
	{TEXT_DESK "    linger: 5\n",
		"t:5:13: error: linger: '5' is not a time; write a whole number with ms or s\n"},
	{TEXT_DESK "    linger: 86401s\n",
		"t:5:13: error: linger: 86401s is too large, at most 86400s\n"},
	{TEXT_DESK "    max_streams: 2\n",
		"t:5:5: error: max_streams: 'desk' is one stream, only a pattern makes several\n"},
	{TEXT_HEAD "  desk: {}\n",
		"t:3:3: error: 'desk' lacks its largest frame: max_frame or max_bytes\n"},
	{TEXT_HEAD "  desk:\n",
		"t:3:8: error: a stream is a map of 'key: value' lines, not nothing\n"},
	{TEXT_DESK "    max_frame: 64x32 XR24\n",
		"t:4:5: error: max_bytes: max_frame in line 5 says it already\n"},
	{TEXT_HEAD "  desk: {max_frame: big}\n",
		"t:3:21: error: max_frame: 'big' is not a picture; write "
		"one like '1920x1080 XR24'\n"},
	{TEXT_HEAD "  desk: {max_frame: 1920x1080 XR25}\n",
		"t:3:21: error: max_frame: no pixel format 'XR25'; did you mean 'XR24'?\n"},
	{TEXT_HEAD "  desk: {max_frame: 1920x1080 jpeg}\n",
		"t:3:21: error: max_frame: no pixel format 'jpeg'\n"},
	{TEXT_HEAD "  desk: {max_frame: 1920*1080 XR24}\n",
		"t:3:21: error: max_frame: '1920*1080 XR24' is not a picture; write "
		"one like '1920x1080 XR24'\n"},
	{TEXT_HEAD "  desk: {max_frame: 1920x0}\n",
		"t:3:21: error: max_frame: '1920x0' is not a picture; write "
		"one like '1920x1080 XR24'\n"},
	{TEXT_HEAD "  desk: {max_frame: 65536x10}\n",
		"t:3:21: error: max_frame: '65536x10' is too large; a side is at most 65535, a "
		"frame less than 4 GiB\n"},
	{TEXT_HEAD "  desk: {max_bytes: 4GiB}\n",
		"t:3:21: error: max_bytes: 4GiB is too large, at most 4294967295\n"},
	{TEXT_HEAD "  desk: {max_bytes: 1.5MiB}\n",
		"t:3:21: error: max_bytes: '1.5MiB' is not a size; write bytes, or a "
		"whole number with KiB, MiB or GiB\n"},
	{TEXT_HEAD "  desk: {max_bytes: 0}\n",
		"t:3:21: error: max_bytes: 0 is too small, need at least 1\n"},
	/* the broker */
	{"version: 1\nbroker: {socket: z}\nstreams: {}\n",
		"t:2:18: error: socket: 'z' is not a path that begins with '/'\n"},
	{"version: 1\nbroker: {socket_mode: 0999}\nstreams: {}\n",
		"t:2:23: error: socket_mode: '0999' is not a mode; write one like \"0660\"\n"},
	{"version: 1\nbroker: {log_level: loud}\nstreams: {}\n",
		"t:2:21: error: log_level: 'loud' is not a level; write error, warning, info or "
		"debug\n"},
	{"version: 1\nbroker: {settle: 61s}\nstreams: {}\n",
		"t:2:18: error: settle: 61s is too large, at most 60s\n"},
	{"version: 1\nbroker: {per_user: {stream: 4}}\nstreams: {}\n",
		"t:2:21: error: per_user has no key 'stream'; did you mean 'streams'?\n"},
	{"version: 1\nbroker: {per_user: {memory: 1KiB, streams: 0, consumers: 65537}}\n"
	 "streams: {}\n",
		"t:2:29: error: memory: 1KiB is too small, need at least 1MiB\n"
		"t:2:44: error: streams: 0 is too small, need at least 1\n"
		"t:2:58: error: consumers: 65537 is too large, at most 65536\n"},
	{"version: 1\nbroker: {per_user: 5}\nstreams: {}\n",
		"t:2:20: error: per_user is a map of 'key: value' lines, not text\n"},
	/* names and patterns */
	{TEXT_HEAD "  \"a b\": {max_bytes: 1}\n",
		"t:3:3: error: 'a b' is not a name: letters, digits and "
		"._:+@- in parts between '/'\n"},
	{TEXT_HEAD "  a/../b: {max_bytes: 1}\n",
		"t:3:3: error: 'a/../b' is not a name: letters, digits and ._:+@- in parts between "
		"'/'\n"},
	{TEXT_HEAD "  \"a/***\": {max_bytes: 1}\n",
		"t:3:3: error: 'a/***' is not a pattern: letters, "
		"digits and ._:+@- in parts between "
		"'/', '*' within a part, '**' across\n"},
	{TEXT_HEAD "  \"a/*\": {max_bytes: 1}\n  \"a/**\": {max_bytes: 1}\n",
		"t:4:3: error: 'a/**' ranks equal with 'a/*' in line 3: same text before '*'\n"},
	/* access */
	{TEXT_DESK "    access: {produce: any}\n",
		"t:5:23: error: produce: a list is expected, like "
		"[owner, group:video], not text\n"},
	{TEXT_DESK "    access: {consume: [all]}\n",
		"t:5:24: error: consume: 'all' is nobody; write "
		"owner, any, user:NAME or group:NAME\n"},
	{TEXT_DESK "    access: {list: [\"user:no-such-one\"]}\n",
		"t:5:21: error: list: no user 'no-such-one' on this machine\n"},
	{TEXT_DESK "    access: {list: [any, group:no-such-one]}\n",
		"t:5:26: error: list: no group 'no-such-one' on this machine\n"},
	{TEXT_DESK "    access: {reliabel: [any]}\n",
		"t:5:14: error: access has no key 'reliabel'; did you mean 'reliable'?\n"},
	{TEXT_DESK "    access: {reliable: owner}\n",
		"t:5:24: error: reliable: a list is expected, like "
		"[owner, group:video], not text\n"},
	{TEXT_DESK "    access: {list: [user: root]}\n",
		"t:5:21: error: list: write user:NAME or group:NAME without a blank\n"},
	{TEXT_DESK "    access: {list: [\"group:\", root, [any]]}\n",
		"t:5:21: error: list: 'group:' is nobody; write owner, any, user:NAME or "
		"group:NAME\n"
		"t:5:31: error: list: 'root' is nobody; write owner, any, user:NAME or "
		"group:NAME\n"
		"t:5:37: error: list: '' is nobody; write owner, any, user:NAME or group:NAME\n"},
	{TEXT_DESK "    access: [any]\n",
		"t:5:13: error: access is a map of 'key: value' lines, not a list\n"},
	{TEXT_DESK "    access: {lists: [any]}\n",
		"t:5:14: error: access has no key 'lists'; did you mean 'list'?\n"},
	/* sums */
	{"version: 1\nbroker: {memory_limit: 9MiB}\n"
	 "streams:\n  a: {max_bytes: 1MiB, metadata: 0}\n",
		"t:4:3: error: 'a' needs 10MiB with one producer and one consumer (6 + 1 + 3 "
		"slots), but memory_limit is 9MiB\n"},
	{"version: 1\nbroker: {memory_limit: 20MiB}\ndefaults: {max_bytes: 1MiB, metadata: 0}\n"
	 "streams:\n  a: {max_bytes: 256KiB}\n  b: {}\n  \"p*\": {}\n  c: {slots: 7}\n",
		"t:8:3: error: the named streams need 24MiB together, with one producer and one "
		"consumer each, but memory_limit is 20MiB; the largest is 'c', 11MiB\n"},
	/* all at once, in the text's order */
	{TEXT_DESK "    slots: 1\n    hold: 9\n  wall: {max_byte: 1}\nversoin: 1\n",
		"t:5:12: error: slots: 1 is too small, need at least 2\n"
		"t:6:11: error: hold: 9 is too large, at most 8\n"
		"t:7:3: error: 'wall' lacks its largest frame: max_frame or max_bytes\n"
		"t:7:10: error: a stream has no key 'max_byte'; did you mean 'max_bytes'?\n"
		"t:8:1: error: the file has no key 'versoin'; did you mean 'version'?\n"},
};

static void test_config_explains_bad_texts(void **state) {
	(void)state;
	for (size_t i = 0; i < n_elements(bad_texts); i++) {
		struct config *config = NULL;
		char *printed = NULL;

		int r = parse(
			&config, bad_texts[i].text, strlen(bad_texts[i].text), false, &printed);
		assert_string_equal(printed, bad_texts[i].message);
		assert_int_equal(r, -EINVAL);
		assert_null(config);
		free(printed);
	}
}

static void test_config_points_at_the_place(void **state) {
	static const char text[] = TEXT_DESK "    description: \xc3\xbc\x1b\n    \xc3\xbc: 1\n";
	struct config *config = NULL;
	char *printed = NULL;

	(void)state;
	parse(&config, text, strlen(text), true, &printed);
	assert_string_equal(printed, "t:5:19: error: a control character (0x1b) is not text\n"
				     "      description: \xc3\xbc?\n"
				     "                    ^\n");
	free(printed);
}

static void test_config_bounds_alias_growth(void **state) {
	char text[4096] = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
	struct config *config = NULL;
	char *printed = NULL;

	(void)state;
	for (int i = 1; i < 12; i++) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len,
			"a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i - 1,
			i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	}
	assert_int_equal(parse(&config, text, strlen(text), false, &printed), -EINVAL);
	assert_non_null(strstr(printed, "too many values in one file, aliases written out\n"));
	free(printed);
}

static void test_config_caps_its_errors(void **state) {
	char text[4096] = TEXT_DESK;
	struct config *config = NULL;
	char *printed = NULL;

	(void)state;
	for (int i = 0; i < 60; i++) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "    nothing-%d: 1\n", i);
	}
	assert_int_equal(parse(&config, text, strlen(text), false, &printed), -EINVAL);
	assert_non_null(strstr(printed, "t: error: 10 more\n"));
	free(printed);
}

/* Loads a path that must fail. Returns: what is printed, to be freed. */
static char *load_bad(const char *path, int expected) {
	struct config_errors errors;
	struct config *config = NULL;
	char *printed = NULL;
	size_t n = 0;

	config_errors_init(&errors);
	assert_int_equal(config_load(&config, path, &errors), expected);
	FILE *file = open_memstream(&printed, &n);
	config_errors_print(&errors, file, true);
	fclose(file);
	config_errors_finish(&errors);
	return printed;
}

static void test_config_refuses_what_is_no_config_file(void **state) {
	char path[] = "/tmp/test_config.XXXXXX";
	char expected[200];

	(void)state;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 100 * 1024 * 1024), 0);
	close(fd);
	char *printed = load_bad(path, -EINVAL);
	snprintf(expected, sizeof(expected),
		"%s: error: 104857600 bytes are too large for a config, at most 1048576\n", path);
	assert_string_equal(printed, expected);
	free(printed);

	unlink(path);
	printed = load_bad(path, -ENOENT);
	snprintf(expected, sizeof(expected), "%s: error: cannot open: No such file or directory\n",
		path);
	assert_string_equal(printed, expected);
	free(printed);

	assert_int_equal(mkfifo(path, 0600), 0);
	printed = load_bad(path, -EINVAL);
	snprintf(expected, sizeof(expected), "%s: error: not a regular file\n", path);
	assert_string_equal(printed, expected);
	free(printed);
	unlink(path);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_explains_bad_texts),
		cmocka_unit_test(test_config_points_at_the_place),
		cmocka_unit_test(test_config_bounds_alias_growth),
		cmocka_unit_test(test_config_caps_its_errors),
		cmocka_unit_test(test_config_refuses_what_is_no_config_file),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
