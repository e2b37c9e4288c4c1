/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_ACCESS_LIST_H
#define CONFIG_ACCESS_LIST_H
/*
 * Lists of those who hold a right: [owner, any, user:NAME, group:NAME].
 * Owns:     the arrays of a struct access_list, until access_list_finish.
 * Threads:  one at a time; names are asked of the user database once, here.
 * Includes: yaml_tree.h, errors.h.
 */
#include "errors.h"
#include "yaml_tree.h"

/* Replaces *access by what the node lists; what is wrong goes to errors, after `right`.
 * Returns: 0; -ENOMEM. */
int access_list_read(struct access_list *access, const char *right, const struct tree_node *node,
	struct config_errors *errors);

/* Returns: 0; -ENOMEM, and *to is empty. */
int access_list_copy(struct access_list *to, const struct access_list *from);

/* Whether both hold the same, in any order. */
bool access_list_is_equal(const struct access_list *a, const struct access_list *b);

/* Prints "[owner, user:root]" that reads as the same list; a number where a name does not lead
 * back to it. */
void access_list_print(FILE *out, const struct access_list *access);

/* What access_list_print prints. Returns: to be freed; NULL without memory. */
char *access_list_get_text(const struct access_list *access);

void access_list_finish(struct access_list *access);
#endif
