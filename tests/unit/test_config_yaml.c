/* SPDX-License-Identifier: MIT */
#include "config/parse.h"

#include <time.h>

/* A text that is wrong as YAML, or as text at all. */
struct bad_yaml {
	const char *text;
	const char *message; // all that is printed, without carets
};

static const struct bad_yaml bad_yamls[] = {
	/* what libyaml says in riddles */
	{TEXT_HEAD "  game/*: {max_bytes: 1}\n  *: {max_bytes: 1}\n",
		"t:4:3: error: '*' begins an alias; put a pattern in quotes, like \"game/*\"\n"},
	{TEXT_HEAD "  **: {max_bytes: 1}\n",
		"t:3:3: error: '*' begins an alias; put a pattern in quotes, like \"game/*\"\n"},
	{TEXT_HEAD "  *desk : {max_bytes: 1}\n",
		"t:3:3: error: no anchor '&desk' to repeat; put a pattern "
		"that begins with '*' in quotes\n"},
	{TEXT_DESK "    description: @home\n",
		"t:5:18: error: a value cannot begin with '@'; put it in quotes\n"},
	{TEXT_DESK "    description: %home\n",
		"t:5:18: error: a value cannot begin with '%'; put it in quotes\n"},
	{TEXT_DESK "    description: `home`\n",
		"t:5:18: error: a value cannot begin with '`'; put it in quotes\n"},
	{TEXT_DESK "%TAB x\n", "t:5:1: error: '%' begins a directive; put the value in quotes\n"},
	{TEXT_DESK "\tslots: 4\n", "t:5:1: error: a tab cannot indent here; use spaces\n"},
	{TEXT_DESK "    description: a: b\n",
		"t:5:19: error: a ':' is not expected here; check the indentation "
		"and the blank after each ':', and quote a value with ': ' in it\n"},
	{TEXT_DESK "    slots 4\n    open: 1\n", "t:5:5: error: a ':' is missing after this key\n"},
	{TEXT_DESK "    description: 'open\n",
		"t:5:18: error: the quote that begins here is not closed\n"},
	{TEXT_DESK "    access: {list: [any}\n",
		"t:5:20: error: the list that begins here lacks a ',' or its ']'\n"},
	{TEXT_DESK "    access: {list: [any]\n",
		"t:5:13: error: the map that begins here lacks a ',' or its '}'\n"},
	{TEXT_DESK "   slots: 4\n",
		"t:5:4: error: a key is expected here; check the indentation, and "
		"quote values\n"},
	{TEXT_DESK "    slots: !!int 4\n",
		"t:5:12: error: tags like '!!str' mean nothing here; put the value in quotes\n"},
	{TEXT_DESK "    description: \"a\\0b\"\n",
		"t:5:18: error: a value cannot hold a NUL character\n"},
	{TEXT_DESK "    description: \xff\n", "t:5:18: error: not UTF-8 (byte 0xff)\n"},
	{TEXT_DESK "    # \xc3\xbc \x07\n",
		"t:5:9: error: a control character (0x07) is not text\n"},
	/* aliases */
	{"version: &v 1\nstreams: &s {a: *s}\n",
		"t:2:17: error: this alias stands within what it is an alias of\n"},
	{"a: [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]\n", "t:1:19: error: nested too deeply\n"},
	{"version: 1\nstreams: {a: &s {max_bytes: 0}, b: *s}\n",
		"t:2:29: error: max_bytes: 0 is too small, need at least 1\n"},
	{"version: 1\nstreams: {*/x: {max_bytes: 1}}\n",
		"t:2:11: error: '*' begins an alias; put a pattern in quotes, like \"game/*\"\n"},
	{TEXT_DESK "    access: {list: [*any]}\n",
		"t:5:21: error: no anchor '&any' to repeat; put a pattern that begins with '*' in "
		"quotes\n"},
	{TEXT_DESK "    description: &home\n",
		"t:5:18: error: '&home' is an anchor that no '*home' repeats; put a value that "
		"begins with '&' in quotes\n"},
	{TEXT_DESK "    description: &home sweet\n",
		"t:5:18: error: '&home' is an anchor that no '*home' repeats; put a value that "
		"begins with '&' in quotes\n"},
	{TEXT_DESK "    description: & home\n",
		"t:5:18: error: '&' begins an anchor; put the value in quotes\n"},
	{TEXT_DESK "    description: !important\n",
		"t:5:18: error: tags like '!!str' mean nothing here; put the value in quotes\n"},
	{TEXT_DESK "    description: !<x\n",
		"t:5:18: error: '!' begins a tag; put the value in quotes\n"},
	{TEXT_DESK "    description: !a!b x\n",
		"t:5:18: error: '!' begins a tag; put the value in quotes\n"},
	{TEXT_DESK "    access: !rights {}\n",
		"t:5:13: error: tags like '!!map' mean nothing here\n"},
	{TEXT_HEAD "  @home: {max_bytes: 1}\n",
		"t:3:3: error: a value cannot begin with '@'; put it in quotes\n"},
	{TEXT_DESK "    description: }\n",
		"t:5:18: error: a value cannot begin with '}'; put it in quotes\n"},
	{TEXT_DESK "    description: ]\n",
		"t:5:18: error: a value cannot begin with ']'; put it in quotes\n"},
	{TEXT_DESK "    description: ,\n",
		"t:5:18: error: a value cannot begin with ','; put it in quotes\n"},
	{TEXT_DESK "    description: >x\n",
		"t:5:18: error: '|' or '>' begins a text of several lines; put the value in "
		"quotes\n"},
	{TEXT_DESK "    description: | x\n",
		"t:5:18: error: '|' or '>' begins a text of several lines; put the value in "
		"quotes\n"},
	{TEXT_DESK "    description: - x\n",
		"t:5:18: error: a list item is not expected here; begin the list on a line of its "
		"own\n"},
	{TEXT_DESK "    description: \"a\\qb\"\n",
		"t:5:20: error: not a known escape; write '\\\\' for a backslash\n"},
	{TEXT_DESK "    description: 'it's'\n",
		"t:5:22: error: a key is expected here; check the indentation, and quote values\n"},
	{TEXT_HEAD "  desk:\n    max_bytes:1\n    slots: 4\n",
		"t:5:10: error: a ':' is not expected here; check the indentation and the blank "
		"after each ':', and quote a value with ': ' in it\n"},
	/* tabs */
	{"version: 1\nstreams:\n\tdesk: {max_bytes: 1}\n",
		"t:3:1: error: a tab cannot indent here; use spaces\n"},
	{TEXT_HEAD "  desk:\n  \tmax_bytes: 1\n",
		"t:4:3: error: a tab cannot indent here; use spaces\n"},
	/* directives and documents */
	{"%YAML 2.0\n---\n" TEXT_DESK,
		"t:1:1: error: YAML 1.1 is read here; leave the '%YAML' line out\n"},
	{"%YAML 1.1\n%YAML 1.1\n---\n" TEXT_DESK,
		"t:2:1: error: a directive stands here twice; leave it out\n"},
	{TEXT_DESK "---\n---\n",
		"t:5:1: error: a second document begins here; a config is one document\n"},
	{TEXT_DESK "...\nversion: 1\n",
		"t:6:1: error: text is not expected here; the file is one map of 'key: value' "
		"lines\n"},
	/* bytes that are no text; lines and columns are characters, whatever ends the lines */
	{TEXT_DESK "    description: ab\xc3\xbc \xc0\xaf\n",
		"t:5:22: error: not UTF-8 (byte 0xc0)\n"},
	{TEXT_DESK "    description: ab\xe2\x82", "t:5:20: error: not UTF-8 (byte 0xe2)\n"},
	{TEXT_DESK "    # \xed\xa0\x80\n", "t:5:7: error: not UTF-8 (byte 0xed)\n"},
	{TEXT_DESK "    # \xf5\x80\x80\x80\n", "t:5:7: error: not UTF-8 (byte 0xf5)\n"},
	{TEXT_DESK "    # \x80\n", "t:5:7: error: not UTF-8 (byte 0x80)\n"},
	{"version: 1\r\n# \xc3\xbc\r\n# \xc3\xbc\xff\r\n", "t:3:4: error: not UTF-8 (byte 0xff)\n"},
	{"version: 1\r# \xc3\xbc\r# \xc3\xbc\xff\r", "t:3:4: error: not UTF-8 (byte 0xff)\n"},
	{"\xef\xbb\xbfversion: 1\nstream\xff\n", "t:2:7: error: not UTF-8 (byte 0xff)\n"},
	{"version: 1\r\nstreams:\r\n  a: {slot: 1, max_bytes: 1}\r\n",
		"t:3:7: error: a stream has no key 'slot'; did you mean 'slots'?\n"},
	{"\xef\xbb\xbfversion: 1\rstreams:\r  a: {slot: 1, max_bytes: 1}\r",
		"t:3:7: error: a stream has no key 'slot'; did you mean 'slots'?\n"},
	{TEXT_DESK "    # \x1b[31m\n", "t:5:7: error: a control character (0x1b) is not text\n"},
	{TEXT_DESK "    description: a\x7f\n",
		"t:5:19: error: a control character (0x7f) is not text\n"},
};

#define BYTES(text) text, sizeof(text) - 1

/* With NULs within. */
static const struct {
	const char *bytes;
	size_t len;
	const char *message;
} bad_bytes[] = {
	{BYTES("a: \0\0"), "t:1:4: error: a control character (0x00) is not text\n"},
	{BYTES("\0"), "t:1:1: error: a control character (0x00) is not text\n"},
	{BYTES("v\0e\0"), "t:1:2: error: a control character (0x00) is not text\n"},
	{BYTES("\xff\xfev\0e\0"),
		"t:1:1: error: this is UTF-16 or UTF-32; save the file as UTF-8\n"},
	{BYTES("\xfe\xff\0v\0e"),
		"t:1:1: error: this is UTF-16 or UTF-32; save the file as UTF-8\n"},
};

static void check_bad(const char *text, size_t len, const char *message) {
	struct config *config = NULL;
	char *printed = NULL;

	int r = parse(&config, text, len, false, &printed);
	assert_string_equal(printed, message);
	assert_int_equal(r, -EINVAL);
	assert_null(config);
	free(printed);
}

static void test_config_yaml_is_explained_where_it_is_wrong(void **state) {
	(void)state;
	for (size_t i = 0; i < n_elements(bad_yamls); i++) {
		check_bad(bad_yamls[i].text, strlen(bad_yamls[i].text), bad_yamls[i].message);
	}
	for (size_t i = 0; i < n_elements(bad_bytes); i++) {
		check_bad(bad_bytes[i].bytes, bad_bytes[i].len, bad_bytes[i].message);
	}
}

/* A MiB that is made to take long is refused at once. */
static void check_slow(const char *text, size_t len, const char *message) {
	clock_t began = clock();

	check_bad(text, len, message);
	assert_true(clock() - began < 5 * CLOCKS_PER_SEC);
}

static void test_config_yaml_is_read_in_bounded_time(void **state) {
	static const struct {
		const char *head, *again, *message;
	} cases[] = {
		{"a: &a [x]\nb: [", "*a, ",
			"t:2:131065: error: too many values in one file, aliases "
			"written out\n"},
		{"", "[", "t:1:17: error: nested too deeply\n"},
		{"", "- ", "t:1:33: error: nested too deeply\n"},
		{"{", "a, ",
			"t:1:98304: error: too many values in one file, aliases written out\n"},
		{"a: '", "x\n ", "t:1:4: error: the quote that begins here is not closed\n"},
		{"", "#\n", "t:1:1: error: the file is empty; it needs 'version: 1' and streams\n"},
	};

	(void)state;
	for (size_t i = 0; i < n_elements(cases); i++) {
		cleanup_free char *text = malloc(CONFIG_MAX_FILE_BYTES + 1);
		size_t n = strlen(cases[i].head), n_again = strlen(cases[i].again);

		assert_non_null(text);
		memcpy(text, cases[i].head, n);
		for (; n + n_again <= CONFIG_MAX_FILE_BYTES; n += n_again) {
			memcpy(text + n, cases[i].again, n_again);
		}
		check_slow(text, n, cases[i].message);
	}
}

/* libyaml left alone compares each directive with all before it. */
static void test_config_yaml_refuses_many_directives(void **state) {
	static const char *const line_ends[] = {"\n", "\r\n", "\r"};

	(void)state;
	for (size_t i = 0; i < n_elements(line_ends); i++) {
		char *text = NULL;
		size_t len = 0;
		FILE *file = open_memstream(&text, &len);

		for (int n = 0; n < 60000; n++) {
			fprintf(file, "%%TAG !%d! x%s", n, line_ends[i]);
		}
		fclose(file);
		check_slow(text, len, "t:17:1: error: too many lines that begin with '%'\n");
		free(text);
	}
}

/* What looks like one of the above and is fine. */
static void test_config_yaml_that_is_odd_loads(void **state) {
	static const char *const texts[] = {
		TEXT_DESK "    description: R&D, Room #5; 100% \"quoted\" @ 5*4!\n",
		TEXT_DESK "    slots:\t4\n",
		TEXT_DESK "    ? slots\n    : 4\n",
		"%YAML 1.1\n---\n" TEXT_DESK "...\n",
		"version: 1\nstreams: {game/*: {max_bytes: 1}}\n",
		"{\"version\": 1, \"streams\": {\"desk\": {\"max_bytes\": 1}}}",
		"version: 1\nstreams: {a: {slots: &n 4, max_bytes: &m 1}, b: {slots: *n, "
		"max_bytes: *m}}\n",
		"version: 1\nstreams: {a: &unused {max_bytes: 1}}\n",
		TEXT_DESK "    description: >\n      A text\n      of two lines\n",
	};

	(void)state;
	for (size_t i = 0; i < n_elements(texts); i++) {
		struct config *config = NULL;
		char *printed = NULL;

		int r = parse(&config, texts[i], strlen(texts[i]), true, &printed);
		assert_string_equal(printed, "");
		assert_int_equal(r, 0);
		config_destroy(config);
		free(printed);
	}
}

/* A message cuts long texts, maybe within a character; the text may hold what is no character. */
static void test_config_yaml_prints_whole_characters(void **state) {
	char text[512] = TEXT_DESK "    k";
	struct config *config = NULL;
	char *printed = NULL;

	(void)state;
	for (int i = 0; i < 50; i++) {
		strcat(text, "\xc3\xbc");
	}
	strcat(text, ": 1\n    description: \xff\n");
	parse(&config, text, strlen(text), true, &printed);
	assert_string_equal(printed, "t:6:18: error: not UTF-8 (byte 0xff)\n"
				     "      description: ?\n"
				     "                   ^\n");
	free(printed);
	text[strlen(text) - 2] = 'a';
	parse(&config, text, strlen(text), false, &printed);
	assert_non_null(strstr(printed, "has no key 'k\xc3\xbc"));
	assert_non_null(strstr(printed, "\xc3\xbc?'\n"));
	free(printed);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_yaml_is_explained_where_it_is_wrong),
		cmocka_unit_test(test_config_yaml_is_read_in_bounded_time),
		cmocka_unit_test(test_config_yaml_refuses_many_directives),
		cmocka_unit_test(test_config_yaml_that_is_odd_loads),
		cmocka_unit_test(test_config_yaml_prints_whole_characters),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
