/* SPDX-License-Identifier: MIT */
#ifndef PRODUCER_H
#define PRODUCER_H
/*
 * A client that feeds a stream: PRODUCE, GROW, END, and what its end means for the ring.
 * Owns:     its place in the stream and its lanes.
 * Threads:  one.
 * Includes: generation.h, wire.h.
 */
#include "generation.h"
#include "wire.h"

struct client;

/* What a producer was told of a seat. */
struct told_seat {
	uint32_t consumer; // 0 = empty
	uint32_t bell;     // consumer.bell_serial
	uint32_t flags;    // seat_get_flags()
};

struct producer {
	struct list link;              // stream.producers
	struct client *client;         // borrowed
	struct stream *stream;         // borrowed
	struct generation *generation; // borrowed: the last it was told of
	uint32_t open;
	bool is_external; // others write its slots, and may do so after its death
	bool has_ended;   // END: it only has to leave
	uint32_t n_seats_sent, n_seats_acked, roster_told;
	struct told_seat told[ZOE_MAX_SEATS];
	char label[128]; // "APP (pid N, USER)"
};

/* A PRODUCE that waits for another producer to leave. */
struct turn {
	struct list link;      // stream.turns, first come first
	struct client *client; // borrowed
	struct stream *stream; // borrowed
	struct zoe_msg_produce msg;
};

enum producer_end {
	PRODUCER_LEFT,     // it promised to touch nothing any more
	PRODUCER_DIED,     // its process is certainly dead
	PRODUCER_VANISHED, // its socket is closed, its process lives
	PRODUCER_EVICTED   // the same, by our word: the stream has moved away from it
};

/* The request handlers. */
void producer_produce(struct client *client, const struct zoe_packet *packet);
void producer_grow(struct client *client, const struct zoe_packet *packet);
void producer_report(struct client *client, const struct zoe_packet *packet);
void producer_ack(struct client *client, const struct zoe_packet *packet);
void producer_end_stream(struct client *client, const struct zoe_packet *packet);

/* Sends a region under a type (PRODUCE, MOVED), and starts its roster afresh. */
void producer_send_region(
	struct producer *producer, struct generation *generation, struct zoe_msg_region *msg);

/* The socket takes more: goes on with what is due. */
void producer_continue(struct producer *producer);

/* Leaves one closed generation. */
void producer_leave_generation(struct producer *producer, uint32_t number);

/* A client's wait for its turn is over: it went away. NULL is a no-op. */
void turn_destroy(struct turn *turn);

/* There may be room for those who wait their turn. */
void turn_grant(struct stream *stream);

/* Ends its stay and frees it. NULL is a no-op. */
void producer_destroy(struct producer *producer, enum producer_end end);
#endif
