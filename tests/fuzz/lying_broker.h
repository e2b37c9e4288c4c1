/* SPDX-License-Identifier: MIT */
#ifndef LYING_BROKER_H
#define LYING_BROKER_H
/*
 * The broker's end of a connection as the library's fuzz target plays it: messages that begin right
 * and are then changed as the input says, and memory of which every word may be anybody's.
 * Owns:     a listening socket and a pool of descriptors for the life of the process; the
 *           connection.
 * Threads:  one.
 * Includes: fuzz.h, ring_write.h, wire.h.
 */
#include "fuzz.h"
#include "ring_write.h"
#include "wire.h"

struct lying_broker {
	int fd; // of the connection, -1 = none
	struct zoe_geometry geometry;
	struct zoe_writer writer; // of the same ring as the client's
	uint32_t n_regions;
	uint32_t serials[256]; // of the last request of each type
	uint32_t roster;
	bool is_producer, is_grouped; // the client
};

/* Where the client connects to; static. */
const char *broker_get_socket(void);

/* Empties the memory and cuts it anew. */
void broker_init(struct lying_broker *b, struct input *in);
void broker_hang_up(struct lying_broker *b);

/* Takes a connection that waits, if any, and all that the client has said. What it said is sane. */
void broker_hear(struct lying_broker *b);

/* Says something: what, and how it lies, is the input's. */
void broker_say(struct lying_broker *b, struct input *in);

/* Another producer publishes a frame, whose header may lie. */
void broker_publish(struct lying_broker *b, struct input *in);

/* Somebody writes a word of shared memory. */
void broker_scribble(struct lying_broker *b, struct input *in);
#endif
