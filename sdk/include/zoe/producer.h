/* SPDX-License-Identifier: MIT */
#ifndef ZOE_PRODUCER_H
#define ZOE_PRODUCER_H
/*
 * Fill slots of a stream in place: acquire a slot, write the picture, publish it.
 * Owns:     a producer owns its connection and mappings; a slot is the library's, lent until
 *           publish or cancel.
 * Threads:  one producer a thread (the client's). Nothing allocates after open.
 * Includes: zoe/zoe.h.
 * With timeout 0 nothing here ever waits: a hook calls open, is_wanted, acquire and publish from
 * inside a stranger's frame loop, and a missing broker costs it a few comparisons.
 */
#include <zoe/zoe.h>

#ifdef __cplusplus
extern "C" {
#endif

struct zoe_producer;

enum zoe_producer_flags {
	ZOE_UNIQUE_NAME = 1, /* the name is taken: be handed name-2, name-3 ... */
	ZOE_TAKE_TURNS = 2,  /* all producer seats are taken: wait for one, first come first served;
				not with ZOE_UNIQUE_NAME */
	ZOE_EXTERNAL_WRITER = 4 /* slots are written by somebody else too (an X server, a device) */
};

struct zoe_producer_options {
	size_t struct_size;
	struct zoe_format format; /* the largest frame expected; all 0 = the stream's max_frame */
	uint32_t open;            /* slots held at once, 1-8; 0 = 1 */
	uint32_t flags;           /* enum zoe_producer_flags */
	int timeout_ms;           /* to attach; 0: later calls go on with it */
};

/* A slot on loan. Set what you know, then publish. */
struct zoe_slot {
	uint8_t *plane[4]; /* writable; NULL past format.n_planes */
	struct zoe_format
		format; /* as asked for; strides and offsets may be changed within capacity */
	uint64_t capacity_bytes;     /* of the payload, from plane[0] on when offset[0] is 0 */
	uint64_t pts_ns;             /* capture time in `clock`; 0 = now */
	uint64_t duration_ns;        /* 0 = unknown */
	uint64_t source_seq;         /* the source's own frame number; 0 = none */
	uint64_t user[2];            /* the application's own */
	uint32_t clock;              /* clockid_t of pts_ns; 0 = CLOCK_MONOTONIC */
	uint32_t flags;              /* enum zoe_frame_flags */
	uint32_t rate_num, rate_den; /* nominal frames a second; 0/0 = variable */
};

/* Attaches to a stream as one of its producers. Only the config says which names exist and who
 * may produce. *out is the caller's: zoe_producer_close(). With timeout_ms 0 it returns at once,
 * attached or not, and later calls go on attaching.
 * Returns: 0; -EACCES; -ENOENT no such stream (did you mean ...); -EBUSY all producer seats taken;
 * -EDQUOT our user has all that one may have;
 * -EMSGSIZE format larger than max_frame; -ENOMEM memory_limit, or none here; -EINVAL; -ETIMEDOUT;
 * as zoe_client_connect(). With timeout 0 only -EINVAL, -ENOMEM, -EMFILE, -ECHILD. */
ZOE_EXPORT int zoe_producer_open(struct zoe_client *c, const char *stream,
	const struct zoe_producer_options *opt, struct zoe_producer **out);

/* Cancels what is on loan and leaves. Consumers learn "gone, may come back". Unless opened with
 * timeout_ms 0 it waits up to 100 ms until the broker has let go of the seat, so that the next open
 * finds it free. NULL is a no-op. */
ZOE_EXPORT void zoe_producer_close(struct zoe_producer *p);

/* Tells consumers that the stream has ended: their next() drains what is there, then says
 * -ENODATA, until a producer comes. The producer can still only be closed.
 * Returns: 0; -ENOTCONN not attached; -ECHILD. */
ZOE_EXPORT int zoe_producer_end(struct zoe_producer *p);

/* The stream's name as handed out by the broker; "" until attached. Lives as long as p. */
ZOE_EXPORT const char *zoe_producer_get_name(const struct zoe_producer *p);

/* Does anybody want a frame now? Not when nobody looks, nor sooner after the last one than the
 * stream's max_fps and its readers ask for. Makes no system call while attached (a peek at the
 * broker's socket at most every 100 ms apart).
 * Returns: 1 yes; 0 no: do no work; < 0 never will: -EACCES, -ENOENT, -ECONNABORTED, -EPIPE (see
 * acquire), -ECHILD. */
ZOE_EXPORT int zoe_producer_is_wanted(struct zoe_producer *p);

/* The same for programs with a clock of their own: the least time between two frames that is asked
 * for, in ns; 0 = as fast as they come.
 * Returns: 1 and *interval_ns; 0 nobody looks; < 0 as is_wanted. */
ZOE_EXPORT int zoe_producer_get_interval(struct zoe_producer *p, uint64_t *interval_ns);

/* Borrows a slot to write a picture of format f into (f NULL: the last one, at first the one of
 * the options). A picture larger than the slots makes the broker move the stream to larger ones.
 * Where a reliable reader has not taken the oldest frame yet, the config's `when_full` decides:
 * drop: -EAGAIN at once; block: waits. Each refusal counts as a frame dropped.
 * Returns: 0 and *out; -EAGAIN nothing free (timeout 0) or not attached yet; -ETIMEDOUT;
 * -EINPROGRESS growing (timeout 0); -EMSGSIZE larger than max_frame; -EDQUOT, -ENOMEM cannot grow;
 * -EBUSY all `open` slots
 * are on loan; -EOWNERDEAD declared dead: close; -EMFILE no descriptor for a seat; -EINVAL format;
 * -EACCES; -ENOENT; -ECONNABORTED an admin has taken us off the stream, or our right to produce;
 * -EPIPE the stream was removed; -EPROTO; -ECHILD. */
ZOE_EXPORT int zoe_producer_acquire(
	struct zoe_producer *p, const struct zoe_format *f, struct zoe_slot **out, int timeout_ms);

/* As acquire, and the slot starts as a copy of the newest frame: pixels, format, user words.
 * Returns: as acquire; -ENODATA no frame yet. */
ZOE_EXPORT int zoe_producer_edit(struct zoe_producer *p, struct zoe_slot **out, int timeout_ms);

/* Hands the slot to all consumers as the stream's next frame. The loan ends whatever is returned.
 * Never waits. Returns: 0; -EINVAL the format set does not fit the slot; -ESTALE dropped: the
 * stream moved just now (the next frame carries ZOE_DISCONT); -EOWNERDEAD; -EPROTO; -ECHILD. */
ZOE_EXPORT int zoe_producer_publish(struct zoe_producer *p, struct zoe_slot *s);

/* Gives the slot back unpublished. */
ZOE_EXPORT void zoe_producer_cancel(struct zoe_producer *p, struct zoe_slot *s);

/* Copies a picture into a slot (rows only; strides are made tight) and publishes it.
 * Returns: as acquire and publish. */
ZOE_EXPORT int zoe_producer_push(
	struct zoe_producer *p, const struct zoe_picture *src, int timeout_ms);

/* Adds a tag to the slot's frame, copying size bytes; the same tag again replaces it.
 * Returns: 0; -ENOSPC no room (the config's `metadata`); -EINVAL; -ECHILD. */
ZOE_EXPORT int zoe_slot_set(struct zoe_slot *s, enum zoe_tag tag, const void *data, size_t size);

/* The memfd that holds the slot's payload and where in it: for MIT-SHM and wl_shm. Needs
 * ZOE_EXTERNAL_WRITER if it is given to anybody. Borrowed, changes with the generation.
 * Returns: the descriptor; -EINVAL. */
ZOE_EXPORT int zoe_slot_get_memfd(const struct zoe_slot *s, uint64_t *offset);

/* A descriptor for poll(2): POLLIN means call is_wanted() (wanted, moved, broker back). Space is
 * not pollable: acquire with a timeout. One number for life, borrowed. Returns: >= 0; -errno. */
ZOE_EXPORT int zoe_producer_get_fd(struct zoe_producer *p);

#ifdef __cplusplus
}
#endif
#endif
