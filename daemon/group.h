/* SPDX-License-Identifier: MIT */
#ifndef GROUP_H
#define GROUP_H
/*
 * A queue group in one generation: consumers of one user that share its frames out by a common
 * tail.
 * Owns:     its page. It lives as long as it has members.
 * Threads:  one.
 * Includes: generation.h.
 */
#include "generation.h"

struct group {
	struct list link; // generation.groups
	uint32_t id;      // the same in the next generation
	uint32_t n_members;
	bool is_demoted; // may lose frames now, though its members asked for none
	char name[ZOE_GROUP_BYTES];
	struct memfd memory;
	void *page;
	struct zoe_group *words; // within page; its members write them
};

/* Finds the group of a name. Returns: NULL if absent; borrowed. */
struct group *group_find(const struct generation *generation, const char *name);

/* Makes the seat a member of its consumer's group, and the group where it is the first one.
 * Returns: 0; -EMFILE, -ENFILE; -ENOMEM. */
int group_join(struct seat *seat);

/* The seat is no member any more; the last one takes the group with it. */
void group_leave(struct seat *seat);

/* What an earlier broker's group is called is known once a member is back. */
void group_set_name(struct group *group, const char *name);

/* The next number that the group takes is h. */
void group_set_tail(struct group *group, uint64_t h);
#endif
