/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#ifdef HAVE_XCB_COMPOSITE
#include <xcb/composite.h>
#endif

#include "capture_x11_source.h"

/* X11's masks, which are of pixels as little-endian words, and what they are called elsewhere. */
static const struct layout {
	uint32_t bits, red, green, blue, fourcc;
} layouts[] = {
	{32, 0xff0000, 0xff00, 0xff, ZOE_FORMAT_XR24},
	{32, 0xff, 0xff00, 0xff0000, ZOE_FORMAT_XB24},
	{32, 0x3ff00000, 0xffc00, 0x3ff, ZOE_FORMAT_XR30},
	{24, 0xff0000, 0xff00, 0xff, ZOE_FORMAT_RG24},
	{16, 0xf800, 0x7e0, 0x1f, ZOE_FORMAT_RG16},
};

static const xcb_visualtype_t *find_visual(const struct x11_source *s, xcb_visualid_t id) {
	xcb_depth_iterator_t depth = xcb_screen_allowed_depths_iterator(s->screen);

	for (; depth.rem > 0; xcb_depth_next(&depth)) {
		xcb_visualtype_iterator_t visual = xcb_depth_visuals_iterator(depth.data);

		for (; visual.rem > 0; xcb_visualtype_next(&visual)) {
			if (visual.data->visual_id == id) {
				return visual.data;
			}
		}
	}
	return NULL;
}

static const xcb_format_t *find_pixmap_format(const struct x11_source *s, uint8_t depth) {
	xcb_format_iterator_t i = xcb_setup_pixmap_formats_iterator(xcb_get_setup(s->conn));

	for (; i.rem > 0; xcb_format_next(&i)) {
		if (i.data->depth == depth) {
			return i.data;
		}
	}
	return NULL;
}

static uint32_t find_fourcc(const xcb_visualtype_t *visual, uint32_t bits) {
	for (size_t i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
		if (layouts[i].bits == bits && layouts[i].red == visual->red_mask &&
			layouts[i].green == visual->green_mask &&
			layouts[i].blue == visual->blue_mask) {
			return layouts[i].fourcc;
		}
	}
	return 0;
}

static int set_format(struct x11_source *s, const xcb_get_geometry_reply_t *geometry,
	const xcb_visualtype_t *visual) {
	const xcb_format_t *pixmap = find_pixmap_format(s, geometry->depth);
	struct zoe_format f;
	uint32_t fourcc, pad, row_bits;
	int rc;

	fourcc = visual != NULL && pixmap != NULL ? find_fourcc(visual, pixmap->bits_per_pixel) : 0;
	if (fourcc == 0 || xcb_get_setup(s->conn)->image_byte_order != XCB_IMAGE_ORDER_LSB_FIRST) {
		return x11_fail(s, -ENOTSUP,
			"the X display has pixels of a kind that no stream carries (depth %d)",
			geometry->depth);
	}
	rc = zoe_format_init(&f, fourcc, geometry->width, geometry->height);
	if (rc < 0) {
		return x11_fail(s, -ENOTSUP, "a picture of %ux%u pixels cannot be streamed",
			(unsigned)geometry->width, (unsigned)geometry->height);
	}
	pad = pixmap->scanline_pad;
	row_bits = (uint32_t)geometry->width * pixmap->bits_per_pixel;
	f.stride[0] = (row_bits + pad - 1) / pad * pad / 8;
	f.size_bytes = (uint64_t)f.stride[0] * f.height;
	f.alpha = ZOE_ALPHA_NONE;
	f.range = ZOE_RANGE_FULL;
	s->format = f;
	s->mask[0] = visual->red_mask;
	s->mask[1] = visual->green_mask;
	s->mask[2] = visual->blue_mask;
	s->pixel_bytes = pixmap->bits_per_pixel / 8U;
	s->border = geometry->border_width;
	return 0;
}

/* A redirected window gets a new pixmap with each size; the old one keeps the old picture. */
static int renew_drawable(struct x11_source *s) {
#ifdef HAVE_XCB_COMPOSITE
	if (s->is_redirected) {
		xcb_pixmap_t pixmap = xcb_generate_id(s->conn);
		xcb_generic_error_t *error;

		if (s->drawable != 0) {
			xcb_free_pixmap(s->conn, s->drawable);
		}
		s->drawable = 0;
		error = xcb_request_check(s->conn,
			xcb_composite_name_window_pixmap_checked(s->conn, s->window, pixmap));
		if (error != NULL) {
			free(error);
			return x11_fail(s, -ENODATA, "the window is no longer shown");
		}
		s->drawable = pixmap;
		return 0;
	}
#endif
	s->drawable = s->window;
	return 0;
}

/* Returns: 0; -ENODATA. */
static int check_shown(struct x11_source *s, const xcb_get_window_attributes_reply_t *attributes) {
	if (attributes == NULL) {
		return x11_fail(s, -ENODATA, "the window was closed");
	}
	if (attributes->_class != XCB_WINDOW_CLASS_INPUT_OUTPUT) {
		return x11_fail(s, -ENODATA, "window 0x%x has no picture", (unsigned)s->window);
	}
	if (attributes->map_state != XCB_MAP_STATE_VIEWABLE) {
		return x11_fail(s, -ENODATA, "window 0x%x is not shown", (unsigned)s->window);
	}
	return 0;
}

int x11_geometry_update(struct x11_source *s) {
	xcb_get_geometry_cookie_t geometry_cookie;
	xcb_get_window_attributes_cookie_t attributes_cookie;
	xcb_get_geometry_reply_t *geometry;
	xcb_get_window_attributes_reply_t *attributes;
	int rc;

	geometry_cookie = xcb_get_geometry(s->conn, s->window);
	attributes_cookie = xcb_get_window_attributes(s->conn, s->window);
	geometry = xcb_get_geometry_reply(s->conn, geometry_cookie, NULL);
	attributes = xcb_get_window_attributes_reply(s->conn, attributes_cookie, NULL);
	rc = check_shown(s, attributes);
	if (rc == 0 && geometry == NULL) {
		rc = x11_fail(s, -ENODATA, "the window was closed");
	}
	if (rc == 0) {
		rc = set_format(s, geometry, find_visual(s, attributes->visual));
	}
	if (rc == 0) {
		rc = renew_drawable(s);
	}
	free(geometry);
	free(attributes);
	return rc;
}
