/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture_x11_source.h"
#include "tool.h"

enum { TITLE_BYTES = 256, DEPTH_MAX = 8 };

struct search {
	struct x11_source *source;
	const char *wanted;
	xcb_atom_t net_wm_name;
	xcb_window_t exact, partial;
	unsigned n_partial;
	char titles[160]; // of the first partial matches, for the sentence
};

static xcb_atom_t get_atom(struct x11_source *s, const char *name) {
	xcb_intern_atom_reply_t *reply;
	xcb_atom_t atom = XCB_ATOM_NONE;

	reply = xcb_intern_atom_reply(
		s->conn, xcb_intern_atom(s->conn, 1, (uint16_t)strlen(name), name), NULL);
	if (reply != NULL) {
		atom = reply->atom;
	}
	free(reply);
	return atom;
}

/* Returns: true and a text, which may have been cut. */
static bool get_text(
	struct x11_source *s, xcb_window_t window, xcb_atom_t property, char text[TITLE_BYTES]) {
	xcb_get_property_cookie_t cookie;
	xcb_get_property_reply_t *reply;
	size_t len = 0;

	if (property == XCB_ATOM_NONE) {
		return false;
	}
	cookie = xcb_get_property(
		s->conn, 0, window, property, XCB_GET_PROPERTY_TYPE_ANY, 0, TITLE_BYTES / 4);
	reply = xcb_get_property_reply(s->conn, cookie, NULL);
	if (reply != NULL && reply->format == 8) {
		len = (size_t)xcb_get_property_value_length(reply);
		len = len < TITLE_BYTES ? len : TITLE_BYTES - 1;
		memcpy(text, xcb_get_property_value(reply), len);
	}
	text[len] = '\0';
	free(reply);
	return len > 0;
}

static bool is_viewable(struct x11_source *s, xcb_window_t window) {
	xcb_get_window_attributes_reply_t *reply;
	bool is_shown;

	reply = xcb_get_window_attributes_reply(
		s->conn, xcb_get_window_attributes(s->conn, window), NULL);
	is_shown = reply != NULL && reply->map_state == XCB_MAP_STATE_VIEWABLE &&
		   reply->_class == XCB_WINDOW_CLASS_INPUT_OUTPUT;
	free(reply);
	return is_shown;
}

static void note_match(struct search *search, xcb_window_t window, const char *title) {
	size_t used = strlen(search->titles);
	char shown[25];

	if (strcasecmp(title, search->wanted) == 0 && search->exact == 0) {
		search->exact = window;
		return;
	}
	if (strcasestr(title, search->wanted) == NULL) {
		return;
	}
	search->partial = search->partial != 0 ? search->partial : window;
	search->n_partial++;
	snprintf(search->titles + used, sizeof(search->titles) - used, "%s0x%x '%s'",
		used > 0 ? ", " : "", (unsigned)window,
		tool_printable(title, shown, sizeof(shown)));
}

static void look_at(struct search *search, xcb_window_t window, unsigned depth) {
	struct x11_source *s = search->source;
	xcb_query_tree_reply_t *tree;
	const xcb_window_t *children;
	char title[TITLE_BYTES];
	int n_children;

	if ((get_text(s, window, search->net_wm_name, title) ||
		    get_text(s, window, XCB_ATOM_WM_NAME, title)) &&
		is_viewable(s, window)) {
		note_match(search, window, title);
	}
	if (depth == DEPTH_MAX) {
		return;
	}
	tree = xcb_query_tree_reply(s->conn, xcb_query_tree(s->conn, window), NULL);
	if (tree == NULL) {
		return;
	}
	children = xcb_query_tree_children(tree);
	n_children = xcb_query_tree_children_length(tree);
	for (int i = 0; i < n_children; i++) {
		look_at(search, children[i], depth + 1);
	}
	free(tree);
}

/* "0x1a0000b" or "27262987". */
static bool parse_id(const char *text, xcb_window_t *out) {
	unsigned long value;
	char *end;

	if (text[0] < '0' || text[0] > '9') {
		return false;
	}
	errno = 0;
	value = strtoul(text, &end, 0);
	if (errno != 0 || *end != '\0' || value == 0 || value > UINT32_MAX) {
		return false;
	}
	*out = (xcb_window_t)value;
	return true;
}

static int find_title(struct x11_source *s, const char *wanted, xcb_window_t *out) {
	struct search search = {.source = s, .wanted = wanted};

	search.net_wm_name = get_atom(s, "_NET_WM_NAME");
	look_at(&search, s->screen->root, 0);
	if (search.exact == 0 && search.n_partial > 1) {
		return x11_fail(s, -ENOENT, "window '%s': %u titles match (%s); say which id",
			wanted, search.n_partial, search.titles);
	}
	if (search.exact == 0 && search.n_partial == 0) {
		return x11_fail(
			s, -ENOENT, "window '%s': no window shown has it in its title", wanted);
	}
	*out = search.exact != 0 ? search.exact : search.partial;
	return 0;
}

int x11_window_find(struct x11_source *s, const char *wanted, xcb_window_t *out) {
	xcb_get_geometry_reply_t *geometry;
	xcb_window_t id;

	if (wanted[0] == '\0') {
		return x11_fail(s, -ENOENT, "window '': needs an id or a part of a title");
	}
	if (!parse_id(wanted, &id)) {
		return find_title(s, wanted, out);
	}
	geometry = xcb_get_geometry_reply(s->conn, xcb_get_geometry(s->conn, id), NULL);
	if (geometry == NULL) {
		return x11_fail(s, -ENOENT, "window '%s': no window has this id", wanted);
	}
	free(geometry);
	*out = id;
	return 0;
}
