/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CONSUMER_H
#define ZOE_CONSUMER_H
/*
 * Look at a stream's frames in place: every one in order, always the newest, or shared out among
 * a group.
 * Owns:     a consumer owns its connection, seat and mappings; a frame is the library's, lent
 *           until zoe_frame_release(), and stays mapped until then, also after close and destroy.
 * Threads:  one consumer a thread (the client's); zoe_frame_release() from any thread.
 * Includes: zoe/zoe.h.
 * A held frame does not change under its reader. A slow reader loses frames (zoe_frame.lost) and
 * slows nobody. What a hostile *producer* does to pixels meanwhile cannot be prevented: bound every
 * access by format, never by what the pixels say.
 */
#include <zoe/zoe.h>

#ifdef __cplusplus
extern "C" {
#endif

struct zoe_consumer;

enum zoe_delivery {
	ZOE_LATEST,   /* next() jumps to the newest frame not yet seen */
	ZOE_EVERY,    /* next() gives each frame in order; one `depth` behind loses the oldest */
	ZOE_RELIABLE, /* each frame from joining on, exactly once: producers wait (or drop) where
			 it falls behind, for the config's `patience`; then it is demoted to
			 ZOE_EVERY and told (ZOE_EV_DEMOTED). Needs the right `reliable` */
	ZOE_QUEUE,    /* each frame to exactly one member of the group; old ones are passed over */
	ZOE_QUEUE_RELIABLE /* the same without loss, under the terms of ZOE_RELIABLE */
};
enum zoe_start {
	ZOE_START_NEWEST, /* the newest frame at once, if there is one */
	ZOE_START_NOW,    /* only frames published after joining */
	ZOE_START_OLDEST, /* the oldest still readable */
	ZOE_START_SEQ     /* start_seq, or the oldest readable after it */
};

#define ZOE_MAX_SPIN_US 20 /* longer spinning keeps a producer on the same CPU from running */

/* ZOE_RELIABLE and ZOE_QUEUE* begin at the frame published next when they join; `start` is for the
 * others. */
struct zoe_consumer_options {
	size_t struct_size;
	enum zoe_delivery delivery;
	enum zoe_start start;
	uint64_t start_seq; /* for ZOE_START_SEQ */
	const char *group;  /* of ZOE_QUEUE*: 1-47 bytes, its members are one user's; else NULL */
	uint32_t hold;      /* frames held at once, 1-8; 0 = 1; at most the stream's `hold` */
	uint32_t max_fps; /* ZOE_LATEST: no more frames a second than this; 0 = no limit. Producers
			     that nobody asks for more do less work */
	uint32_t spin_us; /* next() looks this long, at most ZOE_MAX_SPIN_US, before it sleeps: a
			     CPU's time for a few us less latency; 0 = sleeps at once */
	int timeout_ms;   /* for the stream to exist; 0: open returns 0 unattached and next() says
			     -EAGAIN, then -ENOENT once refused. A missing producer is no error. */
};

/* A frame on loan; a checked, private copy of the header. */
struct zoe_frame {
	const uint8_t *plane[4]; /* NULL past format.n_planes */
	struct zoe_format format;
	uint64_t seq;        /* number of the frame in the stream */
	uint64_t lost;       /* missed since the frame before, as this consumer asked for them */
	uint64_t pts_ns;     /* capture time in `clock` */
	uint64_t publish_ns; /* CLOCK_MONOTONIC when it was published */
	uint64_t duration_ns, source_seq;
	uint64_t user[2];
	uint32_t clock, flags; /* clockid_t; enum zoe_frame_flags */
	uint32_t generation;
	uint32_t rate_num, rate_den;
};

/* Attaches to a stream as a consumer. Waits up to timeout_ms for the stream to be known to the
 * broker (a stream without a producer is no error: next() waits for it). *out is the caller's:
 * zoe_consumer_close().
 * Returns: 0; -ENOENT no such stream (did you mean ...); -EACCES; -EBUSY all seats taken; -EDQUOT
 * our user has all that one may have; -EINVAL; -ENOMEM; -ETIMEDOUT; as zoe_client_connect(). */
ZOE_EXPORT int zoe_consumer_open(struct zoe_client *c, const char *stream,
	const struct zoe_consumer_options *opt, struct zoe_consumer **out);

/* Leaves. Frames held stay mapped and pinned until they are released. NULL is a no-op. */
ZOE_EXPORT void zoe_consumer_close(struct zoe_consumer *s);

/* The next frame by the delivery asked for.
 * Returns: 0 and *out; -EAGAIN none yet (timeout 0); -ETIMEDOUT; -ENOBUFS all `hold` frames are
 * held; -EPROTO a member of the group broke its page; -ENODATA the producer ended the stream and
 * everything was read; -ECONNABORTED an admin has taken us off the stream, or our right to consume,
 * and all from before was read; -EPIPE the stream was removed, likewise; -EACCES, -ENOENT refused;
 * -EBADMSG the frame's header is a lie (it is skipped: call again); -ECHILD. */
ZOE_EXPORT int zoe_consumer_next(
	struct zoe_consumer *s, const struct zoe_frame **out, int timeout_ms);

/* The newest frame, seen before or not; never waits. Returns: as next; -EAGAIN none at all. */
ZOE_EXPORT int zoe_consumer_latest(struct zoe_consumer *s, const struct zoe_frame **out);

/* Frame number seq, without moving next()'s place; never waits.
 * Returns: 0; -EAGAIN not published yet; -ESTALE overwritten; -ENOBUFS; -EBADMSG; -ECHILD. */
ZOE_EXPORT int zoe_consumer_at(struct zoe_consumer *s, uint64_t seq, const struct zoe_frame **out);

/* The newest frame whose pts_ns is not later (in the frames' own clock), without moving next()'s
 * place; never waits; looks at most `slots` frames back.
 * Returns: 0; -EAGAIN no frame at all; -ESTALE older than all that are kept; -ENOBUFS; -ECHILD. */
ZOE_EXPORT int zoe_consumer_at_time(
	struct zoe_consumer *s, uint64_t pts_ns, const struct zoe_frame **out);

/* Gives the frame back. Any thread, exactly once, also after close. NULL is a no-op. */
ZOE_EXPORT void zoe_frame_release(const struct zoe_frame *f);

/* The data of a tag of the frame. Returns: NULL = absent; lives as long as f. *size in bytes. */
ZOE_EXPORT const void *zoe_frame_find(const struct zoe_frame *f, enum zoe_tag tag, size_t *size);

/* A descriptor for poll(2): POLLIN means call next(.., 0) until -EAGAIN. One number for life,
 * borrowed. Returns: >= 0; -EMFILE, -ENFILE, -ECHILD. */
ZOE_EXPORT int zoe_consumer_get_fd(struct zoe_consumer *s);

enum zoe_event {
	ZOE_EV_PRODUCER_GONE = 1, /* the last producer left; it may come back */
	ZOE_EV_PRODUCER_BACK = 2,
	ZOE_EV_DEMOTED = 4,     /* was reliable and too slow for the config's `patience` */
	ZOE_EV_BROKER_GONE = 8, /* frames go on; new joins do not */
	ZOE_EV_BROKER_BACK = 16
};
/* Bits of what happened since the last call; next() heals by itself anyway. */
ZOE_EXPORT uint32_t zoe_consumer_take_events(struct zoe_consumer *s);

/* The stream's name as the broker knows it; "" until attached. */
ZOE_EXPORT const char *zoe_consumer_get_name(const struct zoe_consumer *s);

#ifdef __cplusplus
}
#endif
#endif
