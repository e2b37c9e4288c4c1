/* SPDX-License-Identifier: MIT */
#include "honest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "flow.h"

#define MAX_FRAMES 60
#define FRAME_MS 3
#define OPEN_MS 8000
#define DRAIN_MS 4000
#define LOOK_MS 2

uint64_t get_ms(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void set_wrong(struct honest *honest, const char *what, const char *why) {
	if (!honest->wrong[0]) {
		snprintf(honest->wrong, sizeof(honest->wrong), "others: %s: %s", what, why);
	}
}

/* The opening calls in their order; each returns 0 or -errno and may be made again. */
static int open_one(struct honest *honest, unsigned step) {
	switch (step) {
	case 0:
		return zoe_client_connect(honest->client, 100);
	case 1:
		return writer_open(&honest->producer, honest->client, FLOW_STREAM);
	case 2:
		return reader_open(&honest->every, honest->client, FLOW_STREAM, ZOE_EVERY);
	case 3:
	default:
		return reader_open(&honest->reliable, honest->client, FLOW_STREAM, ZOE_RELIABLE);
	}
}

static void pause_ms(unsigned ms) {
	const struct timespec pause = {.tv_nsec = (long)ms * 1000000};

	nanosleep(&pause, NULL);
}

int honest_open(struct honest *honest, const char *socket, bool (*is_there)(void *), void *user) {
	struct zoe_client_options options = {
		.struct_size = sizeof(options), .socket = socket, .app_name = "honest"};
	uint64_t deadline = get_ms() + OPEN_MS;
	int r = zoe_client_create(&honest->client, &options);

	for (unsigned step = 0; r == 0 && step < 4;) {
		int error = open_one(honest, step);

		if (error == 0) {
			step++;
		} else if (!is_there(user)) {
			return -ESRCH;
		} else if (get_ms() > deadline) {
			set_wrong(honest, "cannot open", zoe_client_get_error(honest->client));
			return -ETIMEDOUT;
		} else {
			honest->n_refused += step > 0;
			pause_ms(LOOK_MS);
		}
	}
	return r;
}

static void honest_read(struct honest *honest, struct reader *reader) {
	int r = 0;

	while (r == 0 && !reader->wrong) {
		r = reader_next(reader, 0);
	}
	if (r != -EAGAIN && r != -ENODATA) {
		honest->n_refused++;
	}
}

static bool honest_publish(struct honest *honest) {
	int r = writer_publish(honest->producer, WRITER_HONEST, honest->n_published + 1, 16);

	honest->n_published += r == 0;
	honest->n_refused += r < 0;
	return r == 0;
}

void honest_pump(struct honest *honest) {
	if (honest->n_published < MAX_FRAMES && get_ms() >= honest->next_ms) {
		honest->next_ms = get_ms() + FRAME_MS;
		(void)honest_publish(honest);
	}
	honest_read(honest, &honest->every);
	honest_read(honest, &honest->reliable);
	pause_ms(LOOK_MS);
}

static bool has_all(const struct honest *honest, const struct reader *reader, uint64_t n_flow) {
	return reader->last[WRITER_FLOW] == n_flow &&
	       reader->last[WRITER_HONEST] == honest->n_published;
}

static void check_reader(
	struct honest *honest, const struct reader *reader, const char *name, uint64_t n_flow) {
	const char *wrong = reader_check(reader, false);

	if (!wrong && !has_all(honest, reader, n_flow)) {
		wrong = "the last frames did not come";
	}
	if (wrong && !honest->wrong[0]) {
		snprintf(honest->wrong, sizeof(honest->wrong),
			"others: %s: %s: lost %llu, gap %llu, breaks %llu; frames %llu and %llu",
			name, wrong, (unsigned long long)reader->n_lost,
			(unsigned long long)reader->n_gap, (unsigned long long)reader->n_discont,
			(unsigned long long)reader->last[WRITER_FLOW],
			(unsigned long long)reader->last[WRITER_HONEST]);
	}
}

void honest_drain(struct honest *honest, uint64_t n_flow) {
	uint64_t deadline = get_ms() + DRAIN_MS;

	/* The broker keeps the last generation but one until there is a frame in the last. */
	while (!honest_publish(honest) && get_ms() < deadline) {
		pause_ms(LOOK_MS);
	}
	while (get_ms() < deadline && !(has_all(honest, &honest->every, n_flow) &&
					      has_all(honest, &honest->reliable, n_flow))) {
		(void)reader_next(&honest->every, LOOK_MS);
		(void)reader_next(&honest->reliable, LOOK_MS);
	}
	check_reader(honest, &honest->every, "every", n_flow);
	check_reader(honest, &honest->reliable, "reliable", n_flow);
}

void honest_close(struct honest *honest) {
	zoe_client_destroy(honest->client);
	honest->client = NULL;
}
