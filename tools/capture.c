/* SPDX-License-Identifier: MIT */
/*
 * zoe capture: a screen or a window into a stream, at its own pace: nothing is read while nobody
 * looks or nothing changes.
 * Owns:     a capture owns its source and its producer.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "capture_x11.h"
#include "tool.h"

struct capture_order {
	const char *stream;
	struct x11_target target;
	double fps;          // at most; 0 = no limit
	uint64_t max_frames; // 0 = no end
};

#ifdef HAVE_X11

enum { ACQUIRE_MS = 50 };

struct capture {
	struct tool *tool;                 // borrowed
	const struct capture_order *order; // borrowed
	struct x11_source *source;
	struct zoe_producer *producer;
	bool is_wanted;
	bool is_due;  // a picture is to be published as soon as it may
	bool is_full; // the next frame does not follow the one grabbed last
	uint64_t n_frames, n_dropped;
	uint64_t interval_ns;        // ours; 0 = no limit
	uint64_t asked_ns;           // the config's and the readers'; 0 = no limit
	uint64_t next_ns;            // when the next frame may be grabbed
	uint64_t start_ns, shown_ns; // CLOCK_MONOTONIC: of the first frame, of the last progress
};

static int fail_source(const struct capture *c, int rc) {
	tool_fail("capture: %s", x11_source_get_error(c->source));
	return rc;
}

static void show_progress(struct capture *c) {
	uint64_t now = tool_get_now_ns();
	double seconds = (double)(now - c->start_ns) / 1e9;
	struct zoe_format f;

	if (c->tool->is_quiet || !isatty(STDERR_FILENO) || now - c->shown_ns < 500000000U) {
		return;
	}
	c->shown_ns = now;
	x11_source_get_format(c->source, &f);
	fprintf(stderr, "\r%s: %ux%u %s, %llu frames, %.1f fps \033[K", c->order->stream, f.width,
		f.height, zoe_format_get_name(f.fourcc), (unsigned long long)c->n_frames,
		seconds > 0 ? (double)c->n_frames / seconds : 0.0);
}

/* Moves the time of the next frame on by one interval, or on from now after a pause. */
static void pace(struct capture *c, uint64_t now) {
	uint64_t interval_ns = c->interval_ns > c->asked_ns ? c->interval_ns : c->asked_ns;

	c->next_ns += interval_ns;
	if (c->next_ns < now) {
		c->next_ns = now + interval_ns;
	}
}

/* Fills the slot and hands it on, or gives it back.
 * Returns: 0; -EAGAIN no frame this time; -errno with its sentence printed. */
static int fill_slot(struct capture *c, struct zoe_slot *slot) {
	int rc = x11_source_grab(c->source, slot, c->is_full);

	if (rc < 0) {
		zoe_producer_cancel(c->producer, slot);
		c->is_full = true;
		return rc == -EAGAIN ? rc : fail_source(c, rc);
	}
	rc = zoe_producer_publish(c->producer, slot);
	c->is_full = rc < 0;
	if (rc == -ESTALE) {
		return -EAGAIN;
	}
	if (rc < 0) {
		tool_fail_client(c->tool);
		return rc;
	}
	return 0;
}

/* Returns: 0 published, or not this time; -errno with its sentence printed. */
static int publish_frame(struct capture *c) {
	struct zoe_format format;
	struct zoe_slot *slot;
	uint64_t now = tool_get_now_ns();
	int rc;

	pace(c, now);
	x11_source_get_format(c->source, &format);
	rc = zoe_producer_acquire(c->producer, &format, &slot, ACQUIRE_MS);
	if (rc == -EAGAIN || rc == -ETIMEDOUT || rc == -EINPROGRESS) {
		c->n_dropped++;
		return 0;
	}
	if (rc < 0) {
		tool_fail_client(c->tool);
		return rc;
	}
	slot->pts_ns = tool_get_now_ns();
	rc = fill_slot(c, slot);
	if (rc < 0) {
		return rc == -EAGAIN ? 0 : rc;
	}
	c->start_ns = c->n_frames++ == 0 ? now : c->start_ns;
	c->is_due = false;
	show_progress(c);
	return 0;
}

/* Notes who looks, and whether anything is new to be seen.
 * Returns: 0; -errno with its sentence printed. */
static int look_around(struct capture *c) {
	int wanted = zoe_producer_get_interval(c->producer, &c->asked_ns);
	int rc;

	if (wanted < 0) {
		tool_fail_client(c->tool);
		return wanted;
	}
	/* A new reader, maybe of a new region: it gets a picture at once. */
	c->is_due = c->is_due || (wanted > 0 && !c->is_wanted);
	c->is_wanted = wanted > 0;
	rc = x11_source_dispatch(c->source);
	if (rc < 0) {
		return fail_source(c, rc);
	}
	c->is_due = c->is_due || rc > 0;
	return 0;
}

/* Sleeps until there is something to do. */
static void sleep_until_due(struct capture *c) {
	struct pollfd fds[3] = {{.fd = x11_source_get_fd(c->source), .events = POLLIN},
		{.fd = zoe_producer_get_fd(c->producer), .events = POLLIN},
		{.fd = tool_get_stop_fd(), .events = POLLIN}};
	uint64_t now = tool_get_now_ns(), wait_ns;
	struct timespec wait;
	bool is_timed = c->is_wanted && (c->is_due || c->order->target.has_cursor);

	wait_ns = c->next_ns > now ? c->next_ns - now : 0;
	wait = (struct timespec){(time_t)(wait_ns / 1000000000U), (long)(wait_ns % 1000000000U)};
	if (is_timed && wait_ns > 0) {
		/* A change in between can wait for the frame's time. */
		ppoll(fds + 1, 2, &wait, NULL);
	} else if (!is_timed) {
		ppoll(fds, 3, NULL, NULL);
	}
	c->is_due = c->is_due || (fds[1].revents & POLLIN) != 0; /* the stream may have moved */
}

/* Returns: 1 a picture was due, and something was said to the X server; 0 not yet; -errno with its
 * sentence printed. */
static int take_turn(struct capture *c) {
	int rc;

	if (!c->is_wanted || tool_get_now_ns() < c->next_ns) {
		return 0;
	}
	if (!c->is_due && !c->order->target.has_cursor) {
		return 0;
	}
	rc = x11_source_track_cursor(c->source);
	if (rc < 0) {
		return fail_source(c, rc);
	}
	if (!c->is_due && rc == 0) {
		pace(c, tool_get_now_ns());
		return 1;
	}
	c->is_due = true;
	rc = publish_frame(c);
	return rc < 0 ? rc : 1;
}

/* Returns: 0 the end that was asked for; -errno with its sentence printed. */
static int film(struct capture *c) {
	c->is_full = c->is_due = true;
	while (!tool_is_stopped()) {
		int rc = look_around(c);

		if (rc == 0) {
			rc = take_turn(c);
		}
		if (rc < 0) {
			return rc;
		}
		if (c->n_frames > 0 && c->n_frames == c->order->max_frames) {
			return 0;
		}
		/* Replies bring events along, which no longer wake a poll: look around first. */
		if (rc == 0) {
			sleep_until_due(c);
		}
	}
	return 0;
}

/* Waits for the stream as --timeout says. Returns: as tool_open_producer(). */
static int open_producer(struct capture *c) {
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .flags = ZOE_EXTERNAL_WRITER};

	x11_source_get_format(c->source, &options.format);
	return tool_open_producer(c->tool, c->order->stream, &options, &c->producer);
}

static int run(struct capture *c) {
	int rc = x11_source_open(c->source, &c->order->target);

	if (rc < 0) {
		fail_source(c, rc);
		return TOOL_FAILED;
	}
	if (tool_connect(c->tool) != 0) {
		return TOOL_FAILED;
	}
	rc = open_producer(c);
	if (rc != 0) {
		return rc == TOOL_STOPPED ? TOOL_DONE : rc;
	}
	rc = film(c);
	if (!c->tool->is_quiet) {
		fprintf(stderr, "%s%s: %llu frames, %llu dropped%s\n",
			isatty(STDERR_FILENO) ? "\r\033[K" : "", c->order->stream,
			(unsigned long long)c->n_frames, (unsigned long long)c->n_dropped,
			x11_source_is_shared(c->source) ? ", written in place by the X server"
							: "");
	}
	zoe_producer_close(c->producer);
	return rc < 0 ? TOOL_FAILED : TOOL_DONE;
}

static int capture_order(struct tool *tool, const struct capture_order *order) {
	struct capture capture = {.tool = tool, .order = order};
	int rc;

	if (order->fps > 0) {
		capture.interval_ns = (uint64_t)(1e9 / order->fps);
	}
	capture.source = x11_source_create();
	if (capture.source == NULL) {
		return tool_fail("capture: out of memory");
	}
	rc = run(&capture);
	x11_source_destroy(capture.source);
	return rc;
}

#else

static int capture_order(struct tool *tool, const struct capture_order *order) {
	(void)tool;
	(void)order;
	return tool_fail("capture: this zoe was built without X11");
}

#endif

struct words {
	const char *display, *window, *fps, *cursor, *frames;
};

/* Returns: 0; TOOL_USAGE. */
static int parse_values(
	const struct tool *tool, struct capture_order *order, const struct words *w) {
	order->target.display = w->display;
	order->target.window = w->window;
	order->target.has_cursor = w->cursor == NULL || strcmp(w->cursor, "composite") == 0;
	order->fps = 60;
	if (!order->target.has_cursor && strcmp(w->cursor, "none") != 0) {
		return tool_fail_usage(tool, "--cursor %s: composite or none", w->cursor);
	}
	if (w->fps != NULL && (tool_parse_fps(w->fps, &order->fps) < 0 || order->fps > 1000)) {
		return tool_fail_usage(tool, "--fps %s: frames a second, up to 1000", w->fps);
	}
	if (order->fps <= 0) {
		order->fps = 1000; /* "no limit"; a screen changes no faster */
	}
	if (w->frames != NULL &&
		(tool_parse_u64(w->frames, &order->max_frames) < 0 || order->max_frames == 0)) {
		return tool_fail_usage(tool, "--frames %s: a number from 1 on", w->frames);
	}
	return 0;
}

int capture_run(struct tool *tool, int argc, char **argv) {
	struct capture_order order = {.max_frames = 0};
	struct words w = {NULL, NULL, NULL, NULL, NULL};
	const struct tool_option options[] = {{"display", 'D', true, &w.display},
		{"window", 'w', true, &w.window}, {"fps", 'r', true, &w.fps},
		{"cursor", 'c', true, &w.cursor}, {"frames", 'n', true, &w.frames},
		{NULL, 0, false, NULL}};
	int n_args, rc;

	rc = tool_parse(tool, argc, argv, options, &n_args);
	if (rc >= 0) {
		return rc;
	}
	if (n_args != 2) {
		return tool_fail_usage(tool, "needs a source (x11) and a STREAM");
	}
	if (strcmp(argv[1], "x11") != 0) {
		return tool_fail_usage(tool, "source '%s': only x11 can be captured", argv[1]);
	}
	order.stream = argv[2];
	rc = parse_values(tool, &order, &w);
	return rc != 0 ? rc : capture_order(tool, &order);
}
