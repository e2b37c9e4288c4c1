/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CORE_RING_LAYOUT_H
#define ZOE_CORE_RING_LAYOUT_H
/*
 * The shared memory of one generation of a stream: who may write which word, and where it stands.
 *   ring     producers and broker write; consumers map it read-only: struct zoe_ring_page, order[],
 *            slot states, frame headers
 *   frames   pixels, slot i at i * slot_stride; the broker never maps it
 *   control  the broker alone writes: struct zoe_control_page
 *   seat     one page a consumer, its consumer alone writes: struct zoe_seat
 *   group    one page a queue group, its members write: struct zoe_group
 * Owns:     nothing; layouts only. zoetrope-ring(7) explains every rule.
 * Includes: <stdatomic.h>, types.h, frame_layout.h. No OS header.
 * Ordering: the edges are tagged where they are used, in ring_write.c, ring_read.c, ring_check.c.
 * Any change of a field, a state or a scan bumps ZOE_RING_VERSION.
 */
#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "types.h"

#define ZOE_RING_MAGIC 0x52454f5au    /* "ZOER" */
#define ZOE_CONTROL_MAGIC 0x43454f5au /* "ZOEC" */
#define ZOE_RING_VERSION 1u

#define ZOE_MAX_SLOTS 65535u
#define ZOE_MAX_LANES 64u
#define ZOE_MAX_SEATS 64u
#define ZOE_MAX_PINS 8u
#define ZOE_MAX_SEQ (UINT64_C(1) << 47)
#define ZOE_MAX_META 65536u
#define ZOE_NAME_BYTES 97u    /* a stream's name with its NUL */
#define ZOE_REGION_BYTES 112u /* "name#4294967295" with its NUL */
#define ZOE_SEAT_PAGE_BYTES 4096u
#define ZOE_SEAT_STEP                                                                              \
	128u /* seat i stands at (i mod 32) * 128: neighbours fall in other cache sets */

/* head: seq << 1 | closed. Its low 32 bits are the consumers' futex word. */
#define ZOE_HEAD_CLOSED UINT64_C(1)
static inline uint64_t zoe_head_pack(uint64_t seq) {
	return seq << 1;
}
static inline uint64_t zoe_head_seq(uint64_t head) {
	return head >> 1;
}

/* order[] entry: seq:48 | slot:16; 0 = none. */
static inline uint64_t zoe_order_pack(uint64_t seq, uint32_t slot) {
	return seq << 16 | slot;
}
static inline uint64_t zoe_order_seq(uint64_t entry) {
	return entry >> 16;
}
static inline uint32_t zoe_order_slot(uint64_t entry) {
	return (uint32_t)(entry & 0xffff);
}

/* slot.state: kind:4 | owner:12 | seq:48. */
enum zoe_slot_kind { ZOE_SLOT_FREE, ZOE_SLOT_PUBLISHED, ZOE_SLOT_CLAIMING, ZOE_SLOT_WRITING };
#define ZOE_SEQ_MASK ((UINT64_C(1) << 48) - 1)
static inline uint64_t zoe_state_pack(enum zoe_slot_kind kind, uint32_t owner, uint64_t seq) {
	return (uint64_t)kind << 60 | (uint64_t)owner << 48 | (seq & ZOE_SEQ_MASK);
}
static inline unsigned zoe_state_kind(uint64_t state) {
	return (unsigned)(state >> 60);
}
static inline uint32_t zoe_state_owner(uint64_t state) {
	return (uint32_t)(state >> 48) & 0xfff;
}
static inline uint64_t zoe_state_seq(uint64_t state) {
	return state & ZOE_SEQ_MASK;
}
/* owner: turn:6 | lane:6, turn 1..63, so that no owner is 0. */
static inline uint32_t zoe_owner_pack(uint32_t turn, uint32_t lane) {
	return turn << 6 | lane;
}
static inline uint32_t zoe_owner_lane(uint32_t owner) {
	return owner & 63;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"

/* How a region is cut. Comes from the broker's message; the control page has a copy for a broker
 * that returns. Never read from the ring. */
struct zoe_geometry {
	uint32_t ring_version;
	uint32_t n_slots;      /* depth + spares */
	uint32_t depth;        /* newest frames that stay readable, >= 2 */
	uint32_t n_order;      /* power of two >= n_slots */
	uint32_t order_offset; /* bytes from the ring's start */
	uint32_t state_offset, state_stride;
	uint32_t header_offset, header_stride; /* 256 bytes and the tags, rounded up to 64 */
	uint32_t meta_bytes;                   /* room for tags a frame */
	zoe_u64 slot_stride; /* bytes from slot to slot in frames, a multiple of the page */
	zoe_u64 slot_bytes;  /* largest payload, <= slot_stride, < 4 GiB */
	zoe_u64 ring_bytes, frames_bytes; /* sizes of the memfds */
};
static_assert(sizeof(struct zoe_geometry) == 72, "geometry is part of the protocol");

struct zoe_ring_page {
	uint32_t magic, version;
	uint32_t reserved0[14];
	_Atomic zoe_u64 head; /* next sequence number << 1 | closed; producers and broker */
	uint32_t reserved1[14];
	_Atomic uint32_t space; /* counts cancels, undone claims, repairs, leaves; futex word */
	uint32_t reserved2[15];
	_Atomic zoe_u64 space_waiting; /* bit = lane of a producer that sleeps for space */
	uint32_t reserved3[14];
};
static_assert(sizeof(struct zoe_ring_page) == 256, "ring page");
static_assert(offsetof(struct zoe_ring_page, head) == 64, "head has its own line");
static_assert(offsetof(struct zoe_ring_page, space) == 128, "space has its own line");
static_assert(offsetof(struct zoe_ring_page, space_waiting) == 192, "waiting has its own line");

/* How a seat is to be honoured. */
enum zoe_seat_flags {
	ZOE_SEAT_RELIABLE =
		1,           /* no frame from its cursor on may be evicted; of a group: its tail */
	ZOE_SEAT_GROUPED = 2 /* one of a queue group: takes by the group's tail */
};

struct zoe_control_seat {
	uint32_t consumer; /* the broker's id of the consumer; 0 = none */
	uint32_t hold;     /* pins that are honoured */
	uint32_t flags;    /* enum zoe_seat_flags */
	uint32_t group;    /* the broker's id of its group; 0 = none */
};

struct zoe_control_page {
	uint32_t magic, version;
	zoe_u64 lineage; /* random; frames are known by (lineage, seq) */
	uint32_t generation;
	uint32_t reserved0;
	zoe_u64 ring_dev, ring_ino, frames_dev, frames_ino; /* identities of the memfds */
	char name[112];                                     /* the region's: "desk#3" */
	struct zoe_geometry geometry;
	struct zoe_control_seat seats[ZOE_MAX_SEATS];
	uint32_t reserved1[8];
	_Atomic uint32_t roster;       /* counts changes of the seats that must be honoured */
	_Atomic uint32_t live;         /* seats started: 0 = nobody looks */
	_Atomic uint32_t state;        /* bit 0: there have been seats of several uids */
	_Atomic uint32_t given;        /* 1 once a producer may hold the successor */
	_Atomic zoe_u64 start;         /* first number of this generation */
	_Atomic zoe_u64 ended;         /* h + 1 once the ring is closed at h; 0 = open */
	_Atomic uint32_t stream_ended; /* 1: the producer said end of stream */
	uint32_t reserved2[7];
};
static_assert(offsetof(struct zoe_control_page, geometry) == 168, "control geometry");
static_assert(offsetof(struct zoe_control_page, seats) == 240, "control seats");
static_assert(offsetof(struct zoe_control_page, roster) == 1296, "control words");
static_assert(sizeof(struct zoe_control_page) == 1360, "control page");

#define ZOE_CONTROL_MULTI_UID 1u /* control.state */

/* A consumer's private page. Line 0 is read by producers on every claim and publish, line 1 is for
 * display only. */
struct zoe_seat {
	_Atomic uint32_t pin[ZOE_MAX_PINS]; /* slot + 1 of a frame held; 0 = none */
	_Atomic zoe_u64 cursor;             /* next number wanted */
	_Atomic uint32_t bell;              /* counts unpins; futex word of waiting producers */
	_Atomic uint32_t waiting;           /* 1: sleeps; futex word of its own */
	_Atomic uint32_t arm;               /* a new value asks for the doorbell */
	_Atomic uint32_t interval_us;       /* 0 = every frame, UINT32_MAX = paused */
	uint32_t reserved0[2];
	_Atomic zoe_u64 taken, lost, last_take_ns;
	uint32_t reserved1[10];
};
static_assert(sizeof(struct zoe_seat) == ZOE_SEAT_STEP, "seat");
static_assert(offsetof(struct zoe_seat, cursor) == 32, "seat cursor");
static_assert(offsetof(struct zoe_seat, bell) == 40, "seat bell");
static_assert(offsetof(struct zoe_seat, taken) == 64, "display words have their own line");

/* What the members of a queue group share in one generation. */
struct zoe_group {
	_Atomic zoe_u64 tail; /* next number that a member takes; only grows */
	uint32_t reserved[14];
};
static_assert(sizeof(struct zoe_group) == 64, "group");
#pragma GCC diagnostic pop

/* clang-format off */
/*
 * The memory orders that parties need of each other, and what showed each to be needed:
 *   M  a mutant of tests/model breaks the rule (orders are sequential there)
 *   S  a C mutant under tests/stress on x86-64    T  one under the race detector (clang's TSan)
 *   -  nothing that we run: x86-64 gives it for nothing, or another access orders the same
 *
 *   word           order                                        tag             shown by
 *   pin            store SC (take), load SC (claim)             [PIN]           S pin_stored_with_release
 *   pin            store release (let go)                       [PIN]           T unpin_relaxed
 *   state          claim CAS SC, reader's load SC               [PIN]           S as pin, M
 *   state          publish CAS acq_rel; sole: store release     [STATE]         - head orders the same
 *   state          bid store release, helper's load acquire     [STATE]         -
 *   state          FREE to WRITING CAS acquire, others acq_rel  [STATE]         -
 *   order[]        commit CAS acq_rel; sole: release; acquire   [ORDER]         - state orders the same
 *   head           count CAS SC, acquire's load SC              [LIMIT] [PUB]   M the place, - the order
 *   head           loads acquire by readers and publish         [PUB]           - pin and state are SC
 *   roster         store SC, loads SC, twice                    [ROSTER]        S no_second_roster_check
 *   ended, start   SC                                           [MOVE]          M the place, - the order
 *   cursor, tail   store release, CAS acq_rel, loads acquire    [CURSOR] [TAIL] M the place, - the order
 *   bell, space    adds SC, loads SC before a sleep             [BELL]          M the place, - the order
 *   space_waiting  or, and, loads SC                            [BELL]          M the place, - the order
 *   waiting        store SC, load SC                            [SLEEP]         M the place, - the order:
 *                                                  FUTEX_WAIT has a barrier of its own in the kernel
 *   arm            add SC, load SC                              [SLEEP]         M the place, - the order
 *   live, state of control, interval_us, taken, lost, last_take_ns: relaxed, hints for people
 * What stands with "-" is kept by argument, and a machine with a weaker order may need it: nothing is
 * to be weakened on the word of this table. aarch64 runs under qemu only (tests/ports).
 */
/* clang-format on */

/* A region as one process sees it: pointers into its mappings and the geometry it was told. Which
 * of them are writable depends on the process's part; a consumer's ring faults on a store. */
struct zoe_ring {
	struct zoe_geometry geo;
	unsigned char *ring;                    // borrowed from the mapping
	const unsigned char *frames;            // borrowed; NULL in the broker
	const struct zoe_control_page *control; // borrowed
};

static inline struct zoe_ring_page *zoe_ring_get_page(const struct zoe_ring *r) {
	return (struct zoe_ring_page *)(void *)r->ring;
}
static inline _Atomic zoe_u64 *zoe_ring_get_order(const struct zoe_ring *r, uint64_t seq) {
	return (_Atomic zoe_u64 *)(void *)(r->ring + r->geo.order_offset +
					   8 * (size_t)(seq & (r->geo.n_order - 1)));
}
static inline _Atomic zoe_u64 *zoe_ring_get_state(const struct zoe_ring *r, uint32_t slot) {
	return (_Atomic zoe_u64 *)(void *)(r->ring + r->geo.state_offset +
					   (size_t)slot * r->geo.state_stride);
}
static inline unsigned char *zoe_ring_get_header(const struct zoe_ring *r, uint32_t slot) {
	return r->ring + r->geo.header_offset + (size_t)slot * r->geo.header_stride;
}
static inline struct zoe_seat *zoe_seat_at(void *page, uint32_t seat) {
	return (struct zoe_seat *)(void *)((char *)page + (seat & 31) * ZOE_SEAT_STEP);
}
#endif
