/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <stdarg.h>
#include <string.h>

#include "tool.h"

/* Room for one more cell. */
static bool table_grow(struct table *t) {
	size_t n = t->n_allocated == 0 ? 64 : t->n_allocated * 2;
	char **cells;

	if (t->n_cells < t->n_allocated) {
		return true;
	}
	cells = reallocarray(t->cells, n, sizeof(*cells));
	if (cells == NULL) {
		return false;
	}
	t->cells = cells;
	t->n_allocated = n;
	return true;
}

void table_add(struct table *t, const char *format, ...) {
	char text[256], safe[256];
	va_list args;
	char *cell;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cell = table_grow(t) ? strdup(tool_printable(text, safe, sizeof(safe))) : NULL;
	if (cell == NULL) {
		t->is_short_of_memory = true;
		return;
	}
	t->cells[t->n_cells++] = cell;
}

/* Characters, not bytes: what follows one's first byte in UTF-8 does not count. */
static int get_width(const char *cell) {
	int width = 0;

	for (; *cell != '\0'; cell++) {
		width += ((unsigned char)*cell & 0xc0) != 0x80;
	}
	return width;
}

void table_print(const struct table *t, FILE *to) {
	int widths[TABLE_MAX_COLUMNS] = {0};

	for (size_t i = 0; i < t->n_cells; i++) {
		int width = get_width(t->cells[i]);

		if (width > widths[i % t->n_columns]) {
			widths[i % t->n_columns] = width;
		}
	}
	for (size_t i = 0; i < t->n_cells; i++) {
		size_t column = i % t->n_columns;

		if (column + 1 == t->n_columns) {
			fprintf(to, "%s\n", t->cells[i]);
		} else {
			fprintf(to, "%s%*s", t->cells[i],
				widths[column] - get_width(t->cells[i]) + 2, "");
		}
	}
	if (t->is_short_of_memory) {
		fputs("...\n", to);
	}
}

void table_finish(struct table *t) {
	for (size_t i = 0; i < t->n_cells; i++) {
		free(t->cells[i]);
	}
	free(t->cells);
	*t = (struct table){.n_columns = 0};
}
