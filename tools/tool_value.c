/* SPDX-License-Identifier: MIT */
/*
 * Values of options: numbers, sizes, times, rates.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "tool.h"

/* Digits only, and at least one. */
static int parse_digits(const char *text, size_t len, uint64_t *out) {
	uint64_t value = 0;

	if (len == 0) {
		return -EINVAL;
	}
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value)) {
			return -EINVAL;
		}
	}
	*out = value;
	return 0;
}

int tool_parse_u64(const char *text, uint64_t *out) {
	return parse_digits(text, strlen(text), out);
}

int tool_parse_size(const char *text, uint32_t *width, uint32_t *height) {
	size_t n = strcspn(text, "xX");
	uint64_t w, h;

	if (text[n] == '\0' || parse_digits(text, n, &w) < 0 ||
		tool_parse_u64(text + n + 1, &h) < 0 || w > UINT32_MAX || h > UINT32_MAX) {
		return -EINVAL;
	}
	*width = (uint32_t)w;
	*height = (uint32_t)h;
	return 0;
}

/* "12", "12.5"; no sign, exponent, hexadecimal, inf. *rest = what follows. */
static int parse_decimal(const char *text, double *out, const char **rest) {
	size_t n = strspn(text, "0123456789.");
	char number[32];
	char *end;

	if (n == 0 || n >= sizeof(number)) {
		return -EINVAL;
	}
	memcpy(number, text, n);
	number[n] = '\0';
	*out = strtod(number, &end);
	*rest = text + n;
	return end == number + n ? 0 : -EINVAL;
}

int tool_parse_duration_ms(const char *text, int *out) {
	static const struct {
		const char *name;
		double ms;
	} units[] = {{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"min", 60000}, {"h", 3600000}};
	const char *unit;
	double value;

	if (parse_decimal(text, &value, &unit) < 0) {
		return -EINVAL;
	}
	for (size_t i = 0; i < n_elements(units); i++) {
		if (strcmp(unit, units[i].name) == 0 && value * units[i].ms <= INT_MAX) {
			*out = (int)(value * units[i].ms);
			return 0;
		}
	}
	return -EINVAL;
}

int tool_parse_bytes(const char *text, uint64_t *out) {
	static const char *const units[][3] = {{"", "B", "B"}, {"KiB", "K", "k"}, {"MiB", "M", "m"},
		{"GiB", "G", "g"}, {"TiB", "T", "t"}};
	size_t n = strspn(text, "0123456789");
	uint64_t value;

	if (parse_digits(text, n, &value) < 0) {
		return -EINVAL;
	}
	for (size_t i = 0; i < n_elements(units); i++) {
		for (size_t j = 0; j < n_elements(units[i]); j++) {
			if (strcmp(text + n, units[i][j]) == 0) {
				return __builtin_mul_overflow(value, UINT64_C(1) << (10 * i), out)
					       ? -EINVAL
					       : 0;
			}
		}
	}
	return -EINVAL;
}

int tool_parse_fps(const char *text, double *out) {
	double num, den = 1;
	const char *rest;

	if (parse_decimal(text, &num, &rest) < 0) {
		return -EINVAL;
	}
	if (*rest == '/' && (parse_decimal(rest + 1, &den, &rest) < 0 || den <= 0)) {
		return -EINVAL;
	}
	if (*rest != '\0') {
		return -EINVAL;
	}
	*out = num / den;
	return 0;
}

int tool_parse_delivery(const char *text, enum zoe_delivery *out) {
	static const char *const names[] = {[ZOE_LATEST] = "latest",
		[ZOE_EVERY] = "every",
		[ZOE_RELIABLE] = "reliable",
		[ZOE_QUEUE] = "queue",
		[ZOE_QUEUE_RELIABLE] = "queue-reliable"};

	for (size_t i = 0; i < n_elements(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*out = (enum zoe_delivery)i;
			return 0;
		}
	}
	return -EINVAL;
}
