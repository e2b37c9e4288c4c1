/* SPDX-License-Identifier: MIT */
#ifndef ROGUE_H
#define ROGUE_H
/*
 * A producer or consumer by hand that keeps all that it was lent, and may do with it what it likes.
 * Owns:     its socket, descriptors and mappings, until rogue_close().
 * Threads:  one.
 * Includes: attack.h, core's ring_layout.h.
 */
#include "attack.h"
#include "ring_layout.h"

enum { ROGUE_RING, ROGUE_FRAMES, ROGUE_CONTROL, ROGUE_SEAT, ROGUE_GROUP, ROGUE_N_PARTS };

struct rogue {
	int socket;
	int32_t status; // of PRODUCE's or CONSUME's reply; < 0: nothing below
	struct zoe_msg_region region;
	int fds[ROGUE_N_PARTS]; // -1 = not lent
	struct {
		void *at; // writable if the descriptor is
		size_t bytes;
	} maps[ROGUE_N_PARTS];
	struct zoe_ring ring;
	struct zoe_seat *seat;
	struct zoe_group *group;
};

/* PRODUCE and CONSUME by hand. */
void rogue_produce(struct rogue *r, const struct scene *scene, const char *stream);
void rogue_consume(struct rogue *r, const struct scene *scene, const char *stream);
/* CONSUME with a delivery and a group (NULL = none). */
struct rogue_wish {
	const char *stream, *group;
	uint32_t delivery, hold;
};
void rogue_consume_as(struct rogue *r, const struct scene *scene, const struct rogue_wish *wish);
/* Either of them as a packet, on a connection that it takes over. */
void rogue_enter(struct rogue *r, int socket, const struct zoe_msg_header *request);
/* Waits while it is parked. */
void rogue_wait_turn(struct rogue *r);
void rogue_close(struct rogue *r);

/* Sends a request and waits for its answer. Returns: its status; -EPIPE the broker has hung up. */
int rogue_ask(int socket, const struct zoe_msg_header *msg);
/* Asks for the list, and counts it. Returns: the streams in it; -EPIPE. */
int rogue_list(int socket);
/* Reads all that has come. Returns: 0; -EPIPE, -ECONNRESET the broker has hung up. */
int rogue_drain(int socket);

uint32_t rogue_random(uint64_t *seed);
/* Fills memory that others look at meanwhile, a word at a time. */
void rogue_scribble(void *at, size_t bytes, uint64_t *seed);
#endif
