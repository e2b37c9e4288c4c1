/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_YAML_TREE_H
#define CONFIG_YAML_TREE_H
/*
 * One YAML document as a tree whose nodes know their place in the text.
 * Owns:     a struct tree owns all its nodes; an alias is a second pointer to the same node, so
 *           a tree is never larger than its text, and its walk is bounded by TREE_MAX_NODES.
 * Threads:  one at a time.
 * Includes: errors.h. Its .c file alone knows libyaml.
 */
#include "errors.h"

#define TREE_MAX_NODES 65536u /* aliases counted as if they were written out */
#define TREE_MAX_DEPTH 16u
#define TREE_MAX_ANCHORS 256u

enum tree_kind { TREE_SCALAR, TREE_LIST, TREE_MAP };

struct tree_node;

struct tree_entry {
	struct tree_node *key;   // a scalar; NULL in a list
	struct tree_node *value; // NULL only while the tree is built
};

struct tree_node {
	enum tree_kind kind;
	uint32_t line, col; // 1-based
	bool is_quoted;
	char *text; // scalars: never NULL, no NUL within
	struct tree_entry *entries;
	size_t n_entries, n_allocated;
	char *anchor;
	bool is_repeated;       // an alias of it stands somewhere
	size_t weight;          // nodes up to now, this one included, aliases written out
	bool is_open;           // its end has not been read: an alias to it would never end
	struct tree_node *next; // in the tree's list of all nodes
};

struct tree {
	struct tree_node *root;
	struct tree_node *all; // newest first
};

/* Reads a text of at most CONFIG_MAX_FILE_BYTES. What is wrong with it goes to errors.
 * Returns: 0; -EINVAL there is no tree; -ENOMEM. The tree is to be finished in any case. */
int tree_init(struct tree *tree, const char *text, size_t len, struct config_errors *errors);
void tree_finish(struct tree *tree);

/* The entry of a map. Returns: NULL if absent. */
const struct tree_entry *tree_find(const struct tree_node *map, const char *key);
#endif
