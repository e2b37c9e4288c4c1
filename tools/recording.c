/* SPDX-License-Identifier: MIT */
#include "recording.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct recording {
	struct tool *tool;                   // borrowed
	const struct recording_order *order; // borrowed
	struct record_target target;         // path: as given
	struct record_sink *sink;            // NULL: none open
	char *path;                          // of the sink, if not target.path
	unsigned n_files;
	struct zoe_format format;
	uint64_t n_frames, n_lost, n_bad, n_bytes, n_repeated, n_omitted;
	int64_t time_ns, shift_ns;   // of the last frame; what is taken off pts_ns
	uint64_t publish_ns;         // of the last frame
	uint64_t start_ns, shown_ns; // CLOCK_MONOTONIC: of the first frame, of the last progress
};

/* Time since the first frame, strictly increasing. Where the producer's clock steps back (another
 * producer, another clock), time goes on by what passed between the two publishings. */
static int64_t advance_time(struct recording *r, const struct zoe_frame *frame) {
	int64_t pts = (int64_t)frame->pts_ns;
	int64_t passed = (int64_t)(frame->publish_ns - r->publish_ns);

	if (r->n_frames == 0) {
		r->shift_ns = pts;
		r->time_ns = 0;
	} else if (pts - r->shift_ns <= r->time_ns) {
		r->time_ns += passed > 0 ? passed : 1;
		r->shift_ns = pts - r->time_ns;
	} else {
		r->time_ns = pts - r->shift_ns;
	}
	r->publish_ns = frame->publish_ns;
	return r->time_ns;
}

/* OpenGL's pictures begin with the bottom row (transform 6, flipped and turned by 180 degrees):
 * they are read from their end. Other turns are left to the player. */
static void view_frame(
	struct recording *r, const struct zoe_frame *frame, struct record_picture *out) {
	uint32_t row_bytes, rows;

	*out = (struct record_picture){.format = frame->format};
	for (unsigned i = 0; i < frame->format.n_planes && i < 4; i++) {
		out->plane[i] = frame->plane[i];
		out->stride[i] = (int)frame->format.stride[i];
		if (frame->format.transform == 6 &&
			zoe_format_get_plane(&frame->format, i, &row_bytes, &rows) == 0) {
			out->plane[i] += (size_t)(rows - 1) * frame->format.stride[i];
			out->stride[i] = -out->stride[i];
		}
	}
	out->time_ns = advance_time(r, frame);
}

static bool is_same_picture(const struct zoe_format *a, const struct zoe_format *b) {
	return a->fourcc == b->fourcc && a->width == b->width && a->height == b->height;
}

/* "a/b.mkv" -> "a/b-2.mkv". Returns: NULL when memory is short. */
static char *make_numbered_path(const char *path, unsigned number) {
	const char *name = strrchr(path, '/');
	const char *dot = strrchr(name != NULL ? name : path, '.');
	int stem = dot != NULL ? (int)(dot - path) : (int)strlen(path);
	char *numbered;

	return asprintf(&numbered, "%.*s-%u%s", stem, path, number, dot != NULL ? dot : "") < 0
		       ? NULL
		       : numbered;
}

/* Finishes the file, also after a failed write, whose sentence is the one to be kept.
 * Returns: 0; -errno with its sentence printed. */
static int close_sink(struct recording *r) {
	int rc = 0;

	if (r->sink == NULL) {
		return 0;
	}
	rc = r->sink->ops->finish(r->sink);
	if (rc < 0) {
		tool_fail("record: %s", r->sink->error);
	}
	r->n_bytes += r->sink->n_bytes;
	r->n_repeated += r->sink->n_repeated;
	r->n_omitted += r->sink->n_omitted;
	r->sink->ops->destroy(r->sink);
	r->sink = NULL;
	free(r->path);
	r->path = NULL;
	return rc;
}

/* Prints why, and finishes what there is of the file without another word. */
static int fail_sink(struct recording *r, int rc) {
	tool_fail("record: %s", r->sink->error);
	r->sink->ops->finish(r->sink);
	r->n_bytes += r->sink->n_bytes;
	r->sink->ops->destroy(r->sink);
	r->sink = NULL;
	free(r->path);
	r->path = NULL;
	return rc;
}

static struct record_sink *create_sink(enum record_container container) {
	if (container == RECORD_Y4M || container == RECORD_RAW) {
		return record_raw_create();
	}
#ifdef HAVE_LIBAV
	return record_av_create();
#else
	tool_fail("record: this zoe was built without libav: only .y4m and .raw files");
	return NULL;
#endif
}

static int take_rate(void *user, const struct zoe_status *status) {
	struct recording *r = user;

	if (status->stream != NULL && status->stream->rate_mhz > 0) {
		r->target.fps = status->stream->rate_mhz / 1000.0;
	}
	return 0;
}

/* A constant rate where none was asked for: the producer's word, what the broker measured, 30. */
static void choose_rate(struct recording *r, const struct zoe_frame *frame) {
	if (r->target.fps > 0 || r->target.container != RECORD_Y4M) {
		return;
	}
	if (frame->rate_num > 0 && frame->rate_den > 0) {
		r->target.fps = (double)frame->rate_num / frame->rate_den;
		return;
	}
	zoe_client_status(r->tool->client, r->order->stream, take_rate, r, 1000);
	if (r->target.fps >= 1 && r->target.fps <= 1000) {
		r->target.fps = (double)(long)(r->target.fps + 0.5);
	} else {
		r->target.fps = 30;
	}
}

static int open_sink(struct recording *r, const struct record_picture *picture) {
	int rc;

	r->n_files++;
	if (r->n_files > 1) {
		r->path = make_numbered_path(r->target.path, r->n_files);
	}
	r->sink = create_sink(r->target.container);
	if (r->sink == NULL || (r->n_files > 1 && r->path == NULL)) {
		return -ENOMEM;
	}
	r->sink->target = r->target;
	if (r->path != NULL) {
		r->sink->target.path = r->path;
		fprintf(stderr, "zoe: record: the picture is %ux%u %s now and goes on in '%s'\n",
			picture->format.width, picture->format.height,
			zoe_format_get_name(picture->format.fourcc), r->path);
	}
	r->format = picture->format;
	rc = r->sink->ops->open(r->sink, picture);
	return rc < 0 ? fail_sink(r, rc) : 0;
}

static int change_file(struct recording *r) {
	if (strcmp(r->target.path, "-") == 0) {
		tool_fail("record: stream '%s': the picture changed, and stdout cannot begin anew",
			r->order->stream);
		close_sink(r);
		return -EPIPE;
	}
	return close_sink(r);
}

static void show_progress(struct recording *r) {
	uint64_t now = tool_get_now_ns();
	double seconds = (double)(now - r->start_ns) / 1e9;

	if (r->tool->is_quiet || !isatty(STDERR_FILENO) || now - r->shown_ns < 500000000U) {
		return;
	}
	r->shown_ns = now;
	fprintf(stderr, "\r%s: %llu frames, %llu lost, %.1f MB, %.1f fps \033[K", r->order->stream,
		(unsigned long long)r->n_frames, (unsigned long long)r->n_lost,
		(double)(r->n_bytes + (r->sink != NULL ? r->sink->n_bytes : 0)) / 1e6,
		seconds > 0 ? (double)r->n_frames / seconds : 0.0);
}

int recording_put(struct recording *r, const struct zoe_frame *frame) {
	struct record_picture picture;
	int rc = 0;

	if (r->n_frames == 0) {
		r->start_ns = tool_get_now_ns();
		choose_rate(r, frame);
	} else {
		r->n_lost += frame->lost;
	}
	view_frame(r, frame, &picture);
	if (r->sink != NULL && !is_same_picture(&r->format, &frame->format)) {
		rc = change_file(r);
	}
	if (rc == 0 && r->sink == NULL) {
		rc = open_sink(r, &picture);
	}
	if (rc < 0) {
		return rc;
	}
	rc = r->sink->ops->write(r->sink, &picture);
	if (rc < 0) {
		return fail_sink(r, rc);
	}
	r->n_frames++;
	show_progress(r);
	return 0;
}

/* How long to wait for a frame; 0: the recording is as long as asked for. */
static int get_wait_ms(const struct recording *r) {
	uint64_t passed_ms;

	if (r->order->duration_ms == 0 || r->n_frames == 0) {
		return -1;
	}
	passed_ms = (tool_get_now_ns() - r->start_ns) / 1000000U;
	return passed_ms >= (uint64_t)r->order->duration_ms
		       ? 0
		       : r->order->duration_ms - (int)passed_ms;
}

/* Returns: 0 all is recorded that was asked for; -errno with its sentence printed. */
static int record_frames(struct recording *r, struct zoe_consumer *consumer) {
	while (r->order->max_frames == 0 || r->n_frames < r->order->max_frames) {
		const struct zoe_frame *frame;
		int wait_ms = get_wait_ms(r), rc;

		if (wait_ms == 0) {
			return 0;
		}
		rc = tool_next(r->tool, consumer, &frame, wait_ms);
		if (rc == -EBADMSG) {
			r->n_bad++;
			continue;
		}
		if (rc == -ECANCELED || rc == -ENODATA || (rc == -ETIMEDOUT && wait_ms > 0)) {
			return 0;
		}
		if (rc < 0) {
			tool_fail_client(r->tool);
			return rc;
		}
		rc = recording_put(r, frame);
		zoe_frame_release(frame);
		if (rc < 0) {
			return rc;
		}
	}
	return 0;
}

struct recording *recording_create(struct tool *tool, const struct recording_order *order) {
	struct recording *r = calloc(1, sizeof(*r));

	if (r != NULL) {
		*r = (struct recording){.tool = tool, .order = order, .target = order->target};
	}
	return r;
}

int recording_destroy(struct recording *r) {
	int rc = close_sink(r);

	free(r);
	return rc;
}

static void print_json(const struct recording *r) {
	FILE *to = strcmp(r->target.path, "-") == 0 ? stderr : stdout;

	fprintf(to, "{\"stream\": ");
	tool_print_json_string(to, r->order->stream);
	fprintf(to, ", \"file\": ");
	tool_print_json_string(to, r->target.path);
	fprintf(to,
		", \"files\": %u, \"frames\": %llu, \"lost\": %llu, \"bad\": %llu, \"bytes\": "
		"%llu, "
		"\"repeated\": %llu, \"omitted\": %llu, \"duration_ns\": %lld}\n",
		r->n_files, (unsigned long long)r->n_frames, (unsigned long long)r->n_lost,
		(unsigned long long)r->n_bad, (unsigned long long)r->n_bytes,
		(unsigned long long)r->n_repeated, (unsigned long long)r->n_omitted,
		(long long)r->time_ns);
}

static void print_summary(const struct recording *r) {
	if (r->tool->is_json) {
		print_json(r);
		return;
	}
	if (r->tool->is_quiet) {
		return;
	}
	fprintf(stderr, "%s%s: %llu frames, %llu lost, %.1f MB, %.1f s",
		isatty(STDERR_FILENO) ? "\r\033[K" : "", r->order->stream,
		(unsigned long long)r->n_frames, (unsigned long long)r->n_lost,
		(double)r->n_bytes / 1e6, (double)r->time_ns / 1e9);
	if (r->target.container == RECORD_Y4M) {
		fprintf(stderr, ", %llu repeated and %llu left out to keep %g fps",
			(unsigned long long)r->n_repeated, (unsigned long long)r->n_omitted,
			r->target.fps);
	}
	fputc('\n', stderr);
}

static int run(struct recording *r) {
	const struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = r->order->is_reliable ? ZOE_RELIABLE : ZOE_EVERY,
		.start = ZOE_START_NEWEST};
	struct zoe_consumer *consumer = NULL;
	int rc;

	signal(SIGPIPE, SIG_IGN); /* a reader of `-` that leaves is an error to be told */
	rc = tool_open_consumer(r->tool, r->order->stream, &options, &consumer);
	if (rc != 0) {
		return rc == TOOL_STOPPED ? TOOL_DONE : rc;
	}
	rc = record_frames(r, consumer);
	if (rc < 0) {
		close_sink(r);
	} else {
		rc = close_sink(r);
	}
	if (zoe_consumer_take_events(consumer) & ZOE_EV_DEMOTED) {
		tool_fail("stream '%s': the file could not keep up: not reliable any more",
			r->order->stream);
	}
	zoe_consumer_close(consumer);
	print_summary(r);
	return rc < 0 ? TOOL_FAILED : TOOL_DONE;
}

int recording_run(struct tool *tool, const struct recording_order *order) {
	struct recording recording = {.tool = tool, .order = order, .target = order->target};

	return run(&recording);
}
