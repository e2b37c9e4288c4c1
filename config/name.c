/* SPDX-License-Identifier: MIT */
#include "name.h"

#include <string.h>

static bool is_name_char(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("._:+@-", c) != NULL);
}

static bool part_is_valid(const char *part, size_t len, bool is_pattern) {
	if (len == 0 || (len == 1 && part[0] == '.') || (len == 2 && memcmp(part, "..", 2) == 0)) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (!is_name_char(part[i]) && !(is_pattern && part[i] == '*')) {
			return false;
		}
	}
	return true;
}

static bool parts_are_valid(const char *name, bool is_pattern) {
	if (strnlen(name, CONFIG_MAX_NAME_BYTES + 1) > CONFIG_MAX_NAME_BYTES) {
		return false;
	}
	for (;;) {
		size_t len = strcspn(name, "/");

		if (!part_is_valid(name, len, is_pattern)) {
			return false;
		}
		if (name[len] == '\0') {
			return true;
		}
		name += len + 1;
	}
}

bool name_is_valid(const char *name) {
	return parts_are_valid(name, false);
}

bool pattern_is_valid(const char *pattern) {
	return parts_are_valid(pattern, true) && !strstr(pattern, "***");
}

size_t pattern_get_prefix_len(const char *pattern) {
	return strcspn(pattern, "*");
}

/* One row of a table of which prefixes of the name the pattern so far can match: bounded by
 * 96 x 96 steps, whatever the pattern. */
bool pattern_matches(const char *pattern, const char *name) {
	bool can[CONFIG_MAX_NAME_BYTES + 1] = {true};
	size_t len = strlen(name);

	/* Most names fail at once. */
	if (len > CONFIG_MAX_NAME_BYTES ||
		strncmp(pattern, name, pattern_get_prefix_len(pattern)) != 0) {
		return false;
	}
	for (; *pattern; pattern++) {
		if (*pattern == '*') {
			bool is_across = pattern[1] == '*';

			for (size_t i = 0; i < len; i++) {
				can[i + 1] |= can[i] && (is_across || name[i] != '/');
			}
			pattern += is_across;
			continue;
		}
		for (size_t i = len; i > 0; i--) {
			can[i] = can[i - 1] && name[i - 1] == *pattern;
		}
		can[0] = false;
	}
	return can[len];
}

static size_t min3(size_t a, size_t b, size_t c) {
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

size_t name_get_distance(const char *a, const char *b) {
	size_t rows[3][CONFIG_MAX_NAME_BYTES + 1];
	size_t *before = rows[0], *last = rows[1], *row = rows[2];
	size_t n = strlen(a), m = strlen(b);

	if (n > CONFIG_MAX_NAME_BYTES || m > CONFIG_MAX_NAME_BYTES) {
		return SIZE_MAX;
	}
	for (size_t j = 0; j <= m; j++) {
		before[j] = 0;
		last[j] = j;
	}
	for (size_t i = 1; i <= n; i++) {
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t swap_cost = a[i - 1] == b[j - 1] ? 0 : 1;

			row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + swap_cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				before[j - 2] + 1 < row[j]) {
				row[j] = before[j - 2] + 1;
			}
		}
		size_t *oldest = before;
		before = last;
		last = row;
		row = oldest;
	}
	return last[m];
}

bool name_is_near(const char *typed, const char *meant) {
	size_t len = strnlen(typed, CONFIG_MAX_NAME_BYTES);
	size_t allowed = len <= 3 ? 1 : len <= 8 ? 2 : 3;

	return name_get_distance(typed, meant) <= allowed;
}
