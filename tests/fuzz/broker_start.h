/* SPDX-License-Identifier: MIT */
#ifndef BROKER_START_H
#define BROKER_START_H
/*
 * A broker in this process, on a socket of this run's own.
 * Owns:     a directory with its socket, its lock and its configs, until the program ends.
 * Threads:  one.
 * Includes: the daemon's headers.
 */

struct server;

/* Ends the program where it cannot. The caller ends it: server_destroy(). */
struct server *broker_start(void);

/* The file of one of the configs that it may read later; n counts round. Static. */
const char *broker_get_config_path(unsigned n);
#endif
