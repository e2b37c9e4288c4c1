/* SPDX-License-Identifier: MIT */
/*
 * Attacks by requests that are well-formed and not one's own to make: others' streams, seats,
 * generations and acknowledgements.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rogue.h"

static void rights_to_others_streams(const struct scene *scene) {
	struct rogue_wish reliably = {.stream = "desk", .delivery = ZOE_DELIVER_RELIABLE};
	struct zoe_msg_name msg;
	struct rogue r;

	rogue_produce(&r, scene, "desk");
	attack_claim(r.status == -EACCES, "PRODUCE desk: %d", r.status);
	rogue_close(&r);
	rogue_consume_as(&r, scene, &reliably);
	attack_claim(r.status == -EACCES, "CONSUME desk reliably: %d", r.status);
	rogue_close(&r);
	rogue_produce(&r, scene, "gate");
	attack_claim(r.status == -ENOENT, "PRODUCE gate: %d", r.status);
	rogue_close(&r);
	rogue_consume(&r, scene, "gate");
	attack_claim(r.status == -ENOENT, "CONSUME gate: %d", r.status);
	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_STATUS, 1);
	zoe_wire_set_text(msg.name, sizeof(msg.name), "gate");
	attack_claim(rogue_ask(r.socket, &msg.header) == -ENOENT, "STATUS gate");
	attack_claim(rogue_list(r.socket) == 3, "LIST shows gate");
	rogue_close(&r);
	attack_saw("desk: may only look, gate: unknown");
}

/* A group is one user's: its page is writable for all members. */
static void rights_to_others_groups(const struct scene *scene) {
	struct rogue_wish wish = {
		.stream = "cam", .group = "theirs", .delivery = ZOE_DELIVER_QUEUE, .hold = 1};
	struct rogue ours, r;

	rogue_consume_as(&ours, scene, &wish);
	attack_claim(ours.status == 0, "CONSUME: %d", ours.status);
	attack_become_stranger();
	rogue_consume_as(&r, scene, &wish);
	attack_claim(r.status == -EACCES, "CONSUME in another's group: %d", r.status);
	attack_saw("refused");
	rogue_close(&r);
	rogue_close(&ours);
}

/* Reports on seats that owe nothing, that do not exist, of other generations and streams. */
static void rights_to_report(const struct scene *scene) {
	struct zoe_client *c = broker_connect(scene->broker);
	struct zoe_consumer *s = consume(c, "loose", ZOE_RELIABLE, 1);
	struct zoe_msg_report msg;
	unsigned n = 0;
	struct rogue r;

	memset(&msg, 0, sizeof(msg));
	rogue_produce(&r, scene, "loose");
	attack_claim(s && r.status == 0, "cannot begin");
	for (uint32_t generation = 0; generation < 8; generation++) {
		for (uint32_t seat = 0; seat < 4; seat++) {
			for (uint32_t consumer = 0; consumer < 64; consumer++, n++) {
				zoe_msg_init(&msg, ZOE_MSG_REPORT, 0);
				msg.generation = r.region.generation - 4 + generation;
				msg.seat = seat;
				msg.consumer = consumer;
				(void)raw_send(r.socket, &msg, sizeof(msg));
			}
		}
	}
	attack_claim(rogue_list(r.socket) >= 0, "is dropped for old news");
	attack_claim(s && (zoe_consumer_take_events(s) & ZOE_EV_DEMOTED) == 0, "demotes others");
	msg.seat = ZOE_MAX_SEATS;
	attack_claim(raw_send(r.socket, &msg, sizeof(msg)) == 0, "cannot send");
	attack_claim(rogue_list(r.socket) == -EPIPE, "a seat beyond all is no nonsense");
	attack_saw("%u reports change nothing", n);
	zoe_client_destroy(c);
	rogue_close(&r);
}

/* Acknowledges what it was never sent, and what others were. */
static void rights_to_acknowledge(const struct scene *scene) {
	static const uint32_t numbers[] = {1000, UINT32_MAX, 1u << 31, 17};
	struct zoe_msg_ack msg;
	struct rogue r;

	memset(&msg, 0, sizeof(msg));
	for (unsigned i = 0; i < 4; i++) {
		rogue_produce(&r, scene, "play/acks");
		attack_claim(r.status == 0, "PRODUCE: %d", r.status);
		zoe_msg_init(&msg, ZOE_MSG_ROSTER_ACK, 0);
		msg.generation = r.region.generation;
		msg.n_seats = numbers[i];
		attack_claim(raw_send(r.socket, &msg, sizeof(msg)) == 0 &&
				     rogue_list(r.socket) == -EPIPE,
			"%u seats are acknowledged", numbers[i]);
		rogue_close(&r);
	}
	attack_saw("each dropped");
}

/* Leaves generations that it has no part in, or that are not over. */
static void rights_to_leave(const struct scene *scene) {
	struct zoe_msg_leave msg;
	unsigned n = 0;
	struct rogue r;

	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_LEAVE, 0);
	rogue_consume(&r, scene, "desk");
	for (msg.generation = 1; msg.generation < 100; msg.generation++, n++) {
		attack_claim(raw_send(r.socket, &msg, sizeof(msg)) == 0, "cannot send");
		(void)rogue_drain(r.socket);
	}
	msg.generation = 0;
	for (unsigned i = 0; i < 10; i++, n++) { /* it has no part in anything any more */
		attack_claim(raw_send(r.socket, &msg, sizeof(msg)) == 0, "cannot send");
	}
	attack_claim(rogue_list(r.socket) > 0, "is dropped");
	rogue_close(&r);
	attack_saw("%u change nothing", n);
}

/* Acts of an admin: a reload, a kick. */
static void rights_of_an_admin(const struct scene *scene) {
	static const uint32_t types[] = {15, 16}; /* RELOAD, KICK */
	struct zoe_msg_kick msg;
	int r[2];

	for (unsigned i = 0; i < 2; i++) {
		int fd = raw_open(scene->broker);

		memset(&msg, 0, sizeof(msg));
		zoe_msg_init(&msg, types[i], 1);
		zoe_wire_set_text(msg.name, sizeof(msg.name), "desk");
		zoe_wire_set_text(msg.app, sizeof(msg.app), "test"); /* all that are honest */
		r[i] = rogue_ask(fd, &msg.header);
		attack_claim(r[i] < 0, "a stranger's request %u: %d", types[i], r[i]);
		close(fd);
	}
	attack_saw("reload: %s, kick: %s", strerror(-r[0]), strerror(-r[1]));
}

/* After a broker's death clients hand in what they have of its rings: hands in fds, and produces.
 */
static void hand_in(
	struct rogue *r, const struct scene *scene, const int *fds, uint32_t generation) {
	struct zoe_msg_produce ask;
	struct zoe_msg_return msg;
	int socket = raw_open(scene->broker);

	memset(&msg, 0, sizeof(msg));
	memset(&ask, 0, sizeof(ask));
	zoe_msg_init(&msg, ZOE_MSG_RETURN, 0);
	zoe_msg_init(&ask, ZOE_MSG_PRODUCE, 5);
	zoe_wire_set_text(ask.name, sizeof(ask.name), "play/returned");
	msg.generation = generation;
	attack_claim(zoe_wire_send(socket, &msg.header, fds, 3) == 0, "cannot hand in");
	rogue_enter(r, socket, &ask.header);
	rogue_wait_turn(r);
}

/* Memory of one's own under the names of a region: the broker's is the broker's uid's. */
static void rights_to_forge_a_hand_in(const struct scene *scene) {
	static const char *const names[] = {
		"play/returned#9.ring", "play/returned#9.frames", "play/returned#9.control"};
	struct rogue r;
	int fds[3];

	for (unsigned i = 0; i < 3; i++) {
		fds[i] = memfd_create(names[i], MFD_CLOEXEC | MFD_ALLOW_SEALING);
		attack_claim(fds[i] >= 0 && ftruncate(fds[i], 65536) == 0 &&
				     fchmod(fds[i], 0400) == 0 &&
				     fcntl(fds[i], F_ADD_SEALS,
					     F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0,
			"cannot forge");
	}
	hand_in(&r, scene, fds, 9);
	attack_claim(r.status == 0 && r.region.generation < 9, "PRODUCE: %d, generation %u",
		r.status, r.region.generation);
	attack_saw("ignored, generation %u is new", r.region.generation);
	rogue_close(&r);
	for (unsigned i = 0; i < 3; i++) {
		close(fds[i]);
	}
}

/* A region that it had, scribbled over, when the stream has long gone. */
static void rights_to_hand_in_a_wreck(const struct scene *scene) {
	struct rogue r, again;
	uint64_t seed = 11;

	rogue_produce(&r, scene, "play/returned");
	attack_claim(r.status == 0, "PRODUCE: %d", r.status);
	if (r.status < 0) {
		return;
	}
	rogue_scribble(r.maps[ROGUE_RING].at, r.maps[ROGUE_RING].bytes, &seed);
	close(steal_fd(&r.socket));
	poll(NULL, 0, 700); /* lost, then gone */
	hand_in(&again, scene, r.fds, r.region.generation);
	attack_claim(again.status == 0, "PRODUCE: %d", again.status);
	attack_claim(again.region.lineage != r.region.lineage || again.status < 0 ||
			     again.region.generation > r.region.generation,
		"goes on in the wreck");
	attack_saw("generation %u%s", again.region.generation,
		again.region.lineage == r.region.lineage ? "" : ", a new lineage");
	rogue_close(&again);
	rogue_close(&r);
}

const struct attack right_attacks[] = {
	{"rights: others' streams", ATTACK_NEEDS_STRANGER, rights_to_others_streams},
	{"rights: others' groups", ATTACK_AS_BOTH, rights_to_others_groups},
	{"rights: REPORT of others", ATTACK_AS_STRANGER, rights_to_report},
	{"rights: ROSTER_ACK of others", ATTACK_AS_STRANGER, rights_to_acknowledge},
	{"rights: LEAVE of others", ATTACK_AS_STRANGER, rights_to_leave},
	{"rights: reload, kick", ATTACK_NEEDS_STRANGER, rights_of_an_admin},
	{"rights: forged hand-in", ATTACK_NEEDS_STRANGER, rights_to_forge_a_hand_in},
	{"rights: a wreck handed in", ATTACK_AS_STRANGER, rights_to_hand_in_a_wreck},
	{NULL, ATTACK_AS_STRANGER, NULL},
};
