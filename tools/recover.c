/* SPDX-License-Identifier: MIT */
/*
 * zoe recover: what is whole in a file of zoe keep, as ordinary files, or told.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "keep_summary.h"
#include "recover_out.h"
#include "tool.h"

#define MAX_FPS 1000.0

struct recover {
	struct tool *tool; // borrowed
	const char *path;
	bool is_list;
	struct recover_out out; // path NULL: none
	struct keep_file file;
	struct keep_summary summary;
	uint64_t n_gone;
};

/* Calls fn for each frame that is still there. Returns: 0; -ECANCELED a signal; TOOL_FAILED. */
static int for_each(struct recover *r, bool has_payload,
	int (*fn)(struct recover *r, const struct keep_frame *kept)) {
	for (size_t i = 0; i < r->file.n_entries; i++) {
		struct keep_frame kept;
		int rc = has_payload ? keep_file_read(&r->file, i, &kept)
				     : keep_file_look(&r->file, i, &kept);

		if (rc == -ESTALE) {
			r->n_gone++;
			continue;
		}
		if (rc < 0) {
			return tool_fail("'%s': %s", r->path, r->file.error);
		}
		rc = fn(r, &kept);
		if (rc != 0) {
			return rc;
		}
		if (tool_is_stopped()) {
			return -ECANCELED;
		}
	}
	return 0;
}

static int list_frame(struct recover *r, const struct keep_frame *kept) {
	if (r->tool->is_json) {
		keep_summary_print_frame_json(kept, NULL, stdout);
		putchar('\n');
	} else {
		keep_summary_print_frame(kept, stdout);
	}
	return ferror(stdout) ? TOOL_FAILED : 0;
}

static int write_frame(struct recover *r, const struct keep_frame *kept) {
	return recover_out_put(&r->out, kept);
}

/* The mean rate, for a film that has but one. */
static double get_mean_fps(const struct keep_summary *s) {
	double span = (double)(s->last_ns - s->first_ns) / 1e9;
	double fps =
		s->last_ns > s->first_ns && s->n_frames > 1 ? (double)(s->n_frames - 1) / span : 30;

	return fps < 1 ? 1 : fps > MAX_FPS ? MAX_FPS : (double)(long)(fps + 0.5);
}

static void print_result(const struct recover *r) {
	if (r->tool->is_json) {
		printf("{\"file\": ");
		tool_print_json_string(stdout, r->path);
		printf(", ");
		keep_summary_print_json(&r->summary, &r->file, stdout);
		printf(", \"written\": %" PRIu64 ", \"gone\": %" PRIu64 "}\n", r->out.n_written,
			r->n_gone);
		return;
	}
	keep_summary_print(&r->summary, &r->file, stdout);
	if (r->out.path != NULL) {
		printf("written  %" PRIu64 " to '%s'\n", r->out.n_written, r->out.path);
	}
	if (r->n_gone > 0) {
		printf("gone     %" PRIu64 ", written over meanwhile\n", r->n_gone);
	}
}

static int write_out(struct recover *r) {
	int rc, closed;

	r->out.fps = get_mean_fps(&r->summary);
	rc = recover_out_open(&r->out, r->path);
	if (rc != 0) {
		return rc;
	}
	rc = for_each(r, true, write_frame);
	closed = recover_out_close(&r->out);
	return rc != 0 && rc != -ECANCELED ? rc : closed;
}

static int run(struct recover *r) {
	int fd, rc = keep_summary_open(&r->file, r->path, &fd);

	if (rc != 0) {
		return rc;
	}
	rc = keep_summary_take(&r->summary, &r->file, r->path);
	if (rc == 0 && r->is_list) {
		rc = for_each(r, false, list_frame);
		rc = rc == -ECANCELED ? 0 : rc;
	} else if (rc == 0) {
		rc = r->out.path != NULL ? write_out(r) : 0;
		if (rc == 0 || r->out.n_written > 0) {
			print_result(r);
		}
	}
	keep_file_close(&r->file);
	close(fd);
	return rc;
}

static int parse_kind(struct tool *tool, const char *word, enum recover_kind *out) {
	static const char *const names[] = {[RECOVER_PNG] = "png",
		[RECOVER_RAW] = "raw",
		[RECOVER_Y4M] = "y4m",
		[RECOVER_NUT] = "nut",
		[RECOVER_MKV] = "mkv"};

	for (size_t i = 0; i < n_elements(names); i++) {
		if (strcasecmp(word, names[i]) == 0) {
			*out = (enum recover_kind)i;
			return 0;
		}
	}
	return tool_fail_usage(tool, "--format %s: png, raw, y4m, nut or mkv", word);
}

int recover_run(struct tool *tool, int argc, char **argv) {
	struct recover r = {.tool = tool, .out = {.tool = tool, .dir_fd = -1}};
	const char *format = NULL, *list = NULL;
	const struct tool_option options[] = {{"out", 'o', true, &r.out.path},
		{"format", 'f', true, &format}, {"list", 'l', false, &list},
		{NULL, 0, false, NULL}};
	int n_args, rc;

	rc = tool_parse(tool, argc, argv, options, &n_args);
	if (rc >= 0) {
		return rc;
	}
	if (n_args != 1) {
		return tool_fail_usage(tool, "needs one FILE");
	}
	if (list != NULL && r.out.path != NULL) {
		return tool_fail_usage(tool, "either --list or --out");
	}
	if (format != NULL && r.out.path == NULL) {
		return tool_fail_usage(tool, "--format: of what is written to --out DIR");
	}
	r.path = argv[1];
	r.is_list = list != NULL;
	rc = format != NULL ? parse_kind(tool, format, &r.out.kind) : 0;
	return rc != 0 ? rc : run(&r);
}
