/* SPDX-License-Identifier: MIT */
#ifndef RECORD_SCALE_H
#define RECORD_SCALE_H
/*
 * Another pixel format for what a file or codec cannot hold, at the same size.
 * Owns:     a scaler owns the picture it makes, which is valid until its next run.
 * Threads:  one at a time.
 * Includes: record_sink.h; the implementation is the only user of libswscale.
 */
#include "record_sink.h"

struct AVCodec;
struct AVCodecParameters;
struct AVFrame;
struct record_scaler;

/* Planar YCbCr that no stream carries, but Y4M does. */
#define RECORD_YU16 ZOE_FOURCC('Y', 'U', '1', '6') /* 4:2:2 */
#define RECORD_YU24 ZOE_FOURCC('Y', 'U', '2', '4') /* 4:4:4 */

/* libavutil's number of a pixel format; -1 = it has none. */
int record_scale_find(uint32_t fourcc);

/* The pixel format to be written for pictures of f by an encoder, or by NUT as they are (codec
 * NULL). f is one that record_scale_find() knows. */
int record_scale_choose(const struct zoe_format *f, const struct AVCodec *codec);

/* Copies the colour codes of f for pictures of to->format, converted from f or not. */
void record_scale_set_colours(const struct zoe_format *f, struct AVCodecParameters *to);

/* Returns: 0; -ENOTSUP, -ENOMEM. */
int record_scaler_create(struct record_scaler **out, const struct zoe_format *from, int to);

/* Returns: the picture converted, borrowed; NULL on failure. */
const struct AVFrame *record_scaler_run(
	struct record_scaler *scaler, const struct record_picture *picture);

/* The planes and strides of a converted picture, for those that know no libav. */
void record_scale_get_planes(const struct AVFrame *frame, const uint8_t *plane[4], int stride[4]);

void record_scaler_destroy(struct record_scaler *scaler);
#endif
