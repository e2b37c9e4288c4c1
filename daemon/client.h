/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_H
#define CLIENT_H
/*
 * A connection: who is at its other end, what was asked, and what is still to be sent.
 * Owns:     its socket and pidfd, its outgoing queue with duplicates of the descriptors in it, and
 *           its part in a stream (producer or consumer, at most one of them).
 * Threads:  one.
 * Includes: access.h, list.h, loop.h, wire.h.
 * No call here destroys a client under its caller: client_doom() leaves that to the loop.
 */
#include "access.h"
#include "list.h"
#include "loop.h"
#include "wire.h"

struct consumer;
struct hand_in;
struct producer;
struct server;
struct turn;

enum client_state {
	CLIENT_NEW,     // HELLO is to come
	CLIENT_GREETED, // ECHO is to come
	CLIENT_READY,
	CLIENT_LOST // the socket is closed, the process may live: a producer that did not leave
};

struct client {
	struct list link;      // server.clients
	struct list doom_link; // server.doomed, a list of its own otherwise
	struct server *server; // borrowed
	enum client_state state;
	struct credentials who;
	int socket, pidfd;
	uint64_t start_time; // of the process, in ticks; 0: the pidfd came from the socket
	uint64_t nonce;
	char app[64];
	bool is_doomed;
	bool is_dead;    // by its pidfd's word
	bool is_evicted; // was told so: nothing it says counts, nothing more is sent
	bool is_watching, has_missed_changes;
	bool is_backing_off; // too many descriptors in flight
	bool is_absent;      // nobody yet: keeps a place for who had one with an earlier broker
	struct list queue;   // message.link
	size_t queue_bytes;
	uint32_t n_loans; // messages with descriptors since it had read all
	struct ev_io io, death;
	struct ev_timer timer; // for HELLO, for a stuck queue, for a lost process
	struct ev_timer retry;
	struct producer *producer;
	struct consumer *consumer;
	struct turn *turn;       // it waits to produce
	struct hand_in *hand_in; // what it has of an earlier broker; NULL = nothing
};

/* Takes over a connected socket. Returns: 0; -errno, the socket is closed. */
int client_create(struct server *server, int socket);

/* Makes one that stands for a client of an earlier broker, and goes after so many seconds.
 * Returns: 0; -ENOMEM. */
int client_create_absent(struct client **out, struct server *server, double seconds);

/* Frees a client whose stream is gone already: the broker ends, its clients go on. */
void client_abandon(struct client *client);

/* HELLO and ECHO are done. */
void client_set_ready(struct client *client);

/* Sends, or queues. fds are borrowed. A client that is gone or cannot keep up is doomed. */
void client_send(
	struct client *client, const struct zoe_msg_header *msg, const int *fds, uint32_t n_fds);

/* Whether there still is somebody to tell. */
bool client_can_receive(const struct client *client);

/* Whether all that was sent so far is out, and more may follow. */
bool client_is_drained(const struct client *client);

/* Answers a request with a sentence; error < 0. */
void client_refuse(struct client *client, const struct zoe_msg_header *request, int error,
	const char *format, ...) attr_printf(4, 5);

/* Answers nonsense with a sentence, and drops the client. */
void client_reject(
	struct client *client, const struct zoe_msg_header *request, const char *sentence);

/* Tells it (EVICTED or REMOVED, error < 0) that its stream goes on without it. The caller ends its
 * part in the stream; its connection lasts until it hangs up, a few seconds at most: what lies
 * unread in a socket that we close may keep it from reading this. */
void client_evict(struct client *client, uint32_t type, int error, const char *sentence);

/* The connection is over; carried out before the loop sleeps. */
void client_doom(struct client *client);
void client_end_doomed(struct server *server);
#endif
