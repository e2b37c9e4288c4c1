/* SPDX-License-Identifier: MIT */
#include <zoe/producer.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "copy.h"
#include "probe.h"
#include "producer_priv.h"

enum {
	SERVICE_NS = 100000000,
	ACK_EVERY = 4,
	HANG_UP_MS = 100,
	TAKEN_NS = 1000000000,
	ANSWER_NS = 200000000, /* the broker has this long to demote a reader */
	PACE_SLACK = 8
};
#define TOUCH_BYTES (UINT64_C(256) << 20) /* at attach; the rest slot by slot */

/* The broker knows these by its own names. */
static_assert((int)ZOE_UNIQUE_NAME == (int)ZOE_PRODUCE_UNIQUE_NAME, "flags");
static_assert((int)ZOE_TAKE_TURNS == (int)ZOE_PRODUCE_TAKE_TURNS, "flags");
static_assert((int)ZOE_EXTERNAL_WRITER == (int)ZOE_PRODUCE_EXTERNAL_WRITER, "flags");

static struct zoe_feed *feed_find_free(struct zoe_producer *p) {
	for (unsigned i = 0; i < ZOE_MAX_FEEDS; i++) {
		struct zoe_feed *feed = &p->feeds[i];

		if (feed != p->feed && feed->n_loans == 0) {
			zoe_feed_close(feed);
			return feed;
		}
	}
	return NULL;
}

static void say_leave(struct zoe_producer *p, uint32_t generation) {
	struct zoe_link_note note;

	memset(&note, 0, sizeof(note));
	zoe_msg_init(&note.leave, ZOE_MSG_LEAVE, 0);
	note.leave.generation = generation; /* 0 = all */
	zoe_link_post(&p->link, &note);
}

void zoe_producer_leave_feed(struct zoe_producer *p, struct zoe_feed *feed) {
	/* Another lineage is another broker's, which knows nothing of ours. */
	if (p->feed && feed->region.lineage == p->feed->region.lineage) {
		say_leave(p, feed->region.generation);
	}
	zoe_feed_close(feed);
}

/* Page faults cost 5 ms a frame of 8 MB: rather now than in the first frames. Who never waits pays
 * them one slot at a time, at its first use. */
static void touch_slots(struct zoe_producer *p, struct zoe_feed *feed) {
	const struct zoe_geometry *geo = &feed->region.ring.geo;
	uint64_t n = geo->depth + (uint64_t)p->options.open;

	n = n * geo->slot_stride > TOUCH_BYTES ? TOUCH_BYTES / geo->slot_stride : n;
	for (uint32_t i = 0; p->options.timeout_ms != 0 && i < n; i++) {
		zoe_feed_touch(feed, i);
	}
}

/* Goes on in the generation of a message; the old one stays while slots of it are on loan. */
static void enter_region(struct zoe_producer *p) {
	const struct zoe_packet *packet = p->client->packet;
	const struct zoe_msg_region *msg = zoe_packet_get(packet, sizeof(*msg));
	struct zoe_feed *feed = feed_find_free(p), *old = p->feed;
	int error = -EPROTO;

	if (msg && packet->n_fds >= 3 && feed &&
		zoe_wire_text_is_ok(msg->name, sizeof(msg->name))) {
		error = zoe_feed_open(feed, msg, packet->fds);
	}
	if (msg && (msg->flags & ZOE_REGION_PARKED)) {
		p->is_queued = true;
		return;
	}
	if (error || !msg) {
		zoe_client_fail(p->client, error, "stream '%s': cannot map its slots: %s",
			p->stream, strerror(-error));
		zoe_link_drop(&p->link);
		return;
	}
	memcpy(p->name, msg->name, sizeof(p->name));
	p->max_frame_bytes = msg->max_frame_bytes;
	p->feed = feed;
	p->broker_id = p->link.broker_id;
	p->state = ZOE_ATTACH_DONE;
	p->is_starved = false;
	p->is_queued = false;
	p->is_nameless = false;
	p->taken_ns = 0;
	ZOE_PROBE3(attach, p->name, feed->region.generation, 1);
	touch_slots(p, feed);
	p->is_discont |= old && old->region.lineage != feed->region.lineage;
	if (old && old->n_loans == 0) {
		zoe_producer_leave_feed(p, old);
	}
}

static void acknowledge(struct zoe_producer *p) {
	struct zoe_link_note note;

	memset(&note, 0, sizeof(note));
	zoe_msg_init(&note.ack, ZOE_MSG_ROSTER_ACK, 0);
	note.ack.generation = p->feed ? p->feed->region.generation : 0;
	note.ack.n_seats = p->n_seats_told;
	zoe_link_post(&p->link, &note);
}

static void handle_seat(struct zoe_producer *p) {
	struct zoe_packet *packet = p->client->packet;
	const struct zoe_msg_seat *msg = zoe_packet_get(packet, sizeof(*msg));
	struct zoe_wakes wakes = {0};
	int error;

	p->n_seats_told++;
	if (!msg || !p->feed || msg->generation != p->feed->region.generation) {
		return; /* about a generation that we have left */
	}
	error = zoe_feed_set_seat(p->feed, msg, packet->fds, packet->n_fds);
	if (error) {
		zoe_client_fail(p->client, error, "stream '%s': cannot map a consumer's seat: %s",
			p->stream, strerror(-error));
		zoe_link_drop(&p->link);
		return;
	}
	/* The seat may have armed its doorbell before we knew it. */
	zoe_ring_scan(&p->feed->writer, &wakes);
	wakes.flags = 0;
	wakes.seats = 0;
	zoe_writer_wake(&p->feed->writer, &wakes, p->feed->bells);
}

static void handle_grow(struct zoe_producer *p) {
	if (p->client->packet->header.status < 0) {
		p->grow_error = zoe_client_fail_packet(p->client, p->client->packet);
	}
}

/* Our old self may still have the name, for a moment. */
static void note_taken(struct zoe_producer *p, int status) {
	uint64_t now = zoe_now_ns();

	if (status != -EBUSY || !(p->options.flags & ZOE_UNIQUE_NAME)) {
		return;
	}
	p->taken_ns = p->taken_ns ? p->taken_ns : now;
	p->is_nameless = now - p->taken_ns > TAKEN_NS;
}

/* Who is attached goes on in its old ring, and asks again, until its seat is free. */
static void refuse(struct zoe_producer *p) {
	int status = p->client->packet->header.status;

	if (p->state == ZOE_ATTACH_DONE && (status == -EBUSY || status == -EAGAIN)) {
		note_taken(p, status);
		zoe_link_drop(&p->link);
		return;
	}
	zoe_refusal_set(&p->refusal, p->client);
	p->state = ZOE_ATTACH_REFUSED;
}

/* The stream goes on without us, or is no more. Slots on loan stay mapped until they are given
 * back. */
static void handle_eviction(struct zoe_producer *p) {
	zoe_refusal_set(&p->refusal, p->client);
	p->state = ZOE_ATTACH_REFUSED;
	zoe_link_drop(&p->link);
}

static void handle_packet(struct zoe_producer *p) {
	const struct zoe_msg_header *header = &p->client->packet->header;

	switch (header->type) {
	case ZOE_MSG_PRODUCE:
		if (header->serial != p->serial || header->status < 0) {
			if (header->serial == p->serial) {
				refuse(p);
			}
			break;
		}
		enter_region(p);
		break;
	case ZOE_MSG_MOVED:
		enter_region(p);
		break;
	case ZOE_MSG_SEAT:
		handle_seat(p);
		break;
	case ZOE_MSG_GROW:
		handle_grow(p);
		break;
	case ZOE_MSG_END:
		p->is_ended = true;
		break;
	case ZOE_MSG_EVICTED:
	case ZOE_MSG_REMOVED:
		handle_eviction(p);
		break;
	default: /* a newer broker's event */
		break;
	}
}

/* To another broker than the one that made our ring: it goes on with it. Returns: 0; -errno. */
static int hand_in(struct zoe_producer *p) {
	const struct zoe_region *region = p->feed ? &p->feed->region : NULL;
	struct zoe_msg_return msg;

	if (!region || p->broker_id == p->link.broker_id || p->is_nameless) {
		return 0;
	}
	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_RETURN, 0);
	msg.generation = region->generation;
	msg.lineage = region->lineage;
	return zoe_link_send_fds(&p->link, &msg.header,
		(const int[]){region->ring_fd, region->frames_fd, region->control_fd}, 3);
}

static void ask_produce(struct zoe_producer *p) {
	const struct zoe_format *f = &p->options.format;
	struct zoe_msg_produce request;
	const char *fourcc = zoe_format_get_name(f->fourcc);

	memset(&request, 0, sizeof(request));
	zoe_msg_init(&request, ZOE_MSG_PRODUCE, ++p->link.serial);
	request.flags = p->options.flags;
	request.open = p->options.open;
	request.frame_bytes = f->size_bytes > p->grow_bytes ? f->size_bytes : p->grow_bytes;
	if (fourcc) {
		snprintf(request.format, sizeof(request.format), "%ux%u %s", f->width, f->height,
			fourcc);
	}
	/* After a broker's restart: under the name we were handed, as long as it is to be had. */
	if (p->name[0] && !p->is_nameless) {
		request.flags &= ~(uint32_t)ZOE_PRODUCE_UNIQUE_NAME;
		zoe_wire_set_text(request.name, sizeof(request.name), p->name);
	} else {
		zoe_wire_set_text(request.name, sizeof(request.name), p->stream);
	}
	if (hand_in(p) == 0 && zoe_link_send(&p->link, &request.header) == 0) {
		p->epoch = p->link.epoch;
		p->serial = request.header.serial;
		p->n_seats_told = 0;
		p->grow_generation = 0;
		if (p->state == ZOE_ATTACH_NONE) {
			p->state = ZOE_ATTACH_ASKED;
		}
	}
}

/* A broker that came back may refuse us for a moment (it still counts our old self, or the config
 * changed): an attached producer goes on in its old ring then. */
int zoe_producer_service(struct zoe_producer *p) {
	uint32_t told = p->n_seats_told;
	int error;

	p->service_ns = zoe_now_ns();
	if (p->state == ZOE_ATTACH_REFUSED) {
		return zoe_refusal_fail(&p->refusal, p->client);
	}
	error = zoe_link_step(&p->link);
	if (!error && p->epoch != p->link.epoch) {
		ask_produce(p);
		told = 0;
	}
	while (p->state != ZOE_ATTACH_REFUSED) {
		int received = zoe_link_receive(&p->link);

		p->is_starved |= received == -EMFILE;
		if (received) {
			break;
		}
		handle_packet(p);
		zoe_packet_finish(p->client->packet);
		if (p->n_seats_told - told >= ACK_EVERY) {
			told = p->n_seats_told;
			acknowledge(p);
		}
	}
	if (p->n_seats_told != told) {
		acknowledge(p);
	}
	return p->state == ZOE_ATTACH_REFUSED ? zoe_refusal_fail(&p->refusal, p->client) : error;
}

int zoe_producer_service_sometimes(struct zoe_producer *p) {
	if (p->state == ZOE_ATTACH_DONE && zoe_now_ns() - p->service_ns < SERVICE_NS) {
		return 0;
	}
	return zoe_producer_service(p);
}

void zoe_producer_grow(struct zoe_producer *p, const struct zoe_format *f) {
	const char *fourcc = zoe_format_get_name(f->fourcc);
	struct zoe_msg_grow request;

	if (p->grow_generation == p->feed->region.generation && p->grow_bytes >= f->size_bytes) {
		return;
	}
	memset(&request, 0, sizeof(request));
	zoe_msg_init(&request, ZOE_MSG_GROW, ++p->link.serial);
	request.generation = p->feed->region.generation;
	request.frame_bytes = f->size_bytes;
	snprintf(request.format, sizeof(request.format), "%ux%u %s", f->width, f->height,
		fourcc ? fourcc : "?");
	p->grow_bytes = f->size_bytes;
	if (zoe_link_send(&p->link, &request.header) == 0) {
		p->grow_generation = request.generation;
		p->grow_error = 0;
	}
}

static void report_seat(struct zoe_producer *p, uint32_t seat) {
	struct zoe_msg_report report;

	memset(&report, 0, sizeof(report));
	zoe_msg_init(&report, ZOE_MSG_REPORT, 0);
	report.generation = p->feed->region.generation;
	report.seat = seat;
	report.consumer = p->feed->consumers[seat];
	zoe_link_send(&p->link, &report.header);
}

void zoe_producer_charge(struct zoe_producer *p, uint32_t seat) {
	struct zoe_patience *patience = &p->feed->patience;
	uint64_t now = zoe_now_ns();

	if (!zoe_patience_block(patience, seat, now)) {
		return;
	}
	if (p->link.state == ZOE_LINK_UP && patience->reported_ns == 0) {
		report_seat(p, seat);
		patience->reported_ns = now;
	} else if (p->link.state != ZOE_LINK_UP || now - patience->reported_ns > ANSWER_NS) {
		zoe_feed_demote(p->feed, seat);
	}
}

static int producer_attach(struct zoe_producer *p) {
	struct zoe_deadline deadline = zoe_deadline_init(p->options.timeout_ms);

	for (;;) {
		int error = zoe_producer_service(p);

		if (p->state == ZOE_ATTACH_DONE || p->options.timeout_ms == 0) {
			return 0;
		}
		if (error && error != -EAGAIN) {
			return error;
		}
		if (zoe_deadline_left(&deadline) == 0) {
			return zoe_client_fail(p->client, -ETIMEDOUT,
				p->is_queued ? "stream '%s': its producers did not leave in time"
					     : "stream '%s': the broker did not answer in time",
				p->stream);
		}
		zoe_link_poll(&p->link, &deadline, p->is_queued ? 500 : 10);
	}
}

static void handle_close(struct zoe_handle *handle) {
	zoe_producer_close(container_of(handle, struct zoe_producer, handle));
}

static int options_check(struct zoe_client *c, const char *stream,
	const struct zoe_producer_options *opt, struct zoe_producer_options *o) {
	const uint32_t known = ZOE_UNIQUE_NAME | ZOE_TAKE_TURNS | ZOE_EXTERNAL_WRITER;
	int error = zoe_options_copy(o, sizeof(*o), opt, sizeof(*o));

	if (!error && o->format.fourcc) {
		error = zoe_format_check(&o->format, UINT32_MAX);
	}
	if (error || o->open > ZOE_MAX_OPEN || (o->flags & ~known) ||
		((o->flags & ZOE_UNIQUE_NAME) && (o->flags & ZOE_TAKE_TURNS))) {
		return zoe_client_fail(
			c, -EINVAL, "stream '%.96s': options are out of range", stream);
	}
	if (!stream[0] || strlen(stream) >= ZOE_NAME_BYTES) {
		return zoe_client_fail(
			c, -EINVAL, "stream '%.40s': a name has 1 to 96 bytes", stream);
	}
	o->open = o->open ? o->open : 1;
	if (!opt) {
		o->timeout_ms = -1;
	}
	return 0;
}

int zoe_producer_open(struct zoe_client *c, const char *stream,
	const struct zoe_producer_options *opt, struct zoe_producer **out) {
	struct zoe_producer_options o;
	struct zoe_producer *p;
	int error;

	if (zoe_client_is_forked(c)) {
		return zoe_client_fail_forked(c);
	}
	error = options_check(c, stream, opt, &o);
	if (error) {
		return error;
	}
	p = calloc(1, sizeof(*p));
	if (!p) {
		return zoe_client_fail(c, -ENOMEM, "stream '%s': no memory", stream);
	}
	p->client = c;
	p->options = o;
	p->format = o.format;
	p->copy_ways = zoe_copy_ways();
	zoe_pollable_init(&p->pollable);
	p->handle.close = handle_close;
	for (unsigned i = 0; i < ZOE_MAX_FEEDS; i++) {
		p->feeds[i].region = ZOE_REGION_NONE;
		memset(p->feeds[i].bells, 0xff, sizeof(p->feeds[i].bells)); /* all -1 */
	}
	zoe_wire_set_text(p->stream, sizeof(p->stream), stream);
	zoe_link_init(&p->link, c);
	zoe_client_ref(c);
	zoe_handle_add(c, &p->handle);
	error = producer_attach(p);
	if (error) {
		zoe_producer_close(p);
		return error;
	}
	*out = p;
	return 0;
}

void zoe_producer_close(struct zoe_producer *p) {
	if (!p || zoe_client_is_forked(p->client)) {
		return;
	}
	for (unsigned i = 0; i < ZOE_MAX_OPEN; i++) {
		if (p->slots[i].feed) {
			zoe_producer_cancel(p, &p->slots[i].slot);
		}
	}
	say_leave(p, 0);
	if (p->options.timeout_ms != 0) {
		zoe_link_hang_up(&p->link, HANG_UP_MS);
	}
	zoe_handle_remove(&p->handle);
	zoe_link_finish(&p->link);
	for (unsigned i = 0; i < ZOE_MAX_FEEDS; i++) {
		zoe_feed_close(&p->feeds[i]);
	}
	zoe_pollable_close(&p->pollable);
	zoe_client_unref(p->client);
	free(p);
}

int zoe_producer_end(struct zoe_producer *p) {
	struct zoe_msg_header request = {.type = ZOE_MSG_END, .size = sizeof(request)};
	struct zoe_deadline deadline = zoe_deadline_init(1000);

	if (zoe_client_is_forked(p->client)) {
		return zoe_client_fail_forked(p->client);
	}
	if (p->state != ZOE_ATTACH_DONE || p->link.state != ZOE_LINK_UP) {
		return zoe_client_fail(
			p->client, -ENOTCONN, "stream '%s': not attached to a broker", p->stream);
	}
	request.serial = ++p->link.serial;
	if (zoe_link_send(&p->link, &request) != 0) {
		return zoe_client_fail(
			p->client, -ENOTCONN, "stream '%s': the broker is gone", p->stream);
	}
	while (!p->is_ended && zoe_deadline_left(&deadline) > 0 && p->link.state == ZOE_LINK_UP) {
		zoe_link_poll(&p->link, &deadline, 100);
		zoe_producer_service(p);
	}
	return p->is_ended ? 0
			   : zoe_client_fail(p->client, -ENOTCONN,
				     "stream '%s': the broker did not take the end", p->stream);
}

const char *zoe_producer_get_name(const struct zoe_producer *p) {
	return p->name;
}

int zoe_producer_get_interval(struct zoe_producer *p, uint64_t *interval_ns) {
	if (zoe_client_is_forked(p->client)) {
		return zoe_client_fail_forked(p->client);
	}
	if (zoe_pollable_is_open(&p->pollable)) {
		zoe_pollable_tick(&p->pollable);
		zoe_producer_service(p);
	} else {
		zoe_producer_service_sometimes(p);
	}
	if (p->state == ZOE_ATTACH_REFUSED) {
		return zoe_refusal_fail(&p->refusal, p->client);
	}
	*interval_ns = 0;
	/* [WANTED] relaxed: a hint; the broker counts seats here. Their pages may not be known yet:
	 * then every frame is wanted. */
	if (!p->feed || atomic_load_explicit(
				&p->feed->region.ring.control->live, memory_order_relaxed) == 0) {
		return 0;
	}
	return zoe_feed_is_current(p->feed) ? zoe_feed_get_interval(p->feed, interval_ns) : 1;
}

int zoe_producer_is_wanted(struct zoe_producer *p) {
	uint64_t interval;
	int result = zoe_producer_get_interval(p, &interval);

	if (result <= 0 || interval == 0) {
		return result;
	}
	/* A little early is in time, or jitter would cost every second frame. */
	return zoe_now_ns() - p->publish_ns >= interval - interval / PACE_SLACK;
}

int zoe_producer_get_fd(struct zoe_producer *p) {
	if (zoe_client_is_forked(p->client)) {
		return zoe_client_fail_forked(p->client);
	}
	return zoe_pollable_open(&p->pollable, &p->link);
}
