/* SPDX-License-Identifier: MIT */
#include "yaml_text.h"

#include <string.h>

#define MAX_DIRECTIVES 16u

struct yaml_place yaml_text_find(const char *text, size_t len, size_t offset) {
	struct yaml_place at = {1, 1};

	for (size_t i = 0; i < offset && i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '\n' || (c == '\r' && !(i + 1 < len && text[i + 1] == '\n'))) {
			at.line++;
			at.col = 1;
		} else if ((c & 0xc0) != 0x80) {
			at.col++;
		}
	}
	return at;
}

char yaml_text_get(const char *text, size_t len, struct yaml_place place) {
	struct yaml_place at = {1, 1};

	for (size_t i = 0; i < len; i++) {
		bool is_start = ((unsigned char)text[i] & 0xc0) != 0x80;

		if (is_start && at.line == place.line && at.col == place.col) {
			return text[i];
		}
		if (text[i] == '\n') {
			at.line++;
			at.col = 1;
		} else if (is_start) {
			at.col++;
		}
	}
	return '\0';
}

bool yaml_text_is_wide(const char *text, size_t len) {
	return len >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0);
}

uint32_t yaml_text_find_excess_directive(const char *text, size_t len) {
	uint32_t line = 1;
	unsigned n = 0;

	for (size_t i = 0; i < len; i++) {
		bool is_start = i == 0 || text[i - 1] == '\n' || text[i - 1] == '\r';

		line += i > 0 && (text[i - 1] == '\n' || (text[i - 1] == '\r' && text[i] != '\n'));
		if (is_start && text[i] == '%' && ++n > MAX_DIRECTIVES) {
			return line;
		}
	}
	return 0;
}
