/* SPDX-License-Identifier: MIT */
/*
 * Files without time stamps: bare pixels (rows without padding), and YUV4MPEG2 (Y4M), which has a
 * constant rate; there the frame before is repeated, or one left out, to keep the time.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record_scale.h"

struct raw_sink {
	struct record_sink base;
	FILE *file;
	struct zoe_format format;     // of what is written
	struct record_scaler *scaler; // NULL: written as it comes
	const char *chroma;           // Y4M's word; NULL = not Y4M
	uint8_t *last;                // Y4M: the picture of tick n_ticks - 1
	size_t size_bytes;            // of a picture
	uint64_t n_ticks;
};

int record_fail(struct record_sink *sink, int rc, const char *format, ...) {
	va_list args;

	va_start(args, format);
	vsnprintf(sink->error, sizeof(sink->error), format, args);
	va_end(args);
	return rc;
}

static struct raw_sink *get_raw(struct record_sink *sink) {
	return (struct raw_sink *)(void *)sink; /* its first member */
}

/* What Y4M calls the format, after conversion to *to if there is no word for it. */
static const char *find_chroma(uint32_t fourcc, uint32_t *to) {
	*to = fourcc;
	switch (fourcc) {
	case ZOE_FORMAT_R8:
		return "mono";
	case ZOE_FORMAT_NV12:
		*to = ZOE_FORMAT_YU12;
		return "420jpeg";
	case ZOE_FORMAT_YU12:
		return "420jpeg";
	case ZOE_FORMAT_YUYV:
	case ZOE_FORMAT_UYVY:
		*to = RECORD_YU16;
		return "422";
	default:
		*to = RECORD_YU24;
		return "444";
	}
}

#ifdef HAVE_LIBAV
static int open_scaler(struct raw_sink *raw, uint32_t to) {
	int rc = record_scaler_create(&raw->scaler, &raw->format, record_scale_find(to));

	return rc < 0 ? record_fail(&raw->base, rc, "Y4M has no room for the stream's format, %s",
				zoe_format_get_name(raw->format.fourcc))
		      : 0;
}

static bool scale(struct raw_sink *raw, const struct record_picture *picture,
	const uint8_t *plane[4], int stride[4]) {
	const struct AVFrame *frame = record_scaler_run(raw->scaler, picture);

	if (frame != NULL) {
		record_scale_get_planes(frame, plane, stride);
	}
	return frame != NULL;
}

static void close_scaler(struct raw_sink *raw) {
	record_scaler_destroy(raw->scaler);
	raw->scaler = NULL;
}
#else
static int open_scaler(struct raw_sink *raw, uint32_t to) {
	(void)to;
	return record_fail(&raw->base, -ENOTSUP,
		"this zoe was built without libav and writes %s as raw only",
		zoe_format_get_name(raw->format.fourcc));
}

static bool scale(struct raw_sink *raw, const struct record_picture *picture,
	const uint8_t *plane[4], int stride[4]) {
	(void)raw;
	(void)picture;
	(void)plane;
	(void)stride;
	return false;
}

static void close_scaler(struct raw_sink *raw) {
	(void)raw;
}
#endif

/* Row bytes and rows of a plane of what is written. */
static bool get_plane(const struct raw_sink *raw, unsigned i, uint32_t *row_bytes, uint32_t *rows) {
	bool is_half = raw->chroma != NULL && strcmp(raw->chroma, "422") == 0 && i > 0;

	if (raw->scaler == NULL || strcmp(raw->chroma, "420jpeg") == 0) {
		struct zoe_format f = raw->format;

		if (raw->scaler != NULL) {
			zoe_format_init(&f, ZOE_FORMAT_YU12, f.width, f.height);
		}
		return i < f.n_planes && zoe_format_get_plane(&f, i, row_bytes, rows) == 0;
	}
	*row_bytes = is_half ? (raw->format.width + 1) / 2 : raw->format.width;
	*rows = raw->format.height;
	return i < 3;
}

/* Packs a picture into raw->last, without padding. */
static int pack(struct raw_sink *raw, const struct record_picture *picture) {
	const uint8_t *plane[4] = {
		picture->plane[0], picture->plane[1], picture->plane[2], picture->plane[3]};
	int stride[4] = {
		picture->stride[0], picture->stride[1], picture->stride[2], picture->stride[3]};
	uint8_t *to = raw->last;
	uint32_t row_bytes, rows;

	if (raw->scaler != NULL && !scale(raw, picture, plane, stride)) {
		return record_fail(&raw->base, -ENOMEM, "cannot convert a picture");
	}
	for (unsigned i = 0; get_plane(raw, i, &row_bytes, &rows); i++) {
		for (uint32_t y = 0; y < rows; y++, to += row_bytes) {
			memcpy(to, plane[i] + (ptrdiff_t)y * stride[i], row_bytes);
		}
	}
	return 0;
}

static int write_bytes(struct raw_sink *raw, const void *data, size_t size) {
	if (fwrite(data, 1, size, raw->file) != size) {
		int rc = -errno;

		return record_fail(&raw->base, rc, "cannot write '%s': %s", raw->base.target.path,
			strerror(-rc));
	}
	raw->base.n_bytes += size;
	return 0;
}

/* Writes raw->last once. A picture that does not fit on the disk is taken off again. */
static int write_picture(struct raw_sink *raw) {
	uint64_t before = raw->base.n_bytes;
	int rc = 0;

	if (raw->chroma != NULL) {
		rc = write_bytes(raw, "FRAME\n", 6);
	}
	if (rc == 0) {
		rc = write_bytes(raw, raw->last, raw->size_bytes);
	}
	if (rc < 0 && ftruncate(fileno(raw->file), (off_t)before) == 0) {
		raw->base.n_bytes = before;
	}
	return rc;
}

static int write_header(struct raw_sink *raw) {
	char text[160];
	double fps = raw->base.target.fps;
	int len = snprintf(text, sizeof(text), "YUV4MPEG2 W%u H%u F%ld:1000 Ip A1:1 C%s%s\n",
		raw->format.width, raw->format.height, lround(fps * 1000), raw->chroma,
		raw->format.range == ZOE_RANGE_FULL && raw->scaler == NULL ? " XCOLORRANGE=FULL"
									   : "");

	return write_bytes(raw, text, (size_t)len);
}

static int prepare(struct raw_sink *raw) {
	uint32_t to, row_bytes, rows;
	int rc = 0;

	if (raw->base.target.container == RECORD_Y4M) {
		if (raw->format.fourcc == ZOE_FORMAT_BLOB) {
			return record_fail(&raw->base, -ENOTSUP, "a BLOB is no picture for Y4M");
		}
		raw->chroma = find_chroma(raw->format.fourcc, &to);
		rc = to == raw->format.fourcc ? 0 : open_scaler(raw, to);
	}
	for (unsigned i = 0; rc == 0 && get_plane(raw, i, &row_bytes, &rows); i++) {
		raw->size_bytes += (size_t)row_bytes * rows;
	}
	if (rc == 0) {
		raw->last = malloc(raw->size_bytes);
		rc = raw->last != NULL ? 0 : record_fail(&raw->base, -ENOMEM, "out of memory");
	}
	return rc;
}

static int raw_open(struct record_sink *sink, const struct record_picture *first) {
	struct raw_sink *raw = get_raw(sink);
	int rc;

	raw->format = first->format;
	rc = prepare(raw);
	if (rc < 0) {
		return rc;
	}
	raw->file = strcmp(sink->target.path, "-") == 0 ? stdout : fopen(sink->target.path, "wbe");
	if (raw->file == NULL) {
		rc = -errno;
		return record_fail(
			sink, rc, "cannot create '%s': %s", sink->target.path, strerror(-rc));
	}
	/* Unbuffered: errors show with the picture they belong to. */
	setvbuf(raw->file, NULL, _IONBF, 0);
	return raw->chroma != NULL ? write_header(raw) : 0;
}

static int raw_write(struct record_sink *sink, const struct record_picture *picture) {
	struct raw_sink *raw = get_raw(sink);
	uint64_t tick = 0;
	int rc;

	if (raw->chroma != NULL) {
		tick = (uint64_t)llround((double)picture->time_ns * sink->target.fps / 1e9);
		if (tick < raw->n_ticks) {
			sink->n_omitted++;
			return 0;
		}
		while (raw->n_ticks < tick) {
			rc = write_picture(raw);
			if (rc < 0) {
				return rc;
			}
			sink->n_repeated++;
			raw->n_ticks++;
		}
	}
	rc = pack(raw, picture);
	if (rc < 0) {
		return rc;
	}
	raw->n_ticks++;
	return write_picture(raw);
}

static int raw_finish(struct record_sink *sink) {
	struct raw_sink *raw = get_raw(sink);
	FILE *file = raw->file;

	raw->file = NULL;
	if (file != NULL && file != stdout && fclose(file) != 0) {
		int rc = -errno;

		return record_fail(
			sink, rc, "cannot write '%s': %s", sink->target.path, strerror(-rc));
	}
	return 0;
}

static void raw_destroy(struct record_sink *sink) {
	struct raw_sink *raw = get_raw(sink);

	raw_finish(sink);
	close_scaler(raw);
	free(raw->last);
	free(raw);
}

static const struct record_sink_ops raw_ops = {raw_open, raw_write, raw_finish, raw_destroy};

struct record_sink *record_raw_create(void) {
	struct raw_sink *raw = calloc(1, sizeof(*raw));

	if (raw == NULL) {
		return NULL;
	}
	raw->base.ops = &raw_ops;
	return &raw->base;
}
