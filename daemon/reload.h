/* SPDX-License-Identifier: MIT */
#ifndef RELOAD_H
#define RELOAD_H
/*
 * Reading the config again while the broker runs: RELOAD, and HUP. A file with an error changes
 * nothing; a good one touches what it changes and nothing else.
 * Owns:     the configs read since the start, each as long as a stream borrows from it.
 * Threads:  one; a reload is done when its call returns.
 * Includes: config.h, wire.h.
 */
#include "config.h"
#include "wire.h"

struct client;
struct server;

/* A reload on its way, and who hears of it. */
struct reload {
	struct server *server; // borrowed
	struct client *client; // who asked; NULL: a signal, and the log alone hears
	struct zoe_msg_header request;
	bool is_dry_run;
	const struct config *config; // the new one
};

/* The request handler. */
void reload_request(struct client *client, const struct zoe_packet *packet);

void reload_on_hangup(struct server *server);

/* Frees the configs: there are no streams any more. */
void reload_finish(struct server *server);

/* Adds a line to the answer; what was or will be done goes to the log, too. */
void reload_say(const struct reload *reload, enum zoe_msg_reload_kind kind, const char *name,
	const char *format, ...) attr_printf(4, 5);
void reload_send(const struct reload *reload, struct zoe_msg_reload_line *line);
#endif
