/* SPDX-License-Identifier: MIT */
#include "yaml_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "yaml_riddle.h"
#include "yaml_text.h"

struct builder {
	struct tree *tree;
	struct config_errors *errors;
	struct tree_node *open[TREE_MAX_DEPTH]; // borrowed from tree
	size_t depth;
	struct tree_node *anchors[TREE_MAX_ANCHORS]; // borrowed from tree
	size_t n_anchors;
	size_t weight;
	size_t n_documents;
	bool is_done;
};

/* libyaml counts from 0, people from 1. */
static struct yaml_place place_of(yaml_mark_t mark) {
	return (struct yaml_place){(uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

static int refuse(struct builder *b, struct yaml_place at, const char *sentence) {
	config_errors_add(b->errors, at.line, at.col, "%s", sentence);
	return -EINVAL;
}

static struct tree_node *node_create(struct builder *b, enum tree_kind kind, struct yaml_place at) {
	struct tree_node *node = calloc(1, sizeof(*node));

	if (!node) {
		return NULL;
	}
	node->kind = kind;
	node->line = at.line;
	node->col = at.col;
	node->next = b->tree->all;
	b->tree->all = node;
	return node;
}

static int entry_append(struct tree_node *parent, struct tree_entry entry) {
	if (parent->n_entries == parent->n_allocated) {
		size_t n = parent->n_allocated ? parent->n_allocated * 2 : 8;
		struct tree_entry *grown = reallocarray(parent->entries, n, sizeof(*grown));

		if (!grown) {
			return -ENOMEM;
		}
		parent->entries = grown;
		parent->n_allocated = n;
	}
	parent->entries[parent->n_entries++] = entry;
	return 0;
}

/* Hangs a node under the innermost open one: as a key, a key's value, or a list's item. */
static int attach(struct builder *b, struct tree_node *node, struct yaml_place at) {
	struct tree_node *parent = b->depth > 0 ? b->open[b->depth - 1] : NULL;

	if (!parent) {
		b->tree->root = node;
		return 0;
	}
	if (parent->kind == TREE_LIST) {
		return entry_append(parent, (struct tree_entry){NULL, node});
	}
	if (parent->n_entries > 0 && !parent->entries[parent->n_entries - 1].value) {
		parent->entries[parent->n_entries - 1].value = node;
		return 0;
	}
	if (node->kind != TREE_SCALAR) {
		return refuse(b, at, "a key must be plain text, not a list or map");
	}
	return entry_append(parent, (struct tree_entry){node, NULL});
}

/* Counts what has been read to the innermost open node and to the whole. */
static int weigh(struct builder *b, size_t weight, struct yaml_place at) {
	if (b->depth > 0) {
		b->open[b->depth - 1]->weight += weight;
	}
	b->weight += weight;
	if (b->weight > TREE_MAX_NODES) {
		return refuse(b, at, "too many values in one file, aliases written out");
	}
	return 0;
}

static int set_anchor(struct builder *b, struct tree_node *node, const yaml_char_t *anchor) {
	if (!anchor) {
		return 0;
	}
	if (b->n_anchors == TREE_MAX_ANCHORS) {
		return refuse(b, (struct yaml_place){node->line, node->col}, "too many anchors");
	}
	node->anchor = strdup((const char *)anchor);
	if (!node->anchor) {
		return -ENOMEM;
	}
	b->anchors[b->n_anchors++] = node;
	return 0;
}

static int add_alias(struct builder *b, const yaml_event_t *event) {
	const char *name = (const char *)event->data.alias.anchor;
	struct yaml_place at = place_of(event->start_mark);

	for (size_t i = b->n_anchors; i > 0; i--) {
		struct tree_node *node = b->anchors[i - 1];

		if (strcmp(node->anchor, name) != 0) {
			continue;
		}
		if (node->is_open) {
			return refuse(b, at, "this alias stands within what it is an alias of");
		}
		node->is_repeated = true;
		int r = weigh(b, node->weight, at);
		return r < 0 ? r : attach(b, node, at);
	}
	config_errors_add(b->errors, at.line, at.col,
		"no anchor '&%.80s' to repeat; put a pattern that begins with '*' in quotes", name);
	return -EINVAL;
}

static int add_scalar(struct builder *b, const yaml_event_t *event) {
	struct yaml_place at = place_of(event->start_mark);
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;

	if (event->data.scalar.tag) {
		return refuse(
			b, at, "tags like '!!str' mean nothing here; put the value in quotes");
	}
	if (memchr(text, '\0', len)) {
		return refuse(b, at, "a value cannot hold a NUL character");
	}
	struct tree_node *node = node_create(b, TREE_SCALAR, at);
	if (!node) {
		return -ENOMEM;
	}
	node->text = strndup(text, len);
	node->weight = 1;
	node->is_quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (!node->text) {
		return -ENOMEM;
	}
	int r = set_anchor(b, node, event->data.scalar.anchor);
	r = r < 0 ? r : weigh(b, 1, at);
	return r < 0 ? r : attach(b, node, at);
}

static int open_node(struct builder *b, enum tree_kind kind, const yaml_event_t *event) {
	struct yaml_place at = place_of(event->start_mark);
	bool is_map = kind == TREE_MAP;
	const yaml_char_t *anchor =
		is_map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor;

	if (is_map ? event->data.mapping_start.tag : event->data.sequence_start.tag) {
		return refuse(b, at, "tags like '!!map' mean nothing here");
	}
	if (b->depth == TREE_MAX_DEPTH) {
		return refuse(b, at, "nested too deeply");
	}
	struct tree_node *node = node_create(b, kind, at);
	if (!node) {
		return -ENOMEM;
	}
	node->is_open = true;
	node->weight = 1;
	int r = set_anchor(b, node, anchor);
	r = r < 0 ? r : attach(b, node, at);
	if (r < 0) {
		return r;
	}
	b->weight++;
	b->open[b->depth++] = node;
	return weigh(b, 0, at);
}

static int key_compare(const void *left, const void *right) {
	const struct tree_node *a = *(struct tree_node *const *)left;
	const struct tree_node *b = *(struct tree_node *const *)right;
	int order = strcmp(a->text, b->text);

	if (order != 0) {
		return order;
	}
	if (a->line != b->line) {
		return a->line < b->line ? -1 : 1;
	}
	return a->col < b->col ? -1 : a->col > b->col;
}

static int check_duplicates(struct builder *b, const struct tree_node *map) {
	cleanup_free struct tree_node **keys =
		calloc(map->n_entries + 1, sizeof(struct tree_node *));

	if (!keys) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < map->n_entries; i++) {
		keys[i] = map->entries[i].key;
	}
	qsort(keys, map->n_entries, sizeof(struct tree_node *), key_compare);
	for (size_t i = 1; i < map->n_entries; i++) {
		if (strcmp(keys[i - 1]->text, keys[i]->text) == 0) {
			config_errors_add(b->errors, keys[i]->line, keys[i]->col,
				"'%.96s' stands here twice, first in line %u", keys[i]->text,
				keys[i - 1]->line);
		}
	}
	return 0;
}

static int close_node(struct builder *b) {
	struct tree_node *node = b->open[--b->depth];

	node->is_open = false;
	if (b->depth > 0) {
		b->open[b->depth - 1]->weight += node->weight;
	}
	return node->kind == TREE_MAP ? check_duplicates(b, node) : 0;
}

static int add_event(struct builder *b, const yaml_event_t *event) {
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->n_documents++ > 0) {
			return refuse(b, place_of(event->start_mark),
				"a second document begins here; a config is one document");
		}
		return 0;
	case YAML_ALIAS_EVENT:
		return add_alias(b, event);
	case YAML_SCALAR_EVENT:
		return add_scalar(b, event);
	case YAML_SEQUENCE_START_EVENT:
		return open_node(b, TREE_LIST, event);
	case YAML_MAPPING_START_EVENT:
		return open_node(b, TREE_MAP, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return close_node(b);
	case YAML_STREAM_END_EVENT:
		b->is_done = true;
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
	return 0;
}

/* libyaml's reader leaves its mark at 0:0 for bad bytes and says the byte's offset instead. */
static int explain(
	struct config_errors *errors, const yaml_parser_t *parser, const char *text, size_t len) {
	struct yaml_place at = place_of(parser->problem_mark);
	struct yaml_place context = place_of(parser->context_mark);

	if (parser->error == YAML_MEMORY_ERROR) {
		return -ENOMEM;
	}
	if (parser->error == YAML_READER_ERROR) {
		size_t offset = parser->problem_offset;
		bool is_control = parser->problem && strstr(parser->problem, "control");

		at = yaml_text_find(text, len, offset);
		config_errors_add(errors, at.line, at.col,
			is_control ? "a control character (0x%02x) is not text"
				   : "not UTF-8 (byte 0x%02x)",
			offset < len ? (unsigned char)text[offset] : 0u);
		return -EINVAL;
	}
	yaml_riddle_add(errors, &(struct yaml_riddle){
					.context = parser->context,
					.problem = parser->problem,
					.line = at.line,
					.col = at.col,
					.context_line = context.line,
					.context_col = context.col,
					.c = yaml_text_get(text, len, at),
				});
	return -EINVAL;
}

/* A value that begins with '&' is read as an anchor, and would be cut without a word. */
static void check_anchors(const struct builder *b) {
	for (size_t i = 0; i < b->n_anchors; i++) {
		const struct tree_node *node = b->anchors[i];

		if (node->kind == TREE_SCALAR && !node->is_repeated) {
			config_errors_add(b->errors, node->line, node->col,
				"'&%.80s' is an anchor that no '*%.80s' repeats; put a value that "
				"begins with '&' in quotes",
				node->anchor, node->anchor);
		}
	}
}

int tree_init(struct tree *tree, const char *text, size_t len, struct config_errors *errors) {
	struct builder b = {.tree = tree, .errors = errors};
	yaml_parser_t parser;
	int r = 0;

	*tree = (struct tree){0};
	if (yaml_text_is_wide(text, len)) {
		config_errors_add(errors, 1, 1, "this is UTF-16 or UTF-32; save the file as UTF-8");
		return -EINVAL;
	}
	uint32_t excess = yaml_text_find_excess_directive(text, len);
	if (excess) {
		config_errors_add(errors, excess, 1, "too many lines that begin with '%%'");
		return -EINVAL;
	}
	if (!yaml_parser_initialize(&parser)) {
		return -ENOMEM;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	while (r == 0 && !b.is_done) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event)) {
			r = explain(errors, &parser, text, len);
			break;
		}
		r = add_event(&b, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (r == 0) {
		check_anchors(&b);
	}
	if (r == 0 && !tree->root) {
		config_errors_add(
			errors, 1, 1, "the file is empty; it needs 'version: 1' and streams");
		r = -EINVAL;
	}
	return r;
}

void tree_finish(struct tree *tree) {
	while (tree->all) {
		struct tree_node *node = tree->all;

		tree->all = node->next;
		free(node->text);
		free(node->anchor);
		free(node->entries);
		free(node);
	}
	*tree = (struct tree){0};
}

const struct tree_entry *tree_find(const struct tree_node *map, const char *key) {
	for (size_t i = 0; map->kind == TREE_MAP && i < map->n_entries; i++) {
		if (strcmp(map->entries[i].key->text, key) == 0) {
			return &map->entries[i];
		}
	}
	return NULL;
}
