/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CORE_PROTOCOL_H
#define ZOE_CORE_PROTOCOL_H
/*
 * The packets between libzoetrope and zoetroped: one struct a packet, on SOCK_SEQPACKET.
 * Owns:     nothing; layouts only. zoetrope-protocol(7) tells the story of each.
 * Includes: ring_layout.h (geometry, limits), types.h.
 *
 * Every packet begins with struct zoe_msg_header; size counts it. A longer packet than the receiver
 * knows is fine (its tail is ignored), a shorter one is an error. Strings are NUL-terminated within
 * their arrays. A reply carries the request's type and serial; status < 0 is -errno and the body is
 * then a struct zoe_msg_error. Events have serial 0.
 *
 * A connection:  HELLO -> HELLO reply with a nonce; ECHO with that nonce (no reply); then requests.
 * The client may send its first request right behind ECHO.
 */
#include "ring_layout.h"

#define ZOE_PROTOCOL_VERSION 1u
#define ZOE_MSG_MAX 16384u
#define ZOE_MSG_MAX_FDS 8u
#define ZOE_GROUP_BYTES 48u   /* a queue group's name with its NUL */
#define ZOE_ROSTER_WINDOW 16u /* seat messages a producer may have unacknowledged */

enum zoe_msg_type {
	/* requests (client -> broker); the reply has the same type */
	ZOE_MSG_HELLO = 1, /* zoe_msg_hello -> zoe_msg_welcome */
	ZOE_MSG_ECHO,      /* zoe_msg_echo; no reply */
	ZOE_MSG_LIST,      /* zoe_msg_header -> zoe_msg_stream each with MORE, last: header only */
	ZOE_MSG_WATCH,     /* as LIST, then ADDED/CHANGED/REMOVED events for ever */
	ZOE_MSG_STATUS, /* zoe_msg_name -> zoe_msg_broker, then zoe_msg_stream and its zoe_msg_peer;
			   each with MORE; last: header only. sub says which it is */
	ZOE_MSG_PRODUCE,    /* zoe_msg_produce -> zoe_msg_region, fds ring(RW), frames(RW),
			       control(RO); then a SEAT event for each seat. Or, with
			       PRODUCE_TAKE_TURNS and all seats taken, region.flags PARKED and no
			       fds: the same again follows when it is its turn */
	ZOE_MSG_CONSUME,    /* zoe_msg_consume -> zoe_msg_region, fds ring(RO), frames(RO),
			       control(RO), seat(RW) [, group(RW)]; or, with region.flags PARKED, no
			       fds: START follows */
	ZOE_MSG_BELL,       /* header -> header with 1 fd: the consumer's end of its doorbell */
	ZOE_MSG_GROW,       /* zoe_msg_grow -> header; MOVED follows or is already on its way */
	ZOE_MSG_ROSTER_ACK, /* zoe_msg_ack; no reply */
	ZOE_MSG_LEAVE,      /* zoe_msg_leave; no reply */
	ZOE_MSG_END,        /* header -> header: end of stream */
	ZOE_MSG_REPORT,     /* zoe_msg_report: a reliable reader's patience is used up; no reply */
	ZOE_MSG_RETURN,     /* zoe_msg_return: what a client has of a region that another broker
			       made, before its PRODUCE or CONSUME; no reply. A producer's fds:
			       ring(RW), frames(RW), control(RO); a consumer's: seat(RW) */
	/* zoe_msg_reload -> zoe_msg_reload_line each with MORE; last: header, or why nothing has
	 * changed */
	ZOE_MSG_RELOAD,
	/* zoe_msg_kick -> zoe_msg_kicked */
	ZOE_MSG_KICK,
	/* events (broker -> client) */
	ZOE_MSG_ADDED = 64, /* zoe_msg_stream */
	ZOE_MSG_CHANGED,    /* zoe_msg_stream */
	ZOE_MSG_REMOVED,    /* zoe_msg_stream: name only */
	ZOE_MSG_SEAT,       /* zoe_msg_seat, to producers: fds seat(RO) [, bell]; see there */
	ZOE_MSG_START,      /* zoe_msg_region and fds as CONSUME's reply, to a parked consumer */
	ZOE_MSG_MOVED, /* zoe_msg_region: to a consumer fds as CONSUME's, to a producer as PRODUCE's
			*/
	ZOE_MSG_GONE,  /* header: the last producer left */
	ZOE_MSG_BACK,  /* header: a producer is there (again) */
	ZOE_MSG_DEMOTED, /* header, to a consumer: it may lose frames from now on */
	/* zoe_msg_error: the stream goes on without this client, and nothing that it says counts
	 * any more. REMOVED, to producers and consumers, is the same: the stream is no more */
	ZOE_MSG_EVICTED,
};

/* bits of zoe_msg_header.flags */
#define ZOE_MSG_MORE 1u

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"
struct zoe_msg_header {
	uint32_t type, size, serial;
	int32_t status;
	uint32_t flags, reserved;
};
static_assert(sizeof(struct zoe_msg_header) == 24, "message header");

struct zoe_msg_error {
	struct zoe_msg_header header;
	char text[512]; /* names the stream, what was wanted and what is allowed; no full stop */
};

struct zoe_msg_hello {
	struct zoe_msg_header header;
	uint32_t protocol_version, ring_version; /* newest spoken */
	char app[64];
};
struct zoe_msg_welcome {
	struct zoe_msg_header header;
	uint32_t protocol_version, ring_version; /* agreed */
	zoe_u64 nonce;
	zoe_u64 broker_id; /* random, one a broker process */
};
struct zoe_msg_echo {
	struct zoe_msg_header header;
	zoe_u64 nonce;
};

struct zoe_msg_name {
	struct zoe_msg_header header;
	char name[ZOE_NAME_BYTES]; /* "" = all */
	char reserved[7];
};

struct zoe_msg_stream {
	struct zoe_msg_header header;
	uint32_t kind; /* enum zoe_msg_status_kind */
	uint32_t generation, n_producers, n_consumers, max_producers, max_consumers;
	uint32_t n_slots, depth, may, rate_mhz;
	zoe_u64 head_seq, last_publish_ns, max_frame_bytes, memory_bytes, size_bytes;
	uint32_t fourcc, width, height, n_planes; /* of the newest frame; fourcc 0 = none */
	uint32_t stride[4], offset[4];
	char name[112], region[112], description[256], producer[128];
	zoe_u64 capture_ns; /* newest frame, capture to publish; UINT64_MAX = not known */
	zoe_u64 dropped;    /* by the newest frame's producer, as it says */
	uint32_t open, hold, max_fps, patience_ms; /* by the config */
	uint32_t state;                            /* enum zoe_msg_stream_state */
	uint32_t reserved;
};
/* As enum zoe_stream_state of zoe/zoe.h. */
enum zoe_msg_stream_state {
	ZOE_STATE_LIVE = 1,      /* a producer is at work */
	ZOE_STATE_BLOCKS = 2,    /* when_full: block */
	ZOE_STATE_RETURNING = 4, /* its clients come back from an earlier broker */
	ZOE_STATE_MOVING = 8     /* a move waits until its consumers have heard of it */
};
struct zoe_msg_peer {
	struct zoe_msg_header header;
	uint32_t kind, role, state, uid;
	int32_t pid;
	uint32_t generation, held, reserved;
	zoe_u64 lag, taken, lost, last_ns;
	char stream[112], app[64];
	zoe_u64 read_ns; /* consumer: the last frame taken, publish to take; UINT64_MAX = not known
			  */
	uint32_t delivery, reserved1; /* consumer: enum zoe_msg_delivery */
	char group[ZOE_GROUP_BYTES];  /* of a queue, else "" */
};
struct zoe_msg_broker {
	struct zoe_msg_header header;
	uint32_t kind;
	int32_t pid;
	uint32_t n_streams, n_clients;
	zoe_u64 start_ns, memory_bytes, memory_limit_bytes;
	zoe_u64 load_ns, failure_ns; /* when its config was read; of a reload since that failed */
	char version[32], protection[32], socket[256], config[1024];
};
/* `kind` of the three above */
enum zoe_msg_status_kind { ZOE_STATUS_BROKER = 1, ZOE_STATUS_STREAM, ZOE_STATUS_PEER };

/* As enum zoe_producer_flags of zoe/producer.h, which the broker does not include. */
enum zoe_msg_produce_flags {
	ZOE_PRODUCE_UNIQUE_NAME = 1,
	ZOE_PRODUCE_TAKE_TURNS = 2, /* all seats taken: wait for one */
	ZOE_PRODUCE_EXTERNAL_WRITER = 4
};
struct zoe_msg_produce {
	struct zoe_msg_header header;
	uint32_t flags;      /* enum zoe_msg_produce_flags */
	uint32_t open;       /* slots held at once */
	zoe_u64 frame_bytes; /* largest payload expected; 0 = the stream's max_frame */
	char format[48];     /* the same for people, "1920x1080 XR24"; may be "" */
	char name[112];
};
enum zoe_msg_consume_flags {
	ZOE_CONSUME_WAIT_UNKNOWN = 1 /* park even if nobody knows the name */
};
/* As enum zoe_delivery of zoe/consumer.h. */
enum zoe_msg_delivery {
	ZOE_DELIVER_LATEST,
	ZOE_DELIVER_EVERY,
	ZOE_DELIVER_RELIABLE,
	ZOE_DELIVER_QUEUE,
	ZOE_DELIVER_QUEUE_RELIABLE,
	ZOE_N_DELIVERIES
};
struct zoe_msg_consume {
	struct zoe_msg_header header;
	uint32_t flags;
	uint32_t hold;     /* frames held at once; more than the stream's `hold` is an error */
	uint32_t delivery; /* enum zoe_msg_delivery */
	uint32_t reserved;
	char name[112];
	char group[ZOE_GROUP_BYTES]; /* for QUEUE and QUEUE_RELIABLE, else "" */
};

enum zoe_msg_region_flags {
	ZOE_REGION_PARKED = 1, /* no region yet: who has one of an earlier broker goes on in it */
	ZOE_REGION_BLOCK = 2,  /* producer: when_full is block */
	ZOE_REGION_SOLE = 4,   /* producer: nobody else ever has a lane at the same time */
};
struct zoe_msg_region {
	struct zoe_msg_header header;
	uint32_t flags, generation;
	zoe_u64 lineage;
	zoe_u64 start; /* first number of this generation; in MOVED also h, the end of the last */
	struct zoe_geometry geometry;
	uint32_t owner;          /* producer: its owner id in this generation */
	uint32_t seat, hold;     /* consumer: its seat's index and pins */
	uint32_t open;           /* producer: slots it may hold */
	zoe_u64 max_frame_bytes; /* what GROW may reach */
	zoe_u64 want;            /* consumer: first number it takes; 0 = as it likes */
	uint32_t patience_ms;    /* producer: how long a reliable reader may hold it up */
	uint32_t interval_us;    /* producer: 1e6 / max_fps; 0 = no limit */
	uint32_t consumer;       /* consumer: its id, for RETURN */
	uint32_t reserved;
	char name[112], region[112];
};

/* To a broker that knows nothing of a region: with it the stream goes on. It believes the
 * descriptors, which only a broker of its user can have made, and no number here. */
struct zoe_msg_return {
	struct zoe_msg_header header;
	uint32_t generation;
	uint32_t consumer, seat; /* a consumer's */
	uint32_t reserved;
	zoe_u64 lineage;
};

/* Tells a producer about one seat of a generation. The messages carry the difference between what
 * it was told and what is; when the last of a difference goes out, roster is the value of
 * control.roster it leads to, before that 0. consumer 0: the seat is empty now, no fds. */
struct zoe_msg_seat {
	struct zoe_msg_header header;
	uint32_t generation, seat;
	uint32_t consumer, hold;
	uint32_t roster;
	uint32_t has_bell; /* 1: a second fd, the producer's end of the doorbell */
	uint32_t flags;    /* enum zoe_seat_flags; GROUPED: the last fd is the group's page (RO) */
	uint32_t reserved;
};
struct zoe_msg_report {
	struct zoe_msg_header header;
	uint32_t generation, seat, consumer; /* whose cursor, or whose group's tail, holds us up */
	uint32_t reserved;
};

struct zoe_msg_grow {
	struct zoe_msg_header header;
	uint32_t generation, reserved; /* that the frame did not fit into */
	zoe_u64 frame_bytes;
	char format[48]; /* for people, "3840x2160 XR24" */
};
struct zoe_msg_ack {
	struct zoe_msg_header header;
	uint32_t generation,
		n_seats; /* n_seats: SEAT messages received in all on this connection */
};
struct zoe_msg_leave {
	struct zoe_msg_header header;
	uint32_t generation; /* 0 = everything, the last word on this connection */
	uint32_t reserved;
};

enum zoe_msg_reload_flags { ZOE_RELOAD_DRY_RUN = 1 /* say what would be done */ };
struct zoe_msg_reload {
	struct zoe_msg_header header;
	uint32_t flags; /* enum zoe_msg_reload_flags */
	uint32_t reserved;
};
/* As enum zoe_reload_kind of zoe/zoe.h. */
enum zoe_msg_reload_kind {
	ZOE_MSG_RELOAD_ERROR = 1, /* line, col, text */
	ZOE_MSG_RELOAD_WARNING,   /* text; name may be "", then line and col of the file, or 0 */
	ZOE_MSG_RELOAD_KEEP,      /* name: as it was */
	ZOE_MSG_RELOAD_CHANGE,    /* name, text: "slots 6 -> 8, access" */
	ZOE_MSG_RELOAD_ADD,       /* name */
	ZOE_MSG_RELOAD_REMOVE,    /* name */
	ZOE_MSG_RELOAD_PEER       /* name, pid, uid, role, text: its fate, "" = goes on; app */
};
struct zoe_msg_reload_line {
	struct zoe_msg_header header;
	uint32_t kind; /* enum zoe_msg_reload_kind */
	uint32_t line, col, role, uid;
	int32_t pid;
	char name[112], app[64], text[512];
};
struct zoe_msg_kick {
	struct zoe_msg_header header;
	int32_t pid; /* whom; 0: all that call themselves app */
	uint32_t reserved;
	char app[64], name[112];
};
struct zoe_msg_kicked {
	struct zoe_msg_header header;
	uint32_t n_kicked, reserved;
};
#pragma GCC diagnostic pop
#endif
