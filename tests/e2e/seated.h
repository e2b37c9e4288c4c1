/* SPDX-License-Identifier: MIT */
#ifndef SEATED_H
#define SEATED_H
/*
 * Producers and consumers by hand: what the broker says to each, and the pages it lends them.
 * Owns:     a struct seated owns its socket and what it was sent last, until seated_close().
 * Threads:  one.
 * Includes: raw.h, core's ring_layout.h.
 */
#include "raw.h"

#include "ring_layout.h"

struct seated {
	int socket;
	uint32_t serial; // of its PRODUCE or CONSUME
	struct zoe_msg_region region;
	int32_t status; // of its reply
	char error[512];
	/* Maps of what came with the region; NULL = not sent. */
	struct zoe_ring_page *ring; // writable for a producer
	const struct zoe_control_page *control;
	void *seat_page;
	struct zoe_seat *seat;
	struct zoe_group *group;
	uint64_t group_ino;
	uint32_t n_fds;
};

/* A PRODUCE by hand: struct zoe_msg_produce's fields. */
struct production {
	const char *stream;
	uint32_t flags;
	uint64_t frame_bytes;
};

/* A CONSUME by hand. */
struct consumption {
	const char *stream, *group; // group NULL = none
	uint32_t delivery;
};

/* Connects, sends the request, and reads up to its reply: see status and region. */
void seated_produce(
	struct seated *s, const struct broker *broker, const struct production *production);
void seated_consume(
	struct seated *s, const struct broker *broker, const struct consumption *consumption);
void seated_close(struct seated *s);

/* Reads up to a packet of that type, which must come; a region's fields and maps are taken over
 * into *s. The caller finishes the packet. */
struct zoe_packet *seated_wait(struct seated *s, uint32_t type);
/* The one packet that is received into. */
struct zoe_packet *seated_get_packet(void);
/* As seated_wait for a packet with a region, and lets go of it. */
void seated_wait_region(struct seated *s, uint32_t type);
/* Reads all that was sent so far. Returns: whether a packet of that type was among it. */
bool seated_was_told(struct seated *s, uint32_t type);

/* LEAVE {generation}, 0 = all; and the broker has done it. */
void seated_leave(struct seated *s, uint32_t generation);
void seated_report(struct seated *producer, const struct zoe_msg_report *report);
void seated_grow(struct seated *producer, uint64_t frame_bytes);

/* A producer's: the head becomes the number after the last frame. */
void seated_set_head(struct seated *producer, uint64_t seq);
uint32_t seated_get_roster(const struct seated *s);
#endif
