/* SPDX-License-Identifier: MIT */
#ifndef IMAGE_H
#define IMAGE_H
/*
 * A frame as an ordinary picture: upright, RGB or straight RGBA of 8 bits, to be written to a file.
 * Owns:     its pixels, from image_init() to image_finish().
 * Threads:  any, one image a thread.
 * Includes: zoe/consumer.h and the C library.
 */
#include <stdio.h>
#include <zoe/consumer.h>

enum image_kind { IMAGE_PNG, IMAGE_JPG, IMAGE_BMP, IMAGE_TGA };

struct image {
	uint32_t width, height, n_channels; // 3 or 4
	uint8_t *pixels;                    // rows without padding
};

/* Converts the frame's pixels and undoes its transform.
 * Returns: 0; -ENOTSUP no picture (BLOB); -EFBIG; -ENOMEM. */
int image_init(struct image *image, const struct zoe_frame *frame);
void image_finish(struct image *image);

/* Returns: 0; -errno of the first write that failed. */
int image_write(const struct image *image, enum image_kind kind, FILE *to);
#endif
