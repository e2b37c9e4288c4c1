/* SPDX-License-Identifier: MIT */
#ifndef CAPTURE_X11_H
#define CAPTURE_X11_H
/*
 * A picture source: the screen of an X server, or one of its windows.
 * Owns:     a source owns its connection, its mapping at the X server and its damage object.
 * Threads:  one at a time.
 * Includes: zoe/producer.h; no xcb here, so that the command builds without it.
 * The X server writes straight into the slot where it can (MIT-SHM 1.2); nothing is copied here.
 */
#include <stdbool.h>
#include <zoe/producer.h>

struct x11_source;

struct x11_target {
	const char *display; // NULL: $DISPLAY
	const char *window;  // an id or a part of its title; NULL: the whole screen
	bool has_cursor;     // draw the cursor into the picture
};

/* Makes a source that is not connected. Returns: NULL when memory is short. */
struct x11_source *x11_source_create(void);

/* Connects and finds the target, which must outlive the source.
 * Returns: 0; -ENOTCONN no display; -ENOENT no such window; -ENOTSUP a visual of another kind;
 * -ENODATA the window is not shown; with a sentence in each case. */
int x11_source_open(struct x11_source *s, const struct x11_target *target);

/* The sentence of the last failure; never NULL. */
const char *x11_source_get_error(const struct x11_source *s);

/* POLLIN: call dispatch. */
int x11_source_get_fd(const struct x11_source *s);

/* What the next picture will look like, the X server's own stride included. */
void x11_source_get_format(const struct x11_source *s, struct zoe_format *f);

/* Reads what the X server has to say.
 * Returns: 1 the picture has changed since the last grab; 0 it has not; -ENODATA the window is
 * gone; -ENOTCONN the X server is. */
int x11_source_dispatch(struct x11_source *s);

/* Asks where the cursor is; X has no event for that. Returns: 1 it moved; 0; -ENOTCONN. */
int x11_source_track_cursor(struct x11_source *s);

/* Fills a slot of the source's present format: pixels, damage and, if asked for, the cursor.
 * is_full says that the frame does not follow the one grabbed before.
 * Returns: 0; -EAGAIN the size changed meanwhile: cancel and start again; -ENODATA, -ENOTCONN. */
int x11_source_grab(struct x11_source *s, struct zoe_slot *slot, bool is_full);

/* Whether the X server writes into the slots itself; meaningful after the first grab. */
bool x11_source_is_shared(const struct x11_source *s);

void x11_source_destroy(struct x11_source *s);
#endif
