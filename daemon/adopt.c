/* SPDX-License-Identifier: MIT */
#include "adopt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "consumer.h"
#include "group.h"
#include "log.h"
#include "move.h"
#include "producer.h"
#include "server.h"
#include "stream.h"

/* A broker that dies in the middle of a move leaves a generation behind that no producer has, and
 * the next broker may do so again. */
#define MAX_HALF_MADE 2u

void hand_in_destroy(struct hand_in *hand_in) {
	for (uint32_t i = 0; hand_in && i < hand_in->n_fds; i++) {
		cleanup_fd_fn(&hand_in->fds[i]);
	}
	free(hand_in);
}

void adopt_hand_in(struct client *client, const struct zoe_packet *packet) {
	const struct zoe_msg_return *msg = (const void *)packet->bytes;
	struct hand_in *hand_in;

	if (client->producer || client->consumer || client->turn ||
		packet->n_fds > n_elements(hand_in->fds)) {
		client_reject(client, &msg->header, "a RETURN out of turn");
		return;
	}
	hand_in = calloc(1, sizeof(*hand_in));
	if (!hand_in) {
		client_doom(client);
		return;
	}
	*hand_in = (struct hand_in){.generation = msg->generation,
		.consumer = msg->consumer,
		.seat = msg->seat,
		.lineage = msg->lineage};
	for (; hand_in->n_fds < packet->n_fds; hand_in->n_fds++) {
		/* The packet keeps its own: it is another's to read. */
		int fd = packet->fds[hand_in->n_fds];

		/* Only memory is kept: to close anything else may take its time. */
		fd = fcntl(fd, F_GET_SEALS) < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (fd < 0) {
			break; /* then it has handed in nothing, and begins anew */
		}
		hand_in->fds[hand_in->n_fds] = fd;
	}
	hand_in_destroy(client->hand_in);
	client->hand_in = hand_in;
}

/* A consumer's proof that it had the seat it speaks of: nobody else can write to it. */
static bool hand_in_has_seat(const struct hand_in *hand_in, const struct stream *stream) {
	char name[ZOE_REGION_BYTES + 32];
	bool is_writable;

	if (!hand_in || hand_in->n_fds != 1 || hand_in->consumer == 0 ||
		hand_in->seat >= ZOE_MAX_SEATS) {
		return false;
	}
	snprintf(name, sizeof(name), "%s#%u.seat%u", stream->name, hand_in->generation,
		hand_in->seat);
	return memfd_is_ours(hand_in->fds[0], name, &is_writable) && is_writable;
}

/* Is its seat one of that generation, of one that was to follow it, or of one before: then it was
 * away while another broker lived? Which seat it is now, index and id say. */
static bool hand_in_is_of(const struct hand_in *hand_in, uint64_t lineage, uint32_t generation) {
	return hand_in->lineage == lineage && hand_in->generation <= generation + MAX_HALF_MADE;
}

/* Returns: 0; -EPERM, -EPROTO it is no region of the stream; -ENOMEM, -EMFILE. */
static int hand_in_open(struct generation **out, struct stream *stream, struct hand_in *hand_in) {
	static const char *const parts[] = {"ring", "frames", "control"};
	struct memfd memory[3] = {MEMFD_NONE, MEMFD_NONE, MEMFD_NONE};
	char name[ZOE_REGION_BYTES + 32];
	int r = hand_in->n_fds == n_elements(memory) ? 0 : -EPROTO;

	for (uint32_t i = 0; r == 0 && i < n_elements(memory); i++) {
		snprintf(name, sizeof(name), "%s#%u.%s", stream->name, hand_in->generation,
			parts[i]);
		r = memfd_adopt(&memory[i], name, &hand_in->fds[i]);
	}
	if (r == 0 && (memory[0].rw < 0 || memory[1].rw < 0)) {
		r = -EPERM; /* a consumer's */
	}
	if (r == 0 && memory[2].rw < 0) {
		r = memfd_open_rw(&memory[2]);
	}
	if (r == 0) {
		r = generation_adopt(out, stream, memory);
	}
	for (uint32_t i = 0; i < n_elements(memory); i++) {
		memfd_finish(&memory[i]);
	}
	return r;
}

static struct zoe_control_seat generation_get_listed(const struct generation *g, uint32_t index) {
	return g->control->seats[index];
}

static bool generation_is_given(const struct generation *g) {
	/* [GIVEN] {adopt.given} SC: stored before any producer could have the successor. */
	return atomic_load_explicit(&g->control->given, memory_order_seq_cst) != 0;
}

/* A ring that is not the stream's: nothing is published in it from now on. */
static void generation_shut(struct generation *g) {
	(void)generation_close(g);
	/* [GIVEN] {adopt.shut} SC: no broker after this one goes on with it, also if it had
	 * ended. */
	atomic_store_explicit(&g->control->given, 1, memory_order_seq_cst);
	generation_wake(g);
	log_info("stream '%s': closed %s, there is another ring", g->stream->name, g->region);
}

static void adopt_on_settle(struct ev_loop *loop, struct ev_timer *timer, int events) {
	struct adoption *adoption = container_of(timer, struct adoption, settle);

	(void)loop;
	(void)events;
	adopt_finish(adoption->stream);
}

void adoption_destroy(struct adoption *adoption) {
	if (adoption) {
		ev_timer_stop(adoption->stream->server->loop, &adoption->settle);
		adoption->stream->adoption = NULL;
		free(adoption);
	}
}

static void adoption_set_timer(struct adoption *adoption) {
	struct server *server = adoption->stream->server;

	ev_timer_stop(server->loop, &adoption->settle);
	ev_timer_set(&adoption->settle, (double)server->config->broker.settle_ms / 1000, 0.0);
	ev_timer_start(server->loop, &adoption->settle);
}

/* Returns: 0; -ENOMEM. */
static int adoption_begin(struct stream *stream) {
	struct adoption *adoption = stream->adoption;

	if (adoption) {
		return 0; /* whoever hands in stale rings does not hold it up */
	}
	adoption = calloc(1, sizeof(*adoption));
	if (!adoption) {
		return -ENOMEM;
	}
	adoption->stream = stream;
	ev_timer_init(&adoption->settle, adopt_on_settle, 0.0, 0.0);
	stream->adoption = adoption;
	adoption_set_timer(adoption);
	return 0;
}

/* The old ring becomes the stream's newest as it is; those who came before it get their seats. */
static void adoption_set_ring(struct stream *stream, struct generation *g) {
	struct consumer *consumer;

	stream->adoption->old = g;
	adoption_set_timer(stream->adoption);
	stream->lineage = g->lineage;
	stream->last_number = g->number + 1; /* which the last broker may have begun to make */
	/* Nobody has heard that its producers were gone. [END] relaxed: as in move_close(). */
	stream->is_live =
		atomic_load_explicit(&g->control->stream_ended, memory_order_relaxed) == 0;
	list_insert(&stream->generations, &g->link);
	stream->newest = g;
	list_for_each(consumer, &stream->consumers, link) {
		adopt_consumer(consumer);
	}
	log_info("stream '%s': goes on with %s of an earlier broker", stream->name, g->region);
}

static bool generation_is_same(const struct generation *g, const struct generation *other) {
	return other && other->control->ring_ino == g->control->ring_ino &&
	       other->control->ring_dev == g->control->ring_dev;
}

/* Returns: whether the stream waits. */
static bool adopt_ring(struct stream *stream, struct generation *g) {
	if (stream->newest) {
		/* The one that is being left is closed, and given when all have heard. */
		if (!generation_is_same(g, stream->newest) &&
			!generation_is_same(g, stream->leaving)) {
			generation_shut(g);
		}
		generation_destroy(g);
		return stream->adoption != NULL;
	}
	if (adoption_begin(stream) < 0) {
		generation_destroy(g);
		return false;
	}
	if (generation_is_given(g)) {
		/* Somebody may have its successor: nothing is opened that could come beside it. */
		log_info("stream '%s': %s has a successor, waits for who has it", stream->name,
			g->region);
		generation_destroy(g);
		return true;
	}
	adoption_set_ring(stream, g);
	return true;
}

bool adopt_producer(struct stream *stream, struct client *client, uint64_t frame_bytes) {
	struct hand_in *hand_in = client->hand_in;
	struct generation *g = NULL;
	bool is_waiting;
	int r;

	if (!hand_in) {
		adopt_finish(stream); /* a fresh one is never delayed */
		return false;
	}
	r = hand_in_open(&g, stream, hand_in);
	client->hand_in = NULL;
	hand_in_destroy(hand_in);
	if (r < 0) {
		log_stranger("stream '%s': pid %d handed in what is no region of it: %s",
			stream->name, (int)client->who.pid, strerror(-r));
		is_waiting = stream->adoption != NULL;
	} else {
		is_waiting = adopt_ring(stream, g);
	}
	if (is_waiting && stream->adoption->frame_bytes < frame_bytes) {
		stream->adoption->frame_bytes = frame_bytes;
	}
	return is_waiting;
}

void adopt_refuse_producer(struct stream *stream, struct client *client) {
	struct hand_in *hand_in = client->hand_in;
	struct generation *g = NULL;

	if (!hand_in || !stream->newest || hand_in_open(&g, stream, hand_in) < 0) {
		return; /* without a ring, the stream waits for one: it may be this */
	}
	client->hand_in = NULL;
	hand_in_destroy(hand_in);
	(void)adopt_ring(stream, g);
}

/* A seat in the adopted ring for the broker's own accounts: producers know the real one, and its
 * pins matter to nobody once the ring is closed. */
static int adopt_seat(struct consumer *consumer, struct generation *g, uint32_t index) {
	struct seat *seat = NULL;
	int r = seat_create(&seat, g, consumer, (int)index);

	if (r == 0) {
		seat->is_listed = true;
		g->listed[index] = seat;
	}
	return r;
}

void adopt_consumer(struct consumer *consumer) {
	struct stream *stream = consumer->stream;
	const struct hand_in *hand_in = consumer->client->hand_in;
	struct generation *g = stream->adoption ? stream->adoption->old : NULL;
	struct zoe_control_seat seat;

	if (!g || !hand_in_has_seat(hand_in, stream) ||
		!hand_in_is_of(hand_in, g->lineage, g->number)) {
		return;
	}
	seat = generation_get_listed(g, hand_in->seat);
	if (seat.consumer != hand_in->consumer || g->listed[hand_in->seat]) {
		return;
	}
	consumer->id = seat.consumer;
	consumer->last_generation = hand_in->generation;
	consumer->group_id = seat.group;
	consumer->is_demoted = (consumer->delivery == ZOE_DELIVER_RELIABLE ||
				       consumer->delivery == ZOE_DELIVER_QUEUE_RELIABLE) &&
			       !(seat.flags & ZOE_SEAT_RELIABLE);
	if (adopt_seat(consumer, g, hand_in->seat) < 0) {
		client_doom(consumer->client);
	}
}

/* The one that was listed for it, or for another of its lossless queue: the first of them that is
 * back has what all of them are due. */
static bool consumer_stands_for(struct consumer *consumer, const struct hand_in *hand_in) {
	const struct seat *newest = consumer_find_seat(consumer), *seat;

	if (consumer->id == hand_in->consumer) {
		return newest && newest->index == hand_in->seat;
	}
	list_for_each(seat, &consumer->seats, consumer_link) {
		struct zoe_control_seat listed =
			generation_get_listed(seat->generation, hand_in->seat);

		if (newest && seat->generation->is_adopted && seat->group &&
			listed.consumer == hand_in->consumer && (listed.flags & ZOE_SEAT_GROUPED) &&
			listed.group == seat->group->id) {
			return true;
		}
	}
	return false;
}

struct consumer *adopt_find_absent(const struct stream *stream, const struct client *client) {
	const struct hand_in *hand_in = client->hand_in;
	struct consumer *consumer;

	if (!stream->newest || stream->adoption || !hand_in_has_seat(hand_in, stream)) {
		return NULL;
	}
	list_for_each(consumer, &stream->consumers, link) {
		if (consumer->client->is_absent && consumer_stands_for(consumer, hand_in) &&
			hand_in_is_of(
				hand_in, stream->newest->lineage, consumer->last_generation)) {
			return consumer;
		}
	}
	return NULL;
}

bool adopt_is_known(const struct stream *stream, const struct client *client) {
	return stream->newest && client->hand_in &&
	       client->hand_in->lineage == stream->newest->lineage;
}

void adopt_check(struct stream *stream) {
	const struct generation *g = stream->adoption ? stream->adoption->old : NULL;
	bool is_complete = g != NULL;

	/* In a ring that has ended nobody publishes: placeholders keep what reliable ones need. */
	for (uint32_t i = 0; is_complete && g->ended == 0 && i < ZOE_MAX_SEATS; i++) {
		is_complete = generation_get_listed(g, i).consumer == 0 || g->listed[i];
	}
	if (is_complete) {
		adopt_finish(stream);
	}
}

static bool group_is_back(const struct generation *g, uint32_t id) {
	const struct group *group;

	list_for_each(group, &g->groups, link) {
		if (group->id == id) {
			return true;
		}
	}
	return false;
}

int adopt_place_absent(struct stream *stream) {
	struct generation *g = stream->adoption ? stream->adoption->old : NULL;

	for (uint32_t i = 0; g && i < ZOE_MAX_SEATS; i++) {
		struct zoe_control_seat listed = generation_get_listed(g, i);
		struct consumer *consumer = NULL;
		int r;

		if (listed.consumer == 0 || g->listed[i] || !(listed.flags & ZOE_SEAT_RELIABLE) ||
			listed.hold < 1 || stream->n_consumers >= stream->config->consumers ||
			((listed.flags & ZOE_SEAT_GROUPED) && group_is_back(g, listed.group))) {
			continue;
		}
		r = consumer_create_absent(&consumer, stream, &listed);
		if (r == 0) {
			consumer->last_generation = g->number; /* at most */
			r = adopt_seat(consumer, g, i);
		}
		if (r < 0) {
			return r;
		}
		log_info("stream '%s': a reliable consumer is not back yet, its place is kept",
			stream->name);
	}
	return 0;
}

/* Nobody brought a ring that could be gone on with. */
static void adopt_begin_anew(struct stream *stream) {
	uint64_t bytes = stream->adoption->frame_bytes;
	int r;

	adoption_destroy(stream->adoption);
	r = stream_make_region(stream, bytes ? bytes : stream->config->max_bytes);
	if (r < 0) {
		move_give_up(stream, r);
		return;
	}
	log_warn("stream '%s': the ring's last holder did not come back: numbers begin anew",
		stream->name);
	consumer_start_parked(stream);
	move_tell_producers(stream->newest);
}

void adopt_finish(struct stream *stream) {
	if (!stream->adoption) {
		return;
	}
	if (stream->adoption->old) {
		move_away(stream);
	} else {
		adopt_begin_anew(stream);
	}
}
