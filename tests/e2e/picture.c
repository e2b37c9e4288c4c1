/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <stdlib.h>
#include <string.h>

struct zoe_producer *produce(struct zoe_client *client, const char *stream, uint32_t open) {
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .open = open, .timeout_ms = DEADLINE_MS};
	struct zoe_producer *producer = NULL;

	zoe_format_init(&options.format, ZOE_FORMAT_XR24, 16, 16);
	if (zoe_producer_open(client, stream, &options, &producer) < 0) {
		print_error("%s\n", zoe_client_get_error(client));
		return NULL;
	}
	return producer;
}

struct zoe_consumer *consume(
	struct zoe_client *client, const char *stream, enum zoe_delivery delivery, uint32_t hold) {
	struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = delivery,
		.hold = hold,
		.timeout_ms = DEADLINE_MS};
	struct zoe_consumer *consumer = NULL;

	if (zoe_consumer_open(client, stream, &options, &consumer) < 0) {
		print_error("%s\n", zoe_client_get_error(client));
		return NULL;
	}
	return consumer;
}

int publish_sized(struct zoe_producer *producer, uint64_t value, uint32_t side) {
	struct zoe_slot *slot = NULL;
	struct zoe_format format;
	int r = zoe_format_init(&format, ZOE_FORMAT_XR24, side, side);

	if (r == 0) {
		r = zoe_producer_acquire(producer, &format, &slot, DEADLINE_MS);
	}
	if (r < 0 || !slot) {
		return r;
	}
	memset(slot->plane[0], (int)(value & 0xff), format.size_bytes);
	slot->user[0] = value;
	return zoe_producer_publish(producer, slot);
}

int publish(struct zoe_producer *producer, uint64_t value) {
	return publish_sized(producer, value, 16);
}

bool frame_is_whole(const struct zoe_frame *frame) {
	for (uint64_t i = 0; i < frame->format.size_bytes; i++) {
		if (frame->plane[0][i] != (uint8_t)frame->user[0]) {
			return false;
		}
	}
	return true;
}

const struct zoe_frame *take(struct zoe_consumer *consumer) {
	const struct zoe_frame *frame = NULL;

	assert_int_equal(zoe_consumer_next(consumer, &frame, DEADLINE_MS), 0);
	assert_true(frame_is_whole(frame));
	return frame;
}
