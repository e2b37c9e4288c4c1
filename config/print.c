/* SPDX-License-Identifier: MIT */
#include "access_list.h"
#include "config.h"
#include "schema.h"
#include "value_text.h"

/* A map on its way out. */
struct printing {
	FILE *out;
	bool has_remarks;
	bool is_name; // of one stream: what only patterns have is left out
	unsigned indent;
};

static void print_remark(const struct printing *p, struct config_source source) {
	if (p->has_remarks && source.line == 0) {
		fputs("  # built in", p->out);
	} else if (p->has_remarks) {
		fprintf(p->out, "  # %sline %u", source.is_default ? "defaults, " : "",
			source.line);
	}
	fputc('\n', p->out);
}

static void print_table(const struct printing *p, const struct schema *schema, const void *target) {
	struct printing inner = *p;

	inner.indent += 2;
	for (size_t i = 0; i < schema->n_keys; i++) {
		const struct schema_key *key = &schema->keys[i];

		if (key->type == SCHEMA_TABLE) {
			fprintf(p->out, "%*s%s:\n", (int)p->indent, "", key->name);
			print_table(&inner, key->table, target);
		} else if (value_is_set(key, target) && !(key->only_patterns && p->is_name)) {
			fprintf(p->out, "%*s%s: ", (int)p->indent, "", key->name);
			value_print(p->out, key, target);
			print_remark(p, schema_get_source(schema, key, target));
		}
	}
}

static void print_streams(struct printing *p, const struct config *config) {
	fprintf(p->out, "streams:%s\n", config->n_streams == 0 ? " {}" : "");
	for (size_t i = 0; i < config->n_streams; i++) {
		const struct stream_config *stream = &config->streams[i];

		fputs("  ", p->out);
		value_print_quoted(p->out, stream->name);
		fputc(':', p->out);
		print_remark(p, (struct config_source){.line = stream->line});
		p->indent = 4;
		p->is_name = !stream->is_pattern;
		print_table(p, &schema_stream, stream);
	}
}

void config_print(const struct config *config, FILE *out, const char *label) {
	struct printing p = {.out = out, .has_remarks = label != NULL, .indent = 2};

	if (label) {
		fputs("# ", out);
		value_print_quoted(out, label);
		fputs(" with every default filled in; remarks say whence the values come.\n", out);
	}
	fputs("version: 1\nbroker:\n", out);
	print_table(&p, &schema_broker, &config->broker);
	fputs("defaults:\n  access:\n    admin: ", out);
	access_list_print(out, &config->admin);
	print_remark(&p, config->admin_source);
	print_streams(&p, config);
}
