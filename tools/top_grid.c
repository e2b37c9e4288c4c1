/* SPDX-License-Identifier: MIT */
#include "top_grid.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <wchar.h>

#include "stream_text.h"
#include "table.h"

enum { S_NAME, S_FORMAT, S_FPS, S_CAPTURE, S_READ, S_DROPS, S_READERS, S_MEMORY, S_BY, N_STREAM };
enum {
	R_STREAM,
	R_PID,
	R_APP,
	R_DELIVERY,
	R_FPS,
	R_LAG,
	R_HELD,
	R_TAKEN,
	R_LOST,
	R_READ,
	N_READER
};

static const struct grid_column stream_columns[N_STREAM] = {
	[S_NAME] = {"NAME", 0, 8, 0, false, FLOW_BY_NAME},
	[S_FORMAT] = {"FORMAT", 5, 0, 0, false, FLOW_AS_TOLD},
	[S_FPS] = {"FPS", 1, 0, 5, true, FLOW_BY_FPS},
	[S_CAPTURE] = {"CAP>PUB", 6, 0, 0, true, FLOW_AS_TOLD},
	[S_READ] = {"PUB>READ", 2, 0, 0, true, FLOW_BY_READ},
	[S_DROPS] = {"DROPS", 3, 0, 0, true, FLOW_BY_DROPS},
	[S_READERS] = {"READERS", 4, 0, 0, true, FLOW_BY_READERS},
	[S_MEMORY] = {"MEM", 7, 0, 0, true, FLOW_BY_MEMORY},
	[S_BY] = {"BY", 8, 9, 0, false, FLOW_AS_TOLD},
};
static const struct grid_column reader_columns[N_READER] = {
	[R_STREAM] = {"STREAM", 9, 4, 0, false, FLOW_AS_TOLD}, // stands first: may be left out
	[R_PID] = {"PID", 1, 0, 0, true, FLOW_AS_TOLD},
	[R_APP] = {"APP", 0, 8, 0, false, FLOW_AS_TOLD},
	[R_DELIVERY] = {"DELIVERY", 7, 8, 0, false, FLOW_AS_TOLD},
	[R_FPS] = {"FPS", 5, 0, 5, true, FLOW_AS_TOLD},
	[R_LAG] = {"LAG", 2, 0, 0, true, FLOW_AS_TOLD},
	[R_HELD] = {"HELD", 4, 0, 0, true, FLOW_AS_TOLD},
	[R_TAKEN] = {"TAKEN", 8, 0, 0, true, FLOW_AS_TOLD},
	[R_LOST] = {"LOST", 3, 0, 0, true, FLOW_AS_TOLD},
	[R_READ] = {"PUB>READ", 6, 0, 0, true, FLOW_AS_TOLD},
};

static_assert((int)GRID_CELL_BYTES >= (int)WORD_SIZE, "a word fits into a cell");

static void word_rate(char *cell, double rate) {
	if (rate < 0) {
		snprintf(cell, GRID_CELL_BYTES, "-");
	} else {
		snprintf(cell, GRID_CELL_BYTES, rate < 1000 ? "%.1f" : "%.0f", rate);
	}
}

/* At most five digits. */
static void word_count(char *cell, uint64_t n) {
	static const char units[] = {'k', 'M', 'G', 'T', 'P', 'E'};
	uint64_t value = n;
	size_t unit = 0;

	if (n < 100000) {
		snprintf(cell, GRID_CELL_BYTES, "%" PRIu64, n);
		return;
	}
	for (value /= 1000; value >= 10000 && unit + 1 < sizeof(units); unit++) {
		value /= 1000;
	}
	snprintf(cell, GRID_CELL_BYTES, "%" PRIu64 "%c", value, units[unit]);
}

static void fill_stream_cell(char *cell, const struct stream_flow *flow, size_t column) {
	const struct stream_sample *s = flow->now;

	switch (column) {
	case S_NAME:
		snprintf(cell, GRID_CELL_BYTES, "%s", s->name);
		break;
	case S_FORMAT:
		word_format(cell, &s->format);
		break;
	case S_FPS:
		word_rate(cell, flow->fps);
		break;
	case S_CAPTURE:
		word_span(cell, s->capture_ns);
		break;
	case S_READ:
		word_span(cell, flow->read_ns);
		break;
	case S_DROPS:
		word_count(cell, s->dropped);
		break;
	case S_READERS:
		snprintf(cell, GRID_CELL_BYTES, "%u/%u", s->n_consumers, s->max_consumers);
		break;
	case S_MEMORY:
		word_bytes(cell, s->memory_bytes);
		break;
	default:
		snprintf(cell, GRID_CELL_BYTES, "%s", s->n_producers > 0 ? s->producer : "-");
	}
}

/* What it gets, and with whom it shares that. */
static void word_treatment(char *cell, const struct consumer_sample *c) {
	snprintf(cell, GRID_CELL_BYTES, "%s%s%s",
		c->state == ZOE_PEER_DEMOTED ? word_peer_state(c->state)
					     : word_delivery(c->delivery),
		c->group[0] != '\0' ? " " : "", c->group);
}

static void fill_reader_cell(char *cell, const struct reader_flow *flow, size_t column) {
	const struct consumer_sample *c = flow->now;

	switch (column) {
	case R_STREAM:
		snprintf(cell, GRID_CELL_BYTES, "%s", c->stream);
		break;
	case R_PID:
		snprintf(cell, GRID_CELL_BYTES, "%" PRId32, c->pid);
		break;
	case R_APP:
		snprintf(cell, GRID_CELL_BYTES, "%s", c->app);
		break;
	case R_DELIVERY:
		word_treatment(cell, c);
		break;
	case R_FPS:
		word_rate(cell, flow->fps);
		break;
	case R_LAG:
		word_count(cell, c->lag);
		break;
	case R_HELD:
		snprintf(cell, GRID_CELL_BYTES, "%u", c->held);
		break;
	case R_TAKEN:
		word_count(cell, c->taken);
		break;
	case R_LOST:
		word_count(cell, c->lost);
		break;
	default:
		word_span(cell, c->read_ns);
	}
}

static int grid_make_cells(struct grid *g, size_t n_rows) {
	g->n_rows = n_rows;
	g->cells = calloc(n_rows * g->n_columns + 1, sizeof(*g->cells));
	return g->cells == NULL ? -ENOMEM : 0;
}

/* What strangers said shall not steer the terminal. */
static void set_cell(struct grid *g, size_t row, size_t column, const char *text) {
	tool_printable(text, g->cells[row * g->n_columns + column], GRID_CELL_BYTES);
}

int grid_init_streams(struct grid *g, const struct stream_flow *list, size_t n) {
	char cell[GRID_CELL_BYTES];

	*g = (struct grid){.columns = stream_columns, .n_columns = N_STREAM};
	if (grid_make_cells(g, n) < 0) {
		return -ENOMEM;
	}
	for (size_t row = 0; row < n; row++) {
		for (size_t i = 0; i < N_STREAM; i++) {
			fill_stream_cell(cell, &list[row], i);
			set_cell(g, row, i, cell);
		}
	}
	return 0;
}

int grid_init_readers(struct grid *g, const struct reader_flow *list, size_t n, bool with_stream) {
	size_t first = with_stream ? 0 : R_STREAM + 1;
	char cell[GRID_CELL_BYTES];

	*g = (struct grid){.columns = reader_columns + first, .n_columns = N_READER - first};
	if (grid_make_cells(g, n) < 0) {
		return -ENOMEM;
	}
	for (size_t row = 0; row < n; row++) {
		for (size_t i = first; i < N_READER; i++) {
			fill_reader_cell(cell, &list[row], i);
			set_cell(g, row, i - first, cell);
		}
	}
	return 0;
}

void grid_finish(struct grid *g) {
	free(g->cells);
	*g = (struct grid){.n_rows = 0};
}

const char *grid_get(const struct grid *g, size_t row, size_t column) {
	return g->cells[row * g->n_columns + column];
}

void grid_print(const struct grid *g, FILE *to) {
	struct table t = {.n_columns = g->n_columns};

	for (size_t i = 0; i < g->n_columns; i++) {
		table_add(&t, "%s", g->columns[i].title);
	}
	for (size_t i = 0; i < g->n_rows * g->n_columns; i++) {
		table_add(&t, "%s", g->cells[i]);
	}
	table_print(&t, to);
	table_finish(&t);
}

/* One character of the locale. Returns: its bytes; *columns says how wide it is, *shown is what to
 * print for it. */
static size_t read_character(const char *text, int *columns, bool *is_shown) {
	mbstate_t state = {0};
	wchar_t c;
	size_t n = mbrtowc(&c, text, MB_LEN_MAX, &state);

	*is_shown = n != 0 && n <= MB_LEN_MAX && wcwidth(c) >= 0;
	*columns = *is_shown ? wcwidth(c) : 1;
	return n == 0 || n > MB_LEN_MAX ? 1 : n;
}

int grid_clip(char *out, size_t size, const char *text, int width) {
	size_t len = 0, cut_len = 0;
	int used = 0, cut_used = 0; // with room left for '~'

	while (*text != '\0') {
		int columns;
		bool is_shown;
		size_t n = read_character(text, &columns, &is_shown);

		if (used + columns > width || len + n + 2 > size) {
			break;
		}
		memcpy(out + len, is_shown ? text : "?", is_shown ? n : 1);
		len += is_shown ? n : 1;
		used += columns;
		text += n;
		if (used < width) {
			cut_len = len;
			cut_used = used;
		}
	}
	if (*text != '\0' && width > 0) {
		out[cut_len] = '~';
		len = cut_len + 1;
		used = cut_used + 1;
	}
	out[len] = '\0';
	return used;
}

static int get_width(const char *text) {
	char clipped[4 * GRID_CELL_BYTES];

	return grid_clip(clipped, sizeof(clipped), text, INT_MAX);
}

/* As wide as its widest word, and no narrower than usual. */
static int get_column_width(const struct grid *g, size_t column) {
	int widest = get_width(g->columns[column].title);

	widest = g->columns[column].usual > widest ? g->columns[column].usual : widest;
	for (size_t row = 0; row < g->n_rows; row++) {
		int width = get_width(grid_get(g, row, column));

		widest = width > widest ? width : widest;
	}
	return widest;
}

static int get_least(const struct grid *g, size_t column, int natural) {
	int least = g->columns[column].least;

	return least > 0 && least < natural ? least : natural;
}

/* The room that the columns which are there take, at least or as they would like. */
static int get_sum(const struct grid *g, const struct grid_fit *fit, int gap, bool is_least) {
	int sum = -gap;

	for (size_t i = 0; i < g->n_columns; i++) {
		if (fit->width[i] > 0) {
			sum += gap + (is_least ? get_least(g, i, fit->width[i]) : fit->width[i]);
		}
	}
	return sum;
}

static void hide_last(const struct grid *g, struct grid_fit *fit) {
	size_t last = 0;
	int rank = -1;

	for (size_t i = 0; i < g->n_columns; i++) {
		if (fit->width[i] > 0 && g->columns[i].rank > rank) {
			rank = g->columns[i].rank;
			last = i;
		}
	}
	fit->width[last] = 0;
}

struct grid_fit grid_get_fit(const struct grid *g, int width) {
	struct grid_fit fit = {.gap = 1};
	int spare;

	for (size_t i = 0; i < g->n_columns; i++) {
		fit.width[i] = get_column_width(g, i);
	}
	for (size_t i = 1; i < g->n_columns && get_sum(g, &fit, 1, true) > width; i++) {
		hide_last(g, &fit);
	}
	if (get_sum(g, &fit, 2, false) <= width) {
		fit.gap = 2;
		return fit;
	}
	spare = width - get_sum(g, &fit, 1, true);
	for (size_t i = 0; i < g->n_columns; i++) {
		int least = get_least(g, i, fit.width[i]), more = fit.width[i] - least;

		if (fit.width[i] > 0 && more > 0) {
			more = more < spare ? more : (spare > 0 ? spare : 0);
			fit.width[i] = least + more;
			spare -= more;
		}
	}
	return fit;
}
