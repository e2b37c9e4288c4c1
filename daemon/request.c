/* SPDX-License-Identifier: MIT */
#include "request.h"

#include "adopt.h"
#include "client.h"
#include "consumer.h"
#include "evict.h"
#include "label.h"
#include "producer.h"
#include "reload.h"
#include "server.h"
#include "status.h"

#define OLDEST_PROTOCOL 1u
#define OLDEST_RING 1u

static void request_hello(struct client *client, const struct zoe_packet *packet) {
	const struct zoe_msg_hello *msg = (const void *)packet->bytes;
	struct zoe_msg_welcome reply;
	uint32_t protocol = msg->protocol_version, ring = msg->ring_version;

	if (!zoe_wire_text_is_ok(msg->app, sizeof(msg->app)) || protocol < OLDEST_PROTOCOL ||
		ring < OLDEST_RING) {
		client_reject(client, &msg->header, "a HELLO of no known version");
		return;
	}
	zoe_wire_set_text(client->app, sizeof(client->app), msg->app);
	label_clean(client->app);
	zoe_msg_init(&reply, ZOE_MSG_HELLO, msg->header.serial);
	reply.protocol_version = protocol < ZOE_PROTOCOL_VERSION ? protocol : ZOE_PROTOCOL_VERSION;
	reply.ring_version = ring < ZOE_RING_VERSION ? ring : ZOE_RING_VERSION;
	reply.nonce = client->nonce;
	reply.broker_id = client->server->broker_id;
	client->state = CLIENT_GREETED;
	client_send(client, &reply.header, NULL, 0);
}

static void request_echo(struct client *client, const struct zoe_packet *packet) {
	const struct zoe_msg_echo *msg = (const void *)packet->bytes;

	if (msg->nonce != client->nonce) {
		client_reject(client, &msg->header, "an ECHO of another connection");
		return;
	}
	client_set_ready(client);
}

static void request_leave(struct client *client, const struct zoe_packet *packet) {
	const struct zoe_msg_leave *msg = (const void *)packet->bytes;

	if (msg->generation == 0) {
		producer_destroy(client->producer, PRODUCER_LEFT);
		consumer_destroy(client->consumer);
		turn_destroy(client->turn);
	} else if (client->producer) {
		producer_leave_generation(client->producer, msg->generation);
	} else if (client->consumer) {
		consumer_leave_generation(client->consumer, msg->generation);
	}
}

static const struct request {
	size_t size; // of the body, at least
	enum client_state state;
	void (*handle)(struct client *client, const struct zoe_packet *packet);
} requests[] = {
	[ZOE_MSG_HELLO] = {sizeof(struct zoe_msg_hello), CLIENT_NEW, request_hello},
	[ZOE_MSG_ECHO] = {sizeof(struct zoe_msg_echo), CLIENT_GREETED, request_echo},
	[ZOE_MSG_LIST] = {sizeof(struct zoe_msg_header), CLIENT_READY, status_list},
	[ZOE_MSG_WATCH] = {sizeof(struct zoe_msg_header), CLIENT_READY, status_watch},
	[ZOE_MSG_STATUS] = {sizeof(struct zoe_msg_name), CLIENT_READY, status_report},
	[ZOE_MSG_PRODUCE] = {sizeof(struct zoe_msg_produce), CLIENT_READY, producer_produce},
	[ZOE_MSG_CONSUME] = {sizeof(struct zoe_msg_consume), CLIENT_READY, consumer_consume},
	[ZOE_MSG_BELL] = {sizeof(struct zoe_msg_header), CLIENT_READY, consumer_get_bell},
	[ZOE_MSG_GROW] = {sizeof(struct zoe_msg_grow), CLIENT_READY, producer_grow},
	[ZOE_MSG_ROSTER_ACK] = {sizeof(struct zoe_msg_ack), CLIENT_READY, producer_ack},
	[ZOE_MSG_LEAVE] = {sizeof(struct zoe_msg_leave), CLIENT_READY, request_leave},
	[ZOE_MSG_REPORT] = {sizeof(struct zoe_msg_report), CLIENT_READY, producer_report},
	[ZOE_MSG_RETURN] = {sizeof(struct zoe_msg_return), CLIENT_READY, adopt_hand_in},
	[ZOE_MSG_RELOAD] = {sizeof(struct zoe_msg_reload), CLIENT_READY, reload_request},
	[ZOE_MSG_KICK] = {sizeof(struct zoe_msg_kick), CLIENT_READY, evict_kick},
	[ZOE_MSG_END] = {sizeof(struct zoe_msg_header), CLIENT_READY, producer_end_stream},
};

void request_handle(struct client *client, const struct zoe_packet *packet) {
	const struct zoe_msg_header *hdr = &packet->header;
	const struct request *request =
		hdr->type < n_elements(requests) ? &requests[hdr->type] : NULL;

	if (!request || !request->handle) {
		client_reject(client, hdr, "a request of no known type");
	} else if (!zoe_packet_get(packet, request->size)) {
		client_reject(client, hdr, "a request that is too short");
	} else if (client->state != request->state) {
		client_reject(client, hdr, "a request out of turn");
	} else {
		request->handle(client, packet);
	}
}
