/* SPDX-License-Identifier: MIT */
#include "errors.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define CARET_MAX_COL 200u
#define SHOWN_MAX_BYTES 400u

void config_errors_init(struct config_errors *errors) {
	memset(errors, 0, sizeof(*errors));
}

void config_errors_finish(struct config_errors *errors) {
	for (size_t i = 0; i < errors->n_errors; i++) {
		free(errors->list[i].message);
	}
	free(errors->label);
	free(errors->source);
	memset(errors, 0, sizeof(*errors));
}

int config_errors_begin(
	struct config_errors *errors, const char *label, const char *text, size_t len) {
	config_errors_finish(errors);
	errors->label = strdup(label);
	if (!errors->label) {
		return -ENOMEM;
	}
	if (!text) {
		return 0;
	}
	errors->source = malloc(len + 1);
	if (!errors->source) {
		return -ENOMEM;
	}
	memcpy(errors->source, text, len);
	errors->source[len] = '\0';
	errors->source_len = len;
	return 0;
}

void config_errors_add(
	struct config_errors *errors, uint32_t line, uint32_t col, const char *format, ...) {
	char *message = NULL;
	va_list args;

	if (errors->n_errors == CONFIG_MAX_ERRORS) {
		errors->n_dropped++;
		return;
	}
	va_start(args, format);
	int r = vasprintf(&message, format, args);
	va_end(args);
	if (r < 0) {
		errors->n_dropped++;
		return;
	}
	errors->list[errors->n_errors++] = (struct config_error){line, col, message};
}

static int error_compare(const void *left, const void *right) {
	const struct config_error *a = left;
	const struct config_error *b = right;

	if (a->line != b->line) {
		return a->line < b->line ? -1 : 1;
	}
	if (a->col != b->col) {
		return a->col < b->col ? -1 : 1;
	}
	return strcmp(a->message, b->message);
}

void config_errors_sort(struct config_errors *errors) {
	size_t n = 0;

	qsort(errors->list, errors->n_errors, sizeof(errors->list[0]), error_compare);
	/* What an alias repeats is wrong once. */
	for (size_t i = 0; i < errors->n_errors; i++) {
		if (n > 0 && error_compare(&errors->list[n - 1], &errors->list[i]) == 0) {
			free(errors->list[i].message);
		} else {
			errors->list[n++] = errors->list[i];
		}
	}
	errors->n_errors = n;
}

bool config_errors_has_any(const struct config_errors *errors) {
	return errors->n_errors > 0 || errors->n_dropped > 0;
}

/* Bytes of the character at the text's start; 0 if it is none, or one that a terminal obeys. */
static size_t get_clean_len(const char *text, size_t len) {
	const unsigned char *c = (const unsigned char *)text;
	size_t n = c[0] < 0x80 ? 1 : c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;
	bool is_control = (c[0] < 0x20 && c[0] != '\t') || c[0] == 0x7f;

	if (n == 0 || n > len || c[0] > 0xf4 || is_control ||
		(c[0] == 0xc2 && len > 1 && c[1] < 0xa0)) {
		return 0;
	}
	for (size_t i = 1; i < n; i++) {
		if ((c[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	return n;
}

/* A config may be a stranger's: whatever a terminal would obey (C0, DEL, C1), and what is no UTF-8
 * or only half a character, becomes '?'. */
static void put_clean(FILE *out, const char *text, size_t len) {
	while (len > 0) {
		size_t n = get_clean_len(text, len);

		if (n > 0) {
			fwrite(text, 1, n, out);
		} else {
			fputc('?', out);
			n = 1;
			/* One mark for what is left of a character. */
			while (n < len && ((unsigned char)text[n] & 0xc0) == 0x80) {
				n++;
			}
		}
		text += n;
		len -= n;
	}
}

static bool is_line_end(char c) {
	return c == '\n' || c == '\r';
}

/* Finds line number `line` (from 1); *len is what is worth showing of it.
 * Returns: its start; NULL past the text's end. */
static const char *line_find(const struct config_errors *errors, uint32_t line, size_t *len) {
	const char *at = errors->source;
	const char *end = at + errors->source_len;

	for (uint32_t i = 1; i < line; i++) {
		while (at < end && !is_line_end(*at)) {
			at++;
		}
		if (at == end) {
			return NULL;
		}
		at += (*at == '\r' && at + 1 < end && at[1] == '\n') ? 2 : 1;
	}
	*len = 0;
	while (at + *len < end && *len < SHOWN_MAX_BYTES && !is_line_end(at[*len])) {
		(*len)++;
	}
	return at;
}

static void put_caret(FILE *out, const struct config_errors *errors, const struct config_error *e) {
	size_t len = 0;
	const char *text = NULL;

	if (!errors->source || e->line == 0 || e->col > CARET_MAX_COL) {
		return;
	}
	text = line_find(errors, e->line, &len);
	if (!text) {
		return;
	}
	fputs("  ", out);
	put_clean(out, text, len);
	fputs("\n  ", out);
	/* One blank a character: the bytes that continue a UTF-8 character take none. */
	size_t i = 0;
	for (uint32_t col = 1; col < e->col; col++) {
		bool is_tab = i < len && text[i] == '\t';

		fputc(is_tab ? '\t' : ' ', out);
		do {
			i++;
		} while (i < len && ((unsigned char)text[i] & 0xc0) == 0x80);
	}
	fputs("^\n", out);
}

void config_errors_print(const struct config_errors *errors, FILE *out, bool caret) {
	const char *label = errors->label ? errors->label : "config";

	for (size_t i = 0; i < errors->n_errors; i++) {
		const struct config_error *e = &errors->list[i];

		put_clean(out, label, strlen(label));
		if (e->line > 0) {
			fprintf(out, ":%u:%u", e->line, e->col);
		}
		fputs(errors->are_warnings ? ": warning: " : ": error: ", out);
		put_clean(out, e->message, strlen(e->message));
		fputc('\n', out);
		if (caret) {
			put_caret(out, errors, e);
		}
	}
	if (errors->n_dropped > 0) {
		put_clean(out, label, strlen(label));
		fprintf(out, ": %s: %zu more\n", errors->are_warnings ? "warning" : "error",
			errors->n_dropped);
	}
}
