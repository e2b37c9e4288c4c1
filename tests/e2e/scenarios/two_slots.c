/* SPDX-License-Identifier: MIT */
/* A thousand frames go through a ring of two slots, in order and without a loss, while now the
 * writer and now the reader is slow, and both give up waiting after a few milliseconds. */
#include "scenario.h"

enum { N_FRAMES = 1000, PATIENCE_MS = 3, SLOW_US = 5000, SLOW_EVERY = 50 };

static const char stream[] = "reliable/pair";

/* Every fiftieth time, and not both at the same time. */
static void be_slow(unsigned i, unsigned phase) {
	const struct timespec pause = {.tv_nsec = SLOW_US * 1000};

	if (i % SLOW_EVERY == phase) {
		nanosleep(&pause, NULL);
	}
}

static int write_all(void) {
	struct zoe_client *client = make_client();
	struct zoe_producer *producer = produce(client, stream, "64x64 XR24", 1);
	unsigned n_waits = 0;

	for (unsigned i = 0; i < N_FRAMES; i++) {
		struct zoe_slot *slot = NULL;
		int rc;

		be_slow(i, 10);
		while ((rc = zoe_producer_acquire(producer, NULL, &slot, PATIENCE_MS)) ==
			-ETIMEDOUT) {
			expect(++n_waits < 100000);
		}
		expect_rc(client, rc, 0);
		slot->user[0] = i;
		expect_rc(client, zoe_producer_publish(producer, slot), 0);
	}
	expect_rc(client, zoe_producer_end(producer), 0);
	zoe_client_destroy(client);
	return n_waits > 0 ? 0 : 2; /* 2: nothing was ever full */
}

int main(void) {
	struct zoe_client *client = make_client();
	struct zoe_consumer *consumer = consume(client, stream, ZOE_RELIABLE, 1);
	const struct zoe_frame *frame = NULL;
	unsigned n_frames = 0, n_waits = 0;
	int rc, status = 0;
	pid_t writer = fork();

	expect(writer >= 0);
	if (writer == 0) {
		exit(write_all());
	}
	while ((rc = zoe_consumer_next(consumer, &frame, PATIENCE_MS)) != -ENODATA) {
		if (rc == -ETIMEDOUT) {
			expect(++n_waits < 100000);
			continue;
		}
		expect_rc(client, rc, 0);
		expect(frame->user[0] == n_frames && frame->lost == 0);
		be_slow(n_frames++, 35);
		zoe_frame_release(frame);
	}
	expect(n_frames == N_FRAMES && n_waits > 0);
	expect(waitpid(writer, &status, 0) == writer && status == 0);
	zoe_client_destroy(client);
	return 0;
}
