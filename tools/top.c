/* SPDX-License-Identifier: MIT */
/*
 * zoe top: what flows, a second, from two samples of the broker's counts.
 */
#include <inttypes.h>

#include "sample.h"
#include "stream_text.h"
#include "table.h"
#include "tool.h"

#define SECOND_NS UINT64_C(1000000000)

/* Counts start anew with a new consumer or region: then nothing can be said of this second. */
static double get_rate(uint64_t before, uint64_t after, double seconds) {
	return after >= before && seconds > 0 ? (double)(after - before) / seconds : 0;
}

struct flow {
	const struct sample *before, *after;
	double seconds;
};

static double get_stream_fps(const struct flow *f, const struct stream_sample *now) {
	const struct stream_sample *then = sample_find_stream(f->before, now->name);

	return then == NULL ? 0 : get_rate(then->head_seq, now->head_seq, f->seconds);
}

struct consumer_flow {
	double fps, lost;
};

static struct consumer_flow get_consumer_flow(
	const struct flow *f, const struct consumer_sample *now) {
	const struct consumer_sample *then = sample_find_consumer(f->before, now);

	if (then == NULL) {
		return (struct consumer_flow){0, 0};
	}
	return (struct consumer_flow){get_rate(then->taken, now->taken, f->seconds),
		get_rate(then->lost, now->lost, f->seconds)};
}

static void add_titles(struct table *t, const char *const *titles, size_t n) {
	t->n_columns = n;
	for (size_t i = 0; i < n; i++) {
		table_add(t, "%s", titles[i]);
	}
}

static void print_streams(const struct flow *f) {
	static const char *const titles[] = {"STREAM", "FORMAT", "FPS", "MB/S", "READERS"};
	struct table t = {.n_columns = 0};
	char word[WORD_SIZE];

	add_titles(&t, titles, n_elements(titles));
	for (size_t i = 0; i < f->after->n_streams; i++) {
		const struct stream_sample *s = &f->after->streams[i];
		double fps = get_stream_fps(f, s);

		table_add(&t, "%s", s->name);
		table_add(&t, "%s", word_format(word, &s->format));
		table_add(&t, "%.1f", fps);
		table_add(&t, "%.1f", fps * (double)s->format.size_bytes / 1e6);
		table_add(&t, "%u/%u", s->n_consumers, s->max_consumers);
	}
	table_print(&t, stdout);
	table_finish(&t);
}

static void print_consumers(const struct flow *f) {
	static const char *const titles[] = {
		"READER", "PID", "STREAM", "FPS", "HELD", "LAG", "LOST/S"};
	struct table t = {.n_columns = 0};

	add_titles(&t, titles, n_elements(titles));
	for (size_t i = 0; i < f->after->n_consumers; i++) {
		const struct consumer_sample *c = &f->after->consumers[i];
		struct consumer_flow flow = get_consumer_flow(f, c);

		table_add(&t, "%s", c->app);
		table_add(&t, "%" PRId32, c->pid);
		table_add(&t, "%s", c->stream);
		table_add(&t, "%.1f", flow.fps);
		table_add(&t, "%u", c->held);
		table_add(&t, "%" PRIu64, c->lag);
		table_add(&t, "%.1f", flow.lost);
	}
	printf("\n");
	table_print(&t, stdout);
	table_finish(&t);
}

static void print_json(const struct flow *f) {
	char word[WORD_SIZE];

	printf("{\"seconds\": %.3f, \"streams\": [", f->seconds);
	for (size_t i = 0; i < f->after->n_streams; i++) {
		const struct stream_sample *s = &f->after->streams[i];
		double fps = get_stream_fps(f, s);

		printf("%s{\"name\": ", i == 0 ? "" : ", ");
		tool_print_json_string(stdout, s->name);
		printf(", \"format\": \"%s\", \"fps\": %.3f, \"bytes_per_second\": %.0f, "
		       "\"consumers\": %u, \"max_consumers\": %u}",
			word_format(word, &s->format), fps, fps * (double)s->format.size_bytes,
			s->n_consumers, s->max_consumers);
	}
	printf("], \"consumers\": [");
	for (size_t i = 0; i < f->after->n_consumers; i++) {
		const struct consumer_sample *c = &f->after->consumers[i];
		struct consumer_flow flow = get_consumer_flow(f, c);

		printf("%s{\"app\": ", i == 0 ? "" : ", ");
		tool_print_json_string(stdout, c->app);
		printf(", \"stream\": ");
		tool_print_json_string(stdout, c->stream);
		printf(", \"pid\": %" PRId32 ", \"fps\": %.3f, \"held\": %u, \"lag\": %" PRIu64
		       ", \"lost_per_second\": %.3f}",
			c->pid, flow.fps, c->held, c->lag, flow.lost);
	}
	printf("]}\n");
}

/* Prints what flowed since *before, which becomes the new sample.
 * Returns: 0; TOOL_FAILED; TOOL_STOPPED. */
static int measure(struct tool *tool, struct sample *before) {
	struct sample after;
	struct flow flow = {.before = before, .after = &after};
	int rc;

	if (tool_wait_until(-1, before->time_ns + SECOND_NS) < 0) {
		return TOOL_STOPPED;
	}
	rc = sample_take(tool, &after);
	if (rc != 0) {
		return rc;
	}
	flow.seconds = (double)(after.time_ns - before->time_ns) / 1e9;
	if (tool->is_json) {
		print_json(&flow);
	} else {
		print_streams(&flow);
		print_consumers(&flow);
	}
	sample_finish(before);
	*before = after;
	return tool_flush();
}

int top_run(struct tool *tool, int argc, char **argv) {
	const char *is_once = NULL;
	const struct tool_option options[] = {
		{"once", '1', false, &is_once}, {NULL, 0, false, NULL}};
	struct sample before;
	int n_args, rc;

	rc = tool_parse(tool, argc, argv, options, &n_args);
	if (rc >= 0) {
		return rc;
	}
	if (n_args != 0) {
		return tool_fail_usage(tool, "takes no argument, but got '%s'", argv[1]);
	}
	if (tool_connect(tool) != 0 || sample_take(tool, &before) != 0) {
		return TOOL_FAILED;
	}
	rc = measure(tool, &before);
	while (rc == 0 && is_once == NULL) {
		if (!tool->is_json) {
			printf("\n");
		}
		rc = measure(tool, &before);
	}
	sample_finish(&before);
	return rc;
}
