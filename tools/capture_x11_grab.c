/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "capture_x11_source.h"

enum { RECTS_MAX = 32 };

static void detach(struct x11_source *s) {
	if (s->segment.id != 0) {
		xcb_shm_detach(s->conn, s->segment.id);
		s->segment.id = 0;
	}
}

/* From here on pixels come over the socket, one copy more and many times slower. */
static int give_up_sharing(struct x11_source *s) {
	detach(s);
	s->has_shm = false;
	return -ENOTSUP;
}

/* Makes the X server map the memfd of the slot, once a generation.
 * Returns: 0 and where in it the slot lies; -ENOTSUP. */
static int share_slot(struct x11_source *s, const struct zoe_slot *slot, uint32_t *out) {
	xcb_generic_error_t *error;
	struct stat st;
	uint64_t offset;
	int fd, copy;

	fd = zoe_slot_get_memfd(slot, &offset);
	if (fd < 0 || offset > UINT32_MAX || fstat(fd, &st) < 0) {
		return give_up_sharing(s);
	}
	*out = (uint32_t)offset;
	if (s->segment.id != 0 && s->segment.device == st.st_dev && s->segment.inode == st.st_ino) {
		return 0;
	}
	detach(s);
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0) {
		return give_up_sharing(s);
	}
	s->segment = (struct x11_segment){xcb_generate_id(s->conn), st.st_dev, st.st_ino};
	/* xcb closes the copy, sent or not. */
	error = xcb_request_check(
		s->conn, xcb_shm_attach_fd_checked(s->conn, s->segment.id, copy, 0));
	if (error != NULL || xcb_connection_has_error(s->conn) != 0) {
		free(error);
		s->segment.id = 0;
		return give_up_sharing(s);
	}
	return 0;
}

/* Why a grab failed: another size, no window, or no server.
 * Returns: -EAGAIN; -ENODATA; -ENOTCONN. */
static int explain_failure(struct x11_source *s) {
	struct zoe_format before = s->format;
	int rc;

	if (xcb_connection_has_error(s->conn) != 0) {
		return x11_fail(s, -ENOTCONN, "the X server closed the connection");
	}
	rc = x11_geometry_update(s);
	if (rc < 0) {
		return rc;
	}
	if (s->format.width == before.width && s->format.height == before.height &&
		s->window != s->screen->root && !s->is_redirected) {
		return x11_fail(
			s, -ENODATA, "the window is partly off the screen and cannot be read");
	}
	return -EAGAIN;
}

static int16_t get_origin(const struct x11_source *s) {
	return s->is_redirected ? (int16_t)s->border : 0;
}

static int grab_shared(struct x11_source *s, uint32_t offset) {
	xcb_shm_get_image_cookie_t cookie;
	xcb_shm_get_image_reply_t *reply;
	xcb_generic_error_t *error = NULL;
	bool is_whole;

	cookie = xcb_shm_get_image(s->conn, s->drawable, get_origin(s), get_origin(s),
		(uint16_t)s->format.width, (uint16_t)s->format.height, ~0U,
		XCB_IMAGE_FORMAT_Z_PIXMAP, s->segment.id, offset);
	reply = xcb_shm_get_image_reply(s->conn, cookie, &error);
	is_whole = reply != NULL && reply->size == s->format.size_bytes;
	free(reply);
	free(error);
	return is_whole ? 0 : explain_failure(s);
}

static int grab_copied(struct x11_source *s, struct zoe_slot *slot) {
	xcb_get_image_cookie_t cookie;
	xcb_get_image_reply_t *reply;
	xcb_generic_error_t *error = NULL;
	size_t size = 0;

	cookie = xcb_get_image(s->conn, XCB_IMAGE_FORMAT_Z_PIXMAP, s->drawable, get_origin(s),
		get_origin(s), (uint16_t)s->format.width, (uint16_t)s->format.height, ~0U);
	reply = xcb_get_image_reply(s->conn, cookie, &error);
	if (reply != NULL) {
		size = (size_t)xcb_get_image_data_length(reply);
	}
	if (size >= s->format.size_bytes) {
		memcpy(slot->plane[0], xcb_get_image_data(reply), (size_t)s->format.size_bytes);
	}
	free(reply);
	free(error);
	return size >= s->format.size_bytes ? 0 : explain_failure(s);
}

static int grab_pixels(struct x11_source *s, struct zoe_slot *slot) {
	uint32_t offset = 0;

	if (s->has_shm && share_slot(s, slot, &offset) == 0) {
		return grab_shared(s, offset);
	}
	if (!s->has_warned) {
		s->has_warned = true;
		fprintf(stderr, "zoe: capture: the X server cannot write into the stream's memory "
				"(no MIT-SHM 1.2, or it is remote); pictures are copied, which is "
				"slower\n");
	}
	return grab_copied(s, slot);
}

struct rects {
	int32_t rect[RECTS_MAX][4];
	size_t n;
};

static void add_rect(struct rects *to, const xcb_rectangle_t *from, const struct zoe_format *f) {
	int32_t left = from->x > 0 ? from->x : 0, top = from->y > 0 ? from->y : 0;
	int32_t right = from->x + from->width, bottom = from->y + from->height;
	int32_t *rect;

	right = right < (int32_t)f->width ? right : (int32_t)f->width;
	bottom = bottom < (int32_t)f->height ? bottom : (int32_t)f->height;
	if (left >= right || top >= bottom || to->n == RECTS_MAX) {
		return;
	}
	rect = to->rect[to->n++];
	rect[0] = left;
	rect[1] = top;
	rect[2] = right - left;
	rect[3] = bottom - top;
}

/* Asks for what changed, and has the X server start anew: before the pixels are read, so that a
 * change in between shows in this frame and counts for the next. */
static xcb_xfixes_fetch_region_cookie_t take_damage(struct x11_source *s) {
	xcb_damage_subtract(s->conn, s->damage, XCB_NONE, s->region);
	return xcb_xfixes_fetch_region(s->conn, s->region);
}

static void collect_damage(
	struct x11_source *s, xcb_xfixes_fetch_region_cookie_t cookie, struct rects *out) {
	xcb_xfixes_fetch_region_reply_t *reply;
	const xcb_rectangle_t *rect;
	int n;

	reply = xcb_xfixes_fetch_region_reply(s->conn, cookie, NULL);
	if (reply == NULL) {
		return;
	}
	rect = xcb_xfixes_fetch_region_rectangles(reply);
	n = xcb_xfixes_fetch_region_rectangles_length(reply);
	if (n > RECTS_MAX - 2) { /* two are the cursor's, where it was and where it is */
		rect = &reply->extents;
		n = 1;
	}
	for (int i = 0; i < n; i++) {
		add_rect(out, &rect[i], &s->format);
	}
	free(reply);
}

static void tag_slot(
	struct x11_source *s, struct zoe_slot *slot, const struct rects *rects, bool is_full) {
	if (!is_full && s->has_damage && rects->n > 0 &&
		zoe_slot_set(slot, ZOE_TAG_DAMAGE, rects->rect,
			rects->n * sizeof(rects->rect[0])) == 0) {
		return;
	}
	slot->flags |= ZOE_FULL_DAMAGE;
}

int x11_source_grab(struct x11_source *s, struct zoe_slot *slot, bool is_full) {
	xcb_xfixes_fetch_region_cookie_t damage_cookie = {0};
	xcb_rectangle_t cursor_before = s->cursor.drawn;
	struct rects rects = {.n = 0};
	int rc;

	if (slot->format.width != s->format.width || slot->format.height != s->format.height ||
		slot->format.stride[0] != s->format.stride[0]) {
		return -EAGAIN;
	}
	if (s->has_damage) {
		damage_cookie = take_damage(s);
	}
	rc = grab_pixels(s, slot);
	if (s->has_damage) {
		collect_damage(s, damage_cookie, &rects);
	}
	if (rc < 0) {
		return rc;
	}
	s->is_changed = false;
	if (s->has_cursor) {
		x11_cursor_draw(s, slot);
		add_rect(&rects, &cursor_before, &s->format);
		add_rect(&rects, &s->cursor.drawn, &s->format);
	}
	tag_slot(s, slot, &rects, is_full);
	return 0;
}
