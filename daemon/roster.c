/* SPDX-License-Identifier: MIT */
#include "roster.h"

#include "client.h"
#include "consumer.h"
#include "group.h"
#include "producer.h"
#include "ring_wait.h"
#include "stream.h"

static struct told_seat roster_get_seat(const struct generation *g, uint32_t index) {
	const struct seat *seat = g->listed[index];

	if (!seat) {
		return (struct told_seat){0};
	}
	return (struct told_seat){.consumer = seat->consumer->id,
		.bell = seat->consumer->bell_serial,
		.flags = seat_get_flags(seat)};
}

/* Returns: the seat that the producer knows wrongly; -1 = none. */
static int roster_find_difference(const struct producer *producer, const struct generation *g) {
	for (uint32_t i = 0; i < ZOE_MAX_SEATS; i++) {
		struct told_seat seat = roster_get_seat(g, i);

		if (seat.consumer != producer->told[i].consumer ||
			seat.bell != producer->told[i].bell ||
			seat.flags != producer->told[i].flags) {
			return (int)i;
		}
	}
	return -1;
}

/* A seat to name where only the roster's value is news: an empty one if there is any. */
static int roster_find_bearer(const struct generation *g) {
	for (uint32_t i = 0; i < ZOE_MAX_SEATS; i++) {
		if (!g->listed[i]) {
			return (int)i;
		}
	}
	return 0;
}

static void roster_send_seat(struct producer *producer, uint32_t index) {
	struct generation *g = producer->generation;
	struct seat *seat = g->listed[index];
	struct zoe_msg_seat msg;
	uint32_t n_fds = 0;
	int fds[3];

	zoe_msg_init(&msg, ZOE_MSG_SEAT, 0);
	msg.generation = g->number;
	msg.seat = index;
	msg.consumer = msg.hold = msg.roster = msg.has_bell = msg.flags = msg.reserved = 0;
	if (seat) {
		msg.consumer = seat->consumer->id;
		msg.hold = seat->consumer->hold;
		fds[n_fds++] = seat->memory.ro;
		if (seat->consumer->bell >= 0) {
			msg.has_bell = 1;
			fds[n_fds++] = seat->consumer->bell;
		}
		msg.flags = seat_get_flags(seat);
		if (seat->group) {
			fds[n_fds++] = seat->group->memory.ro;
		}
	}
	producer->told[index] = roster_get_seat(g, index);
	if (roster_find_difference(producer, g) < 0) {
		msg.roster = g->roster;
		producer->roster_told = g->roster;
	}
	producer->n_seats_sent++;
	client_send(producer->client, &msg.header, fds, n_fds);
}

void roster_push(struct producer *producer) {
	struct generation *g = producer->generation;

	/* Of an adopted ring's seats producers know more than we do. */
	while (g && !g->is_adopted && client_is_drained(producer->client) &&
		producer->n_seats_sent - producer->n_seats_acked < ZOE_ROSTER_WINDOW) {
		int index = roster_find_difference(producer, g);

		if (index < 0 && producer->roster_told == g->roster) {
			return;
		}
		roster_send_seat(producer, (uint32_t)(index < 0 ? roster_find_bearer(g) : index));
	}
}

static void roster_count(struct generation *g) {
	struct producer *producer;

	if (++g->roster == 0) {
		g->roster = 1; /* 0 in a message means: more to come */
	}
	list_for_each(producer, &g->stream->producers, link) {
		if (producer->generation == g) {
			roster_push(producer);
		}
	}
	/* [ROSTER] {join.roster} SC: a producer that sees the new value finds the messages that
	 * lead to it in its socket, or on their way; one that does not see it claims no slot that
	 * the new seat could come to hold. */
	atomic_store_explicit(&g->control->roster, g->roster, memory_order_seq_cst);
}

/* Seats of a second user: from now on each consumer sleeps on a word of its own, too, since the
 * stranger could move the sleepers of head onto a word that nobody wakes. For good, because those
 * may still be there when the stranger is gone; and before it is told of the ring, because those
 * who sleep already sleep on head alone. */
static void roster_note_strangers(struct generation *g, bool is_mixed) {
	/* [LIVE] relaxed: only the broker writes it. */
	uint32_t state = atomic_load_explicit(&g->control->state, memory_order_relaxed);

	if (is_mixed && !(state & ZOE_CONTROL_MULTI_UID)) {
		/* [LIVE] SC: whoever is woken by what follows sees it before it sleeps again. */
		atomic_store_explicit(
			&g->control->state, state | ZOE_CONTROL_MULTI_UID, memory_order_seq_cst);
		zoe_ring_wake_all(&g->ring);
	}
}

static void roster_set_state(struct generation *g) {
	const struct seat *first = NULL;
	bool is_mixed = false;
	uint32_t live = 0;

	for (uint32_t i = 0; i < ZOE_MAX_SEATS; i++) {
		const struct seat *seat = g->listed[i];

		if (!seat) {
			continue;
		}
		live++;
		if (seat->consumer->client->is_absent) {
			continue;
		}
		if (first && first->consumer->client->who.uid != seat->consumer->client->who.uid) {
			is_mixed = true;
		}
		first = seat;
	}
	roster_note_strangers(g, is_mixed);
	/* [LIVE] relaxed: a hint for producers; who must be honoured is the roster's word. */
	atomic_store_explicit(&g->control->live, live, memory_order_relaxed);
}

/* For a broker that returns. */
static void roster_note(const struct seat *seat) {
	seat->generation->control->seats[seat->index] =
		(struct zoe_control_seat){.consumer = seat->consumer->id,
			.hold = seat->consumer->hold,
			.flags = seat_get_flags(seat),
			.group = seat->group ? seat->group->id : 0};
}

void roster_add(struct seat *seat) {
	struct generation *g = seat->generation;

	seat->is_listed = true;
	g->listed[seat->index] = seat;
	roster_note(seat);
	roster_set_state(g);
	roster_count(g);
}

void roster_note_space(struct generation *g) {
	/* [SPACE] {roster.space} SC: as if a frame had been let go. */
	atomic_fetch_add_explicit(&zoe_ring_get_page(&g->ring)->space, 1, memory_order_seq_cst);
	zoe_ring_wake_all(&g->ring);
}

void roster_remove(struct seat *seat) {
	struct generation *g = seat->generation;

	seat->is_listed = false;
	g->listed[seat->index] = NULL;
	g->control->seats[seat->index] = (struct zoe_control_seat){0};
	if (g->is_adopted) {
		return;
	}
	roster_set_state(g);
	roster_count(g);
	roster_note_space(g); /* its pins are gone */
}

void roster_touch(struct generation *g) {
	if (g->is_adopted) {
		return;
	}
	roster_set_state(g);
	for (uint32_t i = 0; i < ZOE_MAX_SEATS; i++) {
		if (g->listed[i]) {
			roster_note(g->listed[i]);
		}
	}
	roster_count(g);
}

void roster_reset(struct producer *producer, struct generation *g) {
	producer->generation = g;
	producer->roster_told = 0;
	for (uint32_t i = 0; i < ZOE_MAX_SEATS; i++) {
		producer->told[i] = (struct told_seat){0};
	}
}
