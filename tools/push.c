/* SPDX-License-Identifier: MIT */
/*
 * zoe push: test pictures, or frames from stdin, drawn and read straight into a stream's slots.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "pattern.h"
#include "push_input.h"
#include "tool.h"

#define SECOND_NS UINT64_C(1000000000)
#define RETRY_NS 1000000
#define TICK_NS (TOOL_TICK_MS * UINT64_C(1000000))
#define MIN_FPS 0.001
#define MAX_FPS 100000.0
enum { MAX_CAPTION = 400 };

enum push_source { PUSH_BARS, PUSH_COUNTER, PUSH_INPUT };

struct push {
	struct tool *tool;
	const char *stream, *caption;
	enum push_source source;
	struct zoe_format format;
	struct push_input input;
	struct zoe_producer *producer;
	uint8_t *row; // scratch of the bars
	uint32_t rate_num, rate_den;
	double fps; // 0 = as fast as it goes
	bool has_fps, is_unique, takes_turns;
	uint64_t max_frames; // 0 = for ever
	uint64_t id, n_tried, n_pushed, n_dropped;
	uint64_t start_ns, base_ns, base_frame, shown_ns; // base: where pacing counts from
};

/* In short sleeps: a signal just before one must not last as long as a frame may. */
static void sleep_until(uint64_t time_ns) {
	while (!tool_is_stopped()) {
		uint64_t now = tool_get_now_ns();
		uint64_t end = time_ns > now + TICK_NS ? now + TICK_NS : time_ns;
		struct timespec ts = {(time_t)(end / SECOND_NS), (long)(end % SECOND_NS)};

		if (now >= time_ns) {
			return;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
}

/* Sleeps until the next frame is due. One that is late by more than a second (a suspend, a slow
 * source) is not made up for. */
static void pace(struct push *p) {
	uint64_t due, now = tool_get_now_ns();

	if (p->fps <= 0) {
		return;
	}
	due = p->base_ns + (uint64_t)((double)(p->n_tried - p->base_frame) * 1e9 / p->fps);
	if (now > due + SECOND_NS) {
		p->base_ns = now;
		p->base_frame = p->n_tried;
		return;
	}
	sleep_until(due);
}

/* Returns: 0; -ECANCELED; -errno with its sentence printed. */
static int acquire(struct push *p, struct zoe_slot **slot) {
	for (;;) {
		int rc = zoe_producer_acquire(p->producer, &p->format, slot, TOOL_TICK_MS);

		if (rc == 0) {
			return 0;
		}
		if (tool_is_stopped()) {
			return -ECANCELED;
		}
		if (rc != -ETIMEDOUT && rc != -EAGAIN && rc != -EINPROGRESS) {
			tool_fail_client(p->tool);
			return rc;
		}
		if (rc == -EAGAIN) {
			/* A reliable reader is behind, and the config says drop: a frame later it
			 * may not be. */
			sleep_until(tool_get_now_ns() +
				    (p->fps > 0 ? (uint64_t)(1e9 / p->fps) : RETRY_NS));
		}
	}
}

/* Returns: 0; else as push_input_read(). */
static int fill(struct push *p, struct zoe_slot *slot) {
	struct pattern_id id = {p->n_tried + 1, p->id};

	switch (p->source) {
	case PUSH_BARS:
		pattern_draw_bars(&slot->format, slot->plane, p->n_tried, p->row);
		return 0;
	case PUSH_COUNTER:
		slot->user[0] = id.counter;
		slot->user[1] = id.producer;
		pattern_draw_counter(&slot->format, slot->plane, &id);
		return 0;
	case PUSH_INPUT:
		break;
	}
	return push_input_read(&p->input, &slot->format, slot->plane);
}

static int add_caption(const struct push *p, struct zoe_slot *slot) {
	char text[MAX_CAPTION + sizeof("caption=")];
	int len;

	if (p->caption == NULL) {
		return 0;
	}
	len = snprintf(text, sizeof(text), "caption=%s", p->caption);
	return zoe_slot_set(slot, ZOE_TAG_USER, text, (size_t)len);
}

static int publish(struct push *p, struct zoe_slot *slot) {
	int rc = add_caption(p, slot);

	if (rc < 0) {
		zoe_producer_cancel(p->producer, slot);
		tool_fail("stream '%s': no room for the caption: %s", p->stream, strerror(-rc));
		return rc;
	}
	slot->rate_num = p->rate_num;
	slot->rate_den = p->rate_den;
	rc = zoe_producer_publish(p->producer, slot);
	p->n_tried++;
	if (rc == -ESTALE) {
		p->n_dropped++;
		return 0;
	}
	if (rc < 0) {
		tool_fail_client(p->tool);
		return rc;
	}
	p->n_pushed++;
	return 0;
}

/* Returns: 0; -ENODATA stdin's end; -ECANCELED; -errno with its sentence printed. */
static int push_frame(struct push *p) {
	struct zoe_slot *slot;
	int rc = p->source == PUSH_INPUT ? push_input_begin(&p->input) : 0;

	if (rc == 0) {
		pace(p);
		rc = tool_is_stopped() ? -ECANCELED : acquire(p, &slot);
	}
	if (rc < 0) {
		return rc;
	}
	rc = fill(p, slot);
	if (rc < 0) {
		zoe_producer_cancel(p->producer, slot);
		return rc;
	}
	return publish(p, slot);
}

static void print_progress(struct push *p, bool is_last) {
	uint64_t now = tool_get_now_ns();
	char safe[128];

	if (p->tool->is_quiet || !isatty(STDERR_FILENO) ||
		(!is_last && now - p->shown_ns < SECOND_NS)) {
		return;
	}
	p->shown_ns = now;
	fprintf(stderr, "\r%s: %" PRIu64 " frames, %.1f fps, %" PRIu64 " dropped   %s",
		tool_printable(zoe_producer_get_name(p->producer), safe, sizeof(safe)), p->n_pushed,
		(double)p->n_pushed * 1e9 / (double)(now - p->start_ns + 1), p->n_dropped,
		is_last ? "\n" : "");
}

static int push_frames(struct push *p) {
	int rc = 0;

	p->start_ns = p->base_ns = p->shown_ns = tool_get_now_ns();
	while (rc == 0 && !tool_is_stopped() &&
		(p->max_frames == 0 || p->n_tried < p->max_frames)) {
		rc = push_frame(p);
		print_progress(p, false);
	}
	print_progress(p, true);
	return rc == 0 || rc == -ENODATA || rc == -ECANCELED ? TOOL_DONE : TOOL_FAILED;
}

static void print_summary(const struct push *p) {
	if (p->tool->is_json) {
		printf("{\"stream\": ");
		tool_print_json_string(stdout, zoe_producer_get_name(p->producer));
		printf(", \"pushed\": %" PRIu64 ", \"dropped\": %" PRIu64 "}\n", p->n_pushed,
			p->n_dropped);
	} else if (!p->tool->is_quiet) {
		fprintf(stderr, "pushed %" PRIu64 " frames, %" PRIu64 " dropped\n", p->n_pushed,
			p->n_dropped);
	}
}

static int open_and_push(struct push *p) {
	struct zoe_producer_options options = {.struct_size = sizeof(options),
		.format = p->format,
		.flags = (p->is_unique ? ZOE_UNIQUE_NAME : 0) |
			 (p->takes_turns ? ZOE_TAKE_TURNS : 0)};
	int rc = tool_connect(p->tool);

	if (rc == 0) {
		rc = tool_open_producer(p->tool, p->stream, &options, &p->producer);
	}
	if (rc != 0) {
		return rc;
	}
	if (p->is_unique && !p->tool->is_quiet) {
		fprintf(stderr, "zoe: pushing as '%s'\n", zoe_producer_get_name(p->producer));
	}
	rc = push_frames(p);
	print_summary(p);
	zoe_producer_end(p->producer); /* readers need not wait for more */
	zoe_producer_close(p->producer);
	return rc;
}

struct push_words {
	const char *pattern, *size, *format, *fps, *frames, *caption, *unique, *turns;
};

static int print_formats(void) {
	const char *spellings;
	uint32_t fourcc;

	for (unsigned i = 0; (fourcc = zoe_format_get_known(i, &spellings)) != 0; i++) {
		printf("%-4s  %s\n", zoe_format_get_name(fourcc), spellings);
	}
	return TOOL_DONE;
}

/* Returns: 0; TOOL_USAGE. */
static int parse_format(struct push *p, const struct push_words *w) {
	uint32_t width = 1280, height = 720;
	uint32_t fourcc = zoe_format_find_fourcc(w->format != NULL ? w->format : "XR24");

	if (w->size != NULL && (tool_parse_size(w->size, &width, &height) < 0 || width == 0 ||
				       height == 0 || width > 65535 || height > 65535)) {
		return tool_fail_usage(p->tool, "--size %s: WxH, each 1 to 65535", w->size);
	}
	if (fourcc == 0 || fourcc == ZOE_FORMAT_BLOB) {
		return tool_fail_usage(
			p->tool, "--format %s: '--format help' lists them", w->format);
	}
	if (zoe_format_init(&p->format, fourcc, width, height) < 0) {
		return tool_fail_usage(p->tool, "--size %s: frames of 4 GiB or more", w->size);
	}
	return 0;
}

static int parse_source(struct push *p, const struct push_words *w, bool is_stdin) {
	if (is_stdin && w->pattern != NULL) {
		return tool_fail_usage(p->tool, "either - or --pattern");
	}
	if (is_stdin && (w->size == NULL) != (w->format == NULL)) {
		return tool_fail_usage(p->tool, "raw frames need both --size and --format");
	}
	if (is_stdin) {
		p->source = PUSH_INPUT;
	} else if (w->pattern == NULL || strcmp(w->pattern, "bars") == 0) {
		p->source = PUSH_BARS;
	} else if (strcmp(w->pattern, "counter") == 0) {
		p->source = PUSH_COUNTER;
	} else {
		return tool_fail_usage(p->tool, "--pattern %s: bars or counter", w->pattern);
	}
	return 0;
}

static int parse_words(struct push *p, const struct push_words *w, bool is_stdin) {
	int rc = parse_source(p, w, is_stdin);

	if (rc == 0) {
		rc = parse_format(p, w);
	}
	if (rc != 0) {
		return rc;
	}
	p->fps = 30;
	p->has_fps = w->fps != NULL;
	if (p->has_fps && (tool_parse_fps(w->fps, &p->fps) < 0 ||
				  (p->fps > 0 && p->fps < MIN_FPS) || p->fps > MAX_FPS)) {
		return tool_fail_usage(
			p->tool, "--fps %s: 0.001 to 100000, or 0: no limit", w->fps);
	}
	if (w->frames != NULL &&
		(tool_parse_u64(w->frames, &p->max_frames) < 0 || p->max_frames == 0)) {
		return tool_fail_usage(p->tool, "--frames %s: a number from 1 on", w->frames);
	}
	if (w->caption != NULL && strlen(w->caption) > MAX_CAPTION) {
		return tool_fail_usage(p->tool, "--caption: at most %d bytes", MAX_CAPTION);
	}
	p->caption = w->caption;
	p->is_unique = w->unique != NULL;
	p->takes_turns = w->turns != NULL;
	if (p->is_unique && p->takes_turns) {
		return tool_fail_usage(p->tool, "--unique and --turns: one or the other");
	}
	return 0;
}

/* The rate that frames name, and the pace of a Y4M file. */
static void set_rate(struct push *p) {
	double rate = p->input.rate_den == 0 ? 0 : (double)p->input.rate_num / p->input.rate_den;

	if (!p->has_fps && rate >= MIN_FPS && rate <= MAX_FPS) {
		p->fps = rate;
		p->rate_num = p->input.rate_num;
		p->rate_den = p->input.rate_den;
	} else if (p->fps > 0) {
		p->rate_num = (uint32_t)(p->fps * 1000 + 0.5);
		p->rate_den = 1000;
	}
}

static void set_colour(struct zoe_format *f) {
	bool is_yuv =
		f->n_planes > 1 || f->fourcc == ZOE_FORMAT_YUYV || f->fourcc == ZOE_FORMAT_UYVY;

	f->primaries = 1;              /* H.273: BT.709 */
	f->transfer = is_yuv ? 1 : 13; /* BT.709; sRGB */
	f->matrix = is_yuv ? 1 : 0;    /* BT.709; none */
	f->range = is_yuv ? ZOE_RANGE_LIMITED : ZOE_RANGE_FULL;
}

/* Returns: 0; TOOL_FAILED with its sentence; TOOL_STOPPED. */
static int prepare(struct push *p, bool is_raw) {
	switch (p->source) {
	case PUSH_BARS:
		set_colour(&p->format);
		p->row = malloc((size_t)p->format.width * 4);
		return p->row != NULL ? 0 : tool_fail("push: out of memory");
	case PUSH_COUNTER:
		if (getrandom(&p->id, sizeof(p->id), 0) != (ssize_t)sizeof(p->id)) {
			return tool_fail("push: no random number: %s", strerror(errno));
		}
		return 0;
	case PUSH_INPUT:
		break;
	}
	if (push_input_init(&p->input, STDIN_FILENO, is_raw ? &p->format : NULL) != 0) {
		return tool_is_stopped() ? TOOL_STOPPED : TOOL_FAILED;
	}
	p->format = p->input.format;
	return 0;
}

int push_run(struct tool *tool, int argc, char **argv) {
	struct push_words w = {.pattern = NULL};
	struct push p = {.tool = tool};
	const struct tool_option options[] = {{"pattern", 'p', true, &w.pattern},
		{"size", 's', true, &w.size}, {"format", 'f', true, &w.format},
		{"fps", 'r', true, &w.fps}, {"frames", 'n', true, &w.frames},
		{"caption", 'c', true, &w.caption}, {"unique", 'u', false, &w.unique},
		{"turns", 'T', false, &w.turns}, {NULL, 0, false, NULL}};
	int n_args, rc = tool_parse(tool, argc, argv, options, &n_args);

	if (rc >= 0) {
		return rc;
	}
	if (w.format != NULL && strcmp(w.format, "help") == 0) {
		return print_formats();
	}
	if (n_args < 1 || n_args > 2 || (n_args == 2 && strcmp(argv[2], "-") != 0)) {
		return tool_fail_usage(tool, "needs a STREAM, and perhaps - for stdin");
	}
	p.stream = argv[1];
	rc = parse_words(&p, &w, n_args == 2);
	if (rc == 0) {
		rc = prepare(&p, w.format != NULL);
	}
	if (rc == 0) {
		set_rate(&p);
		rc = open_and_push(&p);
	}
	free(p.row);
	return rc;
}
