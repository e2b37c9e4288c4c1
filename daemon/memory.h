/* SPDX-License-Identifier: MIT */
#ifndef MEMORY_H
#define MEMORY_H
/*
 * Keeping what is lent below the config's memory_limit.
 * Owns:     nothing.
 * Threads:  one.
 * Includes: the C library; knows streams only in its .c file.
 * Frames are counted by the slots that clients can come to use, not by the memfds' sizes: spare
 * slots stay untouched until they are needed.
 */
#include <stdint.h>

struct server;
struct stream;

uint64_t memory_get_used(struct server *server);

/* Makes room for more bytes, for the sake of a stream (it keeps its own), by dropping regions that
 * nobody uses. Returns: 0; -ENOMEM the limit is too low. */
int memory_reserve(struct server *server, const struct stream *keep, uint64_t bytes);
#endif
