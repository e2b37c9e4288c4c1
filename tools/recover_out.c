/* SPDX-License-Identifier: MIT */
#include "recover_out.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "image.h"
#include "keep_summary.h"

static const char *const suffixes[] = {[RECOVER_PNG] = "png",
	[RECOVER_RAW] = "raw",
	[RECOVER_Y4M] = "y4m",
	[RECOVER_NUT] = "nut",
	[RECOVER_MKV] = "mkv"};
static const enum record_container containers[] = {
	[RECOVER_Y4M] = RECORD_Y4M, [RECOVER_NUT] = RECORD_NUT, [RECOVER_MKV] = RECORD_MKV};

static bool is_film(const struct recover_out *out) {
	return out->kind != RECOVER_PNG && out->kind != RECOVER_RAW;
}

/* A new file of the directory. Returns: NULL with its sentence printed. */
static FILE *make_file(struct recover_out *out, const char *name) {
	int fd = openat(out->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	FILE *file = fd >= 0 ? fdopen(fd, "wb") : NULL;

	if (file == NULL) {
		tool_fail("'%s/%s': %s", out->path, name, strerror(errno));
		if (fd >= 0) {
			close(fd);
		}
	}
	return file;
}

static int fail_write(const struct recover_out *out, const char *name, int rc) {
	return tool_fail("'%s/%s': cannot write: %s", out->path, name, strerror(-rc));
}

static int open_film(struct recover_out *out) {
	if (asprintf(&out->film_path, "%s/film.%s", out->path, suffixes[out->kind]) < 0) {
		out->film_path = NULL;
		return tool_fail("recover: out of memory");
	}
	out->order = (struct recording_order){.stream = out->path,
		.target = {.path = out->film_path,
			.container = containers[out->kind],
			.fps = out->fps}};
	out->film = recording_create(out->tool, &out->order);
	return out->film != NULL ? 0 : tool_fail("recover: out of memory");
}

int recover_out_open(struct recover_out *out, const char *source) {
	int rc = 0;

	if (mkdir(out->path, 0777) < 0 && errno != EEXIST) {
		return tool_fail("'%s': %s", out->path, strerror(errno));
	}
	out->dir_fd = open(out->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out->dir_fd < 0) {
		return tool_fail("'%s': %s", out->path, strerror(errno));
	}
	if (faccessat(out->dir_fd, "index.json", F_OK, 0) == 0) {
		rc = tool_fail("'%s' holds a recovery already: choose another --out", out->path);
	}
	if (rc == 0) {
		out->index = make_file(out, "index.json");
		rc = out->index != NULL ? 0 : TOOL_FAILED;
	}
	if (rc == 0 && is_film(out)) {
		rc = open_film(out);
	}
	if (rc != 0) {
		recover_out_close(out);
		return rc;
	}
	fprintf(out->index, "{\"source\": ");
	tool_print_json_string(out->index, source);
	fprintf(out->index, ", \"frames\": [");
	return 0;
}

/* Returns: 0; -errno. */
static int write_picture(const struct recover_out *out, const struct keep_frame *kept, FILE *file) {
	struct image image;
	int rc;

	if (out->kind == RECOVER_RAW) {
		size_t size = (size_t)kept->frame.format.size_bytes;
		const uint8_t *payload = kept->frame.plane[0] - kept->frame.format.offset[0];

		return fwrite(payload, 1, size, file) == size ? 0 : -errno;
	}
	rc = image_init(&image, &kept->frame);
	if (rc == 0) {
		rc = image_write(&image, IMAGE_PNG, file);
		image_finish(&image);
	}
	return rc;
}

/* Returns: 0; TOOL_FAILED with its sentence. */
static int write_file(struct recover_out *out, const struct keep_frame *kept, const char *name) {
	FILE *file = make_file(out, name);
	int rc;

	if (file == NULL) {
		return TOOL_FAILED;
	}
	rc = write_picture(out, kept, file);
	if (fclose(file) != 0 && rc == 0) {
		rc = -errno;
	}
	if (rc < 0) {
		unlinkat(out->dir_fd, name, 0); /* whole or not at all */
	}
	if (rc == -ENOTSUP) {
		return tool_fail("stream '%s': its frames are %s, not pictures: --format raw",
			kept->stream, zoe_format_get_name(kept->frame.format.fourcc));
	}
	return rc < 0 ? fail_write(out, name, rc) : 0;
}

int recover_out_put(struct recover_out *out, const struct keep_frame *kept) {
	char name[64];
	int rc;

	snprintf(name, sizeof(name), "%010" PRIu64 ".%s", kept->number, suffixes[out->kind]);
	if (is_film(out)) {
		rc = recording_put(out->film, &kept->frame) < 0 ? TOOL_FAILED : 0;
	} else {
		rc = write_file(out, kept, name);
	}
	if (rc != 0) {
		return rc;
	}
	fprintf(out->index, "%s\n", out->n_written++ > 0 ? "," : "");
	keep_summary_print_frame_json(kept, is_film(out) ? NULL : name, out->index);
	return ferror(out->index) ? fail_write(out, "index.json", -EIO) : 0;
}

int recover_out_close(struct recover_out *out) {
	int rc = 0;

	if (out->film != NULL && recording_destroy(out->film) < 0) {
		rc = TOOL_FAILED;
	}
	free(out->film_path);
	if (out->index != NULL) {
		fprintf(out->index, "]}\n");
		if (ferror(out->index) | fclose(out->index)) {
			rc = fail_write(out, "index.json", -errno);
		}
	}
	if (out->dir_fd >= 0) {
		close(out->dir_fd);
	}
	out->film = NULL;
	out->film_path = NULL;
	out->index = NULL;
	out->dir_fd = -1;
	return rc;
}
