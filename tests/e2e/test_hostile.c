/* SPDX-License-Identifier: MIT */
#include "raw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define N_PACKETS 10000
#define SEED 20240229u

static char config[] = "version: 1\n"
		       "defaults: {access: {produce: [any], consume: [any], list: [any]}}\n"
		       "streams:\n"
		       "  cam:\n"
		       "    max_frame: 64x64 XR24\n"
		       "    producers: 4\n"
		       "    open: 2\n"
		       "    consumers: 4\n"
		       "    hold: 3\n";

/* A good client whose frames must go on whatever the others do. */
struct witness {
	const struct broker *broker;
	struct zoe_client *c;
	struct zoe_producer *p;
	struct zoe_consumer *s;
	uint64_t value;
	int n_fds;
};

static void witness_check(struct witness *w) {
	struct stream_state now;
	const struct zoe_frame *frame;

	assert_int_equal(publish(w->p, ++w->value), 0);
	frame = take(w->s);
	while (frame->user[0] != w->value) { /* the hostile may have got a lane, and published */
		zoe_frame_release(frame);
		frame = take(w->s);
	}
	zoe_frame_release(frame);
	assert_int_equal(stream_get_state(w->broker, "cam", &now), 0);
}

static void witness_init(struct witness *w, const struct broker *broker) {
	*w = (struct witness){.broker = broker, .c = broker_connect(broker)};
	w->s = consume(w->c, "cam", ZOE_EVERY, 1);
	w->p = produce(w->c, "cam", 1);
	assert_true(w->p && w->s);
	witness_check(w);
	stream_wait(broker, "cam", &(struct stream_state){.n_producers = 1, .n_consumers = 1});
	w->n_fds = count_fds(broker->pid);
}

static void witness_finish(struct witness *w) {
	witness_check(w);
	stream_wait(w->broker, "cam", &(struct stream_state){.n_producers = 1, .n_consumers = 1});
	witness_check(w);
	broker_wait_fds(w->broker, w->n_fds);
	zoe_client_destroy(w->c);
}

static void test_hostile_truncated_packets_are_dropped(void **state) {
	struct witness w;
	struct zoe_msg_hello hello = {.header = {.type = ZOE_MSG_HELLO, .size = sizeof(hello)}};

	witness_init(&w, *state);
	for (size_t size = 1; size < sizeof(hello); size += 7) {
		int fd = raw_connect(*state);

		assert_int_equal(raw_send(fd, &hello, size), 0);
		raw_expect_drop(fd);
	}
	witness_finish(&w);
}

static void test_hostile_wrong_sizes_are_dropped(void **state) {
	static const uint32_t sizes[] = {0, 1, 23, 25, 4096, ZOE_MSG_MAX + 1, UINT32_MAX};
	struct witness w;

	witness_init(&w, *state);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct zoe_msg_header list = {.type = ZOE_MSG_LIST, .size = sizes[i]};
		int fd = raw_open(*state);

		assert_int_equal(raw_send(fd, &list, sizeof(list)), 0);
		raw_expect_drop(fd);
	}
	witness_finish(&w);
}

static void test_hostile_large_packets_are_dropped(void **state) {
	static unsigned char bytes[4 * ZOE_MSG_MAX];
	struct zoe_msg_header header = {.type = ZOE_MSG_LIST, .size = sizeof(bytes)};
	struct witness w;

	witness_init(&w, *state);
	memcpy(bytes, &header, sizeof(header));
	for (int i = 0; i < 2; i++) {
		int fd = i ? raw_open(*state) : raw_connect(*state);

		assert_int_equal(raw_send(fd, bytes, sizeof(bytes)), 0);
		raw_expect_drop(fd);
	}
	witness_finish(&w);
}

static void test_hostile_unknown_types_are_dropped(void **state) {
	static const uint32_t types[] = {0, 17, 63, ZOE_MSG_ADDED, ZOE_MSG_MOVED, 4096, UINT32_MAX};
	struct witness w;

	witness_init(&w, *state);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct zoe_msg_header msg = {.type = types[i], .size = sizeof(msg), .serial = 9};
		int fd = raw_open(*state);

		assert_int_equal(raw_send(fd, &msg, sizeof(msg)), 0);
		raw_expect_drop(fd);
	}
	witness_finish(&w);
}

static void test_hostile_requests_out_of_turn_are_dropped(void **state) {
	struct zoe_msg_name status;
	struct witness w;
	int fd;

	memset(&status, 0, sizeof(status));
	zoe_msg_init(&status, ZOE_MSG_STATUS, 1);
	witness_init(&w, *state);
	fd = raw_connect(*state); /* before HELLO */
	assert_int_equal(raw_send(fd, &status, sizeof(status)), 0);
	raw_expect_drop(fd);
	fd = raw_connect(*state); /* before ECHO */
	raw_hello(fd);
	assert_int_equal(raw_send(fd, &status, sizeof(status)), 0);
	raw_expect_drop(fd);
	fd = raw_connect(*state); /* a nonce that is not ours */
	raw_echo(fd, raw_hello(fd) ^ 1);
	raw_expect_drop(fd);
	fd = raw_open(*state); /* ECHO twice */
	raw_echo(fd, 0);
	raw_expect_drop(fd);
	witness_finish(&w);
}

static void test_hostile_descriptors_unasked_are_closed(void **state) {
	struct zoe_msg_header list = {.type = ZOE_MSG_LIST, .size = sizeof(list), .serial = 3};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), fd;
	struct witness w;

	witness_init(&w, *state);
	fd = raw_open(*state);
	for (uint32_t i = 0; i < 100; i++) {
		static struct zoe_packet packet;
		bool is_last = false;

		assert_int_equal(raw_send_fds(fd, &list, null, 1 + i % 8), 0);
		while (!is_last) {
			assert_int_equal(raw_receive(fd, &packet), 0);
			is_last = !(packet.header.flags & ZOE_MSG_MORE);
			zoe_packet_finish(&packet);
		}
	}
	broker_wait_fds(*state, w.n_fds + 2); /* its socket and pidfd */
	assert_int_equal(raw_send_fds(fd, &list, null, 16), 0);
	raw_expect_drop(fd);
	close(null);
	witness_finish(&w);
}

static uint32_t next_random(uint64_t *seed) {
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

/* Half of it noise, the rest near enough to sense to get past the first checks. */
static size_t make_noise(unsigned char *bytes, uint64_t *seed) {
	struct zoe_msg_header header = {.type = next_random(seed) % 80, .serial = 5};
	size_t size = sizeof(header) + next_random(seed) % 400;

	for (size_t i = 0; i < size; i++) {
		bytes[i] = next_random(seed) % 4 ? 0 : (unsigned char)next_random(seed);
	}
	if (next_random(seed) % 4) {
		header.type = 3 + next_random(seed) % 11;
	}
	if (header.type == ZOE_MSG_PRODUCE && next_random(seed) % 2) {
		struct zoe_msg_produce msg = {.open = next_random(seed) % 4, .name = "cam"};

		size = sizeof(msg);
		memcpy(bytes, &msg, size);
	} else if (header.type == ZOE_MSG_CONSUME && next_random(seed) % 2) {
		struct zoe_msg_consume msg = {.hold = next_random(seed) % 5, .name = "cam"};

		size = sizeof(msg);
		memcpy(bytes, &msg, size);
	}
	header.size = next_random(seed) % 16 ? (uint32_t)size : next_random(seed);
	memcpy(bytes, &header, sizeof(header));
	return size;
}

static void drain(int fd) {
	static struct zoe_packet packet;
	int r;

	do {
		r = zoe_wire_receive(fd, &packet);
		zoe_packet_finish(&packet);
	} while (r == 0);
}

static void test_hostile_noise_is_survived(void **state) {
	uint64_t seed = SEED;
	unsigned char bytes[512];
	struct witness w;
	int fd;

	print_message("seed %u\n", SEED);
	witness_init(&w, *state);
	fd = raw_open(*state);
	for (int i = 0; i < N_PACKETS; i++) {
		int r = raw_send(fd, bytes, make_noise(bytes, &seed));

		drain(fd);
		if (r < 0) {
			close(fd);
			fd = next_random(&seed) % 4 ? raw_open(*state) : raw_connect(*state);
		}
		if (i % 500 == 0) {
			witness_check(&w);
		}
	}
	close(fd);
	witness_finish(&w);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_hostile_truncated_packets_are_dropped, config),
		BROKER_TEST(test_hostile_wrong_sizes_are_dropped, config),
		BROKER_TEST(test_hostile_large_packets_are_dropped, config),
		BROKER_TEST(test_hostile_unknown_types_are_dropped, config),
		BROKER_TEST(test_hostile_requests_out_of_turn_are_dropped, config),
		BROKER_TEST(test_hostile_descriptors_unasked_are_closed, config),
		BROKER_TEST(test_hostile_noise_is_survived, config),
	};

	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
