/* SPDX-License-Identifier: MIT */
#ifndef TEST_CONFIG_PARSE_H
#define TEST_CONFIG_PARSE_H
/*
 * What the tests of config share: texts, parsing with its errors as text, leaked descriptors.
 * Owns:     nothing; what parse returns is the caller's.
 * Threads:  one.
 * Includes: cmocka, config.h, attr.h.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attr.h"
#include "config.h"

#define TEXT_HEAD "version: 1\nstreams:\n"
#define TEXT_DESK TEXT_HEAD "  desk:\n    max_bytes: 1MiB\n"

/* Parses a text. Returns: config_parse's answer, and what is printed, to be freed. */
static inline int parse(
	struct config **out, const char *text, size_t len, bool caret, char **printed) {
	struct config_errors errors;
	size_t n = 0;

	config_errors_init(&errors);
	int r = config_parse(out, text, len, "t", &errors);
	FILE *file = open_memstream(printed, &n);
	assert_non_null(file);
	config_errors_print(&errors, file, caret);
	fclose(file);
	config_errors_finish(&errors);
	return r;
}

static inline int count_fds(void) {
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir)) {
		n++;
	}
	closedir(dir);
	return n;
}

static inline int setup(void **state) {
	static int n_fds;

	n_fds = count_fds();
	*state = &n_fds;
	return 0;
}

static inline int teardown(void **state) {
	const int *n_fds = *state;

	return count_fds() == *n_fds ? 0 : -1;
}

#endif
