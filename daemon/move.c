/* SPDX-License-Identifier: MIT */
#include "move.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "adopt.h"
#include "client.h"
#include "consumer.h"
#include "log.h"
#include "memory.h"
#include "probe.h"
#include "producer.h"
#include "roster.h"
#include "server.h"
#include "stream.h"

#define MAX_UNDRAINED 2u /* old generations, where a client asks for one more */
#define MAX_ABANDONED 4u /* the same, where there is no choice */
#define MOVES_A_SECOND 2.0
#define MOVES_AT_ONCE 4.0

static bool generation_is_held(const struct generation *g) {
	return g != g->stream->newest && (g->n_lanes > 0 || !list_is_empty(&g->seats));
}

static int32_t generation_find_holder(struct generation *g) {
	struct seat *seat;

	list_for_each(seat, &g->seats, link) {
		return seat->consumer->client->who.pid;
	}
	for (uint32_t i = 0; i < ZOE_MAX_LANES; i++) {
		if (g->lanes[i].producer) {
			return g->lanes[i].producer->client->who.pid;
		}
	}
	return 0;
}

static void move_refill(struct stream *stream) {
	ev_tstamp now = ev_now(stream->server->loop);

	/* A new stream has move_time 0, and so a full bucket. */
	stream->move_tokens += (now - stream->move_time) * MOVES_A_SECOND;
	stream->move_time = now;
	if (stream->move_tokens > MOVES_AT_ONCE) {
		stream->move_tokens = MOVES_AT_ONCE;
	}
}

void move_charge(struct stream *stream, uid_t uid) {
	move_refill(stream);
	stream->move_tokens -= 1.0;
	if (stream->move_tokens < -MOVES_AT_ONCE) {
		stream->move_tokens = -MOVES_AT_ONCE;
	}
	stream->mover = uid;
}

bool move_is_overdone(struct stream *stream, uid_t uid) {
	move_refill(stream);
	return stream->move_tokens < 0.0 && stream->mover == uid;
}

bool move_is_blocked(struct stream *stream, int32_t *holder) {
	struct generation *g;
	uint32_t n_held = 0;

	list_for_each(g, &stream->generations, link) {
		if (generation_is_held(g) && ++n_held == MAX_UNDRAINED) {
			*holder = generation_find_holder(g);
			return true;
		}
	}
	return false;
}

int move_check(struct stream *stream, int32_t *holder) {
	if (move_is_blocked(stream, holder)) {
		return -EBUSY;
	}
	move_refill(stream);
	if (stream->move_tokens < 1.0 || stream->leaving) {
		return -EAGAIN;
	}
	stream->move_tokens -= 1.0;
	return 0;
}

static int move_reserve(struct stream *stream, const struct zoe_geometry *geo) {
	uint64_t n_slots = geo->depth + (uint64_t)stream->n_producers * stream->config->open;
	const struct consumer *consumer;

	list_for_each(consumer, &stream->consumers, link) {
		n_slots += consumer->hold;
	}
	return memory_reserve(stream->server, stream, geo->ring_bytes + n_slots * geo->slot_stride);
}

/* Step 1: memory and seats, of which nobody knows yet. */
static int move_prepare(
	struct generation **out, struct stream *stream, uint64_t frame_bytes, bool is_forced) {
	struct generation *next = NULL;
	struct zoe_geometry geo;
	int r = stream_cut(stream, frame_bytes, &geo);

	if (r == 0) {
		r = adopt_place_absent(stream);
	}
	if (r == 0) {
		r = move_reserve(stream, &geo);
		r = is_forced ? 0 : r; /* it has made what room there was */
	}
	if (r == 0) {
		r = generation_create(&next, stream, &geo);
	}
	for (int i = 0; r == 0 && i < (int)ZOE_MAX_SEATS; i++) {
		struct seat *old = stream->newest->listed[i], *seat = NULL;

		if (!old || !(client_can_receive(old->consumer->client) ||
				    old->consumer->client->is_absent)) {
			continue; /* one whose connection is gone stays behind with what it holds */
		}
		r = seat_create(&seat, next, old->consumer, i);
		if (r == 0) {
			roster_add(seat);
		}
	}
	if (r < 0) {
		generation_destroy(next);
		return r;
	}
	*out = next;
	return 0;
}

/* Steps 2 to 4: from here on h is what the control page says. */
static void move_close(struct generation *old, struct generation *next) {
	uint64_t h = generation_close(old);

	if (old->is_broken &&
		getrandom(&old->stream->lineage, sizeof(old->stream->lineage), 0) > 0) {
		next->lineage = old->stream->lineage;
		next->control->lineage = next->lineage;
	}
	generation_start(next, h);
	for (uint32_t i = 0; i < ZOE_MAX_SEATS; i++) {
		if (next->listed[i]) {
			seat_set_start(next->listed[i], h);
		}
	}
	/* [END] relaxed: carried by the descriptors that are sent afterwards. */
	atomic_store_explicit(&next->control->stream_ended,
		atomic_load_explicit(&old->control->stream_ended, memory_order_relaxed),
		memory_order_relaxed);
}

/* Of an adopted ring: one whose consumer has never had that ring, or is not back to say so. */
static bool seat_is_unread(const struct seat *seat) {
	return seat->consumer->client->is_absent ||
	       seat->consumer->last_generation < seat->generation->number;
}

static void move_send_seat(struct seat *seat) {
	struct zoe_msg_region msg = {0};

	zoe_msg_init(&msg, ZOE_MSG_MOVED, 0);
	consumer_send_region(seat, &msg);
}

/* Step 5. */
static void move_tell_consumers(struct generation *old, struct generation *next) {
	struct seat *seat;

	list_for_each(seat, &old->seats, link) {
		if (old->is_adopted && seat_is_unread(seat) && !seat->consumer->client->is_absent) {
			move_send_seat(seat);
		}
	}
	list_for_each(seat, &next->seats, link) {
		if (!seat->consumer->client->is_absent) {
			move_send_seat(seat);
		}
	}
}

/* Step 7. A producer that is gone stays behind: what it may still write, it writes into the closed
 * ring. */
void move_tell_producers(struct generation *next) {
	struct producer *producer;

	list_for_each(producer, &next->stream->producers, link) {
		struct zoe_msg_region msg = {0};

		if (!client_can_receive(producer->client) ||
			generation_take_lane(next, producer, &msg.owner) < 0) {
			continue;
		}
		zoe_msg_init(&msg, ZOE_MSG_MOVED, 0);
		producer_send_region(producer, next, &msg);
	}
}

/* An adopted ring's seats were the broker's own, but those that were sent. */
static void move_end_adoption(struct stream *stream, struct generation *old) {
	struct seat *seat, *after;

	if (!stream->adoption) {
		return;
	}
	adoption_destroy(stream->adoption);
	list_for_each_safe(seat, after, &old->seats, link) {
		if (!seat_is_unread(seat)) {
			seat_destroy(seat);
		}
	}
}

/* Steps 6 and 7: all consumers have heard. */
static void move_give(struct stream *stream) {
	struct generation *old = stream->leaving;

	stream->leaving = NULL;
	ev_timer_stop(stream->server->loop, &stream->hearing);
	/* [GIVEN] {move.given} SC: before the first descriptor of the successor reaches a
	 * producer. */
	atomic_store_explicit(&old->control->given, 1, memory_order_seq_cst);
	move_tell_producers(stream->newest);
	generation_wake(old);
	consumer_start_parked(stream);
	registry_mark(stream);
	stream_sweep(stream);
}

static bool seat_has_heard(const struct seat *seat) {
	const struct client *client = seat->consumer->client;

	return !client_can_receive(client) || client_is_drained(client);
}

void move_check_heard(struct stream *stream) {
	const struct seat *seat;

	if (!stream->leaving) {
		return;
	}
	list_for_each(seat, &stream->newest->seats, link) {
		if (!seat_has_heard(seat)) {
			return;
		}
	}
	move_give(stream);
}

/* Nobody waits any more for those who do not read: they come back by themselves. */
static void move_give_now(struct stream *stream) {
	const struct seat *seat;

	if (!stream->leaving) {
		return;
	}
	list_for_each(seat, &stream->newest->seats, link) {
		if (!seat_has_heard(seat)) {
			log_warn("stream '%s': dropped pid %d, it does not read that the stream "
				 "moves",
				stream->name, (int)seat->consumer->client->who.pid);
			client_doom(seat->consumer->client);
		}
	}
	move_give(stream);
}

void move_on_patience(struct ev_loop *loop, struct ev_timer *timer, int events) {
	(void)loop;
	(void)events;
	move_give_now(container_of(timer, struct stream, hearing));
}

static void move_await_hearing(struct stream *stream) {
	ev_timer_stop(stream->server->loop, &stream->hearing);
	ev_timer_set(&stream->hearing, (double)stream->config->patience_ms / 1000, 0.0);
	ev_timer_start(stream->server->loop, &stream->hearing);
	move_check_heard(stream);
}

static int move(struct stream *stream, uint64_t frame_bytes, bool is_forced) {
	struct generation *old, *next = NULL;
	int r;

	move_give_now(stream); /* one at a time */
	old = stream->newest;
	r = move_prepare(&next, stream, frame_bytes, is_forced);
	if (r < 0) {
		return r;
	}
	move_close(old, next);
	list_insert(&stream->generations, &next->link);
	stream->newest = next;
	stream->leaving = old;
	log_info("stream '%s': moves to %s at frame %llu, %llu bytes a slot", stream->name,
		next->region, (unsigned long long)next->start,
		(unsigned long long)next->ring.geo.slot_bytes);
	ZOE_PROBE3(move, stream->name, next->number, next->start);
	move_tell_consumers(old, next);
	move_end_adoption(stream, old);
	move_await_hearing(stream);
	return 0;
}

int move_start(struct stream *stream, uint64_t frame_bytes) {
	return move(stream, frame_bytes, false);
}

/* Lets go of those who still look at the oldest of too many generations. */
static void move_drop_oldest(struct stream *stream) {
	struct generation *g, *oldest = NULL;
	struct seat *seat;
	uint32_t n_held = 0;

	list_for_each(g, &stream->generations, link) {
		if (generation_is_held(g)) {
			oldest = g;
			n_held++;
		}
	}
	if (n_held < MAX_ABANDONED) {
		return;
	}
	list_for_each(seat, &oldest->seats, link) {
		log_warn("stream '%s': dropped pid %d, which holds on to %s", stream->name,
			(int)seat->consumer->client->who.pid, oldest->region);
		client_doom(seat->consumer->client);
	}
	for (uint32_t i = 0; i < ZOE_MAX_LANES; i++) {
		if (oldest->lanes[i].producer) {
			client_doom(oldest->lanes[i].producer->client);
		}
	}
}

void move_end(struct stream *stream) {
	struct generation *old = stream->newest;

	adoption_destroy(stream->adoption);
	ev_timer_stop(stream->server->loop, &stream->hearing);
	stream->leaving = NULL;
	if (!old) {
		return;
	}
	(void)generation_close(old);
	stream->newest = NULL;
	generation_wake(old);
}

void move_give_up(struct stream *stream, int error) {
	struct producer *producer;
	struct consumer *consumer;

	log_err("stream '%s': cannot make its next region, dropped its clients: %s", stream->name,
		strerror(-error));
	if (stream->newest) {
		/* [GIVEN] SC: who brings it back does not have it moved in vain once more. */
		atomic_store_explicit(&stream->newest->control->given, 1, memory_order_seq_cst);
	}
	move_end(stream);
	list_for_each(consumer, &stream->consumers, link) {
		client_doom(consumer->client);
	}
	list_for_each(producer, &stream->producers, link) {
		client_doom(producer->client);
	}
	stream_sweep(stream);
}

/* Slots that are as large as now, if the config still allows it, or as was asked for meanwhile. */
static uint64_t move_choose_bytes(const struct stream *stream) {
	uint64_t bytes = stream->newest->ring.geo.slot_bytes;

	if (stream->adoption && stream->adoption->frame_bytes > bytes) {
		bytes = stream->adoption->frame_bytes;
	}
	return bytes < stream->config->max_bytes ? bytes : stream->config->max_bytes;
}

int move_check_room(struct stream *stream) {
	struct zoe_geometry geo;
	int r = stream_cut(stream, move_choose_bytes(stream), &geo);

	return r < 0 ? r : move_reserve(stream, &geo);
}

static void move_away_by(struct stream *stream, bool is_forced) {
	int r;

	move_drop_oldest(stream);
	r = move(stream, move_choose_bytes(stream), is_forced);
	if (r < 0) {
		move_give_up(stream, r);
	}
}

void move_away(struct stream *stream) {
	move_away_by(stream, false);
}

void move_away_from_evicted(struct stream *stream) {
	move_away_by(stream, true);
}
