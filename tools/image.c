/* SPDX-License-Identifier: MIT */
#include "image.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <stb/stb_image_write.h>

#include "attr.h"
#include "pixel.h"

enum { JPG_QUALITY = 90 };

static bool has_alpha(const struct zoe_format *f) {
	return f->alpha != ZOE_ALPHA_NONE &&
	       (f->fourcc == ZOE_FORMAT_AR24 || f->fourcc == ZOE_FORMAT_AB24 ||
		       f->fourcc == ZOE_FORMAT_AB4H);
}

static void divide_by_alpha(uint8_t *rgba) {
	unsigned alpha = rgba[3];

	for (int i = 0; i < 3; i++) {
		unsigned value = alpha == 0 ? 0 : (rgba[i] * 255u + alpha / 2) / alpha;

		rgba[i] = value > 255 ? 255 : (uint8_t)value;
	}
}

/* Where in the upright picture a pixel of the frame belongs. wl_output.transform says what was done
 * to the picture: mirrored left to right (4 to 7), then turned counter-clockwise by 90 degrees
 * times its low two bits. Here it is undone. */
static size_t get_upright_place(
	const struct image *image, uint8_t transform, uint32_t x, uint32_t y) {
	uint32_t right = image->width - 1, bottom = image->height - 1;
	uint32_t to_x, to_y;

	switch (transform & 3u) {
	case 0:
		to_x = x;
		to_y = y;
		break;
	case 1:
		to_x = right - y;
		to_y = x;
		break;
	case 2:
		to_x = right - x;
		to_y = bottom - y;
		break;
	default:
		to_x = y;
		to_y = bottom - x;
	}
	if (transform & 4u) {
		to_x = right - to_x;
	}
	return (size_t)to_y * image->width + to_x;
}

static void convert_row(
	struct image *image, const struct zoe_frame *frame, uint32_t y, uint8_t *rgba) {
	const struct zoe_format *f = &frame->format;

	pixel_read_row(f, frame->plane, y, rgba);
	for (uint32_t x = 0; x < f->width; x++, rgba += 4) {
		size_t place = get_upright_place(image, f->transform, x, y);

		if (image->n_channels == 4 && f->alpha == ZOE_ALPHA_PREMULTIPLIED) {
			divide_by_alpha(rgba);
		}
		memcpy(image->pixels + place * image->n_channels, rgba, image->n_channels);
	}
}

int image_init(struct image *image, const struct zoe_frame *frame) {
	const struct zoe_format *f = &frame->format;
	bool is_turned = (f->transform & 1u) != 0;
	cleanup_free uint8_t *row = NULL;
	struct image made = {.width = is_turned ? f->height : f->width,
		.height = is_turned ? f->width : f->height,
		.n_channels = has_alpha(f) ? 4 : 3};

	if (!pixel_is_known(f->fourcc)) {
		return -ENOTSUP;
	}
	/* The writers count bytes, and one more a row, in an int. */
	if (((uint64_t)made.width * 4 + 1) * made.height >= INT_MAX) {
		return -EFBIG;
	}
	row = malloc((size_t)f->width * 4);
	made.pixels = malloc((size_t)made.width * made.height * made.n_channels);
	if (row == NULL || made.pixels == NULL) {
		free(made.pixels);
		return -ENOMEM;
	}
	for (uint32_t y = 0; y < f->height; y++) {
		convert_row(&made, frame, y, row);
	}
	*image = made;
	return 0;
}

void image_finish(struct image *image) {
	free(image->pixels);
	*image = (struct image){.width = 0};
}

struct sink {
	FILE *to; // borrowed
	int error;
};

static void sink_write(void *context, void *data, int size) {
	struct sink *sink = context;

	if (sink->error == 0 && fwrite(data, 1, (size_t)size, sink->to) != (size_t)size) {
		sink->error = errno == 0 ? -EIO : -errno;
	}
}

int image_write(const struct image *image, enum image_kind kind, FILE *to) {
	struct sink sink = {.to = to};
	int w = (int)image->width, h = (int)image->height, n = (int)image->n_channels;
	int is_done = 0;

	switch (kind) {
	case IMAGE_PNG:
		is_done = stbi_write_png_to_func(sink_write, &sink, w, h, n, image->pixels, w * n);
		break;
	case IMAGE_JPG:
		is_done = stbi_write_jpg_to_func(
			sink_write, &sink, w, h, n, image->pixels, JPG_QUALITY);
		break;
	case IMAGE_BMP:
		is_done = stbi_write_bmp_to_func(sink_write, &sink, w, h, n, image->pixels);
		break;
	case IMAGE_TGA:
		is_done = stbi_write_tga_to_func(sink_write, &sink, w, h, n, image->pixels);
		break;
	}
	if (sink.error == 0 && fflush(to) != 0) {
		sink.error = -errno;
	}
	return sink.error != 0 ? sink.error : is_done ? 0 : -ENOMEM;
}
