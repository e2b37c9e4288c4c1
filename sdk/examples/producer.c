/* SPDX-License-Identifier: MIT */
/* A producer: draws a moving gradient into stream argv[1] until it is interrupted.
 * Build: cc producer.c $(pkg-config --cflags --libs zoetrope) */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <zoe/producer.h>

static void draw(const struct zoe_slot *slot, uint32_t step) {
	for (uint32_t y = 0; y < slot->format.height; y++) {
		/* Rows are `stride` bytes apart, which may be more than their pixels. */
		uint8_t *pixel = slot->plane[0] + (size_t)y * slot->format.stride[0];

		for (uint32_t x = 0; x < slot->format.width; x++, pixel += 4) {
			pixel[0] = (uint8_t)(x + step); /* XR24 lies in memory as B G R x */
			pixel[1] = (uint8_t)(y + step);
			pixel[2] = (uint8_t)(x + y);
			pixel[3] = 255;
		}
	}
}

int main(int argc, char **argv) {
	struct zoe_producer_options options = {.struct_size = sizeof(options), .timeout_ms = 5000};
	struct zoe_client *client;
	struct zoe_producer *producer;
	struct zoe_slot *slot;
	int rc;

	/* A client does no I/O until it is used, and keeps the sentence of what failed. */
	if (zoe_client_create(&client, NULL) < 0) {
		return 1;
	}
	zoe_format_init(&options.format, ZOE_FORMAT_XR24, 640, 360);
	rc = zoe_producer_open(client, argc > 1 ? argv[1] : "desk", &options, &producer);
	for (uint32_t step = 0; rc == 0; step++) {
		struct timespec pause = {0, 1000000000 / 60};

		/* Borrow a slot, draw straight into shared memory, hand it to all readers. */
		rc = zoe_producer_acquire(producer, NULL, &slot, 1000);
		if (rc == 0) {
			draw(slot, step);
			rc = zoe_producer_publish(producer, slot);
		}
		if (rc == -ESTALE || rc == -ETIMEDOUT) {
			rc = 0; /* this one was dropped; the next finds its way by itself */
		}
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "producer: %s\n", zoe_client_get_error(client));
	zoe_client_destroy(client); /* closes the producer as well */
	return 1;
}
