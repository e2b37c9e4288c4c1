/* SPDX-License-Identifier: MIT */
#ifndef ZOE_WATCH_H
#define ZOE_WATCH_H
/*
 * What the broker tells a client about streams: list, status, and changes as they come.
 * Owns:     the epoll descriptor given out by zoe_client_get_fd(), with its timer.
 * Threads:  its client's.
 * Includes: client.h, link.h.
 */
#include <zoe/zoe.h>

#include "client.h"

struct zoe_watch;

void zoe_watch_destroy(struct zoe_watch *watch);

/* A request on the client's own connection. Exactly one of the callbacks is set; what it returns,
 * if not 0, ends the answer. */
struct zoe_question {
	struct zoe_msg_header *request; // its serial is set when it is sent
	zoe_watch_fn list;
	zoe_status_fn status;
	int (*packet)(void *user, const struct zoe_packet *packet); // the last one included
	void *user;
};

/* Sends it, anew if the broker was replaced since the last call, and waits for the whole answer.
 * Returns: 0; what a callback returned; what the broker refused it with; as zoe_client_connect().
 */
int zoe_client_ask(struct zoe_client *c, const struct zoe_question *question,
	const struct zoe_deadline *deadline);
#endif
