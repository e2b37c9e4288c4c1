/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "consumer_priv.h"
#include "probe.h"
#include "ring_wait.h"

enum { SERVICE_NS = 100000000 };

/* The broker knows these by its own names. */
static_assert((int)ZOE_LATEST == (int)ZOE_DELIVER_LATEST, "delivery");
static_assert((int)ZOE_EVERY == (int)ZOE_DELIVER_EVERY, "delivery");
static_assert((int)ZOE_RELIABLE == (int)ZOE_DELIVER_RELIABLE, "delivery");
static_assert((int)ZOE_QUEUE == (int)ZOE_DELIVER_QUEUE, "delivery");
static_assert((int)ZOE_QUEUE_RELIABLE == (int)ZOE_DELIVER_QUEUE_RELIABLE, "delivery");

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

struct zoe_view *zoe_consumer_get_view(const struct zoe_consumer *s) {
	return s->current < s->n_views ? s->views[s->current] : NULL;
}

/* Where a fresh consumer begins in a region. */
static uint64_t first_want(const struct zoe_consumer *s, const struct zoe_view *view) {
	uint64_t head = zoe_ring_get_head(&view->reader, NULL);
	uint64_t oldest = zoe_ring_get_oldest(&view->reader, head);

	if (view->want) {
		return view->want; /* reliable: what producers hold back for us begins here */
	}
	if (view->reader.group) {
		return zoe_ring_get_tail(&view->reader, head);
	}
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

/* Frames that only a forged ring can have shown us: the next generation has others of the same
 * numbers. */
static bool is_beyond(const struct zoe_consumer *s, const struct zoe_view *view) {
	const struct zoe_view *last = zoe_consumer_get_view(s);
	bool is_future = s->options.start == ZOE_START_SEQ && s->want <= s->options.start_seq;

	return last && view->generation > last->generation && s->want > view->region.start &&
	       !is_future;
}

/* Begins to read from views[i]. */
static void enter_view(struct zoe_consumer *s, uint32_t i) {
	struct zoe_view *view = s->views[i];
	bool was_beyond = is_beyond(s, view);

	/* Who lost its place in a queue cannot know how many others took meanwhile. */
	if (view->reader.group && i > 0 && s->views[i - 1]->epoch != view->epoch) {
		s->is_discont = true;
	}
	s->current = i;
	if (s->want == 0 || s->last_lineage != view->region.lineage) {
		s->is_discont = s->want != 0;
		s->want = s->want && !view->want ? view->region.start : first_want(s, view);
	} else if (view->region.start > s->want) {
		if (s->options.delivery != ZOE_LATEST) {
			s->missed += view->region.start - s->want;
		}
		s->want = view->region.start;
	} else if (was_beyond) {
		s->is_discont = true;
		s->want = view->region.start;
	}
	s->last_lineage = view->region.lineage;
	zoe_ring_set_cursor(&view->reader, s->want);
	if (s->options.max_fps) {
		/* [PACE] relaxed: a hint for producers. */
		atomic_store_explicit(&view->reader.seat->interval_us, 1000000 / s->options.max_fps,
			memory_order_relaxed);
	}
}

static void add_view(struct zoe_consumer *s, const struct zoe_msg_region *msg) {
	const struct zoe_packet *packet = s->client->packet;
	struct zoe_view *view;
	int error;

	if (s->n_views == ZOE_MAX_VIEWS) {
		zoe_link_drop(&s->link); /* frames of eight generations are held: begin anew */
		return;
	}
	error = zoe_view_create(&view, msg, packet->fds, packet->n_fds);
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
	view->broker_id = s->link.broker_id;
	if (s->n_views && s->views[s->n_views - 1]->region.lineage == view->region.lineage) {
		s->views[s->n_views - 1]->end = view->region.start;
	}
	s->views[s->n_views++] = view;
	if (s->n_views == 1) {
		enter_view(s, 0);
	}
	s->state = ZOE_CONSUME_DONE;
	ZOE_PROBE3(attach, s->name, view->region.generation, 0);
}

/* Lets go of generations that were left and whose frames are all released. */
static void drop_left_views(struct zoe_consumer *s) {
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->n_views; i++) {
		struct zoe_view *view = s->views[i];

		if (i < s->current && zoe_view_is_idle(view)) {
			struct zoe_link_note note;

			memset(&note, 0, sizeof(note));
			zoe_msg_init(&note.leave, ZOE_MSG_LEAVE, 0);
			note.leave.generation = view->region.generation;
			if (view->epoch == s->link.epoch) {
				zoe_link_post(&s->link, &note);
			}
			zoe_view_unref(view);
		} else {
			s->views[kept++] = view;
		}
	}
	s->current -= s->n_views - kept;
	s->n_views = kept;
}

bool zoe_consumer_advance(struct zoe_consumer *s) {
	if (s->current + 1 >= s->n_views) {
		return false;
	}
	enter_view(s, s->current + 1);
	drop_left_views(s);
	return true;
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
		s->state = ZOE_CONSUME_PARKED;
		s->is_parked_start = true;
		return;
	}
	if (packet->n_fds < (s->options.group ? 5 : 4)) {
		zoe_link_drop(&s->link);
		return;
	}
	add_view(s, msg);
}

void zoe_consumer_demote(struct zoe_consumer *s) {
	if (!s->is_demoted) {
		s->is_demoted = true;
		s->events |= ZOE_EV_DEMOTED;
	}
}

void zoe_consumer_drop_bell(struct zoe_consumer *s) {
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
	zoe_consumer_drop_bell(s);
	s->bell = fd;
	zoe_pollable_add(&s->pollable, fd);
}

/* The stream goes on without us, or is no more: what is read from now on was published before. */
static void handle_eviction(struct zoe_consumer *s) {
	zoe_refusal_set(&s->refusal, s->client);
	s->state = ZOE_CONSUME_REFUSED;
	zoe_link_drop(&s->link);
}

static void handle_packet(struct zoe_consumer *s) {
	const struct zoe_msg_header *header = &s->client->packet->header;

	switch (header->type) {
	case ZOE_MSG_CONSUME:
		if (header->serial != s->serial || s->state != ZOE_CONSUME_ASKED) {
			break;
		}
		if (header->status == -EBUSY && s->n_views > 0) {
			zoe_link_drop(&s->link); /* ours is the seat that is taken: ask again */
			break;
		}
		if (header->status < 0) {
			zoe_refusal_set(&s->refusal, s->client);
			s->state = ZOE_CONSUME_REFUSED;
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
	case ZOE_MSG_DEMOTED:
		zoe_consumer_demote(s);
		break;
	case ZOE_MSG_EVICTED:
	case ZOE_MSG_REMOVED:
		handle_eviction(s);
		break;
	default: /* a newer broker's event */
		break;
	}
}

static void ask_bell(struct zoe_consumer *s) {
	struct zoe_msg_header request = {.type = ZOE_MSG_BELL, .size = sizeof(request)};

	if (zoe_pollable_is_open(&s->pollable) && s->bell_serial == 0 &&
		(s->state == ZOE_CONSUME_DONE || s->state == ZOE_CONSUME_PARKED)) {
		request.serial = ++s->link.serial;
		if (zoe_link_send(&s->link, &request) == 0) {
			s->bell_serial = request.serial;
		}
	}
}

/* To another broker than the one that gave us our seat: it keeps it for us, or gives us the same in
 * the next generation. Returns: 0; -errno. */
static int hand_in(struct zoe_consumer *s) {
	const struct zoe_view *view = s->n_views ? s->views[s->n_views - 1] : NULL;
	struct zoe_msg_return msg;

	if (!view || view->broker_id == s->link.broker_id) {
		return 0;
	}
	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_RETURN, 0);
	msg.generation = view->region.generation;
	msg.lineage = view->region.lineage;
	msg.consumer = view->consumer;
	msg.seat = view->seat;
	return zoe_link_send_fds(&s->link, &msg.header, &view->seat_fd, 1);
}

static void ask_consume(struct zoe_consumer *s) {
	struct zoe_msg_consume request;

	memset(&request, 0, sizeof(request));
	zoe_msg_init(&request, ZOE_MSG_CONSUME, ++s->link.serial);
	request.flags = ZOE_CONSUME_WAIT_UNKNOWN;
	request.hold = s->options.hold;
	request.delivery = (uint32_t)s->options.delivery;
	zoe_wire_set_text(request.group, sizeof(request.group), s->group);
	zoe_wire_set_text(request.name, sizeof(request.name), s->stream);
	if (hand_in(s) == 0 && zoe_link_send(&s->link, &request.header) == 0) {
		s->epoch = s->link.epoch;
		s->serial = request.header.serial;
		s->bell_serial = 0;
		s->state = ZOE_CONSUME_ASKED;
		s->is_demoted = false;
	}
}

/* Does what the socket has for us; never waits. Returns: 0; -errno why there is no broker. */
int zoe_consumer_service(struct zoe_consumer *s) {
	bool was_up = s->link.state == ZOE_LINK_UP;
	int error;

	s->service_ns = zoe_now_ns();
	if (s->state == ZOE_CONSUME_REFUSED) {
		return zoe_refusal_fail(&s->refusal, s->client);
	}
	error = zoe_link_step(&s->link);
	if (!error && s->epoch != s->link.epoch) {
		if (s->epoch) {
			s->events |= ZOE_EV_BROKER_BACK;
		}
		ask_consume(s);
	}
	while (s->state != ZOE_CONSUME_REFUSED && zoe_link_receive(&s->link) == 0) {
		handle_packet(s);
		zoe_packet_finish(s->client->packet);
	}
	if (was_up && s->link.state != ZOE_LINK_UP && s->state != ZOE_CONSUME_REFUSED) {
		s->events |= ZOE_EV_BROKER_GONE;
	}
	ask_bell(s);
	drop_left_views(s);
	return s->state == ZOE_CONSUME_REFUSED ? zoe_refusal_fail(&s->refusal, s->client) : error;
}

bool zoe_consumer_service_sometimes(struct zoe_consumer *s) {
	const struct zoe_view *view = zoe_consumer_get_view(s);
	int is_closed = 1;

	if (view) {
		zoe_ring_get_head(&view->reader, &is_closed);
	}
	if (zoe_pollable_is_open(&s->pollable) || s->state != ZOE_CONSUME_DONE || is_closed ||
		zoe_now_ns() - s->service_ns > SERVICE_NS) {
		zoe_consumer_service(s);
		return true;
	}
	return false;
}

static bool consumer_is_settled(const struct zoe_consumer *s) {
	return s->state == ZOE_CONSUME_DONE || s->state == ZOE_CONSUME_PARKED;
}

static int consumer_attach(struct zoe_consumer *s, int timeout_ms) {
	struct zoe_deadline deadline = zoe_deadline_init(timeout_ms);

	for (;;) {
		int error = zoe_consumer_service(s);

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

/* Returns: what is wrong with the options, NULL if nothing is. */
static const char *options_find_fault(const struct zoe_consumer_options *o) {
	bool is_queue = o->delivery == ZOE_QUEUE || o->delivery == ZOE_QUEUE_RELIABLE;

	if (o->hold > ZOE_MAX_PINS || (unsigned)o->delivery > ZOE_QUEUE_RELIABLE ||
		(unsigned)o->start > ZOE_START_SEQ || o->spin_us > ZOE_MAX_SPIN_US) {
		return "options are out of range";
	}
	if (is_queue != (o->group != NULL)) {
		return is_queue ? "a queue needs the name of its group"
				: "only a queue has a group";
	}
	if (is_queue && (!o->group[0] || strlen(o->group) >= ZOE_GROUP_BYTES)) {
		return "a group's name has 1 to 47 bytes";
	}
	if (o->max_fps && (o->delivery != ZOE_LATEST || o->max_fps > 1000000)) {
		return "max_fps is for ZOE_LATEST, at most 1000000";
	}
	return NULL;
}

static int options_check(struct zoe_client *c, const char *stream,
	const struct zoe_consumer_options *opt, struct zoe_consumer_options *o) {
	int error = zoe_options_copy(o, sizeof(*o), opt, sizeof(*o));
	const char *fault = error ? "options are of another version" : options_find_fault(o);

	if (fault) {
		return zoe_client_fail(c, -EINVAL, "stream '%.96s': %s", stream, fault);
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
	if (o.group) {
		zoe_wire_set_text(s->group, sizeof(s->group), o.group);
		s->options.group = s->group; /* the caller's may go */
	}
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
	zoe_consumer_service(s);
	events = s->events;
	s->events = 0;
	return events;
}

const char *zoe_consumer_get_name(const struct zoe_consumer *s) {
	return s->name;
}
