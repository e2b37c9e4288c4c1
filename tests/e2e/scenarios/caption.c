/* SPDX-License-Identifier: MIT */
/* A picture travels with its caption; the next one without. */
#include "scenario.h"

static const char caption[] = "title=Sunrise over the harbour \xe2\x98\x80\nauthor=somebody\n";

static int read_captions(void) {
	struct zoe_client *client = make_client();
	struct zoe_consumer *consumer = consume(client, "picture/caption", ZOE_EVERY, 2);
	const struct zoe_frame *first = next_frame(client, consumer);
	const struct zoe_frame *second = next_frame(client, consumer);
	size_t size = 0;
	const char *text = zoe_frame_find(first, ZOE_TAG_USER, &size);

	expect(text != NULL && size == sizeof(caption) - 1);
	expect(memcmp(text, caption, size) == 0);
	expect(first->plane[0][0] == 11 && second->plane[0][0] == 22);
	expect(zoe_frame_find(second, ZOE_TAG_USER, &size) == NULL);
	expect(zoe_frame_find(first, ZOE_TAG_CURSOR, &size) == NULL);
	zoe_frame_release(first);
	zoe_frame_release(second);
	zoe_client_destroy(client);
	return 0;
}

int main(void) {
	struct zoe_client *client = make_client();
	struct zoe_producer *producer = produce(client, "picture/caption", "32x32 XR24", 1);
	struct zoe_slot *slot = take_slot(client, producer);

	slot->plane[0][0] = 11;
	expect(zoe_slot_set(slot, ZOE_TAG_USER, "title=first try\n", 16) == 0);
	expect(zoe_slot_set(slot, ZOE_TAG_USER, caption, sizeof(caption) - 1) == 0); // replaces
	expect(zoe_slot_set(slot, ZOE_TAG_SOURCE, caption, SIZE_MAX) < 0);
	expect_rc(client, zoe_producer_publish(producer, slot), 0);
	slot = take_slot(client, producer);
	slot->plane[0][0] = 22;
	expect_rc(client, zoe_producer_publish(producer, slot), 0);
	expect(run_apart(read_captions) == 0);
	zoe_client_destroy(client);
	return 0;
}
