/* SPDX-License-Identifier: MIT */
/* A consumer: prints number, size and latency of each frame of stream argv[1].
 * Build: cc consumer.c $(pkg-config --cflags --libs zoetrope) */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <zoe/consumer.h>

static void show(const struct zoe_frame *frame) {
	struct timespec now;
	uint64_t now_ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
	/* frame->plane[0] points at the first row, read in place: nobody writes to it until the
	 * frame is released. Rows are frame->format.stride[0] bytes apart. */
	printf("%" PRIu64 ": %" PRIu32 "x%" PRIu32 " %s, %" PRIu64 " lost, %.1f us ago\n",
		frame->seq, frame->format.width, frame->format.height,
		zoe_format_get_name(frame->format.fourcc), frame->lost,
		(double)(now_ns - frame->publish_ns) / 1e3);
}

int main(int argc, char **argv) {
	const struct zoe_consumer_options options = {
		.struct_size = sizeof(options),
		.delivery = ZOE_EVERY,     /* in order; ZOE_LATEST skips to the newest */
		.start = ZOE_START_NEWEST, /* begin with the picture that is there */
		.timeout_ms = 5000,        /* for the broker to know the stream */
	};
	struct zoe_client *client;
	struct zoe_consumer *consumer;
	const struct zoe_frame *frame;
	int rc;

	if (zoe_client_create(&client, NULL) < 0) {
		return 1;
	}
	rc = zoe_consumer_open(client, argc > 1 ? argv[1] : "desk", &options, &consumer);
	while (rc == 0) {
		/* Sleeps until a frame comes; restarts of producer and broker are its business. */
		rc = zoe_consumer_next(consumer, &frame, -1);
		if (rc == 0) {
			show(frame);
			zoe_frame_release(frame); /* by any thread, exactly once */
		} else if (rc == -EBADMSG) {
			rc = 0; /* a producer lied about a frame: it was skipped */
		}
	}
	if (rc != -ENODATA) { /* -ENODATA: the producer ended the stream */
		fprintf(stderr, "consumer: %s\n", zoe_client_get_error(client));
	}
	zoe_client_destroy(client); /* closes the consumer as well */
	return rc == -ENODATA ? 0 : 1;
}
