/* SPDX-License-Identifier: MIT */
/*
 * zoe keep: the last moments of a stream in a file of one size. It takes, writes and gives back one
 * frame after another; where the disk is too slow, frames are lost to it, and to nobody else.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "keep_summary.h"
#include "keep_sync.h"
#include "keep_writer.h"
#include "tool.h"

enum { META_BYTES = 128 * 1024, ENDED_MS = 20, SHOW_MS = 500, TELL_S = 60 };

struct keep_order {
	const char *stream, *path;
	uint64_t size_bytes; // 0 = as it is
	uint64_t max_frames; // 0 = no end
	uint64_t sync_ns;    // from one sync to the next, at least
	bool is_each_synced, ends_with_stream;
};

struct keep {
	struct tool *tool;              // borrowed
	const struct keep_order *order; // borrowed
	struct keep_writer writer;
	struct keep_sync sync;
	uint8_t meta[META_BYTES];
	uint64_t n_frames, n_bytes, n_lost, n_failed, n_bad;
	uint64_t pending_lost;       // since the last frame that was written
	uint64_t start_ns, shown_ns; // CLOCK_MONOTONIC
	uint64_t shown_bytes;        // n_bytes then
	int told;                    // the last failure that was told, 0 = none
	uint64_t told_ns;
	bool is_failing;              // and nothing was written since
	bool has_new;                 // one that was published since the start was taken
	bool has_begun, has_progress; // a frame was taken; a line of progress stands there
};

static void end_progress_line(struct keep *k) {
	if (k->has_progress) {
		fprintf(stderr, "\r\033[K");
		k->has_progress = false;
	}
}

/* Says it once, until writing succeeds or fails in another way; the same again only after a while:
 * where the disk has no room at one place, that place comes again in each round. */
static void tell_failure(struct keep *k, int rc, const char *sentence) {
	uint64_t now = tool_get_now_ns();

	if (k->told == rc && now - k->told_ns < TELL_S * UINT64_C(1000000000)) {
		return;
	}
	end_progress_line(k);
	k->told = rc;
	k->told_ns = now;
	k->is_failing = true;
	tool_fail("'%s': %s: frames are lost, and tried again", k->order->path, sentence);
}

static void tell_success(struct keep *k) {
	if (k->is_failing) {
		end_progress_line(k);
		fprintf(stderr, "zoe: '%s': is written again; %" PRIu64 " frames were lost\n",
			k->order->path, k->n_failed);
		k->is_failing = false;
	}
}

static void show_progress(struct keep *k) {
	uint64_t now = tool_get_now_ns();
	double seconds = (double)(now - k->shown_ns) / 1e9;

	if (k->tool->is_quiet || !isatty(STDERR_FILENO) ||
		now - k->shown_ns < SHOW_MS * UINT64_C(1000000)) {
		return;
	}
	fprintf(stderr,
		"\r%s: %" PRIu64 " frames, %.1f MB/s, %" PRIu64 " lost, keeps %.1f s \033[K",
		k->order->stream, k->n_frames,
		(double)(k->n_bytes - k->shown_bytes) / 1e6 / seconds, k->n_lost + k->n_failed,
		(double)keep_space_get_span_ns(&k->writer.space) / 1e9);
	k->has_progress = true;
	k->shown_ns = now;
	k->shown_bytes = k->n_bytes;
}

static uint32_t pack_tags(struct keep *k, const struct zoe_frame *frame) {
	uint32_t used = 0;

	for (int tag = ZOE_TAG_DAMAGE; tag <= ZOE_TAG_USER; tag++) {
		size_t size = 0;
		const void *data = zoe_frame_find(frame, (enum zoe_tag)tag, &size);

		if (data != NULL) {
			keep_meta_add(k->meta, META_BYTES, &used, (uint32_t)tag, data, size);
		}
	}
	return used;
}

static bool follows_last_run(const struct keep *k) {
	const struct keep_last *last = &k->writer.last;

	return !k->has_begun && last->is_same_boot && strcmp(last->stream, k->order->stream) == 0;
}

/* The ring may still hold what an earlier run has kept. */
static bool is_kept_already(const struct keep *k, const struct zoe_frame *frame) {
	return follows_last_run(k) && frame->seq <= k->writer.last.seq &&
	       frame->publish_ns <= k->writer.last.publish_ns;
}

/* Frames missing before this one; between two runs, what the ring does not hold any more. */
static uint64_t count_missing(const struct keep *k, const struct zoe_frame *frame) {
	const struct keep_last *last = &k->writer.last;

	if (k->has_begun) {
		return frame->lost;
	}
	return follows_last_run(k) && frame->seq > last->seq && frame->publish_ns > last->publish_ns
		       ? frame->seq - last->seq - 1
		       : 0;
}

static int write_frame(struct keep *k, const struct zoe_frame *frame) {
	const struct keep_item item = {.frame = frame,
		.stream = k->order->stream,
		.meta = k->meta,
		.meta_bytes = pack_tags(k, frame),
		.lost = k->pending_lost};
	int rc = keep_writer_put(&k->writer, &item);

	if (rc == 0 && k->order->is_each_synced) {
		rc = keep_writer_sync(&k->writer);
	} else if (rc == 0) {
		keep_sync_touch(&k->sync);
	}
	return rc;
}

static void take_frame(struct keep *k, const struct zoe_frame *frame) {
	uint64_t missing = count_missing(k, frame);
	int rc;

	k->has_new = k->has_new || frame->publish_ns >= k->start_ns;
	if (is_kept_already(k, frame)) {
		return;
	}
	k->has_begun = true;
	k->n_lost += missing;
	k->pending_lost += missing;
	rc = write_frame(k, frame);
	if (rc < 0) {
		tell_failure(k, rc, k->writer.error);
		k->n_failed++;
		k->pending_lost++;
		return;
	}
	rc = k->order->is_each_synced ? 0 : keep_sync_take_error(&k->sync);
	if (rc < 0) {
		tell_failure(k, rc, strerror(-rc));
	} else {
		tell_success(k);
	}
	k->pending_lost = 0;
	k->n_frames++;
	k->n_bytes += frame->format.size_bytes;
}

/* Returns: 1 a frame is there; 0 look again; -ECANCELED the end that was asked for; else -errno as
 * zoe_consumer_next(). */
static int wait_frame(
	struct keep *k, struct zoe_consumer *consumer, const struct zoe_frame **frame) {
	int rc = k->has_begun ? zoe_consumer_next(consumer, frame, TOOL_TICK_MS)
			      : tool_next(k->tool, consumer, frame, -1);

	if (rc == 0) {
		return 1;
	}
	if (tool_is_stopped() || (rc == -ENODATA && k->has_new && k->order->ends_with_stream)) {
		return -ECANCELED;
	}
	if (rc == -EBADMSG) {
		k->n_bad++;
		k->pending_lost++;
		return 0;
	}
	if (rc == -ENODATA) { /* the producer may come back */
		tool_wait_until(-1, tool_get_now_ns() + ENDED_MS * UINT64_C(1000000));
		return 0;
	}
	return rc == -ETIMEDOUT || rc == -EAGAIN ? 0 : rc;
}

/* Returns: 0 the end that was asked for; TOOL_FAILED with its sentence. */
static int keep_frames(struct keep *k, struct zoe_consumer *consumer) {
	while (!tool_is_stopped() &&
		(k->order->max_frames == 0 || k->n_frames < k->order->max_frames)) {
		const struct zoe_frame *frame;
		int rc = wait_frame(k, consumer, &frame);

		if (rc == -ECANCELED) {
			return 0;
		}
		if (rc < 0) {
			end_progress_line(k);
			return tool_fail_client(k->tool);
		}
		if (rc > 0) {
			take_frame(k, frame);
			zoe_frame_release(frame);
		}
		show_progress(k);
	}
	return 0;
}

static void print_json(const struct keep *k) {
	printf("{\"stream\": ");
	tool_print_json_string(stdout, k->order->stream);
	printf(", \"file\": ");
	tool_print_json_string(stdout, k->order->path);
	printf(", \"size\": %" PRIu64 ", \"reserved\": %s, \"session\": %u, \"frames\": %" PRIu64
	       ", \"bytes\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"failed\": %" PRIu64
	       ", \"bad\": %" PRIu64 ", \"kept\": %" PRIu64 ", \"span_ns\": %" PRIu64 "}\n",
		k->writer.size_bytes, k->writer.is_reserved ? "true" : "false", k->writer.session,
		k->n_frames, k->n_bytes, k->n_lost, k->n_failed, k->n_bad,
		k->writer.space.n_records, keep_space_get_span_ns(&k->writer.space));
}

static void print_summary(struct keep *k) {
	end_progress_line(k);
	if (k->tool->is_json) {
		print_json(k);
	} else if (!k->tool->is_quiet) {
		fprintf(stderr,
			"%s: %" PRIu64 " frames, %.1f MB, %" PRIu64 " lost, %" PRIu64
			" not written; '%s' keeps %" PRIu64 " frames of %.1f s\n",
			k->order->stream, k->n_frames, (double)k->n_bytes / 1e6, k->n_lost,
			k->n_failed, k->order->path, k->writer.space.n_records,
			(double)keep_space_get_span_ns(&k->writer.space) / 1e9);
	}
}

static int open_stream(struct keep *k, struct zoe_consumer **consumer) {
	const struct zoe_consumer_options options = {
		.struct_size = sizeof(options), .delivery = ZOE_EVERY, .start = ZOE_START_OLDEST};
	int rc = tool_connect(k->tool);

	return rc != 0 ? rc : tool_open_consumer(k->tool, k->order->stream, &options, consumer);
}

static int open_file(struct keep *k) {
	int rc = keep_writer_open(&k->writer, k->order->path, k->order->size_bytes);

	if (rc < 0) {
		return tool_fail("%s", k->writer.error);
	}
	if (!k->writer.is_reserved && !k->tool->is_quiet) {
		fprintf(stderr,
			"zoe: '%s': its file system cannot reserve room: should the disk "
			"become full, the file stays as large as it got\n",
			k->order->path);
	}
	if (!k->order->is_each_synced &&
		keep_sync_start(&k->sync, k->writer.fd, k->order->sync_ns) < 0) {
		keep_writer_close(&k->writer);
		return tool_fail("keep: cannot start a thread");
	}
	return 0;
}

static int close_file(struct keep *k) {
	keep_sync_stop(&k->sync);
	return keep_writer_close(&k->writer) < 0
		       ? tool_fail("'%s': %s", k->order->path, k->writer.error)
		       : 0;
}

static int run(struct tool *tool, const struct keep_order *order) {
	static struct keep k;
	struct zoe_consumer *consumer = NULL;
	int rc, closed;

	k = (struct keep){.tool = tool, .order = order};
	k.start_ns = k.shown_ns = tool_get_now_ns();
	rc = open_file(&k); /* first: what cannot be kept need not be waited for */
	if (rc != 0) {
		return rc;
	}
	rc = open_stream(&k, &consumer);
	if (rc == 0) {
		rc = keep_frames(&k, consumer);
		zoe_consumer_close(consumer);
		print_summary(&k);
	}
	closed = close_file(&k);
	if (rc == TOOL_STOPPED) {
		rc = TOOL_DONE;
	}
	return rc != 0 ? rc : closed;
}

static int print_info(struct tool *tool, const char *path) {
	struct keep_summary summary;
	struct keep_file file;
	int fd, rc = keep_summary_open(&file, path, &fd);

	if (rc != 0) {
		return rc;
	}
	rc = keep_summary_take(&summary, &file, path);
	if (rc == 0 && tool->is_json) {
		printf("{\"file\": ");
		tool_print_json_string(stdout, path);
		printf(", ");
		keep_summary_print_json(&summary, &file, stdout);
		printf("}\n");
	} else if (rc == 0) {
		keep_summary_print(&summary, &file, stdout);
	}
	keep_file_close(&file);
	close(fd);
	return rc;
}

struct words {
	const char *size, *sync, *frames, *end, *info;
};

static int parse_values(struct tool *tool, struct keep_order *order, const struct words *w) {
	int sync_ms = 0;

	if (w->size != NULL &&
		(tool_parse_bytes(w->size, &order->size_bytes) < 0 || order->size_bytes == 0)) {
		return tool_fail_usage(tool, "--size %s: bytes, like 512MiB or 2GiB", w->size);
	}
	order->is_each_synced = w->sync != NULL && strcmp(w->sync, "frame") == 0;
	if (w->sync != NULL && !order->is_each_synced &&
		tool_parse_duration_ms(w->sync, &sync_ms) < 0) {
		return tool_fail_usage(
			tool, "--sync %s: 'frame', or a time, like 0 or 1s", w->sync);
	}
	order->sync_ns = (uint64_t)sync_ms * 1000000U;
	order->ends_with_stream = w->end != NULL;
	if (w->frames != NULL &&
		(tool_parse_u64(w->frames, &order->max_frames) < 0 || order->max_frames == 0)) {
		return tool_fail_usage(tool, "--frames %s: a number from 1 on", w->frames);
	}
	return 0;
}

int keep_run(struct tool *tool, int argc, char **argv) {
	struct keep_order order = {.size_bytes = 0};
	struct words w = {NULL, NULL, NULL, NULL, NULL};
	const struct tool_option options[] = {{"size", 's', true, &w.size},
		{"sync", 'y', true, &w.sync}, {"frames", 'n', true, &w.frames},
		{"end", 'e', false, &w.end}, {"info", 'i', false, &w.info}, {NULL, 0, false, NULL}};
	int n_args, rc;

	rc = tool_parse(tool, argc, argv, options, &n_args);
	if (rc >= 0) {
		return rc;
	}
	if (w.info != NULL) {
		return n_args == 1 ? print_info(tool, argv[1])
				   : tool_fail_usage(tool, "--info needs one FILE");
	}
	if (n_args != 2) {
		return tool_fail_usage(tool, "needs a STREAM and a FILE");
	}
	order.stream = argv[1];
	order.path = argv[2];
	rc = parse_values(tool, &order, &w);
	return rc != 0 ? rc : run(tool, &order);
}
