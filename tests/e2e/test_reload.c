/* SPDX-License-Identifier: MIT */
/* The config read again while frames flow: what changes, and what nobody must notice. */
#include "broker.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define N_RELOADS 100
#define FPS 240
#define MOST_FRAMES 20000

static char config[] =
	"version: 1\n"
	"defaults: {access: {produce: [any], consume: [any], reliable: [any], list: [any]}}\n"
	"streams:\n"
	"  cam: {max_frame: 64x64 XR24, slots: 8, consumers: 4, hold: 2, patience: 20s}\n"
	"  other: {max_frame: 64x64 XR24, slots: 4}\n"
	"  \"made/*\": {max_frame: 64x64 XR24}\n";

#define HEAD                                                                                       \
	"version: 1\n"                                                                             \
	"defaults: {access: {produce: [any], consume: [any], reliable: [any], list: [any]}}\n"     \
	"streams:\n"
#define CAM "  cam: {max_frame: 64x64 XR24, slots: 8, consumers: 4, hold: 2, patience: 20s}\n"
#define MADE "  \"made/*\": {max_frame: 64x64 XR24}\n"

#define PATIENT                                                                                    \
	"version: 1\n"                                                                             \
	"broker: {settle: 60s}\n"                                                                  \
	"defaults: {access: {produce: [any], consume: [any], reliable: [any], list: [any]}}\n"     \
	"streams:\n"

static char patient[] =
	PATIENT "  cam: {max_frame: 64x64 XR24, slots: 16, consumers: 4, hold: 2, patience: 20s}\n";

/* By another file and rename, as editors do. */
static void set_config(const struct broker *broker, const char *text) {
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/second", broker->dir);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(rename(path, broker->config), 0);
}

/* The lines of an answer, one after the other. */
struct answer {
	char text[4096];
	size_t len;
	unsigned n_lines, n_errors;
};

static int note_line(void *user, const struct zoe_reload_line *line) {
	static const char *const words[] = {
		"?", "error", "warning", "keep", "change", "add", "remove", "peer"};
	struct answer *answer = user;
	int n = snprintf(answer->text + answer->len, sizeof(answer->text) - answer->len,
		"%s %s %u:%u %s|", words[line->kind], line->name, line->line, line->column,
		line->text);

	answer->n_lines++;
	answer->n_errors += line->kind == ZOE_RELOAD_ERROR;
	answer->len += n > 0 && answer->len + (size_t)n < sizeof(answer->text) ? (size_t)n : 0;
	return 0;
}

static int ask(const struct broker *broker, bool is_dry_run, struct answer *answer) {
	struct zoe_client *admin = broker_connect(broker);
	int r;

	*answer = (struct answer){0};
	r = zoe_client_reload(admin, is_dry_run, note_line, answer, DEADLINE_MS);
	if (r < 0) {
		assert_string_not_equal(zoe_client_get_error(admin), "");
	}
	zoe_client_destroy(admin);
	return r;
}

static void expect(const struct answer *answer, const char *line) {
	if (!strstr(answer->text, line)) {
		fail_msg("no '%s' in: %s", line, answer->text);
	}
}

static void reload(const struct broker *broker, const char *text) {
	struct answer answer;

	set_config(broker, text);
	if (ask(broker, false, &answer) != 0) {
		fail_msg("reload: %s", answer.text);
	}
}

static uint32_t get_generation(const struct broker *broker, const char *stream) {
	struct stream_state now;

	assert_int_equal(stream_get_state(broker, stream, &now), 0);
	return now.generation;
}

static bool log_has(const struct broker *broker, const char *text) {
	static char log[65536];
	FILE *file = fopen(broker->log, "re");
	size_t n;

	assert_non_null(file);
	n = fread(log, 1, sizeof(log) - 1, file);
	log[n] = '\0';
	fclose(file);
	return strstr(log, text) != NULL;
}

static void test_reload_of_a_bad_file_changes_nothing_and_says_why(void **state) {
	const struct broker *broker = *state;
	struct zoe_client *c = broker_connect(broker);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(c, "cam", 1);
	const struct zoe_frame *frame;
	struct answer answer;
	char line[256];

	set_config(broker, "version: 1\nstreams:\n  cam: {max_frame: 64x64 XR24, slots: 1}\n"
			   "  two: {max_frame: 64x64 XR24, slot: 4}\n");
	assert_int_equal(ask(broker, false, &answer), -EINVAL);
	assert_int_equal(answer.n_errors, 2);
	assert_int_equal(answer.n_lines, 2);
	snprintf(line, sizeof(line), "error  3:39 %s:3:39: error: slots: 1 is too small",
		broker->config);
	expect(&answer, line);
	expect(&answer, "error  4:32 ");
	snprintf(line, sizeof(line), "reload: %s:3:39: error: slots: 1 is too small",
		broker->config);
	assert_true(log_has(broker, line));
	assert_true(log_has(broker, "2 errors; nothing has changed"));
	assert_int_equal(publish(p, 1), 0);
	frame = take(s);
	zoe_frame_release(frame);
	assert_int_equal(get_generation(broker, "cam"), 1);
	assert_int_equal(unlink(broker->config), 0);
	assert_int_equal(ask(broker, false, &answer), -ENOENT);
	assert_int_equal(answer.n_errors, 1);
	zoe_client_destroy(c);
}

static void test_reload_says_what_it_would_do_and_does_not(void **state) {
	const struct broker *broker = *state;
	struct zoe_client *c = broker_connect(broker);
	struct zoe_producer *p = produce(c, "made/one", 1);
	struct answer answer;

	assert_non_null(p);
	set_config(broker, HEAD
		"  cam: {max_frame: 64x64 XR24, slots: 9, consumers: 4, hold: 2, patience: 20s}\n"
		"  new: {max_bytes: 1KiB}\n" MADE "  \"more/*\": {max_bytes: 1KiB}\n");
	assert_int_equal(ask(broker, true, &answer), 0);
	expect(&answer, "change cam 0:0 slots 8 -> 9|");
	expect(&answer, "keep made/one 0:0 |peer made/one 0:0 |");
	expect(&answer, "remove other 0:0 |");
	expect(&answer, "add new 0:0 |");
	expect(&answer, "keep made/* 0:0 |");
	expect(&answer, "add more/* 0:0 |");
	assert_int_equal(stream_get_state(broker, "new", &(struct stream_state){0}), -ENOENT);
	assert_int_equal(stream_get_state(broker, "other", &(struct stream_state){0}), 0);
	assert_int_equal(ask(broker, false, &answer), 0);
	assert_int_equal(stream_get_state(broker, "new", &(struct stream_state){0}), 0);
	assert_int_equal(stream_get_state(broker, "other", &(struct stream_state){0}), -ENOENT);
	assert_int_equal(ask(broker, true, &answer), 0);
	expect(&answer, "keep cam 0:0 |");
	assert_null(strstr(answer.text, "change"));
	zoe_client_destroy(c);
}

/* cam's frames, at a steady pace; one that is refused is tried again. */
static int feed(const struct broker *broker, int pipe) {
	struct zoe_client *c = broker_connect(broker);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct timespec next;
	uint64_t i = 0;

	CHILD_CHECK(p != NULL);
	CHILD_CHECK(publish(p, ++i) == 0);
	child_say_ready(pipe);
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (i < MOST_FRAMES) {
		int r = publish(p, i + 1);

		CHILD_CHECK(r == 0 || r == -ESTALE || r == -EAGAIN);
		i += r == 0;
		next.tv_nsec += 1000000000 / FPS;
		next.tv_sec += next.tv_nsec / 1000000000;
		next.tv_nsec %= 1000000000;
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
	}
	zoe_client_destroy(c);
	return 0;
}

/* All that have come: none is missing. */
static void drain(struct zoe_consumer *s, uint64_t *last) {
	const struct zoe_frame *frame;
	int r;

	while ((r = zoe_consumer_next(s, &frame, 0)) == 0) {
		assert_int_equal(frame->lost, 0);
		assert_true(*last == 0 || frame->user[0] == *last + 1);
		assert_true(frame_is_whole(frame));
		*last = frame->user[0];
		zoe_frame_release(frame);
	}
	assert_int_equal(r, -EAGAIN);
}

static void reload_many(const struct broker *broker, const char *const texts[2]) {
	struct zoe_client *c = broker_connect(broker);
	struct child child = child_start(broker, feed);
	struct zoe_consumer_options queue = {.struct_size = sizeof(queue),
		.delivery = ZOE_QUEUE_RELIABLE,
		.group = "all",
		.timeout_ms = DEADLINE_MS};
	struct zoe_consumer *s[2] = {NULL};
	uint64_t last[2] = {0}, deadline;

	child_wait_ready(&child);
	s[0] = consume(c, "cam", ZOE_RELIABLE, 1);
	assert_int_equal(zoe_consumer_open(c, "cam", &queue, &s[1]), 0);
	for (int i = 0; i < N_RELOADS; i++) {
		uint64_t before = last[0];

		reload(broker, texts[i % 2]);
		deadline = now_ms() + DEADLINE_MS;
		/* A few frames each time. */
		while (last[0] < before + 3 || last[1] < before + 3) {
			assert_true(now_ms() < deadline);
			drain(s[0], &last[0]);
			drain(s[1], &last[1]);
			usleep(1000);
		}
		assert_int_equal(zoe_consumer_take_events(s[0]) & ZOE_EV_DEMOTED, 0);
	}
	child_kill(&child);
	zoe_client_destroy(c);
}

static void test_reload_leaves_streams_that_stay_alone(void **state) {
	static const char *const texts[2] = {
		HEAD CAM "  other: {max_frame: 64x64 XR24, slots: 5}\n", HEAD CAM MADE};

	reload_many(*state, texts);
	assert_int_equal(get_generation(*state, "cam"), 1);
}

static void test_reload_that_cuts_the_memory_anew_loses_no_frame(void **state) {
	static const char *const texts[2] = {HEAD
		"  cam: {max_frame: 64x64 XR24, slots: 16, consumers: 6, hold: 2, patience: 20s}\n",
		HEAD CAM};

	reload_many(*state, texts);
	assert_int_equal(get_generation(*state, "cam"), 1 + N_RELOADS);
}

static void test_reload_removes_a_stream_and_its_clients_hear(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	struct zoe_consumer *parked = consume(c, "other", ZOE_EVERY, 1);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_slot *slot = NULL;
	const struct zoe_frame *frame;

	assert_int_equal(publish(p, 1), 0);
	reload(*state, HEAD MADE);
	frame = take(s); /* it was published before */
	zoe_frame_release(frame);
	assert_int_equal(zoe_consumer_next(s, &frame, DEADLINE_MS), -EPIPE);
	assert_non_null(strstr(zoe_client_get_error(c), "'cam': removed by the admin"));
	assert_int_equal(zoe_consumer_next(parked, &frame, DEADLINE_MS), -EPIPE);
	assert_int_equal(zoe_producer_acquire(p, NULL, &slot, DEADLINE_MS), -EPIPE);
	assert_non_null(strstr(zoe_client_get_error(c), "'cam': removed by the admin"));
	assert_int_equal(stream_get_state(*state, "cam", &(struct stream_state){0}), -ENOENT);
	reload(*state, HEAD CAM);
	assert_non_null(produce(c, "cam", 1));
	zoe_client_destroy(c);
}

static void test_reload_lets_in_those_who_wait_for_a_name(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer *first = consume(c, "made/here", ZOE_EVERY, 1);
	struct zoe_consumer *second = consume(c, "made/there", ZOE_EVERY, 1);
	const struct zoe_frame *frame;
	struct zoe_producer *p;

	assert_non_null(first);
	assert_non_null(second);
	reload(*state, HEAD "  made/here: {max_frame: 64x64 XR24}\n");
	p = produce(c, "made/here", 1);
	assert_non_null(p);
	assert_int_equal(publish(p, 1), 0);
	frame = take(first);
	zoe_frame_release(frame);
	assert_int_equal(zoe_consumer_next(second, &frame, DEADLINE_MS), -EPIPE);
	assert_non_null(strstr(zoe_client_get_error(c), "'made/there': no entry of the config"));
	zoe_client_destroy(c);
}

static void test_reload_lowers_limits_for_those_to_come(void **state) {
	struct zoe_consumer_options options = {
		.struct_size = sizeof(options), .delivery = ZOE_EVERY, .timeout_ms = DEADLINE_MS};
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_consumer *s[3], *refused = NULL;
	const struct zoe_frame *held[3][2];
	struct answer answer;

	for (int i = 0; i < 3; i++) {
		s[i] = consume(c, "cam", ZOE_EVERY, 2);
		assert_non_null(s[i]);
	}
	set_config(*state, HEAD
		"  cam: {max_frame: 64x64 XR24, slots: 8, consumers: 2, hold: 1, patience: 20s}\n");
	assert_int_equal(ask(*state, false, &answer), 0);
	expect(&answer, "change cam 0:0 consumers 4 -> 2, hold 2 -> 1|");
	expect(&answer, "peer cam 0:0 stays with 2 frames at once, though hold: allows 1|");
	expect(&answer, "peer cam 0:0 stays, though consumers: allows 2|");
	assert_int_equal(zoe_consumer_open(c, "cam", &options, &refused), -EBUSY);
	/* With all that they may hold there still is a slot for the next frame. */
	for (uint64_t i = 0; i < 6; i++) {
		int r = publish(p, i);

		assert_true(r == 0 || (r == -ESTALE && publish(p, i) == 0));
		for (uint64_t k = i / 2; k < 3; k++) {
			const struct zoe_frame *frame = take(s[k]);

			assert_int_equal(frame->lost, 0);
			if (k == i / 2) {
				held[k][i % 2] = frame;
			} else {
				zoe_frame_release(frame);
			}
		}
	}
	for (uint64_t i = 6; i < 60; i++) {
		assert_int_equal(publish(p, i), 0);
	}
	for (int k = 0; k < 3; k++) {
		assert_true(frame_is_whole(held[k][0]) && frame_is_whole(held[k][1]));
		zoe_frame_release(held[k][0]);
		zoe_frame_release(held[k][1]);
	}
	zoe_consumer_close(s[0]);
	zoe_consumer_close(s[1]);
	stream_wait(*state, "cam", &(struct stream_state){.n_producers = 1, .n_consumers = 1});
	assert_int_equal(zoe_consumer_open(c, "cam", &options, &refused), 0);
	zoe_client_destroy(c);
}

/* The first was told that nobody else has a lane, and publishes without a claim. */
static void test_reload_lets_a_second_producer_in(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p[2] = {produce(c, "cam", 1), NULL};
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	uint64_t last = 0;

	assert_int_equal(publish(p[0], 1), 0);
	assert_null(produce(c, "cam", 1));
	reload(*state,
		HEAD "  cam: {max_frame: 64x64 XR24, slots: 8, producers: 2, patience: 20s}\n");
	p[1] = produce(c, "cam", 1);
	assert_non_null(p[1]);
	for (uint64_t i = 2; i <= 100; i++) {
		int r = publish(p[i % 2], i);

		assert_true(r == 0 || (r == -ESTALE && publish(p[i % 2], i) == 0));
		drain(s, &last);
	}
	assert_int_equal(last, 100);
	/* Both stay, though one is allowed now. */
	reload(*state, HEAD CAM);
	for (uint64_t i = 101; i <= 200; i++) {
		int r = publish(p[i % 2], i);

		assert_true(r == 0 || (r == -ESTALE && publish(p[i % 2], i) == 0));
		drain(s, &last);
	}
	assert_int_equal(last, 200);
	zoe_client_destroy(c);
}

static void test_reload_gives_producers_new_terms(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_consumer *s = consume(c, "cam", ZOE_EVERY, 1);
	uint64_t deadline = now_ms() + DEADLINE_MS, interval = 1;

	assert_non_null(s);
	assert_int_equal(publish(p, 1), 0);
	assert_int_equal(zoe_producer_get_interval(p, &interval), 1);
	assert_int_equal(interval, 0);
	reload(*state, HEAD "  cam: {max_frame: 64x64 XR24, slots: 8, consumers: 4, hold: 2, "
			    "patience: 20s, max_fps: 50}\n");
	while (interval != 20000000) {
		assert_true(now_ms() < deadline);
		assert_true(zoe_producer_get_interval(p, &interval) >= 0);
	}
	zoe_client_destroy(c);
}

static int note_limit(void *user, const struct zoe_status *status) {
	if (status->broker) {
		*(uint64_t *)user = status->broker->memory_limit_bytes;
	}
	return 0;
}

static void test_reload_changes_the_broker_too(void **state) {
	const struct broker *broker = *state;
	struct zoe_client *c = broker_connect(broker);
	uint64_t limit = 0, deadline = now_ms() + DEADLINE_MS;
	struct answer answer;
	struct stat before, after;

	assert_int_equal(stat(broker->socket, &before), 0);
	assert_int_equal(before.st_mode & 0777, 0666);
	set_config(broker, "version: 1\nbroker: {memory_limit: 7MiB, socket_mode: \"0600\", "
			   "log_level: debug, socket: /run/elsewhere}\nstreams: {}\n");
	assert_int_equal(ask(broker, false, &answer), 0);
	expect(&answer, "change  0:0 socket ");
	expect(&answer, "memory_limit 1GiB -> 7MiB");
	expect(&answer, "warning  0:0 the socket stays ");
	assert_int_equal(stat(broker->socket, &after), 0);
	assert_int_equal(after.st_mode & 0777, 0600);
	assert_int_equal(zoe_client_status(c, NULL, note_limit, &limit, DEADLINE_MS), 0);
	assert_int_equal(limit, 7u << 20);
	zoe_client_destroy(c);
	/* By signal the same. */
	set_config(broker, "version: 1\nbroker: {memory_limit: 8MiB}\nstreams: {}\n");
	assert_int_equal(kill(broker->pid, SIGHUP), 0);
	do {
		assert_true(now_ms() < deadline);
		c = broker_connect(broker);
		assert_int_equal(zoe_client_status(c, NULL, note_limit, &limit, DEADLINE_MS), 0);
		zoe_client_destroy(c);
	} while (limit != 8u << 20);
}

/* Who could consume may have kept a mapping, though nobody such is attached. */
static void test_reload_that_narrows_access_moves_the_frames_away(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_consumer *s = consume(c, "cam", ZOE_RELIABLE, 1);
	uint64_t last = 0;

	assert_int_equal(publish(p, 1), 0);
	reload(*state, HEAD "  cam: {max_frame: 64x64 XR24, slots: 8, consumers: 4, hold: 2, "
			    "patience: 20s, access: {consume: [owner]}}\n");
	assert_int_equal(get_generation(*state, "cam"), 2);
	for (uint64_t i = 2; i <= 20; i++) {
		int r = publish(p, i);

		assert_true(r == 0 || (r == -ESTALE && publish(p, i) == 0));
		drain(s, &last);
	}
	assert_int_equal(last, 20);
	reload(*state, HEAD CAM);
	assert_int_equal(get_generation(*state, "cam"), 2);
	zoe_client_destroy(c);
}

/* "+name ", "-name ", "~name ", as they come after the first list. */
struct seen {
	bool is_synced;
	char text[512];
};

static int note_seen(void *user, enum zoe_change change, const struct zoe_stream_info *info) {
	struct seen *seen = user;
	size_t len = strlen(seen->text);

	if (change == ZOE_SYNCED) {
		seen->is_synced = true;
	} else if (seen->is_synced) {
		snprintf(seen->text + len, sizeof(seen->text) - len, "%c%s ",
			change == ZOE_ADDED     ? '+'
			: change == ZOE_REMOVED ? '-'
						: '~',
			info->name);
	}
	return 0;
}

static void test_reload_is_seen_by_those_who_watch(void **state) {
	struct zoe_client *c = broker_connect(*state);
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct seen seen = {0};

	assert_int_equal(zoe_client_watch(c, note_seen, &seen), 0);
	while (!seen.is_synced) {
		assert_true(now_ms() < deadline);
		assert_int_equal(zoe_client_dispatch(c), 0);
	}
	reload(*state, HEAD "  cam: {max_frame: 64x64 XR24, description: Other}\n"
			    "  new: {max_bytes: 1KiB}\n" MADE);
	while (!strstr(seen.text, "-other ") || !strstr(seen.text, "+new ") ||
		!strstr(seen.text, "~cam ")) {
		if (now_ms() > deadline) {
			fail_msg("seen: %s", seen.text);
		}
		assert_int_equal(zoe_client_dispatch(c), 0);
	}
	zoe_client_destroy(c);
}

/* The name is ruled by the pattern, then by an entry of its own, then by the pattern again. */
static void test_reload_changes_the_entry_that_rules_a_stream(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "made/one", 1);
	struct zoe_consumer *s = consume(c, "made/one", ZOE_RELIABLE, 1);
	static const char *const texts[2] = {
		HEAD MADE "  made/one: {max_frame: 64x64 XR24, slots: 8}\n", HEAD MADE};
	uint64_t last = 0, value = 0;
	struct answer answer;

	for (int i = 0; i < 4; i++) {
		set_config(*state, texts[i % 2]);
		assert_int_equal(ask(*state, false, &answer), 0);
		expect(&answer, i % 2 == 0 ? "'made/one' rules it instead of 'made/*'"
					   : "'made/*' rules it instead of 'made/one'");
		for (int k = 0; k < 5; k++) {
			int r = publish(p, ++value);

			assert_true(r == 0 || (r == -ESTALE && publish(p, value) == 0));
			drain(s, &last);
		}
	}
	assert_int_equal(last, value);
	zoe_client_destroy(c);
}

/* A broker that is back waits for those who are not; a change moves the stream at once. Who is late
 * loses nothing all the same. */
static void test_reload_needs_not_wait_for_who_is_not_back(void **state) {
	struct broker *broker = *state;
	struct zoe_client *c = broker_connect(broker);
	struct zoe_producer *p = produce(c, "cam", 1);
	struct zoe_consumer *late = consume(c, "cam", ZOE_RELIABLE, 1);
	uint64_t deadline = now_ms() + DEADLINE_MS, last = 0, value = 0;
	uint32_t generation;

	assert_int_equal(publish(p, ++value), 0);
	drain(late, &last);
	broker_kill(broker);
	broker_start(broker);
	while (get_generation(broker, "cam") == 0) {
		assert_true(now_ms() < deadline);
		value += publish(p, value + 1) == 0;
	}
	generation = get_generation(broker, "cam");
	reload(broker, PATIENT "  cam: {max_frame: 64x64 XR24, slots: 32, consumers: 4, hold: 2, "
			       "patience: 20s}\n");
	assert_true(get_generation(broker, "cam") > generation);
	for (int i = 0; i < 5; i++) {
		int r = publish(p, value + 1);

		assert_true(r == 0 || (r == -ESTALE && publish(p, value + 1) == 0));
		value++;
	}
	while (last < value) {
		assert_true(now_ms() < deadline);
		(void)zoe_consumer_take_events(late);
		drain(late, &last);
	}
	zoe_client_destroy(c);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_reload_of_a_bad_file_changes_nothing_and_says_why, config),
		BROKER_TEST(test_reload_says_what_it_would_do_and_does_not, config),
		BROKER_TEST(test_reload_leaves_streams_that_stay_alone, config),
		BROKER_TEST(test_reload_that_cuts_the_memory_anew_loses_no_frame, config),
		BROKER_TEST(test_reload_removes_a_stream_and_its_clients_hear, config),
		BROKER_TEST(test_reload_lets_in_those_who_wait_for_a_name, config),
		BROKER_TEST(test_reload_lowers_limits_for_those_to_come, config),
		BROKER_TEST(test_reload_lets_a_second_producer_in, config),
		BROKER_TEST(test_reload_gives_producers_new_terms, config),
		BROKER_TEST(test_reload_changes_the_broker_too, config),
		BROKER_TEST(test_reload_that_narrows_access_moves_the_frames_away, config),
		BROKER_TEST(test_reload_is_seen_by_those_who_watch, config),
		BROKER_TEST(test_reload_changes_the_entry_that_rules_a_stream, config),
		BROKER_TEST(test_reload_needs_not_wait_for_who_is_not_back, patient),
	};

	return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
