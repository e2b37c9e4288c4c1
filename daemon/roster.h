/* SPDX-License-Identifier: MIT */
#ifndef ROSTER_H
#define ROSTER_H
/*
 * What producers know of the seats they must honour: state, not a log. Each is sent the difference
 * between what it was told and what is, as fast as it takes it; nobody waits for it.
 * Owns:     nothing.
 * Threads:  one.
 * Includes: generation.h.
 */
#include "generation.h"

struct producer;

/* Lists the seat, tells the producers, counts. The consumer may be told afterwards. */
void roster_add(struct seat *seat);

/* Takes the seat off the list, tells the producers, counts, wakes those who want space. */
void roster_remove(struct seat *seat);

/* Producers may find space that they did not find before. */
void roster_note_space(struct generation *generation);

/* Something else about seats has changed: a doorbell, who is reliable. */
void roster_touch(struct generation *generation);

/* Sends what is due and the socket takes. */
void roster_push(struct producer *producer);

/* The producer is in this generation now, and knows of no seat of it. */
void roster_reset(struct producer *producer, struct generation *generation);
#endif
