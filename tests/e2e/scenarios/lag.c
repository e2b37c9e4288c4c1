/* SPDX-License-Identifier: MIT */
/* A ring of twenty frames of 1 MiB: the reader prints how far it is behind; at the end by none. */
#include "scenario.h"

enum { N_FRAMES = 500, FRAME_BYTES = 1 << 20, N_PRINTS = 10 };

static const char stream[] = "reliable/lag";

static int write_all(void) {
	struct zoe_client *client = make_client();
	struct zoe_producer *producer = produce(client, stream, "1048576x1 BLOB", 1);

	for (unsigned i = 0; i < N_FRAMES; i++) {
		struct zoe_slot *slot = take_slot(client, producer);

		memset(slot->plane[0], (int)(i & 0xff), FRAME_BYTES);
		slot->user[0] = i;
		expect_rc(client, zoe_producer_publish(producer, slot), 0);
	}
	expect_rc(client, zoe_producer_end(producer), 0);
	zoe_client_destroy(client);
	return 0;
}

/* Frames published and not yet taken, as the newest one tells. */
static uint64_t get_lag(struct zoe_client *client, struct zoe_consumer *looker, uint64_t seq) {
	const struct zoe_frame *newest = NULL;
	uint64_t lag;

	expect_rc(client, zoe_consumer_latest(looker, &newest), 0);
	lag = newest->seq - seq;
	zoe_frame_release(newest);
	return lag;
}

int main(void) {
	struct zoe_client *client = make_client();
	struct zoe_consumer *consumer = consume(client, stream, ZOE_RELIABLE, 1);
	struct zoe_consumer *looker = consume(client, stream, ZOE_LATEST, 1);
	const struct zoe_frame *frame = NULL;
	uint64_t lag = UINT64_MAX, most = 0;
	unsigned n_frames = 0;
	int rc, status = 0;
	pid_t writer = fork();

	expect(writer >= 0);
	if (writer == 0) {
		exit(write_all());
	}
	while ((rc = zoe_consumer_next(consumer, &frame, SCENARIO_TIMEOUT_MS)) == 0) {
		expect(frame->user[0] == n_frames && frame->lost == 0);
		expect(frame->plane[0][FRAME_BYTES - 1] == (n_frames & 0xff));
		lag = get_lag(client, looker, frame->seq);
		most = lag > most ? lag : most;
		if (++n_frames % (N_FRAMES / N_PRINTS) == 0) {
			printf("frame %u, lag %llu\n", n_frames, (unsigned long long)lag);
		}
		zoe_frame_release(frame);
	}
	expect_rc(client, rc, -ENODATA);
	printf("most %llu\n", (unsigned long long)most);
	expect(n_frames == N_FRAMES && lag == 0 && most <= 21);
	expect(waitpid(writer, &status, 0) == writer && status == 0);
	zoe_client_destroy(client);
	return 0;
}
