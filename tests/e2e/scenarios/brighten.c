/* SPDX-License-Identifier: MIT */
/* A second process brightens a rectangle of the newest picture; the rest stays as it was. */
#include "scenario.h"

enum { LEFT = 40, TOP = 30, WIDTH = 100, HEIGHT = 50, BRIGHTER = 60 };

static uint8_t get_pixel(uint32_t x, uint32_t y) {
	return (uint8_t)((x * 3 + y * 7) % 190);
}

static int is_inside(uint32_t x, uint32_t y) {
	return x >= LEFT && x < LEFT + WIDTH && y >= TOP && y < TOP + HEIGHT;
}

static int brighten(void) {
	const int32_t damage[4] = {LEFT, TOP, WIDTH, HEIGHT};
	struct zoe_client *client = make_client();
	struct zoe_producer *producer = produce(client, "pair/picture", "320x200 R8", 1);
	struct zoe_slot *slot = NULL;

	expect_rc(client, zoe_producer_edit(producer, &slot, SCENARIO_TIMEOUT_MS), 0);
	expect(slot->format.width == 320 && slot->format.height == 200);
	for (uint32_t y = TOP; y < TOP + HEIGHT; y++) {
		uint8_t *row = slot->plane[0] + (size_t)y * slot->format.stride[0];

		for (uint32_t x = LEFT; x < LEFT + WIDTH; x++) {
			row[x] = (uint8_t)(row[x] + BRIGHTER);
		}
	}
	expect(zoe_slot_set(slot, ZOE_TAG_DAMAGE, damage, sizeof(damage)) == 0);
	expect_rc(client, zoe_producer_publish(producer, slot), 0);
	zoe_client_destroy(client);
	return 0;
}

static void check_picture(const struct zoe_frame *frame, int brighter) {
	for (uint32_t y = 0; y < frame->format.height; y++) {
		const uint8_t *row = frame->plane[0] + (size_t)y * frame->format.stride[0];

		for (uint32_t x = 0; x < frame->format.width; x++) {
			expect(row[x] == get_pixel(x, y) + (is_inside(x, y) ? brighter : 0));
		}
	}
}

int main(void) {
	struct zoe_client *client = make_client();
	struct zoe_producer *producer = produce(client, "pair/picture", "320x200 R8", 1);
	struct zoe_consumer *consumer = consume(client, "pair/picture", ZOE_EVERY, 2);
	struct zoe_slot *slot = take_slot(client, producer);
	const struct zoe_frame *before = NULL, *after = NULL;
	size_t size = 0;

	for (uint32_t i = 0; i < 320 * 200; i++) {
		slot->plane[0][i / 320 * slot->format.stride[0] + i % 320] =
			get_pixel(i % 320, i / 320);
	}
	expect_rc(client, zoe_producer_publish(producer, slot), 0);
	expect(run_apart(brighten) == 0);
	before = next_frame(client, consumer);
	after = next_frame(client, consumer);
	check_picture(before, 0); // a held frame does not change
	check_picture(after, BRIGHTER);
	expect(zoe_frame_find(after, ZOE_TAG_DAMAGE, &size) != NULL && size == 16);
	zoe_frame_release(before);
	zoe_frame_release(after);
	zoe_client_destroy(client);
	return 0;
}
