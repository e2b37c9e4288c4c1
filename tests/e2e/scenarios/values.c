/* SPDX-License-Identifier: MIT */
/* A struct of an int32_t and a float goes from one process to another. */
#include "scenario.h"

struct values {
	int32_t count;
	float ratio;
};

static int read_values(void) {
	struct zoe_client *client = make_client();
	struct zoe_consumer *consumer = consume(client, "blob/values", ZOE_LATEST, 1);
	const struct zoe_frame *frame = next_frame(client, consumer);
	struct values values;

	expect(frame->format.fourcc == ZOE_FORMAT_BLOB);
	expect(frame->format.width == sizeof(values));
	memcpy(&values, frame->plane[0], sizeof(values));
	expect(values.count == -123456789);
	expect(values.ratio == 0.15625F);
	zoe_frame_release(frame);
	zoe_client_destroy(client);
	return 0;
}

int main(void) {
	const struct values values = {.count = -123456789, .ratio = 0.15625F};
	struct zoe_client *client = make_client();
	struct zoe_producer *producer = produce(client, "blob/values", "BLOB 8", 1);
	struct zoe_slot *slot = take_slot(client, producer);

	memcpy(slot->plane[0], &values, sizeof(values));
	expect_rc(client, zoe_producer_publish(producer, slot), 0);
	expect(run_apart(read_values) == 0);
	zoe_client_destroy(client);
	return 0;
}
