/* SPDX-License-Identifier: MIT */
#ifndef TABLE_H
#define TABLE_H
/*
 * Rows of words, printed in columns as wide as their widest word.
 * Owns:     its text, from zeroed memory to table_finish().
 * Threads:  one.
 * Includes: the C library and attr.h.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "attr.h"

enum { TABLE_MAX_COLUMNS = 16 };

struct table {
	size_t n_columns; // set before the first cell
	char **cells;     // row by row
	size_t n_cells, n_allocated;
	bool is_short_of_memory; // rows are missing
};

/* Adds the next cell of the row that is not yet full; control bytes become '?'. */
void table_add(struct table *table, const char *format, ...) attr_printf(2, 3);
void table_print(const struct table *table, FILE *to);
void table_finish(struct table *table);
#endif
