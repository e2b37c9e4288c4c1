/* SPDX-License-Identifier: MIT */
/*
 * Attacks by number: connections, requests and comings and goings without end.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rogue.h"

#define MANY 200u
#define MOST 64u /* connections of a user that is not the broker's */
#define N_FLOODERS 16

/* Returns: a connection that never blocks, or -1. */
static int knock(const struct scene *scene) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", scene->broker->socket);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static bool is_open(int fd) {
	struct pollfd end = {.fd = fd, .events = POLLRDHUP};

	return fd >= 0 && poll(&end, 1, 0) == 0;
}

static void close_all(const int *fds, unsigned n) {
	for (unsigned i = 0; i < n; i++) {
		if (fds[i] >= 0) {
			close(fds[i]);
		}
	}
}

/* Closes those that were hung up on. Returns: how many are left. */
static unsigned keep_open(int *fds, unsigned n) {
	unsigned n_open = 0;

	for (unsigned i = 0; i < n; i++) {
		if (fds[i] >= 0 && !is_open(fds[i])) {
			close(fds[i]);
			fds[i] = -1;
		}
		n_open += fds[i] >= 0;
	}
	return n_open;
}

/* As many as one can get, kept; and what of them is left when the broker has seen them all. */
static void flood_of_connections(const struct scene *scene) {
	uint64_t start = now_ms();
	unsigned n_open = MANY, n = 0;
	int fds[MANY];

	memset(fds, 0xff, sizeof(fds));
	while (attack_goes_on(start)) {
		for (unsigned i = 0; i < MANY; i++) {
			n += fds[i] < 0;
			fds[i] = fds[i] < 0 ? knock(scene) : fds[i];
		}
		(void)keep_open(fds, MANY);
	}
	while (scene->is_stranger && n_open > MOST && now_ms() - start < 4000) {
		poll(NULL, 0, 20);
		n_open = keep_open(fds, MANY);
	}
	n_open = keep_open(fds, MANY);
	attack_claim(!scene->is_stranger || (n_open > 0 && n_open <= MOST),
		"%u connections are let in", n_open);
	attack_saw("%u of %u let in", n_open, n);
	close_all(fds, MANY);
}

static void flood_of_hang_ups(const struct scene *scene) {
	uint64_t start = now_ms();
	unsigned n = 0;

	while (attack_goes_on(start)) {
		int fd = knock(scene);

		n += fd >= 0;
		close_all(&fd, 1);
	}
	attack_saw("%u connections came and went", n);
}

/* Say nothing; say HELLO only; never read. */
static void flood_of_the_half_open(const struct scene *scene) {
	struct zoe_msg_header list = {.type = ZOE_MSG_LIST, .size = sizeof(list)};
	int fds[45];
	uint64_t start = now_ms();
	unsigned n_open = 45;

	for (unsigned i = 0; i < 45; i++) {
		fds[i] = raw_connect(scene->broker);
		if (i % 3 > 0) {
			uint64_t nonce = raw_hello(fds[i]);

			for (unsigned k = 0; i % 3 == 2 && k < 5000; k++) {
				if (k == 0) {
					raw_echo(fds[i], nonce);
				}
				if (send(fds[i], &list, sizeof(list), MSG_DONTWAIT | MSG_NOSIGNAL) <
					0) {
					break;
				}
			}
		}
	}
	while (n_open > 0 && now_ms() - start < 12000) {
		n_open = 0;
		for (unsigned i = 0; i < 45; i++) {
			n_open += is_open(fds[i]);
		}
		poll(NULL, 0, 50);
	}
	attack_claim(n_open == 0, "%u are kept for ever", n_open);
	attack_saw("all dropped after %llu ms", (unsigned long long)(now_ms() - start));
	close_all(fds, 45);
}

/* Requests as fast as they go from many connections, answers read or not. */
static void flood_of_requests(
	const struct scene *scene, const struct zoe_msg_header *msg, bool is_read) {
	int fds[N_FLOODERS];
	uint64_t start = now_ms();
	unsigned long n = 0;

	for (unsigned i = 0; i < N_FLOODERS; i++) {
		fds[i] = raw_open(scene->broker);
	}
	while (attack_goes_on(start)) {
		for (unsigned i = 0; i < N_FLOODERS; i++) {
			while (send(fds[i], msg, msg->size, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
				n++;
			}
			if (is_read) {
				(void)rogue_drain(fds[i]);
			}
		}
	}
	attack_saw("%lu requests", n);
	close_all(fds, N_FLOODERS);
}

static void flood_of_lists(const struct scene *scene) {
	struct zoe_msg_header msg = {.type = ZOE_MSG_LIST, .size = sizeof(msg), .serial = 1};

	flood_of_requests(scene, &msg, true);
}

static void flood_of_unread_lists(const struct scene *scene) {
	struct zoe_msg_header msg = {.type = ZOE_MSG_LIST, .size = sizeof(msg), .serial = 1};

	flood_of_requests(scene, &msg, false);
}

static void flood_of_watches(const struct scene *scene) {
	struct zoe_msg_header msg = {.type = ZOE_MSG_WATCH, .size = sizeof(msg), .serial = 1};

	flood_of_requests(scene, &msg, true);
}

static void flood_of_statuses(const struct scene *scene) {
	struct zoe_msg_name msg;

	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_STATUS, 1);
	flood_of_requests(scene, &msg.header, true);
}

static void leave(struct rogue *r) {
	struct zoe_msg_leave msg;

	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_LEAVE, 0);
	(void)raw_send(r->socket, &msg, sizeof(msg));
}

/* Consumers come and go: each changes the roster that producers must know. */
static void flood_of_consumers_that_leave(const struct scene *scene) {
	uint64_t start = now_ms();
	unsigned n = 0;

	for (; attack_goes_on(start); n++) {
		struct rogue r;

		rogue_consume(&r, scene, n % 2 ? "desk" : "cam");
		attack_claim(r.status == 0 || r.status == -EBUSY, "CONSUME: %d", r.status);
		leave(&r);
		rogue_close(&r);
	}
	attack_saw("%u came and went", n);
}

/* The same without a word, frames held. */
static void flood_of_consumers_that_vanish(const struct scene *scene) {
	uint64_t start = now_ms();
	unsigned n = 0, n_refused = 0;

	for (; attack_goes_on(start); n++) {
		int fd = knock(scene);
		struct rogue r;

		if (!is_open(fd)) {
			close_all(&fd, 1);
			break; /* one user's connections are all used up by those that hold */
		}
		close(fd);
		rogue_consume(&r, scene, n % 2 ? "desk" : "cam");
		n_refused += r.status < 0;
		if (r.seat) {
			atomic_store_explicit(&r.seat->pin[0], 1 + n % 8, memory_order_seq_cst);
		}
		rogue_close(&r);
	}
	attack_saw("%u vanished with frames held, %u were refused", n - n_refused, n_refused);
}

/* All seats that there are. */
static void flood_of_seats(const struct scene *scene) {
	static struct rogue seats[32];
	unsigned n = 0;

	while (n < 32) {
		rogue_consume(&seats[n], scene, "cam");
		if (seats[n++].status < 0) {
			break;
		}
	}
	attack_claim(seats[n - 1].status == -EBUSY, "seat %u: %d", n, seats[n - 1].status);
	attack_saw("%u seats, then: all taken", n - 1);
	while (n > 0) {
		rogue_close(&seats[--n]);
	}
}

/* Producers that vanish: each makes its stream move. */
static void flood_of_producers_that_vanish(const struct scene *scene) {
	struct zoe_client *c = broker_connect(scene->broker);
	struct zoe_consumer *s = consume(c, "loose", ZOE_EVERY, 1);
	uint64_t start = now_ms();
	unsigned n = 0, n_refused = 0;
	const struct zoe_frame *frame;

	for (; attack_goes_on(start); n++) {
		struct rogue r;

		rogue_produce(&r, scene, "loose");
		n_refused += r.status < 0;
		rogue_close(&r);
		if (zoe_consumer_next(s, &frame, 0) == 0) {
			zoe_frame_release(frame);
		}
	}
	attack_claim(n_refused > 0, "%u moves are not held up", n);
	attack_saw("%u came, %u of them refused", n, n_refused);
	zoe_client_destroy(c);
}

static void flood_of_growth(const struct scene *scene) {
	struct zoe_msg_grow msg;
	struct rogue r;
	uint64_t start = now_ms();
	unsigned n = 0, n_grown = 0, n_refused = 0;

	memset(&msg, 0, sizeof(msg));
	rogue_produce(&r, scene, "play/grow");
	attack_claim(r.status == 0, "PRODUCE: %d", r.status);
	for (; attack_goes_on(start); n++) {
		int status;

		zoe_msg_init(&msg, ZOE_MSG_GROW, 8);
		msg.generation = r.region.generation + n_grown;
		msg.frame_bytes = n % 8 == 7 ? UINT64_MAX : r.region.geometry.slot_bytes + n;
		status = rogue_ask(r.socket, &msg.header);
		attack_claim(status != -EPROTO && status != -EPIPE, "GROW: %d", status);
		n_grown += status == 0;
		n_refused += status < 0;
	}
	attack_saw("%u asked, %u refused", n, n_refused);
	rogue_close(&r);
}

/* Names and streams without end, from a pattern. */
static void flood_of_streams(const struct scene *scene) {
	static struct rogue r[32];
	unsigned n_made = 0;

	for (unsigned i = 0; i < 32; i++) {
		char name[32];

		snprintf(name, sizeof(name), "play/%u", i);
		rogue_produce(&r[i], scene, name);
		n_made += r[i].status == 0;
	}
	attack_claim(n_made > 0 && n_made <= 8, "%u streams of a pattern for 8", n_made);
	attack_saw("%u of 32 made", n_made);
	for (unsigned i = 0; i < 32; i++) {
		rogue_close(&r[i]);
	}
}

/* Never reads the descriptors it asks for: they count against the broker. */
static void flood_of_unread_descriptors(const struct scene *scene) {
	struct zoe_msg_consume ask;
	struct zoe_msg_leave leave_all;
	unsigned n = 0;
	int fd = raw_open(scene->broker);

	memset(&ask, 0, sizeof(ask));
	memset(&leave_all, 0, sizeof(leave_all));
	zoe_msg_init(&ask, ZOE_MSG_CONSUME, 2);
	zoe_msg_init(&leave_all, ZOE_MSG_LEAVE, 0);
	zoe_wire_set_text(ask.name, sizeof(ask.name), "desk");
	while (n < 5000 && raw_send(fd, &ask, sizeof(ask)) == 0 &&
		raw_send(fd, &leave_all, sizeof(leave_all)) == 0) {
		n++;
	}
	attack_claim(n < 5000, "lent for ever");
	attack_saw("dropped after about %u", n);
	close(fd);
}

const struct attack flood_attacks[] = {
	{"flood: connections", ATTACK_AS_STRANGER, flood_of_connections},
	{"flood: hang-ups", ATTACK_AS_STRANGER, flood_of_hang_ups},
	{"flood: half-open, never reads", ATTACK_AS_STRANGER, flood_of_the_half_open},
	{"flood: LIST", ATTACK_AS_STRANGER, flood_of_lists},
	{"flood: LIST, never read", ATTACK_AS_STRANGER, flood_of_unread_lists},
	{"flood: WATCH", ATTACK_AS_STRANGER, flood_of_watches},
	{"flood: STATUS", ATTACK_AS_STRANGER, flood_of_statuses},
	{"flood: consumers that leave", ATTACK_AS_STRANGER, flood_of_consumers_that_leave},
	{"flood: consumers that vanish", ATTACK_AS_STRANGER, flood_of_consumers_that_vanish},
	{"flood: all seats", ATTACK_AS_STRANGER, flood_of_seats},
	{"flood: producers that vanish", ATTACK_AS_STRANGER, flood_of_producers_that_vanish},
	{"flood: GROW", ATTACK_AS_STRANGER, flood_of_growth},
	{"flood: streams of a pattern", ATTACK_AS_STRANGER, flood_of_streams},
	{"flood: unread descriptors", ATTACK_AS_STRANGER, flood_of_unread_descriptors},
	{NULL, ATTACK_AS_STRANGER, NULL},
};
