/* SPDX-License-Identifier: MIT */
/* Creating, opening and waiting fail with errors that can be told apart, each with a sentence. */
#include "scenario.h"

static void check_sentence(const struct zoe_client *client, const char *part) {
	const char *sentence = zoe_client_get_error(client);

	if (strstr(sentence, part) == NULL) {
		fprintf(stderr, "'%s' lacks '%s'\n", sentence, part);
		exit(1);
	}
}

static int open_producer(struct zoe_client *client, const char *stream, const char *format) {
	struct zoe_producer_options options = {
		.struct_size = sizeof(options), .timeout_ms = SCENARIO_TIMEOUT_MS};
	struct zoe_producer *producer = NULL;

	expect(zoe_format_parse(&options.format, format) == 0);
	return zoe_producer_open(client, stream, &options, &producer);
}

static int open_consumer(struct zoe_client *client, const char *stream, int timeout_ms) {
	const struct zoe_consumer_options options = {
		.struct_size = sizeof(options), .timeout_ms = timeout_ms};
	struct zoe_consumer *consumer = NULL;

	return zoe_consumer_open(client, stream, &options, &consumer);
}

int main(void) {
	const struct zoe_client_options nowhere = {
		.struct_size = sizeof(nowhere), .socket = "/nonexistent/zoetrope/socket"};
	struct zoe_client *client = make_client(), *lost = NULL;
	struct zoe_producer *producer = NULL;
	struct zoe_consumer *consumer = NULL;
	const struct zoe_frame *frame = NULL;

	expect_rc(client, open_producer(client, "dekt", "64x64 XR24"), -ENOENT);
	check_sentence(client, "did you mean 'desk'?");
	expect_rc(client, open_producer(client, "desk", "65x64 XR24"), -EMSGSIZE);
	check_sentence(client, "max_frame");
	producer = produce(client, "desk", "64x64 XR24", 1);
	expect_rc(client, open_producer(client, "desk", "64x64 XR24"), -EBUSY);
	check_sentence(client, "'desk'");
	expect_rc(client, open_producer(client, "no such/", "64x64 XR24"), -EINVAL);

	consumer = consume(client, "desk", ZOE_EVERY, 1);
	expect_rc(client, open_consumer(client, "desk", SCENARIO_TIMEOUT_MS), -EBUSY);
	check_sentence(client, "all 1 consumer");
	expect_rc(client, zoe_consumer_next(consumer, &frame, 0), -EAGAIN);
	expect_rc(client, zoe_consumer_next(consumer, &frame, 50), -ETIMEDOUT);
	for (int i = 0; i < 9; i++) {
		expect_rc(client, zoe_producer_publish(producer, take_slot(client, producer)), 0);
	}
	expect_rc(client, zoe_consumer_at(consumer, 0, &frame), -ESTALE);
	expect_rc(client, zoe_consumer_at(consumer, 1000000, &frame), -EAGAIN);
	expect_rc(client, zoe_consumer_next(consumer, &frame, SCENARIO_TIMEOUT_MS), 0);
	expect(frame->lost > 0);
	expect_rc(client, zoe_consumer_next(consumer, &frame, 0), -ENOBUFS);
	zoe_frame_release(frame);

	expect(zoe_client_create(&lost, &nowhere) == 0);
	expect_rc(lost, zoe_client_connect(lost, 100), -ENOENT);
	check_sentence(lost, "/nonexistent/zoetrope/socket");
	zoe_client_destroy(lost);
	zoe_client_destroy(client);
	return 0;
}
