/* SPDX-License-Identifier: MIT */
#ifndef TOP_GRID_H
#define TOP_GRID_H
/*
 * The two tables of zoe top as words, and how they are cut to a screen's width.
 * Owns:     its cells, from grid_init_*() to grid_finish().
 * Threads:  one.
 * Includes: top_flow.h.
 */
#include "top_flow.h"

enum { GRID_CELL_BYTES = 128, GRID_MAX_COLUMNS = 12 };

struct grid_column {
	const char *title;
	int rank;              // where room is short, the highest goes first
	int least;             // may be cut down to this; 0 = is whole or not there
	int usual;             // no narrower, lest all that follows moves with its digits
	bool is_right;         // flush right
	enum flow_order order; // that sorts by it; FLOW_AS_TOLD = none
};

struct grid {
	const struct grid_column *columns; // static
	size_t n_columns, n_rows;
	char (*cells)[GRID_CELL_BYTES]; // row by row
};

/* Returns: 0; -ENOMEM. */
int grid_init_streams(struct grid *grid, const struct stream_flow *list, size_t n);
/* with_stream: of several streams, so their names come first. */
int grid_init_readers(
	struct grid *grid, const struct reader_flow *list, size_t n, bool with_stream);
void grid_finish(struct grid *grid);
const char *grid_get(const struct grid *grid, size_t row, size_t column);

/* Prints it whole. */
void grid_print(const struct grid *grid, FILE *to);

/* Columns on a line of `width` characters. */
struct grid_fit {
	int width[GRID_MAX_COLUMNS]; // 0 = there is no room for it
	int gap;                     // between two columns
};
struct grid_fit grid_get_fit(const struct grid *grid, int width);

/* Copies what of a text fits into `width` columns of the terminal, in the locale's characters;
 * what was cut ends with '~'. Returns: the columns that it takes. */
int grid_clip(char *out, size_t size, const char *text, int width);
#endif
