/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CORE_REGION_H
#define ZOE_CORE_REGION_H
/*
 * The memory of one generation as a client has it: three mappings made from the broker's message.
 * Owns:     the mappings and the descriptors that a producer keeps; both end in close.
 * Threads:  open by one; the mappings are used by any.
 * Includes: protocol.h, ring_layout.h, mmap.
 * Mappings are not inherited by fork (MADV_DONTFORK). Sizes and seals of the memfds are checked
 * before they are mapped, so that no later truncation can raise SIGBUS.
 */
#include <stdbool.h>

#include "protocol.h"
#include "ring_layout.h"

struct zoe_region {
	struct zoe_ring ring; // its pointers are this struct's mappings
	uint32_t generation;
	uint64_t lineage, start;
	void *ring_map, *frames_map, *control_map;
	/* A producer's, for zoe_slot_get_memfd() and for a broker that returns; else -1. */
	int ring_fd, frames_fd, control_fd;
};
#define ZOE_REGION_NONE ((struct zoe_region){.ring_fd = -1, .frames_fd = -1, .control_fd = -1})

/* Maps a region as a message describes it. fds are ring, frames, control: borrowed, the caller
 * closes them (a producer's are duplicated).
 * Returns: 0; -EPROTO geometry, size or seals are wrong; -ENOMEM; -EMFILE. */
int zoe_region_open(struct zoe_region *region, const struct zoe_msg_region *msg, const int *fds,
	bool is_producer);

/* Unmaps and closes; leaves ZOE_REGION_NONE, of which it is a no-op. */
void zoe_region_close(struct zoe_region *region);

/* Maps a seat's page. Returns: 0; -EPROTO; -ENOMEM. Unmap with zoe_seat_unmap(). */
int zoe_seat_map(void **page, int fd, bool is_writable);
void zoe_seat_unmap(void *page);
#endif
