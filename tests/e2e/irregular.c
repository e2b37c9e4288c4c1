/* SPDX-License-Identifier: MIT */
/*
 * irregular STREAM: a producer whose frames come at uneven times. Waits for a reader, publishes 60
 * frames, prints each one's pts in nanoseconds since the first, and ends the stream.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <zoe/producer.h>

enum { FRAMES = 60 };

static void pause_ms(long ms) {
	struct timespec ts = {.tv_nsec = ms * 1000000};

	nanosleep(&ts, NULL);
}

/* 3 to 48 ms and some odd nanoseconds, always the same ones. */
static uint64_t step_ns(unsigned i) {
	return (3 + i * 7 % 46) * UINT64_C(1000000) + i * UINT64_C(7919);
}

static int publish_all(struct zoe_producer *producer) {
	uint64_t pts_ns = UINT64_C(1000000000000);

	for (unsigned i = 0; i < FRAMES; i++) {
		struct zoe_slot *slot;

		pts_ns += i ? step_ns(i) : 0;
		if (zoe_producer_acquire(producer, NULL, &slot, 1000) != 0) {
			return -1;
		}
		memset(slot->plane[0], (int)i, (size_t)slot->format.size_bytes);
		slot->pts_ns = pts_ns;
		if (zoe_producer_publish(producer, slot) != 0) {
			return -1;
		}
		printf("%" PRIu64 "\n", pts_ns - UINT64_C(1000000000000));
		pause_ms(10);
	}
	return zoe_producer_end(producer);
}

int main(int argc, char **argv) {
	struct zoe_producer_options options = {.struct_size = sizeof(options), .timeout_ms = 5000};
	struct zoe_client *client;
	struct zoe_producer *producer;
	int failed;

	if (argc != 2 || zoe_client_create(&client, NULL) != 0 ||
		zoe_format_parse(&options.format, "160x90 XR24") != 0) {
		return 2;
	}
	if (zoe_producer_open(client, argv[1], &options, &producer) != 0) {
		fprintf(stderr, "irregular: %s\n", zoe_client_get_error(client));
		return 1;
	}
	for (unsigned i = 0; i < 500 && zoe_producer_is_wanted(producer) == 0; i++) {
		pause_ms(10);
	}
	failed = publish_all(producer);
	if (failed) {
		fprintf(stderr, "irregular: %s\n", zoe_client_get_error(client));
	}
	zoe_client_destroy(client);
	return failed ? 1 : 0;
}
