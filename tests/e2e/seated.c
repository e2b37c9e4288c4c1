/* SPDX-License-Identifier: MIT */
#include "seated.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct zoe_packet packet;

struct zoe_packet *seated_get_packet(void) {
	return &packet;
}

static void *map(int fd, size_t size) {
	bool is_writable = (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
	void *page = mmap(
		NULL, size, is_writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(page, MAP_FAILED);
	return page;
}

static void unmap(void *page, size_t size) {
	if (page) {
		munmap(page, size);
	}
}

static void drop_maps(struct seated *s) {
	union {
		const struct zoe_control_page *read_only;
		void *pointer;
	} control = {.read_only = s->control};

	unmap(s->ring, sizeof(*s->ring));
	unmap(control.pointer, sizeof(*s->control));
	unmap(s->seat_page, ZOE_SEAT_PAGE_BYTES);
	unmap(s->group, sizeof(*s->group));
	s->ring = NULL;
	s->control = NULL;
	s->seat_page = NULL;
	s->seat = NULL;
	s->group = NULL;
	s->group_ino = 0;
}

static uint64_t get_ino(int fd) {
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

static void take_region(struct seated *s) {
	const struct zoe_msg_region *msg = zoe_packet_get(&packet, sizeof(*msg));

	drop_maps(s);
	s->status = packet.header.status;
	s->n_fds = packet.n_fds;
	if (s->status < 0) {
		const struct zoe_msg_error *error = zoe_packet_get(&packet, sizeof(*error));

		assert_non_null(error);
		memcpy(s->error, error->text, sizeof(s->error));
		return;
	}
	assert_non_null(msg);
	s->region = *msg;
	if (packet.n_fds > 0) {
		s->ring = map(packet.fds[0], sizeof(*s->ring));
		s->control = map(packet.fds[2], sizeof(*s->control));
	}
	if (packet.n_fds > 3) {
		s->seat_page = map(packet.fds[3], ZOE_SEAT_PAGE_BYTES);
		s->seat = zoe_seat_at(s->seat_page, msg->seat);
	}
	if (packet.n_fds > 4) {
		s->group = map(packet.fds[4], sizeof(*s->group));
		s->group_ino = get_ino(packet.fds[4]);
	}
}

static bool is_region(uint32_t type) {
	return type == ZOE_MSG_PRODUCE || type == ZOE_MSG_CONSUME || type == ZOE_MSG_START ||
	       type == ZOE_MSG_MOVED;
}

static void receive(struct seated *s) {
	assert_int_equal(raw_receive(s->socket, &packet), 0);
	if (is_region(packet.header.type)) {
		take_region(s);
	}
}

struct zoe_packet *seated_wait(struct seated *s, uint32_t type) {
	receive(s);
	while (packet.header.type != type) {
		zoe_packet_finish(&packet);
		receive(s);
	}
	return &packet;
}

void seated_wait_region(struct seated *s, uint32_t type) {
	zoe_packet_finish(seated_wait(s, type));
}

bool seated_was_told(struct seated *s, uint32_t type) {
	struct zoe_msg_header list = {.type = ZOE_MSG_LIST, .size = sizeof(list), .serial = 77};
	bool was_told = false, is_last = false;

	/* What the broker has said before it answers this, it has said. */
	assert_int_equal(raw_send(s->socket, &list, sizeof(list)), 0);
	while (!is_last) {
		receive(s);
		was_told = was_told || packet.header.type == type;
		is_last =
			packet.header.type == ZOE_MSG_LIST && !(packet.header.flags & ZOE_MSG_MORE);
		zoe_packet_finish(&packet);
	}
	return was_told;
}

void seated_produce(
	struct seated *s, const struct broker *broker, const struct production *production) {
	struct zoe_msg_produce msg;

	memset(&msg, 0, sizeof(msg));
	*s = (struct seated){.socket = raw_open(broker), .serial = 5};
	zoe_msg_init(&msg, ZOE_MSG_PRODUCE, s->serial);
	msg.flags = production->flags;
	msg.frame_bytes = production->frame_bytes;
	zoe_wire_set_text(msg.name, sizeof(msg.name), production->stream);
	assert_int_equal(raw_send(s->socket, &msg, sizeof(msg)), 0);
	seated_wait_region(s, ZOE_MSG_PRODUCE);
}

void seated_consume(
	struct seated *s, const struct broker *broker, const struct consumption *consumption) {
	struct zoe_msg_consume msg;

	memset(&msg, 0, sizeof(msg));
	*s = (struct seated){.socket = raw_open(broker), .serial = 6};
	zoe_msg_init(&msg, ZOE_MSG_CONSUME, s->serial);
	msg.delivery = consumption->delivery;
	msg.flags = ZOE_CONSUME_WAIT_UNKNOWN;
	zoe_wire_set_text(msg.name, sizeof(msg.name), consumption->stream);
	if (consumption->group) {
		zoe_wire_set_text(msg.group, sizeof(msg.group), consumption->group);
	}
	assert_int_equal(raw_send(s->socket, &msg, sizeof(msg)), 0);
	seated_wait_region(s, ZOE_MSG_CONSUME);
}

void seated_close(struct seated *s) {
	drop_maps(s);
	close(s->socket);
}

void seated_leave(struct seated *s, uint32_t generation) {
	struct zoe_msg_leave leave;

	memset(&leave, 0, sizeof(leave));
	zoe_msg_init(&leave, ZOE_MSG_LEAVE, 0);
	leave.generation = generation;
	assert_int_equal(raw_send(s->socket, &leave, sizeof(leave)), 0);
	seated_was_told(s, 0);
}

void seated_report(struct seated *producer, const struct zoe_msg_report *report) {
	struct zoe_msg_report msg = *report;

	zoe_msg_init(&msg, ZOE_MSG_REPORT, 0);
	assert_int_equal(raw_send(producer->socket, &msg, sizeof(msg)), 0);
}

void seated_grow(struct seated *producer, uint64_t frame_bytes) {
	struct zoe_msg_grow msg;

	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_GROW, 8);
	msg.generation = producer->region.generation;
	msg.frame_bytes = frame_bytes;
	assert_int_equal(raw_send(producer->socket, &msg, sizeof(msg)), 0);
	seated_wait_region(producer, ZOE_MSG_MOVED);
}

void seated_set_head(struct seated *producer, uint64_t seq) {
	/* [PUB] release: as a publish. */
	atomic_store_explicit(&producer->ring->head, zoe_head_pack(seq), memory_order_release);
}

uint32_t seated_get_roster(const struct seated *s) {
	/* [ROSTER] acquire: with the seat list of the control page. */
	return atomic_load_explicit(&s->control->roster, memory_order_acquire);
}
