/* SPDX-License-Identifier: MIT */
/*
 * Attacks by a producer on those who look at its stream, and on the producers beside it. Its
 * consumers may get nothing but refusals from it; they live, and so does the stream when it is
 * gone.
 */
#include <errno.h>
#include <signal.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frame_layout.h"
#include "rogue.h"

/* All kinds of consumers of a stream, in the attack's own process. */
#define N_VICTIMS 4
struct victims {
	struct zoe_client *clients[N_VICTIMS];
	struct zoe_consumer *consumers[N_VICTIMS];
	unsigned n_frames, n_refused;
};

static void victims_init(struct victims *v, const struct scene *scene) {
	static const enum zoe_delivery deliveries[N_VICTIMS] = {
		ZOE_EVERY, ZOE_LATEST, ZOE_RELIABLE, ZOE_QUEUE};

	*v = (struct victims){.n_frames = 0};
	for (unsigned i = 0; i < N_VICTIMS; i++) {
		struct zoe_consumer_options options = {.struct_size = sizeof(options),
			.delivery = deliveries[i],
			.group = deliveries[i] == ZOE_QUEUE ? "victims" : NULL,
			.hold = 2,
			.timeout_ms = DEADLINE_MS};

		v->clients[i] = broker_connect(scene->broker);
		attack_claim(
			zoe_consumer_open(v->clients[i], "loose", &options, &v->consumers[i]) == 0,
			"a victim cannot attach");
	}
}

static void victims_finish(struct victims *v) {
	for (unsigned i = 0; i < N_VICTIMS; i++) {
		zoe_client_destroy(v->clients[i]);
	}
}

/* What is given out lies within its slot: each byte is read. */
static void read_all(const struct zoe_frame *frame) {
	size_t size;
	unsigned sum = 0;

	for (unsigned plane = 0; plane < frame->format.n_planes; plane++) {
		uint32_t row_bytes = 0, rows = 0;

		attack_claim(zoe_format_get_plane(&frame->format, plane, &row_bytes, &rows) == 0,
			"a frame of no known format");
		for (uint32_t y = 0; y < rows; y += 7) {
			sum += frame->plane[plane][(size_t)y * frame->format.stride[plane]];
			sum += frame->plane[plane][(size_t)y * frame->format.stride[plane] +
						   row_bytes - 1];
		}
	}
	for (uint32_t tag = 1; tag < 8; tag++) {
		const uint8_t *data = zoe_frame_find(frame, (enum zoe_tag)tag, &size);

		sum += data && size > 0 ? data[0] + data[size - 1] : 0u;
	}
	attack_claim(sum != UINT32_MAX, "never");
}

static void victims_look(struct victims *v) {
	const struct zoe_frame *frame;

	for (unsigned i = 0; i < N_VICTIMS; i++) {
		struct zoe_consumer *s = v->consumers[i];

		for (unsigned k = 0; k < 5; k++) {
			int r = k == 4   ? zoe_consumer_latest(s, &frame)
				: k == 3 ? zoe_consumer_at_time(s, UINT64_MAX, &frame)
					 : zoe_consumer_next(s, &frame, 0);

			if (r == 0) {
				read_all(frame);
				zoe_frame_release(frame);
			}
			v->n_frames += r == 0;
			v->n_refused += r != 0 && r != -EAGAIN;
		}
	}
}

static struct zoe_frame_header *header_at(const struct rogue *r, uint32_t slot) {
	return (void *)zoe_ring_get_header(&r->ring, slot);
}

static uint64_t get_head(const struct rogue *r) {
	return atomic_load_explicit(&zoe_ring_get_page(&r->ring)->head, memory_order_acquire);
}

/* Publishes slot as the next frame, whatever stands in it. */
static void force_publish(const struct rogue *r, uint32_t slot) {
	uint64_t s = zoe_head_seq(get_head(r));

	header_at(r, slot)->seq = s;
	atomic_store_explicit(zoe_ring_get_state(&r->ring, slot),
		zoe_state_pack(ZOE_SLOT_PUBLISHED, 0, s), memory_order_seq_cst);
	atomic_store_explicit(
		zoe_ring_get_order(&r->ring, s), zoe_order_pack(s, slot), memory_order_seq_cst);
	atomic_store_explicit(
		&zoe_ring_get_page(&r->ring)->head, zoe_head_pack(s + 1), memory_order_seq_cst);
}

static void header_fill(struct zoe_frame_header *header) {
	struct zoe_frame_header good = {.clock = 1,
		.size = 16 * 16 * 4,
		.width = 16,
		.height = 16,
		.fourcc = ZOE_FORMAT_XR24,
		.stride = {64},
		.n_planes = 1,
		.rate_den = 1};

	*header = good;
}

/* One lie each, in a header that is sane otherwise. */
#define LIE(text, ...)                                                                             \
	static void lie_##text(struct zoe_frame_header *h) {                                       \
		__VA_ARGS__;                                                                       \
	}
LIE(size, h->size = UINT32_MAX)
LIE(size_0, h->size = 0)
LIE(size_beyond, h->size = 128 * 128 * 4 + 1)
LIE(width, h->width = UINT32_MAX)
LIE(width_0, h->width = 0)
LIE(height, h->height = 65535)
LIE(both, h->width = h->height = 65535)
LIE(stride, h->stride[0] = UINT32_MAX)
LIE(stride_small, h->stride[0] = 1)
LIE(stride_wraps, h->stride[0] = 0x11111112)
LIE(offset, h->offset[0] = UINT32_MAX - 15)
LIE(offset_end, h->offset[0] = h->size)
LIE(planes, h->n_planes = 255)
LIE(planes_4, h->n_planes = 4)
LIE(planes_0, h->n_planes = 0)
LIE(fourcc, h->fourcc = 0xdeadbeef)
LIE(nv12, h->fourcc = ZOE_FORMAT_NV12; h->n_planes = 2; h->offset[1] = 0xfffffff0;
	h->stride[1] = 64)
LIE(blob, h->fourcc = ZOE_FORMAT_BLOB; h->width = UINT32_MAX; h->height = 1)
LIE(modifier, h->modifier = 1)
LIE(crop, h->crop_x = 65535; h->crop_width = 1; h->crop_height = 1)
LIE(rate, h->rate_den = 0)
LIE(par, h->par_num = 1; h->par_den = 0)
LIE(transform, h->transform = 200)
LIE(chroma, h->chroma_site = 99)
LIE(tags, h->meta_size = UINT32_MAX)
LIE(tags_beyond, h->meta_size = 1025)
LIE(damage, h->n_damage = UINT32_MAX)

static void (*const lies[])(struct zoe_frame_header *h) = {lie_size, lie_size_0, lie_size_beyond,
	lie_width, lie_width_0, lie_height, lie_both, lie_stride, lie_stride_small,
	lie_stride_wraps, lie_offset, lie_offset_end, lie_planes, lie_planes_4, lie_planes_0,
	lie_fourcc, lie_nv12, lie_blob, lie_modifier, lie_crop, lie_rate, lie_par, lie_transform,
	lie_chroma, lie_tags, lie_tags_beyond, lie_damage};
#define N_LIES (sizeof(lies) / sizeof(lies[0]))

static void frames_of_lies(const struct scene *scene) {
	struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = ZOE_EVERY,
		.start = ZOE_START_NOW,
		.timeout_ms = DEADLINE_MS};
	struct zoe_client *c = broker_connect(scene->broker);
	struct zoe_consumer *s = NULL;
	const struct zoe_frame *frame;
	struct rogue r;

	rogue_produce(&r, scene, "loose");
	attack_claim(
		r.status == 0 && zoe_consumer_open(c, "loose", &options, &s) == 0, "cannot begin");
	for (size_t i = 0; s && i < 2 * N_LIES; i++) {
		int error;

		header_fill(header_at(&r, i % 4));
		if (i % 2) {
			lies[i / 2](header_at(&r, i % 4));
		}
		force_publish(&r, i % 4);
		error = zoe_consumer_next(s, &frame, 100);
		attack_claim(error == (i % 2 ? -EBADMSG : 0), "lie %zu: %d", i / 2, error);
		if (error == 0) {
			read_all(frame);
			zoe_frame_release(frame);
		}
	}
	attack_saw("%zu lies, each -EBADMSG, each sane frame between them taken", N_LIES);
	zoe_client_destroy(c);
	rogue_close(&r);
}

/* A lie and a sane header by turns, in frames that are published already. */
static noreturn void flip_headers(const struct rogue *r) {
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned i = 0;; i++) {
		struct zoe_frame_header *header = header_at(r, i / 4 % 4);

		header_fill(header);
		lies[i % N_LIES](header);
		force_publish(r, i / 4 % 4);
		header_fill(header);
		header->seq = zoe_head_seq(get_head(r)) - 1;
	}
}

/* Headers that change while they are read: copied once, checked, used from the copy. */
static void frames_that_change_their_header(const struct scene *scene) {
	struct victims v;
	struct rogue r;
	uint64_t start = now_ms();
	pid_t pid;

	victims_init(&v, scene);
	rogue_produce(&r, scene, "loose");
	pid = fork();
	if (pid == 0) {
		flip_headers(&r);
	}
	while (attack_goes_on(start)) {
		victims_look(&v);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	attack_saw("%u frames taken, %u refused", v.n_frames, v.n_refused);
	victims_finish(&v);
	rogue_close(&r);
}

/* Words of the ring one at a time, and what a consumer makes of them. */
static void frames_with_wild_words(const struct scene *scene) {
	static const uint64_t values[] = {0, 1, 2, 3, UINT64_MAX, UINT64_MAX - 1, UINT64_C(1) << 47,
		UINT64_C(1) << 48, UINT64_C(1) << 40, UINT64_C(1) << 63, 0xffff, 0x10000, 0x1ffff,
		UINT64_C(0x1000000000000001), UINT64_C(0x2fff000000000001),
		UINT64_C(0x3041000000000001), UINT64_C(0xf000000000000000)};
	struct victims v;
	struct rogue r;
	unsigned n = 0;

	victims_init(&v, scene);
	rogue_produce(&r, scene, "loose");
	for (uint32_t word = 0; word < 12; word++) {
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++, n++) {
			struct zoe_ring_page *page = zoe_ring_get_page(&r.ring);
			_Atomic zoe_u64 *at = word == 0  ? &page->head
					      : word < 6 ? zoe_ring_get_order(&r.ring, word)
							 : zoe_ring_get_state(&r.ring, word - 6);

			header_fill(header_at(&r, 1));
			force_publish(&r, 1);
			atomic_store_explicit(at, values[i], memory_order_seq_cst);
			victims_look(&v);
		}
		atomic_store_explicit(&zoe_ring_get_page(&r.ring)->head, zoe_head_pack(n + 20),
			memory_order_seq_cst);
	}
	attack_saw("%u wild words: %u frames taken, %u refused", n, v.n_frames, v.n_refused);
	victims_finish(&v);
	rogue_close(&r);
}

/* Leaves in good order a ring that it has poisoned: the next producer has to begin well in it. */
static void leave_poisoned(struct rogue *r) {
	struct zoe_msg_leave leave;

	memset(&leave, 0, sizeof(leave));
	zoe_msg_init(&leave, ZOE_MSG_LEAVE, 0);
	attack_claim(raw_send(r->socket, &leave, sizeof(leave)) == 0 && rogue_list(r->socket) >= 0,
		"cannot leave");
	attack_saw("left behind");
	rogue_close(r);
}

/* Numbers from far away: whoever publishes finds that it is late. */
static void frames_poisoned_order(const struct scene *scene) {
	struct rogue r;

	rogue_produce(&r, scene, "loose");
	attack_claim(r.status == 0, "PRODUCE: %d", r.status);
	for (uint32_t k = 0; r.status == 0 && k < r.ring.geo.n_order; k++) {
		atomic_store_explicit(zoe_ring_get_order(&r.ring, k),
			zoe_order_pack(ZOE_MAX_SEQ + k, 0), memory_order_seq_cst);
	}
	leave_poisoned(&r);
}

/* Slots that nobody owns, and nobody may evict. */
static void frames_poisoned_slots(const struct scene *scene) {
	struct rogue r;

	rogue_produce(&r, scene, "loose");
	attack_claim(r.status == 0, "PRODUCE: %d", r.status);
	for (uint32_t k = 0; r.status == 0 && k < r.ring.geo.n_slots; k++) {
		uint64_t s = zoe_head_seq(get_head(&r)) - 1;

		atomic_store_explicit(zoe_ring_get_state(&r.ring, k),
			k % 2 ? zoe_state_pack(ZOE_SLOT_WRITING, 0xfff, 0)
			      : zoe_state_pack(ZOE_SLOT_PUBLISHED, 0, s),
			memory_order_seq_cst);
	}
	leave_poisoned(&r);
}

static void poison_head(const struct scene *scene, uint64_t head) {
	struct rogue r;

	rogue_produce(&r, scene, "loose");
	attack_claim(r.status == 0, "PRODUCE: %d", r.status);
	if (r.status == 0) {
		atomic_store_explicit(
			&zoe_ring_get_page(&r.ring)->head, head, memory_order_seq_cst);
	}
	leave_poisoned(&r);
}

static void frames_poisoned_head(const struct scene *scene) {
	poison_head(scene, UINT64_MAX - 1);
}

static void frames_poisoned_close(const struct scene *scene) {
	poison_head(scene, zoe_head_pack(7) | ZOE_HEAD_CLOSED);
}

static noreturn void scribble(const struct rogue *r) {
	uint64_t seed = 7;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		rogue_scribble(r->maps[ROGUE_RING].at, r->maps[ROGUE_RING].bytes, &seed);
		rogue_scribble(r->maps[ROGUE_FRAMES].at, 65536, &seed);
		header_fill(header_at(r, 2));
		force_publish(r, 2);
	}
}

/* Everything it may write, all the time. */
static void frames_scribbled_over(const struct scene *scene) {
	struct victims v;
	struct rogue r;
	uint64_t start = now_ms();
	pid_t pid;

	victims_init(&v, scene);
	rogue_produce(&r, scene, "loose");
	pid = fork();
	if (pid == 0) {
		scribble(&r);
	}
	while (attack_goes_on(start)) {
		victims_look(&v);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	attack_saw("%u frames taken, %u refused", v.n_frames, v.n_refused);
	victims_finish(&v);
	rogue_close(&r);
}

/* It hangs up, lives, and writes on: into a generation that all others have left. */
static void frames_written_after_the_end(const struct scene *scene) {
	struct zoe_client *c = broker_connect(scene->broker), *d = broker_connect(scene->broker);
	struct zoe_consumer *s = consume(c, "loose", ZOE_RELIABLE, 1);
	struct zoe_producer *p = produce(d, "loose", 1);
	uint64_t start = now_ms(), seed = 9, value = 0;
	const struct zoe_frame *frame;
	uint32_t generation = 0;
	struct rogue r;

	rogue_produce(&r, scene, "loose");
	attack_claim(p && s && r.status == 0, "cannot begin");
	close(steal_fd(&r.socket));
	while (p && s && (attack_goes_on(start) || generation == r.region.generation)) {
		attack_claim(now_ms() - start < 5000, "the stream does not move away");
		if (publish(p, ++value) == 0 && zoe_consumer_next(s, &frame, 1000) == 0) {
			generation = frame->generation;
			if (generation > r.region.generation) {
				attack_claim(frame_is_whole(frame), "a frame is torn");
				rogue_scribble(
					r.maps[ROGUE_FRAMES].at, r.maps[ROGUE_FRAMES].bytes, &seed);
				rogue_scribble(
					r.maps[ROGUE_RING].at, r.maps[ROGUE_RING].bytes, &seed);
				attack_claim(frame_is_whole(frame), "a frame changes");
				attack_claim(frame->user[0] == value, "a frame is lost");
			}
			zoe_frame_release(frame);
		}
		if (now_ms() - start > 5000) {
			break;
		}
	}
	attack_saw("generation %u left to it, %llu frames in %u", r.region.generation,
		(unsigned long long)value, generation);
	zoe_client_destroy(c);
	zoe_client_destroy(d);
	rogue_close(&r);
}

const struct attack frame_attacks[] = {
	{"frames: lying headers", ATTACK_AS_STRANGER, frames_of_lies},
	{"frames: headers that change", ATTACK_AS_STRANGER, frames_that_change_their_header},
	{"frames: wild head, order, states", ATTACK_AS_STRANGER, frames_with_wild_words},
	{"frames: poisoned order left behind", ATTACK_AS_STRANGER, frames_poisoned_order},
	{"frames: poisoned slots left behind", ATTACK_AS_STRANGER, frames_poisoned_slots},
	{"frames: poisoned head left behind", ATTACK_AS_STRANGER, frames_poisoned_head},
	{"frames: false close left behind", ATTACK_AS_STRANGER, frames_poisoned_close},
	{"frames: all scribbled over", ATTACK_AS_STRANGER, frames_scribbled_over},
	{"frames: written after hanging up", ATTACK_AS_STRANGER, frames_written_after_the_end},
	{NULL, ATTACK_AS_STRANGER, NULL},
};
