/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CORE_WIRE_H
#define ZOE_CORE_WIRE_H
/*
 * The only sendmsg and recvmsg of the project: one packet in or out, with its descriptors.
 * Owns:     descriptors received belong to the packet until taken: zoe_packet_finish() closes them.
 * Threads:  any, one packet a thread.
 * Includes: protocol.h, attr.h. Knows no stream and no policy.
 * Never blocks: MSG_DONTWAIT | MSG_NOSIGNAL on both sides.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "attr.h"
#include "protocol.h"

/* A packet received: its own copy, header checked (size, bounds), not yet its body. */
struct zoe_packet {
	union {
		struct zoe_msg_header header;
		unsigned char bytes[ZOE_MSG_MAX];
		zoe_u64 align;
	};
	size_t size;
	int fds[ZOE_MSG_MAX_FDS];
	uint32_t n_fds;
	/* The sender by the kernel's word; pid 0 if the socket has no SO_PASSCRED. */
	pid_t pid;
	uid_t uid;
};

/* Sends msg (header.size bytes) with n_fds borrowed descriptors.
 * Returns: 0; -EAGAIN the peer's queue is full; -EPIPE, -ECONNRESET it is gone; -ETOOMANYREFS too
 * many descriptors in flight; -EINVAL. */
int zoe_wire_send(int socket, const struct zoe_msg_header *msg, const int *fds, uint32_t n_fds);

/* Receives one packet into *packet, whose fds the caller then owns. The packet is written whatever
 * is returned and is always fit for zoe_packet_finish().
 * Returns: 0; -EAGAIN nothing there; -EPIPE end of file; -EPROTO a packet that is too short, too
 * long or lies about its size; -EMFILE descriptors were cut off (MSG_CTRUNC), or too many;
 * -ECONNRESET. */
int zoe_wire_receive(int socket, struct zoe_packet *packet);

/* The packet's body as a struct of `size` bytes, or NULL if it is shorter. */
const void *zoe_packet_get(const struct zoe_packet *packet, size_t size);

/* Moves descriptor i out of the packet; -1 if there is none. */
int zoe_packet_steal_fd(struct zoe_packet *packet, uint32_t i);

/* Closes what was not taken. */
void zoe_packet_finish(struct zoe_packet *packet);

/* Copies src into an array of `size`, cut and NUL-filled. */
void zoe_wire_set_text(char *array, size_t size, const char *src);

/* Is the array NUL-terminated within size? */
bool zoe_wire_text_is_ok(const char *array, size_t size);

/* Fills in a header: type, size, serial. */
#define zoe_msg_init(msg, msg_type, msg_serial)                                                    \
	((msg)->header = (struct zoe_msg_header){                                                  \
		 .type = (msg_type), .size = (uint32_t)sizeof(*(msg)), .serial = (msg_serial)})
#endif
