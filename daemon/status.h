/* SPDX-License-Identifier: MIT */
#ifndef STATUS_H
#define STATUS_H
/*
 * What the broker tells about itself, its streams and their clients.
 * Owns:     nothing.
 * Threads:  one.
 * Includes: wire.h.
 * Numbers that clients keep in shared memory are read once, clamped, and believed by nobody.
 */
#include "wire.h"

struct client;
struct stream;

/* The request handlers. */
void status_list(struct client *client, const struct zoe_packet *packet);
void status_watch(struct client *client, const struct zoe_packet *packet);
void status_report(struct client *client, const struct zoe_packet *packet);

/* Sends an event about a stream to a client that may see it. */
void status_send_stream(struct client *client, struct stream *stream, uint32_t type);
/* Its rights, or the stream, may have changed: tells a watching client whether it sees it now. */
void status_send_sight(struct client *client, struct stream *stream, bool has_seen);
bool status_may_see(const struct client *client, const struct stream *stream);
#endif
