/* SPDX-License-Identifier: MIT */
#ifndef SERVER_H
#define SERVER_H
/*
 * The broker as a whole: its socket, its loop, its clients and its streams.
 * Owns:     the loop's watchers, the lock and the listening socket, all clients and streams.
 * Threads:  one.
 * Includes: loop.h, config.h, notify.h, registry.h, signals.h, wire.h.
 */
#include <sys/un.h>

#include "config.h"
#include "list.h"
#include "loop.h"
#include "notify.h"
#include "registry.h"
#include "signals.h"
#include "wire.h"

struct server {
	struct ev_loop *loop;        // borrowed: the default loop
	const struct config *config; // borrowed from main, or the newest of configs
	const char *config_path;     // borrowed, "(built in)" where there is no file
	bool has_file;               // there is one
	struct list configs;         // reloaded.link: read since, as long as a stream needs them
	char socket_path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int lock, listener; // -1 = none
	bool is_activated;  // the listener is the service manager's, and so is its path
	uid_t uid;          // "owner" of exact names
	uint64_t broker_id, start_ns;
	uint64_t load_ns, failure_ns; // of the config; of a reload since then that failed, or 0
	uint64_t memory_limit;        // the config's, or what the cgroup allows
	const char *protection;       // static
	struct list clients;          // client.link
	struct list doomed;           // client.doom_link: to be ended before the loop sleeps
	uint32_t n_clients;
	uint32_t last_consumer, last_group; // begin anywhere: an earlier broker's ids may come back
	struct registry registry;
	struct notify notify;
	struct zoe_packet packet; // what is being received
	struct ev_io accept;
	struct ev_timer pause; // after accept ran out of descriptors
	struct signals signals;
	struct ev_prepare settle;
};

struct server_options {
	const struct config *config;
	const char *config_path; // NULL: built in
	const char *socket;      // NULL: the config's, else the environment's
};

/* Takes the socket's lock and listens. Logs what goes wrong.
 * Returns: 0; -EADDRINUSE a broker runs already; -ENOMEM; -errno. */
int server_create(struct server **out, const struct server_options *options);

/* Does what the config's `broker` says of what can change while it runs. */
void server_apply_config(struct server *server);

/* Serves until TERM or INT. */
void server_run(struct server *server);

/* Leaves no socket behind; clients go on with what they have. NULL is a no-op. */
void server_destroy(struct server *server);
#endif
