/* SPDX-License-Identifier: MIT */
#ifndef REGISTRY_H
#define REGISTRY_H
/*
 * The streams there are, by name, and who waits for one to come.
 * Owns:     its streams.
 * Threads:  one.
 * Includes: list.h, access.h.
 */
#include "access.h"
#include "list.h"

struct client;
struct server;
struct stream;

struct registry {
	struct list streams; // stream.link, by name
	struct list parked;  // consumer.link: of names that nobody has made yet
	uint32_t n_streams;
	bool has_changes; // some stream.is_changed
};

/* Makes the streams that the config names. Returns: 0; -ENOMEM. */
int registry_init(struct server *server);
void registry_finish(struct server *server);

/* Returns: NULL if absent; borrowed. */
struct stream *registry_find(struct server *server, const char *name);

/* Makes the stream of a name that a pattern covers; borrowed. owner produces it.
 * Returns: 0; -EBUSY the pattern has all its streams; -ENOMEM. */
int registry_make(struct server *server, const struct stream_config *config, const char *name,
	uid_t owner, struct stream **out);

/* Makes the stream of a name in the config. Returns: 0; -ENOMEM. */
int registry_add(struct server *server, const struct stream_config *config);

/* Destroys a stream and tells all its clients so. */
void registry_remove(struct stream *stream);

/* Destroys a stream without clients; watchers hear of it. */
void registry_drop(struct stream *stream);

/* A name the client may see that looks like a mistyped one. Returns: NULL if none; borrowed. */
const char *registry_suggest(
	struct server *server, const char *name, const struct credentials *who);

/* Tells watchers, soon and once, that a stream is not what it was. */
void registry_mark(struct stream *stream);

/* Those who wait for names that the config covers no more are told so. */
void registry_end_parked(struct server *server);
void registry_tell_watchers(struct server *server);
#endif
