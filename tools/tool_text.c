/* SPDX-License-Identifier: MIT */
/*
 * Strangers' strings, made safe for terminals and JSON.
 */
#include <string.h>

#include "tool.h"

/* One UTF-8 character (RFC 3629). Returns: its bytes; 0 = not one. */
static size_t decode(const char *text, uint32_t *code) {
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *s = (const unsigned char *)text;
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);

	if ((s[0] >= 0x80 && s[0] < 0xc2) || s[0] > 0xf4) {
		return 0;
	}
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80) { /* the final NUL too */
			return 0;
		}
		c = c << 6 | (s[i] & 0x3fu);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
		return 0;
	}
	*code = c;
	return n;
}

/* Controls, and marks that turn the direction of the text around, or hide. */
static bool is_control(uint32_t c) {
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c ||
	       (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb);
}

void tool_print_json_string(FILE *to, const char *text) {
	putc('"', to);
	while (*text != '\0') {
		uint32_t c = 0;
		size_t n = decode(text, &c);

		if (n == 0) {
			fputs("\\ufffd", to);
			n = 1;
		} else if (c == '"' || c == '\\') {
			fprintf(to, "\\%c", (char)c);
		} else if (is_control(c)) {
			fprintf(to, "\\u%04x", c);
		} else {
			fwrite(text, 1, n, to);
		}
		text += n;
	}
	putc('"', to);
}

const char *tool_printable(const char *text, char *buf, size_t size) {
	size_t len = 0;

	while (*text != '\0' && len + 1 < size) {
		uint32_t c = 0;
		size_t n = decode(text, &c);

		if (n == 0 || is_control(c)) {
			buf[len++] = '?';
		} else if (len + n < size) {
			memcpy(buf + len, text, n);
			len += n;
		} else {
			break;
		}
		text += n == 0 ? 1 : n;
	}
	buf[len] = '\0';
	return buf;
}

void tool_print_formats(FILE *to) {
	const char *spellings = "";
	uint32_t fourcc;

	for (unsigned i = 0; (fourcc = zoe_format_get_known(i, &spellings)) != 0; i++) {
		fprintf(to, "%-5s %s\n", zoe_format_get_name(fourcc), spellings);
	}
}
