/* SPDX-License-Identifier: MIT */
#include "broker_books.h"

#include "client.h"
#include "consumer.h"
#include "fuzz.h"
#include "generation.h"
#include "producer.h"
#include "server.h"
#include "stream.h"

static void check_generation(const struct stream *stream, const struct generation *g) {
	uint32_t n_lanes = 0;
	struct seat *seat;

	for (uint32_t i = 0; i < ZOE_MAX_LANES; i++) {
		n_lanes += g->lanes[i].producer != NULL;
	}
	must(n_lanes == g->n_lanes && g->stream == stream);
	for (uint32_t i = 0; i < ZOE_MAX_SEATS; i++) {
		must(!g->listed[i] || (g->listed[i]->index == i && g->listed[i]->is_listed));
	}
	list_for_each(seat, &g->seats, link) {
		must(seat->generation == g && seat->consumer->stream == stream);
		must(!seat->is_listed || g->listed[seat->index] == seat);
	}
	must(g->ended != 0 || g == stream->newest);
	must(g->ended == 0 || g != stream->newest || g->is_adopted);
	must(g->is_adopted ||
		atomic_load_explicit(&g->control->roster, memory_order_relaxed) == g->roster);
	must(atomic_load_explicit(&g->control->ended, memory_order_relaxed) == g->ended);
}

static void check_stream(const struct stream *stream, bool has_new_config) {
	uint32_t n_producers = 0, n_consumers = 0;
	const struct generation *g;
	struct producer *producer;
	struct consumer *consumer;

	list_for_each(producer, &stream->producers, link) {
		must(producer->stream == stream && producer->client->producer == producer);
		n_producers++;
	}
	list_for_each(consumer, &stream->consumers, link) {
		must(consumer->stream == stream && consumer->client->consumer == consumer);
		n_consumers++;
	}
	must(n_producers == stream->n_producers && n_consumers == stream->n_consumers);
	/* Who came before a limit was lowered stays. */
	must(has_new_config || n_producers <= stream->config->producers);
	must(has_new_config || n_consumers <= stream->config->consumers);
	list_for_each(g, &stream->generations, link) {
		check_generation(stream, g);
	}
}

void books_check(const struct server *server, bool has_new_config) {
	const struct stream *stream;
	const struct client *client;
	uint32_t n_clients = 0, n_streams = 0;

	list_for_each(client, &server->clients, link) {
		n_clients++;
		must((client->producer != NULL) + (client->consumer != NULL) +
				(client->turn != NULL) <=
			1);
	}
	must(n_clients == server->n_clients);
	list_for_each(stream, &server->registry.streams, link) {
		n_streams++;
		check_stream(stream, has_new_config);
	}
	must(n_streams == server->registry.n_streams);
}
