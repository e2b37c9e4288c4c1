/* SPDX-License-Identifier: MIT */
#ifndef STREAM_H
#define STREAM_H
/*
 * A stream: its generations, its producers and consumers.
 * Owns:     its generations. Producers and consumers belong to their clients.
 * Threads:  one.
 * Includes: generation.h, config.h, loop.h.
 */
#include "config.h"
#include "generation.h"
#include "loop.h"

struct adoption;
struct server;

struct stream {
	struct list link;                   // registry.streams
	struct server *server;              // borrowed
	const struct stream_config *config; // borrowed
	char name[ZOE_NAME_BYTES];
	uid_t owner; // whom "owner" in the config stands for
	uint64_t lineage;
	uint32_t last_number;      // of a generation
	struct list generations;   // generation.link, newest first
	struct generation *newest; // NULL: no region
	/* Closed, and newest not given to producers yet: not all consumers have heard of it. */
	struct generation *leaving;
	struct adoption *adoption; // of an earlier broker's ring; NULL: none goes on
	struct list producers;     // producer.link
	struct list consumers;     // consumer.link
	struct list turns;         // turn.link
	uint32_t n_producers, n_consumers;
	bool is_live;       // a producer is at work: consumers know
	bool is_changed;    // watchers are to be told
	bool is_reloaded;   // in a reload: it has had its turn
	double move_tokens; // below 0: more moves were forced than may be asked for
	ev_tstamp move_time;
	uid_t mover; // whose end forced the last one
	struct ev_timer linger, sweep, hearing;
};

/* Returns: 0; -ENOMEM. */
int stream_create(struct stream **out, struct server *server, const struct stream_config *config,
	const char *name);

/* Frees it and its generations; there are no clients left. */
void stream_destroy(struct stream *stream);

/* Makes the first region, for frames of frame_bytes. Returns: as generation_create; -ENOMEM also
 * where memory_limit is too low. */
int stream_make_region(struct stream *stream, uint64_t frame_bytes);

/* Frees the region of a stream without clients. */
void stream_drop_region(struct stream *stream);

/* The geometry of the stream's regions for frames of frame_bytes, at most max_frame: with room for
 * all that the config lets in, and all that are in. Returns: 0; -EOVERFLOW. */
int stream_cut(const struct stream *stream, uint64_t frame_bytes, struct zoe_geometry *geo);

/* The closed generation that has the newest frame, while no open one has any. */
struct generation *stream_find_tail(struct stream *stream);

/* Frees what nobody uses any more: call after anybody left. */
void stream_sweep(struct stream *stream);

/* Tells consumers whether a producer is at work, if that has changed. */
void stream_tell_live(struct stream *stream);

/* A client of it left or joined: watchers hear of it, the linger clock starts or stops. */
void stream_note_clients(struct stream *stream);

bool stream_has_clients(const struct stream *stream);
uint64_t stream_get_bytes(struct stream *stream);

/* Fills in what both sides of a region are told. */
void stream_describe_region(
	struct stream *stream, const struct generation *generation, struct zoe_msg_region *msg);
#endif
