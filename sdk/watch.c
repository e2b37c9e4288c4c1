/* SPDX-License-Identifier: MIT */
#include "watch.h"

#include <errno.h>
#include <string.h>

#include "client.h"
#include "link.h"
#include "pollable.h"

/* The broker knows these by its own names. */
static_assert((int)ZOE_STREAM_LIVE == (int)ZOE_STATE_LIVE, "state");
static_assert((int)ZOE_STREAM_BLOCKS == (int)ZOE_STATE_BLOCKS, "state");
static_assert((int)ZOE_STREAM_RETURNING == (int)ZOE_STATE_RETURNING, "state");
static_assert((int)ZOE_STREAM_MOVING == (int)ZOE_STATE_MOVING, "state");

struct zoe_watch {
	zoe_watch_fn fn;
	void *user;
	uint32_t epoch;  // of the connection that was asked to watch; 0 = none
	uint32_t serial; // of the request
	struct zoe_pollable pollable;
};

void zoe_watch_destroy(struct zoe_watch *watch) {
	if (!watch) {
		return;
	}
	zoe_pollable_close(&watch->pollable);
	free(watch);
}

/* A message's strings, made safe in place. */
static void stream_terminate(struct zoe_msg_stream *msg) {
	msg->name[sizeof(msg->name) - 1] = 0;
	msg->region[sizeof(msg->region) - 1] = 0;
	msg->description[sizeof(msg->description) - 1] = 0;
	msg->producer[sizeof(msg->producer) - 1] = 0;
}

static int stream_get_info(const struct zoe_packet *packet, struct zoe_msg_stream *copy,
	struct zoe_stream_info *info) {
	const struct zoe_msg_stream *msg = zoe_packet_get(packet, sizeof(*msg));

	if (!msg) {
		return -EPROTO;
	}
	*copy = *msg;
	stream_terminate(copy);
	*info = (struct zoe_stream_info){
		.struct_size = sizeof(*info),
		.name = copy->name,
		.region = copy->region,
		.description = copy->description,
		.producer = copy->producer,
		.format = {.fourcc = copy->fourcc,
			.width = copy->width,
			.height = copy->height,
			.n_planes = copy->n_planes,
			.size_bytes = copy->size_bytes},
		.generation = copy->generation,
		.n_producers = copy->n_producers,
		.n_consumers = copy->n_consumers,
		.max_producers = copy->max_producers,
		.max_consumers = copy->max_consumers,
		.n_slots = copy->n_slots,
		.depth = copy->depth,
		.may = copy->may,
		.rate_mhz = copy->rate_mhz,
		.head_seq = copy->head_seq,
		.last_publish_ns = copy->last_publish_ns,
		.max_frame_bytes = copy->max_frame_bytes,
		.memory_bytes = copy->memory_bytes,
		.capture_ns = copy->capture_ns,
		.dropped = copy->dropped,
		.open = copy->open,
		.hold = copy->hold,
		.max_fps = copy->max_fps,
		.patience_ms = copy->patience_ms,
		.state = copy->state,
	};
	memcpy(info->format.stride, copy->stride, sizeof(copy->stride));
	memcpy(info->format.offset, copy->offset, sizeof(copy->offset));
	return 0;
}

static int stream_tell(
	const struct zoe_packet *packet, zoe_watch_fn fn, void *user, enum zoe_change change) {
	struct zoe_stream_info info;
	struct zoe_msg_stream copy;
	int error = stream_get_info(packet, &copy, &info);

	return error ? error : fn(user, change, &info);
}

/* An event that the watch asked for. */
static int watch_event(struct zoe_client *c) {
	struct zoe_watch *w = c->watch;
	const struct zoe_msg_header *header = &c->packet->header;

	if (!w || !w->fn) {
		return 0;
	}
	switch (header->type) {
	case ZOE_MSG_ADDED:
		return stream_tell(c->packet, w->fn, w->user, ZOE_ADDED);
	case ZOE_MSG_CHANGED:
		return stream_tell(c->packet, w->fn, w->user, ZOE_CHANGED);
	case ZOE_MSG_REMOVED:
		return stream_tell(c->packet, w->fn, w->user, ZOE_REMOVED);
	case ZOE_MSG_WATCH:
		if (header->serial != w->serial || header->status < 0) {
			return 0;
		}
		if (header->flags & ZOE_MSG_MORE) {
			return stream_tell(c->packet, w->fn, w->user, ZOE_ADDED);
		}
		return w->fn(w->user, ZOE_SYNCED, NULL);
	default:
		return 0;
	}
}

static int status_tell(
	const struct zoe_packet *packet, zoe_status_fn fn, void *user, uint32_t kind) {
	struct zoe_status status = {.struct_size = sizeof(status)};

	if (kind == ZOE_STATUS_STREAM) {
		struct zoe_stream_info info;
		struct zoe_msg_stream copy;
		int error = stream_get_info(packet, &copy, &info);

		status.stream = &info;
		return error ? error : fn(user, &status);
	}
	if (kind == ZOE_STATUS_PEER && zoe_packet_get(packet, sizeof(struct zoe_msg_peer))) {
		struct zoe_msg_peer m;

		memcpy(&m, packet->bytes, sizeof(m));
		m.stream[sizeof(m.stream) - 1] = 0;
		m.app[sizeof(m.app) - 1] = 0;
		m.group[sizeof(m.group) - 1] = 0;
		status.peer = &(struct zoe_peer_info){sizeof(struct zoe_peer_info), m.stream, m.app,
			m.role, m.state, m.pid, m.uid, m.generation, m.held, m.lag, m.taken, m.lost,
			m.last_ns, m.read_ns, m.delivery, m.group};
		return fn(user, &status);
	}
	if (kind == ZOE_STATUS_BROKER && zoe_packet_get(packet, sizeof(struct zoe_msg_broker))) {
		struct zoe_msg_broker m;

		memcpy(&m, packet->bytes, sizeof(m));
		m.version[sizeof(m.version) - 1] = 0;
		m.socket[sizeof(m.socket) - 1] = 0;
		m.config[sizeof(m.config) - 1] = 0;
		m.protection[sizeof(m.protection) - 1] = 0;
		status.broker = &(struct zoe_broker_info){sizeof(struct zoe_broker_info), m.version,
			m.socket, m.config, m.protection, m.pid, m.n_streams, m.n_clients,
			m.start_ns, m.memory_bytes, m.memory_limit_bytes, m.load_ns, m.failure_ns};
		return fn(user, &status);
	}
	return 0; /* a newer broker's kind of line */
}

/* One packet of the answer. Returns: 0 more to come; 1 was the last; else stop with it. */
static int question_answer(struct zoe_client *c, const struct zoe_question *q, int *result) {
	const struct zoe_msg_header *header = &c->packet->header;
	uint32_t kind = 0;

	if (header->type != q->request->type || header->serial != q->request->serial) {
		*result = watch_event(c);
		return *result != 0;
	}
	if (header->status < 0) {
		*result = zoe_client_fail_packet(c, c->packet);
		return 1;
	}
	if (q->packet) {
		*result = q->packet(q->user, c->packet);
		return *result != 0 || !(header->flags & ZOE_MSG_MORE);
	}
	if (!(header->flags & ZOE_MSG_MORE)) {
		*result = q->list ? q->list(q->user, ZOE_SYNCED, NULL) : 0;
		return 1;
	}
	if (c->packet->size >= sizeof(*header) + sizeof(kind)) {
		memcpy(&kind, c->packet->bytes + sizeof(*header), sizeof(kind));
	}
	*result = q->list ? stream_tell(c->packet, q->list, q->user, ZOE_ADDED)
			  : status_tell(c->packet, q->status, q->user, kind);
	return *result != 0;
}

static int question_send(
	struct zoe_client *c, struct zoe_msg_header *request, const struct zoe_deadline *deadline) {
	int error = zoe_link_connect(c->link, deadline);

	if (error) {
		return error;
	}
	request->serial = ++c->link->serial;
	while ((error = zoe_link_send(c->link, request)) == -EAGAIN &&
		zoe_deadline_left(deadline)) {
		zoe_link_poll(c->link, deadline, 10);
	}
	return error;
}

/* The broker went away since the last call: hears what it said last, and its end, so that the next
 * try connects anew. Returns: what a watch's callback returned. */
static int question_drain(struct zoe_client *c) {
	int result = 0;

	while (result == 0 && zoe_link_receive(c->link) == 0) {
		result = watch_event(c);
		zoe_packet_finish(c->packet);
	}
	c->link->retry_ns = 0;
	return result;
}

int zoe_client_ask(
	struct zoe_client *c, const struct zoe_question *q, const struct zoe_deadline *deadline) {
	int error, result = 0;

	c->link->retry_ns = 0;
	error = question_send(c, q->request, deadline);

	if (error == -EPIPE || error == -ECONNRESET) {
		result = question_drain(c);
		if (result) {
			return result;
		}
		error = question_send(c, q->request, deadline);
	}
	while (!error) {
		error = zoe_link_receive(c->link);
		if (error == -EAGAIN && zoe_deadline_left(deadline) > 0) {
			zoe_link_poll(c->link, deadline, 500);
			error = 0;
			continue;
		}
		if (!error) {
			int is_done = question_answer(c, q, &result);

			zoe_packet_finish(c->packet);
			if (is_done) {
				return result;
			}
		}
	}
	return error == -EAGAIN ? zoe_client_fail(c, deadline->end_ns ? -ETIMEDOUT : -EAGAIN,
					  "the broker did not answer in time")
				: error;
}

int zoe_client_list(struct zoe_client *c, zoe_watch_fn fn, void *user, int timeout_ms) {
	struct zoe_deadline deadline = zoe_deadline_init(timeout_ms);
	struct zoe_msg_header request = {.type = ZOE_MSG_LIST, .size = sizeof(request)};
	struct zoe_question q = {.request = &request, .list = fn, .user = user};

	if (zoe_client_is_forked(c)) {
		return zoe_client_fail_forked(c);
	}
	return zoe_client_ask(c, &q, &deadline);
}

int zoe_client_status(
	struct zoe_client *c, const char *stream, zoe_status_fn fn, void *user, int timeout_ms) {
	struct zoe_deadline deadline = zoe_deadline_init(timeout_ms);
	struct zoe_msg_name request;
	struct zoe_question q = {.request = &request.header, .status = fn, .user = user};

	if (zoe_client_is_forked(c)) {
		return zoe_client_fail_forked(c);
	}
	memset(&request, 0, sizeof(request));
	zoe_msg_init(&request, ZOE_MSG_STATUS, 0);
	if (stream && strlen(stream) >= sizeof(request.name)) {
		return zoe_client_fail(
			c, -ENOENT, "stream '%.40s...': a name has at most 96 bytes", stream);
	}
	zoe_wire_set_text(request.name, sizeof(request.name), stream ? stream : "");
	return zoe_client_ask(c, &q, &deadline);
}

static struct zoe_watch *watch_get(struct zoe_client *c) {
	if (!c->watch) {
		c->watch = calloc(1, sizeof(*c->watch));
		if (c->watch) {
			zoe_pollable_init(&c->watch->pollable);
		}
	}
	return c->watch;
}

int zoe_client_watch(struct zoe_client *c, zoe_watch_fn fn, void *user) {
	struct zoe_watch *w;

	if (zoe_client_is_forked(c)) {
		return zoe_client_fail_forked(c);
	}
	w = watch_get(c);
	if (!w) {
		return zoe_client_fail(c, -ENOMEM, "watch streams: no memory");
	}
	w->fn = fn;
	w->user = user;
	w->epoch = 0;
	return 0;
}

int zoe_client_get_fd(struct zoe_client *c) {
	struct zoe_watch *w;

	if (zoe_client_is_forked(c)) {
		return zoe_client_fail_forked(c);
	}
	w = watch_get(c);
	if (!w) {
		return zoe_client_fail(c, -ENOMEM, "cannot make a pollable descriptor: no memory");
	}
	return zoe_pollable_open(&w->pollable, c->link);
}

static void watch_ask(struct zoe_client *c) {
	struct zoe_msg_header request = {.type = ZOE_MSG_WATCH, .size = sizeof(request)};
	struct zoe_watch *w = c->watch;

	if (!w || !w->fn || w->epoch == c->link->epoch) {
		return;
	}
	request.serial = ++c->link->serial;
	if (zoe_link_send(c->link, &request) == 0) {
		w->epoch = c->link->epoch;
		w->serial = request.serial;
	}
}

int zoe_client_dispatch(struct zoe_client *c) {
	int result = 0;

	if (zoe_client_is_forked(c)) {
		return zoe_client_fail_forked(c);
	}
	if (c->watch) {
		zoe_pollable_tick(&c->watch->pollable);
	}
	if (zoe_link_step(c->link) != 0) {
		return 0;
	}
	watch_ask(c);
	while (result == 0 && zoe_link_receive(c->link) == 0) {
		result = watch_event(c);
		zoe_packet_finish(c->packet);
	}
	return result;
}
