/* SPDX-License-Identifier: MIT */
#ifndef PIXEL_H
#define PIXEL_H
/*
 * Rows of pixels between RGBA, 8 bits each, and every format of the table but BLOB.
 * Owns:     nothing.
 * Threads:  any.
 * Includes: zoe/frame.h.
 * YUV is converted by the equations of ITU-T H.273, 8.3: matrix_coefficients 1 (BT.709), 4 (FCC),
 * 5 and 6 (BT.601), 7 (SMPTE 240M) and 9 (BT.2020, non-constant luminance). Where the format names
 * none of them it is BT.601 up to 576 lines, else BT.709; an unknown range is limited. Chroma is
 * that of the nearest sample. Alpha is left as it stands; a format without it reads as 255.
 */
#include <stdbool.h>
#include <stdint.h>
#include <zoe/frame.h>

bool pixel_is_known(uint32_t fourcc);

/* Row y of the planes to f->width pixels of RGBA. f has passed zoe_format_check(). */
void pixel_read_row(
	const struct zoe_format *f, const uint8_t *const plane[4], uint32_t y, uint8_t *rgba);

/* f->width pixels of RGBA to row y of the planes. Of rows that share their chroma the even one's is
 * written. */
void pixel_write_row(
	const struct zoe_format *f, uint8_t *const plane[4], uint32_t y, const uint8_t *rgba);
#endif
