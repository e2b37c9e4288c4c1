/* SPDX-License-Identifier: MIT */
#include "y4m.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

/* A word of the header being taken apart. */
struct y4m_parser {
	uint32_t width, height, rate_num, rate_den;
	uint32_t fourcc;
	uint8_t chroma_site, range, field;
};

static int parse_side(const char *text, uint32_t *out) {
	uint64_t value;

	if (tool_parse_u64(text, &value) < 0 || value == 0 || value > 65535) {
		return -EINVAL;
	}
	*out = (uint32_t)value;
	return 0;
}

/* "30000:1001"; "0:0" = not known. */
static int parse_rate(const char *text, struct y4m_parser *p) {
	size_t n = strcspn(text, ":");
	uint64_t num, den;
	char word[16];

	if (text[n] == '\0' || n >= sizeof(word)) {
		return -EINVAL;
	}
	memcpy(word, text, n);
	word[n] = '\0';
	if (tool_parse_u64(word, &num) < 0 || tool_parse_u64(text + n + 1, &den) < 0 ||
		num > INT32_MAX || den > INT32_MAX) {
		return -EINVAL;
	}
	p->rate_num = den == 0 ? 0 : (uint32_t)num;
	p->rate_den = num == 0 ? 0 : (uint32_t)den;
	return 0;
}

/* chroma_site: H.273 ChromaLocType + 1. */
static int parse_colour(const char *text, struct y4m_parser *p) {
	static const struct {
		const char *name;
		uint32_t fourcc;
		uint8_t chroma_site;
	} known[] = {{"420jpeg", ZOE_FORMAT_YU12, 2}, {"420mpeg2", ZOE_FORMAT_YU12, 1},
		{"420paldv", ZOE_FORMAT_YU12, 3}, {"420", ZOE_FORMAT_YU12, 2},
		{"mono", ZOE_FORMAT_R8, 0}};

	for (size_t i = 0; i < n_elements(known); i++) {
		if (strcmp(text, known[i].name) == 0) {
			p->fourcc = known[i].fourcc;
			p->chroma_site = known[i].chroma_site;
			return 0;
		}
	}
	return -ENOTSUP;
}

/* Words of other letters are let pass: they say nothing that matters here. */
static int parse_word(const char *word, struct y4m_parser *p) {
	switch (word[0]) {
	case 'W':
		return parse_side(word + 1, &p->width);
	case 'H':
		return parse_side(word + 1, &p->height);
	case 'F':
		return parse_rate(word + 1, p);
	case 'C':
		return parse_colour(word + 1, p);
	case 'I':
		p->field = word[1] == 't' ? 1 : word[1] == 'b' ? 2 : 0;
		return 0;
	case 'X':
		if (strcmp(word, "XCOLORRANGE=FULL") == 0) {
			p->range = ZOE_RANGE_FULL;
		} else if (strcmp(word, "XCOLORRANGE=LIMITED") == 0) {
			p->range = ZOE_RANGE_LIMITED;
		}
		return 0;
	default:
		return 0;
	}
}

static int parse_words(struct y4m_parser *p, const char *line, char *error, size_t size) {
	char copy[Y4M_MAX_LINE], *rest, *word;

	snprintf(copy, sizeof(copy), "%s", line);
	for (word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
		int rc = parse_word(word, p);

		if (rc == -ENOTSUP) {
			snprintf(error, size, "'%.40s' frames are not supported, only 420 and mono",
				word);
			return -EINVAL;
		}
		if (rc < 0) {
			snprintf(error, size, "'%.40s' makes no sense in a Y4M header", word);
			return rc;
		}
	}
	if (p->width == 0 || p->height == 0) {
		snprintf(error, size, "the Y4M header names no %s",
			p->width == 0 ? "width (W)" : "height (H)");
		return -EINVAL;
	}
	return 0;
}

int y4m_parse_header(struct y4m_header *out, const char *line, char *error, size_t size) {
	static const char magic[] = "YUV4MPEG2";
	struct y4m_parser p = {.fourcc = ZOE_FORMAT_YU12, .chroma_site = 2};
	struct y4m_header header;
	size_t n = sizeof(magic) - 1;
	int rc;

	if (strncmp(line, magic, n) != 0 || (line[n] != ' ' && line[n] != '\0')) {
		snprintf(error, size, "not Y4M (for raw frames say --size and --format)");
		return -EINVAL;
	}
	rc = parse_words(&p, line + n, error, size);
	if (rc < 0) {
		return rc;
	}
	rc = zoe_format_init(&header.format, p.fourcc, p.width, p.height);
	if (rc < 0) {
		snprintf(error, size, "%ux%u is too large", p.width, p.height);
		return -EINVAL;
	}
	header.format.chroma_site = p.chroma_site;
	header.format.range = p.range;
	header.format.field = p.field;
	header.rate_num = p.rate_num;
	header.rate_den = p.rate_den;
	*out = header;
	return 0;
}

bool y4m_is_frame(const char *line) {
	return strncmp(line, "FRAME", 5) == 0 && (line[5] == ' ' || line[5] == '\0');
}
