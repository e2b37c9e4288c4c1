/* SPDX-License-Identifier: MIT */
#ifndef FAULT_HONEST_H
#define FAULT_HONEST_H
/*
 * The other programs at the flow's stream, to which no fault happens: a producer and two consumers,
 * which are to lose nothing whatever happens to the broker or the flow.
 * Owns:     its client and all that is open in it.
 * Threads:  one.
 * Includes: reader.h.
 */
#include "reader.h"

struct honest {
	struct zoe_client *client;
	struct zoe_producer *producer;
	struct reader every, reliable;
	uint64_t n_published, next_ms;
	unsigned n_refused; // calls that failed, and were made again
	char wrong[256];    // "" = nothing
};

/* Returns: 0; -ESRCH the broker has ended; < 0 and `wrong`. */
int honest_open(struct honest *honest, const char *socket, bool (*is_there)(void *), void *user);
/* Does what is due, for some ms. */
void honest_pump(struct honest *honest);
/* Takes what is left; n_flow: frames that the flow has published. */
void honest_drain(struct honest *honest, uint64_t n_flow);
void honest_close(struct honest *honest);

uint64_t get_ms(void);
#endif
