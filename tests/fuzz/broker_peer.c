/* SPDX-License-Identifier: MIT */
#include "broker_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ring_check.h"
#include "wire.h"

void peer_init(struct peer *peer) {
	*peer = (struct peer){.fd = -1};
}

bool peer_open(struct peer *peer, const char *path) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	must(peer->fd < 0 && fd >= 0 && strlen(path) < sizeof(address.sun_path));
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return false;
	}
	peer->fd = fd;
	peer->nonce = 0;
	peer->n_seats = 0;
	return true;
}

static void unmap(void **map, size_t size) {
	if (*map) {
		must(munmap(*map, size) == 0);
		*map = NULL;
	}
}

static void peer_forget(struct peer *peer) {
	unmap(&peer->ring, (size_t)peer->geometry.ring_bytes);
	unmap(&peer->seat, ZOE_SEAT_PAGE_BYTES);
	unmap(&peer->group, ZOE_SEAT_PAGE_BYTES);
	while (peer->n_kept > 0) {
		close(peer->kept[--peer->n_kept]);
	}
}

void peer_hang_up(struct peer *peer) {
	if (peer->fd >= 0) {
		close(steal_fd(&peer->fd));
	}
}

void peer_close(struct peer *peer) {
	peer_hang_up(peer);
	peer_forget(peer);
	peer_init(peer);
}

void peer_send(const struct peer *peer, const void *bytes, size_t size) {
	if (peer->fd >= 0) {
		(void)send(peer->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

void peer_return(
	const struct peer *peer, const struct peer *whose, const struct zoe_msg_return *what) {
	if (peer->fd >= 0) {
		(void)zoe_wire_send(peer->fd, &what->header, whose->kept, whose->n_kept);
	}
}

/* What is lent is sealed, as large as it should be, and no more writable than its part allows. */
static void check_memory(int fd, uint64_t size, bool is_writable) {
	int wanted = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct stat st;

	must((fcntl(fd, F_GET_SEALS) & wanted) == wanted);
	must(fstat(fd, &st) == 0 && (uint64_t)st.st_size >= size);
	must((fcntl(fd, F_GETFL) & O_ACCMODE) == (is_writable ? O_RDWR : O_RDONLY));
}

static void *map(int fd, size_t size) {
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	must(at != MAP_FAILED);
	return at;
}

/* Keeps what it would hand in. */
static void keep(struct peer *peer, struct zoe_packet *packet, const struct zoe_msg_region *msg) {
	bool is_producer = peer->role == PEER_PRODUCER;

	peer->n_kept = is_producer ? 3 : 1;
	for (uint32_t i = 0; i < peer->n_kept; i++) {
		peer->kept[i] = zoe_packet_steal_fd(packet, is_producer ? i : 3);
	}
	memset(&peer->own, 0, sizeof(peer->own));
	zoe_msg_init(&peer->own, ZOE_MSG_RETURN, 0);
	peer->own.generation = msg->generation;
	peer->own.lineage = msg->lineage;
	peer->own.consumer = msg->consumer;
	peer->own.seat = msg->seat;
}

static void take_region(struct peer *peer, struct zoe_packet *packet) {
	const struct zoe_msg_region *msg = zoe_packet_get(packet, sizeof(*msg));
	bool is_producer = peer->role == PEER_PRODUCER;

	must(msg && zoe_wire_text_is_ok(msg->name, sizeof(msg->name)));
	must(zoe_wire_text_is_ok(msg->region, sizeof(msg->region)));
	if (msg->flags & ZOE_REGION_PARKED) {
		must(packet->n_fds == 0);
		return;
	}
	must(zoe_geometry_check(&msg->geometry) == 0);
	must(msg->start >= 1 && msg->start < ZOE_MAX_SEQ && msg->want < ZOE_MAX_SEQ);
	must(msg->generation > 0 && packet->n_fds >= 3);
	check_memory(packet->fds[0], msg->geometry.ring_bytes, is_producer);
	check_memory(packet->fds[1], msg->geometry.frames_bytes, is_producer);
	check_memory(packet->fds[2], sizeof(struct zoe_control_page), false);
	peer_forget(peer);
	peer->geometry = msg->geometry;
	peer->generation = msg->generation;
	peer->owner = msg->owner;
	if (is_producer) {
		must(packet->n_fds == 3 && msg->owner > 63 && msg->owner <= 0xfff);
		peer->ring = map(packet->fds[0], (size_t)msg->geometry.ring_bytes);
		keep(peer, packet, msg);
		return;
	}
	must(peer->role == PEER_CONSUMER && (packet->n_fds == 4 || packet->n_fds == 5));
	must(msg->seat < ZOE_MAX_SEATS && msg->hold >= 1 && msg->hold <= ZOE_MAX_PINS);
	check_memory(packet->fds[3], ZOE_SEAT_PAGE_BYTES, true);
	peer->seat = map(packet->fds[3], ZOE_SEAT_PAGE_BYTES);
	if (packet->n_fds == 5) {
		check_memory(packet->fds[4], ZOE_SEAT_PAGE_BYTES, true);
		peer->group = map(packet->fds[4], ZOE_SEAT_PAGE_BYTES);
	}
	keep(peer, packet, msg);
}

static void take_seat(struct peer *peer, const struct zoe_packet *packet) {
	const struct zoe_msg_seat *msg = zoe_packet_get(packet, sizeof(*msg));
	uint32_t n_fds;

	must(msg && msg->seat < ZOE_MAX_SEATS && peer->role == PEER_PRODUCER);
	must(msg->generation == peer->generation);
	n_fds = msg->consumer ? 1 + msg->has_bell + (msg->flags & ZOE_SEAT_GROUPED ? 1u : 0u) : 0;
	must(packet->n_fds == n_fds);
	if (n_fds > 0) {
		check_memory(packet->fds[0], ZOE_SEAT_PAGE_BYTES, false);
	}
	if (msg->flags & ZOE_SEAT_GROUPED) {
		check_memory(packet->fds[n_fds - 1], ZOE_SEAT_PAGE_BYTES, false);
	}
	peer->n_seats++;
	peer->consumer = msg->consumer;
}

/* A refusal is one printable sentence. */
static void check_refusal(const struct zoe_packet *packet) {
	const struct zoe_msg_error *msg = zoe_packet_get(packet, sizeof(*msg));

	must(packet->header.status >= -4095 && packet->n_fds == 0);
	must(msg && zoe_wire_text_is_ok(msg->text, sizeof(msg->text)) && msg->text[0]);
	for (const char *c = msg->text; *c; c++) {
		must((unsigned char)*c >= ' ' && *c != 0x7f);
	}
}

static void take_reply(struct peer *peer, struct zoe_packet *packet) {
	switch (packet->header.type) {
	case ZOE_MSG_HELLO: {
		const struct zoe_msg_welcome *msg = zoe_packet_get(packet, sizeof(*msg));

		must(msg && msg->protocol_version == ZOE_PROTOCOL_VERSION);
		peer->nonce = msg->nonce;
		break;
	}
	case ZOE_MSG_PRODUCE:
		peer->role = PEER_PRODUCER;
		take_region(peer, packet);
		break;
	case ZOE_MSG_CONSUME:
	case ZOE_MSG_START:
		peer->role = PEER_CONSUMER;
		take_region(peer, packet);
		break;
	case ZOE_MSG_MOVED:
		take_region(peer, packet);
		break;
	case ZOE_MSG_SEAT:
		take_seat(peer, packet);
		break;
	case ZOE_MSG_BELL:
		must(packet->n_fds == 1);
		break;
	default:
		must(packet->n_fds == 0);
		break;
	}
}

void peer_receive(struct peer *peer) {
	static struct zoe_packet packet;
	int r = 0;

	while (peer->fd >= 0 && (r = zoe_wire_receive(peer->fd, &packet)) == 0) {
		peer->n_received++;
		if (packet.header.status < 0) {
			check_refusal(&packet);
		} else {
			must(packet.header.status == 0);
			take_reply(peer, &packet);
		}
		peer->n_last +=
			(packet.header.flags & ZOE_MSG_MORE) == 0 && packet.header.serial != 0;
		zoe_packet_finish(&packet);
	}
	must(peer->fd < 0 || r == -EAGAIN || r == -EPIPE || r == -ECONNRESET);
}
