/* SPDX-License-Identifier: MIT */
/* One entry of an array is written by its index, the others stay; entries are read by index. */
#include "scenario.h"

enum { N_ENTRIES = 1000, INDEX = 617 };

static int read_entries(void) {
	struct zoe_client *client = make_client();
	struct zoe_consumer *consumer = consume(client, "blob/array", ZOE_LATEST, 1);
	const struct zoe_frame *frame = next_frame(client, consumer);

	for (int i = 0; i < N_ENTRIES; i++) {
		int32_t entry;

		memcpy(&entry, frame->plane[0] + (size_t)i * sizeof(entry), sizeof(entry));
		expect(entry == (i == INDEX ? -1 : i * i));
	}
	zoe_frame_release(frame);
	zoe_client_destroy(client);
	return 0;
}

int main(void) {
	const int32_t changed = -1;
	struct zoe_client *client = make_client();
	struct zoe_producer *producer = produce(client, "blob/array", "BLOB 4000", 1);
	struct zoe_slot *slot = NULL;

	expect_rc(client, zoe_producer_edit(producer, &slot, 0), -ENODATA);
	slot = take_slot(client, producer);
	for (int32_t i = 0; i < N_ENTRIES; i++) {
		int32_t square = i * i;

		memcpy(slot->plane[0] + (size_t)i * sizeof(square), &square, sizeof(square));
	}
	expect_rc(client, zoe_producer_publish(producer, slot), 0);
	expect_rc(client, zoe_producer_edit(producer, &slot, SCENARIO_TIMEOUT_MS), 0);
	memcpy(slot->plane[0] + INDEX * sizeof(changed), &changed, sizeof(changed));
	expect_rc(client, zoe_producer_publish(producer, slot), 0);
	expect(run_apart(read_entries) == 0);
	zoe_client_destroy(client);
	return 0;
}
