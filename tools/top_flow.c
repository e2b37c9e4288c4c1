/* SPDX-License-Identifier: MIT */
#include "top_flow.h"

#include <errno.h>
#include <string.h>

static double get_rate(uint64_t before, uint64_t after, double seconds) {
	return after >= before && seconds > 0 ? (double)(after - before) / seconds : -1;
}

double flow_get_seconds(const struct flow *f) {
	return f->before->time_ns != 0 && f->after->time_ns > f->before->time_ns
		       ? (double)(f->after->time_ns - f->before->time_ns) / 1e9
		       : 0;
}

static uint64_t get_slowest_read(const struct sample *s, const char *stream) {
	uint64_t slowest = SAMPLE_NOT_KNOWN;

	for (size_t i = 0; i < s->n_consumers; i++) {
		const struct consumer_sample *c = &s->consumers[i];

		if (strcmp(c->stream, stream) == 0 && c->read_ns != SAMPLE_NOT_KNOWN &&
			(slowest == SAMPLE_NOT_KNOWN || c->read_ns > slowest)) {
			slowest = c->read_ns;
		}
	}
	return slowest;
}

static struct stream_flow get_stream_flow(const struct flow *f, const struct stream_sample *now) {
	const struct stream_sample *then = sample_find_stream(f->before, now->name);
	struct stream_flow flow = {
		.now = now, .fps = -1, .read_ns = get_slowest_read(f->after, now->name)};

	if (then != NULL) {
		flow.fps = get_rate(then->head_seq, now->head_seq, flow_get_seconds(f));
		flow.is_dropping = now->dropped > then->dropped;
	}
	return flow;
}

static struct reader_flow get_reader_flow(const struct flow *f, const struct consumer_sample *now) {
	const struct consumer_sample *then = sample_find_consumer(f->before, now);
	struct reader_flow flow = {.now = now, .fps = -1, .lost = -1};

	if (then != NULL) {
		flow.fps = get_rate(then->taken, now->taken, flow_get_seconds(f));
		flow.lost = get_rate(then->lost, now->lost, flow_get_seconds(f));
	}
	return flow;
}

static double get_weight(const struct stream_flow *s, enum flow_order order) {
	switch (order) {
	case FLOW_BY_FPS:
		return s->fps;
	case FLOW_BY_READ:
		return s->read_ns == SAMPLE_NOT_KNOWN ? -1 : (double)s->read_ns;
	case FLOW_BY_DROPS:
		return (double)s->now->dropped;
	case FLOW_BY_READERS:
		return s->now->n_consumers;
	case FLOW_BY_MEMORY:
		return (double)s->now->memory_bytes;
	case FLOW_AS_TOLD:
	case FLOW_BY_NAME:
	case FLOW_N_ORDERS:
	default:
		return 0;
	}
}

static int compare_streams(const void *left, const void *right, void *user) {
	const struct stream_flow *a = left, *b = right;
	const enum flow_order *order = user;
	double a_weight = get_weight(a, *order), b_weight = get_weight(b, *order);

	if (a_weight != b_weight) {
		return a_weight > b_weight ? -1 : 1;
	}
	return strverscmp(a->now->name, b->now->name); /* cam/2 before cam/10 */
}

int flow_list_streams(
	const struct flow *f, enum flow_order order, struct stream_flow **out, size_t *n_out) {
	struct stream_flow *list = calloc(f->after->n_streams + 1, sizeof(*list));

	if (list == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < f->after->n_streams; i++) {
		list[i] = get_stream_flow(f, &f->after->streams[i]);
	}
	if (order != FLOW_AS_TOLD) {
		qsort_r(list, f->after->n_streams, sizeof(*list), compare_streams, &order);
	}
	*out = list;
	*n_out = f->after->n_streams;
	return 0;
}

int flow_list_readers(
	const struct flow *f, const char *stream, struct reader_flow **out, size_t *n_out) {
	struct reader_flow *list = calloc(f->after->n_consumers + 1, sizeof(*list));
	size_t n = 0;

	if (list == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < f->after->n_consumers; i++) {
		const struct consumer_sample *c = &f->after->consumers[i];

		if (stream == NULL || strcmp(c->stream, stream) == 0) {
			list[n++] = get_reader_flow(f, c);
		}
	}
	*out = list;
	*n_out = n;
	return 0;
}
