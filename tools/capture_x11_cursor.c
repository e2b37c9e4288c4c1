/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture_x11_source.h"

void x11_cursor_init(struct x11_source *s) {
	xcb_xfixes_select_cursor_input(
		s->conn, s->screen->root, XCB_XFIXES_CURSOR_NOTIFY_MASK_DISPLAY_CURSOR);
	s->cursor.is_stale = true;
}

void x11_cursor_finish(struct x11_source *s) {
	free(s->cursor.image);
	s->cursor.image = NULL;
}

/* Fetches the image if another one is shown now. */
static void renew_image(struct x11_source *s) {
	if (!s->cursor.is_stale) {
		return;
	}
	free(s->cursor.image);
	s->cursor.image = xcb_xfixes_get_cursor_image_reply(
		s->conn, xcb_xfixes_get_cursor_image(s->conn), NULL);
	s->cursor.is_stale = false;
}

int x11_source_track_cursor(struct x11_source *s) {
	struct x11_cursor *cursor = &s->cursor;
	xcb_query_pointer_reply_t *pointer;
	bool has_moved;

	if (!s->has_cursor) {
		return 0;
	}
	pointer = xcb_query_pointer_reply(s->conn, xcb_query_pointer(s->conn, s->window), NULL);
	if (pointer == NULL) {
		return xcb_connection_has_error(s->conn) != 0
			       ? x11_fail(s, -ENOTCONN, "the X server closed the connection")
			       : 0;
	}
	has_moved = cursor->is_here != (pointer->same_screen != 0) || cursor->x != pointer->win_x ||
		    cursor->y != pointer->win_y;
	cursor->is_here = pointer->same_screen != 0;
	cursor->x = pointer->win_x;
	cursor->y = pointer->win_y;
	free(pointer);
	renew_image(s);
	if (has_moved) {
		xcb_rectangle_t area;

		x11_cursor_get_area(s, &area);
		has_moved = area.width > 0 || cursor->drawn.width > 0;
	}
	s->is_changed = s->is_changed || has_moved;
	return has_moved ? 1 : 0;
}

void x11_cursor_get_area(const struct x11_source *s, xcb_rectangle_t *area) {
	const xcb_xfixes_get_cursor_image_reply_t *image = s->cursor.image;
	int left, top, right, bottom;

	memset(area, 0, sizeof(*area));
	if (image == NULL || !s->cursor.is_here) {
		return;
	}
	left = s->cursor.x - image->xhot;
	top = s->cursor.y - image->yhot;
	right = left + image->width;
	bottom = top + image->height;
	left = left > 0 ? left : 0;
	top = top > 0 ? top : 0;
	right = right < (int)s->format.width ? right : (int)s->format.width;
	bottom = bottom < (int)s->format.height ? bottom : (int)s->format.height;
	if (left >= right || top >= bottom) {
		return;
	}
	*area = (xcb_rectangle_t){.x = (int16_t)left,
		.y = (int16_t)top,
		.width = (uint16_t)(right - left),
		.height = (uint16_t)(bottom - top)};
}

/* Puts a premultiplied A8R8G8B8 pixel over one of the picture, whatever bits that has. */
static uint32_t blend(const struct x11_source *s, uint32_t below, uint32_t above) {
	uint32_t clear = 255 - (above >> 24), result = below;

	for (unsigned i = 0; i < 3; i++) {
		uint32_t mask = s->mask[i];
		unsigned shift = (unsigned)__builtin_ctz(mask);
		uint32_t most = mask >> shift;
		uint32_t old = (below & mask) >> shift;
		uint32_t ink = (above >> (16 - 8 * i)) & 255;
		uint32_t value = (ink * most + old * clear + 127) / 255;

		value = value < most ? value : most;
		result = (result & ~mask) | value << shift;
	}
	return result;
}

static void draw_row(const struct x11_source *s, uint8_t *to, const uint32_t *from, unsigned n) {
	for (unsigned i = 0; i < n; i++, to += s->pixel_bytes) {
		uint32_t pixel = 0;

		if (from[i] >> 24 == 0 && (from[i] & 0xffffff) == 0) {
			continue;
		}
		memcpy(&pixel, to, s->pixel_bytes);
		pixel = blend(s, pixel, from[i]);
		memcpy(to, &pixel, s->pixel_bytes);
	}
}

void x11_cursor_draw(struct x11_source *s, const struct zoe_slot *slot) {
	const xcb_xfixes_get_cursor_image_reply_t *image;
	const uint32_t *pixels;
	xcb_rectangle_t area;

	x11_cursor_get_area(s, &area);
	s->cursor.drawn = area;
	if (area.width == 0) {
		return;
	}
	image = s->cursor.image;
	pixels = xcb_xfixes_get_cursor_image_cursor_image(image);
	for (unsigned row = 0; row < area.height; row++) {
		unsigned y = (unsigned)area.y + row;
		size_t from_x = (size_t)(area.x - (s->cursor.x - image->xhot));
		size_t from_y = (size_t)((int)y - (s->cursor.y - image->yhot));

		draw_row(s,
			slot->plane[0] + (size_t)y * slot->format.stride[0] +
				(size_t)area.x * s->pixel_bytes,
			pixels + from_y * image->width + from_x, area.width);
	}
}
