/* SPDX-License-Identifier: MIT */
#ifndef REQUEST_H
#define REQUEST_H
/*
 * Which packet goes where, and the requests that are too small for a file.
 * Owns:     nothing.
 * Threads:  one.
 * Includes: wire.h.
 */
#include "wire.h"

struct client;

/* Carries out a packet whose header is sound. */
void request_handle(struct client *client, const struct zoe_packet *packet);
#endif
