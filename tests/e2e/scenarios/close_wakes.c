/* SPDX-License-Identifier: MIT */
/* Four consumers sleep without a deadline; the stream's end wakes every one within a second. */
#include <fcntl.h>

#include "scenario.h"

enum { N_SLEEPERS = 4 };

static uint64_t get_now_ms(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void sleep_until_end(int ready) {
	struct zoe_client *client = make_client();
	struct zoe_consumer *consumer = consume(client, "picture/end", ZOE_EVERY, 1);
	const struct zoe_frame *frame = next_frame(client, consumer);

	zoe_frame_release(frame);
	expect(write(ready, "", 1) == 1);
	expect_rc(client, zoe_consumer_next(consumer, &frame, -1), -ENODATA);
	expect_rc(client, zoe_consumer_next(consumer, &frame, -1), -ENODATA); // and stays so
	zoe_client_destroy(client);
	exit(0);
}

/* Waits until the process sleeps in the kernel. */
static void wait_asleep(pid_t pid) {
	const struct timespec pause = {0, 1000000};
	uint64_t deadline_ms = get_now_ms() + SCENARIO_TIMEOUT_MS;
	char path[64], line[256] = "";

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	do {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, line, sizeof(line) - 1);

		close(fd);
		expect(n > 0);
		line[n] = 0;
		expect(get_now_ms() < deadline_ms);
		nanosleep(&pause, NULL);
	} while (strstr(line, ") S") == NULL);
}

int main(void) {
	struct zoe_client *client = make_client();
	struct zoe_producer *producer = produce(client, "picture/end", "64x64 XR24", 1);
	pid_t pids[N_SLEEPERS];
	int ready[2], status = 0;
	uint64_t end_ms;
	char byte;

	expect(pipe2(ready, O_CLOEXEC) == 0);
	expect_rc(client, zoe_producer_publish(producer, take_slot(client, producer)), 0);
	for (int i = 0; i < N_SLEEPERS; i++) {
		pids[i] = fork();
		expect(pids[i] >= 0);
		if (pids[i] == 0) {
			sleep_until_end(ready[1]);
		}
	}
	for (int i = 0; i < N_SLEEPERS; i++) {
		expect(read(ready[0], &byte, 1) == 1);
	}
	for (int i = 0; i < N_SLEEPERS; i++) {
		wait_asleep(pids[i]);
	}
	end_ms = get_now_ms();
	expect_rc(client, zoe_producer_end(producer), 0);
	for (int i = 0; i < N_SLEEPERS; i++) {
		expect(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
	}
	expect(get_now_ms() - end_ms < 1000);
	zoe_client_destroy(client);
	return 0;
}
