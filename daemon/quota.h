/* SPDX-License-Identifier: MIT */
#ifndef QUOTA_H
#define QUOTA_H
/*
 * What one user's clients may take together: the config's per_user. Counted by user and not by
 * connection or process, of which anybody can have many.
 * Owns:     nothing: what is counted is what is there, so that nothing can be forgotten.
 * Threads:  one.
 * Includes: memory.h.
 *
 * Who causes it bears it. A region's ring and newest frames are its maker's, the slots to write
 * into each producer's, frames to hold each consumer's. A closed generation is borne, whole, by
 * each user who still has a place in it, for each of them keeps it. What others do may bring a user
 * above the limit (a stream that grows, grows for its readers too): then it gets no more.
 * Root and the broker's own user are exempt: they could end the broker anyway.
 */
#include <stdint.h>
#include <sys/types.h>

#include "memory.h"

struct server;
struct stream;

/* Each returns 0, or -EDQUOT and the reason in text. */
int quota_check_memory(
	struct server *server, uid_t uid, uint64_t bytes, char text[MEMORY_TEXT_SIZE]);
int quota_check_streams(struct server *server, uid_t uid, char text[MEMORY_TEXT_SIZE]);
int quota_check_consumers(struct server *server, uid_t uid, char text[MEMORY_TEXT_SIZE]);
#endif
