/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CLIENT_H
#define ZOE_CLIENT_H
/*
 * What producers and consumers need of their client: options, error sentence, fork guard,
 * deadlines. Owns:     the client is counted: its user, and each handle opened from it, hold one
 * reference; the last to go frees it, which may be a thread that releases a frame. Threads:  as
 * zoe.h; only the count and the guard are touched by other threads. Includes: zoe/zoe.h, core.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <zoe/zoe.h>

#include "wire.h"

struct zoe_handle; // a producer or consumer, to be closed with its client

struct zoe_client {
	_Atomic uint32_t n_refs;
	/* One page that fork() wipes: 1 in the process that made the client, 0 in its children. */
	const uint32_t *guard;
	char socket[108]; // from the options; "" = search
	char app[64];
	char error[640];
	struct zoe_packet *packet;  // one for all receives: a client is one thread's
	struct zoe_handle *handles; // list through zoe_handle.next
	struct zoe_link *link;      // for list, watch, status
	struct zoe_watch *watch;
};

/* What the client knows of a producer or consumer. */
struct zoe_handle {
	struct zoe_handle *next, **link_to; // client.handles
	void (*close)(struct zoe_handle *handle);
};

void zoe_client_ref(struct zoe_client *c);
void zoe_client_unref(struct zoe_client *c);
void zoe_handle_add(struct zoe_client *c, struct zoe_handle *handle);
void zoe_handle_remove(struct zoe_handle *handle);

/* Is this a child of the process that made the client? */
static inline bool zoe_client_is_forked(const struct zoe_client *c) {
	return *(const volatile uint32_t *)c->guard == 0;
}

/* Sets the sentence; returns error (negative). */
int zoe_client_fail(struct zoe_client *c, int error, const char *format, ...) attr_printf(3, 4);
/* The sentence for -ECHILD, in memory the child may write. */
int zoe_client_fail_forked(struct zoe_client *c);
/* The sentence of a broker's answer: text is not trusted to be terminated. */
int zoe_client_fail_packet(struct zoe_client *c, const struct zoe_packet *packet);

/* Why a handle has no future, kept for each call that is still made on it. */
struct zoe_refusal {
	int error; // 0 = none
	char text[512];
};
/* Takes it from a broker's message. */
void zoe_refusal_set(struct zoe_refusal *refusal, struct zoe_client *c);
/* Sets the sentence again; returns the error. */
int zoe_refusal_fail(const struct zoe_refusal *refusal, struct zoe_client *c);

/* Options that cross the ABI: size at least `least`, a tail we do not know must be zero.
 * Copies into a struct of `size` bytes, zeroed beyond. Returns: 0; -EINVAL. */
int zoe_options_copy(void *to, size_t size, const void *from, size_t least);

/* A moment up to which a call may wait. */
struct zoe_deadline {
	uint64_t end_ns; // CLOCK_MONOTONIC; 0 = never waits, UINT64_MAX = for ever
};
struct zoe_deadline zoe_deadline_init(int timeout_ms);
/* Nanoseconds left, at most INT64_MAX; 0 = over. */
int64_t zoe_deadline_left(const struct zoe_deadline *d);
/* poll(2)'s idea of the shorter of the two; rounds up. */
int zoe_deadline_poll_ms(const struct zoe_deadline *d, int longest_ms);
#endif
