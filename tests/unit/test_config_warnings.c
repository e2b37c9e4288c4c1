/* SPDX-License-Identifier: MIT */
#include "config/parse.h"

#include <sys/stat.h>
#include <unistd.h>

struct odd_text {
	const char *text;
	const char *warnings; // all that is printed, without carets
};

#define LATER "    slots: 9\n    access: "

static const struct odd_text odd_texts[] = {
	{TEXT_DESK, ""},
	{"version: 1\nstreams: {}\n", ""},
	/* nobody */
	{TEXT_DESK LATER "{produce: []}\n",
		"t:6:14: warning: 'desk': nobody but root may feed it\n"},
	{TEXT_DESK LATER "{consume: [], reliable: []}\n",
		"t:6:14: warning: 'desk': nobody but root may see it\n"},
	{TEXT_DESK LATER "{produce: [\"user:root\"], consume: [\"group:7\"], list: []}\n", ""},
	{"version: 1\ndefaults: {max_bytes: 1, access: {produce: []}}\nstreams:\n  a: {}\n"
	 "  b: {access: {produce: [any]}}\n",
		"t:4:3: warning: 'a': nobody but root may feed it\n"},
	/* rights that need another */
	{TEXT_DESK LATER "{reliable: [any]}\n",
		"t:6:14: warning: 'desk': reliable names some who may not consume\n"},
	{TEXT_DESK LATER "{reliable: [any], consume: [any]}\n", ""},
	{TEXT_DESK LATER "{reliable: [\"group:7\"], consume: [\"group:8\"]}\n",
		"t:6:14: warning: 'desk': reliable names some who may not consume\n"},
	{TEXT_DESK LATER "{reliable: [\"group:7\"], consume: [\"group:8\", \"group:7\"]}\n", ""},
	{TEXT_DESK LATER "{reliable: [\"user:7\", \"user:0\"], consume: [\"user:8\"]}\n",
		"t:6:14: warning: 'desk': reliable names some who may not consume\n"},
	{TEXT_DESK LATER "{reliable: [\"user:7\", \"user:0\"], consume: [\"user:7\"]}\n", ""},
	{TEXT_DESK LATER "{reliable: [\"user:7\"], consume: [\"group:8\"]}\n", ""},
	{"version: 1\ndefaults: {max_bytes: 1, access: {reliable: [any]}}\nstreams: {a: {}}\n", ""},
	/* too open */
	{TEXT_DESK LATER "{admin: [any]}\n",
		"t:6:14: warning: 'desk': anybody may put its clients out\n"},
	{"version: 1\ndefaults: {max_bytes: 1, access: {admin: [any]}}\nstreams: {a: {}}\n",
		"t:2:35: warning: anybody may reload the broker's config and put clients out\n"},
	/* who is everybody and nobody */
	{TEXT_DESK LATER "{consume: [any, \"user:65534\"], list: [\"group:65534\"]}\n",
		"t:6:14: warning: 'desk': consume: user 65534 stands for all that have no number "
		"here; only 'any' lets it in\n"
		"t:6:44: warning: 'desk': list: group 65534 stands for all that have no number "
		"here; nobody is let in by it\n"},
	/* the socket's mode */
	{"version: 1\nbroker: {socket_mode: \"0600\"}\ndefaults: {max_bytes: 1}\nstreams:\n"
	 "  a: {}\n  b: {access: {consume: [\"group:70007\", owner], list: [any]}}\n"
	 "  c: {access: {consume: [any]}}\n",
		"t:2:10: warning: socket_mode: 0600 shuts some out whom 'b' allows: consume: "
		"[owner, group:70007]\n"},
	{"version: 1\nbroker: {socket_mode: \"0660\"}\ndefaults: {max_bytes: 1}\nstreams:\n"
	 "  a: {access: {consume: [\"group:7\", \"user:77\"]}}\n",
		""},
	{"version: 1\nbroker: {socket_mode: \"0660\"}\ndefaults: {max_bytes: 1}\nstreams:\n"
	 "  a: {access: {consume: [\"group:70001\", \"group:70002\"]}}\n",
		"t:2:10: warning: socket_mode: 0660 shuts some out whom 'a' allows: consume: "
		"[group:70001, group:70002]\n"},
	{"version: 1\nbroker: {socket_mode: \"0660\"}\ndefaults: {max_bytes: 1}\nstreams:\n"
	 "  a: {access: {list: [any]}}\n",
		"t:2:10: warning: socket_mode: 0660 shuts some out whom 'a' allows: list: [any]\n"},
	{"version: 1\nbroker: {socket_mode: \"0600\"}\ndefaults: {max_bytes: 1}\nstreams:\n"
	 "  a: {access: {list: [\"user:70001\"]}}\n",
		"t:2:10: warning: socket_mode: 0600 shuts some out whom 'a' allows: list: "
		"[user:70001]\n"},
	{"version: 1\nbroker: {socket_mode: \"0600\"}\ndefaults: {max_bytes: 1}\nstreams:\n"
	 "  a: {access: {list: [\"user:root\"]}}\n",
		""},
	{"version: 1\nbroker: {socket_mode: \"0066\"}\ndefaults: {max_bytes: 1}\nstreams: {a: "
	 "{}}\n",
		"t:2:10: warning: socket_mode: 0066 shuts some out whom 'a' allows: produce: "
		"[owner]\n"},
	/* a user's share */
	{"version: 1\nbroker: {per_user: {memory: 6MiB}}\n"
	 "defaults: {max_bytes: 1MiB, metadata: 0}\nstreams:\n  a: {}\n"
	 "  b: {access: {produce: [any]}}\n  c: {slots: 5, access: {produce: [any]}}\n",
		"t:6:3: warning: 'b' needs 7MiB of who feeds it, but per_user.memory gives one "
		"user 6MiB\n"},
	/* all, in the text's order */
	{"version: 1\nbroker: {socket_mode: \"0600\"}\nstreams:\n"
	 "  a: {max_bytes: 1, access: {produce: [], consume: [any]}}\n",
		"t:2:10: warning: socket_mode: 0600 shuts some out whom 'a' allows: consume: "
		"[any]\n"
		"t:4:30: warning: 'a': nobody but root may feed it\n"},
};

/* Loads a text that must load. Returns: the warnings as printed, to be freed. */
static char *get_warnings(const char *text) {
	struct config_errors errors;
	struct config *config = NULL;
	char *printed = NULL;
	size_t n = 0;
	FILE *file = open_memstream(&printed, &n);

	config_errors_init(&errors);
	int r = config_parse(&config, text, strlen(text), "t", &errors);
	config_errors_print(&errors, stderr, false);
	assert_int_equal(r, 0);
	config_find_warnings(config, &errors);
	config_errors_print(&errors, file, false);
	fclose(file);
	config_destroy(config);
	config_errors_finish(&errors);
	return printed;
}

static void test_config_warns_of_odd_texts(void **state) {
	(void)state;
	for (size_t i = 0; i < n_elements(odd_texts); i++) {
		cleanup_free char *printed = get_warnings(odd_texts[i].text);

		assert_string_equal(printed, odd_texts[i].warnings);
	}
}

/* For each character that can follow "p/" but the ones left out, a pattern of its own. */
static char *make_crowd(const char *left_out) {
	static const char all[] =
		".:_+@-/0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char *text = NULL;
	size_t n = 0;
	FILE *file = open_memstream(&text, &n);

	fputs("version: 1\ndefaults: {max_bytes: 1}\nstreams:\n  p/x: {}\n  \"p/*\": {}\n", file);
	for (const char *c = all; *c; c++) {
		if (*c != '/' && !strchr(left_out, *c)) {
			fprintf(file, "  \"p/%c**\": {}\n", *c);
		}
	}
	fclose(file);
	return text;
}

static void test_config_warns_of_a_pattern_that_no_name_reaches(void **state) {
	cleanup_free char *full = make_crowd(""), *gap = make_crowd("q");
	cleanup_free char *warnings = get_warnings(full), *none = get_warnings(gap);

	(void)state;
	assert_string_equal(warnings,
		"t:5:3: warning: 'p/*': no name is left to this pattern, others "
		"with more text before '*' rule them all\n");
	assert_string_equal(none, "");
}

static void test_config_warns_of_a_file_that_anybody_may_change(void **state) {
	char path[] = "/tmp/test_config.XXXXXX", expected[200];
	struct config_errors errors;
	struct config *config = NULL;
	cleanup_free char *printed = NULL;
	size_t n = 0;
	FILE *file = open_memstream(&printed, &n);
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, TEXT_DESK, strlen(TEXT_DESK)), strlen(TEXT_DESK));
	config_errors_init(&errors);
	for (mode_t mode = 0664; mode <= 0666; mode += 2) {
		assert_int_equal(fchmod(fd, mode), 0);
		assert_int_equal(config_load(&config, path, &errors), 0);
		config_find_warnings(config, &errors);
		config_errors_print(&errors, file, true);
		config_destroy(config);
	}
	close(fd);
	unlink(path);
	config_errors_finish(&errors);
	fclose(file);
	snprintf(expected, sizeof(expected),
		"%s: warning: anybody may change this file (mode 0666)\n", path);
	assert_string_equal(printed, expected);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_warns_of_odd_texts),
		cmocka_unit_test(test_config_warns_of_a_pattern_that_no_name_reaches),
		cmocka_unit_test(test_config_warns_of_a_file_that_anybody_may_change),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
