/* SPDX-License-Identifier: MIT */
/* Frames live on after their producer has left: for one who holds them, and for a late joiner. */
#include "scenario.h"

static int produce_and_leave(void) {
	struct zoe_client *client = make_client();
	struct zoe_producer *producer = produce(client, "picture/left", "640x480 XR24", 1);

	for (int i = 1; i <= 3; i++) {
		struct zoe_slot *slot = take_slot(client, producer);

		memset(slot->plane[0], i, slot->format.size_bytes);
		expect_rc(client, zoe_producer_publish(producer, slot), 0);
	}
	_exit(0); // without a word: as a crash does
}

static void check_pixels(const struct zoe_frame *frame, uint8_t value) {
	for (size_t i = 0; i < frame->format.size_bytes; i++) {
		expect(frame->plane[0][i] == value);
	}
}

int main(void) {
	struct zoe_client *client = make_client(), *late = NULL;
	struct zoe_consumer *consumer = consume(client, "picture/left", ZOE_EVERY, 3);
	const struct zoe_frame *frames[3], *newest = NULL;

	expect(run_apart(produce_and_leave) == 0);
	for (int i = 0; i < 3; i++) {
		frames[i] = next_frame(client, consumer);
	}
	late = make_client();
	newest = next_frame(late, consume(late, "picture/left", ZOE_LATEST, 1));
	check_pixels(newest, 3);
	zoe_client_destroy(late);
	check_pixels(newest, 3); // held over close and destroy
	zoe_frame_release(newest);
	zoe_client_destroy(client);
	for (int i = 0; i < 3; i++) {
		check_pixels(frames[i], (uint8_t)(i + 1));
		zoe_frame_release(frames[i]);
	}
	return 0;
}
