/* SPDX-License-Identifier: MIT */
#ifndef LIST_H
#define LIST_H
/*
 * Doubly linked lists whose links live in the items.
 * Owns:     nothing; whoever keeps the head says what membership means.
 * Threads:  one.
 * Includes: attr.h.
 */
#include <stdbool.h>

#include "attr.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *head) {
	head->next = head;
	head->prev = head;
}

static inline bool list_is_empty(const struct list *head) {
	return head->next == head;
}

static inline void list_insert(struct list *after, struct list *link) {
	link->next = after->next;
	link->prev = after;
	after->next->prev = link;
	after->next = link;
}

static inline void list_append(struct list *head, struct list *link) {
	list_insert(head->prev, link);
}

/* The link is a list of its own afterwards, and may be removed again. */
static inline void list_remove(struct list *link) {
	link->next->prev = link->prev;
	link->prev->next = link->next;
	list_init(link);
}

#define list_entry(link, item, member) container_of(link, __typeof__(*(item)), member)

#define list_for_each(item, head, member)                                                          \
	for ((item) = list_entry((head)->next, item, member); &(item)->member != (head);           \
		(item) = list_entry((item)->member.next, item, member))

/* The item may be removed within the loop, its successor `after` may not. */
#define list_for_each_safe(item, after, head, member)                                              \
	for ((item) = list_entry((head)->next, item, member),                                      \
	    (after) = list_entry((item)->member.next, item, member);                               \
		&(item)->member != (head);                                                         \
		(item) = (after), (after) = list_entry((item)->member.next, item, member))
#endif
