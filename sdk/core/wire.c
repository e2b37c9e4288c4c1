/* SPDX-License-Identifier: MIT */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define KERNEL_MAX_FDS 253u /* SCM_MAX_FD */

int zoe_wire_send(int socket, const struct zoe_msg_header *msg, const int *fds, uint32_t n_fds) {
	union {
		char bytes[CMSG_SPACE(ZOE_MSG_MAX_FDS * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_len = msg->size};
	struct msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};
	const void *start = msg;

	if (n_fds > ZOE_MSG_MAX_FDS || msg->size < sizeof(*msg) || msg->size > ZOE_MSG_MAX) {
		return -EINVAL;
	}
	memcpy(&iov.iov_base, &start, sizeof(start)); /* sendmsg(2) only reads through it */
	if (n_fds > 0) {
		struct cmsghdr *cmsg;

		hdr.msg_control = control.bytes;
		hdr.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&hdr);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
	}
	for (;;) {
		if (sendmsg(socket, &hdr, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
			return 0;
		}
		if (errno != EINTR) {
			return -errno;
		}
	}
}

/* A stranger may send a TCP socket whose close(2) waits for a peer that does not read, if it is the
 * last one: it is torn off before. Memory, which is all that is wanted, is left alone. */
static void fd_discard(int fd) {
	static const struct linger at_once = {0};
	static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

	if (fcntl(fd, F_GET_SEALS) < 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
		(void)connect(fd, &nobody, sizeof(nobody));
	}
	close(fd);
}

/* Returns: whether there were no more descriptors than a packet may bring. */
static bool packet_take_control(struct zoe_packet *packet, struct msghdr *hdr) {
	bool is_whole = (hdr->msg_flags & MSG_CTRUNC) == 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			uint32_t n = (uint32_t)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));

			for (uint32_t i = 0; i < n; i++) {
				int fd;

				memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
				if (packet->n_fds < ZOE_MSG_MAX_FDS) {
					packet->fds[packet->n_fds++] = fd;
				} else {
					fd_discard(fd);
					is_whole = false;
				}
			}
		} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS) {
			struct ucred who;

			memcpy(&who, CMSG_DATA(c), sizeof(who));
			packet->pid = who.pid;
			packet->uid = who.uid;
		}
	}
	return is_whole;
}

int zoe_wire_receive(int socket, struct zoe_packet *packet) {
	union {
		/* Room for all that the kernel lets pass: what it would cut off it would close. */
		char bytes[CMSG_SPACE(KERNEL_MAX_FDS * sizeof(int)) +
			   CMSG_SPACE(sizeof(struct ucred))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {packet->bytes, sizeof(packet->bytes)};
	struct msghdr hdr = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	bool was_reset = false, is_whole;
	ssize_t n = 0;

	packet->n_fds = 0;
	packet->pid = 0;
	packet->uid = (uid_t)-1;
	packet->size = 0;
	do {
		/* Who dies with packets of ours unread resets the connection, and the kernel says
		 * so before it hands out the dead one's last words: they are read all the same. */
		was_reset = was_reset || (n < 0 && errno == ECONNRESET);
		n = recvmsg(socket, &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && (errno == EINTR || (errno == ECONNRESET && !was_reset)));
	if (n < 0) {
		return -errno;
	}
	is_whole = packet_take_control(packet, &hdr);
	packet->size = (size_t)n;
	if (n == 0) {
		return -EPIPE;
	}
	if (!is_whole) {
		return -EMFILE;
	}
	if ((hdr.msg_flags & MSG_TRUNC) || packet->size < sizeof(packet->header) ||
		packet->header.size != packet->size) {
		return -EPROTO;
	}
	return 0;
}

const void *zoe_packet_get(const struct zoe_packet *packet, size_t size) {
	return packet->size >= size ? packet->bytes : NULL;
}

int zoe_packet_steal_fd(struct zoe_packet *packet, uint32_t i) {
	return i < packet->n_fds ? steal_fd(&packet->fds[i]) : -1;
}

void zoe_packet_finish(struct zoe_packet *packet) {
	for (uint32_t i = 0; i < packet->n_fds; i++) {
		if (packet->fds[i] >= 0) {
			fd_discard(packet->fds[i]);
		}
	}
	packet->n_fds = 0;
}

void zoe_wire_set_text(char *array, size_t size, const char *src) {
	size_t len = strnlen(src, size - 1);

	memcpy(array, src, len);
	memset(array + len, 0, size - len);
}

bool zoe_wire_text_is_ok(const char *array, size_t size) {
	return memchr(array, 0, size) != NULL;
}
