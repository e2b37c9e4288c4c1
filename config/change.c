/* SPDX-License-Identifier: MIT */
#include "config.h"
#include "schema.h"
#include "value_text.h"

/* Two states of one target, and where its changes go. */
struct change {
	const void *before, *after;
	FILE *out; // NULL: nowhere
	uint32_t bits;
	bool differs;
};

static void print_side(FILE *out, const struct schema_key *key, const void *target) {
	if (value_is_set(key, target)) {
		value_print(out, key, target);
	} else {
		fputs("none", out);
	}
}

static void compare_key(
	struct change *c, const struct schema *schema, const struct schema_key *key) {
	if (value_is_equal(key, c->before, c->after)) {
		return;
	}
	if (c->out) {
		fprintf(c->out, "%s%s%s ", c->differs ? ", " : "", schema->prefix, key->name);
		print_side(c->out, key, c->before);
		fputs(" -> ", c->out);
		print_side(c->out, key, c->after);
	}
	c->differs = true;
	c->bits |= key->change;
}

static void compare(struct change *c, const struct schema *schema) {
	for (size_t i = 0; i < schema->n_keys; i++) {
		if (schema->keys[i].type == SCHEMA_TABLE) {
			compare(c, schema->keys[i].table);
		} else {
			compare_key(c, schema, &schema->keys[i]);
		}
	}
}

uint32_t stream_config_get_changes(
	const struct stream_config *before, const struct stream_config *after, FILE *out) {
	struct change change = {.before = before, .after = after, .out = out};

	compare(&change, &schema_stream);
	return change.bits;
}

bool broker_config_get_changes(
	const struct broker_config *before, const struct broker_config *after, FILE *out) {
	struct change change = {.before = before, .after = after, .out = out};

	compare(&change, &schema_broker);
	return change.differs;
}
