/* SPDX-License-Identifier: MIT */
/*
 * Taking frames: next by the delivery asked for, latest, at, at_time. Looks at the ring without a
 * system call; only a consumer that finds nothing looks at the broker's socket, arms its doorbell
 * or sleeps.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "consumer_priv.h"
#include "probe.h"
#include "ring_wait.h"

enum { MAX_SKIPS = 64, MAX_RINGS = 16, PACE_SLACK = 8 };

static bool is_queue(const struct zoe_consumer *s) {
	return s->options.group != NULL;
}

static bool is_reliable(const struct zoe_consumer *s) {
	return s->options.delivery == ZOE_RELIABLE || s->options.delivery == ZOE_QUEUE_RELIABLE;
}

/* Counts frames that were asked for and cannot be had. */
static void count_lost(struct zoe_consumer *s, uint64_t n) {
	if (s->options.delivery == ZOE_LATEST || n == 0) {
		return;
	}
	s->missed += n;
	if (is_reliable(s)) {
		zoe_consumer_demote(s); /* nobody else is allowed to lose a frame of ours */
	}
}

/* The number wanted next, made sane: `head` never honestly falls behind what we have taken. */
static void update_want(struct zoe_consumer *s, const struct zoe_view *view, uint64_t head) {
	bool is_future = s->options.start == ZOE_START_SEQ && s->want <= s->options.start_seq;

	if (is_queue(s)) {
		s->want = zoe_ring_get_tail(&view->reader, head);
	} else if (s->want > head && !is_future && head >= view->reader.start) {
		s->want = head;
		s->is_discont = true;
	}
}

static bool view_is_drained(
	const struct zoe_consumer *s, const struct zoe_view *view, uint64_t head, int is_closed) {
	uint64_t end = view->end < head ? view->end : head;

	return s->want >= end &&
	       (is_closed || view->end != UINT64_MAX || s->current + 1 < s->n_views);
}

/* The next frame under max_fps is due one interval after the last one was, not after it came. */
static void set_due(struct zoe_consumer *s, uint64_t now) {
	uint64_t interval = UINT64_C(1000000000) / s->options.max_fps;

	s->due_ns = s->due_ns + interval > now ? s->due_ns + interval : now + interval;
}

/* How long until the next frame may be given out, in ns; 0 = now. Frames may come early by an
 * eighth of the interval, or jitter would cost every second one. */
static uint64_t get_wait(const struct zoe_consumer *s) {
	uint64_t slack, now;

	if (s->due_ns == 0) {
		return 0;
	}
	now = zoe_now_ns();
	slack = UINT64_C(1000000000) / s->options.max_fps / PACE_SLACK;
	return now + slack >= s->due_ns ? 0 : s->due_ns - slack - now;
}

static void give_out(struct zoe_consumer *s, struct zoe_loan *loan, const struct zoe_frame **out) {
	struct zoe_seat *seat = loan->view->reader.seat;
	uint64_t now = zoe_now_ns();

	loan->frame.lost = s->missed;
	if (s->is_discont) {
		loan->frame.flags |= ZOE_DISCONT;
	}
	loan->view->taken++;
	loan->view->lost += s->missed;
	/* [SHOW] relaxed: for display only. */
	atomic_store_explicit(&seat->taken, loan->view->taken, memory_order_relaxed);
	atomic_store_explicit(&seat->lost, loan->view->lost, memory_order_relaxed);
	atomic_store_explicit(&seat->last_take_ns, now, memory_order_relaxed);
	ZOE_PROBE4(take, s->name, loan->frame.seq, s->missed, loan->frame.publish_ns);
	s->missed = 0;
	s->is_discont = false;
	if (s->options.max_fps) {
		set_due(s, now);
	}
	*out = &loan->frame;
}

/* Moves `want` to what can still be had, counting what cannot. What a reliable consumer wants is
 * kept for it even outside the window: only a take that fails says that it is lost. */
static void skip_lost(struct zoe_consumer *s, const struct zoe_view *view, uint64_t head) {
	uint64_t oldest = zoe_ring_get_oldest(&view->reader, head);
	bool is_kept = is_queue(s) || (s->options.delivery == ZOE_RELIABLE && !s->is_demoted);

	if (s->want < oldest && !is_kept) {
		count_lost(s, oldest - s->want);
		s->want = oldest;
	}
	if (s->options.delivery == ZOE_LATEST) {
		s->want = head - 1;
	}
}

static int no_frame(const struct zoe_view *view, bool is_drained) {
	/* [END] acquire: the broker's word, set after the last frame. */
	return is_drained && atomic_load_explicit(
				     &view->reader.ring.control->stream_ended, memory_order_acquire)
		       ? -ENODATA
		       : -EAGAIN;
}

static int take_next(struct zoe_consumer *s, struct zoe_view *view, struct zoe_loan **loan) {
	int error = zoe_view_take(view, s->want, loan);

	if (error != -ENOBUFS && error != -EAGAIN) {
		s->want++;
		zoe_ring_set_cursor(&view->reader, s->want);
		count_lost(s, error != 0);
	}
	return error;
}

/* Returns: 0 and *loan; -ESTALE try the next; else as zoe_view_take(). */
static int take_wanted(struct zoe_consumer *s, struct zoe_view *view, struct zoe_loan **loan) {
	uint64_t n_skipped = 0;
	int error;

	if (is_queue(s)) {
		error = zoe_view_take_queued(view, loan, &n_skipped);
		count_lost(s, n_skipped);
	} else {
		error = take_next(s, view, loan);
	}
	if (error == 0 && is_reliable(s)) {
		zoe_view_ring_bell(view);
	}
	return error;
}

/* One look at the ring, without a system call. */
static int consumer_try(struct zoe_consumer *s, const struct zoe_frame **out) {
	for (unsigned i = 0; i < MAX_SKIPS; i++) {
		struct zoe_view *view = zoe_consumer_get_view(s);
		struct zoe_loan *loan;
		uint64_t head;
		int is_closed, error;

		if (!view) {
			return -EAGAIN;
		}
		zoe_ring_prefetch(&view->reader, s->want);
		head = zoe_ring_get_head(&view->reader, &is_closed);
		update_want(s, view, head);
		if (view_is_drained(s, view, head, is_closed) && zoe_consumer_advance(s)) {
			continue;
		}
		if (is_queue(s) && s->want >= head && zoe_ring_tail_is_wild(&view->reader)) {
			return -EPROTO;
		}
		if (s->want >= head || head >= ZOE_MAX_SEQ) {
			return no_frame(view, s->want >= head && !is_closed);
		}
		if (get_wait(s) > 0) {
			return -EAGAIN;
		}
		skip_lost(s, view, head);
		error = take_wanted(s, view, &loan);
		if (error == 0) {
			give_out(s, loan, out);
		}
		if (error != -ESTALE) {
			return error;
		}
	}
	return -EAGAIN;
}

/* Producers may ring as fast as we listen: what is left then rings again. After the end of file
 * the doorbell would be readable for ever. */
static void empty_bell(struct zoe_consumer *s) {
	char bytes[16];
	ssize_t n = 1;

	for (unsigned i = 0; i < MAX_RINGS && s->bell >= 0 && n > 0; i++) {
		n = recv(s->bell, bytes, sizeof(bytes), MSG_DONTWAIT);
	}
	if (n == 0) {
		zoe_consumer_drop_bell(s);
	}
}

/* Empties the doorbell and asks for the next ring; or for the moment when a frame is due. */
static void consumer_arm(struct zoe_consumer *s) {
	struct zoe_view *view = zoe_consumer_get_view(s);
	uint64_t wait_ns = get_wait(s);

	zoe_pollable_tick(&s->pollable);
	empty_bell(s);
	if (wait_ns > 0) {
		zoe_pollable_wake_in(&s->pollable, wait_ns);
	} else if (view) {
		/* [SLEEP] {poll.arm} SC, before the look at head that follows. */
		atomic_fetch_add_explicit(&view->reader.seat->arm, 1, memory_order_seq_cst);
	}
}

static int fail_next(struct zoe_consumer *s, int error) {
	switch (error) {
	case -ETIMEDOUT:
		return zoe_client_fail(
			s->client, error, "stream '%s': no frame in time", s->stream);
	case -ENODATA:
		return zoe_client_fail(s->client, error, "stream '%s' has ended", s->stream);
	case -ENOBUFS:
		return zoe_client_fail(s->client, error,
			"stream '%s': all %u frames of `hold` are held: release one", s->stream,
			s->options.hold);
	case -ESTALE:
		return zoe_client_fail(s->client, error,
			"stream '%s': the frame asked for is overwritten", s->stream);
	case -EBADMSG:
		return zoe_client_fail(s->client, error,
			"stream '%s': the header of a frame is not sane", s->stream);
	case -EPROTO:
		return zoe_client_fail(s->client, error,
			"stream '%s': a member of group '%s' broke its page", s->stream, s->group);
	default:
		return error;
	}
}

/* Sleeps until a frame may have come or be due. */
static void consumer_sleep(struct zoe_consumer *s, const struct zoe_deadline *deadline) {
	struct zoe_view *view = zoe_consumer_get_view(s);
	uint64_t wait_ns = get_wait(s);
	int is_closed = 0;

	if (view) {
		zoe_ring_get_head(&view->reader, &is_closed);
	}
	if (wait_ns > 0) {
		zoe_link_poll(&s->link, deadline, (int)(wait_ns / 1000000) + 1);
	} else if (view && !is_closed && s->current + 1 == s->n_views) {
		if (!zoe_reader_spin(&view->reader, s->want, s->options.spin_us * 1000)) {
			zoe_reader_wait(&view->reader, s->want, zoe_deadline_left(deadline));
		}
	} else {
		zoe_link_poll(&s->link, deadline, s->link.fd < 0 ? 10 : ZOE_MAX_SLEEP_MS);
	}
}

int zoe_consumer_next(struct zoe_consumer *s, const struct zoe_frame **out, int timeout_ms) {
	struct zoe_deadline deadline = {0};
	bool has_deadline = false;

	if (zoe_client_is_forked(s->client)) {
		return zoe_client_fail_forked(s->client);
	}
	for (;;) {
		const struct zoe_view *armed;
		int error = consumer_try(s, out);

		if (error != -EAGAIN) {
			return error ? fail_next(s, error) : 0;
		}
		armed = zoe_consumer_get_view(s);
		if (timeout_ms == 0 && zoe_pollable_is_open(&s->pollable)) {
			consumer_arm(s);
		}
		if (!zoe_consumer_service_sometimes(s) && timeout_ms == 0) {
			return -EAGAIN; /* neither armed nor told anything: nothing is new */
		}
		error = consumer_try(s, out);
		if (error != -EAGAIN) {
			return error ? fail_next(s, error) : 0;
		}
		if (s->state == ZOE_CONSUME_REFUSED) {
			return zoe_refusal_fail(&s->refusal, s->client);
		}
		if (timeout_ms == 0 && zoe_consumer_get_view(s) == armed) {
			return -EAGAIN;
		}
		if (timeout_ms == 0) {
			continue; /* another generation: its seat is not armed yet */
		}
		if (!has_deadline) {
			deadline = zoe_deadline_init(timeout_ms);
			has_deadline = true;
		}
		if (zoe_deadline_left(&deadline) == 0) {
			return fail_next(s, -ETIMEDOUT);
		}
		consumer_sleep(s, &deadline);
	}
}

/* Looks at the broker's socket now and then. Returns: 0; why there is nothing to look at. */
static int get_ready(struct zoe_consumer *s) {
	if (zoe_client_is_forked(s->client)) {
		return zoe_client_fail_forked(s->client);
	}
	zoe_consumer_service_sometimes(s);
	if (s->state == ZOE_CONSUME_REFUSED) {
		return zoe_refusal_fail(&s->refusal, s->client);
	}
	return s->n_views == 0 ? -EAGAIN : 0;
}

/* The newest generation that has a frame. */
static struct zoe_view *find_newest_view(struct zoe_consumer *s) {
	for (uint32_t i = s->n_views; i > s->current; i--) {
		struct zoe_view *view = s->views[i - 1];

		if (zoe_ring_get_head(&view->reader, NULL) > view->region.start ||
			i - 1 == s->current) {
			return view;
		}
	}
	return NULL;
}

/* The newest frame was given out: next() goes on behind it. */
static void skip_to(struct zoe_consumer *s, const struct zoe_view *view, uint64_t next) {
	while (zoe_consumer_get_view(s) != view && zoe_consumer_advance(s)) {
	}
	if (next > s->want) {
		s->want = next;
		zoe_ring_set_cursor(&zoe_consumer_get_view(s)->reader, next);
	}
	s->missed = 0;
}

int zoe_consumer_latest(struct zoe_consumer *s, const struct zoe_frame **out) {
	int error = get_ready(s);
	struct zoe_view *view = error ? NULL : find_newest_view(s);

	for (unsigned i = 0; view && i < MAX_SKIPS; i++) {
		uint64_t head = zoe_ring_get_head(&view->reader, NULL);
		struct zoe_loan *loan;

		if (head <= zoe_ring_get_oldest(&view->reader, head) || head >= ZOE_MAX_SEQ) {
			return -EAGAIN;
		}
		error = zoe_view_take(view, head - 1, &loan);
		if (error == -ESTALE) {
			continue;
		}
		if (error) {
			return fail_next(s, error);
		}
		if (!is_queue(s)) {
			skip_to(s, view, head);
		}
		give_out(s, loan, out);
		return 0;
	}
	/* Overwritten again and again: the next call may be luckier. */
	return error && error != -ESTALE ? error : -EAGAIN;
}

int zoe_consumer_at(struct zoe_consumer *s, uint64_t seq, const struct zoe_frame **out) {
	struct zoe_loan *loan;
	int error = get_ready(s);

	for (uint32_t i = s->n_views; !error && i > s->current; i--) {
		struct zoe_view *view = s->views[i - 1];

		if (seq < view->region.start) {
			continue;
		}
		error = zoe_view_take(view, seq, &loan);
		if (error == 0) {
			*out = &loan->frame;
		}
		return error ? fail_next(s, error) : 0;
	}
	return error ? error : fail_next(s, -ESTALE);
}

/* Looks in one generation, at most depth frames back. Returns: 0; -ESTALE older than all of them;
 * -EAGAIN there is none; -ENOBUFS. */
static int take_before(struct zoe_view *view, uint64_t pts_ns, struct zoe_loan **out) {
	uint64_t head = zoe_ring_get_head(&view->reader, NULL);
	uint64_t oldest = zoe_ring_get_oldest(&view->reader, head);
	int error = -EAGAIN;

	if (head >= ZOE_MAX_SEQ) {
		return -EAGAIN;
	}
	for (uint64_t s = head; s > oldest; s--) {
		error = zoe_view_take(view, s - 1, out);
		if (error == -ENOBUFS || (error == 0 && (*out)->frame.pts_ns <= pts_ns)) {
			return error;
		}
		if (error == 0) {
			zoe_frame_release(&(*out)->frame);
		}
		error = -ESTALE;
	}
	return error;
}

int zoe_consumer_at_time(struct zoe_consumer *s, uint64_t pts_ns, const struct zoe_frame **out) {
	int error = get_ready(s), result = -EAGAIN;
	struct zoe_loan *loan;

	for (uint32_t i = s->n_views; !error && i > s->current; i--) {
		error = take_before(s->views[i - 1], pts_ns, &loan);
		if (error == 0) {
			*out = &loan->frame;
			return 0;
		}
		result = error == -ESTALE ? error : result;
		error = error == -ENOBUFS ? fail_next(s, error) : 0;
	}
	return error ? error : fail_next(s, result);
}
