/* SPDX-License-Identifier: MIT */
/*
 * zoe snap: the newest frame as a picture. A file appears whole or not at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/stat.h>

#include "image.h"
#include "stream_text.h"
#include "tool.h"

struct snap_order {
	const char *stream, *path;
	enum image_kind kind;
	bool is_new;
	uint64_t count; // 0 = one, under its own name
};

static const struct suffix {
	const char *name;
	enum image_kind kind;
} suffixes[] = {{"png", IMAGE_PNG}, {"jpg", IMAGE_JPG}, {"jpeg", IMAGE_JPG}, {"bmp", IMAGE_BMP},
	{"tga", IMAGE_TGA}};

static int fail_file(const char *path, int rc) {
	if (strcmp(path, "-") == 0) {
		__fpurge(stdout); /* what is left of the picture is not tried again at the end */
		clearerr(stdout);
		/* Who reads no more knows it. */
		return rc == -EPIPE ? TOOL_FAILED
				    : tool_fail("stdout: cannot write: %s", strerror(-rc));
	}
	return tool_fail("%s: cannot write: %s", path, strerror(-rc));
}

/* Into something that is there and no regular file: a pipe, a device. */
static int write_special(const struct image *image, enum image_kind kind, const char *path) {
	FILE *file = fopen(path, "wbe");
	int rc;

	if (file == NULL) {
		return -errno;
	}
	rc = image_write(image, kind, file);
	return fclose(file) != 0 && rc == 0 ? -errno : rc;
}

/* Writes and closes the file of that descriptor, which is consumed. */
static int write_fd(const struct image *image, enum image_kind kind, int fd) {
	mode_t mask = umask(0);
	FILE *file;
	int rc;

	umask(mask);
	fchmod(fd, 0666 & ~mask);
	file = fdopen(fd, "wb");
	if (file == NULL) {
		rc = -errno;
		close(fd);
		return rc;
	}
	rc = image_write(image, kind, file);
	return fclose(file) != 0 && rc == 0 ? -errno : rc;
}

/* By way of another name in the same directory. Returns: 0; -errno. */
static int write_file(const struct image *image, enum image_kind kind, const char *path) {
	cleanup_free char *temporary = NULL;
	struct stat st;
	int fd, rc;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		return S_ISDIR(st.st_mode) ? -EISDIR : write_special(image, kind, path);
	}
	if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
		temporary = NULL;
		return -ENOMEM;
	}
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	rc = write_fd(image, kind, fd);
	if (rc == 0 && rename(temporary, path) < 0) {
		rc = -errno;
	}
	if (rc != 0) {
		unlink(temporary);
	}
	return rc;
}

/* "a/b.png" -> "a/b-0001.png"; without a number the path as it is. NULL: out of memory. */
static char *make_path(const struct snap_order *order, uint64_t number) {
	const char *slash = strrchr(order->path, '/');
	const char *dot = strrchr(slash != NULL ? slash : order->path, '.');
	int stem = dot != NULL ? (int)(dot - order->path) : (int)strlen(order->path);
	char *path;

	if (order->count == 0) {
		return strdup(order->path);
	}
	return asprintf(&path, "%.*s-%04" PRIu64 "%s", stem, order->path, number,
		       dot != NULL ? dot : "") < 0
		       ? NULL
		       : path;
}

static void report(const struct tool *tool, const char *path, const struct zoe_frame *frame) {
	char word[WORD_SIZE];

	if (tool->is_json) {
		printf("{\"file\": ");
		tool_print_json_string(stdout, path);
		printf(", \"seq\": %" PRIu64 ", \"pts_ns\": %" PRIu64 ", \"format\": \"%s\"}\n",
			frame->seq, frame->pts_ns, word_format(word, &frame->format));
	}
}

static int save(struct tool *tool, const struct snap_order *order, uint64_t number,
	const struct zoe_frame *frame) {
	cleanup_free char *path = make_path(order, number);
	struct image image;
	int rc;

	if (path == NULL) {
		return tool_fail("snap: out of memory");
	}
	rc = image_init(&image, frame);
	if (rc < 0) {
		const char *name = zoe_format_get_name(frame->format.fourcc);

		return rc == -ENOTSUP
			       ? tool_fail("stream '%s': its frames are %s, not pictures",
					 order->stream, name != NULL ? name : "unknown")
			       : tool_fail("stream '%s': %ux%u: %s", order->stream,
					 frame->format.width, frame->format.height, strerror(-rc));
	}
	rc = strcmp(path, "-") == 0 ? image_write(&image, order->kind, stdout)
				    : write_file(&image, order->kind, path);
	image_finish(&image);
	if (rc < 0) {
		return fail_file(path, rc);
	}
	report(tool, path, frame);
	return 0;
}

/* Returns: 0; TOOL_FAILED; TOOL_STOPPED. */
static int fail_next(const struct tool *tool, const char *stream, int rc) {
	if (rc == -ECANCELED) {
		return TOOL_STOPPED;
	}
	return rc == -ETIMEDOUT || rc == -EAGAIN
		       ? tool_fail("stream '%s': no frame came in time", stream)
		       : tool_fail_client(tool);
}

static int snap(struct tool *tool, const struct snap_order *order, struct zoe_consumer *consumer) {
	uint64_t n_done = 0;

	do {
		const struct zoe_frame *frame;
		int rc = tool_next(tool, consumer, &frame, tool->timeout_ms);

		if (rc == -EBADMSG) {
			continue;
		}
		if (rc < 0) {
			return fail_next(tool, order->stream, rc);
		}
		rc = save(tool, order, ++n_done, frame);
		zoe_frame_release(frame);
		if (rc != 0) {
			return rc;
		}
	} while (n_done < order->count || n_done == 0);
	return TOOL_DONE;
}

static int open_and_snap(struct tool *tool, const struct snap_order *order) {
	struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = ZOE_LATEST,
		.start = order->is_new ? ZOE_START_NOW : ZOE_START_NEWEST};
	struct zoe_consumer *consumer;
	int rc = tool_connect(tool);

	if (rc == 0) {
		rc = tool_open_consumer(tool, order->stream, &options, &consumer);
	}
	if (rc != 0) {
		return rc == TOOL_STOPPED ? TOOL_FAILED : rc;
	}
	rc = snap(tool, order, consumer);
	zoe_consumer_close(consumer);
	return rc == TOOL_STOPPED ? TOOL_FAILED : rc; /* stopped before the file was there */
}

/* Returns: 0; TOOL_USAGE. */
static int choose_kind(const struct tool *tool, struct snap_order *order, const char *format) {
	const char *dot = strrchr(order->path, '.');
	const char *word = format;

	if (word == NULL) {
		word = strcmp(order->path, "-") == 0 ? "png" : dot != NULL ? dot + 1 : "";
	}
	for (size_t i = 0; i < n_elements(suffixes); i++) {
		if (strcasecmp(word, suffixes[i].name) == 0) {
			order->kind = suffixes[i].kind;
			return 0;
		}
	}
	return format != NULL ? tool_fail_usage(tool, "--format %s: png, jpg, bmp or tga", format)
			      : tool_fail_usage(tool,
					"'%s': ends in none of .png .jpg .bmp .tga; "
					"or say --format",
					order->path);
}

int snap_run(struct tool *tool, int argc, char **argv) {
	const char *is_new = NULL, *count = NULL, *format = NULL;
	const struct tool_option options[] = {{"new", 'N', false, &is_new},
		{"count", 'n', true, &count}, {"format", 'f', true, &format},
		{NULL, 0, false, NULL}};
	struct snap_order order = {.count = 0};
	int n_args, rc;

	rc = tool_parse(tool, argc, argv, options, &n_args);
	if (rc >= 0) {
		return rc;
	}
	if (n_args != 2) {
		return tool_fail_usage(tool, "needs a STREAM and a FILE (- for stdout)");
	}
	order.stream = argv[1];
	order.path = argv[2];
	order.is_new = is_new != NULL;
	if (count != NULL && (tool_parse_u64(count, &order.count) < 0 || order.count == 0)) {
		return tool_fail_usage(tool, "--count %s: a number from 1 on", count);
	}
	if (strcmp(order.path, "-") == 0 && (order.count > 0 || tool->is_json)) {
		return tool_fail_usage(tool, "stdout takes one picture and nothing else");
	}
	rc = choose_kind(tool, &order, format);
	return rc != 0 ? rc : open_and_snap(tool, &order);
}
