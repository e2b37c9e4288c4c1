/* SPDX-License-Identifier: MIT */
#include "lying_broker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "frame_check.h"
#include "ring_check.h"

enum { RING_BYTES = 1 << 15, FRAMES_BYTES = 1 << 17, MAX_EDITS = 4, MAX_RAW = 2048 };
enum { POOL_RING, POOL_FRAMES, POOL_CONTROL, POOL_SEAT, POOL_GROUP, POOL_ODD, N_POOL = 10 };

static int listener = -1, pool[N_POOL];
static void *maps[POOL_ODD];
static char dir[32], path[64];

static void socket_remove(void) {
	(void)unlink(path);
	(void)rmdir(dir);
}

static void socket_make(void) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	temporary_make(dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	memcpy(address.sun_path, path, strlen(path));
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	must(listener >= 0);
	must(bind(listener, (const struct sockaddr *)&address, sizeof(address)) == 0);
	must(listen(listener, 8) == 0);
	atexit(socket_remove);
}

/* The right memory of each kind, then what is wrong in its place: too small, not sealed, read-only,
 * no memory at all. */
static void pool_make(void) {
	static const size_t sizes[] = {RING_BYTES, FRAMES_BYTES, ZOE_SEAT_PAGE_BYTES,
		ZOE_SEAT_PAGE_BYTES, ZOE_SEAT_PAGE_BYTES};
	char again[32];
	void *small;
	int ends[2];

	for (unsigned i = 0; i < POOL_ODD; i++) {
		pool[i] = memory_make(sizes[i], &maps[i]);
	}
	pool[POOL_ODD] = memory_make(64, &small);
	pool[POOL_ODD + 1] = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	must(ftruncate(pool[POOL_ODD + 1], FRAMES_BYTES) == 0);
	snprintf(again, sizeof(again), "/proc/self/fd/%d", pool[POOL_RING]);
	pool[POOL_ODD + 2] = open(again, O_RDONLY | O_CLOEXEC);
	pool[POOL_ODD + 3] = open("/dev/null", O_RDWR | O_CLOEXEC);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
	pool[POOL_ODD + 4] = ends[0];
}

const char *broker_get_socket(void) {
	if (listener < 0) {
		socket_make();
		pool_make();
	}
	return path;
}

void broker_init(struct lying_broker *b, struct input *in) {
	struct zoe_geometry_request request = {.depth = 2 + input_below(in, 4),
		.spares = 2 + input_below(in, 6),
		.meta_bytes = input_u8(in) * 2u,
		.frame_bytes = 1 + input_u16(in) % 8192};

	memset(b, 0, sizeof(*b));
	b->fd = -1;
	for (unsigned i = 0; i < POOL_ODD; i++) {
		if (i != POOL_FRAMES) {
			memset(maps[i], 0, i == POOL_RING ? RING_BYTES : ZOE_SEAT_PAGE_BYTES);
		}
	}
	must(zoe_geometry_init(&b->geometry, &request) == 0);
	must(b->geometry.ring_bytes <= RING_BYTES && b->geometry.frames_bytes <= FRAMES_BYTES);
	b->writer.ring = (struct zoe_ring){.geo = b->geometry,
		.ring = maps[POOL_RING],
		.frames = maps[POOL_FRAMES],
		.control = maps[POOL_CONTROL]};
	b->writer.owner = zoe_owner_pack(1, 1);
	zoe_ring_format(&b->writer.ring, 1);
}

void broker_hang_up(struct lying_broker *b) {
	if (b->fd >= 0) {
		close(steal_fd(&b->fd));
	}
}

static void welcome(struct lying_broker *b, const struct zoe_msg_header *hello) {
	struct zoe_msg_welcome msg = {.protocol_version = ZOE_PROTOCOL_VERSION,
		.ring_version = ZOE_RING_VERSION,
		.nonce = 7,
		.broker_id = 1 + b->n_regions};

	msg.header = (struct zoe_msg_header){
		.type = ZOE_MSG_HELLO, .size = sizeof(msg), .serial = hello->serial};
	(void)zoe_wire_send(b->fd, &msg.header, NULL, 0);
}

static void hear_packet(struct lying_broker *b, const struct zoe_packet *packet) {
	uint32_t type = packet->header.type;

	must(type >= ZOE_MSG_HELLO && type <= ZOE_MSG_KICK && packet->header.status == 0);
	if (type == ZOE_MSG_HELLO) {
		welcome(b, &packet->header);
	}
	if (type == ZOE_MSG_ECHO) {
		const struct zoe_msg_echo *echo = zoe_packet_get(packet, sizeof(*echo));

		must(echo && echo->nonce == 7);
	}
	b->serials[type] = packet->header.serial;
}

void broker_hear(struct lying_broker *b) {
	static struct zoe_packet packet;
	int r;

	if (b->fd < 0) {
		b->fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
	while (b->fd >= 0 && (r = zoe_wire_receive(b->fd, &packet)) != -EAGAIN) {
		if (r == 0) {
			hear_packet(b, &packet);
		} else {
			must(r == -EPIPE || r == -ECONNRESET);
			broker_hang_up(b);
		}
		zoe_packet_finish(&packet);
	}
}

/* Changes words of a message that was right, and sends it with descriptors of the pool; those too
 * may be other ones. */
static void say(
	struct lying_broker *b, struct input *in, void *msg, const int *kinds, unsigned n_fds) {
	struct zoe_msg_header header;
	unsigned n_edits = input_below(in, 16);
	int fds[ZOE_MSG_MAX_FDS] = {0};

	for (unsigned i = 0; i < n_fds; i++) {
		fds[i] = pool[kinds[i]];
	}
	memcpy(&header, msg, sizeof(header));
	for (unsigned i = 0; i < n_edits && i < MAX_EDITS; i++) {
		uint32_t at = input_u8(in), value = input_u8(in);

		value = value < 192 ? value : input_u32(in); /* most limits are small */
		if (at >= 240) {
			fds[at % ZOE_MSG_MAX_FDS] = pool[value % N_POOL];
		} else if (at >= 232) {
			n_fds = n_fds ? at - 232 : 0;
		} else if (at >= 4 && at < header.size / 4 && at != 1) {
			memcpy((char *)msg + 4 * (size_t)at, &value, sizeof(value));
		}
	}
	for (unsigned i = 0; i < n_fds; i++) {
		fds[i] = fds[i] ? fds[i] : pool[POOL_SEAT];
	}
	(void)zoe_wire_send(b->fd, msg, fds, n_fds);
}

/* A region, under a reply's or an event's type. */
static void say_region(struct lying_broker *b, struct input *in) {
	static const int kinds[] = {POOL_RING, POOL_FRAMES, POOL_CONTROL, POOL_SEAT, POOL_GROUP};
	uint32_t how = input_below(in, 8);
	struct zoe_msg_region msg;

	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, b->is_producer ? ZOE_MSG_PRODUCE : ZOE_MSG_CONSUME, 0);
	msg.header.serial = b->serials[msg.header.type];
	if (how > 4) {
		msg.header.type = how == 5 ? ZOE_MSG_START : ZOE_MSG_MOVED;
		msg.header.serial = 0;
	}
	msg.flags = how == 4 ? ZOE_REGION_PARKED : input_below(in, 4) << 1;
	msg.generation = ++b->n_regions;
	msg.lineage = 1 + (how == 7);
	msg.start = 1;
	msg.geometry = b->geometry;
	msg.owner = zoe_owner_pack(1, 0);
	msg.hold = 1 + input_below(in, 3);
	msg.open = 1;
	msg.max_frame_bytes = b->geometry.slot_bytes;
	msg.patience_ms = input_below(in, 3);
	snprintf(msg.name, sizeof(msg.name), "s");
	say(b, in, &msg, kinds, b->is_producer ? 3 : b->is_grouped ? 5 : 4);
}

static void say_seat(struct lying_broker *b, struct input *in) {
	int kinds[3] = {POOL_SEAT, POOL_GROUP, POOL_GROUP};
	struct zoe_msg_seat msg;
	unsigned n_fds = 1;

	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_SEAT, 0);
	msg.generation = b->n_regions;
	msg.seat = input_below(in, 4);
	msg.consumer = input_below(in, 4) ? 1 : 0;
	msg.hold = 1;
	msg.flags = input_below(in, 4);
	msg.roster = b->roster = input_below(in, 3);
	if (input_below(in, 4) == 3) {
		msg.has_bell = 1;
		kinds[n_fds++] = POOL_ODD + 4;
	}
	n_fds += (msg.flags & ZOE_SEAT_GROUPED) != 0;
	say(b, in, &msg, kinds, msg.consumer ? n_fds : 0);
}

/* An answer that names a reason, or none; or only a header. */
static void say_short(struct lying_broker *b, struct input *in) {
	static const uint32_t types[] = {ZOE_MSG_HELLO, ZOE_MSG_LIST, ZOE_MSG_WATCH, ZOE_MSG_STATUS,
		ZOE_MSG_PRODUCE, ZOE_MSG_CONSUME, ZOE_MSG_BELL, ZOE_MSG_GROW, ZOE_MSG_END,
		ZOE_MSG_KICK, ZOE_MSG_GONE, ZOE_MSG_BACK, ZOE_MSG_DEMOTED, ZOE_MSG_EVICTED,
		ZOE_MSG_REMOVED};
	static const int kinds[] = {POOL_ODD + 4};
	struct zoe_msg_error msg;

	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, types[input_below(in, n_elements(types))], 0);
	msg.header.serial = b->serials[msg.header.type & 0xff];
	msg.header.status = -(int32_t)input_u8(in) / 2;
	input_copy(in, msg.text, input_below(in, 8));
	if (msg.header.status == 0) {
		msg.header.size = sizeof(msg.header) + 8;
	}
	say(b, in, &msg, kinds, msg.header.type == ZOE_MSG_BELL);
}

/* Any bytes, also as an answer to a question. */
static void say_raw(struct lying_broker *b, struct input *in) {
	uint32_t type = input_below(in, 96), size = input_u16(in) % MAX_RAW;
	static zoe_u64 bytes[MAX_RAW / 8];
	struct zoe_msg_header header = {.type = type, .size = size};

	size = size < sizeof(header) ? (uint32_t)sizeof(header) : size;
	input_copy(in, bytes, size);
	header.size = size;
	header.serial = b->serials[type] + input_below(in, 2);
	header.flags = input_below(in, 2);
	memcpy(bytes, &header, sizeof(header));
	say(b, in, bytes, NULL, 0);
}

void broker_say(struct lying_broker *b, struct input *in) {
	uint32_t what = input_below(in, 8);

	if (b->fd < 0) {
		return;
	}
	if (what < 3) {
		say_region(b, in);
	} else if (what < 5) {
		say_seat(b, in);
	} else if (what < 7) {
		say_short(b, in);
	} else {
		say_raw(b, in);
	}
}

void broker_publish(struct lying_broker *b, struct input *in) {
	unsigned n_edits = input_below(in, MAX_EDITS);
	struct zoe_frame_header *hdr;
	struct zoe_wakes wakes = {0};
	struct zoe_format format;
	uint32_t slot = 0;
	uint64_t seq;

	b->writer.roster =
		atomic_load_explicit(&b->writer.ring.control->roster, memory_order_relaxed);
	if (zoe_ring_acquire(&b->writer, &slot, &wakes) != ZOE_RING_OK) {
		return;
	}
	hdr = (void *)zoe_ring_get_header(&b->writer.ring, slot);
	must(zoe_format_init(&format, ZOE_FORMAT_BLOB, (uint32_t)b->geometry.slot_bytes, 1) == 0);
	memset(hdr, 0, sizeof(*hdr));
	zoe_frame_header_set_format(hdr, &format);
	hdr->pts_ns = input_u8(in);
	hdr->meta_size = b->geometry.meta_bytes / 2;
	input_copy(in, hdr + 1, b->geometry.meta_bytes < 16 ? 0 : 16);
	for (unsigned i = 0; i < n_edits; i++) {
		uint32_t at = input_below(in, sizeof(*hdr) / 4), value = input_u32(in);

		memcpy((char *)hdr + 4 * (size_t)at, &value, sizeof(value));
	}
	(void)zoe_ring_publish(&b->writer, slot, &seq, &wakes);
}

void broker_scribble(struct lying_broker *b, struct input *in) {
	uint32_t what = input_below(in, POOL_ODD), at = input_u16(in), how = input_below(in, 4);
	uint64_t *words = maps[what], value = how ? input_u8(in) : input_u64(in);
	struct zoe_control_page *control = maps[POOL_CONTROL];

	if (what == POOL_RING) {
		/* mostly the page, the order and the states; then anywhere */
		at %= how ? (b->geometry.header_offset / 8) : RING_BYTES / 8;
	} else {
		at %= how ? 32 : ZOE_SEAT_PAGE_BYTES / 8;
	}
	if (what == POOL_CONTROL && how) {
		atomic_store_explicit(&control->roster, (uint32_t)value % 3, memory_order_relaxed);
		atomic_store_explicit(&control->live, (uint32_t)value % 5, memory_order_relaxed);
		atomic_store_explicit(&control->stream_ended, value > 250, memory_order_relaxed);
		atomic_store_explicit(&control->ended, value > 240, memory_order_relaxed);
	} else {
		words[at] = value;
	}
}
