/* SPDX-License-Identifier: MIT */
#include "sample.h"

#include <errno.h>
#include <string.h>

enum { ANSWER_MS = 5000 };

static void set_broker(struct sample *s, const struct zoe_broker_info *info) {
	struct broker_sample *b = &s->broker;

	*b = (struct broker_sample){.pid = info->pid,
		.n_streams = info->n_streams,
		.n_clients = info->n_clients,
		.start_ns = info->start_ns,
		.memory_bytes = info->memory_bytes,
		.memory_limit_bytes = info->memory_limit_bytes};
	snprintf(b->version, sizeof(b->version), "%s", info->version);
	snprintf(b->protection, sizeof(b->protection), "%s", info->protection);
}

static int add_stream(struct sample *s, const struct zoe_stream_info *info) {
	struct stream_sample *list =
		reallocarray(s->streams, s->n_streams + 1, sizeof(*s->streams));
	struct stream_sample *one;

	if (list == NULL) {
		return -ENOMEM;
	}
	s->streams = list;
	one = &list[s->n_streams++];
	*one = (struct stream_sample){.format = info->format,
		.head_seq = info->head_seq,
		.dropped = info->dropped,
		.memory_bytes = info->memory_bytes,
		.capture_ns = info->capture_ns,
		.n_producers = info->n_producers,
		.n_consumers = info->n_consumers,
		.max_consumers = info->max_consumers};
	snprintf(one->name, sizeof(one->name), "%s", info->name);
	snprintf(one->producer, sizeof(one->producer), "%s", info->producer);
	return 0;
}

static int add_consumer(struct sample *s, const struct zoe_peer_info *info) {
	struct consumer_sample *list =
		reallocarray(s->consumers, s->n_consumers + 1, sizeof(*s->consumers));
	struct consumer_sample *one;

	if (list == NULL) {
		return -ENOMEM;
	}
	s->consumers = list;
	one = &list[s->n_consumers];
	*one = (struct consumer_sample){.pid = info->pid,
		.held = info->held,
		.delivery = info->delivery,
		.state = info->state,
		.lag = info->lag,
		.taken = info->taken,
		.lost = info->lost,
		.read_ns = info->read_ns};
	snprintf(one->stream, sizeof(one->stream), "%s", info->stream);
	snprintf(one->app, sizeof(one->app), "%s", info->app);
	snprintf(one->group, sizeof(one->group), "%s", info->group);
	for (size_t i = 0; i < s->n_consumers; i++) {
		one->number += list[i].pid == one->pid && strcmp(list[i].stream, one->stream) == 0;
	}
	s->n_consumers++;
	return 0;
}

static int take_line(void *user, const struct zoe_status *status) {
	struct sample *s = user;

	if (status->broker != NULL) {
		set_broker(s, status->broker);
	}
	if (status->stream != NULL) {
		return add_stream(s, status->stream);
	}
	if (status->peer != NULL && status->peer->role == ZOE_ROLE_CONSUMER) {
		return add_consumer(s, status->peer);
	}
	return 0;
}

int sample_ask(struct tool *tool, struct sample *s, int timeout_ms) {
	int rc;

	*s = (struct sample){.time_ns = 0};
	rc = zoe_client_status(tool->client, NULL, take_line, s, timeout_ms);
	s->time_ns = tool_get_now_ns();
	if (rc != 0) {
		sample_finish(s);
	}
	return rc;
}

int sample_take(struct tool *tool, struct sample *s) {
	int rc = sample_ask(tool, s, tool->timeout_ms < 0 ? ANSWER_MS : tool->timeout_ms);

	if (rc == 0) {
		return 0;
	}
	return rc == -ENOMEM ? tool_fail("out of memory") : tool_fail_client(tool);
}

void sample_finish(struct sample *s) {
	free(s->streams);
	free(s->consumers);
	*s = (struct sample){.time_ns = 0};
}

const struct stream_sample *sample_find_stream(const struct sample *s, const char *name) {
	for (size_t i = 0; i < s->n_streams; i++) {
		if (strcmp(s->streams[i].name, name) == 0) {
			return &s->streams[i];
		}
	}
	return NULL;
}

const struct consumer_sample *sample_find_consumer(
	const struct sample *s, const struct consumer_sample *like) {
	for (size_t i = 0; i < s->n_consumers; i++) {
		const struct consumer_sample *one = &s->consumers[i];

		if (one->pid == like->pid && one->number == like->number &&
			strcmp(one->stream, like->stream) == 0) {
			return one;
		}
	}
	return NULL;
}
