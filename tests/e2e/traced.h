/* SPDX-License-Identifier: MIT */
#ifndef TRACED_H
#define TRACED_H
/*
 * A broker that is killed at a system call of the test's choice: nothing that another process could
 * see happens between two of them, but stores to shared memory.
 * Owns:     the process that traces the broker, and the page they share.
 * Threads:  one.
 * Includes: broker.h.
 */
#include "broker.h"

struct traced {
	pid_t tracer;
	struct traced_page *page;
};

/* Starts the broker; its socket answers. at_once counts from its start, else traced_arm() does.
 * The kill_at-th system call from there on is not carried out any more; 0 = never. */
void traced_start(
	struct traced *traced, const struct broker *broker, uint32_t kill_at, bool at_once);
void traced_arm(struct traced *traced);

/* Whether it is dead. */
bool traced_is_dead(const struct traced *traced);
/* Kills it where it is, if it lives. Returns: the calls that it made since it was armed. */
uint32_t traced_end(struct traced *traced);
#endif
