/* SPDX-License-Identifier: MIT */
/* Frames whose slots lie beyond 2 GiB of a region come out as they went in. Only their ends are
 * written, so the region stays sparse. */
#include "scenario.h"

enum { N_FRAMES = 80, N_READABLE = 40 };

static uint64_t get_mark(uint64_t seq) {
	return seq * 0x9e3779b97f4a7c15U;
}

static uint64_t write_frames(struct zoe_client *client, struct zoe_producer *producer) {
	uint64_t farthest = 0;

	for (uint64_t i = 0; i < N_FRAMES; i++) {
		struct zoe_slot *slot = take_slot(client, producer);
		uint64_t mark = get_mark(i), offset = 0;

		expect(zoe_slot_get_memfd(slot, &offset) >= 0);
		farthest = offset > farthest ? offset : farthest;
		memcpy(slot->plane[0], &mark, sizeof(mark));
		memcpy(slot->plane[0] + slot->format.size_bytes - sizeof(mark), &mark,
			sizeof(mark));
		slot->user[0] = i;
		expect_rc(client, zoe_producer_publish(producer, slot), 0);
	}
	return farthest;
}

static int read_frames(void) {
	struct zoe_client *client = make_client();
	struct zoe_consumer *consumer = consume(client, "huge", ZOE_EVERY, 1);

	for (uint64_t i = N_FRAMES - N_READABLE; i < N_FRAMES; i++) {
		const struct zoe_frame *frame = next_frame(client, consumer);
		uint64_t mark = get_mark(i);

		expect(frame->user[0] == i);
		expect(memcmp(frame->plane[0], &mark, sizeof(mark)) == 0);
		expect(memcmp(frame->plane[0] + frame->format.size_bytes - sizeof(mark), &mark,
			       sizeof(mark)) == 0);
		zoe_frame_release(frame);
	}
	zoe_client_destroy(client);
	return 0;
}

int main(void) {
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .timeout_ms = SCENARIO_TIMEOUT_MS};
	struct zoe_client *client = make_client();
	struct zoe_producer *producer = NULL;
	int rc;

	expect(zoe_format_parse(&options.format, "BLOB 67108864") == 0);
	rc = zoe_producer_open(client, "huge", &options, &producer);
	if (rc == -ENOMEM) {
		fprintf(stderr, "memory is short: %s\n", zoe_client_get_error(client));
		return SCENARIO_SKIP;
	}
	expect_rc(client, rc, 0);
	expect(write_frames(client, producer) > UINT64_C(1) << 31);
	expect(run_apart(read_frames) == 0);
	zoe_client_destroy(client);
	return 0;
}
