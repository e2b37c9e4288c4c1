/* SPDX-License-Identifier: MIT */
#ifndef ADOPT_H
#define ADOPT_H
/*
 * Goes on with the streams of the broker before this one. What its clients hand in (RETURN) is
 * checked and adopted as it stands: frames flow in the old ring meanwhile. The consumers that its
 * control page lists are gathered, for at most `settle`; then all move to a new generation of the
 * same lineage, where reliable ones that are not back yet have a placeholder. ring(7) has the
 * rules, tests/model/restart.pml what happens without them.
 * Owns:     a client's hand-in until it is used; a stream's adoption until it has moved.
 * Threads:  one.
 * Includes: generation.h, loop.h, wire.h.
 */
#include "generation.h"
#include "loop.h"
#include "wire.h"

struct client;
struct consumer;
struct stream;

/* What a client brought, unchecked but for its descriptors' number. */
struct hand_in {
	uint32_t generation, consumer, seat;
	uint64_t lineage;
	uint32_t n_fds;
	int fds[3];
};

struct adoption {
	struct stream *stream;  // borrowed
	struct generation *old; // borrowed: stream.newest; NULL: all that came was stale
	uint64_t frame_bytes;   // that somebody asked for meanwhile
	struct ev_timer settle;
};

/* RETURN. */
void adopt_hand_in(struct client *client, const struct zoe_packet *packet);

/* Closes what was handed in and not used. NULL is a no-op. */
void hand_in_destroy(struct hand_in *hand_in);

/* A producer comes, frame_bytes are the largest it has. Returns: whether it is to wait, without a
 * lane, for the move; if so call adopt_check() once it is told. Else it attaches as ever. */
bool adopt_producer(struct stream *stream, struct client *client, uint64_t frame_bytes);

/* A producer comes for which there is no place: a ring that it has besides the stream's is closed,
 * so that it hears that its frames reach nobody. */
void adopt_refuse_producer(struct stream *stream, struct client *client);

/* A consumer comes to a stream whose adoption goes on: gives it its old seat, if it has one. */
void adopt_consumer(struct consumer *consumer);

/* The placeholder that is kept for the client's consumer. Returns: NULL if there is none. */
struct consumer *adopt_find_absent(const struct stream *stream, const struct client *client);

/* Whether the client looked at frames of the stream's present lineage before. */
bool adopt_is_known(const struct stream *stream, const struct client *client);

/* All that were waited for may be there: moves on then. */
void adopt_check(struct stream *stream);

/* Waits for nobody any more. */
void adopt_finish(struct stream *stream);

/* Before any move: reliable consumers that are not back yet get placeholders.
 * Returns: 0; -ENOMEM, -EMFILE. */
int adopt_place_absent(struct stream *stream);

/* After the move, or with the stream's end. NULL is a no-op. */
void adoption_destroy(struct adoption *adoption);
#endif
