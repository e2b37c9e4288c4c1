/* SPDX-License-Identifier: MIT */
#ifndef RECORD_SINK_H
#define RECORD_SINK_H
/*
 * Where recorded frames go: one file of one picture format, in one of several containers.
 * Owns:     a sink owns its file from open to finish; frames are borrowed for a call.
 * Threads:  one at a time.
 * Includes: zoe/consumer.h; nothing of libav, which record_av.c and record_scale.c alone know.
 */
#include <stdbool.h>
#include <stdio.h>
#include <zoe/consumer.h>

enum record_container { RECORD_NUT, RECORD_MKV, RECORD_Y4M, RECORD_RAW };

struct record_target {
	const char *path; // "-" = stdout
	enum record_container container;
	const char *codec; // NULL: the container's own choice
	double fps;        // of a container without time stamps; frames a second
};

/* A picture to be written, right way up: a stride may be negative. */
struct record_picture {
	struct zoe_format format;
	const uint8_t *plane[4];
	int stride[4];
	int64_t time_ns; // since the first picture, strictly increasing
};

struct record_sink;

struct record_sink_ops {
	/* Each returns 0 or -errno with a sentence in sink->error. */
	int (*open)(struct record_sink *sink, const struct record_picture *first);
	int (*write)(struct record_sink *sink, const struct record_picture *picture);
	int (*finish)(struct record_sink *sink); // trailer and close; may follow a failed write
	void (*destroy)(struct record_sink *sink);
};

struct record_sink {
	const struct record_sink_ops *ops;
	struct record_target target;
	uint64_t n_bytes;               // written so far
	uint64_t n_repeated, n_omitted; // frames, to keep a constant rate
	char error[256];
};

/* Makes a sink that is not open. Returns: NULL when memory is short. */
struct record_sink *record_av_create(void);
struct record_sink *record_raw_create(void);

/* Keeps a sentence. Returns: rc. */
int record_fail(struct record_sink *sink, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#endif
