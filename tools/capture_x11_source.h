/* SPDX-License-Identifier: MIT */
#ifndef CAPTURE_X11_SOURCE_H
#define CAPTURE_X11_SOURCE_H
/*
 * What the parts of the X11 source share: its state, and the calls from one part to another.
 * Owns:     see capture_x11.h.
 * Includes: xcb.
 */
#include <stdint.h>
#include <sys/types.h>
#include <xcb/damage.h>
#include <xcb/shm.h>
#include <xcb/xcb.h>
#include <xcb/xfixes.h>

#include "capture_x11.h"

/* Where the X server may write: the `frames` memfd of one generation. */
struct x11_segment {
	xcb_shm_seg_t id; // 0 = none
	dev_t device;     // with inode: which memfd it is
	ino_t inode;
};

struct x11_cursor {
	xcb_xfixes_get_cursor_image_reply_t *image; // NULL: not known
	bool is_stale;                              // its image has changed
	int x, y;                                   // hot spot within the picture
	bool is_here;                               // on this screen at all
	xcb_rectangle_t drawn;                      // of the last frame; width 0 = not drawn
};

struct x11_source {
	xcb_connection_t *conn;
	const struct x11_target *target; // borrowed from the caller of open
	xcb_screen_t *screen;            // borrowed from conn
	xcb_window_t window;
	xcb_drawable_t drawable; // what is read: the window, or its off-screen pixmap
	bool is_redirected;      // the drawable is a pixmap, which includes the border
	uint16_t border;         // pixels
	struct zoe_format format;
	uint32_t mask[3]; // red, green, blue within a pixel
	uint32_t pixel_bytes;
	bool has_shm, has_warned;
	bool has_damage, has_cursor;
	bool is_changed, is_resized;
	uint8_t damage_event, cursor_event; // first event of the extension
	xcb_damage_damage_t damage;
	xcb_xfixes_region_t region;
	struct x11_segment segment;
	struct x11_cursor cursor;
	char error[256];
};

/* Keeps a sentence. Returns: rc. */
int x11_fail(struct x11_source *s, int rc, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* capture_x11_window.c: the window a user means, by id or name.
 * Returns: 0; -ENOENT with a sentence. */
int x11_window_find(struct x11_source *s, const char *wanted, xcb_window_t *out);

/* capture_x11_geometry.c: size, visual and stride as they are now.
 * Returns: 0; -ENODATA not shown (any more); -ENOTSUP; with a sentence. */
int x11_geometry_update(struct x11_source *s);

/* capture_x11_cursor.c */
void x11_cursor_init(struct x11_source *s);
void x11_cursor_finish(struct x11_source *s);
/* Where the cursor would be drawn, clipped to the picture; width 0 = nowhere. */
void x11_cursor_get_area(const struct x11_source *s, xcb_rectangle_t *area);
/* Blends the cursor into the picture. */
void x11_cursor_draw(struct x11_source *s, const struct zoe_slot *slot);
#endif
