/* SPDX-License-Identifier: MIT */
#include "stream_text.h"

#include <inttypes.h>
#include <zoe/consumer.h>

enum { STALE_MS = 2000 };

static uint64_t get_age_ms(uint64_t then_ns) {
	uint64_t now = tool_get_now_ns();

	return now > then_ns ? (now - then_ns) / 1000000 : 0;
}

static bool has_rate(const struct zoe_stream_info *info) {
	return info->rate_mhz != 0 && info->last_publish_ns != 0 && info->n_producers != 0 &&
	       get_age_ms(info->last_publish_ns) < STALE_MS;
}

const char *word_format(char *buf, const struct zoe_format *f) {
	const char *name = zoe_format_get_name(f->fourcc);

	if (f->fourcc == 0) {
		snprintf(buf, WORD_SIZE, "-");
	} else if (f->fourcc == ZOE_FORMAT_BLOB) {
		snprintf(buf, WORD_SIZE, "BLOB %u", f->width);
	} else {
		snprintf(buf, WORD_SIZE, "%ux%u %s", f->width, f->height, name ? name : "?");
	}
	return buf;
}

const char *word_fps(char *buf, const struct zoe_stream_info *info) {
	if (has_rate(info)) {
		snprintf(buf, WORD_SIZE, "%.1f", info->rate_mhz / 1000.0);
	} else {
		snprintf(buf, WORD_SIZE, "-");
	}
	return buf;
}

const char *word_age(char *buf, uint64_t then_ns) {
	uint64_t ms = get_age_ms(then_ns);

	if (then_ns == 0) {
		snprintf(buf, WORD_SIZE, "-");
	} else if (ms < 1000) {
		snprintf(buf, WORD_SIZE, "%" PRIu64 "ms", ms);
	} else if (ms < 60000) {
		snprintf(buf, WORD_SIZE, "%.1fs", (double)ms / 1000);
	} else if (ms < 3600000) {
		snprintf(buf, WORD_SIZE, "%" PRIu64 "min", ms / 60000);
	} else if (ms < 48 * 3600000) {
		snprintf(buf, WORD_SIZE, "%" PRIu64 "h", ms / 3600000);
	} else {
		snprintf(buf, WORD_SIZE, "%" PRIu64 "d", ms / 86400000);
	}
	return buf;
}

const char *word_delivery(uint32_t delivery) {
	static const char *const words[] = {[ZOE_LATEST] = "latest",
		[ZOE_EVERY] = "every",
		[ZOE_RELIABLE] = "reliable",
		[ZOE_QUEUE] = "queue",
		[ZOE_QUEUE_RELIABLE] = "queue-reliable"};

	return delivery < n_elements(words) ? words[delivery] : "?";
}

const char *word_peer_state(uint32_t state) {
	static const char *const words[] = {[ZOE_PEER_RUNNING] = "running",
		[ZOE_PEER_PARKED] = "parked",
		[ZOE_PEER_DEMOTED] = "demoted"};

	return state < n_elements(words) ? words[state] : "?";
}

const char *word_span(char *buf, uint64_t span_ns) {
	uint64_t us = span_ns / 1000;

	if (span_ns == UINT64_MAX) {
		snprintf(buf, WORD_SIZE, "-");
	} else if (us < 1000) {
		snprintf(buf, WORD_SIZE, "%" PRIu64 "us", us);
	} else if (us < 10000) {
		snprintf(buf, WORD_SIZE, "%.1fms", (double)us / 1e3);
	} else if (us < 1000000) {
		snprintf(buf, WORD_SIZE, "%" PRIu64 "ms", us / 1000);
	} else if (us < 100000000) {
		snprintf(buf, WORD_SIZE, "%.1fs", (double)us / 1e6);
	} else {
		snprintf(buf, WORD_SIZE, "%" PRIu64 "s", us / 1000000);
	}
	return buf;
}

const char *word_bytes(char *buf, uint64_t n_bytes) {
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double value = (double)n_bytes / 1024;
	size_t unit = 0;

	if (n_bytes < 1024) {
		snprintf(buf, WORD_SIZE, "%" PRIu64 "B", n_bytes);
		return buf;
	}
	for (; value >= 1024 && unit + 1 < n_elements(units); unit++) {
		value /= 1024;
	}
	snprintf(buf, WORD_SIZE, "%.1f%s", value, units[unit]);
	return buf;
}

const char *word_producer(char *buf, const struct zoe_stream_info *info) {
	if (info->n_producers > 1) {
		snprintf(buf, WORD_SIZE, "%s and %u more", info->producer, info->n_producers - 1);
	} else if (info->n_producers == 1 || info->last_publish_ns == 0) {
		snprintf(buf, WORD_SIZE, "%s", info->producer[0] ? info->producer : "-");
	} else {
		snprintf(buf, WORD_SIZE, "- (producer gone)");
	}
	return buf;
}

static void json_word(FILE *to, const char *key, const char *value) {
	fprintf(to, "\"%s\": ", key);
	tool_print_json_string(to, value);
	fputs(", ", to);
}

static void json_number(FILE *to, const char *key, uint64_t value) {
	fprintf(to, "\"%s\": %" PRIu64 ", ", key, value);
}

static void json_bool(FILE *to, const char *key, uint32_t is_true) {
	fprintf(to, "\"%s\": %s, ", key, is_true ? "true" : "false");
}

static void json_span(FILE *to, const char *key, uint64_t span_ns) {
	if (span_ns == UINT64_MAX) {
		fprintf(to, "\"%s\": null, ", key);
	} else {
		json_number(to, key, span_ns);
	}
}

/* Since then, or null = never; ends without a comma. */
static void json_age(FILE *to, uint64_t then_ns) {
	if (then_ns == 0) {
		fputs("\"age_ms\": null", to);
	} else {
		fprintf(to, "\"age_ms\": %" PRIu64, get_age_ms(then_ns));
	}
}

static void json_format(FILE *to, const struct zoe_format *f) {
	const char *name = zoe_format_get_name(f->fourcc);

	if (f->fourcc == 0) {
		fputs("\"format\": null, ", to);
		return;
	}
	fputs("\"format\": {", to);
	json_word(to, "name", name != NULL ? name : "?");
	json_number(to, "fourcc", f->fourcc);
	json_number(to, "width", f->width);
	json_number(to, "height", f->height);
	fprintf(to, "\"size_bytes\": %" PRIu64 "}, ", f->size_bytes);
}

static void json_may(FILE *to, uint32_t may) {
	static const struct {
		uint32_t bit;
		const char *name;
	} rights[] = {{ZOE_MAY_PRODUCE, "produce"}, {ZOE_MAY_CONSUME, "consume"},
		{ZOE_MAY_RELIABLE, "reliable"}, {ZOE_MAY_ADMIN, "admin"}};
	const char *comma = "";

	fputs("\"may\": [", to);
	for (size_t i = 0; i < n_elements(rights); i++) {
		if (may & rights[i].bit) {
			fprintf(to, "%s\"%s\"", comma, rights[i].name);
			comma = ", ";
		}
	}
	fputs("], ", to);
}

void json_stream(FILE *to, const struct zoe_stream_info *info) {
	json_word(to, "name", info->name);
	json_word(to, "region", info->region);
	json_word(to, "description", info->description);
	json_word(to, "producer", info->producer);
	json_format(to, &info->format);
	if (has_rate(info)) {
		fprintf(to, "\"fps\": %.3f, ", info->rate_mhz / 1000.0);
	} else {
		fputs("\"fps\": null, ", to);
	}
	json_number(to, "generation", info->generation);
	json_number(to, "producers", info->n_producers);
	json_number(to, "max_producers", info->max_producers);
	json_number(to, "consumers", info->n_consumers);
	json_number(to, "max_consumers", info->max_consumers);
	json_number(to, "slots", info->n_slots);
	json_number(to, "depth", info->depth);
	json_number(to, "head_seq", info->head_seq);
	json_number(to, "last_publish_ns", info->last_publish_ns);
	json_number(to, "max_frame_bytes", info->max_frame_bytes);
	json_number(to, "memory_bytes", info->memory_bytes);
	json_span(to, "capture_ns", info->capture_ns);
	json_number(to, "dropped", info->dropped);
	json_number(to, "open", info->open);
	json_number(to, "hold", info->hold);
	json_number(to, "max_fps", info->max_fps);
	json_number(to, "patience_ms", info->patience_ms);
	json_word(to, "when_full", info->state & ZOE_STREAM_BLOCKS ? "block" : "drop");
	json_bool(to, "live", info->state & ZOE_STREAM_LIVE);
	json_bool(to, "returning", info->state & ZOE_STREAM_RETURNING);
	json_bool(to, "moving", info->state & ZOE_STREAM_MOVING);
	json_may(to, info->may);
	json_age(to, info->last_publish_ns);
}

void json_peer(FILE *to, const struct zoe_peer_info *peer) {
	json_word(to, "role", peer->role == ZOE_ROLE_PRODUCER ? "producer" : "consumer");
	json_word(to, "state", word_peer_state(peer->state));
	json_word(to, "app", peer->app);
	fprintf(to, "\"pid\": %" PRId32 ", ", peer->pid);
	json_number(to, "uid", peer->uid);
	json_number(to, "generation", peer->generation);
	json_number(to, "held", peer->held);
	json_number(to, "lag", peer->lag);
	json_number(to, "taken", peer->taken);
	json_number(to, "lost", peer->lost);
	if (peer->role == ZOE_ROLE_CONSUMER) {
		json_word(to, "delivery", word_delivery(peer->delivery));
		json_word(to, "group", peer->group);
		json_span(to, "read_ns", peer->read_ns);
	}
	json_age(to, peer->last_ns);
}

void json_broker(FILE *to, const struct zoe_broker_info *broker) {
	json_word(to, "version", broker->version);
	json_word(to, "socket", broker->socket);
	json_word(to, "config", broker->config);
	json_word(to, "protection", broker->protection);
	fprintf(to, "\"pid\": %" PRId32 ", ", broker->pid);
	json_number(to, "streams", broker->n_streams);
	json_number(to, "clients", broker->n_clients);
	json_number(to, "memory_bytes", broker->memory_bytes);
	json_number(to, "memory_limit_bytes", broker->memory_limit_bytes);
	json_number(to, "config_age_ms", get_age_ms(broker->load_ns));
	if (broker->failure_ns != 0) {
		json_number(to, "failed_reload_age_ms", get_age_ms(broker->failure_ns));
	}
	json_age(to, broker->start_ns);
}
