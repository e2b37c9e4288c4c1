/* SPDX-License-Identifier: MIT */
/* Zoetrope through its public headers. The broker is the script's; its socket is PLACE/zoetrope. */
#include <stdio.h>
#include <zoe/consumer.h>
#include <zoe/producer.h>

#include "peer.h"

static struct zoe_client *client;
static struct zoe_producer *producer;
static struct zoe_consumer *consumer;
static struct zoe_slot *slot;
static const struct zoe_frame *frame;
static struct zoe_format format;

static const char *version(void) {
	return ZOE_VERSION;
}

static int client_make(const struct trial *t, char *name, size_t size) {
	struct zoe_client_options options = {.struct_size = sizeof(options), .app_name = "peers"};
	char path[128];

	snprintf(path, sizeof(path), "%s/zoetrope", t->place);
	snprintf(name, size, "%s/%s", t->deed == FLOW ? "lossless" : "paced", t->name);
	options.socket = path;
	return zoe_client_create(&client, &options);
}

static int produce(const struct trial *t) {
	struct zoe_producer_options options = {.struct_size = sizeof(options), .timeout_ms = 5000};
	char name[64];

	zoe_format_init(&format, ZOE_FORMAT_AR24, WIDTH, HEIGHT);
	options.format = format;
	if (client_make(t, name, sizeof(name)) != 0 ||
		zoe_producer_open(client, name, &options, &producer) != 0) {
		fprintf(stderr, "%s\n", client ? zoe_client_get_error(client) : "no client");
		return -1;
	}
	return 0;
}

static int consume(const struct trial *t, unsigned index) {
	struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = t->deed == FLOW ? ZOE_RELIABLE : ZOE_EVERY,
		.timeout_ms = 5000};
	char name[64];

	(void)index;
	if (client_make(t, name, sizeof(name)) != 0 ||
		zoe_consumer_open(client, name, &options, &consumer) != 0) {
		fprintf(stderr, "%s\n", client ? zoe_client_get_error(client) : "no client");
		return -1;
	}
	return 0;
}

static uint8_t *acquire(void) {
	return zoe_producer_acquire(producer, NULL, &slot, 5000) == 0 ? slot->plane[0] : NULL;
}

static int publish(void) {
	return zoe_producer_publish(producer, slot);
}

static int send(const uint8_t *picture) {
	struct zoe_picture source = {.format = format, .plane = {picture}};

	return zoe_producer_push(producer, &source, 5000);
}

static const uint8_t *next(int timeout_ms) {
	return zoe_consumer_next(consumer, &frame, timeout_ms) == 0 ? frame->plane[0] : NULL;
}

static void release(void) {
	zoe_frame_release(frame);
}

static void leave(void) {
	zoe_client_destroy(client);
}

const struct peer peer = {
	.version = version,
	.deeds = 1 << IN_PLACE | 1 << COPY | 1 << FLOW | 1 << STOPPED,
	.produce = produce,
	.consume = consume,
	.acquire = acquire,
	.publish = publish,
	.send = send,
	.next = next,
	.release = release,
	.leave = leave,
};
