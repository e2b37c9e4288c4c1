/* SPDX-License-Identifier: MIT */
#ifndef TOP_SCREEN_H
#define TOP_SCREEN_H
/*
 * zoe top on a whole terminal: what is shown, and the keys that change it.
 * Owns:     the terminal, while top_screen_run() runs.
 * Threads:  one.
 * Includes: top_flow.h. ncurses is top_screen.c's and top_draw.c's alone.
 */
#include <errno.h>

#include "top_flow.h"

struct screen {
	struct tool *tool;           // borrowed
	struct sample before, after; // before is empty after another broker came
	struct stream_flow *streams; // of after, sorted
	struct reader_flow *readers; // of the stream that is selected
	size_t n_streams, n_readers;
	char selected[128];                // by its name: streams come and go
	size_t first_stream, first_reader; // at the top of their tables
	enum flow_order order;
	unsigned interval_ms;
	uint64_t next_ns; // of the next sample
	bool is_paused, is_helping, is_quitting, has_colours;
	char trouble[256]; // why there are no news; "" = none
};

#ifdef HAVE_NCURSES
/* Returns: its index; n_streams where there is none. */
size_t screen_find_selected(const struct screen *screen);

/* Shows the screen until q, INT or TERM; goes on from *first, which it takes.
 * Returns: TOOL_DONE; TOOL_STOPPED; -ENOTTY: this terminal cannot do it, nothing has happened. */
int top_screen_run(struct tool *tool, struct sample *first);
#else
static inline int top_screen_run(struct tool *tool, struct sample *first) {
	(void)tool;
	(void)first;
	return -ENOTTY;
}
#endif
#endif
