/* SPDX-License-Identifier: MIT */
#include "reader.h"

#include <string.h>

#define SMALL_SIDE 16

int reader_open(struct reader *reader, struct zoe_client *client, const char *stream,
	enum zoe_delivery delivery) {
	struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = delivery,
		.start = ZOE_START_NOW,
		.group = delivery == ZOE_QUEUE ? "fault" : NULL,
		.timeout_ms = CALL_MS};

	return zoe_consumer_open(client, stream, &options, &reader->consumer);
}

void reader_close(struct reader *reader) {
	zoe_consumer_close(reader->consumer);
	reader->consumer = NULL;
}

static bool is_whole(const struct zoe_frame *frame) {
	for (uint64_t i = 0; i < frame->format.size_bytes; i++) {
		if (frame->plane[0][i] != (uint8_t)frame->user[0]) {
			return false;
		}
	}
	return true;
}

static void reader_book(struct reader *reader, const struct zoe_frame *frame) {
	uint64_t writer = frame->user[1], value = frame->user[0];
	bool is_discont = reader->seq && (frame->flags & ZOE_DISCONT);

	reader->n_lost += frame->lost;
	if (writer >= N_WRITERS || !is_whole(frame)) {
		reader->wrong = "a frame is not as it was published";
		return;
	}
	if (value <= reader->last[writer]) {
		reader->wrong = "a frame came twice, or out of order";
		return;
	}
	if (reader->seq == 0 && !reader->is_late && value != 1) {
		reader->wrong = "the first frames did not come";
		return;
	}
	reader->n_discont += is_discont;
	if (!is_discont && reader->seq && frame->seq > reader->seq + 1) {
		reader->n_gap += frame->seq - reader->seq - 1;
	}
	reader->seq = frame->seq;
	reader->last[writer] = value;
}

int reader_next(struct reader *reader, int timeout_ms) {
	const struct zoe_frame *frame = NULL;
	int r = zoe_consumer_next(reader->consumer, &frame, timeout_ms);

	if (r == 0) {
		reader_book(reader, frame);
		zoe_frame_release(frame);
	}
	return r;
}

const char *reader_check(const struct reader *reader, bool may_lose) {
	if (reader->wrong) {
		return reader->wrong;
	}
	if (reader->n_gap > reader->n_lost) {
		return "frames were lost, and nobody said so";
	}
	return (reader->n_lost || reader->n_discont) && !may_lose ? "frames were lost" : NULL;
}

int writer_publish(
	struct zoe_producer *producer, enum writer writer, uint64_t value, uint32_t side) {
	struct zoe_slot *slot = NULL;
	struct zoe_format format;
	int r = zoe_format_init(&format, ZOE_FORMAT_XR24, side, side);

	if (r == 0) {
		r = zoe_producer_acquire(producer, &format, &slot, CALL_MS);
	}
	if (r < 0) {
		return r;
	}
	memset(slot->plane[0], (int)(value & 0xff), format.size_bytes);
	slot->user[0] = value;
	slot->user[1] = writer;
	return zoe_producer_publish(producer, slot);
}

int writer_open(struct zoe_producer **out, struct zoe_client *client, const char *stream) {
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .timeout_ms = CALL_MS};
	int r = zoe_format_init(&options.format, ZOE_FORMAT_XR24, SMALL_SIDE, SMALL_SIDE);

	return r < 0 ? r : zoe_producer_open(client, stream, &options, out);
}
