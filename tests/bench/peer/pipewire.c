/* SPDX-License-Identifier: MIT */
/*
 * PipeWire streams: the producer drives the graph, each reader links itself to it, and takes its
 * buffers from its main loop (not from a realtime thread). The daemon is the script's.
 */
#include <pipewire/pipewire.h>
#include <spa/param/video/format-utils.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "peer.h"

static _Atomic uint32_t *node_id; // of the producer, for the readers' links
static struct pw_main_loop *main_loop;
static struct pw_loop *loop;
static struct pw_core *core;
static struct pw_stream *stream;
static struct pw_buffer *buffer;
static uint8_t *scratch; // for frames that nobody can get
static enum pw_stream_state state;

static const char *version(void) {
	return pw_get_library_version();
}

static int prepare(const struct trial *t) {
	(void)t;
	node_id = mmap(
		NULL, sizeof(*node_id), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return node_id == MAP_FAILED ? -1 : 0;
}

static void on_state(
	void *user, enum pw_stream_state old, enum pw_stream_state new, const char *error) {
	(void)user;
	(void)old;
	state = new;
	if (error) {
		fprintf(stderr, "pipewire: %s\n", error);
	}
}

/* Once the format is agreed on: how many buffers, and of what. */
static void on_param(void *user, uint32_t id, const struct spa_pod *param) {
	uint8_t memory[1024];
	struct spa_pod_builder b = SPA_POD_BUILDER_INIT(memory, sizeof(memory));
	const struct spa_pod *params[1];

	(void)user;
	if (!param || id != SPA_PARAM_Format) {
		return;
	}
	params[0] = spa_pod_builder_add_object(&b, SPA_TYPE_OBJECT_ParamBuffers, SPA_PARAM_Buffers,
		SPA_PARAM_BUFFERS_buffers, SPA_POD_CHOICE_RANGE_Int(SLOTS, 2, 16),
		SPA_PARAM_BUFFERS_blocks, SPA_POD_Int(1), SPA_PARAM_BUFFERS_size,
		SPA_POD_Int(FRAME_BYTES), SPA_PARAM_BUFFERS_stride, SPA_POD_Int(WIDTH * 4),
		SPA_PARAM_BUFFERS_dataType, SPA_POD_CHOICE_FLAGS_Int(1 << SPA_DATA_MemFd));
	pw_stream_update_params(stream, params, 1);
}

static const struct pw_stream_events events = {
	.version = PW_VERSION_STREAM_EVENTS,
	.state_changed = on_state,
	.param_changed = on_param,
};

static bool core_connect(void) {
	struct pw_context *context;

	pw_init(NULL, NULL);
	main_loop = pw_main_loop_new(NULL);
	loop = pw_main_loop_get_loop(main_loop);
	pw_loop_enter(loop);
	context = pw_context_new(loop, NULL, 0);
	core = context ? pw_context_connect(context, NULL, 0) : NULL;
	return core != NULL;
}

static bool stream_connect(
	struct pw_properties *properties, enum pw_direction direction, enum pw_stream_flags flags) {
	static struct spa_hook hook;
	uint8_t memory[1024];
	struct spa_pod_builder b = SPA_POD_BUILDER_INIT(memory, sizeof(memory));
	struct spa_video_info_raw info = {
		.format = SPA_VIDEO_FORMAT_BGRA, .size = {WIDTH, HEIGHT}, .framerate = {60, 1}};
	const struct spa_pod *params[1];

	stream = pw_stream_new(core, "peers", properties);
	if (!stream) {
		return false;
	}
	pw_stream_add_listener(stream, &hook, &events, NULL);
	params[0] = spa_format_video_raw_build(&b, SPA_PARAM_EnumFormat, &info);
	if (pw_stream_connect(stream, direction, PW_ID_ANY, PW_STREAM_FLAG_MAP_BUFFERS | flags,
		    params, 1) < 0) {
		return false;
	}
	for (unsigned i = 0; i < 100 && state < PW_STREAM_STATE_PAUSED; i++) {
		pw_loop_iterate(loop, 20);
	}
	return state >= PW_STREAM_STATE_PAUSED;
}

static int produce(const struct trial *t) {
	(void)t;
	scratch = malloc(FRAME_BYTES);
	if (!scratch || !core_connect() ||
		!stream_connect(pw_properties_new(PW_KEY_MEDIA_TYPE, "Video", PW_KEY_MEDIA_CLASS,
					"Video/Source", PW_KEY_NODE_DRIVER, "true", NULL),
			PW_DIRECTION_OUTPUT, PW_STREAM_FLAG_DRIVER)) {
		return -1;
	}
	atomic_store_explicit(node_id, pw_stream_get_node_id(stream), memory_order_relaxed);
	return 0;
}

static int consume(const struct trial *t, unsigned index) {
	char out[16], in[16];
	struct spa_dict_item items[3];

	(void)t;
	(void)index;
	if (!core_connect() || !stream_connect(pw_properties_new(PW_KEY_MEDIA_TYPE, "Video", NULL),
				       PW_DIRECTION_INPUT, PW_STREAM_FLAG_NONE)) {
		return -1;
	}
	snprintf(out, sizeof(out), "%u", atomic_load_explicit(node_id, memory_order_relaxed));
	snprintf(in, sizeof(in), "%u", pw_stream_get_node_id(stream));
	items[0] = SPA_DICT_ITEM_INIT(PW_KEY_LINK_OUTPUT_NODE, out);
	items[1] = SPA_DICT_ITEM_INIT(PW_KEY_LINK_INPUT_NODE, in);
	/* By name, or only a port that has no link yet would do. */
	items[2] = SPA_DICT_ITEM_INIT(PW_KEY_LINK_OUTPUT_PORT, "out_0");
	return pw_core_create_object(core, "link-factory", PW_TYPE_INTERFACE_Link, PW_VERSION_LINK,
		       &SPA_DICT_INIT(items, 3), 0)
		       ? 0
		       : -1;
}

/* Readers come and go by messages to our loop. */
static uint8_t *acquire(void) {
	while (pw_loop_iterate(loop, 0) > 0) {
	}
	buffer = state == PW_STREAM_STATE_STREAMING ? pw_stream_dequeue_buffer(stream) : NULL;
	return buffer ? buffer->buffer->datas[0].data : scratch;
}

static int publish(void) {
	if (!buffer) {
		return 0; // no free buffer: the frame is lost, and counted by the readers
	}
	*buffer->buffer->datas[0].chunk =
		(struct spa_chunk){.size = FRAME_BYTES, .stride = WIDTH * 4};
	pw_stream_queue_buffer(stream, buffer);
	pw_stream_trigger_process(stream);
	return 0;
}

static const uint8_t *next(int timeout_ms) {
	buffer = pw_stream_dequeue_buffer(stream);
	if (!buffer) {
		pw_loop_iterate(loop, timeout_ms);
		buffer = pw_stream_dequeue_buffer(stream);
	}
	return buffer ? buffer->buffer->datas[0].data : NULL;
}

static void release(void) {
	pw_stream_queue_buffer(stream, buffer);
}

static void leave(void) {
	pw_stream_destroy(stream);
	pw_core_disconnect(core);
}

const struct peer peer = {
	.version = version,
	.deeds = 1 << IN_PLACE | 1 << COPY | 1 << STOPPED,
	.prepare = prepare,
	.produce = produce,
	.consume = consume,
	.acquire = acquire,
	.publish = publish,
	.next = next,
	.release = release,
	.leave = leave,
};
