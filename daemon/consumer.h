/* SPDX-License-Identifier: MIT */
#ifndef CONSUMER_H
#define CONSUMER_H
/*
 * A client that looks at a stream: CONSUME, BELL, and its seats.
 * Owns:     its seats in all generations, the producers' end of its doorbell.
 * Threads:  one.
 * Includes: generation.h, wire.h.
 */
#include "generation.h"
#include "wire.h"

struct client;

struct consumer {
	struct list link;      // stream.consumers, or registry.parked
	struct client *client; // borrowed
	struct stream *stream; // borrowed; NULL while nobody has made it
	uint32_t id, hold;
	uint32_t delivery;           // enum zoe_msg_delivery
	bool is_demoted;             // was reliable and too slow: may lose frames now
	char group[ZOE_GROUP_BYTES]; // of a queue, else ""
	uint32_t group_id;           // that an earlier broker gave it; 0 = none
	uint32_t last_generation;    // that it had when it came from an earlier broker
	int bell;                    // the producers' end; -1 = none
	uint32_t bell_serial;        // 0 = none; another number, another doorbell
	struct list seats;           // seat.consumer_link
	char name[ZOE_NAME_BYTES];
};

/* The request handlers. */
void consumer_consume(struct client *client, const struct zoe_packet *packet);
void consumer_get_bell(struct client *client, const struct zoe_packet *packet);

/* Makes the placeholder of a consumer that a control page lists, for so long, without a seat.
 * Returns: 0; -ENOMEM. */
int consumer_create_absent(
	struct consumer **out, struct stream *stream, const struct zoe_control_seat *seat);

/* Seats those who wait for a region. */
void consumer_start_parked(struct stream *stream);

/* A parked consumer's stream has been made: it belongs to it from now on. */
void consumer_adopt(struct consumer *consumer, struct stream *stream);

/* Tells a consumer of its seat, under a type (CONSUME, START, MOVED). */
void consumer_send_region(struct seat *seat, struct zoe_msg_region *msg);

/* Its seat that producers honour. Returns: NULL if it has none. */
struct seat *consumer_find_seat(struct consumer *consumer);

/* It holds producers up no more, in all generations; it, and its group if it has one, is told. */
void consumer_demote(struct consumer *consumer);

/* Whether producers are held up for it. */
bool consumer_is_reliable(const struct consumer *consumer);

/* Whether frames are held by it, as its seats say. NULL holds none. */
bool consumer_holds_frames(const struct consumer *consumer);

/* Its connection is gone and its process lives and holds frames: its pins still count, and nothing
 * else of it. */
void consumer_detach(struct consumer *consumer);

/* Leaves one closed generation. */
void consumer_leave_generation(struct consumer *consumer, uint32_t number);

/* Ends its stay and frees it. NULL is a no-op. */
void consumer_destroy(struct consumer *consumer);
#endif
