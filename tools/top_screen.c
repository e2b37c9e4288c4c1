/* SPDX-License-Identifier: MIT */
#include "top_screen.h"

#include <errno.h>
#include <locale.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "top_draw.h"

#define SECOND_NS UINT64_C(1000000000)
enum { ANSWER_MS = 500, FIRST_MS = 250, ESCAPE_MS = 25, PATIENCE_MS = 1000 };
enum { KEY_CTRL_L = 'L' & 0x1f };

static const unsigned intervals_ms[] = {100, 200, 500, 1000, 2000, 5000, 10000};

static void screen_finish(struct screen *s) {
	free(s->streams);
	free(s->readers);
	sample_finish(&s->before);
	sample_finish(&s->after);
	*s = (struct screen){.n_streams = 0};
}

size_t screen_find_selected(const struct screen *s) {
	size_t i = 0;

	while (i < s->n_streams && strcmp(s->streams[i].now->name, s->selected) != 0) {
		i++;
	}
	return i;
}

static void list_readers(struct screen *s) {
	const struct flow flow = {.before = &s->before, .after = &s->after};

	free(s->readers);
	s->readers = NULL;
	s->n_readers = 0;
	if (flow_list_readers(&flow, s->selected, &s->readers, &s->n_readers) < 0) {
		snprintf(s->trouble, sizeof(s->trouble), "out of memory");
	}
}

static void select_stream(struct screen *s, size_t i) {
	if (i < s->n_streams && strcmp(s->selected, s->streams[i].now->name) != 0) {
		snprintf(s->selected, sizeof(s->selected), "%s", s->streams[i].now->name);
		s->first_reader = 0;
		list_readers(s);
	}
}

/* After another sample, or for another order. */
static void list_all(struct screen *s) {
	const struct flow flow = {.before = &s->before, .after = &s->after};

	free(s->streams);
	s->streams = NULL;
	s->n_streams = 0;
	if (flow_list_streams(&flow, s->order, &s->streams, &s->n_streams) < 0) {
		snprintf(s->trouble, sizeof(s->trouble), "out of memory");
	}
	list_readers(s);
	if (screen_find_selected(s) == s->n_streams) {
		select_stream(s, 0);
	}
}

/* Another broker counts from the beginning. */
static bool is_same_broker(const struct sample *a, const struct sample *b) {
	return a->broker.pid == b->broker.pid && a->broker.start_ns == b->broker.start_ns;
}

static void take_sample(struct screen *s) {
	struct sample now;
	int rc = sample_ask(s->tool, &now, ANSWER_MS);

	s->next_ns = tool_get_now_ns() + s->interval_ms * UINT64_C(1000000);
	if (rc < 0) {
		if (s->interval_ms < PATIENCE_MS) { /* keys are not heard while it is asked */
			s->next_ns = tool_get_now_ns() + PATIENCE_MS * UINT64_C(1000000);
		}
		snprintf(s->trouble, sizeof(s->trouble), "%s",
			rc == -ENOMEM ? "out of memory" : zoe_client_get_error(s->tool->client));
		sample_finish(&s->before);
	} else {
		s->trouble[0] = '\0';
		sample_finish(&s->before);
		if (is_same_broker(&s->after, &now)) {
			s->before = s->after;
		} else {
			sample_finish(&s->after);
		}
		s->after = now;
	}
	list_all(s);
}

static void toggle_pause(struct screen *s) {
	s->is_paused = !s->is_paused;
	if (!s->is_paused) {
		s->next_ns = tool_get_now_ns();
	}
}

static void change_interval(struct screen *s, bool is_longer) {
	size_t i = 0;

	while (i + 1 < n_elements(intervals_ms) && intervals_ms[i] < s->interval_ms) {
		i++;
	}
	if (is_longer && i + 1 < n_elements(intervals_ms)) {
		i++;
	} else if (!is_longer && i > 0) {
		i--;
	}
	s->interval_ms = intervals_ms[i];
	s->next_ns = s->after.time_ns + s->interval_ms * UINT64_C(1000000);
}

static void change_order(struct screen *s) {
	s->order = s->order + 1 < FLOW_N_ORDERS ? s->order + 1 : FLOW_BY_NAME;
	list_all(s);
}

static void scroll_readers(struct screen *s, bool is_down) {
	size_t page = LINES > 4 ? (size_t)LINES / 4 : 1;

	if (is_down) {
		s->first_reader += page; /* draw_screen() stops at the last */
	} else {
		s->first_reader -= page < s->first_reader ? page : s->first_reader;
	}
}

/* Returns: whether the key moved through the lists. */
static bool handle_move(struct screen *s, int key) {
	size_t at = screen_find_selected(s);

	switch (key) {
	case KEY_UP:
	case 'k':
		select_stream(s, at > 0 ? at - 1 : 0);
		return true;
	case KEY_DOWN:
	case 'j':
		select_stream(s, at + 1);
		return true;
	case KEY_HOME:
	case 'g':
		select_stream(s, 0);
		return true;
	case KEY_END:
	case 'G':
		select_stream(s, s->n_streams - 1);
		return true;
	case KEY_PPAGE:
	case KEY_NPAGE:
		scroll_readers(s, key == KEY_NPAGE);
		return true;
	default:
		return false;
	}
}

static void handle_key(struct screen *s, int key) {
	if (key == KEY_RESIZE) {
		return; /* ncurses knows the size; all is drawn anyway */
	}
	if (key == KEY_CTRL_L) {
		redrawwin(curscr);
		return;
	}
	if (s->is_helping) {
		s->is_helping = false;
		return;
	}
	if (handle_move(s, key)) {
		return;
	}
	switch (key) {
	case 'q':
	case 'Q':
		s->is_quitting = true;
		break;
	case 's':
		change_order(s);
		break;
	case 'p':
	case ' ':
		toggle_pause(s);
		break;
	case '+':
	case '=':
	case '-':
		change_interval(s, key != '-');
		break;
	case 'h':
	case '?':
	case KEY_F(1):
		s->is_helping = true;
		break;
	default:
		break;
	}
}

/* Until a key, a signal or the time of the next sample. SIGWINCH is let in here only: one that
 * came before the wait would else be seen after it.
 * Returns: false the terminal is gone. */
static bool wait_for_key(const struct screen *s, const sigset_t *signals) {
	struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = tool_get_stop_fd(), .events = POLLIN}};
	uint64_t now = tool_get_now_ns();
	uint64_t left = s->next_ns > now ? s->next_ns - now : 0;
	struct timespec wait = {(time_t)(left / SECOND_NS), (long)(left % SECOND_NS)};
	int n = ppoll(fds, 2, s->is_paused ? NULL : &wait, signals);

	return n <= 0 || (fds[0].revents & (POLLERR | POLLHUP | POLLNVAL)) == 0;
}

static void run(struct screen *s, const sigset_t *signals) {
	while (!s->is_quitting && !tool_is_stopped()) {
		int key;

		if (!s->is_paused && tool_get_now_ns() >= s->next_ns) {
			take_sample(s);
		}
		draw_screen(s);
		if (!wait_for_key(s, signals)) {
			return;
		}
		while ((key = getch()) != ERR) {
			handle_key(s, key);
		}
	}
}

static SCREEN *open_terminal(void) {
	SCREEN *terminal;

	setlocale(LC_CTYPE, "");
	terminal = newterm(NULL, stdout, stdin);
	if (terminal == NULL) {
		return NULL;
	}
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	return terminal;
}

int top_screen_run(struct tool *tool, struct sample *first) {
	struct screen s = {.tool = tool, .order = FLOW_BY_NAME, .interval_ms = 1000};
	sigset_t resized, signals;
	SCREEN *terminal;

	sigemptyset(&resized);
	sigaddset(&resized, SIGWINCH);
	sigprocmask(SIG_BLOCK, &resized, &signals);
	terminal = open_terminal();
	if (terminal == NULL) {
		sigprocmask(SIG_SETMASK, &signals, NULL);
		return -ENOTTY;
	}
	s.after = *first;
	*first = (struct sample){.time_ns = 0};
	s.next_ns = s.after.time_ns + FIRST_MS * UINT64_C(1000000);
	s.has_colours = draw_init_colours();
	list_all(&s);
	run(&s, &signals);
	endwin();
	delscreen(terminal);
	sigprocmask(SIG_SETMASK, &signals, NULL);
	screen_finish(&s);
	return tool_is_stopped() ? TOOL_STOPPED : TOOL_DONE;
}
