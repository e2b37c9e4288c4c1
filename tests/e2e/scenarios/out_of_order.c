/* SPDX-License-Identifier: MIT */
/* Several slots are taken and finished in another order: frames are numbered by publish. */
#include "scenario.h"

int main(void) {
	static const uint8_t order[] = {2, 0, 3, 1};
	struct zoe_client *client = make_client();
	struct zoe_producer *producer = produce(client, "open/order", "64x64 XR24", 4);
	struct zoe_consumer *consumer = consume(client, "open/order", ZOE_EVERY, 1);
	struct zoe_slot *slots[4], *fifth = NULL;

	for (uint8_t i = 0; i < 4; i++) {
		slots[i] = take_slot(client, producer);
		slots[i]->plane[0][0] = i;
	}
	expect_rc(client, zoe_producer_acquire(producer, NULL, &fifth, 0), -EBUSY);
	for (size_t i = 0; i < 4; i++) {
		expect_rc(client, zoe_producer_publish(producer, slots[order[i]]), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		const struct zoe_frame *frame = next_frame(client, consumer);

		expect(frame->plane[0][0] == order[i] && frame->lost == 0);
		zoe_frame_release(frame);
	}
	zoe_client_destroy(client);
	return 0;
}
