/* SPDX-License-Identifier: MIT */
/*
 * The one recvmsg of the project against any packets and any descriptors, and what it sends.
 * Input: packets, each {u8 descriptors, u8 control, u16 size, bytes}.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "wire.h"

enum { MAX_FDS_SENT = 64, MAX_PACKETS = 16, MAX_BYTES = ZOE_MSG_MAX + 64 };

static int sockets[2] = {-1, -1};

static void sockets_open(bool has_credentials) {
	int one = has_credentials;

	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sockets) == 0);
	must(setsockopt(sockets[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) == 0);
}

/* Sends bytes as they are. Returns: whether there is something to receive. */
static bool send_raw(const uint8_t *bytes, size_t size, unsigned n_fds) {
	static uint64_t control[CMSG_SPACE(MAX_FDS_SENT * sizeof(int)) / 8 + 1];
	struct iovec iov = {.iov_len = size};
	struct msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};
	int fds[MAX_FDS_SENT];

	memcpy(&iov.iov_base, &bytes, sizeof(bytes)); /* only read from */
	if (n_fds > 0) {
		struct cmsghdr *cmsg;

		hdr.msg_control = control;
		hdr.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&hdr);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		for (unsigned i = 0; i < n_fds; i++) {
			fds[i] = sockets[i % 2];
		}
		memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
	}
	return sendmsg(sockets[0], &hdr, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static void check_fds(const struct zoe_packet *packet) {
	for (uint32_t i = 0; i < packet->n_fds; i++) {
		int flags = fcntl(packet->fds[i], F_GETFD);

		must(flags >= 0 && (flags & FD_CLOEXEC));
	}
}

static void receive(bool has_credentials, const uint8_t *bytes, size_t size, unsigned n_fds) {
	struct zoe_packet *packet = malloc(sizeof(*packet));
	unsigned n_open = fds_count();
	struct zoe_msg_header header;
	int r, stolen;

	must(packet);
	memset(packet, 0xa5, sizeof(*packet));
	r = zoe_wire_receive(sockets[1], packet);
	must(packet->n_fds <= ZOE_MSG_MAX_FDS);
	must(fds_count() == n_open + packet->n_fds);
	check_fds(packet);
	if (r == 0) {
		memcpy(&header, bytes, sizeof(header));
		must(size >= sizeof(header) && size <= ZOE_MSG_MAX && header.size == size);
		must(packet->n_fds == n_fds && packet->size == size);
		must(memcmp(packet->bytes, bytes, size) == 0);
		must(!zoe_packet_get(packet, size + 1) && zoe_packet_get(packet, size));
		must(packet->pid == (has_credentials ? getpid() : 0));
	} else {
		must(r == -EPROTO || r == -EMFILE || (r == -EPIPE && size == 0));
	}
	stolen = zoe_packet_steal_fd(packet, n_fds / 2);
	zoe_packet_finish(packet);
	must(fds_count() == n_open + (stolen >= 0));
	if (stolen >= 0) {
		close(stolen);
	}
	free(packet);
}

/* What we send ourselves comes through as it is, or is refused. */
static void send_own(const uint8_t *bytes, size_t size, unsigned n_fds) {
	struct zoe_msg_header *msg = malloc(MAX_BYTES);
	int fds[MAX_FDS_SENT];
	int r;

	must(msg);
	memset(msg, 0, MAX_BYTES);
	memcpy(msg, bytes, size);
	msg->size = (uint32_t)(size % 8 == 0 ? size : msg->size);
	for (unsigned i = 0; i < MAX_FDS_SENT; i++) {
		fds[i] = sockets[i % 2];
	}
	r = zoe_wire_send(sockets[0], msg, fds, n_fds);
	if (msg->size < sizeof(*msg) || msg->size > ZOE_MSG_MAX || n_fds > ZOE_MSG_MAX_FDS) {
		must(r == -EINVAL);
	} else {
		must(r == 0);
		receive(false, (const uint8_t *)msg, msg->size, n_fds);
	}
	free(msg);
}

static void check_text(struct input *in) {
	char array[8], src[16];

	input_copy(in, src, sizeof(src) - 1);
	src[sizeof(src) - 1] = '\0';
	zoe_wire_set_text(array, sizeof(array), src);
	must(zoe_wire_text_is_ok(array, sizeof(array)));
	must(strncmp(array, src, sizeof(array) - 1) == 0);
	must(zoe_wire_text_is_ok(src, strlen(src)) == false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct input in = {data, size};
	unsigned n_open = fds_count();
	bool has_credentials = input_u8(&in) % 2;

	sockets_open(has_credentials);
	for (unsigned i = 0; i < MAX_PACKETS && in.left > 0; i++) {
		unsigned n_fds = input_u8(&in) % MAX_FDS_SENT, how = input_u8(&in);
		size_t n = input_u16(&in);
		uint8_t *bytes = malloc(MAX_BYTES);

		must(bytes);
		n = n < MAX_BYTES ? n : MAX_BYTES;
		input_copy(&in, bytes, n);
		if (how % 4 == 0 && n >= sizeof(struct zoe_msg_header)) {
			uint32_t true_size = (uint32_t)n;

			memcpy(bytes + offsetof(struct zoe_msg_header, size), &true_size, 4);
		}
		if (how % 4 == 3 && !has_credentials) {
			send_own(bytes, n, n_fds);
		} else if (send_raw(bytes, n, n_fds)) {
			receive(has_credentials, bytes, n, n_fds);
		}
		free(bytes);
	}
	check_text(&in);
	close(sockets[0]);
	close(sockets[1]);
	must(fds_count() == n_open);
	return 0;
}
