/* SPDX-License-Identifier: MIT */
/*
 * zoe top: what flows, a second, from two samples of the broker's counts; as a screen where there
 * is a terminal, else as tables or JSON, one after the other.
 */
#include <errno.h>
#include <inttypes.h>

#include "stream_text.h"
#include "top_flow.h"
#include "top_grid.h"
#include "top_screen.h"

#define SECOND_NS UINT64_C(1000000000)

/* Both lists of one interval. */
struct lists {
	struct stream_flow *streams;
	struct reader_flow *readers;
	size_t n_streams, n_readers;
};

static void lists_finish(struct lists *l) {
	free(l->streams);
	free(l->readers);
	*l = (struct lists){.n_streams = 0};
}

static int print_tables(const struct lists *l) {
	struct grid streams, readers;

	if (grid_init_streams(&streams, l->streams, l->n_streams) < 0) {
		return -ENOMEM;
	}
	if (grid_init_readers(&readers, l->readers, l->n_readers, true) < 0) {
		grid_finish(&streams);
		return -ENOMEM;
	}
	grid_print(&streams, stdout);
	printf("\n");
	grid_print(&readers, stdout);
	grid_finish(&readers);
	grid_finish(&streams);
	return 0;
}

static void json_rate(const char *key, double rate) {
	if (rate < 0) {
		printf("\"%s\": null, ", key);
	} else {
		printf("\"%s\": %.3f, ", key, rate);
	}
}

static void json_span(const char *key, uint64_t span_ns) {
	if (span_ns == SAMPLE_NOT_KNOWN) {
		printf("\"%s\": null, ", key);
	} else {
		printf("\"%s\": %" PRIu64 ", ", key, span_ns);
	}
}

static void json_stream_flow(const struct stream_flow *flow) {
	const struct stream_sample *s = flow->now;
	char word[WORD_SIZE];

	printf("{\"name\": ");
	tool_print_json_string(stdout, s->name);
	printf(", \"producer\": ");
	tool_print_json_string(stdout, s->producer);
	printf(", \"format\": \"%s\", ", word_format(word, &s->format));
	json_rate("fps", flow->fps);
	json_rate(
		"bytes_per_second", flow->fps < 0 ? -1 : flow->fps * (double)s->format.size_bytes);
	json_span("capture_ns", s->capture_ns);
	json_span("read_ns", flow->read_ns);
	printf("\"dropped\": %" PRIu64 ", \"memory_bytes\": %" PRIu64 ", \"consumers\": %u, "
	       "\"max_consumers\": %u}",
		s->dropped, s->memory_bytes, s->n_consumers, s->max_consumers);
}

static void json_reader_flow(const struct reader_flow *flow) {
	const struct consumer_sample *c = flow->now;

	printf("{\"app\": ");
	tool_print_json_string(stdout, c->app);
	printf(", \"stream\": ");
	tool_print_json_string(stdout, c->stream);
	printf(", \"group\": ");
	tool_print_json_string(stdout, c->group);
	printf(", \"pid\": %" PRId32 ", \"delivery\": \"%s\", \"state\": \"%s\", ", c->pid,
		word_delivery(c->delivery), word_peer_state(c->state));
	json_rate("fps", flow->fps);
	json_rate("lost_per_second", flow->lost);
	json_span("read_ns", c->read_ns);
	printf("\"held\": %u, \"lag\": %" PRIu64 ", \"taken\": %" PRIu64 ", \"lost\": %" PRIu64 "}",
		c->held, c->lag, c->taken, c->lost);
}

static void print_json(const struct lists *l, const struct flow *f) {
	printf("{\"seconds\": %.3f, \"broker\": {", flow_get_seconds(f));
	printf("\"pid\": %" PRId32 ", \"streams\": %u, \"clients\": %u, \"memory_bytes\": %" PRIu64
	       ", \"memory_limit_bytes\": %" PRIu64 "}, \"streams\": [",
		f->after->broker.pid, f->after->broker.n_streams, f->after->broker.n_clients,
		f->after->broker.memory_bytes, f->after->broker.memory_limit_bytes);
	for (size_t i = 0; i < l->n_streams; i++) {
		fputs(i == 0 ? "" : ", ", stdout);
		json_stream_flow(&l->streams[i]);
	}
	fputs("], \"consumers\": [", stdout);
	for (size_t i = 0; i < l->n_readers; i++) {
		fputs(i == 0 ? "" : ", ", stdout);
		json_reader_flow(&l->readers[i]);
	}
	fputs("]}\n", stdout);
}

/* Returns: 0; TOOL_FAILED with its sentence. */
static int print_flow(const struct tool *tool, const struct flow *f) {
	struct lists l = {.n_streams = 0};
	int rc = flow_list_streams(f, FLOW_AS_TOLD, &l.streams, &l.n_streams);

	if (rc == 0) {
		rc = flow_list_readers(f, NULL, &l.readers, &l.n_readers);
	}
	if (rc == 0 && tool->is_json) {
		print_json(&l, f);
	} else if (rc == 0) {
		rc = print_tables(&l);
	}
	lists_finish(&l);
	return rc < 0 ? tool_fail("out of memory") : tool_flush();
}

/* Prints what flowed since *before, which becomes the new sample.
 * Returns: 0; TOOL_FAILED; TOOL_STOPPED. */
static int measure(struct tool *tool, struct sample *before) {
	struct sample after;
	int rc;

	if (tool_wait_until(-1, before->time_ns + SECOND_NS) < 0) {
		return TOOL_STOPPED;
	}
	rc = sample_take(tool, &after);
	if (rc != 0) {
		return rc;
	}
	rc = print_flow(tool, &(struct flow){.before = before, .after = &after});
	sample_finish(before);
	*before = after;
	return rc;
}

static int print_for_ever(struct tool *tool, struct sample *before, bool is_once) {
	int rc = measure(tool, before);

	while (rc == 0 && !is_once) {
		if (!tool->is_json) {
			printf("\n");
		}
		rc = measure(tool, before);
	}
	return rc;
}

static bool is_screen_wanted(const struct tool *tool, bool is_once) {
	return !is_once && !tool->is_json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

int top_run(struct tool *tool, int argc, char **argv) {
	const char *is_once = NULL;
	const struct tool_option options[] = {
		{"once", '1', false, &is_once}, {NULL, 0, false, NULL}};
	struct sample first;
	int n_args, rc;

	rc = tool_parse(tool, argc, argv, options, &n_args);
	if (rc >= 0) {
		return rc;
	}
	if (n_args != 0) {
		return tool_fail_usage(tool, "takes no argument, but got '%s'", argv[1]);
	}
	if (tool_connect(tool) != 0 || sample_take(tool, &first) != 0) {
		return TOOL_FAILED;
	}
	rc = is_screen_wanted(tool, is_once != NULL) ? top_screen_run(tool, &first) : -ENOTTY;
	if (rc < 0) {
		rc = print_for_ever(tool, &first, is_once != NULL);
	}
	sample_finish(&first);
	return rc;
}
