/* SPDX-License-Identifier: MIT */
#include "feed.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "attr.h"

int zoe_feed_open(struct zoe_feed *feed, const struct zoe_msg_region *msg, const int *fds) {
	int error;

	memset(feed, 0, sizeof(*feed));
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
	return 0;
}

static void seat_clear(struct zoe_feed *feed, uint32_t seat) {
	zoe_seat_unmap(feed->seat_maps[seat]);
	feed->seat_maps[seat] = NULL;
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
	void *map;
	int error;

	if (n_fds < 1 || msg->hold < 1 || msg->hold > ZOE_MAX_PINS) {
		return -EPROTO;
	}
	error = zoe_seat_map(&map, fds[0], false);
	if (error) {
		return error;
	}
	seat_clear(feed, msg->seat);
	feed->seat_maps[msg->seat] = map;
	feed->writer.seats[msg->seat].seat = zoe_seat_at(map, msg->seat);
	feed->writer.seats[msg->seat].hold = msg->hold;
	if (msg->has_bell && n_fds > 1) {
		feed->bells[msg->seat] = steal_fd(&fds[1]);
	}
	return 0;
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
