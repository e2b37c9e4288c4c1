/* SPDX-License-Identifier: MIT */
#ifndef SCENARIO_H
#define SCENARIO_H
/*
 * What the scenarios share: expectations that end the program, and one-line opens.
 * Owns:     nothing; what is opened ends with the program.
 * Threads:  one.
 * Includes: the public headers only: a scenario is somebody else's program.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zoe/consumer.h>
#include <zoe/producer.h>

enum { SCENARIO_TIMEOUT_MS = 5000, SCENARIO_SKIP = 77 };

#define expect(claim)                                                                              \
	do {                                                                                       \
		if (!(claim)) {                                                                    \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #claim);        \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

/* A call on client c that must return `wanted`. */
#define expect_rc(c, call, wanted)                                                                 \
	do {                                                                                       \
		int rc_ = (call);                                                                  \
		if (rc_ != (wanted)) {                                                             \
			fprintf(stderr, "%s:%d: %s is %d (%s), not %d: %s\n", __FILE__, __LINE__,  \
				#call, rc_, strerror(abs(rc_)), (wanted),                          \
				zoe_client_get_error(c));                                          \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static inline struct zoe_client *make_client(void) {
	struct zoe_client *client = NULL;

	expect(zoe_client_create(&client, NULL) == 0);
	return client;
}

static inline struct zoe_producer *produce(
	struct zoe_client *client, const char *stream, const char *format, uint32_t open) {
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .open = open, .timeout_ms = SCENARIO_TIMEOUT_MS};
	struct zoe_producer *producer = NULL;

	expect(zoe_format_parse(&options.format, format) == 0);
	expect_rc(client, zoe_producer_open(client, stream, &options, &producer), 0);
	return producer;
}

static inline struct zoe_consumer *consume(
	struct zoe_client *client, const char *stream, enum zoe_delivery delivery, uint32_t hold) {
	const struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = delivery,
		.start = delivery == ZOE_EVERY ? ZOE_START_OLDEST : ZOE_START_NEWEST,
		.hold = hold,
		.timeout_ms = SCENARIO_TIMEOUT_MS};
	struct zoe_consumer *consumer = NULL;

	expect_rc(client, zoe_consumer_open(client, stream, &options, &consumer), 0);
	return consumer;
}

static inline struct zoe_slot *take_slot(struct zoe_client *client, struct zoe_producer *producer) {
	struct zoe_slot *slot = NULL;

	expect_rc(client, zoe_producer_acquire(producer, NULL, &slot, SCENARIO_TIMEOUT_MS), 0);
	return slot;
}

static inline const struct zoe_frame *next_frame(
	struct zoe_client *client, struct zoe_consumer *consumer) {
	const struct zoe_frame *frame = NULL;

	expect_rc(client, zoe_consumer_next(consumer, &frame, SCENARIO_TIMEOUT_MS), 0);
	return frame;
}

/* Runs fn in a process of its own. Returns its exit code. */
static inline int run_apart(int (*fn)(void)) {
	int status = 0;
	pid_t pid = fork();

	expect(pid >= 0);
	if (pid == 0) {
		exit(fn());
	}
	expect(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
#endif
