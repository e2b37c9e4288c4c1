/* SPDX-License-Identifier: MIT */
#include "value_text.h"

#include <inttypes.h>
#include <string.h>

#include "access_list.h"
#include "value.h"

/* Decodes one character of UTF-8 text that has been checked before. Returns: its bytes. */
static size_t decode(const char *text, uint32_t *c) {
	unsigned char first = (unsigned char)text[0];
	size_t n = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

	*c = n == 1 ? first : first & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80) {
			*c = '?';
			return i;
		}
		*c = *c << 6 | ((unsigned char)text[i] & 0x3fu);
	}
	return n;
}

/* What YAML does not allow as it stands, takes for a line's end, or a terminal obeys. */
static bool needs_escape(uint32_t c) {
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff ||
	       c == 0xfffe || c == 0xffff;
}

void value_print_quoted(FILE *out, const char *text) {
	fputc('"', out);
	while (*text) {
		uint32_t c;
		size_t n = decode(text, &c);

		if (c == '"' || c == '\\') {
			fprintf(out, "\\%c", (char)c);
		} else if (needs_escape(c)) {
			fprintf(out, "\\u%04" PRIX32, c);
		} else {
			fwrite(text, 1, n, out);
		}
		text += n;
	}
	fputc('"', out);
}

static void print_number(FILE *out, const struct schema_key *key, uint64_t number) {
	char text[32];

	value_format_number(text, sizeof(text), key, number);
	fputs(text, out);
}

static void print_format(FILE *out, const struct zoe_format *format) {
	if (format->fourcc == ZOE_FORMAT_BLOB) {
		fprintf(out, "BLOB %" PRIu32, format->width);
	} else {
		fprintf(out, "%" PRIu32 "x%" PRIu32 " %s", format->width, format->height,
			zoe_format_get_name(format->fourcc));
	}
}

static const void *field_of(const struct schema_key *key, const void *target) {
	return (const char *)target + key->offset;
}

bool value_is_set(const struct schema_key *key, const void *target) {
	const struct stream_config *stream = target;

	if (key->type == SCHEMA_TEXT || key->type == SCHEMA_PATH) {
		return *(char *const *)field_of(key, target) != NULL;
	}
	if (key->type == SCHEMA_FORMAT) {
		return stream->max_format.fourcc != 0;
	}
	if (key->type == SCHEMA_PAYLOAD) {
		return stream->max_format.fourcc == 0 && stream->max_bytes > 0;
	}
	return key->type != SCHEMA_TABLE && key->type != SCHEMA_MAP;
}

static void print_set(FILE *out, const struct schema_key *key, const void *target) {
	const struct stream_config *stream = target;
	const void *field = field_of(key, target);

	switch (key->type) {
	case SCHEMA_COUNT:
	case SCHEMA_SMALL_BYTES:
		print_number(out, key, *(const uint32_t *)field);
		break;
	case SCHEMA_BYTES:
	case SCHEMA_TIME:
		print_number(out, key, *(const uint64_t *)field);
		break;
	case SCHEMA_TEXT:
	case SCHEMA_PATH:
		value_print_quoted(out, *(char *const *)field);
		break;
	case SCHEMA_MODE:
		fprintf(out, "\"%04" PRIo32 "\"", *(const uint32_t *)field);
		break;
	case SCHEMA_LEVEL:
		fputs(value_get_level_name(*(const int *)field), out);
		break;
	case SCHEMA_FULL:
		fputs(*(const bool *)field ? "block" : "drop", out);
		break;
	case SCHEMA_FORMAT:
		print_format(out, &stream->max_format);
		break;
	case SCHEMA_PAYLOAD:
		print_number(out, key, stream->max_bytes);
		break;
	case SCHEMA_WHO:
		access_list_print(out, field);
		break;
	case SCHEMA_TABLE:
	case SCHEMA_MAP:
		break;
	}
}

void value_print(FILE *out, const struct schema_key *key, const void *target) {
	if (value_is_set(key, target)) {
		print_set(out, key, target);
	}
}

void value_print_range(FILE *out, const struct schema_key *key) {
	switch (key->type) {
	case SCHEMA_COUNT:
	case SCHEMA_BYTES:
	case SCHEMA_SMALL_BYTES:
	case SCHEMA_PAYLOAD:
	case SCHEMA_TIME:
		print_number(out, key, key->min);
		fputs(" to ", out);
		print_number(out, key, key->max);
		break;
	case SCHEMA_TEXT:
		fprintf(out, "text, at most %" PRIu64 " bytes", key->max);
		break;
	case SCHEMA_PATH:
		fprintf(out, "absolute path, at most %" PRIu64 " bytes", key->max);
		break;
	case SCHEMA_MODE:
		fputs("octal, \"0000\" to \"0777\"", out);
		break;
	case SCHEMA_LEVEL:
		fputs("error, warning, info, debug", out);
		break;
	case SCHEMA_FULL:
		fputs("drop, block", out);
		break;
	case SCHEMA_FORMAT:
		fputs("picture, \"1920x1080 XR24\"", out);
		break;
	case SCHEMA_WHO:
		fputs("list", out);
		break;
	case SCHEMA_TABLE:
	case SCHEMA_MAP:
		fputs("map", out);
		break;
	}
}

static bool text_is_equal(const char *a, const char *b) {
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool format_is_equal(const struct zoe_format *a, const struct zoe_format *b) {
	return a->fourcc == b->fourcc && a->width == b->width && a->height == b->height;
}

bool value_is_equal(const struct schema_key *key, const void *a, const void *b) {
	const struct stream_config *stream_a = a, *stream_b = b;
	const void *field_a = field_of(key, a), *field_b = field_of(key, b);

	switch (key->type) {
	case SCHEMA_COUNT:
	case SCHEMA_SMALL_BYTES:
	case SCHEMA_MODE:
		return *(const uint32_t *)field_a == *(const uint32_t *)field_b;
	case SCHEMA_BYTES:
	case SCHEMA_TIME:
		return *(const uint64_t *)field_a == *(const uint64_t *)field_b;
	case SCHEMA_TEXT:
	case SCHEMA_PATH:
		return text_is_equal(*(char *const *)field_a, *(char *const *)field_b);
	case SCHEMA_LEVEL:
		return *(const int *)field_a == *(const int *)field_b;
	case SCHEMA_FULL:
		return *(const bool *)field_a == *(const bool *)field_b;
	case SCHEMA_FORMAT:
		return format_is_equal(&stream_a->max_format, &stream_b->max_format);
	case SCHEMA_PAYLOAD:
		/* A picture's bytes are its format's business. */
		return value_is_set(key, a) == value_is_set(key, b) &&
		       (!value_is_set(key, a) || stream_a->max_bytes == stream_b->max_bytes);
	case SCHEMA_WHO:
		return access_list_is_equal(field_a, field_b);
	case SCHEMA_TABLE:
	case SCHEMA_MAP:
		break;
	}
	return true;
}
