/* SPDX-License-Identifier: MIT */
/* A preload hook: streams what an OpenGL program draws, from inside that program. It must not be
 * felt: with timeout 0 a missing broker costs a few comparisons; a forked child gets -ECHILD.
 * Run: ZOE_STREAM=desk LD_PRELOAD=./libhook_gl.so glxgears */
#include <GL/gl.h>
#include <GL/glx.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <zoe/producer.h>

static __thread struct zoe_producer *producer; /* a client belongs to one thread */
static __thread int has_tried;

static void open_once(void) {
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .flags = ZOE_UNIQUE_NAME, .timeout_ms = 0};
	const char *stream = getenv("ZOE_STREAM");
	struct zoe_client *client;

	has_tried = 1;
	if (stream != NULL && zoe_client_create(&client, NULL) == 0) {
		zoe_producer_open(client, stream, &options, &producer); // is_wanted() goes on
	}
}

static void take_picture(Display *display, GLXDrawable drawable) {
	struct zoe_format format;
	struct zoe_slot *slot;
	unsigned w = 0, h = 0;
	GLint buffer = 0; // the program may be reading into a buffer of its own

	glGetIntegerv(GL_PIXEL_PACK_BUFFER_BINDING, &buffer);
	glXQueryDrawable(display, drawable, GLX_WIDTH, &w);
	glXQueryDrawable(display, drawable, GLX_HEIGHT, &h);
	if (buffer != 0 || zoe_format_init(&format, ZOE_FORMAT_XR24, w, h) < 0 ||
		zoe_producer_acquire(producer, &format, &slot, 0) < 0) {
		return; // not this time
	}
	/* OpenGL begins with the bottom row: say so, don't flip. Of wl_output's transforms that
	 * is 6, FLIPPED_180; 4, FLIPPED, is mirrored left to right. */
	slot->format.transform = 6;
	glReadPixels(0, 0, (GLsizei)w, (GLsizei)h, GL_BGRA, GL_UNSIGNED_BYTE, slot->plane[0]);
	zoe_producer_publish(producer, slot);
}

__attribute__((visibility("default"))) void glXSwapBuffers(Display *display, GLXDrawable drawable) {
	void (*swap)(Display *, GLXDrawable);
	void *symbol = dlsym(RTLD_NEXT, "glXSwapBuffers");

	if (!has_tried) {
		open_once();
	}
	if (producer != NULL && zoe_producer_is_wanted(producer) > 0) {
		take_picture(display, drawable);
	}
	memcpy(&swap, &symbol, sizeof(swap)); /* ISO C has no cast from data to function */
	swap(display, drawable);
}
