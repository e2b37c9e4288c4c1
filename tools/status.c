/* SPDX-License-Identifier: MIT */
/*
 * zoe status: the broker, its streams, and the programs attached to them.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "stream_text.h"
#include "table.h"
#include "tool.h"

enum { ANSWER_MS = 5000, N_COLUMNS = 13 };
static_assert((int)N_COLUMNS <= (int)TABLE_MAX_COLUMNS, "a row of the table");
#define SECOND_NS UINT64_C(1000000000)

/* An answer while it comes in, line by line. */
struct answer {
	FILE *to;
	struct table peers; // of the stream printed last
	unsigned n_streams, n_peers;
};

static void print_broker(FILE *to, const struct zoe_broker_info *b) {
	char lent[WORD_SIZE], limit[WORD_SIZE], age[WORD_SIZE], failed[WORD_SIZE], safe[3][256];

	fprintf(to, "broker      zoetroped %s, pid %" PRId32 ", up %s\n",
		tool_printable(b->version, safe[0], sizeof(safe[0])), b->pid,
		word_age(age, b->start_ns));
	fprintf(to, "socket      %s\nconfig      %s, read %s ago\n",
		tool_printable(b->socket, safe[1], sizeof(safe[1])),
		tool_printable(b->config, safe[2], sizeof(safe[2])), word_age(age, b->load_ns));
	if (b->failure_ns != 0) {
		fprintf(to, "            a reload failed %s ago and changed nothing: zoe check\n",
			word_age(failed, b->failure_ns));
	}
	fprintf(to, "memory      %s of %s lent, protection: %s\n",
		word_bytes(lent, b->memory_bytes), word_bytes(limit, b->memory_limit_bytes),
		tool_printable(b->protection, safe[0], sizeof(safe[0])));
	fprintf(to, "serving     %u streams, %u clients\n", b->n_streams, b->n_clients);
}

/* How it treats those who are slow. */
static void print_rules(FILE *to, const struct zoe_stream_info *s) {
	fprintf(to, "  rules     open %u, hold %u, when_full %s, patience %u ms", s->open, s->hold,
		s->state & ZOE_STREAM_BLOCKS ? "block" : "drop", s->patience_ms);
	if (s->max_fps != 0) {
		fprintf(to, ", max_fps %u", s->max_fps);
	}
	fputc('\n', to);
	if (s->state & ZOE_STREAM_RETURNING) {
		fputs("  state     its programs are coming back from the broker before\n", to);
	}
	if (s->state & ZOE_STREAM_MOVING) {
		fputs("  state     moving: waits for a consumer that does not read\n", to);
	}
}

static void print_stream(FILE *to, const struct zoe_stream_info *s) {
	char word[WORD_SIZE], fps[WORD_SIZE], age[WORD_SIZE], safe[3][256];

	fprintf(to, "\n%s%s%s\n", tool_printable(s->name, safe[0], sizeof(safe[0])),
		s->description[0] ? ": " : "",
		tool_printable(s->description, safe[1], sizeof(safe[1])));
	fprintf(to, "  frames    %s, %s fps, newest %s old, next has number %" PRIu64 "\n",
		word_format(word, &s->format), word_fps(fps, s), word_age(age, s->last_publish_ns),
		s->head_seq);
	fprintf(to, "  producer  %s, capture to publish %s, %" PRIu64 " dropped\n",
		word_producer(word, s), word_span(fps, s->capture_ns), s->dropped);
	if (s->generation != 0) {
		fprintf(to,
			"  region    %s, generation %u: %u slots, the newest %u stay readable\n",
			tool_printable(s->region, safe[2], sizeof(safe[2])), s->generation,
			s->n_slots, s->depth);
	}
	fprintf(to, "  memory    %s", word_bytes(word, s->memory_bytes));
	fprintf(to, ", up to %s a frame\n", word_bytes(word, s->max_frame_bytes));
	fprintf(to, "  seats     %u of %u producers, %u of %u consumers\n", s->n_producers,
		s->max_producers, s->n_consumers, s->max_consumers);
	print_rules(to, s);
}

static void add_titles(struct table *t) {
	static const char *const titles[N_COLUMNS] = {"  ROLE", "PID", "UID", "GEN", "HELD", "LAG",
		"TAKEN", "LOST", "LAST", "READ", "DELIVERY", "STATE", "APP"};

	t->n_columns = N_COLUMNS;
	for (size_t i = 0; i < n_elements(titles); i++) {
		table_add(t, "%s", titles[i]);
	}
}

static void add_peer(struct table *t, const struct zoe_peer_info *p) {
	bool is_consumer = p->role == ZOE_ROLE_CONSUMER;
	char age[WORD_SIZE];

	if (t->n_cells == 0) {
		add_titles(t);
	}
	table_add(t, "  %s", is_consumer ? "consumer" : "producer");
	table_add(t, "%" PRId32, p->pid);
	table_add(t, "%u", p->uid);
	table_add(t, "%u", p->generation);
	table_add(t, "%u", p->held);
	if (is_consumer) {
		table_add(t, "%" PRIu64, p->lag);
		table_add(t, "%" PRIu64, p->taken);
		table_add(t, "%" PRIu64, p->lost);
		table_add(t, "%s", word_age(age, p->last_ns));
		table_add(t, "%s", word_span(age, p->read_ns));
		table_add(
			t, "%s%s%s", word_delivery(p->delivery), p->group[0] ? " " : "", p->group);
	} else {
		for (int i = 0; i < 6; i++) {
			table_add(t, "-");
		}
	}
	table_add(t, "%s", word_peer_state(p->state));
	table_add(t, "%s", p->app);
}

static void flush_peers(struct answer *a) {
	if (a->peers.n_cells > 0) {
		table_print(&a->peers, a->to);
	}
	table_finish(&a->peers);
}

static int tell_text(void *user, const struct zoe_status *status) {
	struct answer *a = user;

	if (status->broker != NULL) {
		print_broker(a->to, status->broker);
	} else if (status->stream != NULL) {
		flush_peers(a);
		print_stream(a->to, status->stream);
	} else if (status->peer != NULL) {
		add_peer(&a->peers, status->peer);
	}
	return 0;
}

static int tell_json(void *user, const struct zoe_status *status) {
	struct answer *a = user;

	if (status->broker != NULL) {
		fputs("\"broker\": {", a->to);
		json_broker(a->to, status->broker);
		fputs("}, \"streams\": [", a->to);
	} else if (status->stream != NULL) {
		fputs(a->n_streams++ == 0 ? "{" : "]}, {", a->to);
		json_stream(a->to, status->stream);
		fputs(", \"peers\": [", a->to);
		a->n_peers = 0;
	} else if (status->peer != NULL && a->n_streams > 0) {
		fputs(a->n_peers++ == 0 ? "{" : ", {", a->to);
		json_peer(a->to, status->peer);
		fputs("}", a->to);
	}
	return 0;
}

static int ask(struct tool *tool, const char *stream, struct answer *a) {
	int answer_ms = tool->timeout_ms < 0 ? ANSWER_MS : tool->timeout_ms;
	int rc;

	if (tool->is_json) {
		fputs("{", a->to);
	}
	rc = zoe_client_status(
		tool->client, stream, tool->is_json ? tell_json : tell_text, a, answer_ms);
	if (rc < 0) {
		return tool_fail_client(tool);
	}
	if (tool->is_json) {
		fputs(a->n_streams == 0 ? "]}\n" : "]}]}\n", a->to);
	} else {
		flush_peers(a);
	}
	return 0;
}

/* Prints the whole answer, or none of it. */
static int print_once(struct tool *tool, const char *stream, const char *before) {
	struct answer answer = {.n_streams = 0};
	cleanup_free char *text = NULL;
	size_t size = 0;
	int rc;

	answer.to = open_memstream(&text, &size);
	if (answer.to == NULL) {
		return tool_fail("status: %s", strerror(errno));
	}
	rc = ask(tool, stream, &answer);
	table_finish(&answer.peers);
	if (fclose(answer.to) != 0 && rc == 0) {
		rc = tool_fail("status: %s", strerror(errno));
	}
	if (rc != 0) {
		return rc;
	}
	fputs(before, stdout);
	fwrite(text, 1, size, stdout);
	return tool_flush();
}

static int watch(struct tool *tool, const char *stream) {
	const char *before = isatty(STDOUT_FILENO) && !tool->is_json ? "\033[H\033[J" : "";
	uint64_t next = tool_get_now_ns();
	int rc;

	do {
		rc = print_once(tool, stream, before);
		if (rc != 0) {
			return rc;
		}
		if (before[0] == '\0' && !tool->is_json) {
			before = "\n";
		}
		next += SECOND_NS;
	} while (tool_wait_until(-1, next) == 0);
	return TOOL_DONE;
}

int status_run(struct tool *tool, int argc, char **argv) {
	const char *is_watching = NULL;
	const struct tool_option options[] = {
		{"watch", 'w', false, &is_watching}, {NULL, 0, false, NULL}};
	const char *stream;
	int n_args, rc;

	rc = tool_parse(tool, argc, argv, options, &n_args);
	if (rc >= 0) {
		return rc;
	}
	if (n_args > 1) {
		return tool_fail_usage(tool, "takes one STREAM, but got '%s' too", argv[2]);
	}
	stream = n_args == 1 ? argv[1] : NULL;
	if (tool_connect(tool) != 0) {
		return TOOL_FAILED;
	}
	return is_watching != NULL ? watch(tool, stream) : print_once(tool, stream, "");
}
