/* SPDX-License-Identifier: MIT */
#ifndef RAW_H
#define RAW_H
/*
 * A client by hand, packet by packet: for what the library would never send.
 * Owns:     nothing; the caller closes the socket.
 * Threads:  one.
 * Includes: broker.h, core's wire.h.
 */
#include "broker.h"

#include "wire.h"

/* Connects. Returns: the socket, blocking. */
int raw_connect(const struct broker *broker);
/* Sends HELLO and takes its answer. Returns: the nonce that ECHO is to have. */
uint64_t raw_hello(int socket);
/* The rest of the greeting: requests may follow. */
void raw_echo(int socket, uint64_t nonce);
int raw_open(const struct broker *broker);

/* Sends bytes as they are. Returns: 0; -errno. */
int raw_send(int socket, const void *bytes, size_t size);
/* The same with a descriptor, n_fds times over, up to the kernel's 253. */
int raw_send_fds(int socket, const struct zoe_msg_header *msg, int fd, uint32_t n_fds);
/* Waits for a packet: 0 and the caller finishes it; -EPIPE, -ECONNRESET the broker has hung up. */
int raw_receive(int socket, struct zoe_packet *packet);
/* The broker says -EPROTO, or nothing, and hangs up. */
void raw_expect_drop(int socket);
#endif
