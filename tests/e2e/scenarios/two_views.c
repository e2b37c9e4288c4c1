/* SPDX-License-Identifier: MIT */
/* Two consumers in one process, beside the producer, see the same frames, each at its own pace. */
#include "scenario.h"

int main(void) {
	struct zoe_client *client = make_client();
	struct zoe_producer *producer = produce(client, "picture/views", "64x64 XR24", 1);
	struct zoe_consumer *a = consume(client, "picture/views", ZOE_EVERY, 2);
	struct zoe_consumer *b = consume(client, "picture/views", ZOE_EVERY, 2);
	const struct zoe_frame *held = NULL, *frame = NULL;

	for (uint8_t i = 1; i <= 4; i++) {
		struct zoe_slot *slot = take_slot(client, producer);

		memset(slot->plane[0], i, slot->format.size_bytes);
		expect_rc(client, zoe_producer_publish(producer, slot), 0);
		frame = next_frame(client, a);
		expect(frame->plane[0][100] == i && frame->lost == 0);
		if (i == 1) {
			held = frame;
		} else {
			zoe_frame_release(frame);
		}
	}
	for (uint8_t i = 1; i <= 4; i++) {
		frame = next_frame(client, b);
		expect(frame->plane[0][100] == i && frame->lost == 0);
		expect(i != 1 || (frame->seq == held->seq && frame->plane[0] != NULL));
		zoe_frame_release(frame);
	}
	zoe_consumer_close(b);
	expect(held->plane[0][0] == 1); // one view's end is nothing to the other
	expect_rc(client, zoe_consumer_next(a, &frame, 0), -EAGAIN);
	zoe_frame_release(held);
	zoe_client_destroy(client);
	return 0;
}
