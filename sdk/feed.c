/* SPDX-License-Identifier: MIT */
#include "feed.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attr.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

int zoe_feed_open(struct zoe_feed *feed, const struct zoe_msg_region *msg, const int *fds) {
	int error;

	memset(feed, 0, sizeof(*feed));
	feed->region = ZOE_REGION_NONE;
	for (unsigned i = 0; i < ZOE_MAX_SEATS; i++) {
		feed->bells[i] = -1;
	}
	if (zoe_owner_lane(msg->owner) == msg->owner || msg->owner > 0xfff || msg->start < 1 ||
		msg->start >= ZOE_MAX_SEQ) {
		return -EPROTO; /* turn 0 does not exist */
	}
	error = zoe_region_open(&feed->region, msg, fds, true);
	if (error) {
		return error;
	}
	feed->writer.ring = feed->region.ring;
	feed->writer.owner = msg->owner;
	feed->writer.is_sole = (msg->flags & ZOE_REGION_SOLE) != 0;
	feed->blocks = (msg->flags & ZOE_REGION_BLOCK) != 0;
	feed->interval_us = msg->interval_us;
	feed->patience.longest_ns = msg->patience_ms * UINT64_C(1000000);
	return 0;
}

static void seat_clear(struct zoe_feed *feed, uint32_t seat) {
	zoe_seat_unmap(feed->seat_maps[seat]);
	feed->seat_maps[seat] = NULL;
	zoe_seat_unmap(feed->group_maps[seat]);
	feed->group_maps[seat] = NULL;
	feed->consumers[seat] = 0;
	if (feed->bells[seat] >= 0) {
		close(feed->bells[seat]);
		feed->bells[seat] = -1;
	}
	feed->writer.seats[seat] = (struct zoe_writer_seat){0};
}

void zoe_feed_close(struct zoe_feed *feed) {
	for (uint32_t i = 0; i < ZOE_MAX_SEATS; i++) {
		seat_clear(feed, i);
	}
	zoe_region_close(&feed->region);
	memset(&feed->writer, 0, sizeof(feed->writer));
	feed->n_loans = 0;
}

static int seat_set(
	struct zoe_feed *feed, const struct zoe_msg_seat *msg, int *fds, uint32_t n_fds) {
	struct zoe_writer_seat *seat = &feed->writer.seats[msg->seat];
	bool is_grouped = (msg->flags & ZOE_SEAT_GROUPED) != 0;
	void *map = NULL, *group = NULL;
	int error;

	if (n_fds < 1u + (msg->has_bell != 0) + is_grouped || msg->hold < 1 ||
		msg->hold > ZOE_MAX_PINS) {
		return -EPROTO;
	}
	error = zoe_seat_map(&map, fds[0], false);
	if (!error && is_grouped) {
		error = zoe_seat_map(&group, fds[n_fds - 1], false);
	}
	if (error) {
		zoe_seat_unmap(map);
		return error;
	}
	seat_clear(feed, msg->seat);
	feed->seat_maps[msg->seat] = map;
	feed->group_maps[msg->seat] = group;
	feed->consumers[msg->seat] = msg->consumer;
	seat->seat = zoe_seat_at(map, msg->seat);
	seat->group = group;
	seat->hold = msg->hold;
	seat->flags = msg->flags;
	if (msg->has_bell) {
		feed->bells[msg->seat] = steal_fd(&fds[1]);
	}
	return 0;
}

void zoe_feed_demote(struct zoe_feed *feed, uint32_t seat) {
	feed->writer.seats[seat].flags &= ~(uint32_t)ZOE_SEAT_RELIABLE;
	zoe_writer_count(&feed->writer);
	zoe_patience_forget(&feed->patience, seat);
}

void zoe_feed_touch(struct zoe_feed *feed, uint32_t slot) {
	size_t stride = (size_t)feed->region.ring.geo.slot_stride;
	uint64_t bit = UINT64_C(1) << (slot % 64);

	if (slot < ZOE_TOUCH_SLOTS && slot < feed->region.ring.geo.n_slots &&
		!(feed->touched[slot / 64] & bit)) {
		feed->touched[slot / 64] |= bit;
		/* Before Linux 5.14 there is no such advice, and each page costs its own fault. */
		(void)madvise((unsigned char *)feed->region.frames_map + slot * stride, stride,
			MADV_POPULATE_WRITE);
	}
}

int zoe_feed_get_interval(const struct zoe_feed *feed, uint64_t *interval_ns) {
	uint32_t least = UINT32_MAX;

	for (uint32_t i = 0; i < feed->writer.n_seats && least > 0; i++) {
		const struct zoe_seat *seat = feed->writer.seats[i].seat;
		/* [PACE] relaxed: a hint. */
		uint32_t us = seat ? atomic_load_explicit(&seat->interval_us, memory_order_relaxed)
				   : UINT32_MAX;

		least = us < least ? us : least;
	}
	*interval_ns = UINT64_C(1000) * (least > feed->interval_us ? least : feed->interval_us);
	return least != UINT32_MAX;
}

int zoe_feed_set_seat(
	struct zoe_feed *feed, const struct zoe_msg_seat *msg, int *fds, uint32_t n_fds) {
	int error = 0;

	if (msg->seat >= ZOE_MAX_SEATS) {
		return -EPROTO;
	}
	if (msg->consumer == 0) {
		seat_clear(feed, msg->seat);
	} else {
		error = seat_set(feed, msg, fds, n_fds);
	}
	zoe_writer_count(&feed->writer);
	zoe_patience_forget(&feed->patience, msg->seat);
	if (!error && msg->roster != 0) {
		feed->writer.roster = msg->roster;
	}
	return error;
}

bool zoe_feed_is_current(const struct zoe_feed *feed) {
	/* [ROSTER] acquire: acquire() looks again with SC; this only ends a wait. */
	return atomic_load_explicit(&feed->region.ring.control->roster, memory_order_acquire) ==
	       feed->writer.roster;
}
