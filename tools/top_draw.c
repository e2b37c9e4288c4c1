/* SPDX-License-Identifier: MIT */
#include "top_draw.h"

#include <inttypes.h>
#include <ncurses.h>
#include <stdarg.h>
#include <string.h>

#include "stream_text.h"
#include "top_grid.h"

enum { PAIR_BAD = 1, PAIR_WARN, PAIR_TITLE };
enum { HEADER_LINES = 3, LINE_BYTES = 1024, ROOMY_COLUMNS = 76 };

bool draw_init_colours(void) {
	const char *no = getenv("NO_COLOR");

	if ((no != NULL && no[0] != '\0') || !has_colors() || start_color() == ERR) {
		return false;
	}
	use_default_colors();
	init_pair(PAIR_BAD, COLOR_RED, -1);
	init_pair(PAIR_WARN, COLOR_YELLOW, -1);
	init_pair(PAIR_TITLE, COLOR_CYAN, -1);
	return true;
}

/* attrset() is older than attr_t. */
static void set_look(attr_t how) {
	attrset((int)how);
}

static attr_t get_colour(const struct screen *s, short pair) {
	return s->has_colours ? (attr_t)COLOR_PAIR(pair) : A_NORMAL;
}

/* One line across the screen, cut at its right edge. */
static void draw_line(int y, attr_t how, const char *format, ...) attr_printf(3, 4);
static void draw_line(int y, attr_t how, const char *format, ...) {
	char text[LINE_BYTES], safe[LINE_BYTES], clipped[LINE_BYTES];
	va_list args;

	if (y < 0 || y >= LINES) {
		return;
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	grid_clip(clipped, sizeof(clipped), tool_printable(text, safe, sizeof(safe)), COLS);
	set_look(how);
	mvaddstr(y, 0, clipped);
	set_look(A_NORMAL);
}

static void draw_header(const struct screen *s) {
	const struct broker_sample *b = &s->after.broker;
	char lent[WORD_SIZE], limit[WORD_SIZE], age[WORD_SIZE];

	draw_line(0, A_BOLD, "zoetroped %s  pid %" PRId32 "  up %s  %u streams  %u clients%s",
		b->version, b->pid, word_age(age, b->start_ns), b->n_streams, b->n_clients,
		s->is_paused ? "  PAUSED" : "");
	draw_line(1, A_NORMAL, "memory %s of %s lent  protection %s",
		word_bytes(lent, b->memory_bytes), word_bytes(limit, b->memory_limit_bytes),
		b->protection);
	if (s->trouble[0] != '\0') {
		draw_line(2, A_BOLD | get_colour(s, PAIR_WARN),
			"the broker does not answer, numbers are old: %s", s->trouble);
	}
}

static void draw_keys(const struct screen *s) {
	static const char *const orders[FLOW_N_ORDERS] = {
		"-", "name", "fps", "latency", "drops", "readers", "memory"};

	const char *pause = s->is_paused ? "go on" : "pause", *order = orders[s->order];
	double seconds = s->interval_ms / 1000.0;

	if (s->is_helping) {
		draw_line(LINES - 1, A_REVERSE, "any key: back");
	} else if (COLS >= ROOMY_COLUMNS) {
		draw_line(LINES - 1, A_REVERSE,
			"q quit  arrows/jk select  s sort: %s  p %s  +/- every %gs  h help", order,
			pause, seconds);
	} else {
		draw_line(LINES - 1, A_REVERSE, "q quit  jk select  s sort  p %s  +/- %gs  h help",
			pause, seconds);
	}
}

static void draw_help(void) {
	static const char *const lines[] = {"zoe top: what flows", "",
		"  up, down, j, k     select a stream; its readers are below",
		"  Home, End, g, G    the first, the last stream",
		"  PgUp, PgDn         more of its readers",
		"  s                  sort by name, fps, latency, drops, readers, memory",
		"  p, space           pause, go on",
		"  +, -               longer, shorter interval",
		"  Ctrl-L             draw the screen anew", "  q                  quit", "",
		"CAP>PUB   the newest frame's age when it was published",
		"PUB>READ  from publish to the last take; of a stream, its slowest reader's",
		"DROPS     frames that the producer gave up, since it began",
		"READERS   attached, and the seats there are",
		"LAG HELD  frames a reader is behind; that it holds now",
		"TAKEN LOST  frames since it joined, by its own count",
		"DELIVERY  with a queue's group; demoted: was reliable, and too slow"};

	for (size_t i = 0; i < n_elements(lines); i++) {
		draw_line((int)i, i == 0 ? A_BOLD : A_NORMAL, "%s", lines[i]);
	}
}

/* A part of a grid on the screen. */
struct area {
	const struct grid *grid;
	struct grid_fit fit;
	int y; // of its titles
};

static void draw_cell(int y, int x, int width, bool is_right, const char *text) {
	char clipped[4 * GRID_CELL_BYTES];
	int used = grid_clip(clipped, sizeof(clipped), text, width);

	mvaddstr(y, is_right ? x + width - used : x, clipped);
}

static void draw_titles(const struct screen *s, const struct area *a, enum flow_order order) {
	int x = 0;

	for (size_t i = 0; i < a->grid->n_columns; i++) {
		const struct grid_column *column = &a->grid->columns[i];
		bool is_sorted = column->order != FLOW_AS_TOLD && column->order == order;

		if (a->fit.width[i] > 0) {
			set_look(A_BOLD | get_colour(s, PAIR_TITLE) |
				 (is_sorted ? A_UNDERLINE : A_NORMAL));
			draw_cell(a->y, x, a->fit.width[i], column->is_right, column->title);
			x += a->fit.width[i] + a->fit.gap;
		}
	}
	set_look(A_NORMAL);
}

static void draw_row(const struct area *a, int y, size_t row, attr_t how) {
	int x = 0;

	set_look(how);
	if (how & A_REVERSE) {
		mvhline(y, 0, ' ' | how, COLS);
	}
	for (size_t i = 0; i < a->grid->n_columns; i++) {
		if (a->fit.width[i] > 0) {
			draw_cell(y, x, a->fit.width[i], a->grid->columns[i].is_right,
				grid_get(a->grid, row, i));
			x += a->fit.width[i] + a->fit.gap;
		}
	}
	set_look(A_NORMAL);
}

static attr_t get_stream_look(const struct screen *s, const struct stream_flow *flow) {
	bool is_selected = strcmp(flow->now->name, s->selected) == 0;
	attr_t how = is_selected ? A_REVERSE : A_NORMAL;

	if (flow->is_dropping) {
		return how | get_colour(s, PAIR_BAD);
	}
	return flow->now->n_producers == 0 || s->trouble[0] != '\0' ? how | A_DIM : how;
}

static attr_t get_reader_look(const struct screen *s, const struct reader_flow *flow) {
	if (flow->lost > 0) {
		return get_colour(s, PAIR_BAD);
	}
	if (flow->fps >= 0 && flow->fps <= 0 && flow->now->lag > 0) {
		return get_colour(s, PAIR_WARN); /* there are frames, and it takes none */
	}
	return flow->now->state == ZOE_PEER_PARKED || s->trouble[0] != '\0' ? A_DIM : A_NORMAL;
}

/* The first row to show of n, so that `wanted` is among the n_lines. */
static size_t scroll_to(size_t first, size_t wanted, size_t n_lines) {
	if (n_lines == 0 || wanted < first) {
		return wanted;
	}
	return wanted >= first + n_lines ? wanted - n_lines + 1 : first;
}

/* No empty lines below the last row. */
static size_t scroll_back(size_t first, size_t n, size_t n_lines) {
	size_t last = n > n_lines ? n - n_lines : 0;

	return first < last ? first : last;
}

static void draw_streams(struct screen *s, size_t n_lines) {
	struct grid grid;
	struct area area = {.grid = &grid, .y = HEADER_LINES};

	if (s->n_streams == 0) {
		draw_line(HEADER_LINES, A_NORMAL, "no streams yet; 'zoe push demo' makes one");
		return;
	}
	s->first_stream = scroll_back(s->first_stream, s->n_streams, n_lines);
	s->first_stream = scroll_to(s->first_stream, screen_find_selected(s), n_lines);
	if (grid_init_streams(&grid, s->streams, s->n_streams) < 0) {
		return;
	}
	area.fit = grid_get_fit(&grid, COLS);
	draw_titles(s, &area, s->order);
	for (size_t i = 0; i < n_lines && s->first_stream + i < s->n_streams; i++) {
		size_t row = s->first_stream + i;

		draw_row(&area, area.y + 1 + (int)i, row, get_stream_look(s, &s->streams[row]));
	}
	grid_finish(&grid);
}

static void draw_readers(struct screen *s, int y, size_t n_lines) {
	struct grid grid;
	struct area area = {.grid = &grid, .y = y + 1};

	s->first_reader = scroll_back(s->first_reader, s->n_readers, n_lines);
	if (s->n_readers == 0) {
		draw_line(y, A_BOLD, "no readers of %s", s->selected);
		return;
	}
	draw_line(y, A_BOLD,
		s->n_readers > n_lines ? "readers of %s: %zu-%zu of %zu" : "readers of %s",
		s->selected, s->first_reader + 1, s->first_reader + n_lines, s->n_readers);
	if (grid_init_readers(&grid, s->readers, s->n_readers, false) < 0) {
		return;
	}
	area.fit = grid_get_fit(&grid, COLS);
	draw_titles(s, &area, FLOW_AS_TOLD);
	for (size_t i = 0; i < n_lines && s->first_reader + i < s->n_readers; i++) {
		size_t row = s->first_reader + i;

		draw_row(&area, area.y + 1 + (int)i, row, get_reader_look(s, &s->readers[row]));
	}
	grid_finish(&grid);
}

/* Streams get half of the lines at least; readers what they need of the rest, and what is left. */
static void draw_tables(struct screen *s) {
	/* titles of both, a line that names the stream, the keys */
	size_t used = HEADER_LINES + 4, lines = LINES > 0 ? (size_t)LINES : 0;
	size_t left = lines > used ? lines - used : 0;
	size_t half = (left + 1) / 2, n_streams = s->n_streams;

	if (left < 2 || s->n_streams == 0) { /* no room for readers */
		draw_streams(s, lines > HEADER_LINES + 2 ? lines - HEADER_LINES - 2 : 0);
		return;
	}
	if (n_streams > half) {
		size_t rest = s->n_readers < left ? left - s->n_readers : 0;

		rest = rest > half ? rest : half;
		n_streams = n_streams < rest ? n_streams : rest;
	}
	draw_streams(s, n_streams);
	left -= n_streams;
	draw_readers(s, HEADER_LINES + 1 + (int)n_streams + (left > s->n_readers ? 1 : 0),
		left > s->n_readers ? left - 1 : left);
}

void draw_screen(struct screen *s) {
	erase();
	if (s->is_helping) {
		draw_help();
	} else {
		draw_header(s);
		draw_tables(s);
	}
	draw_keys(s);
	move(LINES - 1, 0);
	wnoutrefresh(stdscr);
	doupdate();
}
