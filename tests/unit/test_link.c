/* SPDX-License-Identifier: MIT */
/* A connection whose socket is full, as that of a broker which is stopped. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "link.h"

struct ends {
	struct zoe_client *client;
	struct zoe_link link;
	int broker; // the other end
};

static int setup(void **state) {
	static struct ends ends;
	int fds[2];

	if (zoe_client_create(&ends.client, NULL) < 0 ||
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) {
		return -1;
	}
	zoe_link_init(&ends.link, ends.client);
	ends.link.fd = fds[0];
	ends.link.state = ZOE_LINK_UP;
	ends.broker = fds[1];
	*state = &ends;
	return 0;
}

static int teardown(void **state) {
	struct ends *ends = *state;

	zoe_link_finish(&ends->link);
	zoe_client_destroy(ends->client);
	if (ends->broker >= 0) {
		close(ends->broker);
	}
	return 0;
}

/* Returns: how many it took. */
static unsigned fill(struct ends *ends) {
	struct zoe_msg_header msg = {.type = ZOE_MSG_BELL, .size = sizeof(msg)};
	unsigned n = 0;

	while (zoe_link_send(&ends->link, &msg) == 0) {
		assert_true(++n < 1000000);
	}
	assert_true(n > 0);
	return n;
}

static void post_leave(struct ends *ends, uint32_t generation) {
	struct zoe_link_note note;

	memset(&note, 0, sizeof(note));
	zoe_msg_init(&note.leave, ZOE_MSG_LEAVE, 0);
	note.leave.generation = generation;
	zoe_link_post(&ends->link, &note);
}

static void post_ack(struct ends *ends, uint32_t n_seats) {
	struct zoe_link_note note;

	memset(&note, 0, sizeof(note));
	zoe_msg_init(&note.ack, ZOE_MSG_ROSTER_ACK, 0);
	note.ack.n_seats = n_seats;
	zoe_link_post(&ends->link, &note);
}

/* Takes n messages that only fill the socket. */
static void empty(struct ends *ends, unsigned n) {
	struct zoe_msg_header msg;

	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(recv(ends->broker, &msg, sizeof(msg), 0), sizeof(msg));
		assert_int_equal(msg.type, ZOE_MSG_BELL);
	}
}

static void expect_leave(struct ends *ends, uint32_t generation) {
	struct zoe_msg_leave leave;

	assert_int_equal(recv(ends->broker, &leave, sizeof(leave), 0), sizeof(leave));
	assert_int_equal(leave.header.type, ZOE_MSG_LEAVE);
	assert_int_equal(leave.generation, generation);
}

static void expect_ack(struct ends *ends, uint32_t n_seats) {
	struct zoe_msg_ack ack;

	assert_int_equal(recv(ends->broker, &ack, sizeof(ack), 0), sizeof(ack));
	assert_int_equal(ack.header.type, ZOE_MSG_ROSTER_ACK);
	assert_int_equal(ack.n_seats, n_seats);
}

static void expect_nothing(struct ends *ends) {
	char byte;

	assert_int_equal(recv(ends->broker, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void test_link_sends_at_once_what_the_socket_takes(void **state) {
	struct ends *ends = *state;

	post_leave(ends, 3);
	expect_leave(ends, 3);
	expect_nothing(ends);
}

static void test_link_keeps_what_a_full_socket_does_not_take(void **state) {
	struct ends *ends = *state;
	unsigned n = fill(ends);

	post_leave(ends, 1);
	post_ack(ends, 5);
	post_leave(ends, 2);
	post_ack(ends, 9); /* takes the place of the other */
	assert_int_equal(zoe_link_receive(&ends->link), -EAGAIN);
	empty(ends, n);
	expect_nothing(ends);
	assert_int_equal(zoe_link_receive(&ends->link), -EAGAIN);
	expect_leave(ends, 1);
	expect_ack(ends, 9);
	expect_leave(ends, 2);
	expect_nothing(ends);
}

static void test_link_sends_no_request_before_what_it_keeps(void **state) {
	struct ends *ends = *state;
	struct zoe_msg_header msg = {.type = ZOE_MSG_BELL, .size = sizeof(msg)};
	unsigned n = fill(ends);

	post_leave(ends, 1);
	assert_int_equal(zoe_link_send(&ends->link, &msg), -EAGAIN);
	empty(ends, n);
	assert_int_equal(zoe_link_send(&ends->link, &msg), 0);
	expect_leave(ends, 1);
	empty(ends, 1);
	expect_nothing(ends);
}

static void test_link_that_takes_nothing_for_long_is_dropped(void **state) {
	struct ends *ends = *state;

	fill(ends);
	for (uint32_t i = 1; i <= ZOE_LINK_NOTES; i++) {
		post_leave(ends, i);
	}
	assert_int_equal(ends->link.state, ZOE_LINK_UP);
	post_leave(ends, 99);
	assert_int_equal(ends->link.state, ZOE_LINK_DOWN);
	assert_int_equal(ends->link.n_notes, 0);
}

static void test_link_that_hangs_up_says_its_last_words(void **state) {
	struct ends *ends = *state;
	unsigned n = fill(ends);

	post_leave(ends, 0);
	empty(ends, n);
	zoe_link_hang_up(&ends->link, 10);
	expect_leave(ends, 0);
	assert_int_equal(recv(ends->broker, &n, 1, 0), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_link_sends_at_once_what_the_socket_takes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_link_keeps_what_a_full_socket_does_not_take, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_link_sends_no_request_before_what_it_keeps, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_link_that_takes_nothing_for_long_is_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_link_that_hangs_up_says_its_last_words, setup, teardown),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
