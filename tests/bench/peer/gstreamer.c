/* SPDX-License-Identifier: MIT */
/*
 * appsrc ! shmsink and shmsrc ! appsink. In place, the producer writes into memory of shmsink's
 * own allocator, which it then sends without a copy; else shmsink copies.
 */
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <stdio.h>
#include <sys/mman.h>

#include "peer.h"

static GstElement *pipeline, *app;
static GstAllocator *allocator; // shmsink's
static GstBuffer *buffer;
static GstSample *sample;
static GstMapInfo map;

static const char *version(void) {
	static char text[32];
	guint major, minor, micro, nano;

	gst_version(&major, &minor, &micro, &nano);
	snprintf(text, sizeof(text), "%u.%u.%u", major, minor, micro);
	return text;
}

static void pipeline_make(const struct trial *t, const char *description) {
	char text[512];
	GError *error = NULL;

	gst_init(NULL, NULL);
	snprintf(text, sizeof(text), description, t->place, t->name);
	pipeline = gst_parse_launch(text, &error);
	if (!pipeline) {
		fprintf(stderr, "%s\n", error->message);
		return;
	}
	app = gst_bin_get_by_name(GST_BIN(pipeline), "app");
}

static bool pipeline_play(void) {
	gst_element_set_state(pipeline, GST_STATE_PLAYING);
	return gst_element_get_state(pipeline, NULL, NULL, 2 * GST_SECOND) !=
	       GST_STATE_CHANGE_FAILURE;
}

/* shmsink offers its allocator to whoever asks for one. */
static bool allocator_find(void) {
	GstPad *pad = gst_element_get_static_pad(app, "src");
	GstCaps *caps = gst_caps_new_empty_simple("application/octet-stream");
	GstQuery *query = gst_query_new_allocation(caps, FALSE);

	if (gst_pad_peer_query(pad, query) && gst_query_get_n_allocation_params(query) > 0) {
		gst_query_parse_nth_allocation_param(query, 0, &allocator, NULL);
	}
	gst_query_unref(query);
	gst_caps_unref(caps);
	gst_object_unref(pad);
	return allocator != NULL;
}

static int produce(const struct trial *t) {
	pipeline_make(t, "appsrc name=app is-live=true format=time block=true max-buffers=1 "
			 "max-bytes=0 ! shmsink socket-path=%s/%s shm-size=67108864 sync=false "
			 "async=false wait-for-connection=false");
	if (!pipeline || !pipeline_play()) {
		return -1;
	}
	return t->deed == COPY || t->deed == FLOW || allocator_find() ? 0 : -1;
}

/* The socket is there: shmsink has opened. */
static int consume(const struct trial *t, unsigned index) {
	(void)index;
	pipeline_make(t, "shmsrc socket-path=%s/%s is-live=true ! appsink name=app sync=false "
			 "max-buffers=4 drop=false");
	return pipeline && pipeline_play() ? 0 : -1;
}

static uint8_t *acquire(void) {
	buffer = gst_buffer_new_allocate(allocator, FRAME_BYTES, NULL);
	return buffer && gst_buffer_map(buffer, &map, GST_MAP_WRITE) ? map.data : NULL;
}

static int publish(void) {
	gst_buffer_unmap(buffer, &map);
	return gst_app_src_push_buffer(GST_APP_SRC(app), buffer) == GST_FLOW_OK ? 0 : -1;
}

static int send(const uint8_t *picture) {
	buffer = gst_buffer_new_wrapped_full(
		GST_MEMORY_FLAG_READONLY, (void *)picture, FRAME_BYTES, 0, FRAME_BYTES, NULL, NULL);
	return gst_app_src_push_buffer(GST_APP_SRC(app), buffer) == GST_FLOW_OK ? 0 : -1;
}

static const uint8_t *next(int timeout_ms) {
	sample = gst_app_sink_try_pull_sample(GST_APP_SINK(app), (guint64)timeout_ms * GST_MSECOND);
	if (!sample) {
		return NULL;
	}
	buffer = gst_sample_get_buffer(sample);
	if (!gst_buffer_map(buffer, &map, GST_MAP_READ) || map.size != FRAME_BYTES) {
		gst_sample_unref(sample);
		return NULL;
	}
	return map.data;
}

static void release(void) {
	gst_buffer_unmap(buffer, &map);
	gst_sample_unref(sample);
}

static void leave(void) {
	gst_element_set_state(pipeline, GST_STATE_NULL);
}

/* shmsink's name of its first shared memory. */
static void clean(int producer) {
	char name[32];

	snprintf(name, sizeof(name), "/shmpipe.%5d.%5d", producer, 0);
	shm_unlink(name);
}

const struct peer peer = {
	.version = version,
	.deeds = 1 << IN_PLACE | 1 << COPY | 1 << FLOW | 1 << STOPPED,
	.produce = produce,
	.consume = consume,
	.acquire = acquire,
	.publish = publish,
	.send = send,
	.next = next,
	.release = release,
	.leave = leave,
	.clean = clean,
};
