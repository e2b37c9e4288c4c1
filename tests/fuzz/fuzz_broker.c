/* SPDX-License-Identifier: MIT */
/*
 * The whole broker in this process, with real sockets and real memory, and clients that say and
 * write what they like. Input: steps, each {u8 what, u8 who, values}.
 * After every step the broker's books must balance; at the end a client that did nothing wrong is
 * still served, and when all have left nothing is left of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "adopt.h"
#include "broker_books.h"
#include "broker_peer.h"
#include "broker_start.h"
#include "client.h"
#include "server.h"
#include "stream.h"

enum { N_PEERS = 5, STRANGER_UID = 12345, WITNESS = N_PEERS, MAX_STEPS = 100, MAX_BYTES = 2048 };

static const char *const names[] = {"a", "b", "q/1", "q/2", "q/3", "x", "a-2", "", "../a"};
static const char *const groups[] = {"", "g", "h"};

struct world {
	struct server *server;
	struct peer peers[N_PEERS + 1];
	uint64_t n_connections;
	bool has_new_config;
};

/* One round of the loop, and what it does before it would sleep. */
static void world_run(struct world *w) {
	ev_run(w->server->loop, EVRUN_NOWAIT);
	ev_feed_event(w->server->loop, &w->server->settle, EV_PREPARE);
	ev_invoke_pending(w->server->loop);
}

/* The broker's end of a peer. Returns: NULL = gone. */
static struct client *find_client(struct world *w, const struct peer *peer) {
	struct client *client;
	char app[32];

	snprintf(app, sizeof(app), "%llu", (unsigned long long)peer->number);
	list_for_each(client, &w->server->clients, link) {
		if (strcmp(client->app, app) == 0) {
			return client;
		}
	}
	return NULL;
}

static void peer_greet(struct world *w, struct peer *peer) {
	struct zoe_msg_hello hello;
	struct zoe_msg_echo echo = {.nonce = 0};

	memset(&hello, 0, sizeof(hello));
	zoe_msg_init(&hello, ZOE_MSG_HELLO, 1);
	hello.protocol_version = hello.ring_version = 1;
	peer->number = ++w->n_connections;
	snprintf(hello.app, sizeof(hello.app), "%llu", (unsigned long long)peer->number);
	peer_send(peer, &hello, sizeof(hello));
	world_run(w);
	peer_receive(peer);
	zoe_msg_init(&echo, ZOE_MSG_ECHO, 2);
	echo.nonce = peer->nonce;
	peer_send(peer, &echo, sizeof(echo));
	world_run(w);
}

static void step_connect(struct world *w, struct peer *peer, struct input *in) {
	struct client *client = NULL;

	if (peer->fd >= 0 || !peer_open(peer, w->server->socket_path)) {
		return;
	}
	world_run(w);
	if (input_below(in, 16) != 15) {
		peer_greet(w, peer);
		client = find_client(w, peer);
	}
	if (client && peer->number % 2) {
		client->who.uid = STRANGER_UID;
	}
}

static void witness_come(struct world *w) {
	must(peer_open(&w->peers[WITNESS], w->server->socket_path));
	world_run(w);
	peer_greet(w, &w->peers[WITNESS]);
}

/* Any bytes under any type; the size tells the truth but for one time in eight. */
static void step_raw(const struct peer *peer, struct input *in) {
	uint32_t type = input_below(in, 20), size = input_u16(in) % MAX_BYTES;
	uint64_t bytes[MAX_BYTES / 8];
	struct zoe_msg_header header = {.type = type, .serial = 3, .size = size};

	if (input_below(in, 8) == 7) {
		header.size = input_u32(in);
	}
	input_copy(in, bytes, size);
	memcpy(bytes, &header, sizeof(header));
	peer_send(peer, bytes, size);
}

static uint64_t read_frame_bytes(struct input *in) {
	uint32_t how = input_below(in, 4);

	return how == 3 ? input_u64(in) : (uint64_t)input_u8(in) << (how * 7);
}

static void step_produce(const struct peer *peer, struct input *in) {
	struct zoe_msg_produce msg;

	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_PRODUCE, 4);
	snprintf(msg.name, sizeof(msg.name), "%s", names[input_below(in, n_elements(names))]);
	msg.flags = input_below(in, 8);
	msg.open = input_below(in, 4);
	msg.frame_bytes = read_frame_bytes(in);
	peer_send(peer, &msg, sizeof(msg));
}

static void step_consume(const struct peer *peer, struct input *in) {
	struct zoe_msg_consume msg;

	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_CONSUME, 5);
	snprintf(msg.name, sizeof(msg.name), "%s", names[input_below(in, n_elements(names))]);
	msg.flags = input_below(in, 2);
	msg.hold = input_below(in, 4);
	msg.delivery = input_below(in, ZOE_N_DELIVERIES);
	if (msg.delivery >= ZOE_DELIVER_QUEUE) {
		snprintf(msg.group, sizeof(msg.group), "%s",
			groups[input_below(in, n_elements(groups))]);
	}
	peer_send(peer, &msg, sizeof(msg));
}

static void step_short(const struct peer *peer, struct input *in) {
	static const uint32_t types[] = {ZOE_MSG_LIST, ZOE_MSG_WATCH, ZOE_MSG_BELL, ZOE_MSG_END};
	struct zoe_msg_name msg;

	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, types[input_below(in, n_elements(types))], 6);
	if (input_below(in, 4) == 0) {
		msg.header.type = ZOE_MSG_STATUS;
		snprintf(msg.name, sizeof(msg.name), "%s",
			names[input_below(in, n_elements(names))]);
	}
	peer_send(peer, &msg, sizeof(msg));
}

/* What a producer says about its generation. */
static void step_tell(const struct peer *peer, struct input *in) {
	uint32_t generation = peer->generation - 2 + input_below(in, 5), what = input_below(in, 4);
	struct zoe_msg_grow grow = {.generation = generation};
	struct zoe_msg_ack ack = {.generation = generation};
	struct zoe_msg_leave leave = {.generation = generation};
	struct zoe_msg_report report = {.generation = generation, .consumer = peer->consumer};

	switch (what) {
	case 0:
		zoe_msg_init(&grow, ZOE_MSG_GROW, 7);
		grow.frame_bytes = read_frame_bytes(in);
		peer_send(peer, &grow, sizeof(grow));
		break;
	case 1:
		zoe_msg_init(&ack, ZOE_MSG_ROSTER_ACK, 0);
		ack.n_seats = peer->n_seats - (input_below(in, 4) == 3 ? input_u8(in) : 0);
		peer_send(peer, &ack, sizeof(ack));
		break;
	case 2:
		zoe_msg_init(&leave, ZOE_MSG_LEAVE, 0);
		leave.generation = input_below(in, 2) ? 0 : generation;
		peer_send(peer, &leave, sizeof(leave));
		break;
	default:
		zoe_msg_init(&report, ZOE_MSG_REPORT, 0);
		report.seat = input_below(in, 66);
		peer_send(peer, &report, sizeof(report));
		break;
	}
}

/* A client writes what it was lent for writing. */
static void step_scribble(const struct peer *peer, struct input *in) {
	const struct zoe_ring ring = {.geo = peer->geometry, .ring = peer->ring};
	uint32_t how = input_below(in, 5), at = input_u8(in), back = input_below(in, 8);

	if (peer->seat) {
		uint64_t *words = how == 0 && peer->group ? peer->group : peer->seat;

		words[how < 4 ? at % 16 : at % 512] = input_u64(in);
	}
	if (peer->ring) {
		struct zoe_ring_page *page = zoe_ring_get_page(&ring);
		uint64_t head = atomic_load_explicit(&page->head, memory_order_relaxed);
		uint64_t s = zoe_head_seq(head) - back, word = input_u64(in);
		uint32_t slot = at % ring.geo.n_slots;
		const uint64_t state[] = {zoe_state_pack(ZOE_SLOT_WRITING, peer->owner, s),
			zoe_state_pack(ZOE_SLOT_CLAIMING, peer->owner, s),
			zoe_state_pack(ZOE_SLOT_PUBLISHED, 0, s), word};

		if (how == 0) {
			((uint64_t *)peer->ring)[word % (ring.geo.ring_bytes / 8)] = s;
		} else if (how == 1) {
			atomic_store_explicit(zoe_ring_get_state(&ring, slot), state[word % 4],
				memory_order_relaxed);
		} else if (how == 2) {
			atomic_store_explicit(zoe_ring_get_order(&ring, s), zoe_order_pack(s, slot),
				memory_order_relaxed);
		} else {
			atomic_store_explicit(
				&page->head, how == 3 ? head + 2 : word, memory_order_relaxed);
		}
	}
}

/* What one has of an earlier broker, or of this one, or somebody else has. */
static void step_return(struct world *w, const struct peer *peer, struct input *in) {
	uint32_t whose = input_below(in, 2 * N_PEERS), edit = input_below(in, 8);
	const struct peer *other = whose < N_PEERS ? &w->peers[whose] : peer;
	struct zoe_msg_return msg = other->own;

	if (msg.header.size == 0) {
		zoe_msg_init(&msg, ZOE_MSG_RETURN, 0);
	}
	msg.generation += edit == 1;
	msg.seat += edit == 2;
	msg.consumer += edit == 3;
	msg.lineage += edit == 4;
	peer_return(peer, other, &msg);
}

/* The broker is killed, and another one comes. */
static void step_restart(struct world *w) {
	for (uint32_t i = 0; i <= N_PEERS; i++) {
		peer_receive(&w->peers[i]);
		peer_hang_up(&w->peers[i]);
	}
	server_destroy(w->server);
	w->server = broker_start();
	w->has_new_config = false;
	witness_come(w);
}

static void step_administer(struct world *w, const struct peer *peer, struct input *in) {
	struct zoe_msg_reload reload = {.flags = input_below(in, 2)};
	struct zoe_msg_kick kick;

	if (input_below(in, 2)) {
		zoe_msg_init(&reload, ZOE_MSG_RELOAD, 8);
		w->server->config_path = broker_get_config_path(input_u8(in));
		w->has_new_config = true;
		peer_send(peer, &reload, sizeof(reload));
		return;
	}
	memset(&kick, 0, sizeof(kick));
	zoe_msg_init(&kick, ZOE_MSG_KICK, 10);
	snprintf(kick.name, sizeof(kick.name), "%s", names[input_below(in, n_elements(names))]);
	kick.pid = input_below(in, 4) ? 0 : getpid();
	if (kick.pid == 0) {
		snprintf(kick.app, sizeof(kick.app), "%u", input_below(in, 12));
	}
	peer_send(peer, &kick, sizeof(kick));
}

/* The connection ends; its process lives on, or not. */
static void step_end(struct world *w, struct peer *peer, struct input *in) {
	struct client *client = find_client(w, peer);

	if (client && input_below(in, 2)) {
		client->is_dead = true;
		client_doom(client);
	}
	if (input_below(in, 2)) {
		peer_close(peer);
	} else {
		peer_hang_up(peer);
	}
}

static void timer_fire(struct world *w, struct ev_timer *timer) {
	if (ev_is_active(timer)) {
		ev_feed_event(w->server->loop, timer, EV_TIMER);
	}
}

/* Time passes for one timer that runs, but for the witness, which would not keep anyone waiting. */
static void step_time(struct world *w, struct input *in) {
	uint32_t at = input_below(in, 8), what = input_below(in, 6);
	const struct client *witness = find_client(w, &w->peers[WITNESS]);
	struct client *client;
	struct stream *stream;

	list_for_each(client, &w->server->clients, link) {
		if (client != witness && what < 2 && at-- == 0) {
			timer_fire(w, what == 0 ? &client->timer : &client->retry);
		}
	}
	list_for_each(stream, &w->server->registry.streams, link) {
		if (what < 2 || at-- != 0) {
			continue;
		}
		if (what == 5 && stream->adoption) {
			timer_fire(w, &stream->adoption->settle);
		} else if (what < 5) {
			timer_fire(w, what == 2   ? &stream->linger
				      : what == 3 ? &stream->sweep
						  : &stream->hearing);
		}
	}
}

/* Steps that need no connection. Returns: whether it was one. */
static bool world_step_apart(struct world *w, struct peer *peer, struct input *in, uint32_t what) {
	if (what == 0) {
		step_connect(w, peer, in);
	} else if (what == 1) {
		step_scribble(peer, in);
	} else if (what == 2) {
		step_time(w, in);
	} else if (what == 3) {
		peer_receive(peer);
	} else if (what == 4 && input_below(in, 8) == 7) {
		step_restart(w);
	}
	return what <= 4;
}

static void world_step(struct world *w, struct input *in) {
	uint32_t what = input_below(in, 18);
	struct peer *peer = &w->peers[input_below(in, N_PEERS)];

	if (world_step_apart(w, peer, in, what)) {
		return; /* what it is good for shows after the next one */
	}
	if (peer->fd < 0) {
		return;
	}
	if (what == 5) {
		step_raw(peer, in);
	} else if (what < 8) {
		step_produce(peer, in);
	} else if (what < 10) {
		step_consume(peer, in);
	} else if (what == 10) {
		step_short(peer, in);
	} else if (what < 13) {
		step_tell(peer, in);
	} else if (what < 15) {
		step_return(w, peer, in);
	} else if (what == 15) {
		step_administer(w, peer, in);
	} else if (what == 16) {
		step_end(w, peer, in);
	} else {
		peer_receive(peer); /* and speaks: who reads never is dropped */
		step_scribble(peer, in);
	}
	world_run(w);
	books_check(w->server, w->has_new_config);
}

/* The one that did nothing wrong asks for the list, and has it to the end. */
static void check_witness(struct world *w) {
	const struct zoe_msg_header list = {
		.type = ZOE_MSG_LIST, .size = sizeof(list), .serial = 9};
	struct peer *witness = &w->peers[WITNESS];
	uint32_t n_last = witness->n_last;

	peer_send(witness, &list, sizeof(list));
	world_run(w);
	peer_receive(witness);
	must(witness->n_last == n_last + 1);
}

static void check_nothing_left(struct world *w) {
	struct client *client;
	struct stream *stream;

	for (uint32_t i = 0; i < N_PEERS; i++) {
		peer_close(&w->peers[i]);
	}
	world_run(w);
	list_for_each(client, &w->server->clients, link) {
		if (client != find_client(w, &w->peers[WITNESS])) {
			client->is_dead = true;
			client_doom(client);
		}
	}
	world_run(w);
	books_check(w->server, w->has_new_config);
	must(w->server->n_clients == 1 && list_is_empty(&w->server->registry.parked));
	list_for_each(stream, &w->server->registry.streams, link) {
		must(!stream_has_clients(stream));
		must(!stream->config->is_pattern || ev_is_active(&stream->linger));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct input in = {data, size};
	unsigned n_open = fds_count();
	struct world w = {.server = broker_start()};

	for (uint32_t i = 0; i <= N_PEERS; i++) {
		peer_init(&w.peers[i]);
	}
	witness_come(&w);
	for (unsigned i = 0; i < MAX_STEPS && in.left > 0; i++) {
		world_step(&w, &in);
	}
	check_witness(&w);
	check_nothing_left(&w);
	peer_close(&w.peers[WITNESS]);
	server_destroy(w.server);
	must(fds_count() == n_open);
	return 0;
}
