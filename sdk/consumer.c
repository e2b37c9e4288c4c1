/* SPDX-License-Identifier: MIT */
#include <zoe/consumer.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "client.h"
#include "link.h"
#include "pollable.h"
#include "ring_wait.h"
#include "view.h"

enum { MAX_VIEWS = 8, MAX_SKIPS = 64, MAX_RINGS = 16, SERVICE_NS = 100000000 };

enum attach_state { ATTACH_NONE, ATTACH_ASKED, ATTACH_PARKED, ATTACH_DONE, ATTACH_REFUSED };

struct zoe_consumer {
	struct zoe_client *client; // counted
	struct zoe_handle handle;
	_Atomic uint32_t n_refs; // the user's and one a view
	struct zoe_link link;
	struct zoe_consumer_options options;
	char stream[ZOE_NAME_BYTES], name[112];
	enum attach_state state;
	uint32_t epoch, serial;            // of the request to attach
	int refused;                       // the reason, once refused
	struct zoe_view *views[MAX_VIEWS]; // oldest first; views[0] is read, or was left with loans
	uint32_t n_views, current;         // index of the one read from
	uint64_t want;                     // next number; 0 = not begun
	uint64_t last_lineage, missed;     // missed: since the last frame given out
	bool is_parked_start, is_discont;
	uint32_t events;
	uint64_t service_ns; // when the socket was last looked at
	struct zoe_pollable pollable;
	int bell; // our end of the doorbell; -1 = none
	uint32_t bell_serial, arm;
};

static void consumer_unref(void *pointer) {
	struct zoe_consumer *s = pointer;

	/* [REFS] acq_rel: see zoe_view_unref(). */
	if (atomic_fetch_sub_explicit(&s->n_refs, 1, memory_order_acq_rel) == 1) {
		struct zoe_client *c = s->client;

		zoe_link_finish(&s->link);
		free(s);
		zoe_client_unref(c);
	}
}

static struct zoe_view *current_view(const struct zoe_consumer *s) {
	return s->current < s->n_views ? s->views[s->current] : NULL;
}

/* Where a fresh consumer begins in a region. */
static uint64_t first_want(const struct zoe_consumer *s, const struct zoe_view *view) {
	uint64_t head = zoe_ring_get_head(&view->reader, NULL);
	uint64_t oldest = zoe_ring_get_oldest(&view->reader, head);

	if (s->is_parked_start && s->options.start != ZOE_START_SEQ) {
		return view->region.start; /* everything here was published after we joined */
	}
	switch (s->options.start) {
	case ZOE_START_NOW:
		return head;
	case ZOE_START_OLDEST:
		return oldest;
	case ZOE_START_SEQ:
		return s->options.start_seq > oldest ? s->options.start_seq : oldest;
	case ZOE_START_NEWEST:
	default:
		return head > oldest ? head - 1 : head;
	}
}

/* Begins to read from views[i]. */
static void enter_view(struct zoe_consumer *s, uint32_t i) {
	struct zoe_view *view = s->views[i];

	s->current = i;
	if (s->want == 0 || s->last_lineage != view->region.lineage) {
		s->is_discont = s->want != 0;
		s->want = s->want ? view->region.start : first_want(s, view);
	} else if (view->region.start > s->want) {
		if (s->options.delivery == ZOE_EVERY) {
			s->missed += view->region.start - s->want;
		}
		s->want = view->region.start;
	}
	s->last_lineage = view->region.lineage;
	zoe_ring_set_cursor(&view->reader, s->want);
}

static void add_view(struct zoe_consumer *s, const struct zoe_msg_region *msg, const int *fds) {
	struct zoe_view *view;
	int error;

	if (s->n_views == MAX_VIEWS) {
		zoe_link_drop(&s->link); /* frames of eight generations are held: begin anew */
		return;
	}
	error = zoe_view_create(&view, msg, fds);
	if (error) {
		zoe_client_fail(s->client, error, "stream '%s': cannot map its frames: %s",
			s->stream, strerror(-error));
		zoe_link_drop(&s->link);
		return;
	}
	atomic_fetch_add_explicit(&s->n_refs, 1, memory_order_relaxed); /* [REFS] we hold one */
	view->client = s->client;
	view->owner = s;
	view->dropped = consumer_unref;
	view->epoch = s->link.epoch;
	if (s->n_views && s->views[s->n_views - 1]->region.lineage == view->region.lineage) {
		s->views[s->n_views - 1]->end = view->region.start;
	}
	s->views[s->n_views++] = view;
	if (s->n_views == 1) {
		enter_view(s, 0);
	}
	s->state = ATTACH_DONE;
}

/* Lets go of generations that were left and whose frames are all released. */
static void drop_left_views(struct zoe_consumer *s) {
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->n_views; i++) {
		struct zoe_view *view = s->views[i];

		if (i < s->current && zoe_view_is_idle(view)) {
			struct zoe_msg_leave leave;

			memset(&leave, 0, sizeof(leave));
			zoe_msg_init(&leave, ZOE_MSG_LEAVE, 0);
			leave.generation = view->region.generation;
			if (view->epoch == s->link.epoch) {
				zoe_link_send(&s->link, &leave.header);
			}
			zoe_view_unref(view);
		} else {
			s->views[kept++] = view;
		}
	}
	s->current -= s->n_views - kept;
	s->n_views = kept;
}

static void handle_region(struct zoe_consumer *s) {
	const struct zoe_packet *packet = s->client->packet;
	const struct zoe_msg_region *msg = zoe_packet_get(packet, sizeof(*msg));

	if (!msg || !zoe_wire_text_is_ok(msg->name, sizeof(msg->name))) {
		zoe_link_drop(&s->link);
		return;
	}
	memcpy(s->name, msg->name, sizeof(s->name));
	if (msg->flags & ZOE_REGION_PARKED) {
		s->state = ATTACH_PARKED;
		s->is_parked_start = true;
		return;
	}
	if (packet->n_fds < 4) {
		zoe_link_drop(&s->link);
		return;
	}
	add_view(s, msg, packet->fds);
}

static void drop_bell(struct zoe_consumer *s) {
	if (s->bell >= 0) {
		zoe_pollable_remove(&s->pollable, s->bell);
		close(steal_fd(&s->bell));
	}
}

static void handle_bell(struct zoe_consumer *s) {
	struct zoe_packet *packet = s->client->packet;
	int fd = zoe_packet_steal_fd(packet, 0);

	if (fd < 0) {
		return;
	}
	drop_bell(s);
	s->bell = fd;
	zoe_pollable_add(&s->pollable, fd);
}

static void handle_packet(struct zoe_consumer *s) {
	const struct zoe_msg_header *header = &s->client->packet->header;

	switch (header->type) {
	case ZOE_MSG_CONSUME:
		if (header->serial != s->serial || s->state != ATTACH_ASKED) {
			break;
		}
		if (header->status < 0) {
			s->refused = zoe_client_fail_packet(s->client, s->client->packet);
			s->state = ATTACH_REFUSED;
			break;
		}
		handle_region(s);
		break;
	case ZOE_MSG_START:
	case ZOE_MSG_MOVED:
		handle_region(s);
		break;
	case ZOE_MSG_BELL:
		handle_bell(s);
		break;
	case ZOE_MSG_GONE:
		s->events |= ZOE_EV_PRODUCER_GONE;
		break;
	case ZOE_MSG_BACK:
		s->events |= ZOE_EV_PRODUCER_BACK;
		break;
	default: /* a newer broker's event */
		break;
	}
}

static void ask_bell(struct zoe_consumer *s) {
	struct zoe_msg_header request = {.type = ZOE_MSG_BELL, .size = sizeof(request)};

	if (zoe_pollable_is_open(&s->pollable) && s->bell_serial == 0 &&
		(s->state == ATTACH_DONE || s->state == ATTACH_PARKED)) {
		request.serial = ++s->link.serial;
		if (zoe_link_send(&s->link, &request) == 0) {
			s->bell_serial = request.serial;
		}
	}
}

static void ask_consume(struct zoe_consumer *s) {
	struct zoe_msg_consume request;

	memset(&request, 0, sizeof(request));
	zoe_msg_init(&request, ZOE_MSG_CONSUME, ++s->link.serial);
	request.flags = ZOE_CONSUME_WAIT_UNKNOWN;
	request.hold = s->options.hold;
	request.delivery = (uint32_t)s->options.delivery;
	zoe_wire_set_text(request.name, sizeof(request.name), s->stream);
	if (zoe_link_send(&s->link, &request.header) == 0) {
		s->epoch = s->link.epoch;
		s->serial = request.header.serial;
		s->bell_serial = 0;
		s->state = ATTACH_ASKED;
	}
}

/* Does what the socket has for us; never waits. Returns: 0; -errno why there is no broker. */
static int consumer_service(struct zoe_consumer *s) {
	bool was_up = s->link.state == ZOE_LINK_UP;
	int error;

	s->service_ns = zoe_now_ns();
	if (s->state == ATTACH_REFUSED) {
		return s->refused;
	}
	error = zoe_link_step(&s->link);
	if (!error && s->epoch != s->link.epoch) {
		if (s->epoch) {
			s->events |= ZOE_EV_BROKER_BACK;
		}
		ask_consume(s);
	}
	while (s->state != ATTACH_REFUSED && zoe_link_receive(&s->link) == 0) {
		handle_packet(s);
		zoe_packet_finish(s->client->packet);
	}
	if (was_up && s->link.state != ZOE_LINK_UP) {
		s->events |= ZOE_EV_BROKER_GONE;
	}
	ask_bell(s);
	drop_left_views(s);
	return s->state == ATTACH_REFUSED ? s->refused : error;
}

static bool consumer_is_settled(const struct zoe_consumer *s) {
	return s->state == ATTACH_DONE || s->state == ATTACH_PARKED;
}

static int consumer_attach(struct zoe_consumer *s, int timeout_ms) {
	struct zoe_deadline deadline = zoe_deadline_init(timeout_ms);

	for (;;) {
		int error = consumer_service(s);

		if (consumer_is_settled(s) || timeout_ms == 0) {
			return 0;
		}
		if (error && error != -EAGAIN) {
			return error;
		}
		if (zoe_deadline_left(&deadline) == 0) {
			return zoe_client_fail(s->client, -ETIMEDOUT,
				"stream '%s': the broker did not answer in time", s->stream);
		}
		zoe_link_poll(&s->link, &deadline, 10);
	}
}

static void handle_close(struct zoe_handle *handle) {
	zoe_consumer_close(container_of(handle, struct zoe_consumer, handle));
}

static int options_check(struct zoe_client *c, const char *stream,
	const struct zoe_consumer_options *opt, struct zoe_consumer_options *o) {
	int error = zoe_options_copy(o, sizeof(*o), opt, sizeof(*o));

	if (error || o->hold > ZOE_MAX_PINS || (unsigned)o->delivery > ZOE_EVERY ||
		(unsigned)o->start > ZOE_START_SEQ) {
		return zoe_client_fail(
			c, -EINVAL, "stream '%.96s': options are out of range", stream);
	}
	if (!stream[0] || strlen(stream) >= ZOE_NAME_BYTES) {
		return zoe_client_fail(
			c, -EINVAL, "stream '%.40s': a name has 1 to 96 bytes", stream);
	}
	o->hold = o->hold ? o->hold : 1;
	return 0;
}

int zoe_consumer_open(struct zoe_client *c, const char *stream,
	const struct zoe_consumer_options *opt, struct zoe_consumer **out) {
	struct zoe_consumer_options o;
	struct zoe_consumer *s;
	int error;

	if (zoe_client_is_forked(c)) {
		return zoe_client_fail_forked(c);
	}
	error = options_check(c, stream, opt, &o);
	if (error) {
		return error;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		return zoe_client_fail(c, -ENOMEM, "stream '%s': no memory", stream);
	}
	atomic_init(&s->n_refs, 1);
	s->client = c;
	s->options = o;
	zoe_pollable_init(&s->pollable);
	s->bell = -1;
	s->handle.close = handle_close;
	zoe_wire_set_text(s->stream, sizeof(s->stream), stream);
	zoe_link_init(&s->link, c);
	zoe_client_ref(c);
	zoe_handle_add(c, &s->handle);
	error = consumer_attach(s, opt ? o.timeout_ms : -1);
	if (error) {
		zoe_consumer_close(s);
		return error;
	}
	*out = s;
	return 0;
}

void zoe_consumer_close(struct zoe_consumer *s) {
	if (!s || zoe_client_is_forked(s->client)) {
		return;
	}
	zoe_handle_remove(&s->handle);
	s->link.epoll = -1;
	zoe_pollable_close(&s->pollable);
	if (s->bell >= 0) {
		close(s->bell);
	}
	/* The connection stays until the last frame is released: the seat's pins must count. */
	for (uint32_t i = 0; i < s->n_views; i++) {
		zoe_view_unref(s->views[i]);
	}
	consumer_unref(s);
}

/* The current generation is read to its end: go on in the next one, if it is known. */
static bool advance_view(struct zoe_consumer *s) {
	if (s->current + 1 >= s->n_views) {
		return false;
	}
	enter_view(s, s->current + 1);
	drop_left_views(s);
	return true;
}

static bool view_is_drained(
	const struct zoe_consumer *s, const struct zoe_view *view, uint64_t head, int is_closed) {
	uint64_t end = view->end < head ? view->end : head;

	return s->want >= end &&
	       (is_closed || view->end != UINT64_MAX || s->current + 1 < s->n_views);
}

static void give_out(struct zoe_consumer *s, struct zoe_loan *loan, const struct zoe_frame **out) {
	struct zoe_seat *seat = loan->view->reader.seat;

	loan->frame.lost = s->missed;
	if (s->is_discont) {
		loan->frame.flags |= ZOE_DISCONT;
	}
	loan->view->taken++;
	loan->view->lost += s->missed;
	/* [SHOW] relaxed: for display only. */
	atomic_store_explicit(&seat->taken, loan->view->taken, memory_order_relaxed);
	atomic_store_explicit(&seat->lost, loan->view->lost, memory_order_relaxed);
	atomic_store_explicit(&seat->last_take_ns, zoe_now_ns(), memory_order_relaxed);
	s->missed = 0;
	s->is_discont = false;
	*out = &loan->frame;
}

/* Moves `want` to what can still be had, counting what cannot. */
static void skip_lost(struct zoe_consumer *s, const struct zoe_view *view, uint64_t head) {
	uint64_t oldest = zoe_ring_get_oldest(&view->reader, head);

	if (s->want < oldest) {
		if (s->options.delivery == ZOE_EVERY) {
			s->missed += oldest - s->want;
		}
		s->want = oldest;
	}
}

static int no_frame(const struct zoe_view *view, bool is_drained) {
	/* [END] acquire: the broker's word, set after the last frame. */
	return is_drained && atomic_load_explicit(
				     &view->region.ring.control->stream_ended, memory_order_acquire)
		       ? -ENODATA
		       : -EAGAIN;
}

/* One look at the ring, without a system call. */
static int consumer_try(struct zoe_consumer *s, const struct zoe_frame **out) {
	for (unsigned i = 0; i < MAX_SKIPS; i++) {
		struct zoe_view *view = current_view(s);
		struct zoe_loan *loan;
		uint64_t head;
		int is_closed, error;

		if (!view) {
			return -EAGAIN;
		}
		head = zoe_ring_get_head(&view->reader, &is_closed);
		if (view_is_drained(s, view, head, is_closed) && advance_view(s)) {
			continue;
		}
		if (s->want >= head || head >= ZOE_MAX_SEQ) {
			return no_frame(view, s->want >= head && !is_closed);
		}
		skip_lost(s, view, head);
		if (s->options.delivery == ZOE_LATEST) {
			s->want = head - 1;
		}
		error = zoe_view_take(view, s->want, &loan);
		if (error == -ENOBUFS || error == -EAGAIN) {
			return error;
		}
		s->want++;
		if (error == 0) {
			zoe_ring_set_cursor(&view->reader, s->want);
			give_out(s, loan, out);
			return 0;
		}
		if (s->options.delivery == ZOE_EVERY) {
			s->missed++;
		}
		if (error == -EBADMSG) {
			return zoe_client_fail(s->client, error,
				"stream '%s': the header of frame %llu is not sane", s->name,
				(unsigned long long)(s->want - 1));
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
		drop_bell(s);
	}
}

/* Empties the doorbell and asks for the next ring. */
static void consumer_arm(struct zoe_consumer *s) {
	struct zoe_view *view = current_view(s);

	zoe_pollable_tick(&s->pollable);
	empty_bell(s);
	if (view) {
		/* [SLEEP] SC, before the look at head that follows. */
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
	default:
		return error;
	}
}

static void consumer_sleep(struct zoe_consumer *s, const struct zoe_deadline *deadline) {
	struct zoe_view *view = current_view(s);
	int is_closed = 0;

	if (view) {
		zoe_ring_get_head(&view->reader, &is_closed);
	}
	if (view && !is_closed && s->current + 1 == s->n_views) {
		zoe_reader_wait(&view->reader, s->want, zoe_deadline_left(deadline));
	} else {
		zoe_link_poll(&s->link, deadline, s->link.fd < 0 ? 10 : ZOE_MAX_SLEEP_MS);
	}
}

/* Has the socket something for us, or may it have? Not while frames flow: no system call then. */
static bool needs_service(const struct zoe_consumer *s) {
	const struct zoe_view *view = current_view(s);
	int is_closed = 1;

	if (view) {
		zoe_ring_get_head(&view->reader, &is_closed);
	}
	return zoe_pollable_is_open(&s->pollable) || s->state != ATTACH_DONE || is_closed ||
	       zoe_now_ns() - s->service_ns > SERVICE_NS;
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
		armed = current_view(s);
		if (timeout_ms == 0 && zoe_pollable_is_open(&s->pollable)) {
			consumer_arm(s);
		}
		if (needs_service(s)) {
			consumer_service(s);
		}
		error = consumer_try(s, out);
		if (error != -EAGAIN) {
			return error ? fail_next(s, error) : 0;
		}
		if (s->state == ATTACH_REFUSED) {
			return s->refused;
		}
		if (timeout_ms == 0 && current_view(s) == armed) {
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

/* Enters the newest generation that has a frame. */
static struct zoe_view *newest_view(struct zoe_consumer *s) {
	for (uint32_t i = s->n_views; i > s->current; i--) {
		struct zoe_view *view = s->views[i - 1];

		if (zoe_ring_get_head(&view->reader, NULL) > view->region.start ||
			i - 1 == s->current) {
			return view;
		}
	}
	return NULL;
}

int zoe_consumer_latest(struct zoe_consumer *s, const struct zoe_frame **out) {
	struct zoe_view *view;

	if (zoe_client_is_forked(s->client)) {
		return zoe_client_fail_forked(s->client);
	}
	if (s->state != ATTACH_DONE || zoe_now_ns() - s->service_ns > SERVICE_NS) {
		consumer_service(s);
	}
	view = newest_view(s);
	if (!view) {
		return s->state == ATTACH_REFUSED ? s->refused : -EAGAIN;
	}
	for (unsigned i = 0; i < MAX_SKIPS; i++) {
		uint64_t head = zoe_ring_get_head(&view->reader, NULL);
		struct zoe_loan *loan;
		int error;

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
		while (current_view(s) != view && advance_view(s)) {
		}
		if (head > s->want) {
			s->want = head;
			zoe_ring_set_cursor(&view->reader, head);
		}
		s->missed = 0;
		give_out(s, loan, out);
		return 0;
	}
	return -EAGAIN;
}

int zoe_consumer_at(struct zoe_consumer *s, uint64_t seq, const struct zoe_frame **out) {
	struct zoe_loan *loan;

	if (zoe_client_is_forked(s->client)) {
		return zoe_client_fail_forked(s->client);
	}
	if (s->state != ATTACH_DONE || zoe_now_ns() - s->service_ns > SERVICE_NS) {
		consumer_service(s);
	}
	for (uint32_t i = s->n_views; i > s->current; i--) {
		struct zoe_view *view = s->views[i - 1];
		int error;

		if (seq < view->region.start) {
			continue;
		}
		error = zoe_view_take(view, seq, &loan);
		if (error) {
			return fail_next(s, error);
		}
		*out = &loan->frame;
		return 0;
	}
	return s->n_views ? -ESTALE : -EAGAIN;
}

int zoe_consumer_get_fd(struct zoe_consumer *s) {
	int fd;

	if (zoe_client_is_forked(s->client)) {
		return zoe_client_fail_forked(s->client);
	}
	fd = zoe_pollable_open(&s->pollable, &s->link);
	if (fd >= 0) {
		ask_bell(s);
	}
	return fd;
}

uint32_t zoe_consumer_take_events(struct zoe_consumer *s) {
	uint32_t events;

	if (zoe_client_is_forked(s->client)) {
		return 0;
	}
	consumer_service(s);
	events = s->events;
	s->events = 0;
	return events;
}

const char *zoe_consumer_get_name(const struct zoe_consumer *s) {
	return s->name;
}
