/* SPDX-License-Identifier: MIT */
#ifndef BROKER_BOOKS_H
#define BROKER_BOOKS_H
/*
 * What must be true of a broker whenever it has nothing left to do, whatever its clients did.
 * Owns:     nothing.
 * Threads:  one.
 * Includes: the daemon's headers.
 */
#include <stdbool.h>

struct server;

/* Counts agree with lists, both ends of every reference with each other, and the control pages with
 * what the broker believes. has_new_config: limits may have been lowered since clients came. */
void books_check(const struct server *server, bool has_new_config);
#endif
