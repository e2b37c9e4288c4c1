/* SPDX-License-Identifier: MIT */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "frame_check.h"
#include "ring_wait.h"

enum { MAX_BUSY_LOOKS = 1000 };

static void view_free(struct zoe_view *view) {
	void (*dropped)(void *) = view->dropped;
	void *owner = view->owner;

	zoe_seat_unmap(view->seat_map);
	zoe_seat_unmap(view->group_map);
	zoe_region_close(&view->region);
	if (view->seat_fd >= 0) {
		close(view->seat_fd);
	}
	for (unsigned i = 0; i < ZOE_MAX_PINS; i++) {
		free(view->loans[i].meta);
	}
	free(view);
	if (dropped) {
		dropped(owner);
	}
}

void zoe_view_unref(struct zoe_view *view) {
	/* [REFS] acq_rel: the last one unmaps behind everybody's last look. */
	if (atomic_fetch_sub_explicit(&view->n_refs, 1, memory_order_acq_rel) == 1) {
		view_free(view);
	}
}

bool zoe_view_is_idle(const struct zoe_view *view) {
	/* [REFS] acquire: the pins are off before we tell the broker so. */
	return atomic_load_explicit(&view->n_refs, memory_order_acquire) == 1;
}

static int loans_init(struct zoe_view *view) {
	uint32_t meta_bytes = view->region.ring.geo.meta_bytes;

	for (uint32_t i = 0; i < view->hold; i++) {
		view->loans[i].view = view;
		view->loans[i].pin = i;
		if (meta_bytes) {
			view->loans[i].meta = malloc(meta_bytes);
			if (!view->loans[i].meta) {
				return -ENOMEM;
			}
		}
	}
	return 0;
}

int zoe_view_create(
	struct zoe_view **out, const struct zoe_msg_region *msg, const int *fds, uint32_t n_fds) {
	struct zoe_view *view;
	int error;

	if (n_fds < 4 || msg->want >= ZOE_MAX_SEQ || msg->hold < 1 || msg->hold > ZOE_MAX_PINS ||
		msg->seat >= ZOE_MAX_SEATS || msg->start < 1 || msg->start >= ZOE_MAX_SEQ) {
		return -EPROTO;
	}
	view = calloc(1, sizeof(*view));
	if (!view) {
		return -ENOMEM;
	}
	atomic_init(&view->n_refs, 1);
	view->seat_fd = -1;
	view->region = ZOE_REGION_NONE;
	view->hold = msg->hold;
	view->end = UINT64_MAX;
	error = zoe_region_open(&view->region, msg, fds, false);
	if (!error) {
		error = zoe_seat_map(&view->seat_map, fds[3], true);
	}
	if (!error && n_fds > 4) {
		error = zoe_seat_map(&view->group_map, fds[4], true);
	}
	if (!error) {
		view->seat_fd = fcntl(fds[3], F_DUPFD_CLOEXEC, 3);
		error = view->seat_fd < 0 ? -errno : loans_init(view);
	}
	if (error) {
		zoe_view_unref(view);
		return error;
	}
	view->generation = view->region.generation;
	view->reader.ring = view->region.ring;
	view->reader.seat = zoe_seat_at(view->seat_map, msg->seat);
	view->reader.group = view->group_map;
	view->reader.start = msg->start;
	view->want = msg->want;
	view->seat = msg->seat;
	view->consumer = msg->consumer;
	*out = view;
	return 0;
}

static void unpin(struct zoe_view *view, uint32_t pin) {
	struct zoe_wakes wakes = {0};

	zoe_ring_unpin(&view->reader.ring, view->reader.seat, pin, &wakes);
	zoe_seat_wake(view->reader.seat, &wakes);
}

void zoe_view_ring_bell(struct zoe_view *view) {
	struct zoe_wakes wakes = {0};

	zoe_ring_ring_bell(&view->reader.ring, view->reader.seat, &wakes);
	zoe_seat_wake(view->reader.seat, &wakes);
}

/* Fills the public frame from a private copy of the header. */
static int loan_fill(struct zoe_loan *loan, uint32_t slot, uint64_t s) {
	const struct zoe_ring *ring = &loan->view->reader.ring;
	const unsigned char *shared = zoe_ring_get_header(ring, slot);
	const uint8_t *payload = ring->frames + (size_t)slot * ring->geo.slot_stride;
	struct zoe_frame *f = &loan->frame;
	struct zoe_frame_header hdr;

	memcpy(&hdr, shared, sizeof(hdr));
	if (hdr.seq != s || zoe_frame_header_check_known(&hdr, ring->geo.slot_bytes,
				    ring->geo.meta_bytes, &f->format) != 0) {
		return -EBADMSG;
	}
	loan->meta_size = hdr.meta_size;
	if (hdr.meta_size) {
		memcpy(loan->meta, shared + sizeof(hdr), hdr.meta_size);
	}
	for (unsigned i = 0; i < 4; i++) {
		f->plane[i] = i < f->format.n_planes ? payload + f->format.offset[i] : NULL;
	}
	f->seq = s;
	f->lost = 0;
	f->pts_ns = hdr.pts_ns;
	f->publish_ns = hdr.publish_ns;
	f->duration_ns = hdr.duration_ns;
	f->source_seq = hdr.source_seq;
	f->user[0] = hdr.user[0];
	f->user[1] = hdr.user[1];
	f->clock = hdr.clock;
	f->flags = hdr.flags;
	f->generation = loan->view->generation;
	f->rate_num = hdr.rate_num;
	f->rate_den = hdr.rate_den;
	return 0;
}

static struct zoe_loan *loan_find_free(struct zoe_view *view) {
	for (uint32_t i = 0; i < view->hold; i++) {
		/* [LOAN] acquire: the releaser is done with the pin and the copy. */
		if (!atomic_load_explicit(&view->loans[i].in_use, memory_order_acquire)) {
			return &view->loans[i];
		}
	}
	return NULL;
}

static enum zoe_ring_result take_patiently(
	struct zoe_view *view, uint64_t s, uint32_t pin, uint32_t *slot) {
	enum zoe_ring_result result = ZOE_RING_BUSY;

	/* BUSY: a claimer looks at our pins just now and will put the frame back. */
	for (unsigned i = 0; i < MAX_BUSY_LOOKS && result == ZOE_RING_BUSY; i++) {
		struct zoe_wakes wakes = {0};

		result = zoe_ring_take(&view->reader, s, pin, slot, &wakes);
		zoe_seat_wake(view->reader.seat, &wakes);
	}
	return result;
}

/* Lends what was pinned. Returns: 0; -EBADMSG. */
static int lend(struct zoe_view *view, struct zoe_loan *loan, uint32_t slot, uint64_t s) {
	if (loan_fill(loan, slot, s) != 0) {
		unpin(view, loan->pin);
		return -EBADMSG;
	}
	/* [LOAN] relaxed: only this thread lends. [REFS] relaxed: we hold one. */
	atomic_store_explicit(&loan->in_use, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&view->n_refs, 1, memory_order_relaxed);
	return 0;
}

int zoe_view_take(struct zoe_view *view, uint64_t s, struct zoe_loan **out) {
	struct zoe_loan *loan = loan_find_free(view);
	enum zoe_ring_result result;
	uint32_t slot = 0;
	int error;

	if (!loan) {
		return -ENOBUFS;
	}
	result = take_patiently(view, s, loan->pin, &slot);
	if (result != ZOE_RING_OK) {
		return result == ZOE_RING_NONE ? -EAGAIN : -ESTALE;
	}
	error = lend(view, loan, slot, s);
	if (!error) {
		*out = loan;
	}
	return error;
}

int zoe_view_take_queued(struct zoe_view *view, struct zoe_loan **out, uint64_t *n_skipped) {
	struct zoe_loan *loan = loan_find_free(view);
	enum zoe_ring_result result;
	struct zoe_wakes wakes = {0};
	struct zoe_queued taken;
	int error;

	if (!loan) {
		return -ENOBUFS;
	}
	result = zoe_ring_take_queued(&view->reader, loan->pin, &taken, &wakes);
	zoe_seat_wake(view->reader.seat, &wakes);
	*n_skipped = taken.skipped;
	if (result != ZOE_RING_OK) {
		return result == ZOE_RING_NONE    ? -EAGAIN
		       : result == ZOE_RING_ROGUE ? -EPROTO
						  : -ESTALE;
	}
	error = lend(view, loan, taken.slot, taken.seq);
	if (!error) {
		*out = loan;
	}
	return error;
}

/* The loan that a public frame is the face of. */
static struct zoe_loan *loan_from_frame(const struct zoe_frame *f) {
	struct zoe_loan *loan;

	memcpy(&loan, &f, sizeof(loan)); /* frame is the first member; drops the const */
	return loan;
}

void zoe_frame_release(const struct zoe_frame *f) {
	struct zoe_loan *loan;
	struct zoe_view *view;

	if (!f) {
		return;
	}
	loan = loan_from_frame(f);
	view = loan->view;
	if (zoe_client_is_forked(view->client)) {
		return; /* the child has no mapping of it */
	}
	unpin(view, loan->pin);
	/* [LOAN] release: everything we did with the loan comes before its next use. */
	atomic_store_explicit(&loan->in_use, 0, memory_order_release);
	zoe_view_unref(view);
}

const void *zoe_frame_find(const struct zoe_frame *f, enum zoe_tag tag, size_t *size) {
	const struct zoe_loan *loan = loan_from_frame(f);

	return zoe_tlv_find(loan->meta, loan->meta_size, (uint32_t)tag, size);
}
