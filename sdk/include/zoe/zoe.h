/* SPDX-License-Identifier: MIT */
#ifndef ZOE_ZOE_H
#define ZOE_ZOE_H
/*
 * The way to the broker: a client, the list of streams, their status, and error sentences.
 * Owns:     a client owns its socket and the error sentence of all that was opened from it.
 * Threads:  one client a thread; nothing here starts threads, raises signals or prints.
 * Includes: zoe/frame.h. Producers and consumers are in zoe/producer.h and zoe/consumer.h.
 *
 * Timeouts are poll(2)'s: milliseconds, 0 = never wait, -1 = for ever. Functions return 0 or a
 * documented positive value, else -errno, and leave a sentence: zoe_client_get_error(). After
 * fork() the child gets -ECHILD from every call. Structs that begin with struct_size are extended
 * at their end: set it to sizeof.
 */
#include <zoe/frame.h>

#ifdef __cplusplus
extern "C" {
#endif

struct zoe_client;

struct zoe_client_options {
	size_t struct_size;
	const char *socket; /* path; NULL: $ZOETROPE_SOCKET, else $XDG_RUNTIME_DIR/zoetrope/socket,
			       else /run/zoetrope/socket, the first that answers */
	const char *app_name; /* shown to admins, up to 63 bytes; NULL: the process's own name */
};

enum zoe_may { ZOE_MAY_PRODUCE = 1, ZOE_MAY_CONSUME = 2, ZOE_MAY_RELIABLE = 4, ZOE_MAY_ADMIN = 8 };

/* One stream. Strings are never NULL and live until the callback returns. */
struct zoe_stream_info {
	size_t struct_size;
	const char *name, *region; /* "desk", "desk#3"; region is "" before the first producer */
	const char *description;   /* from the config; may be "" */
	const char *producer;      /* "zoe capture (pid 811, cap)", "" = nobody */
	struct zoe_format format;  /* of the newest frame; fourcc 0 = none yet */
	uint32_t generation;       /* of the region; 0 = none */
	uint32_t n_producers, n_consumers;     /* attached */
	uint32_t max_producers, max_consumers; /* seats by the config */
	uint32_t n_slots, depth;  /* slots of the region; newest frames that stay readable */
	uint32_t may;             /* enum zoe_may bits: what this client may do */
	uint32_t rate_mhz;        /* frames in 1,000 s over the readable window; 0 = not known */
	uint64_t head_seq;        /* number the next frame will have; 0 = no region */
	uint64_t last_publish_ns; /* CLOCK_MONOTONIC; 0 = never */
	uint64_t max_frame_bytes; /* largest payload a frame may have */
	uint64_t memory_bytes;    /* lent out for this stream, all generations */
	uint64_t capture_ns;      /* newest frame, pts to publish; UINT64_MAX = not known */
	uint64_t dropped;         /* frames the newest frame's producer gave up, by its own count */
	uint32_t open, hold;      /* slots a producer, frames a consumer may hold at once */
	uint32_t max_fps;         /* that producers are asked for; 0 = no limit */
	uint32_t patience_ms;     /* how long a reliable reader may hold producers up */
	uint32_t state;           /* enum zoe_stream_state bits */
};
enum zoe_stream_state {
	ZOE_STREAM_LIVE = 1,      /* a producer is at work */
	ZOE_STREAM_BLOCKS = 2,    /* when_full: block */
	ZOE_STREAM_RETURNING = 4, /* its programs are coming back from an earlier broker */
	ZOE_STREAM_MOVING = 8     /* producers wait until all consumers know of its new memory */
};

enum zoe_change {
	ZOE_ADDED,
	ZOE_CHANGED,
	ZOE_REMOVED,
	ZOE_SYNCED /* the list so far is complete */
};
/* info is NULL for ZOE_SYNCED. Returning anything but 0 stops, and is handed on. The callback must
 * not call the client again. */
typedef int (*zoe_watch_fn)(void *user, enum zoe_change change, const struct zoe_stream_info *info);

enum zoe_role { ZOE_ROLE_PRODUCER = 1, ZOE_ROLE_CONSUMER = 2 };
enum zoe_peer_state {
	ZOE_PEER_RUNNING = 0,
	ZOE_PEER_PARKED = 1, /* waits for a producer */
	ZOE_PEER_DEMOTED = 2 /* was reliable and too slow: may lose frames now */
};

/* One program attached to a stream. */
struct zoe_peer_info {
	size_t struct_size;
	const char *stream, *app; /* app: its app_name */
	uint32_t role, state;     /* enum zoe_role, enum zoe_peer_state */
	int32_t pid;
	uint32_t uid, generation, held; /* held: frames (consumer) or slots (producer) held now */
	uint64_t lag;                   /* consumer: frames published and not yet taken */
	uint64_t taken, lost;           /* consumer: frames since it joined, by its own count */
	uint64_t last_ns;               /* consumer: last take, CLOCK_MONOTONIC; 0 = never */
	uint64_t read_ns;  /* consumer: last frame taken, publish to take; UINT64_MAX = not known */
	uint32_t delivery; /* consumer: enum zoe_delivery of zoe/consumer.h */
	const char *group; /* consumer: of a queue, else "" */
};

struct zoe_broker_info {
	size_t struct_size;
	const char *version, *socket, *config; /* config: path, or "(built in)" */
	const char *protection; /* how frames are kept read-only: "mode", "mode+immutable" */
	int32_t pid;
	uint32_t n_streams, n_clients;
	uint64_t start_ns;                         /* CLOCK_MONOTONIC of its start */
	uint64_t memory_bytes, memory_limit_bytes; /* lent, and the most that may be */
	uint64_t load_ns;    /* when the config in use was read, CLOCK_MONOTONIC */
	uint64_t failure_ns; /* of a reload since then that changed nothing; 0 = none */
};

/* One line of a status answer: exactly one of the three is not NULL. */
struct zoe_status {
	size_t struct_size;
	const struct zoe_broker_info *broker;
	const struct zoe_stream_info *stream;
	const struct zoe_peer_info *peer; /* follows its stream */
};
typedef int (*zoe_status_fn)(void *user, const struct zoe_status *status);

/* Makes a client; does no I/O. opt may be NULL. The caller owns *out: zoe_client_destroy().
 * Returns: 0; -ENOMEM; -EINVAL options (size, unknown tail, path longer than 107 bytes). */
ZOE_EXPORT int zoe_client_create(struct zoe_client **out, const struct zoe_client_options *opt);

/* Connects now. Optional: every call below connects by itself.
 * Returns: 0; -ETIMEDOUT, -EAGAIN (timeout 0, not yet); -ENOENT, -ECONNREFUSED nobody answers on
 * any of the paths tried (the sentence lists them); -EACCES; -EPROTO; -ECHILD. */
ZOE_EXPORT int zoe_client_connect(struct zoe_client *c, int timeout_ms);

/* Closes everything opened from the client and frees it. Frames still held stay valid until they
 * are released. NULL is a no-op. */
ZOE_EXPORT void zoe_client_destroy(struct zoe_client *c);

/* The sentence of the last call that failed on the client or anything opened from it, without a
 * full stop; "" if none has. Returns: never NULL; lives until the next call on the client. */
ZOE_EXPORT const char *zoe_client_get_error(const struct zoe_client *c);

/* Calls fn with ZOE_ADDED for each stream that may be seen, by name, then ZOE_SYNCED.
 * Returns: 0; what fn returned; as zoe_client_connect(). */
ZOE_EXPORT int zoe_client_list(struct zoe_client *c, zoe_watch_fn fn, void *user, int timeout_ms);

/* Asks for the list and its changes from now on: fn is called from zoe_client_dispatch(), and
 * after a restart of the broker with the new list. One watch a client; fn NULL ends it.
 * Returns: 0; -ECHILD. */
ZOE_EXPORT int zoe_client_watch(struct zoe_client *c, zoe_watch_fn fn, void *user);

/* Asks the broker for its state and that of one stream (stream NULL: all that may be seen), each
 * followed by the programs attached.
 * Returns: 0; -ENOENT no such stream; what fn returned; as zoe_client_connect(). */
ZOE_EXPORT int zoe_client_status(
	struct zoe_client *c, const char *stream, zoe_status_fn fn, void *user, int timeout_ms);

enum zoe_reload_kind {
	ZOE_RELOAD_ERROR = 1, /* of the file, at line and column: nothing has changed */
	ZOE_RELOAD_WARNING,   /* what only a restart can change, or is probably not meant */
	ZOE_RELOAD_KEEP,      /* the stream is as it was */
	ZOE_RELOAD_CHANGE,    /* it goes on, another way */
	ZOE_RELOAD_ADD,
	ZOE_RELOAD_REMOVE,
	ZOE_RELOAD_PEER /* a program attached to the stream before */
};

/* One line of a reload's answer. Strings are never NULL and live until the callback returns. */
struct zoe_reload_line {
	size_t struct_size;
	enum zoe_reload_kind kind;
	uint32_t line, column; /* ERROR; 0: of the file as a whole */
	const char *name;      /* of the stream or pattern; "" for ERROR */
	const char *text; /* the sentence; CHANGE: what; PEER: what becomes of it, "" = it stays */
	const char *app;  /* PEER: its app_name */
	uint32_t role, uid; /* PEER: enum zoe_role */
	int32_t pid;        /* PEER */
};
typedef int (*zoe_reload_fn)(void *user, const struct zoe_reload_line *line);

/* Has the broker read its config again: fn hears what is kept, changed, added and removed, or all
 * that is wrong with the file, which then changes nothing. With is_dry_run nothing is changed in
 * any case. For those who hold the right `admin` of the config's defaults.
 * Returns: 0; -EINVAL the file is wrong, fn has heard why; -EACCES; -ENOENT the broker has no file,
 * or it is gone; what fn returned (the reload is done all the same); as zoe_client_connect(). */
ZOE_EXPORT int zoe_client_reload(
	struct zoe_client *c, int is_dry_run, zoe_reload_fn fn, void *user, int timeout_ms);

/* Has programs taken off a stream: who is a pid, or the app_name of one or many. They are told so
 * (-ECONNABORTED) and see no frame that is published later; the others lose none. They may come
 * again unless the config shuts them out. For those who hold the right `admin` of the stream.
 * *n_kicked (may be NULL): how many were. Returns: 0; -ENOENT no such stream, or nobody of that
 * name or pid is attached to it; -EACCES; -EAGAIN, -EBUSY, -ENOMEM the stream cannot move now, and
 * we are no admin of the defaults; -EINVAL; as zoe_client_connect(). */
ZOE_EXPORT int zoe_client_kick(struct zoe_client *c, const char *stream, const char *who,
	uint32_t *n_kicked, int timeout_ms);

/* A descriptor for poll(2): POLLIN means call zoe_client_dispatch(). It keeps its number for the
 * client's life. Borrowed. Returns: >= 0; -EMFILE, -ENFILE, -ECHILD. */
ZOE_EXPORT int zoe_client_get_fd(struct zoe_client *c);

/* Does what is due (reconnect, watch callbacks); never blocks.
 * Returns: 0; what a callback returned; -ECHILD. */
ZOE_EXPORT int zoe_client_dispatch(struct zoe_client *c);

/* "0.1.0". Static. */
ZOE_EXPORT const char *zoe_get_version(void);

#ifdef __cplusplus
}
#endif
#endif
