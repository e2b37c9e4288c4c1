/* SPDX-License-Identifier: MIT */
#ifndef ZOE_LINK_H
#define ZOE_LINK_H
/*
 * A connection to the broker that comes back by itself: connect, HELLO, ECHO, then packets.
 * Owns:     its socket.
 * Threads:  its client's; zoe_link_finish() by whoever drops the last reference.
 * Includes: client.h, wire.h.
 * Never blocks but in zoe_link_poll(). After a loss it tries again no sooner than its back-off says
 * (10 ms doubling to 500 ms).
 */
#include "client.h"

enum zoe_link_state { ZOE_LINK_DOWN, ZOE_LINK_HELLO, ZOE_LINK_UP };

/* The words that must not be lost: LEAVE and ROSTER_ACK. */
enum { ZOE_LINK_NOTES = 16 };
struct zoe_link_note {
	union {
		struct zoe_msg_header header;
		struct zoe_msg_leave leave;
		struct zoe_msg_ack ack;
	};
};

struct zoe_link {
	struct zoe_client *client; // borrowed
	int fd;                    // -1 while down
	int epoll;                 // borrowed, -1: whom the socket's descriptor is told to
	enum zoe_link_state state;
	uint32_t serial; // of the last request
	uint32_t back_off_ms;
	uint64_t retry_ns; // not before
	uint32_t epoch;    // counts connections made
	uint64_t broker_id;
	/* What a full socket has not taken yet, in order. */
	struct zoe_link_note notes[ZOE_LINK_NOTES];
	uint32_t n_notes;
};

void zoe_link_init(struct zoe_link *link, struct zoe_client *client);
void zoe_link_finish(struct zoe_link *link);

/* Works towards ZOE_LINK_UP. Returns: 0 up; -EAGAIN not yet; else why not (with the sentence): the
 * next call tries again when the back-off is over, and until then says -EAGAIN. */
int zoe_link_step(struct zoe_link *link);

/* Steps and waits until up. Fails at once if nobody answers. */
int zoe_link_connect(struct zoe_link *link, const struct zoe_deadline *deadline);

/* As zoe_link_send(), with borrowed descriptors. */
int zoe_link_send_fds(
	struct zoe_link *link, const struct zoe_msg_header *msg, const int *fds, uint32_t n_fds);

/* Sends a request; an error takes the link down. -EAGAIN: not sent, try later. */
int zoe_link_send(struct zoe_link *link, const struct zoe_msg_header *msg);

/* Sends a message without reply, or keeps it until the socket takes it: zoe_link_receive() and the
 * next message try again. A connection that takes none for too long is dropped, and its end says
 * the same. Those that were kept go with the connection. */
void zoe_link_post(struct zoe_link *link, const struct zoe_link_note *note);

/* Receives into client->packet. Returns: 0; -EAGAIN; else the link is down now. */
int zoe_link_receive(struct zoe_link *link);

/* Takes the link down; the next step reconnects after the back-off. */
void zoe_link_drop(struct zoe_link *link);

/* Hangs up and waits, at most longest_ms, until the broker has taken our last words and hung up
 * too: what we held is free for the next one then. */
void zoe_link_hang_up(struct zoe_link *link, int longest_ms);

/* Waits until there is something to receive or longest_ms is over. */
void zoe_link_poll(
	const struct zoe_link *link, const struct zoe_deadline *deadline, int longest_ms);
#endif
