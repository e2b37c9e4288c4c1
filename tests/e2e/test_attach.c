/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char config[] =
	"version: 1\n"
	"defaults: {access: {produce: [any], consume: [any], list: [any]}}\n"
	"streams:\n"
	"  desk: {description: The desk, max_frame: 64x64 XR24, consumers: 2, hold: 2}\n"
	"  \"game/*\": {max_frame: 64x64 XR24, max_streams: 2}\n";

struct list {
	char names[256];
	bool is_synced;
};

static int note_name(void *user, enum zoe_change change, const struct zoe_stream_info *info) {
	struct list *list = user;
	size_t len = strlen(list->names);

	if (change == ZOE_SYNCED) {
		list->is_synced = true;
	} else {
		snprintf(list->names + len, sizeof(list->names) - len, "%s ", info->name);
	}
	return 0;
}

static void test_attach_lists_streams_by_name(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p;
	struct list list = {0};

	p = produce(c, "game/quake", 1);
	assert_non_null(p);
	assert_string_equal(zoe_producer_get_name(p), "game/quake");
	assert_int_equal(zoe_client_list(c, note_name, &list, DEADLINE_MS), 0);
	assert_string_equal(list.names, "desk game/quake ");
	assert_true(list.is_synced);
	zoe_client_destroy(c);
}

static void test_attach_shows_who_is_there_in_status(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct stream_state now;

	assert_non_null(produce(c, "desk", 1));
	assert_non_null(consume(c, "desk", ZOE_LATEST, 1));
	assert_int_equal(stream_get_state(*state, "desk", &now), 0);
	assert_int_equal(now.n_producers, 1);
	assert_int_equal(now.n_consumers, 1);
	assert_int_equal(now.n_peers, 2);
	assert_int_equal(now.generation, 1);
	assert_string_equal(now.region, "desk#1");
	assert_non_null(strstr(now.producer, "test (pid "));
	zoe_client_destroy(c);
}

static void test_attach_maps_memory_named_as_the_region(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct stream_state now;
	char line[512], frames[160];
	bool is_found = false;
	FILE *maps;

	assert_non_null(produce(c, "desk", 1));
	assert_int_equal(stream_get_state(*state, "desk", &now), 0);
	snprintf(frames, sizeof(frames), "memfd:%s.frames", now.region);
	maps = fopen("/proc/self/maps", "re");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		is_found = is_found || strstr(line, frames);
	}
	fclose(maps);
	assert_true(is_found);
	zoe_client_destroy(c);
}

/* What may be handed to an X server, whose other clients can write it too, is the pixels' memory
 * alone: no word of the ring lies in it. */
static void test_attach_lends_the_memory_of_pixels_only(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "desk", 1);
	char link[64], target[128] = "";
	struct zoe_slot *slot;
	uint64_t offset;

	assert_int_equal(zoe_producer_acquire(p, NULL, &slot, DEADLINE_MS), 0);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", zoe_slot_get_memfd(slot, &offset));
	assert_true(readlink(link, target, sizeof(target) - 1) > 0);
	assert_string_equal(target, "/memfd:desk#1.frames (deleted)");
	assert_int_equal(offset % 4096, 0);
	zoe_client_destroy(c);
}

static void test_attach_gives_a_late_joiner_the_newest(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer *p = produce(c, "desk", 1);
	struct zoe_consumer *s;
	const struct zoe_frame *frame;

	for (uint64_t i = 1; i <= 5; i++) {
		assert_int_equal(publish(p, i), 0);
	}
	s = consume(c, "desk", ZOE_EVERY, 1);
	frame = take(s);
	assert_int_equal(frame->user[0], 5);
	zoe_frame_release(frame);
	assert_int_equal(zoe_consumer_next(s, &frame, 0), -EAGAIN);
	zoe_client_destroy(c);
}

static void test_attach_hands_out_a_free_name(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer_options options = {.struct_size = sizeof(options),
		.flags = ZOE_UNIQUE_NAME,
		.timeout_ms = DEADLINE_MS};
	struct zoe_producer *first = NULL, *second = NULL, *third = NULL;

	assert_int_equal(zoe_producer_open(c, "game/doom", &options, &first), 0);
	assert_int_equal(zoe_producer_open(c, "game/doom", &options, &second), 0);
	assert_string_equal(zoe_producer_get_name(first), "game/doom");
	assert_string_equal(zoe_producer_get_name(second), "game/doom-2");
	assert_int_equal(zoe_producer_open(c, "game/doom", &options, &third), -EBUSY);
	assert_non_null(strstr(zoe_client_get_error(c), "max_streams"));
	zoe_client_destroy(c);
}

static void test_attach_says_that_producer_seats_are_taken(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .timeout_ms = DEADLINE_MS};
	struct zoe_producer *second = NULL;

	assert_non_null(produce(c, "desk", 1));
	assert_int_equal(zoe_producer_open(c, "desk", &options, &second), -EBUSY);
	assert_non_null(strstr(zoe_client_get_error(c), "'desk': all 1 producer seats taken"));
	zoe_client_destroy(c);
}

static void test_attach_finds_the_seat_free_after_a_close(void **state) {
	struct zoe_client *c = broker_connect(*state);

	for (unsigned i = 0; i < 200; i++) {
		struct zoe_producer *p = produce(c, "desk", 1);

		assert_non_null(p);
		zoe_producer_close(p);
	}
	zoe_client_destroy(c);
}

static void test_attach_says_that_consumer_seats_are_taken(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer_options options = {
		.struct_size = sizeof(options), .timeout_ms = DEADLINE_MS};
	struct zoe_consumer *first = consume(c, "desk", ZOE_LATEST, 1), *third = NULL;

	assert_non_null(consume(c, "desk", ZOE_LATEST, 1));
	assert_int_equal(zoe_consumer_open(c, "desk", &options, &third), -EBUSY);
	assert_non_null(strstr(zoe_client_get_error(c), "'desk': all 2 consumer seats taken"));
	zoe_consumer_close(first);
	stream_wait(*state, "desk", &(struct stream_state){.n_consumers = 1});
	assert_int_equal(zoe_consumer_open(c, "desk", &options, &third), 0);
	zoe_client_destroy(c);
}

static void test_attach_refuses_to_hold_too_much(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer_options options = {
		.struct_size = sizeof(options), .hold = 3, .timeout_ms = DEADLINE_MS};
	struct zoe_consumer *s = NULL;

	assert_int_equal(zoe_consumer_open(c, "desk", &options, &s), -EINVAL);
	assert_non_null(strstr(zoe_client_get_error(c), "3 frames wanted at once, hold: allows 2"));
	options.hold = 9;
	assert_int_equal(zoe_consumer_open(c, "desk", &options, &s), -EINVAL);
	zoe_client_destroy(c);
}

static void test_attach_suggests_a_name(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .timeout_ms = DEADLINE_MS};
	struct zoe_consumer_options looks = {
		.struct_size = sizeof(looks), .timeout_ms = DEADLINE_MS};
	struct zoe_producer *p = NULL;
	struct zoe_consumer *s = NULL;

	assert_int_equal(zoe_producer_open(c, "dekt", &options, &p), -ENOENT);
	assert_non_null(strstr(zoe_client_get_error(c), "'dekt'"));
	assert_non_null(strstr(zoe_client_get_error(c), "did you mean 'desk'?"));
	assert_int_equal(zoe_consumer_open(c, "dekt", &looks, &s), -ENOENT);
	assert_non_null(strstr(zoe_client_get_error(c), "did you mean 'desk'?"));
	zoe_client_destroy(c);
}

static void test_attach_never_waits_with_timeout_0(void **state) {
	struct broker *broker = *state;
	struct zoe_client *c = broker_connect(broker);
	struct zoe_producer_options produces = {.struct_size = sizeof(produces)};
	struct zoe_consumer_options looks = {.struct_size = sizeof(looks)};
	struct zoe_producer *p = NULL;
	struct zoe_consumer *s = NULL;
	const struct zoe_frame *frame;
	struct zoe_slot *slot;
	uint64_t begin;

	zoe_format_init(&produces.format, ZOE_FORMAT_XR24, 16, 16);
	kill(broker->pid, SIGSTOP);
	begin = now_ms();
	assert_int_equal(zoe_producer_open(c, "desk", &produces, &p), 0);
	assert_int_equal(zoe_consumer_open(c, "desk", &looks, &s), 0);
	assert_int_equal(zoe_producer_is_wanted(p), 0);
	assert_int_equal(zoe_producer_acquire(p, NULL, &slot, 0), -EAGAIN);
	assert_int_equal(zoe_consumer_next(s, &frame, 0), -EAGAIN);
	assert_in_range(now_ms() - begin, 0, 49);
	assert_string_equal(zoe_producer_get_name(p), "");
	kill(broker->pid, SIGCONT);
	assert_int_equal(publish(p, 7), 0);
	frame = take(s);
	assert_int_equal(frame->user[0], 7);
	zoe_frame_release(frame);
	zoe_client_destroy(c);
}

/* The broker's greeting may come between any two looks at the socket. */
static void test_attach_is_quick_for_who_asks_all_the_time(void **state) {
	struct zoe_client *c = broker_connect(*state);
	struct zoe_consumer_options looks = {.struct_size = sizeof(looks)};
	struct zoe_producer *p = produce(c, "desk", 1);
	const struct zoe_frame *frame;

	assert_int_equal(publish(p, 1), 0);
	for (int i = 0; i < 100; i++) {
		uint64_t begin = now_ms();
		struct zoe_consumer *s = NULL;

		assert_int_equal(zoe_consumer_open(c, "desk", &looks, &s), 0);
		while (zoe_consumer_next(s, &frame, 0) == -EAGAIN) {
			assert_true(now_ms() - begin < 3000);
		}
		zoe_frame_release(frame);
		zoe_consumer_close(s);
		stream_wait(*state, "desk", &(struct stream_state){.n_producers = 1});
	}
	zoe_client_destroy(c);
}

static void test_attach_says_which_sockets_were_tried(void **state) {
	struct broker *broker = *state;
	struct zoe_client *c = NULL;
	char path[128];

	setenv("ZOETROPE_SOCKET", "/nonexistent/first", 1);
	setenv("XDG_RUNTIME_DIR", broker->dir, 1);
	assert_int_equal(zoe_client_create(&c, NULL), 0);
	if (zoe_client_connect(c, 1000) == 0) {
		zoe_client_destroy(c);
		skip(); /* the machine has a broker of its own */
	}
	snprintf(path, sizeof(path), "%s/zoetrope/socket", broker->dir);
	assert_non_null(strstr(zoe_client_get_error(c), "/nonexistent/first"));
	assert_non_null(strstr(zoe_client_get_error(c), path));
	assert_non_null(strstr(zoe_client_get_error(c), "/run/zoetrope/socket"));
	unsetenv("ZOETROPE_SOCKET");
	unsetenv("XDG_RUNTIME_DIR");
	zoe_client_destroy(c);
}

static void test_attach_keeps_a_second_broker_away(void **state) {
	struct broker *broker = *state;
	char text[1024], want[64];

	snprintf(want, sizeof(want), "a broker runs already, pid %d", (int)broker->pid);
	assert_int_equal(broker_run_second(broker, text, sizeof(text)), 1);
	assert_non_null(strstr(text, want));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		BROKER_TEST(test_attach_lists_streams_by_name, config),
		BROKER_TEST(test_attach_shows_who_is_there_in_status, config),
		BROKER_TEST(test_attach_maps_memory_named_as_the_region, config),
		BROKER_TEST(test_attach_lends_the_memory_of_pixels_only, config),
		BROKER_TEST(test_attach_gives_a_late_joiner_the_newest, config),
		BROKER_TEST(test_attach_hands_out_a_free_name, config),
		BROKER_TEST(test_attach_says_that_producer_seats_are_taken, config),
		BROKER_TEST(test_attach_finds_the_seat_free_after_a_close, config),
		BROKER_TEST(test_attach_says_that_consumer_seats_are_taken, config),
		BROKER_TEST(test_attach_refuses_to_hold_too_much, config),
		BROKER_TEST(test_attach_suggests_a_name, config),
		BROKER_TEST(test_attach_never_waits_with_timeout_0, config),
		BROKER_TEST(test_attach_is_quick_for_who_asks_all_the_time, config),
		BROKER_TEST(test_attach_says_which_sockets_were_tried, config),
		BROKER_TEST(test_attach_keeps_a_second_broker_away, config),
	};

	return cmocka_run_group_tests_name("attach", tests, NULL, NULL);
}
