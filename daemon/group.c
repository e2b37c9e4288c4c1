/* SPDX-License-Identifier: MIT */
#include "group.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "client.h"
#include "consumer.h"
#include "server.h"
#include "stream.h"

struct group *group_find(const struct generation *g, const char *name) {
	struct group *group;

	list_for_each(group, &g->groups, link) {
		if (strcmp(group->name, name) == 0) {
			return group;
		}
	}
	return NULL;
}

static void group_destroy(struct group *group) {
	list_remove(&group->link);
	if (group->page) {
		munmap(group->page, ZOE_SEAT_PAGE_BYTES);
	}
	memfd_finish(&group->memory);
	free(group);
}

/* The id of the same group in another generation, or a new one. */
static uint32_t group_choose_id(const struct stream *stream, const struct consumer *consumer) {
	const char *name = consumer->group;
	struct generation *g;

	if (consumer->group_id) {
		return consumer->group_id;
	}
	list_for_each(g, &stream->generations, link) {
		const struct group *group = group_find(g, name);

		if (group) {
			return group->id;
		}
	}
	stream->server->last_group++;
	return stream->server->last_group ? stream->server->last_group
					  : ++stream->server->last_group;
}

static int group_create(struct group **out, struct generation *g, const struct consumer *consumer) {
	struct group *group = calloc(1, sizeof(*group));
	char part[32];
	int r;

	if (!group) {
		return -ENOMEM;
	}
	list_init(&group->link);
	group->memory = MEMFD_NONE;
	group->id = group_choose_id(g->stream, consumer);
	group->is_demoted = consumer->is_demoted;
	snprintf(group->name, sizeof(group->name), "%s", consumer->group);
	snprintf(part, sizeof(part), "group%u", group->id);
	r = generation_make_memory(&group->memory, g, part, ZOE_SEAT_PAGE_BYTES);
	if (r == 0) {
		r = memfd_map(&group->memory, true, &group->page);
	}
	if (r < 0) {
		group_destroy(group);
		return r;
	}
	group->words = group->page;
	list_append(&g->groups, &group->link);
	*out = group;
	return 0;
}

int group_join(struct seat *seat) {
	struct group *group = group_find(seat->generation, seat->consumer->group);
	int r = group ? 0 : group_create(&group, seat->generation, seat->consumer);

	if (r < 0) {
		return r;
	}
	seat->group = group;
	group->n_members++;
	return 0;
}

void group_leave(struct seat *seat) {
	struct group *group = seat->group;

	seat->group = NULL;
	if (group && --group->n_members == 0) {
		group_destroy(group);
	}
}

void group_set_name(struct group *group, const char *name) {
	snprintf(group->name, sizeof(group->name), "%s", name);
}

void group_set_tail(struct group *group, uint64_t h) {
	/* [TAIL] {join.tail} release: producers that see it know the members' seats,
	 * see roster.c. */
	atomic_store_explicit(&group->words->tail, h, memory_order_release);
}
