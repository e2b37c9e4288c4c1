/* SPDX-License-Identifier: MIT */
/* Two readers of one queue sleep; two frames come at once: both wake and have one each. Thirty
 * times. */
#include "scenario.h"

enum { N_SLEEPERS = 2, N_ROUNDS = 30 };

static const char stream[] = "reliable/sleepers";

/* Says 'r' before it sleeps and the frame's number after it woke. */
static void sleep_and_tell(int say, int hear) {
	const struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = ZOE_QUEUE,
		.group = "sleepers",
		.timeout_ms = SCENARIO_TIMEOUT_MS};
	struct zoe_client *client = make_client();
	struct zoe_consumer *consumer = NULL;
	const struct zoe_frame *frame = NULL;
	char go;

	expect_rc(client, zoe_consumer_open(client, stream, &options, &consumer), 0);
	for (unsigned i = 0; i < N_ROUNDS; i++) {
		uint8_t seq;

		expect(write(say, "r", 1) == 1);
		expect_rc(client, zoe_consumer_next(consumer, &frame, SCENARIO_TIMEOUT_MS), 0);
		seq = (uint8_t)frame->seq;
		expect(write(say, &seq, 1) == 1);
		expect(read(hear, &go, 1) == 1); /* both have theirs */
		zoe_frame_release(frame);
	}
	zoe_client_destroy(client);
	exit(0);
}

static uint8_t hear_byte(int fd) {
	uint8_t byte = 0;

	expect(read(fd, &byte, 1) == 1);
	return byte;
}

int main(void) {
	const struct timespec doze = {.tv_nsec = 2000000};
	struct zoe_client *client = make_client();
	struct zoe_producer *producer = produce(client, stream, "64x64 XR24", 2);
	int said[N_SLEEPERS][2], told[N_SLEEPERS][2], status = 0;
	pid_t pids[N_SLEEPERS];

	for (unsigned i = 0; i < N_SLEEPERS; i++) {
		expect(pipe(said[i]) == 0 && pipe(told[i]) == 0);
		pids[i] = fork();
		expect(pids[i] >= 0);
		if (pids[i] == 0) {
			sleep_and_tell(said[i][1], told[i][0]);
		}
	}
	for (unsigned round = 0; round < N_ROUNDS; round++) {
		struct zoe_slot *slots[2];
		uint8_t first, second;

		expect(hear_byte(said[0][0]) == 'r' && hear_byte(said[1][0]) == 'r');
		nanosleep(
			&doze, NULL); /* asleep by now, most likely; either way both must get one */
		slots[0] = take_slot(client, producer);
		slots[1] = take_slot(client, producer);
		expect_rc(client, zoe_producer_publish(producer, slots[0]), 0);
		expect_rc(client, zoe_producer_publish(producer, slots[1]), 0);
		first = hear_byte(said[0][0]);
		second = hear_byte(said[1][0]);
		expect(first != second && first + second == (int)(4 * round + 3));
		expect(write(told[0][1], "g", 1) == 1 && write(told[1][1], "g", 1) == 1);
	}
	for (unsigned i = 0; i < N_SLEEPERS; i++) {
		expect(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
	}
	zoe_client_destroy(client);
	return 0;
}
