/* SPDX-License-Identifier: MIT */
/*
 * Attacks by a consumer: with the page that is its own, and with the kernel's means to wake and to
 * move those who sleep on what it may read.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rogue.h"

static void set_pin(struct rogue *r, unsigned k, uint32_t value) {
	atomic_store_explicit(&r->seat->pin[k], value, memory_order_seq_cst);
}

/* Beyond the slots, beyond its hold. */
static void seats_with_wild_pins(const struct scene *scene) {
	static const uint32_t values[] = {UINT32_MAX, 0x80000000u, 65536, 1u << 24};
	uint64_t start = now_ms();
	struct rogue r;

	rogue_consume(&r, scene, "desk");
	for (unsigned i = 0; attack_goes_on(start); i++) {
		for (unsigned k = 0; k < ZOE_MAX_PINS; k++) {
			set_pin(&r, k,
				k < 3 ? values[i % 4] : 1 + (i + k) % r.region.geometry.n_slots);
		}
	}
	attack_saw("%u slots, hold %u", r.region.geometry.n_slots, r.region.hold);
	rogue_close(&r);
}

/* As many as it may, on other frames all the time, so that claims are undone. */
static void seats_with_flying_pins(const struct scene *scene) {
	uint64_t start = now_ms(), seed = 3;
	unsigned long n = 0;
	struct rogue r;

	rogue_consume(&r, scene, "cam");
	for (; n % 1024 != 0 || attack_goes_on(start); n++) {
		set_pin(&r, (unsigned)(n % 3), 1 + rogue_random(&seed) % r.region.geometry.n_slots);
	}
	attack_saw("%lu pins", n);
	rogue_close(&r);
}

/* Holds its frames for ever. */
static void seats_that_hold(const struct scene *scene) {
	uint64_t start = now_ms();
	struct rogue r[8];

	for (unsigned i = 0; i < 8; i++) {
		rogue_consume(&r[i], scene, i % 2 ? "desk" : "cam");
		attack_claim(r[i].status == 0, "CONSUME: %d", r[i].status);
		for (unsigned k = 0; r[i].seat && k < 3; k++) {
			set_pin(&r[i], k, 1 + 3 * i + k);
		}
	}
	while (attack_goes_on(start)) {
		poll(NULL, 0, 10);
	}
	attack_saw("8 seats, 24 frames held");
	for (unsigned i = 0; i < 8; i++) {
		rogue_close(&r[i]);
	}
}

/* Cursor, bell, waiting, arm, interval and all the rest of the page. */
static void seats_scribbled_over(const struct scene *scene) {
	uint64_t start = now_ms(), seed = 5;
	unsigned n = 0;
	struct rogue r, other;

	rogue_consume(&r, scene, "desk");
	rogue_consume(&other, scene, "cam");
	for (; attack_goes_on(start); n++) {
		rogue_scribble(r.maps[ROGUE_SEAT].at, r.maps[ROGUE_SEAT].bytes, &seed);
		rogue_scribble(other.maps[ROGUE_SEAT].at, other.maps[ROGUE_SEAT].bytes, &seed);
	}
	attack_saw("%u times", n);
	rogue_close(&r);
	rogue_close(&other);
}

static void seats_with_wild_intervals(const struct scene *scene) {
	static const uint32_t values[] = {0, 1, UINT32_MAX - 1, UINT32_MAX, 1u << 31};
	uint64_t start = now_ms();
	struct rogue r;
	unsigned n = 0;

	rogue_consume(&r, scene, "desk");
	for (; attack_goes_on(start); n++) {
		atomic_store_explicit(&r.seat->interval_us, values[n % 5], memory_order_relaxed);
		atomic_store_explicit(&r.seat->waiting, 1, memory_order_seq_cst);
	}
	attack_saw("always waiting, intervals from 0 to paused");
	rogue_close(&r);
}

/* Sleepers of a word that we may only read can be made to sleep on a word of our own. */
static long requeue(void *from, uint32_t value, void *to) {
	long n = syscall(SYS_futex, from, FUTEX_CMP_REQUEUE, 0, INT_MAX, to, value);

	return n < 0 ? 0 : n;
}

static long requeue_sleepers(struct rogue *r) {
	struct zoe_ring_page *page = zoe_ring_get_page(&r->ring);
	uint32_t head = (uint32_t)atomic_load_explicit(&page->head, memory_order_relaxed);

	return requeue(&page->head, head, &r->seat->waiting) +
	       requeue(&page->space, atomic_load_explicit(&page->space, memory_order_relaxed),
		       &r->seat->waiting);
}

/* Comes and goes meanwhile: who sleeps when it comes, or is still moved when it has gone, is to be
 * woken as well. */
static void seats_that_requeue(const struct scene *scene) {
	uint64_t start = now_ms(), end;
	struct rogue desk, cam;
	unsigned n_joins = 0;
	long n_moved = 0;

	for (; now_ms() - start < 4 * ATTACK_MS; n_joins++) {
		rogue_consume(&desk, scene, "desk");
		rogue_consume(&cam, scene, "cam");
		for (end = now_ms() + 20; now_ms() < end;) {
			n_moved += requeue_sleepers(&desk) + requeue_sleepers(&cam);
		}
		rogue_close(&desk);
		rogue_close(&cam);
		poll(NULL, 0, 20);
	}
	attack_claim(n_moved > 0, "nobody slept: the attack does not bite");
	attack_saw("%ld sleepers moved, in %u visits", n_moved, n_joins);
}

static void seats_that_wake_all(const struct scene *scene) {
	uint64_t start = now_ms();
	unsigned long n = 0;
	struct rogue r;

	rogue_consume(&r, scene, "desk");
	while (attack_goes_on(start)) {
		long woken = syscall(SYS_futex, &zoe_ring_get_page(&r.ring)->head, FUTEX_WAKE,
			INT_MAX, NULL, NULL, 0);

		n += woken > 0 ? (unsigned long)woken : 0;
	}
	attack_saw("%lu sleepers woken for nothing", n);
	rogue_close(&r);
}

/* A doorbell that is rung all the time, stuffed, never read, and made blocking. */
static void seats_with_stuffed_bells(const struct scene *scene) {
	struct zoe_msg_header msg = {.type = ZOE_MSG_BELL, .size = sizeof(msg), .serial = 4};
	static struct zoe_packet packet;
	uint64_t start = now_ms();
	unsigned n = 0, n_sent = 0;
	struct rogue r;
	int bell = -1;

	rogue_consume(&r, scene, "cam");
	attack_claim(raw_send(r.socket, &msg, sizeof(msg)) == 0, "cannot ask");
	while (bell < 0 && raw_receive(r.socket, &packet) == 0) {
		bell = packet.header.type == ZOE_MSG_BELL ? zoe_packet_steal_fd(&packet, 0) : -1;
		zoe_packet_finish(&packet);
	}
	attack_claim(bell >= 0 && rogue_ask(r.socket, &msg) == -EBUSY, "a second doorbell");
	for (; attack_goes_on(start); n++) {
		atomic_fetch_add_explicit(&r.seat->arm, 1, memory_order_seq_cst);
		n_sent += send(bell, "ring", 4, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
		if (n == 5000) {
			shutdown(bell, SHUT_RD);
		}
	}
	attack_saw("armed %u times, %u sent the other way, never read", n, n_sent);
	close(bell);
	rogue_close(&r);
}

/* Members of a group share a page: one breaks it, for its own group alone. */
static void seats_with_a_broken_group(const struct scene *scene) {
	struct rogue_wish wish = {
		.stream = "cam", .group = "ours", .delivery = ZOE_DELIVER_QUEUE, .hold = 1};
	struct zoe_client *c = broker_connect(scene->broker);
	struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = ZOE_QUEUE,
		.group = "ours",
		.timeout_ms = DEADLINE_MS};
	static const uint64_t tails[] = {UINT64_MAX, 0, UINT64_C(1) << 47, 1};
	struct zoe_consumer *s = NULL;
	const struct zoe_frame *frame;
	uint64_t start = now_ms();
	unsigned n = 0, n_taken = 0, n_refused = 0;
	struct rogue r;

	rogue_consume_as(&r, scene, &wish);
	attack_claim(r.group && zoe_consumer_open(c, "cam", &options, &s) == 0, "no group");
	for (; s && r.group && attack_goes_on(start); n++) {
		int error;

		atomic_store_explicit(&r.group->tail, tails[n / 8 % 4], memory_order_seq_cst);
		error = zoe_consumer_next(s, &frame, 0);
		n_taken += error == 0;
		n_refused += error == -EPROTO;
		if (error == 0) {
			attack_claim(frame_is_whole(frame), "a frame is torn");
			zoe_frame_release(frame);
		}
	}
	attack_claim(n_refused > 0, "no broken page is noticed");
	attack_saw("%u frames taken, %u times told of the broken page", n_taken, n_refused);
	zoe_client_destroy(c);
	rogue_close(&r);
}

/* A reliable reader, where that is allowed, that does not read: producers wait for its patience. */
static void seats_that_never_read(const struct scene *scene) {
	struct rogue_wish wish = {.stream = "loose", .delivery = ZOE_DELIVER_RELIABLE, .hold = 1};
	struct zoe_client *c = broker_connect(scene->broker);
	struct zoe_producer *p = produce(c, "loose", 1);
	uint64_t start = now_ms(), last = start, longest = 0;
	struct rogue r;

	rogue_consume_as(&r, scene, &wish);
	attack_claim(p && r.status == 0, "cannot begin");
	for (uint64_t n = 0; p && now_ms() - start < 3 * ATTACK_MS; n++) {
		struct zoe_slot *slot = NULL;

		/* Back again and again, as if it read. */
		if (zoe_producer_acquire(p, NULL, &slot, 0) == 0) {
			zoe_producer_publish(p, slot);
			longest = now_ms() - last > longest ? now_ms() - last : longest;
			last = now_ms();
		}
		poll(NULL, 0, 2);
	}
	attack_claim(longest > 100 && longest < 1000, "its producer waited for %llu ms",
		(unsigned long long)longest);
	attack_saw("patience 200 ms, its producer waited for %llu ms, once",
		(unsigned long long)longest);
	zoe_client_destroy(c);
	rogue_close(&r);
}

const struct attack seat_attacks[] = {
	{"seat: pins out of range, too many", ATTACK_AS_STRANGER, seats_with_wild_pins},
	{"seat: pins that fly", ATTACK_AS_STRANGER, seats_with_flying_pins},
	{"seat: frames held for ever", ATTACK_AS_STRANGER, seats_that_hold},
	{"seat: page scribbled over", ATTACK_AS_STRANGER, seats_scribbled_over},
	{"seat: wild intervals, waiting", ATTACK_AS_STRANGER, seats_with_wild_intervals},
	{"seat: sleepers requeued", ATTACK_NEEDS_STRANGER, seats_that_requeue},
	{"seat: sleepers woken", ATTACK_AS_STRANGER, seats_that_wake_all},
	{"seat: stuffed doorbell", ATTACK_AS_STRANGER, seats_with_stuffed_bells},
	{"seat: broken group page", ATTACK_AS_STRANGER, seats_with_a_broken_group},
	{"seat: reliable, never reads", ATTACK_AS_STRANGER, seats_that_never_read},
	{NULL, ATTACK_AS_STRANGER, NULL},
};
