/* SPDX-License-Identifier: MIT */
#ifndef EVICT_H
#define EVICT_H
/*
 * Taking clients off a stream that they were let into: KICK, and what a reload does to those whose
 * right is gone. A mapping cannot be taken back, so the frames move away from it.
 * Owns:     nothing.
 * Threads:  one.
 * Includes: wire.h.
 */
#include <stdbool.h>

#include "wire.h"

struct client;
struct stream;

/* The request handler. */
void evict_kick(struct client *client, const struct zoe_packet *packet);

/* After client_evict() of some of a stream's clients: moves it away from them and ends their part.
 * is_open: others may have its memory mapped who should not see more of it. */
void evict_finish(struct stream *stream, bool is_open);

/* Ends the part of all clients of a stream that is removed. They drain what was published. */
void evict_all(struct stream *stream);
#endif
