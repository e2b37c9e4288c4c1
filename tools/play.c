/* SPDX-License-Identifier: MIT */
/*
 * zoe play: what zoe keep has kept, pushed into a stream at the times at which it was captured.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "keep_summary.h"
#include "tool.h"

#define SECOND_NS UINT64_C(1000000000)
#define FIRST_STEP_NS (SECOND_NS / 30) /* from one frame to the next, where no other tells it */
#define RETRY_NS 1000000
#define MAX_SPEED 1000.0
enum { KEPT_FLAGS = ZOE_CORRUPT | ZOE_DISCONT | ZOE_FULL_DAMAGE | ZOE_STILL };

struct play {
	struct tool *tool; // borrowed
	const char *path, *stream;
	double speed; // 0 = as fast as it goes
	bool is_loop;
	struct keep_file file;
	struct zoe_producer *producer;
	struct keep_frame last;     // its pointers are stale
	uint64_t step_ns;           // between the last two
	uint64_t start_ns, time_ns; // CLOCK_MONOTONIC; of the frame since the first, at speed 1
	uint64_t n_pushed, n_dropped, n_gone, n_tags_lost, shown_ns;
	bool has_last;
};

/* How long after the last one this frame comes. Between two runs of zoe keep, or at the end of a
 * loop, nobody wants to wait: it follows as the one before did. */
static uint64_t get_step_ns(const struct play *p, const struct keep_frame *kept) {
	const struct zoe_frame *before = &p->last.frame, *now = &kept->frame;

	if (!p->has_last) {
		return 0;
	}
	if (kept->number <= p->last.number || kept->session != p->last.session ||
		!keep_frame_is_same_clock(&p->last, kept)) {
		return p->step_ns;
	}
	if (now->pts_ns > before->pts_ns) {
		return now->pts_ns - before->pts_ns;
	}
	return now->publish_ns > before->publish_ns ? now->publish_ns - before->publish_ns : 0;
}

static bool is_jump(const struct play *p, const struct keep_frame *kept) {
	return !p->has_last || kept->number != p->last.number + 1 || kept->frame.lost > 0 ||
	       kept->session != p->last.session;
}

static uint64_t get_due_ns(const struct play *p) {
	return p->speed > 0 ? p->start_ns + (uint64_t)((double)p->time_ns / p->speed) : 0;
}

/* Returns: 0; -ECANCELED; -errno with its sentence printed. */
static int acquire(struct play *p, const struct zoe_format *format, struct zoe_slot **slot) {
	for (;;) {
		int rc = zoe_producer_acquire(p->producer, format, slot, TOOL_TICK_MS);

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
		if (rc == -EAGAIN) { /* a reliable reader is behind: soon it may not be */
			tool_wait_until(-1, tool_get_now_ns() + RETRY_NS);
		}
	}
}

static void copy_pixels(const struct zoe_slot *slot, const struct zoe_frame *frame) {
	uint32_t row_bytes, rows;

	for (unsigned i = 0; i < frame->format.n_planes && i < 4; i++) {
		if (zoe_format_get_plane(&frame->format, i, &row_bytes, &rows) < 0) {
			return;
		}
		for (size_t y = 0; y < rows; y++) {
			memcpy(slot->plane[i] + y * slot->format.stride[i],
				frame->plane[i] + y * frame->format.stride[i], row_bytes);
		}
	}
}

static void copy_tags(struct play *p, struct zoe_slot *slot, const struct keep_frame *kept) {
	for (int tag = ZOE_TAG_DAMAGE; tag <= ZOE_TAG_USER; tag++) {
		size_t size;
		const void *data = keep_frame_find(kept, (enum zoe_tag)tag, &size);

		if (data != NULL && zoe_slot_set(slot, (enum zoe_tag)tag, data, size) < 0) {
			p->n_tags_lost++;
		}
	}
}

static void fill(struct play *p, struct zoe_slot *slot, const struct keep_frame *kept) {
	const struct zoe_frame *frame = &kept->frame;

	copy_pixels(slot, frame);
	copy_tags(p, slot, kept);
	slot->pts_ns = get_due_ns(p);
	slot->duration_ns = p->speed > 0 ? (uint64_t)((double)frame->duration_ns / p->speed)
					 : frame->duration_ns;
	slot->source_seq = frame->source_seq != 0 ? frame->source_seq : frame->seq;
	slot->user[0] = frame->user[0];
	slot->user[1] = frame->user[1];
	slot->flags = frame->flags & KEPT_FLAGS;
	if (is_jump(p, kept)) { /* what changed since is not only what the frame says */
		slot->flags |= ZOE_DISCONT | ZOE_FULL_DAMAGE;
	}
	slot->rate_num = frame->rate_num;
	slot->rate_den = frame->rate_den;
}

/* Returns: 0; -ECANCELED; -errno with its sentence printed. */
static int push_frame(struct play *p, const struct keep_frame *kept) {
	struct zoe_slot *slot;
	int rc;

	p->step_ns = get_step_ns(p, kept);
	p->time_ns += p->step_ns;
	rc = tool_wait_until(-1, get_due_ns(p));
	if (rc == 0) {
		rc = acquire(p, &kept->frame.format, &slot);
	}
	if (rc < 0) {
		return rc;
	}
	fill(p, slot, kept);
	rc = zoe_producer_publish(p->producer, slot);
	if (rc < 0 && rc != -ESTALE) {
		tool_fail_client(p->tool);
		return rc;
	}
	p->n_dropped += rc == -ESTALE;
	p->n_pushed += rc == 0;
	p->last = *kept;
	p->has_last = true;
	return 0;
}

static void show_progress(struct play *p, bool is_last) {
	uint64_t now = tool_get_now_ns();
	char safe[128];

	if (p->tool->is_quiet || !isatty(STDERR_FILENO) ||
		(!is_last && now - p->shown_ns < SECOND_NS)) {
		return;
	}
	p->shown_ns = now;
	fprintf(stderr, "\r%s: %" PRIu64 " frames, %.1f s%s",
		tool_printable(p->stream, safe, sizeof(safe)), p->n_pushed,
		(double)p->time_ns / 1e9, is_last ? "\n" : "   ");
}

/* All frames once. Returns: as push_frame(). */
static int push_all(struct play *p) {
	for (size_t i = 0; i < p->file.n_entries; i++) {
		struct keep_frame kept;
		int rc = keep_file_read(&p->file, i, &kept);

		if (rc == -ESTALE) { /* zoe keep goes on with the file */
			p->n_gone++;
			continue;
		}
		if (rc < 0) {
			tool_fail("'%s': %s", p->path, p->file.error);
			return rc;
		}
		rc = push_frame(p, &kept);
		if (rc < 0) {
			return rc;
		}
		show_progress(p, false);
	}
	return 0;
}

static int play_frames(struct play *p) {
	uint64_t before;
	int rc;

	p->start_ns = p->shown_ns = tool_get_now_ns();
	p->step_ns = FIRST_STEP_NS;
	do {
		before = p->n_pushed + p->n_dropped;
		rc = push_all(p);
	} while (rc == 0 && p->is_loop && p->n_pushed + p->n_dropped > before);
	show_progress(p, true);
	return rc == 0 || rc == -ECANCELED ? TOOL_DONE : TOOL_FAILED;
}

static void print_summary(const struct play *p) {
	if (p->tool->is_json) {
		printf("{\"file\": ");
		tool_print_json_string(stdout, p->path);
		printf(", \"stream\": ");
		tool_print_json_string(stdout, p->stream);
		printf(", \"pushed\": %" PRIu64 ", \"dropped\": %" PRIu64 ", \"gone\": %" PRIu64
		       ", \"tags_lost\": %" PRIu64 ", \"duration_ns\": %" PRIu64 "}\n",
			p->n_pushed, p->n_dropped, p->n_gone, p->n_tags_lost, p->time_ns);
		return;
	}
	if (p->tool->is_quiet) {
		return;
	}
	fprintf(stderr, "played %" PRIu64 " frames of %.1f s, %" PRIu64 " dropped\n", p->n_pushed,
		(double)p->time_ns / 1e9, p->n_dropped);
	if (p->n_gone > 0) {
		fprintf(stderr, "zoe: '%s': %" PRIu64 " frames were written over meanwhile\n",
			p->path, p->n_gone);
	}
	if (p->n_tags_lost > 0) {
		fprintf(stderr,
			"zoe: stream '%s': no room for %" PRIu64 " captions, cursors and the like "
			"(metadata:)\n",
			p->stream, p->n_tags_lost);
	}
}

/* The largest format of the file, so that the stream need not grow on the way.
 * Returns: 0; TOOL_FAILED with its sentence. */
static int find_format(struct play *p, struct zoe_format *format) {
	*format = (struct zoe_format){.fourcc = 0};
	for (size_t i = 0; i < p->file.n_entries; i++) {
		struct keep_frame kept;

		if (keep_file_look(&p->file, i, &kept) == 0 &&
			kept.frame.format.size_bytes > format->size_bytes) {
			*format = kept.frame.format;
		}
	}
	return format->fourcc != 0 ? 0 : tool_fail("'%s': no frame in it", p->path);
}

static int open_and_play(struct play *p) {
	struct zoe_producer_options options = {.struct_size = sizeof(options)};
	int rc = find_format(p, &options.format);

	if (rc == 0) {
		rc = tool_connect(p->tool);
	}
	if (rc == 0) {
		rc = tool_open_producer(p->tool, p->stream, &options, &p->producer);
	}
	if (rc != 0) {
		return rc == TOOL_STOPPED ? TOOL_DONE : rc;
	}
	rc = play_frames(p);
	print_summary(p);
	zoe_producer_end(p->producer);
	zoe_producer_close(p->producer);
	return rc;
}

int play_run(struct tool *tool, int argc, char **argv) {
	struct play p = {.tool = tool, .speed = 1};
	const char *loop = NULL, *speed = NULL;
	const struct tool_option options[] = {
		{"loop", 'l', false, &loop}, {"speed", 'x', true, &speed}, {NULL, 0, false, NULL}};
	int n_args, fd, rc;

	rc = tool_parse(tool, argc, argv, options, &n_args);
	if (rc >= 0) {
		return rc;
	}
	if (n_args != 2) {
		return tool_fail_usage(tool, "needs a FILE and a STREAM");
	}
	if (speed != NULL && (tool_parse_fps(speed, &p.speed) < 0 || p.speed > MAX_SPEED ||
				     (p.speed > 0 && p.speed < 1 / MAX_SPEED))) {
		return tool_fail_usage(
			tool, "--speed %s: 0.001 to 1000, or 0: as fast as it goes", speed);
	}
	p.path = argv[1];
	p.stream = argv[2];
	p.is_loop = loop != NULL;
	rc = keep_summary_open(&p.file, p.path, &fd);
	if (rc == 0) {
		rc = open_and_play(&p);
		keep_file_close(&p.file);
		close(fd);
	}
	return rc;
}
