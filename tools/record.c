/* SPDX-License-Identifier: MIT */
/*
 * zoe record: the command's options.
 */
#include "recording.h"

#include <string.h>

static const struct suffix {
	const char *name;
	enum record_container container;
} suffixes[] = {{"nut", RECORD_NUT}, {"mkv", RECORD_MKV}, {"y4m", RECORD_Y4M}, {"raw", RECORD_RAW}};

static int parse_container(
	const struct tool *tool, const char *path, const char *format, enum record_container *out) {
	const char *dot = strrchr(path, '.');
	const char *word = format;

	if (word == NULL) {
		word = strcmp(path, "-") == 0 ? "nut" : dot != NULL ? dot + 1 : "";
	}
	for (size_t i = 0; i < n_elements(suffixes); i++) {
		if (strcasecmp(word, suffixes[i].name) == 0) {
			*out = suffixes[i].container;
			return 0;
		}
	}
	return format != NULL ? tool_fail_usage(tool, "--format %s: nut, mkv, y4m or raw", format)
			      : tool_fail_usage(tool,
					"'%s': ends in none of .nut .mkv .y4m .raw; "
					"or say --format",
					path);
}

static int parse_codec(const struct tool *tool, const struct record_target *target) {
	const char *codec = target->codec;

	if (codec == NULL) {
		return 0;
	}
	if (target->container == RECORD_Y4M || target->container == RECORD_RAW) {
		return tool_fail_usage(tool, "--codec: .y4m and .raw files have none");
	}
	if (strcmp(codec, "raw") != 0 && strcmp(codec, "ffv1") != 0 && strcmp(codec, "h264") != 0) {
		return tool_fail_usage(tool, "--codec %s: raw, ffv1 or h264", codec);
	}
	return 0;
}

struct words {
	const char *format, *codec, *frames, *duration, *fps, *reliable;
};

static int parse_values(struct tool *tool, struct recording_order *r, const struct words *w) {
	int rc = parse_container(tool, r->target.path, w->format, &r->target.container);

	if (rc != 0) {
		return rc;
	}
	r->target.codec = w->codec;
	r->is_reliable = w->reliable != NULL;
	if (w->frames != NULL &&
		(tool_parse_u64(w->frames, &r->max_frames) < 0 || r->max_frames == 0)) {
		return tool_fail_usage(tool, "--frames %s: a number from 1 on", w->frames);
	}
	if (w->duration != NULL &&
		(tool_parse_duration_ms(w->duration, &r->duration_ms) < 0 || r->duration_ms <= 0)) {
		return tool_fail_usage(
			tool, "--duration %s: a time, like 10s or 500ms", w->duration);
	}
	if (w->fps != NULL && (tool_parse_fps(w->fps, &r->target.fps) < 0 || r->target.fps <= 0)) {
		return tool_fail_usage(tool, "--fps %s: frames a second, like 60", w->fps);
	}
	if (w->fps != NULL && r->target.container != RECORD_Y4M) {
		return tool_fail_usage(tool, "--fps: for .y4m only; other files keep the "
					     "frames' own times");
	}
	return parse_codec(tool, &r->target);
}

int record_run(struct tool *tool, int argc, char **argv) {
	struct recording_order order = {.max_frames = 0};
	struct words w = {NULL, NULL, NULL, NULL, NULL, NULL};
	const struct tool_option options[] = {{"format", 'f', true, &w.format},
		{"codec", 'c', true, &w.codec}, {"frames", 'n', true, &w.frames},
		{"duration", 'd', true, &w.duration}, {"fps", 'r', true, &w.fps},
		{"reliable", 'R', false, &w.reliable}, {NULL, 0, false, NULL}};
	int n_args, rc;

	rc = tool_parse(tool, argc, argv, options, &n_args);
	if (rc >= 0) {
		return rc;
	}
	if (n_args != 2) {
		return tool_fail_usage(tool, "needs a STREAM and a FILE (- for stdout)");
	}
	order.stream = argv[1];
	order.target.path = argv[2];
	rc = parse_values(tool, &order, &w);
	if (rc != 0) {
		return rc;
	}
	if (tool_connect(tool) != 0) {
		return TOOL_FAILED;
	}
	return recording_run(tool, &order);
}
