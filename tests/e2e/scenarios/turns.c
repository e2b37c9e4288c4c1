/* SPDX-License-Identifier: MIT */
/* Three processes each set one flag of a shared array, in turn: one produces at a time, the others
 * wait for its seat. */
#include "scenario.h"

enum { N_PROCESSES = 3 };

static const char stream[] = "turns/flags";

static struct zoe_producer *take_turn(struct zoe_client *client, int timeout_ms, int wanted) {
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .flags = ZOE_TAKE_TURNS, .timeout_ms = timeout_ms};
	struct zoe_producer *producer = NULL;

	expect(zoe_format_parse(&options.format, "3x1 BLOB") == 0);
	expect_rc(client, zoe_producer_open(client, stream, &options, &producer), wanted);
	return producer;
}

static void set_flag(int which) {
	struct zoe_client *client = make_client();
	struct zoe_producer *producer = take_turn(client, SCENARIO_TIMEOUT_MS, 0);
	struct zoe_slot *slot = NULL;

	expect_rc(client, zoe_producer_edit(producer, &slot, SCENARIO_TIMEOUT_MS), 0);
	expect(slot->plane[0][which] == 0);
	slot->plane[0][which] = 1;
	expect_rc(client, zoe_producer_publish(producer, slot), 0);
	zoe_client_destroy(client);
	exit(0);
}

int main(void) {
	struct zoe_client *client = make_client();
	struct zoe_producer *producer = take_turn(client, SCENARIO_TIMEOUT_MS, 0);
	struct zoe_consumer *consumer = consume(client, stream, ZOE_LATEST, 1);
	const struct zoe_frame *frame = NULL;
	struct zoe_slot *slot = take_slot(client, producer);
	pid_t pids[N_PROCESSES];
	int status = 0;

	memset(slot->plane[0], 0, 3);
	expect_rc(client, zoe_producer_publish(producer, slot), 0);
	take_turn(client, 50, -ETIMEDOUT); /* ours is the seat, and we have not left */
	for (int i = 0; i < N_PROCESSES; i++) {
		pids[i] = fork();
		expect(pids[i] >= 0);
		if (pids[i] == 0) {
			set_flag(i);
		}
	}
	zoe_producer_close(producer);
	for (int i = 0; i < N_PROCESSES; i++) {
		expect(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
	}
	expect_rc(client, zoe_consumer_latest(consumer, &frame), 0);
	expect(frame->plane[0][0] == 1 && frame->plane[0][1] == 1 && frame->plane[0][2] == 1);
	zoe_frame_release(frame);
	zoe_client_destroy(client);
	return 0;
}
