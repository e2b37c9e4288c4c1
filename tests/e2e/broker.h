/* SPDX-License-Identifier: MIT */
#ifndef BROKER_H
#define BROKER_H
/*
 * A broker of a test's own, in a directory of its own, and what tests of several processes need.
 * Owns:     its process and directory; children that were started and not yet waited for.
 * Threads:  one.
 * Includes: zoe/consumer.h, zoe/producer.h, cmocka.
 * Every wait has a deadline, and its end fails the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>
#include <zoe/consumer.h>
#include <zoe/producer.h>

#define DEADLINE_MS 20000

struct broker {
	char dir[64], socket[96], config[96], log[96];
	pid_t pid; // 0 = not running
	int n_fds; // of the test, before
};

/* cmocka's setup and teardown of a test whose initial state is the config's text; *state is the
 * struct broker in between. Teardown stops the broker by TERM, and fails where it does not end
 * well, or the test has lost descriptors. */
int broker_setup(void **state);
int broker_teardown(void **state);

#define BROKER_TEST(function, yaml)                                                                \
	cmocka_unit_test_prestate_setup_teardown(function, broker_setup, broker_teardown, yaml)

/* Starts it again after broker_kill(), and waits until it answers. */
void broker_start(struct broker *broker);
void broker_kill(struct broker *broker);
void broker_wait_answer(const struct broker *broker);
/* In a child: becomes the broker. */
void broker_exec(const struct broker *broker);

/* Runs a second one on the same socket. Returns: its exit status; text: what it said. */
int broker_run_second(const struct broker *broker, char *text, size_t size);

/* The caller owns the client: zoe_client_destroy(). */
struct zoe_client *broker_connect(const struct broker *broker);

/* Returns: -1 where it may not be known: of the broker, by anybody but root. */
int count_fds(pid_t pid);
/* Returns: its exit status; 128 + signal. */
int process_wait(pid_t pid);
uint64_t now_ms(void);

/* A stream as its status says. */
struct stream_state {
	char region[128], producer[128];
	uint32_t generation, n_producers, n_consumers, n_peers, n_held;
	uint64_t head_seq;
};
/* Returns: as zoe_client_status(). */
int stream_get_state(const struct broker *broker, const char *stream, struct stream_state *state);
/* Waits until so many are attached, and so many slots and frames are held. */
void stream_wait(const struct broker *broker, const char *stream, const struct stream_state *want);
void stream_wait_generation(const struct broker *broker, const char *stream, uint32_t generation);
/* Waits until the broker has no more descriptors than that. */
void broker_wait_fds(const struct broker *broker, int n_fds);

/* Short ways to open; they fail the test where that fails. */
struct zoe_producer *produce(struct zoe_client *client, const char *stream, uint32_t open);
struct zoe_consumer *consume(
	struct zoe_client *client, const char *stream, enum zoe_delivery delivery, uint32_t hold);

/* Publishes a picture of 16x16 with user[0] = value and all bytes of it the value's lowest. */
int publish(struct zoe_producer *producer, uint64_t value);
/* The same in a square of any side. */
int publish_sized(struct zoe_producer *producer, uint64_t value, uint32_t side);
/* The next frame, which must come, and whose pixels must be what publish() put there. */
const struct zoe_frame *take(struct zoe_consumer *consumer);
bool frame_is_whole(const struct zoe_frame *frame);

/* Runs function in a child, which ends with what it returns, and with the test at the latest. It
 * connects anew, and asserts nothing: cmocka is the parent's. */
typedef int (*child_fn)(const struct broker *broker, int pipe);
struct child {
	pid_t pid;
	int pipe; // what it writes
};
struct child child_start(const struct broker *broker, child_fn function);
/* Waits for its byte: it is where it wants to be. */
void child_wait_ready(const struct child *child);
void child_kill(struct child *child);
/* Returns: its exit status; 128 + signal. */
int child_join(struct child *child);
/* All that were not waited for. */
void children_kill(void);
/* In a child: a line that fails ends it with its number. */
#define CHILD_CHECK(is_true) child_check((is_true), __FILE__, __LINE__)
void child_check(bool is_true, const char *file, int line);
void child_say_ready(int pipe);
#endif
