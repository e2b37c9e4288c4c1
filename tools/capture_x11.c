/* SPDX-License-Identifier: MIT */
#include "capture_x11.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_XCB_COMPOSITE
#include <xcb/composite.h>
#endif

#include "capture_x11_source.h"

int x11_fail(struct x11_source *s, int rc, const char *format, ...) {
	va_list args;

	va_start(args, format);
	vsnprintf(s->error, sizeof(s->error), format, args);
	va_end(args);
	return rc;
}

static bool has_extension(struct x11_source *s, xcb_extension_t *extension, uint8_t *first_event) {
	const xcb_query_extension_reply_t *reply = xcb_get_extension_data(s->conn, extension);

	if (reply == NULL || !reply->present) {
		return false;
	}
	if (first_event != NULL) {
		*first_event = reply->first_event;
	}
	return true;
}

/* A descriptor can be handed to the X server from MIT-SHM 1.2 on, and over a local socket only;
 * the latter shows when the first one is. */
static bool check_shm(struct x11_source *s) {
	xcb_shm_query_version_reply_t *reply;
	bool is_enough;

	if (!has_extension(s, &xcb_shm_id, NULL)) {
		return false;
	}
	reply = xcb_shm_query_version_reply(s->conn, xcb_shm_query_version(s->conn), NULL);
	is_enough = reply != NULL && (reply->major_version > 1 || reply->minor_version >= 2);
	free(reply);
	return is_enough;
}

static bool check_xfixes(struct x11_source *s) {
	xcb_xfixes_query_version_reply_t *reply;
	bool is_enough;

	if (!has_extension(s, &xcb_xfixes_id, &s->cursor_event)) {
		return false;
	}
	reply = xcb_xfixes_query_version_reply(
		s->conn, xcb_xfixes_query_version(s->conn, 2, 0), NULL);
	is_enough = reply != NULL && reply->major_version >= 2;
	free(reply);
	return is_enough;
}

static bool check_damage(struct x11_source *s) {
	xcb_damage_query_version_reply_t *reply;
	bool is_there;

	if (!has_extension(s, &xcb_damage_id, &s->damage_event)) {
		return false;
	}
	reply = xcb_damage_query_version_reply(
		s->conn, xcb_damage_query_version(s->conn, 1, 1), NULL);
	is_there = reply != NULL;
	free(reply);
	return is_there;
}

static int connect_display(struct x11_source *s) {
	const char *name = s->target->display != NULL ? s->target->display : getenv("DISPLAY");
	xcb_screen_iterator_t screens;
	int number = 0;

	if (name == NULL || name[0] == '\0') {
		return x11_fail(
			s, -ENOTCONN, "no X display: $DISPLAY is not set (or say --display :0)");
	}
	s->conn = xcb_connect(name, &number);
	if (xcb_connection_has_error(s->conn) == XCB_CONN_CLOSED_PARSE_ERR) {
		return x11_fail(s, -ENOTCONN, "'%s' is not the name of an X display", name);
	}
	if (xcb_connection_has_error(s->conn) != 0) {
		return x11_fail(s, -ENOTCONN, "cannot connect to the X display '%s'", name);
	}
	screens = xcb_setup_roots_iterator(xcb_get_setup(s->conn));
	while (number > 0 && screens.rem > 1) {
		xcb_screen_next(&screens);
		number--;
	}
	if (number > 0) {
		return x11_fail(s, -ENOTCONN, "the X display '%s' has no such screen", name);
	}
	s->screen = screens.data;
	return 0;
}

static void check_extensions(struct x11_source *s) {
	bool has_xfixes;

	xcb_prefetch_extension_data(s->conn, &xcb_shm_id);
	xcb_prefetch_extension_data(s->conn, &xcb_xfixes_id);
	xcb_prefetch_extension_data(s->conn, &xcb_damage_id);
	s->has_shm = check_shm(s);
	has_xfixes = check_xfixes(s);
	s->has_damage = has_xfixes && check_damage(s);
	s->has_cursor = has_xfixes && s->target->has_cursor;
}

#ifdef HAVE_XCB_COMPOSITE
/* Lets the X server keep the window's picture off the screen: windows above it and the screen's
 * edge then do not show in it. */
static void redirect_window(struct x11_source *s) {
	xcb_void_cookie_t cookie;
	xcb_generic_error_t *error;
	xcb_composite_query_version_reply_t *version;

	if (s->window == s->screen->root || !has_extension(s, &xcb_composite_id, NULL)) {
		return;
	}
	version = xcb_composite_query_version_reply(
		s->conn, xcb_composite_query_version(s->conn, 0, 4), NULL);
	free(version);
	cookie = xcb_composite_redirect_window_checked(
		s->conn, s->window, XCB_COMPOSITE_REDIRECT_AUTOMATIC);
	error = xcb_request_check(s->conn, cookie);
	s->is_redirected = version != NULL && error == NULL;
	free(error);
}
#else
static void redirect_window(struct x11_source *s) {
	s->is_redirected = false;
}
#endif

static void select_events(struct x11_source *s) {
	uint32_t mask = XCB_EVENT_MASK_STRUCTURE_NOTIFY;

	xcb_change_window_attributes(s->conn, s->window, XCB_CW_EVENT_MASK, &mask);
	if (s->has_damage) {
		s->damage = xcb_generate_id(s->conn);
		xcb_damage_create(s->conn, s->damage, s->window, XCB_DAMAGE_REPORT_LEVEL_NON_EMPTY);
		s->region = xcb_generate_id(s->conn);
		xcb_xfixes_create_region(s->conn, s->region, 0, NULL);
	}
	if (s->has_cursor) {
		x11_cursor_init(s);
	}
}

struct x11_source *x11_source_create(void) {
	return calloc(1, sizeof(struct x11_source));
}

int x11_source_open(struct x11_source *s, const struct x11_target *target) {
	int rc;

	s->target = target;
	rc = connect_display(s);
	if (rc < 0) {
		return rc;
	}
	s->window = s->screen->root;
	if (target->window != NULL) {
		rc = x11_window_find(s, target->window, &s->window);
		if (rc < 0) {
			return rc;
		}
	}
	check_extensions(s);
	select_events(s);
	redirect_window(s);
	s->is_changed = true;
	return x11_geometry_update(s);
}

const char *x11_source_get_error(const struct x11_source *s) {
	return s->error;
}

int x11_source_get_fd(const struct x11_source *s) {
	return xcb_get_file_descriptor(s->conn);
}

void x11_source_get_format(const struct x11_source *s, struct zoe_format *f) {
	*f = s->format;
}

bool x11_source_is_shared(const struct x11_source *s) {
	return s->segment.id != 0;
}

/* Returns: 0; -ENODATA the window is gone. */
static int take_event(struct x11_source *s, const xcb_generic_event_t *event) {
	uint8_t type = event->response_type & 0x7f;

	if (s->has_damage && type == s->damage_event + XCB_DAMAGE_NOTIFY) {
		s->is_changed = true;
		return 0;
	}
	if (s->has_cursor && type == s->cursor_event + XCB_XFIXES_CURSOR_NOTIFY) {
		s->cursor.is_stale = true;
		s->is_changed = true;
		return 0;
	}
	switch (type) {
	case XCB_CONFIGURE_NOTIFY:
		s->is_resized = true;
		return 0;
	case XCB_UNMAP_NOTIFY:
		return x11_fail(s, -ENODATA, "the window is no longer shown");
	case XCB_DESTROY_NOTIFY:
		return x11_fail(s, -ENODATA, "the window was closed");
	default:
		return 0;
	}
}

static int take_events(struct x11_source *s) {
	xcb_generic_event_t *event;
	int rc = 0;

	while (rc == 0 && (event = xcb_poll_for_event(s->conn)) != NULL) {
		rc = take_event(s, event);
		free(event);
	}
	if (rc == 0 && xcb_connection_has_error(s->conn) != 0) {
		rc = x11_fail(s, -ENOTCONN, "the X server closed the connection");
	}
	return rc;
}

int x11_source_dispatch(struct x11_source *s) {
	int rc = take_events(s);

	while (rc == 0 && s->is_resized) {
		s->is_resized = false;
		s->is_changed = true;
		rc = x11_geometry_update(s);
		if (rc == 0) {
			rc = take_events(s);
		}
	}
	if (rc < 0) {
		return rc;
	}
	return s->is_changed || !s->has_damage ? 1 : 0;
}

void x11_source_destroy(struct x11_source *s) {
	if (s == NULL) {
		return;
	}
	x11_cursor_finish(s);
	xcb_disconnect(s->conn);
	free(s);
}
