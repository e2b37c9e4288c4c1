/* SPDX-License-Identifier: MIT */
#ifndef MOVE_H
#define MOVE_H
/*
 * Moving a stream to its next generation: no frame lost, none twice.
 * Owns:     nothing.
 * Threads:  one; a move is done when its call returns.
 * Includes: stream.h in its .c file.
 * The order of its steps is that of zoetrope-ring(7), each a counter-example once.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "loop.h"

struct generation;
struct stream;

/* Whether a client may have the stream moved now.
 * Returns: 0; -EBUSY old generations are not drained, *holder is the pid of one who holds them;
 * -EAGAIN too many moves lately. */
int move_check(struct stream *stream, int32_t *holder);

/* A user's producer has ended in a way that forces a move: it counts as one asked for. */
void move_charge(struct stream *stream, uid_t uid);

/* Whether a user has forced too many lately to begin anew just now. */
bool move_is_overdone(struct stream *stream, uid_t uid);

/* Moves to slots of frame_bytes. Returns: 0; -EOVERFLOW, -ENOMEM, -EMFILE, -ENFILE: nothing
 * has changed. */
int move_start(struct stream *stream, uint64_t frame_bytes);

/* Moves away from a producer whose stores cannot be stopped. Where that fails the region ends and
 * its clients with it: they come back by themselves. */
void move_away(struct stream *stream);

/* Moves away from clients that were evicted, though memory_limit be exceeded until the old
 * generation is drained; those who hold on to too many old ones are dropped. As move_away where it
 * fails. */
void move_away_from_evicted(struct stream *stream);

/* Whether memory_limit leaves room for one more generation. Returns: 0; -ENOMEM; -EOVERFLOW. */
int move_check_room(struct stream *stream);

/* Closes the region without a successor, and wakes all: what was published can still be taken. */
void move_end(struct stream *stream);

/* Whether too many old generations are still held, *holder: by whom. */
bool move_is_blocked(struct stream *stream, int32_t *holder);

/* A consumer's socket has taken all that it was told, or it has left: the last one that producers
 * wait for? They go on then. */
void move_check_heard(struct stream *stream);

/* stream.hearing: who has not heard of the move by now goes. */
void move_on_patience(struct ev_loop *loop, struct ev_timer *timer, int events);

/* Gives all producers a lane in the newest generation, and sends it to them. */
void move_tell_producers(struct generation *newest);

/* The region could not be replaced: it ends, and its clients with it. */
void move_give_up(struct stream *stream, int error);
#endif
