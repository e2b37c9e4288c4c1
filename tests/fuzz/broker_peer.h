/* SPDX-License-Identifier: MIT */
#ifndef BROKER_PEER_H
#define BROKER_PEER_H
/*
 * A client as the broker's fuzz target plays it: what it sends is the input's, what it gets is held
 * against what the broker promises.
 * Owns:     its socket, and mappings of what it was lent last.
 * Threads:  one.
 * Includes: fuzz.h, protocol.h.
 */
#include "fuzz.h"
#include "protocol.h"

enum peer_role { PEER_NONE, PEER_PRODUCER, PEER_CONSUMER };

struct peer {
	int fd;          // -1 = none
	uint64_t number; // of the connection, as its `app` says
	enum peer_role role;
	uint64_t nonce;      // 0 = not greeted
	uint32_t generation; // told of last
	uint32_t n_seats;    // SEAT messages received
	uint32_t consumer;   // named by the last SEAT
	uint32_t n_received, n_last;
	struct zoe_geometry geometry;
	void *ring, *seat, *group; // NULL = none; ring: a producer's
	uint32_t owner;
	/* What it would hand in to another broker: a producer's ring, frames, control; a consumer's
	 * seat. Outlives the connection. */
	int kept[3];
	uint32_t n_kept;
	struct zoe_msg_return own;
};

void peer_init(struct peer *peer);

/* Connects. Returns: whether it did. */
bool peer_open(struct peer *peer, const char *path);

/* Hangs up; what it holds, it holds. */
void peer_hang_up(struct peer *peer);

/* Hangs up and lets go of everything. */
void peer_close(struct peer *peer);

/* Sends size bytes as they are; of no interest whether they go out. */
void peer_send(const struct peer *peer, const void *bytes, size_t size);

/* Hands in what `whose` has, under `what`. */
void peer_return(
	const struct peer *peer, const struct peer *whose, const struct zoe_msg_return *what);

/* Takes all that has come, and checks it. n_last counts the answers that were complete: replies
 * without MORE. */
void peer_receive(struct peer *peer);
#endif
