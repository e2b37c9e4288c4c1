/* SPDX-License-Identifier: MIT */
/*
 * libzoetrope against a broker that lies and producers that write anything: a producer, a consumer
 * or a client that asks questions. Input: who, its options, then steps of the broker and calls.
 * What the library hands out must lie within what was mapped; no call waits that was told not to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "consumer_priv.h"
#include "frame_check.h"
#include "fuzz.h"
#include "lying_broker.h"
#include "producer_priv.h"

enum { MAX_STEPS = 150, MAX_HELD = ZOE_MAX_PINS };

struct world {
	struct lying_broker broker;
	struct zoe_client *client;
	struct zoe_producer *producer;
	struct zoe_consumer *consumer;
	struct zoe_slot *slots[ZOE_MAX_OPEN];
	const struct zoe_frame *frames[MAX_HELD];
	unsigned n_slots, n_frames;
};

/* What a call may return, and that it says why. */
static int check_result(const struct world *w, int r) {
	const char *why = zoe_client_get_error(w->client);

	must(r >= -4095 && strnlen(why, 640) < 640);
	must(r >= 0 || r == -EAGAIN || why[0]);
	return r;
}

/* All of a plane lies within the mapping of `frames`. */
static void check_plane(const struct zoe_region *region, const void *plane,
	const struct zoe_format *f, unsigned i) {
	const uint8_t *at = plane, *map = region->frames_map;
	uint32_t row_bytes = 0, n_rows = 0;
	uint64_t size;

	must(zoe_format_get_plane(f, i, &row_bytes, &n_rows) == 0);
	size = (uint64_t)f->stride[i] * (n_rows - 1) + row_bytes;
	must(at >= map && (uint64_t)(at - map) + size <= region->ring.geo.frames_bytes);
}

static void check_frame(const struct zoe_frame *f) {
	const struct zoe_loan *loan = (const struct zoe_loan *)(const void *)f;

	must(zoe_format_check(&f->format, UINT32_MAX) == 0);
	must(f->rate_den != 0 && f->seq < ZOE_MAX_SEQ);
	for (unsigned i = 0; i < f->format.n_planes; i++) {
		check_plane(&loan->view->region, f->plane[i], &f->format, i);
		touch(f->plane[i], 1);
	}
	for (unsigned tag = 0; tag < 8; tag++) {
		size_t size = 0;
		const void *data = zoe_frame_find(f, (enum zoe_tag)tag, &size);

		must(!data || size <= ZOE_MAX_META);
		touch(data, data ? size : 0);
	}
}

/* No frame on loan is lent again. */
static bool frame_is_new(const struct world *w, const struct zoe_frame *frame) {
	for (unsigned i = 0; i < w->n_frames; i++) {
		if (w->frames[i] == frame) {
			return false;
		}
	}
	return true;
}

static void check_slot(const struct zoe_slot *s) {
	const struct zoe_open_slot *o = (const struct zoe_open_slot *)(const void *)s;
	uint64_t offset = 0;

	must(zoe_format_check(&s->format, s->capacity_bytes) == 0);
	for (unsigned i = 0; i < s->format.n_planes; i++) {
		check_plane(&o->feed->region, s->plane[i], &s->format, i);
		s->plane[i][0] = 1;
	}
	must(zoe_slot_get_memfd(s, &offset) >= 0);
	must(offset + s->capacity_bytes <= o->feed->region.ring.geo.frames_bytes);
}

static void format_choose(struct input *in, struct zoe_format *f) {
	static const uint32_t fourccs[] = {ZOE_FORMAT_BLOB, ZOE_FORMAT_XR24, ZOE_FORMAT_NV12};
	uint32_t fourcc = fourccs[input_below(in, n_elements(fourccs))];
	uint32_t width = 1 + input_u8(in) * (fourcc == ZOE_FORMAT_BLOB ? 40u : 1u);

	must(zoe_format_init(f, fourcc, width,
		     fourcc == ZOE_FORMAT_BLOB ? 1 : 1 + input_below(in, 32)) == 0);
}

static void slot_end(struct world *w, struct input *in) {
	struct zoe_slot *slot = w->slots[--w->n_slots];
	uint8_t tag[300] = {0};
	int r = zoe_slot_set(
		slot, (enum zoe_tag)input_below(in, 8), tag, input_u8(in) + 40 * (size_t)1);

	must(r == 0 || r == -ENOSPC || r == -EINVAL);
	if (input_below(in, 4) == 3) {
		zoe_producer_cancel(w->producer, slot);
	} else {
		check_result(w, zoe_producer_publish(w->producer, slot));
	}
}

static void producer_call(struct world *w, struct input *in) {
	uint32_t what = input_below(in, 6);
	struct zoe_slot *slot = NULL;
	uint64_t interval = 0;
	struct zoe_format f;
	int r = -1;

	w->producer->service_ns = 0;
	w->producer->link.retry_ns = 0;
	if (what == 0 || what == 1) {
		format_choose(in, &f);
		r = what == 0 ? zoe_producer_acquire(w->producer, &f, &slot, 0)
			      : zoe_producer_edit(w->producer, &slot, 0);
		check_result(w, r);
		if (r == 0) {
			must(w->n_slots < ZOE_MAX_OPEN);
			check_slot(slot);
			w->slots[w->n_slots++] = slot;
		}
	} else if (what == 2 || what == 3) {
		if (w->n_slots > 0) {
			slot_end(w, in);
		}
	} else if (what == 4) {
		check_result(w, zoe_producer_get_interval(w->producer, &interval));
		check_result(w, zoe_producer_is_wanted(w->producer));
		must(strlen(zoe_producer_get_name(w->producer)) < 112);
	} else {
		must(zoe_producer_get_fd(w->producer) >= 0);
	}
}

static void consumer_call(struct world *w, struct input *in) {
	uint32_t what = input_below(in, 8), which = input_below(in, MAX_HELD);
	const struct zoe_frame *frame = NULL;
	int r = -EAGAIN;

	w->consumer->service_ns = 0;
	w->consumer->link.retry_ns = 0;
	if (what < 3) {
		r = zoe_consumer_next(w->consumer, &frame, 0);
	} else if (what == 3) {
		r = zoe_consumer_latest(w->consumer, &frame);
	} else if (what == 4) {
		r = zoe_consumer_at(w->consumer, input_u8(in), &frame);
	} else if (what == 5) {
		r = zoe_consumer_at_time(w->consumer, input_u8(in), &frame);
	} else if (what == 6 && w->n_frames > 0) {
		which %= w->n_frames;
		zoe_frame_release(w->frames[which]);
		w->frames[which] = w->frames[--w->n_frames];
	} else if (which == 0) {
		must(zoe_consumer_get_fd(w->consumer) >= 0);
	} else {
		must(zoe_consumer_take_events(w->consumer) < 32);
		must(strlen(zoe_consumer_get_name(w->consumer)) < 112);
	}
	if (check_result(w, r) == 0) {
		must(frame_is_new(w, frame));
		check_frame(frame);
		if (w->n_frames == MAX_HELD) {
			zoe_frame_release(w->frames[--w->n_frames]);
		}
		w->frames[w->n_frames++] = frame;
	}
}

static void check_info(const struct zoe_stream_info *info) {
	must(strlen(info->name) < 112 && strlen(info->region) < 112);
	must(strlen(info->description) < 256 && strlen(info->producer) < 128);
}

static int on_change(void *user, enum zoe_change change, const struct zoe_stream_info *info) {
	must(user && (change == ZOE_SYNCED) == (info == NULL));
	if (info) {
		check_info(info);
	}
	return 0;
}

static int on_status(void *user, const struct zoe_status *status) {
	must(user);
	must((status->stream != NULL) + (status->peer != NULL) + (status->broker != NULL) == 1);
	if (status->stream) {
		check_info(status->stream);
	}
	if (status->peer) {
		must(strlen(status->peer->stream) < 112 && strlen(status->peer->app) < 64);
	}
	if (status->broker) {
		must(strlen(status->broker->version) < 32 && strlen(status->broker->socket) < 256);
	}
	return 0;
}

static void client_call(struct world *w, struct input *in) {
	uint32_t what = input_below(in, 6), n_kicked = 0;
	uint32_t next = w->client->link->serial + 1;

	/* The broker may know what will be asked, and has answered already. */
	w->broker.serials[ZOE_MSG_LIST] = w->broker.serials[ZOE_MSG_STATUS] = next;
	w->broker.serials[ZOE_MSG_KICK] = w->broker.serials[ZOE_MSG_WATCH] = next;
	for (unsigned i = input_below(in, 4); i > 0; i--) {
		broker_say(&w->broker, in);
	}
	w->client->link->retry_ns = 0;
	if (what == 0) {
		check_result(w, zoe_client_list(w->client, on_change, w, 0));
	} else if (what == 1) {
		check_result(w, zoe_client_status(w->client, "s", on_status, w, 0));
	} else if (what == 2) {
		check_result(w, zoe_client_kick(w->client, "s", "x", &n_kicked, 0));
	} else if (what == 3) {
		check_result(w, zoe_client_watch(w->client, on_change, w));
	} else if (what == 4) {
		must(zoe_client_get_fd(w->client) >= 0);
	}
	check_result(w, zoe_client_dispatch(w->client));
}

static void world_call(struct world *w, struct input *in) {
	if (w->producer) {
		producer_call(w, in);
	} else if (w->consumer) {
		consumer_call(w, in);
	} else {
		client_call(w, in);
	}
}

static void world_step(struct world *w, struct input *in) {
	uint32_t what = input_below(in, 10);

	if (what < 4) {
		world_call(w, in);
		broker_hear(&w->broker);
	} else if (what < 6) {
		broker_say(&w->broker, in);
	} else if (what < 8) {
		broker_publish(&w->broker, in);
	} else if (what == 8) {
		broker_scribble(&w->broker, in);
	} else if (input_below(in, 8) == 7) {
		broker_hang_up(&w->broker);
	}
}

static void open_consumer(struct world *w, struct input *in) {
	struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = (enum zoe_delivery)input_below(in, ZOE_N_DELIVERIES),
		.start = (enum zoe_start)input_below(in, 4),
		.start_seq = input_u8(in),
		.hold = input_below(in, 4)};

	w->broker.is_grouped = options.delivery >= ZOE_QUEUE;
	options.group = w->broker.is_grouped ? "g" : NULL;
	options.max_fps = options.delivery == ZOE_LATEST ? input_below(in, 2) * 1000000 : 0;
	must(zoe_consumer_open(w->client, "s", &options, &w->consumer) == 0);
}

static void open_producer(struct world *w, struct input *in) {
	struct zoe_producer_options options = {.struct_size = sizeof(options),
		.open = 1 + input_below(in, ZOE_MAX_OPEN),
		.flags = input_below(in, 3)};

	w->broker.is_producer = true;
	must(zoe_producer_open(w->client, "s", &options, &w->producer) == 0);
}

/* Gets as far as the first question, which the broker has then heard. */
static void world_open(struct world *w, struct input *in) {
	struct zoe_client_options options = {
		.struct_size = sizeof(options), .socket = broker_get_socket(), .app_name = "fuzz"};
	uint32_t who = input_below(in, 5);

	broker_init(&w->broker, in);
	must(zoe_client_create(&w->client, &options) == 0);
	if (who < 2) {
		open_consumer(w, in);
	} else if (who < 4) {
		open_producer(w, in);
	} else {
		(void)zoe_client_connect(w->client, 0);
	}
	broker_hear(&w->broker);
	if (w->consumer) {
		zoe_consumer_service(w->consumer);
	} else if (w->producer) {
		zoe_producer_service(w->producer);
	} else {
		(void)zoe_client_connect(w->client, 0);
	}
	broker_hear(&w->broker);
}

/* Frames may be released before the consumer is closed, and after. */
static void world_close(struct world *w, bool is_early) {
	while (is_early && w->n_frames > 0) {
		zoe_frame_release(w->frames[--w->n_frames]);
	}
	zoe_client_destroy(w->client);
	while (w->n_frames > 0) {
		check_frame(w->frames[--w->n_frames]);
		zoe_frame_release(w->frames[w->n_frames]);
	}
	broker_hear(&w->broker);
	broker_hang_up(&w->broker);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct input in = {data, size};
	struct world w = {0};
	unsigned n_open;
	bool is_early = size % 2;

	(void)broker_get_socket();
	n_open = fds_count();
	world_open(&w, &in);
	for (unsigned i = 0; i < MAX_STEPS && in.left > 0; i++) {
		world_step(&w, &in);
	}
	world_close(&w, is_early);
	must(fds_count() == n_open);
	return 0;
}
