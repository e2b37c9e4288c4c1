/* SPDX-License-Identifier: MIT */
#include "rogue.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct zoe_packet packet;

static void map_part(struct rogue *r, unsigned part, size_t bytes) {
	bool is_writable;
	void *at;

	if (r->fds[part] < 0) {
		return;
	}
	is_writable = (fcntl(r->fds[part], F_GETFL) & O_ACCMODE) == O_RDWR;
	at = mmap(NULL, bytes, is_writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
		r->fds[part], 0);
	assert_ptr_not_equal(at, MAP_FAILED);
	r->maps[part].at = at;
	r->maps[part].bytes = bytes;
}

static void take_region(struct rogue *r) {
	const struct zoe_msg_region *msg = zoe_packet_get(&packet, sizeof(*msg));

	r->status = packet.header.status;
	if (r->status < 0 || !msg) {
		return;
	}
	r->region = *msg;
	for (unsigned i = 0; i < ROGUE_N_PARTS; i++) {
		r->fds[i] = zoe_packet_steal_fd(&packet, i);
	}
	map_part(r, ROGUE_RING, (size_t)msg->geometry.ring_bytes);
	map_part(r, ROGUE_FRAMES, (size_t)msg->geometry.frames_bytes);
	map_part(r, ROGUE_CONTROL, sizeof(struct zoe_control_page));
	map_part(r, ROGUE_SEAT, ZOE_SEAT_PAGE_BYTES);
	map_part(r, ROGUE_GROUP, sizeof(struct zoe_group));
	r->ring = (struct zoe_ring){.geo = msg->geometry,
		.ring = r->maps[ROGUE_RING].at,
		.frames = r->maps[ROGUE_FRAMES].at,
		.control = r->maps[ROGUE_CONTROL].at};
	r->group = r->maps[ROGUE_GROUP].at;
	if (r->maps[ROGUE_SEAT].at) {
		r->seat = zoe_seat_at(r->maps[ROGUE_SEAT].at, msg->seat);
	}
}

void rogue_wait_turn(struct rogue *r) {
	while (r->status == 0 && (r->region.flags & ZOE_REGION_PARKED)) {
		assert_int_equal(raw_receive(r->socket, &packet), 0);
		take_region(r);
		zoe_packet_finish(&packet);
	}
}

void rogue_enter(struct rogue *r, int socket, const struct zoe_msg_header *request) {
	*r = (struct rogue){.socket = socket};
	memset(r->fds, 0xff, sizeof(r->fds)); /* all -1 */
	assert_int_equal(raw_send(r->socket, request, request->size), 0);
	assert_int_equal(raw_receive(r->socket, &packet), 0);
	assert_int_equal(packet.header.type, request->type);
	take_region(r);
	zoe_packet_finish(&packet);
}

void rogue_produce(struct rogue *r, const struct scene *scene, const char *stream) {
	struct zoe_msg_produce msg;

	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_PRODUCE, 5);
	zoe_wire_set_text(msg.name, sizeof(msg.name), stream);
	rogue_enter(r, raw_open(scene->broker), &msg.header);
}

void rogue_consume_as(struct rogue *r, const struct scene *scene, const struct rogue_wish *wish) {
	struct zoe_msg_consume msg;

	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_CONSUME, 6);
	msg.delivery = wish->delivery;
	msg.hold = wish->hold;
	zoe_wire_set_text(msg.name, sizeof(msg.name), wish->stream);
	zoe_wire_set_text(msg.group, sizeof(msg.group), wish->group ? wish->group : "");
	rogue_enter(r, raw_open(scene->broker), &msg.header);
}

void rogue_consume(struct rogue *r, const struct scene *scene, const char *stream) {
	rogue_consume_as(r, scene,
		&(struct rogue_wish){.stream = stream, .delivery = ZOE_DELIVER_EVERY, .hold = 3});
}

void rogue_close(struct rogue *r) {
	for (unsigned i = 0; i < ROGUE_N_PARTS; i++) {
		if (r->maps[i].at) {
			munmap(r->maps[i].at, r->maps[i].bytes);
		}
		if (r->fds[i] >= 0) {
			close(r->fds[i]);
		}
	}
	if (r->socket >= 0) {
		close(r->socket);
	}
}

/* The next packet that answers. Returns: 0; -EPIPE, -ECONNRESET. */
static int receive_answer(int socket, uint32_t type) {
	for (;;) {
		int r = raw_receive(socket, &packet);

		if (r < 0) {
			return r == -ECONNRESET ? -EPIPE : r;
		}
		if (packet.header.type == type || packet.header.status == -EPROTO) {
			return 0;
		}
		zoe_packet_finish(&packet);
	}
}

int rogue_ask(int socket, const struct zoe_msg_header *msg) {
	int r = raw_send(socket, msg, msg->size);

	if (r == 0) {
		r = receive_answer(socket, msg->type);
	}
	if (r == 0) {
		r = packet.header.status;
		zoe_packet_finish(&packet);
	}
	return r == -ECONNRESET ? -EPIPE : r;
}

int rogue_list(int socket) {
	struct zoe_msg_header list = {.type = ZOE_MSG_LIST, .size = sizeof(list), .serial = 9};
	int r = raw_send(socket, &list, sizeof(list)), n = 0;

	while (r == 0) {
		uint32_t flags;

		r = receive_answer(socket, ZOE_MSG_LIST);
		r = r == 0 ? packet.header.status : r;
		flags = packet.header.flags;
		zoe_packet_finish(&packet);
		if (r < 0 || !(flags & ZOE_MSG_MORE)) {
			break;
		}
		n++;
	}
	return r < 0 ? -EPIPE : n;
}

int rogue_drain(int socket) {
	int r;

	do {
		r = zoe_wire_receive(socket, &packet);
		zoe_packet_finish(&packet);
	} while (r == 0);
	return r == -EAGAIN ? 0 : r;
}

uint32_t rogue_random(uint64_t *seed) {
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

void rogue_scribble(void *at, size_t bytes, uint64_t *seed) {
	_Atomic uint32_t *words = at;

	for (size_t i = 0; i < bytes / sizeof(*words); i++) {
		uint32_t value = rogue_random(seed);

		/* Near enough to sense now and then. */
		atomic_store_explicit(&words[i],
			value % 4 == 0   ? 0
			: value % 4 == 1 ? value % 64
					 : value * 2654435761u,
			memory_order_relaxed);
	}
}
