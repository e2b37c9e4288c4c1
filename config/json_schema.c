/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <inttypes.h>

#include "check.h"
#include "schema.h"

#define NAME_CHARS "[A-Za-z0-9._:+@*-]+"
/* No part "." or "..", no "***". */
#define NAME_PATTERN "^(?!.*[*]{3})(?!(.*/)?[.]{1,2}(/|$))" NAME_CHARS "(/" NAME_CHARS ")*$"
#define ONE_SIZE "{\"required\": [\"max_frame\"]}, {\"required\": [\"max_bytes\"]}"

/* Which keys of a stream a map may hold. */
enum place { PLACE_NAME, PLACE_PATTERN, PLACE_DEFAULTS };

/* Maps within maps; each line is indented by its depth. */
struct writing {
	FILE *out;
	unsigned depth;
	enum place place;
};

static void put_line(const struct writing *w, const char *text) {
	fprintf(w->out, "%*s%s\n", (int)w->depth * 2, "", text);
}

/* A text of our own: quotes and backslashes are all that needs care. */
static void put_text(FILE *out, const char *text) {
	fputc('"', out);
	for (; *text; text++) {
		fprintf(out, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
	}
	fputc('"', out);
}

/* Whole numbers of a unit are text, plain ones are numbers to YAML. */
static void put_bytes(FILE *out, const struct schema_key *key) {
	fprintf(out,
		"\"type\": [\"string\", \"integer\"], \"minimum\": %" PRIu64
		", \"maximum\": %" PRIu64 ", \"pattern\": \"^[0-9]+ *(KiB|MiB|GiB)?$\"",
		key->min, key->max);
}

static void put_type(FILE *out, const struct schema_key *key) {
	switch (key->type) {
	case SCHEMA_COUNT:
		fprintf(out,
			"\"type\": \"integer\", \"minimum\": %" PRIu64 ", \"maximum\": %" PRIu64,
			key->min, key->max);
		break;
	case SCHEMA_BYTES:
	case SCHEMA_SMALL_BYTES:
	case SCHEMA_PAYLOAD:
		put_bytes(out, key);
		break;
	case SCHEMA_TIME:
		fprintf(out, "\"type\": [\"string\"%s], \"pattern\": \"^[0-9]+ *(ms|s)$\"",
			key->min == 0 ? ", \"integer\"" : "");
		fputs(key->min == 0 ? ", \"minimum\": 0, \"maximum\": 0" : "",
			out); // 0 needs no unit
		break;
	case SCHEMA_TEXT:
		fprintf(out,
			"\"type\": [\"string\", \"number\", \"boolean\", \"null\"], \"maxLength\": "
			"%" PRIu64,
			key->max);
		break;
	case SCHEMA_PATH:
		fprintf(out, "\"type\": \"string\", \"pattern\": \"^/\", \"maxLength\": %" PRIu64,
			key->max);
		break;
	case SCHEMA_MODE:
		fputs("\"type\": \"string\", \"pattern\": \"^0?[0-7]{3}$\"", out);
		break;
	case SCHEMA_LEVEL:
		fputs("\"enum\": [\"error\", \"warning\", \"info\", \"debug\"]", out);
		break;
	case SCHEMA_FULL:
		fputs("\"enum\": [\"drop\", \"block\"]", out);
		break;
	case SCHEMA_FORMAT:
		fputs("\"type\": \"string\", \"pattern\": \"^ *([0-9]+[xX][0-9]+( +[^ ]+)?|[Bb][Ll]"
		      "[Oo][Bb] +[0-9]+) *$\"",
			out);
		break;
	case SCHEMA_WHO:
		fputs("\"type\": \"array\", \"items\": {\"type\": \"string\", \"pattern\": "
		      "\"^(owner|any|(user|group):.+)$\"}",
			out);
		break;
	case SCHEMA_TABLE:
	case SCHEMA_MAP:
		break;
	}
}

static void put_default(FILE *out, const struct schema_key *key) {
	if (!key->default_text) {
		return;
	}
	fputs(", \"default\": ", out);
	if (key->type == SCHEMA_COUNT) {
		fputs(key->default_text, out);
	} else if (key->type == SCHEMA_WHO) {
		fprintf(out, "[\"%s\"]", key->default_text);
	} else {
		put_text(out, key->default_text);
	}
}

static bool is_here(const struct writing *w, const struct schema_key *key) {
	return !(w->place == PLACE_NAME && key->only_patterns) &&
	       !(w->place == PLACE_DEFAULTS && key->not_in_defaults);
}

static void put_table(const struct writing *outer, const struct schema *schema, const char *end);

static void put_key(const struct writing *w, const struct schema_key *key, bool is_last) {
	fprintf(w->out, "%*s\"%s\": {\"description\": ", (int)w->depth * 2, "", key->name);
	put_text(w->out, key->help);
	if (key->table) {
		fputs(",\n", w->out);
		put_table(w, key->table, is_last ? "}" : "},");
		return;
	}
	fputs(", ", w->out);
	put_type(w->out, key);
	put_default(w->out, key);
	fputs(is_last ? "}\n" : "},\n", w->out);
}

/* What is said of a map: its keys, and that there are no others. */
static void put_table(const struct writing *outer, const struct schema *schema, const char *end) {
	struct writing w = *outer;
	size_t n_left = 0;

	for (size_t i = 0; i < schema->n_keys; i++) {
		n_left += is_here(&w, &schema->keys[i]);
	}
	w.depth++;
	put_line(&w, "\"type\": \"object\", \"additionalProperties\": false,");
	if (schema == &schema_stream) {
		put_line(&w, "\"not\": {\"required\": [\"max_frame\", \"max_bytes\"]},");
	}
	put_line(&w, "\"properties\": {");
	w.depth++;
	for (size_t i = 0; i < schema->n_keys; i++) {
		if (is_here(&w, &schema->keys[i])) {
			put_key(&w, &schema->keys[i], --n_left == 0);
		}
	}
	fprintf(w.out, "%*s}%s\n", (int)outer->depth * 2, "", end);
}

static const char *get_help(const char *name) {
	return schema_find(&schema_document, name)->help;
}

static void put_map(struct writing *w, const char *name, const struct schema *schema) {
	fprintf(w->out, "%*s\"%s\": {\"description\": ", (int)w->depth * 2, "", name);
	put_text(w->out, get_help(name));
	fputs(",\n", w->out);
	put_table(w, schema, "},");
}

static void put_streams(struct writing *w) {
	fprintf(w->out, "%*s\"streams\": {\"description\": ", (int)w->depth * 2, "");
	put_text(w->out, get_help("streams"));
	fputs(",\n", w->out);
	w->depth++;
	put_line(w, "\"type\": \"object\", \"additionalProperties\": false,");
	fprintf(w->out,
		"%*s\"maxProperties\": %u, \"propertyNames\": {\"maxLength\": %d, \"pattern\": "
		"\"%s\"},\n",
		(int)w->depth * 2, "", CONFIG_MAX_STREAMS, CONFIG_MAX_NAME_BYTES, NAME_PATTERN);
	put_line(w, "\"patternProperties\": {");
	w->depth++;
	put_line(w, "\"^[^*]*$\": {");
	w->place = PLACE_NAME;
	put_table(w, &schema_stream, "},");
	put_line(w, "\"[*]\": {");
	w->place = PLACE_PATTERN;
	put_table(w, &schema_stream, "}");
	w->depth -= 2;
	put_line(w, "}}");
}

void config_print_json_schema(FILE *out) {
	struct writing w = {.out = out, .place = PLACE_DEFAULTS};

	put_line(&w, "{");
	w.depth++;
	put_line(&w, "\"$schema\": \"http://json-schema.org/draft-07/schema#\",");
	put_line(&w, "\"title\": \"zoetrope.yaml\",");
	put_line(&w, "\"type\": \"object\", \"additionalProperties\": false,");
	put_line(&w, "\"required\": [\"version\", \"streams\"],");
	put_line(&w, "\"properties\": {");
	w.depth++;
	fputs("    \"version\": {\"description\": ", out);
	put_text(out, get_help("version"));
	fputs(", \"const\": 1},\n", out);
	put_map(&w, "broker", &schema_broker);
	put_map(&w, "defaults", &schema_stream);
	put_streams(&w);
	w.depth--;
	put_line(&w, "},");
	/* Who finds no size under `defaults` has to say one. */
	put_line(&w, "\"if\": {\"not\": {\"required\": [\"defaults\"],");
	put_line(&w, "  \"properties\": {\"defaults\": {\"anyOf\": [" ONE_SIZE "]}}}},");
	put_line(&w, "\"then\": {\"properties\": {\"streams\": {");
	put_line(&w, "  \"additionalProperties\": {\"anyOf\": [" ONE_SIZE "]}}}}");
	w.depth--;
	put_line(&w, "}");
}
