/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CONSUMER_PRIV_H
#define ZOE_CONSUMER_PRIV_H
/*
 * A consumer's insides, shared by consumer.c (attach, the broker's messages) and take.c (frames).
 * Owns:     its connection, up to ZOE_MAX_VIEWS generations (older ones only while frames of theirs
 *           are on loan), its end of the doorbell, and a reference on its client.
 * Threads:  its client's; n_refs by any that releases a frame.
 * Includes: client.h, link.h, pollable.h, view.h.
 */
#include <zoe/consumer.h>

#include "client.h"
#include "link.h"
#include "pollable.h"
#include "view.h"

enum { ZOE_MAX_VIEWS = 8 };

enum zoe_consume_state {
	ZOE_CONSUME_NONE,
	ZOE_CONSUME_ASKED,
	ZOE_CONSUME_PARKED, /* nobody produces yet */
	ZOE_CONSUME_DONE,
	ZOE_CONSUME_REFUSED
};

struct zoe_consumer {
	/* What every next() looks at, together, as in struct zoe_view. */
	struct zoe_client *client; // counted
	struct zoe_consumer_options options;
	enum zoe_consume_state state;
	uint32_t n_views, current;             // current: index of the one read from
	struct zoe_view *views[ZOE_MAX_VIEWS]; // oldest first
	uint64_t want;                         // next number; 0 = not begun
	uint64_t missed;                       // since the last frame given out
	uint64_t due_ns;                       // max_fps: no frame before; 0 = no limit, or at once
	uint64_t service_ns;                   // when the socket was last looked at
	bool is_parked_start, is_discont;
	bool is_demoted; // was reliable, may lose frames now
	struct zoe_pollable pollable;
	int bell; // our end of the doorbell; -1 = none
	/* The rest. */
	uint32_t bell_serial;
	struct zoe_handle handle;
	_Atomic uint32_t n_refs; // the user's and one a view
	struct zoe_link link;
	char group[ZOE_GROUP_BYTES]; // options.group points here
	char stream[ZOE_NAME_BYTES], name[112];
	uint32_t epoch, serial; // of the request to attach
	struct zoe_refusal refusal;
	uint64_t last_lineage;
	uint32_t events;
};

/* Does what the socket has for us; never waits. Returns: 0; -errno why there is no broker. */
int zoe_consumer_service(struct zoe_consumer *s);

/* The same, if the socket may have something: at most every 100 ms while frames flow.
 * Returns: whether it was done. */
bool zoe_consumer_service_sometimes(struct zoe_consumer *s);

/* The generation read from. Returns: NULL if there is none. */
struct zoe_view *zoe_consumer_get_view(const struct zoe_consumer *s);

/* Goes on in the next generation, if it is known. */
bool zoe_consumer_advance(struct zoe_consumer *s);

/* The doorbell is dead: a new one is asked for. */
void zoe_consumer_drop_bell(struct zoe_consumer *s);

/* A reliable consumer lost frames, or the broker says that it may. */
void zoe_consumer_demote(struct zoe_consumer *s);
#endif
