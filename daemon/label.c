/* SPDX-License-Identifier: MIT */
#include "label.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

/* One UTF-8 character (RFC 3629). Returns: its bytes; 0 = not one. */
static size_t label_decode(const unsigned char *s, uint32_t *code) {
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
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

static bool code_is_wild(uint32_t c) {
	static const struct {
		uint32_t first, last;
	} wild[] = {{0, 0x1f}, {0x7f, 0x9f}, {0xad, 0xad}, {0x61c, 0x61c}, {0x200b, 0x200f},
		{0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb},
		{0xe0000, 0xe007f}};

	for (size_t i = 0; i < n_elements(wild); i++) {
		if (c >= wild[i].first && c <= wild[i].last) {
			return true;
		}
	}
	return false;
}

void label_clean(char *text) {
	unsigned char *at = (unsigned char *)text;

	while (*at) {
		uint32_t code = 0;
		size_t n = label_decode(at, &code);
		bool is_wild = n == 0 || code_is_wild(code);

		for (n = n == 0 ? 1 : n; n > 0; n--, at++) {
			if (is_wild) {
				*at = '?';
			}
		}
	}
}
