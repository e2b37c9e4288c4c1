/* SPDX-License-Identifier: MIT */
#include "raw.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RAW_MAX_FDS 253u

int raw_connect(const struct broker *broker) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", broker->socket);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

int raw_send(int socket, const void *bytes, size_t size) {
	return send(socket, bytes, size, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int raw_send_fds(int socket, const struct zoe_msg_header *msg, int fd, uint32_t n_fds) {
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(RAW_MAX_FDS * sizeof(int))];
	} control = {0};
	union {
		const struct zoe_msg_header *msg;
		void *pointer;
	} body = {.msg = msg};
	struct iovec part = {.iov_base = body.pointer, .iov_len = msg->size};
	struct msghdr packet = {.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(n_fds * sizeof(int))};
	struct cmsghdr *header = CMSG_FIRSTHDR(&packet);

	assert_true(n_fds <= RAW_MAX_FDS);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
	for (uint32_t i = 0; i < n_fds; i++) {
		memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof(fd));
	}
	return sendmsg(socket, &packet, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int raw_receive(int socket, struct zoe_packet *packet) {
	struct pollfd ready = {.fd = socket, .events = POLLIN};

	assert_int_equal(poll(&ready, 1, DEADLINE_MS), 1);
	return zoe_wire_receive(socket, packet);
}

uint64_t raw_hello(int socket) {
	struct zoe_msg_hello hello;
	const struct zoe_msg_welcome *welcome;
	static struct zoe_packet packet;
	uint64_t nonce = 0;

	memset(&hello, 0, sizeof(hello));
	zoe_msg_init(&hello, ZOE_MSG_HELLO, 1);
	hello.protocol_version = ZOE_PROTOCOL_VERSION;
	hello.ring_version = ZOE_RING_VERSION;
	zoe_wire_set_text(hello.app, sizeof(hello.app), "raw");
	assert_int_equal(raw_send(socket, &hello, sizeof(hello)), 0);
	assert_int_equal(raw_receive(socket, &packet), 0);
	assert_int_equal(packet.header.status, 0);
	welcome = zoe_packet_get(&packet, sizeof(*welcome));
	assert_non_null(welcome);
	if (welcome) {
		nonce = welcome->nonce;
	}
	zoe_packet_finish(&packet);
	return nonce;
}

void raw_echo(int socket, uint64_t nonce) {
	struct zoe_msg_echo echo;

	memset(&echo, 0, sizeof(echo));
	zoe_msg_init(&echo, ZOE_MSG_ECHO, 0);
	echo.nonce = nonce;
	assert_int_equal(raw_send(socket, &echo, sizeof(echo)), 0);
}

int raw_open(const struct broker *broker) {
	int fd = raw_connect(broker);

	raw_echo(fd, raw_hello(fd));
	return fd;
}

void raw_expect_drop(int socket) {
	static struct zoe_packet packet;
	int r;

	while ((r = raw_receive(socket, &packet)) == 0) {
		assert_int_equal(packet.header.status, -EPROTO);
		zoe_packet_finish(&packet);
	}
	assert_true(r == -EPIPE || r == -ECONNRESET);
	zoe_packet_finish(&packet);
	close(socket);
}
