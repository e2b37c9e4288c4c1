/* SPDX-License-Identifier: MIT */
#ifndef ZOE_PRODUCER_PRIV_H
#define ZOE_PRODUCER_PRIV_H
/*
 * A producer's insides, shared by producer.c (attach, move, wait) and slot.c (acquire .. publish).
 * Owns:     its connection, up to ZOE_MAX_FEEDS generations (the older ones only while slots of
 *           theirs are on loan), and a reference on its client.
 * Threads:  its client's.
 * Includes: client.h, link.h, feed.h.
 */
#include <zoe/producer.h>

#include "client.h"
#include "feed.h"
#include "frame_layout.h"
#include "link.h"
#include "pollable.h"

enum { ZOE_MAX_FEEDS = 4, ZOE_MAX_OPEN = 8 };

enum zoe_attach { ZOE_ATTACH_NONE, ZOE_ATTACH_ASKED, ZOE_ATTACH_DONE, ZOE_ATTACH_REFUSED };

struct zoe_open_slot {
	struct zoe_slot slot; // first: the public face
	struct zoe_producer *producer;
	struct zoe_feed *feed; // where the slot lies; NULL = this entry is free
	uint32_t index;
	uint32_t meta_size;
};

struct zoe_producer {
	struct zoe_client *client; // counted
	struct zoe_handle handle;
	struct zoe_link link;
	struct zoe_producer_options options;
	char stream[ZOE_NAME_BYTES], name[112];
	enum zoe_attach state;
	uint32_t epoch, serial, end_serial;
	struct zoe_refusal refusal;
	struct zoe_feed feeds[ZOE_MAX_FEEDS];
	struct zoe_feed *feed;    // the newest; NULL before attaching
	uint64_t broker_id;       // whose region it is
	uint32_t n_seats_told;    // SEAT messages on this connection
	uint32_t grow_generation; // that was asked to grow; 0 = none
	uint64_t grow_bytes;
	int grow_error; // of the last GROW, to be told once
	uint64_t max_frame_bytes;
	uint64_t service_ns;
	uint64_t taken_ns; // since when the name that we were handed is somebody else's; 0 = ours
	struct zoe_format format;       // of the last frame asked for
	struct zoe_format published;    // of the last frame published
	struct zoe_frame_header header; // what does not change while that lasts
	uint32_t format_serial;
	uint64_t n_dropped;
	uint32_t copy_ways;  // of this CPU
	uint64_t publish_ns; // of the last frame
	bool is_changed;     // the next frame is the first of its format
	bool is_discont, is_ended;
	bool is_nameless; // it has been for too long: any free one will do
	bool is_queued;   // ZOE_TAKE_TURNS: others are before us
	bool is_starved;  // no descriptor was left for a seat: claims nothing until re-attached
	struct zoe_pollable pollable;
	struct zoe_open_slot slots[ZOE_MAX_OPEN];
};

/* Does what the socket has for us; never waits. Returns: 0; -errno why there is no broker or what
 * it refused. */
int zoe_producer_service(struct zoe_producer *p);

/* The same, at most every 100 ms. */
int zoe_producer_service_sometimes(struct zoe_producer *p);

/* Closes a generation that was left, and tells the broker. */
void zoe_producer_leave_feed(struct zoe_producer *p, struct zoe_feed *feed);

/* A reliable reader in a seat holds us up: keeps its account, and tells the broker when its
 * patience is used up; without an answer the seat is taken for one that may lose frames. */
void zoe_producer_charge(struct zoe_producer *p, uint32_t seat);

/* Asks for slots of at least `bytes`, once a generation. */
void zoe_producer_grow(struct zoe_producer *p, const struct zoe_format *f);
#endif
