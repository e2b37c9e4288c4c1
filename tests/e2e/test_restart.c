/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "raw.h"
#include "ring_layout.h"

static char config[] =
	"version: 1\n"
	"broker: {settle: 900ms}\n" /* longer than a client's longest back-off */
	"defaults: {access: {produce: [any], consume: [any], list: [any], reliable: [any]}}\n"
	"streams:\n"
	"  cam: {max_frame: 64x64 XR24, slots: 8, consumers: 4, hold: 3}\n"
	"  slow: {max_frame: 64x64 XR24, slots: 8, consumers: 4, patience: 60s}\n"
	"  pair: {max_frame: 64x64 XR24, slots: 8, consumers: 4, producers: 2, patience: 60s}\n"
	"  \"game*\": {max_frame: 64x64 XR24, slots: 4}\n"
	"  brief: {max_frame: 64x64 XR24, slots: 4, consumers: 4, patience: 100ms}\n";

/* Room for one region of frames of 512x512, and not for two. */
static char narrow[] =
	"version: 1\n"
	"broker: {settle: 300ms, memory_limit: 7MiB}\n"
	"defaults: {access: {produce: [any], consume: [any], list: [any], reliable: [any]}}\n"
	"streams:\n"
	"  cam: {max_frame: 512x512 XR24, slots: 3, consumers: 1, hold: 1}\n";

static void test_restart_stops_no_frame(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(c, "cam", 1);
	const struct zoe_frame *frame;
	uint64_t seq = 0, end = now_ms() + 1000;

	assert_int_equal(publish(p, 0), 0);
	frame = take(s); /* both have all they need */
	zoe_frame_release(frame);
	broker_kill(*state);
	for (uint64_t i = 0; i < 100 || now_ms() < end; i++) {
		assert_int_equal(publish(p, i), 0);
		frame = take(s);
		assert_int_equal(frame->user[0], i);
		assert_int_equal(frame->lost, 0);
		assert_true(seq == 0 || frame->seq == seq + 1);
		assert_int_equal(frame->flags & ZOE_DISCONT, 0);
		seq = frame->seq;
		zoe_frame_release(frame);
	}
	assert_true(zoe_consumer_take_events(s) & ZOE_EV_BROKER_GONE);
	zoe_client_destroy(c);
}

/* Until it has another name than it had, or the deadline. */
static void wait_for_name(struct zoe_producer *p, const char *name) {
	uint64_t deadline = now_ms() + DEADLINE_MS;

	while (strcmp(zoe_producer_get_name(p), name) != 0) {
		int r = publish(p, 1);

		assert_true(now_ms() < deadline);
		assert_true(r == 0 || r == -ESTALE || r == -EAGAIN);
	}
}

static void test_restart_finds_a_free_name_by_the_one_asked_for(void **state) {
	struct zoe_producer_options options = {.struct_size = sizeof(options),
		.flags = ZOE_UNIQUE_NAME,
		.timeout_ms = DEADLINE_MS};
	struct zoe_client *c = broker_connect(*state), *other = broker_connect(*state);
	struct zoe_producer *p[3] = {NULL};

	zoe_format_init(&options.format, ZOE_FORMAT_XR24, 16, 16);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(zoe_producer_open(c, "game", &options, &p[i]), 0);
	}
	assert_string_equal(zoe_producer_get_name(p[1]), "game-2");
	broker_kill(*state);
	broker_start(*state);
	/* While nobody asks after it, its name goes to somebody else. */
	p[2] = produce(other, "game-2", 1);
	assert_non_null(p[2]);
	stream_wait(*state, "game-2", &(struct stream_state){.n_producers = 1});
	wait_for_name(p[1], "game");
	assert_int_equal(publish(p[1], 1), 0);
	wait_for_name(p[0], "game-3");
	assert_string_equal(zoe_producer_get_name(p[1]), "game");
	zoe_client_destroy(other);
	zoe_client_destroy(c);
}

static void test_restart_keeps_the_name_that_was_handed_out(void **state) {
	struct zoe_producer_options options = {.struct_size = sizeof(options),
		.flags = ZOE_UNIQUE_NAME,
		.timeout_ms = DEADLINE_MS};
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p[2] = {NULL};
	struct stream_state now = {0};
	uint64_t deadline;

	zoe_format_init(&options.format, ZOE_FORMAT_XR24, 16, 16);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(zoe_producer_open(c, "game", &options, &p[i]), 0);
	}
	broker_kill(*state);
	broker_start(*state);
	deadline = now_ms() + DEADLINE_MS;
	/* The second comes first. */
	while (stream_get_state(*state, "game-2", &now) < 0 || now.n_producers == 0) {
		assert_true(now_ms() < deadline);
		(void)publish(p[1], 1);
	}
	while (stream_get_state(*state, "game", &now) < 0 || now.n_producers == 0) {
		assert_true(now_ms() < deadline);
		(void)publish(p[0], 1);
	}
	assert_string_equal(zoe_producer_get_name(p[0]), "game");
	assert_string_equal(zoe_producer_get_name(p[1]), "game-2");
	zoe_client_destroy(c);
}

/* Publishes, and takes what comes, until the broker is back and frames come in its generation: none
 * is lost, none comes twice, and the numbers go on. Returns: the events meanwhile. */
static uint32_t flow_over(struct zoe_producer *p, struct zoe_consumer *s, uint64_t *value) {
	uint64_t deadline = now_ms() + DEADLINE_MS, seq = 0, n_new = 0;
	const struct zoe_frame *frame;
	uint32_t events = 0, first = 0, n_dropped = 0;

	while (n_new < 20) {
		int r = publish(p, ++*value);

		assert_true(r == 0 || r == -ESTALE);
		if (r == -ESTALE) {
			n_dropped++; /* the ring closed before it: no part of the stream */
			continue;
		}
		frame = take(s);
		assert_true(frame_is_whole(frame));
		assert_int_equal(frame->user[0], *value);
		assert_int_equal(frame->lost, 0);
		assert_true(n_dropped == 1 || !(frame->flags & ZOE_DISCONT));
		assert_true(seq == 0 || frame->seq == seq + 1);
		seq = frame->seq;
		first = first ? first : frame->generation;
		n_new += frame->generation != first;
		zoe_frame_release(frame);
		events |= zoe_consumer_take_events(s);
		assert_true(now_ms() < deadline);
	}
	return events;
}

static void test_restart_goes_on(void **state, enum zoe_delivery delivery) {
	struct zoe_client *c = broker_connect(*state), *other = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", delivery, 2), *late;
	struct zoe_producer *p = produce(other, "cam", 1);
	const struct zoe_frame *held, *frame;
	uint64_t value = 1;
	uint32_t events;

	assert_int_equal(publish(p, value), 0);
	held = take(s);
	broker_kill(*state);
	broker_start(*state);
	events = flow_over(p, s, &value);
	assert_true(events & ZOE_EV_BROKER_GONE);
	assert_true(events & ZOE_EV_BROKER_BACK);
	assert_false(events & (ZOE_EV_DEMOTED | ZOE_EV_PRODUCER_GONE | ZOE_EV_PRODUCER_BACK));
	assert_true(frame_is_whole(held));
	zoe_frame_release(held);
	stream_wait(*state, "cam", &(struct stream_state){.n_producers = 1, .n_consumers = 1});
	late = consume(other, "cam", ZOE_EVERY, 1);
	assert_int_equal(publish(p, 1000), 0);
	do {
		frame = take(late);
		value = frame->user[0];
		zoe_frame_release(frame);
	} while (value != 1000);
	zoe_client_destroy(c);
	zoe_client_destroy(other);
}

static void test_restart_loses_nothing_for_every(void **state) {
	test_restart_goes_on(state, ZOE_EVERY);
}

static void test_restart_loses_nothing_for_reliable(void **state) {
	test_restart_goes_on(state, ZOE_RELIABLE);
}

static void test_restart_brings_back_who_waited_alone(void **state) {
	struct zoe_client *c = broker_connect(*state), *other = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	uint64_t deadline = now_ms() + DEADLINE_MS;
	const struct zoe_frame *frame;
	struct zoe_producer *p;

	broker_kill(*state);
	broker_start(*state);
	while (!(zoe_consumer_take_events(s) & ZOE_EV_BROKER_BACK)) {
		assert_int_equal(zoe_consumer_next(s, &frame, 10), -ETIMEDOUT);
		assert_true(now_ms() < deadline);
	}
	p = produce(other, "cam", 1);
	assert_int_equal(publish(p, 3), 0);
	frame = take(s);
	assert_int_equal(frame->user[0], 3);
	zoe_frame_release(frame);
	zoe_client_destroy(c);
	zoe_client_destroy(other);
}

static void test_restart_three_times_in_a_row(void **state) {
	struct zoe_client *c = broker_connect(*state), *other = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_RELIABLE, 1);
	struct zoe_producer *p = produce(other, "cam", 1);
	const struct zoe_frame *frame;
	uint64_t value = 1;

	assert_int_equal(publish(p, value), 0);
	frame = take(s);
	zoe_frame_release(frame);
	for (int i = 0; i < 3; i++) {
		broker_kill(*state);
		broker_start(*state);
		flow_over(p, s, &value);
	}
	stream_wait(*state, "cam", &(struct stream_state){.n_producers = 1, .n_consumers = 1});
	zoe_client_destroy(c);
	zoe_client_destroy(other);
}

/* Does what the sockets ask for, until the consumer has heard of a broker, and a while longer. */
static void serve_until_back(struct zoe_producer *p, struct zoe_consumer *s, uint64_t longer_ms) {
	uint64_t deadline = now_ms() + DEADLINE_MS, end = UINT64_MAX;

	while (now_ms() < end) {
		if (zoe_consumer_take_events(s) & ZOE_EV_BROKER_BACK) {
			end = now_ms() + longer_ms;
		}
		assert_true(zoe_producer_is_wanted(p) >= 0);
		assert_true(now_ms() < deadline);
		poll(NULL, 0, 5);
	}
}

/* A reliable reader that comes late: the stream has moved without it. */
static void test_restart_keeps_the_place_of_who_is_late(void **state) {
	struct zoe_client *c = broker_connect(*state), *d = broker_connect(*state),
			  *other = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "slow", ZOE_RELIABLE, 1),
			    *late = consume(d, "slow", ZOE_RELIABLE, 1);
	struct zoe_producer *p = produce(other, "slow", 1);
	const struct zoe_frame *frame;

	for (uint64_t i = 1; i <= 3; i++) {
		assert_int_equal(publish(p, i), 0);
		frame = take(s);
		zoe_frame_release(frame);
	}
	broker_kill(*state);
	broker_start(*state);
	serve_until_back(p, s, 2000); /* the way back, and settle */
	for (uint64_t i = 4; i <= 6; i++) {
		assert_int_equal(publish(p, i), 0);
		frame = take(s);
		assert_int_equal(frame->user[0], i);
		assert_true(i == 4 || frame->generation > 1);
		zoe_frame_release(frame);
	}
	for (uint64_t i = 1; i <= 6; i++) {
		frame = take(late);
		assert_int_equal(frame->user[0], i);
		assert_int_equal(frame->lost, 0);
		zoe_frame_release(frame);
	}
	assert_false(zoe_consumer_take_events(late) & ZOE_EV_DEMOTED);
	stream_wait(*state, "slow", &(struct stream_state){.n_producers = 1, .n_consumers = 2});
	zoe_client_destroy(c);
	zoe_client_destroy(d);
	zoe_client_destroy(other);
}

/* One that never comes: its place goes, and what it owed is written over. */
static void test_restart_gives_up_on_the_dead(void **state) {
	struct zoe_client *c = broker_connect(*state), *d = broker_connect(*state),
			  *other = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "brief", ZOE_RELIABLE, 1);
	struct zoe_producer *p = produce(other, "brief", 1);
	uint64_t deadline = now_ms() + DEADLINE_MS, n = 0;
	const struct zoe_frame *frame;

	consume(d, "brief", ZOE_RELIABLE, 1);
	broker_kill(*state);
	zoe_client_destroy(d);
	broker_start(*state);
	serve_until_back(p, s, 700);
	/* 4 slots: they are full soon, and free again once the dead one's patience is over. */
	while (n < 20) {
		int r = publish(p, n + 1);

		assert_true(r == 0 || r == -EAGAIN);
		if (r == 0) {
			frame = take(s);
			assert_int_equal(frame->user[0], ++n);
			zoe_frame_release(frame);
		}
		assert_true(now_ms() < deadline);
	}
	stream_wait(*state, "brief", &(struct stream_state){.n_producers = 1, .n_consumers = 1});
	zoe_client_destroy(c);
	zoe_client_destroy(other);
}

/* Those who share a lossless queue go on to share it. */
static void test_restart_keeps_a_queue(void **state) {
	struct zoe_client *c = broker_connect(*state), *d = broker_connect(*state),
			  *other = broker_connect(*state);
	struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = ZOE_QUEUE_RELIABLE,
		.group = "team",
		.timeout_ms = 1000};
	struct zoe_consumer *a = NULL, *b = NULL;
	struct zoe_producer *p;
	const struct zoe_frame *frame;
	uint64_t deadline = now_ms() + DEADLINE_MS, expected = 0;

	assert_int_equal(zoe_consumer_open(c, "cam", &options, &a), 0);
	assert_int_equal(zoe_consumer_open(d, "cam", &options, &b), 0);
	p = produce(other, "cam", 1);
	assert_int_equal(publish(p, 1), 0);
	broker_kill(*state);
	broker_start(*state);
	for (uint64_t i = 2, n_new = 0; n_new < 10; i++) {
		struct zoe_consumer *one = i % 2 ? a : b;

		assert_int_equal(publish(p, i), 0);
		zoe_consumer_take_events(i % 2 ? b : a);
		frame = take(one);
		assert_int_equal(frame->user[0], ++expected);
		assert_int_equal(frame->lost, 0);
		n_new += frame->generation > 1;
		zoe_frame_release(frame);
		assert_true(now_ms() < deadline);
	}
	zoe_client_destroy(c);
	zoe_client_destroy(d);
	zoe_client_destroy(other);
}

/* Takes what is published until one comes whose number is not below `value`. */
static uint64_t take_until(struct zoe_consumer *s, uint64_t value) {
	const struct zoe_frame *frame;
	uint64_t n = 0, last = 0;

	while (last < value) {
		frame = take(s);
		last = frame->user[0];
		zoe_frame_release(frame);
		n++;
	}
	return n;
}

/* All of a lossless queue are late, and one of them for ever: what is due is the other's. */
static void test_restart_keeps_a_queue_for_any_of_it(void **state) {
	struct zoe_client *c = broker_connect(*state), *d = broker_connect(*state),
			  *e = broker_connect(*state), *other = broker_connect(*state);
	struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = ZOE_QUEUE_RELIABLE,
		.group = "team",
		.timeout_ms = 1000};
	struct zoe_consumer *a = NULL, *b = NULL, *s = consume(e, "slow", ZOE_RELIABLE, 1);
	struct zoe_producer *p;

	assert_int_equal(zoe_consumer_open(c, "slow", &options, &a), 0);
	assert_int_equal(zoe_consumer_open(d, "slow", &options, &b), 0);
	p = produce(other, "slow", 1);
	assert_int_equal(publish(p, 1), 0);
	zoe_frame_release(take(s));
	broker_kill(*state);
	zoe_client_destroy(c);
	broker_start(*state);
	serve_until_back(p, s, 1200);
	for (uint64_t i = 2; i <= 6; i++) {
		assert_int_equal(publish(p, i), 0);
		zoe_frame_release(take(s));
	}
	assert_int_equal(take_until(b, 6), 6);
	zoe_client_destroy(d);
	zoe_client_destroy(e);
	zoe_client_destroy(other);
}

/* The old region and the next do not fit beside each other: the stream begins anew. */
static void test_restart_without_room_begins_anew(void **state) {
	struct zoe_client *c = broker_connect(*state), *other = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .timeout_ms = DEADLINE_MS};
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct zoe_producer *p = NULL;
	const struct zoe_frame *frame;
	uint32_t generation = 1;

	zoe_format_init(&options.format, ZOE_FORMAT_XR24, 512, 512);
	assert_int_equal(zoe_producer_open(other, "cam", &options, &p), 0);
	assert_int_equal(publish_sized(p, 1, 512), 0);
	zoe_frame_release(take(s));
	broker_kill(*state);
	broker_start(*state);
	for (uint64_t i = 2; generation == 1; i++) {
		(void)publish_sized(p, i, 512);
		while (zoe_consumer_next(s, &frame, 20) == 0) {
			generation = frame->flags & ZOE_DISCONT ? 2 : generation;
			zoe_frame_release(frame);
		}
		assert_true(now_ms() < deadline);
	}
	stream_wait(*state, "cam", &(struct stream_state){.n_producers = 1, .n_consumers = 1});
	zoe_client_destroy(c);
	zoe_client_destroy(other);
}

/* Who waited for its turn is back before who had it: the ring of that one is closed, so that it
 * does not feed a ring that nobody looks at. */
static void test_restart_closes_the_ring_of_who_lost_its_turn(void **state) {
	struct zoe_client *c = broker_connect(*state), *d = broker_connect(*state);
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .flags = ZOE_TAKE_TURNS};
	struct zoe_producer *first = NULL, *second = NULL;
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct stream_state now = {0};

	zoe_format_init(&options.format, ZOE_FORMAT_XR24, 16, 16);
	options.timeout_ms = 1000;
	assert_int_equal(zoe_producer_open(c, "cam", &options, &first), 0);
	options.timeout_ms = 0;
	assert_int_equal(zoe_producer_open(d, "cam", &options, &second), 0);
	assert_int_equal(publish(first, 1), 0);
	broker_kill(*state);
	broker_start(*state);
	while (stream_get_state(*state, "cam", &now) < 0 || now.n_producers == 0) {
		assert_true(zoe_producer_is_wanted(second) >= 0);
		assert_true(now_ms() < deadline);
	}
	while (publish(first, 2) == 0) {
		assert_true(now_ms() < deadline);
		poll(NULL, 0, 5);
	}
	zoe_producer_close(second);
	while (publish(first, 3) != 0) {
		assert_true(now_ms() < deadline);
	}
	stream_wait(*state, "cam", &(struct stream_state){.n_producers = 1});
	zoe_client_destroy(c);
	zoe_client_destroy(d);
}

/* Two that feed one stream, one of which comes back later: both go on. */
static void test_restart_brings_both_producers_back(void **state) {
	struct zoe_client *c = broker_connect(*state), *d = broker_connect(*state),
			  *other = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "pair", ZOE_RELIABLE, 1);
	struct zoe_producer *p = produce(other, "pair", 1), *q = produce(d, "pair", 1);
	uint64_t value = 1;
	const struct zoe_frame *frame;

	assert_int_equal(publish(p, value), 0);
	zoe_frame_release(take(s));
	broker_kill(*state);
	broker_start(*state);
	flow_over(p, s, &value);
	for (uint64_t i = 1; i <= 20; i++) {
		assert_int_equal(publish(i % 2 ? q : p, value + i), 0);
		frame = take(s);
		assert_int_equal(frame->user[0], value + i);
		assert_int_equal(frame->lost, 0);
		zoe_frame_release(frame);
	}
	stream_wait(*state, "pair", &(struct stream_state){.n_producers = 2, .n_consumers = 1});
	zoe_client_destroy(c);
	zoe_client_destroy(d);
	zoe_client_destroy(other);
}

/* A producer by hand, which keeps the first ring it was given, whatever it is told. */
struct keeper {
	int socket, fds[3];
	struct zoe_msg_region region;
};

static struct zoe_packet *keeper_wait(struct keeper *keeper, uint32_t type) {
	static struct zoe_packet packet;

	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(raw_receive(keeper->socket, &packet), 0);
		if (packet.header.type == type) {
			assert_int_equal(packet.header.status, 0);
			return &packet;
		}
		zoe_packet_finish(&packet);
	}
	fail();
	return NULL;
}

static void keeper_produce(struct keeper *keeper) {
	struct zoe_msg_produce request;

	memset(&request, 0, sizeof(request));
	zoe_msg_init(&request, ZOE_MSG_PRODUCE, 1);
	request.frame_bytes = 16 * 16 * 4;
	zoe_wire_set_text(request.name, sizeof(request.name), "pair");
	assert_int_equal(raw_send(keeper->socket, &request, sizeof(request)), 0);
}

static void keeper_take_region(struct keeper *keeper, uint32_t type) {
	struct zoe_packet *packet = keeper_wait(keeper, type);

	keeper->region = *(const struct zoe_msg_region *)(const void *)packet->bytes;
	for (unsigned i = 0; i < 3; i++) {
		keeper->fds[i] = zoe_packet_steal_fd(packet, type == ZOE_MSG_PRODUCE ? i : i + 1);
		assert_true(keeper->fds[i] >= 0);
	}
	zoe_packet_finish(packet);
}

static void keeper_open(struct keeper *keeper, const struct broker *broker) {
	keeper->socket = raw_open(broker);
	keeper_produce(keeper);
	keeper_take_region(keeper, ZOE_MSG_PRODUCE);
}

/* As if nothing had ever closed it, and with numbers of its own. */
static void keeper_forge(const struct keeper *keeper) {
	struct zoe_ring_page *page =
		mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, keeper->fds[0], 0);

	assert_ptr_not_equal(page, MAP_FAILED);
	/* [PUB] relaxed: a forger keeps no order. */
	atomic_store_explicit(&page->head, UINT64_C(1) << 40, memory_order_relaxed);
	munmap(page, sizeof(*page));
}

/* Hands its ring to another broker. */
static void keeper_return(struct keeper *keeper, const struct broker *broker) {
	struct zoe_msg_return msg;

	close(keeper->socket);
	keeper->socket = raw_open(broker);
	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_RETURN, 0);
	msg.generation = keeper->region.generation;
	msg.lineage = keeper->region.lineage;
	assert_int_equal(zoe_wire_send(keeper->socket, &msg.header, keeper->fds, 3), 0);
	keeper_produce(keeper);
}

static struct zoe_msg_region keeper_wait_region(struct keeper *keeper) {
	struct zoe_packet *packet = keeper_wait(keeper, ZOE_MSG_MOVED);
	struct zoe_msg_region region = *(const struct zoe_msg_region *)(const void *)packet->bytes;

	zoe_packet_finish(packet);
	return region;
}

static void keeper_close(struct keeper *keeper) {
	close(keeper->socket);
	for (unsigned i = 0; i < 3; i++) {
		close(keeper->fds[i]);
	}
}

/* A consumer by hand: the last of its descriptors is its seat's. */
static void keeper_consume(struct keeper *keeper) {
	struct zoe_msg_consume request;

	memset(&request, 0, sizeof(request));
	zoe_msg_init(&request, ZOE_MSG_CONSUME, 1);
	request.delivery = ZOE_DELIVER_RELIABLE;
	request.hold = 1;
	zoe_wire_set_text(request.name, sizeof(request.name), "pair");
	assert_int_equal(raw_send(keeper->socket, &request, sizeof(request)), 0);
}

static void keeper_return_seat(struct keeper *keeper, const struct broker *broker) {
	struct zoe_msg_return msg;

	close(keeper->socket);
	keeper->socket = raw_open(broker);
	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_RETURN, 0);
	msg.generation = keeper->region.generation;
	msg.lineage = keeper->region.lineage;
	msg.consumer = keeper->region.consumer;
	msg.seat = keeper->region.seat;
	assert_int_equal(zoe_wire_send(keeper->socket, &msg.header, &keeper->fds[2], 1), 0);
	keeper_consume(keeper);
}

/* Asks, and does not read, until the broker takes no more of it. */
static void keeper_fall_deaf(const struct keeper *keeper) {
	const struct zoe_msg_header list = {.type = ZOE_MSG_LIST, .size = sizeof(list)};

	for (unsigned n_refused = 0; n_refused < 20;) {
		int r = zoe_wire_send(keeper->socket, &list, NULL, 0);

		assert_true(r == 0 || r == -EAGAIN);
		n_refused = r == 0 ? 0 : n_refused + 1;
		poll(NULL, 0, r == 0 ? 0 : 5);
	}
}

static uint32_t keeper_get_given(const struct keeper *keeper) {
	const struct zoe_control_page *page =
		mmap(NULL, sizeof(*page), PROT_READ, MAP_SHARED, keeper->fds[2], 0);
	uint32_t given;

	assert_ptr_not_equal(page, MAP_FAILED);
	/* [GIVEN] SC: as a broker that comes next reads it. */
	given = atomic_load_explicit(&page->given, memory_order_seq_cst);
	munmap((void *)(uintptr_t)page, sizeof(*page));
	return given;
}

/* One that comes back while the stream moves: not all have heard, and so nothing is given. */
static void test_restart_gives_nothing_before_all_have_heard(void **state) {
	struct keeper keepers[2], deaf;

	keeper_open(&keepers[0], *state);
	keeper_open(&keepers[1], *state);
	deaf.socket = raw_open(*state);
	keeper_consume(&deaf);
	keeper_take_region(&deaf, ZOE_MSG_CONSUME);
	broker_kill(*state);
	broker_start(*state);
	keeper_return_seat(&deaf, *state);
	keeper_fall_deaf(&deaf);
	keeper_return(&keepers[0], *state);
	stream_wait_generation(*state, "pair", keepers[0].region.generation + 2);
	assert_int_equal(keeper_get_given(&keepers[0]), 0);
	keeper_return(&keepers[1], *state);
	stream_wait(*state, "pair", &(struct stream_state){.n_producers = 2, .n_consumers = 1});
	assert_int_equal(keeper_get_given(&keepers[0]), 0);
	keeper_close(&deaf);
	keeper_wait_region(&keepers[0]);
	assert_int_equal(keeper_get_given(&keepers[0]), 1);
	keeper_close(&keepers[0]);
	keeper_close(&keepers[1]);
}

/* A ring that has a successor is the first to come back; p has the successor. */
static void restart_with_a_stale_ring(struct broker *broker, bool is_forged) {
	struct zoe_client *c = broker_connect(broker), *other = broker_connect(broker);
	struct zoe_consumer *s = consume(c, "pair", ZOE_RELIABLE, 1);
	struct zoe_producer *p = produce(other, "pair", 1);
	struct zoe_msg_region region;
	struct keeper keeper;
	uint64_t value = 1;

	keeper_open(&keeper, broker);
	assert_int_equal(publish(p, value), 0);
	zoe_frame_release(take(s));
	value++;
	assert_int_equal(publish_sized(p, value, 40), 0);
	zoe_frame_release(take(s));
	broker_kill(broker);
	if (is_forged) {
		keeper_forge(&keeper);
	}
	broker_start(broker);
	keeper_return(&keeper, broker);
	flow_over(p, s, &value);
	region = keeper_wait_region(&keeper);
	assert_int_equal(region.lineage, keeper.region.lineage);
	assert_true(region.generation > keeper.region.generation + 1);
	assert_true(region.start >= 3 && region.start <= value);
	keeper_close(&keeper);
	zoe_client_destroy(c);
	zoe_client_destroy(other);
}

static void test_restart_waits_for_who_has_the_newest_ring(void **state) {
	restart_with_a_stale_ring(*state, false);
}

static void test_restart_is_not_cut_back_by_a_forged_ring(void **state) {
	restart_with_a_stale_ring(*state, true);
}

/* Nobody has the successor any more: its numbers cannot be known. */
static void test_restart_without_the_newest_ring_begins_anew(void **state) {
	struct zoe_client *c = broker_connect(*state), *other = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "pair", ZOE_RELIABLE, 1);
	struct zoe_producer *p = produce(other, "pair", 1);
	uint64_t deadline = now_ms() + DEADLINE_MS;
	const struct zoe_frame *frame;
	struct zoe_msg_region region;
	struct keeper keeper;

	keeper_open(&keeper, *state);
	assert_int_equal(publish_sized(p, 1, 40), 0);
	zoe_frame_release(take(s));
	broker_kill(*state);
	zoe_client_destroy(other);
	broker_start(*state);
	keeper_return(&keeper, *state);
	while (!(zoe_consumer_take_events(s) & ZOE_EV_BROKER_BACK)) {
		assert_true(now_ms() < deadline);
	}
	region = keeper_wait_region(&keeper);
	assert_int_not_equal(region.lineage, keeper.region.lineage);
	assert_int_equal(region.start, 1);
	other = broker_connect(*state);
	p = produce(other, "pair", 1);
	assert_int_equal(publish(p, 2), 0);
	frame = take(s);
	assert_int_equal(frame->user[0], 2);
	assert_true(frame->flags & ZOE_DISCONT);
	zoe_frame_release(frame);
	keeper_close(&keeper);
	zoe_client_destroy(c);
	zoe_client_destroy(other);
}

/* What a liar hands in. */
struct lie {
	const char *name; // of the memfds
	int seals;
	bool is_huge;
};

static int lie_make(const struct lie *lie, const char *part) {
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "%s.%s", lie->name, part);
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, lie->is_huge ? INT64_C(1) << 40 : 4096), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, lie->seals), 0);
	return fd;
}

/* Says RETURN with three memfds of its own, and then PRODUCE. */
static void lie_to(const struct broker *broker, const struct lie *lie) {
	struct zoe_msg_return msg;
	struct zoe_msg_produce request;
	static struct zoe_packet packet;
	int socket = raw_open(broker);
	int fds[] = {lie_make(lie, "ring"), lie_make(lie, "frames"), lie_make(lie, "control")};

	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_RETURN, 0);
	msg.generation = 1;
	assert_int_equal(zoe_wire_send(socket, &msg.header, fds, 3), 0);
	memset(&request, 0, sizeof(request));
	zoe_msg_init(&request, ZOE_MSG_PRODUCE, 1);
	zoe_wire_set_text(request.name, sizeof(request.name), "cam");
	assert_int_equal(raw_send(socket, &request, sizeof(request)), 0);
	assert_int_equal(raw_receive(socket, &packet), 0);
	assert_int_equal(packet.header.type, ZOE_MSG_PRODUCE);
	assert_int_equal(packet.header.status, 0);
	assert_int_equal(packet.n_fds, 3); /* a ring of the broker's own */
	zoe_packet_finish(&packet);
	close(socket);
	for (unsigned i = 0; i < 3; i++) {
		close(fds[i]);
	}
	stream_wait(broker, "cam", &(struct stream_state){0});
}

static void test_restart_believes_no_foreign_memory(void **state) {
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

	lie_to(*state, &(struct lie){.name = "cam#1", .seals = 0});
	lie_to(*state, &(struct lie){.name = "cam#1", .seals = F_SEAL_SHRINK});
	lie_to(*state, &(struct lie){.name = "slow#1", .seals = seals});
	/* Of the broker's own user, who can make all that a broker can: its words are checked. */
	lie_to(*state, &(struct lie){.name = "cam#1", .seals = seals});
	lie_to(*state, &(struct lie){.name = "cam#1", .seals = seals, .is_huge = true});
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_restart_stops_no_frame, config),
		BROKER_TEST(test_restart_finds_a_free_name_by_the_one_asked_for, config),
		BROKER_TEST(test_restart_keeps_the_name_that_was_handed_out, config),
		BROKER_TEST(test_restart_loses_nothing_for_every, config),
		BROKER_TEST(test_restart_loses_nothing_for_reliable, config),
		BROKER_TEST(test_restart_brings_back_who_waited_alone, config),
		BROKER_TEST(test_restart_three_times_in_a_row, config),
		BROKER_TEST(test_restart_keeps_the_place_of_who_is_late, config),
		BROKER_TEST(test_restart_gives_up_on_the_dead, config),
		BROKER_TEST(test_restart_keeps_a_queue, config),
		BROKER_TEST(test_restart_keeps_a_queue_for_any_of_it, config),
		BROKER_TEST(test_restart_without_room_begins_anew, narrow),
		BROKER_TEST(test_restart_closes_the_ring_of_who_lost_its_turn, config),
		BROKER_TEST(test_restart_brings_both_producers_back, config),
		BROKER_TEST(test_restart_gives_nothing_before_all_have_heard, config),
		BROKER_TEST(test_restart_waits_for_who_has_the_newest_ring, config),
		BROKER_TEST(test_restart_is_not_cut_back_by_a_forged_ring, config),
		BROKER_TEST(test_restart_without_the_newest_ring_begins_anew, config),
		BROKER_TEST(test_restart_believes_no_foreign_memory, config),
	};

	return cmocka_run_group_tests_name("restart", tests, NULL, NULL);
}
