/* SPDX-License-Identifier: MIT */
/*
 * zoe verify: checks the frames of `zoe push --pattern counter`: pixels against header, order,
 * losses.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "pattern.h"
#include "tool.h"

enum { MAX_PRODUCERS = 64, MAX_TOLD = 10 };

struct verify_order {
	const char *stream;
	uint64_t max_frames; // 0 = no end
	enum zoe_delivery delivery;
	const char *group; // of a queue
	bool may_lose;
};

/* What was last seen of a producer. */
struct counter {
	uint64_t producer, last;
	uint64_t seen; // when, in frames
};

struct verify {
	struct tool *tool;                // borrowed
	const struct verify_order *order; // borrowed
	struct counter counters[MAX_PRODUCERS];
	uint64_t last_seq;
	uint32_t last_generation;
	uint64_t n_frames, n_torn, n_lost, n_gaps, n_disordered, n_bad;
	uint64_t n_producers;
	unsigned n_told;
};

static void tell(struct verify *v, const struct zoe_frame *frame, const char *what) {
	if (v->n_told++ < MAX_TOLD) {
		tool_fail("stream '%s': frame %" PRIu64 " (counter %" PRIu64
			  " of producer %016" PRIx64 "): %s",
			v->order->stream, frame->seq, frame->user[0], frame->user[1], what);
	}
}

/* The producer's entry, at worst that of the one not seen for longest. */
static struct counter *find_counter(struct verify *v, uint64_t producer) {
	struct counter *oldest = &v->counters[0];

	for (size_t i = 0; i < n_elements(v->counters); i++) {
		struct counter *c = &v->counters[i];

		if (c->last != 0 && c->producer == producer) {
			return c;
		}
		if (c->seen < oldest->seen) {
			oldest = c;
		}
	}
	*oldest = (struct counter){.producer = producer};
	v->n_producers++;
	return oldest;
}

static void check_pixels(struct verify *v, const struct zoe_frame *frame) {
	struct pattern_id id = {.counter = frame->user[0], .producer = frame->user[1]};
	struct pattern_spot spot = {0, 0, 0};
	char what[96];

	if (pattern_is_counter(&frame->format, frame->plane, &id, &spot)) {
		return;
	}
	v->n_torn++;
	snprintf(what, sizeof(what), "torn: plane %u, row %u, byte %u is not this frame's",
		spot.plane, spot.row, spot.byte);
	tell(v, frame, what);
}

/* A frame's number may only step back where the stream says that it begins anew: with another
 * region, or after a restart of the broker. The producers' counters never do. */
static bool is_seq_in_order(const struct verify *v, const struct zoe_frame *frame) {
	return v->n_frames == 0 || frame->seq > v->last_seq ||
	       frame->generation != v->last_generation || (frame->flags & ZOE_DISCONT) != 0;
}

static void check_order(struct verify *v, const struct zoe_frame *frame) {
	struct counter *c = find_counter(v, frame->user[1]);
	char what[96];

	if (!is_seq_in_order(v, frame)) {
		v->n_disordered++;
		snprintf(
			what, sizeof(what), "out of order: came after frame %" PRIu64, v->last_seq);
		tell(v, frame, what);
	} else if (c->last != 0 && frame->user[0] <= c->last) {
		v->n_disordered++;
		snprintf(what, sizeof(what), "out of order: came after counter %" PRIu64, c->last);
		tell(v, frame, what);
	} else if (c->last != 0) {
		v->n_gaps += frame->user[0] - c->last - 1;
	}
	c->last = frame->user[0];
	c->seen = v->n_frames + 1;
	v->last_seq = frame->seq;
	v->last_generation = frame->generation;
	v->n_lost += frame->lost;
}

/* Whether a frame may be missing without having been lost: it was nobody's, or another member's. */
static bool may_jump(enum zoe_delivery delivery) {
	return delivery != ZOE_EVERY && delivery != ZOE_RELIABLE;
}

/* What the library says was lost, or what the numbers say if that is more. */
static uint64_t get_lost(const struct verify *v) {
	return !may_jump(v->order->delivery) && v->n_gaps > v->n_lost ? v->n_gaps : v->n_lost;
}

static bool is_good(const struct verify *v) {
	return v->n_frames > 0 && v->n_torn == 0 && v->n_disordered == 0 && v->n_bad == 0 &&
	       (v->order->may_lose || get_lost(v) == 0);
}

static void report(const struct verify *v) {
	if (v->tool->is_json) {
		printf("{\"stream\": ");
		tool_print_json_string(stdout, v->order->stream);
		printf(", \"frames\": %" PRIu64 ", \"torn\": %" PRIu64 ", \"lost\": %" PRIu64
		       ", \"out_of_order\": %" PRIu64 ", \"bad_headers\": %" PRIu64
		       ", \"producers\": %" PRIu64 ", \"ok\": %s}\n",
			v->n_frames, v->n_torn, get_lost(v), v->n_disordered, v->n_bad,
			v->n_producers, is_good(v) ? "true" : "false");
		return;
	}
	printf("verified %" PRIu64 " frames: %" PRIu64 " torn, %" PRIu64 " lost, %" PRIu64
	       " out of order",
		v->n_frames, v->n_torn, get_lost(v), v->n_disordered);
	if (v->n_bad > 0) {
		printf(", %" PRIu64 " with bad headers", v->n_bad);
	}
	printf("\n");
}

/* Returns: 0 go on; TOOL_FAILED with its sentence. */
static int check_frame(struct verify *v, const struct zoe_frame *frame) {
	if (frame->user[0] == 0) {
		return tool_fail("stream '%s': frame %" PRIu64
				 " has no counter: not from 'zoe push --pattern counter'",
			v->order->stream, frame->seq);
	}
	check_pixels(v, frame);
	check_order(v, frame);
	v->n_frames++;
	return 0;
}

/* Returns: 0 the end that was asked for; TOOL_FAILED with its sentence. */
static int check_frames(struct verify *v, struct zoe_consumer *consumer) {
	int rc = 0;

	while (rc == 0 && (v->order->max_frames == 0 || v->n_frames < v->order->max_frames)) {
		const struct zoe_frame *frame;

		rc = tool_next(v->tool, consumer, &frame, v->tool->timeout_ms);
		if (rc == -EBADMSG) {
			v->n_bad++;
			rc = 0;
		} else if (rc == 0) {
			rc = check_frame(v, frame);
			zoe_frame_release(frame);
		}
	}
	if (rc == -ENODATA && v->order->max_frames != 0) {
		return tool_fail("stream '%s': ended after %" PRIu64 " of %" PRIu64 " frames",
			v->order->stream, v->n_frames, v->order->max_frames);
	}
	if (rc == 0 || rc == -ECANCELED || rc == -ENODATA) {
		return 0;
	}
	if (rc == -ETIMEDOUT || rc == -EAGAIN) {
		return tool_fail("stream '%s': no frame came in time", v->order->stream);
	}
	return rc < 0 ? tool_fail_client(v->tool) : rc;
}

static int verify(struct tool *tool, const struct verify_order *order) {
	static struct verify v;
	struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = order->delivery,
		.group = order->group,
		.start = ZOE_START_NOW};
	struct zoe_consumer *consumer;
	int rc = tool_connect(tool);

	v = (struct verify){.tool = tool, .order = order};
	if (rc == 0) {
		rc = tool_open_consumer(tool, order->stream, &options, &consumer);
	}
	if (rc != 0) {
		report(&v);
		return TOOL_FAILED; /* also when a signal came: nothing was verified */
	}
	rc = check_frames(&v, consumer);
	if (zoe_consumer_take_events(consumer) & ZOE_EV_DEMOTED) {
		tool_fail("stream '%s': too slow to be reliable, frames may have been lost",
			order->stream);
	}
	zoe_consumer_close(consumer);
	report(&v);
	return rc == 0 && is_good(&v) ? TOOL_DONE : TOOL_FAILED;
}

int verify_run(struct tool *tool, int argc, char **argv) {
	const char *frames = NULL, *delivery = NULL, *may_lose = NULL, *group = NULL;
	const struct tool_option options[] = {{"frames", 'n', true, &frames},
		{"delivery", 'd', true, &delivery}, {"group", 'g', true, &group},
		{"allow-loss", 'l', false, &may_lose}, {NULL, 0, false, NULL}};
	struct verify_order order = {.max_frames = 0};
	int n_args, rc;

	rc = tool_parse(tool, argc, argv, options, &n_args);
	if (rc >= 0) {
		return rc;
	}
	if (n_args != 1) {
		return tool_fail_usage(tool, "needs one STREAM");
	}
	if (frames != NULL &&
		(tool_parse_u64(frames, &order.max_frames) < 0 || order.max_frames == 0)) {
		return tool_fail_usage(tool, "--frames %s: a number from 1 on", frames);
	}
	order.stream = argv[1];
	order.may_lose = may_lose != NULL;
	order.group = group;
	order.delivery = ZOE_EVERY;
	if (delivery != NULL && tool_parse_delivery(delivery, &order.delivery) < 0) {
		return tool_fail_usage(tool,
			"--delivery %s: every, latest, reliable, queue or queue-reliable",
			delivery);
	}
	if ((group != NULL) !=
		(order.delivery == ZOE_QUEUE || order.delivery == ZOE_QUEUE_RELIABLE)) {
		return tool_fail_usage(
			tool, "a queue needs --group NAME, and nothing else has one");
	}
	return verify(tool, &order);
}
