/* SPDX-License-Identifier: MIT */
#include "keep_space.h"

#include <errno.h>
#include <string.h>

#include "attr.h"

enum { NONE = 0 };

struct keep_place {
	uint64_t block, n_blocks, realtime_ns;
	uint32_t left, right;    // by place
	uint32_t older, younger; // by time; younger of an unused one: the next unused
};

static struct keep_place *get(const struct keep_space *space, uint32_t i) {
	return &space->places[i];
}

static uint64_t get_end(const struct keep_space *space, uint32_t i) {
	return i == NONE ? 1 : get(space, i)->block + get(space, i)->n_blocks;
}

static int grow(struct keep_space *space) {
	uint32_t n = space->n_allocated == 0 ? 256 : space->n_allocated * 2;
	struct keep_place *places =
		n < space->n_allocated ? NULL : reallocarray(space->places, n, sizeof(*places));

	if (places == NULL) {
		return -ENOMEM;
	}
	for (uint32_t i = space->n_allocated; i < n; i++) {
		places[i] = (struct keep_place){.younger = i + 1 < n ? i + 1 : NONE};
	}
	space->spare = space->n_allocated == 0 ? 1 : space->n_allocated;
	space->places = places;
	space->n_allocated = n;
	return 0;
}

/* Puts a record between `left` and what follows it by place. Returns: 0; -ENOMEM. */
static int insert(struct keep_space *space, uint32_t left, const struct keep_entry *entry) {
	uint32_t i, right;
	int rc = space->spare == NONE ? grow(space) : 0;

	if (rc < 0) {
		return rc;
	}
	i = space->spare;
	space->spare = get(space, i)->younger;
	right = left == NONE ? space->first : get(space, left)->right;
	*get(space, i) = (struct keep_place){entry->block, entry->n_blocks, entry->realtime_ns,
		left, right, space->youngest, NONE};
	*(left == NONE ? &space->first : &get(space, left)->right) = i;
	*(right == NONE ? &space->last : &get(space, right)->left) = i;
	*(space->oldest == NONE ? &space->oldest : &get(space, space->youngest)->younger) = i;
	space->youngest = i;
	space->n_records++;
	return 0;
}

static void remove_place(struct keep_space *space, uint32_t i) {
	const struct keep_place *p = get(space, i);

	*(p->left == NONE ? &space->first : &get(space, p->left)->right) = p->right;
	*(p->right == NONE ? &space->last : &get(space, p->right)->left) = p->left;
	*(p->older == NONE ? &space->oldest : &get(space, p->older)->younger) = p->younger;
	*(p->younger == NONE ? &space->youngest : &get(space, p->younger)->older) = p->older;
	if (space->before == i) {
		space->before = p->left;
	}
	get(space, i)->younger = space->spare;
	space->spare = i;
	space->n_records--;
}

/* By time, as the file lists them; links by place follow. */
static int add_entries(struct keep_space *space, const struct keep_file *file) {
	for (size_t i = 0; i < file->n_entries; i++) {
		int rc = insert(space, space->last, &file->entries[i]);

		if (rc < 0) {
			return rc;
		}
	}
	return 0;
}

static int compare_blocks(const void *a, const void *b, void *space) {
	uint64_t left = get(space, *(const uint32_t *)a)->block;
	uint64_t right = get(space, *(const uint32_t *)b)->block;

	return left < right ? -1 : left > right;
}

/* Nothing was removed yet: the records are places 1 to n. */
static int link_by_place(struct keep_space *space) {
	uint32_t n = (uint32_t)space->n_records;
	cleanup_free uint32_t *sorted = calloc((size_t)n + 2, sizeof(*sorted));

	if (sorted == NULL) {
		return -ENOMEM;
	}
	for (uint32_t i = 1; i <= n; i++) {
		sorted[i] = i;
	}
	qsort_r(sorted + 1, n, sizeof(*sorted), compare_blocks, space);
	for (uint32_t i = 1; i <= n; i++) {
		get(space, sorted[i])->left = sorted[i - 1];
		get(space, sorted[i])->right = sorted[i + 1];
	}
	space->first = sorted[1];
	space->last = sorted[n];
	return 0;
}

static uint64_t get_run_end(const struct keep_space *space) {
	uint32_t right = space->before == NONE ? space->first : get(space, space->before)->right;

	return right == NONE ? space->n_blocks : get(space, right)->block;
}

int keep_space_init(struct keep_space *space, const struct keep_file *file, uint64_t n_blocks) {
	int rc;

	*space = (struct keep_space){.n_blocks = n_blocks};
	rc = grow(space);
	if (rc == 0) {
		rc = add_entries(space, file);
	}
	if (rc == 0) {
		rc = link_by_place(space);
	}
	if (rc < 0) {
		keep_space_finish(space);
		return rc;
	}
	space->before = space->youngest;
	space->pos = get_end(space, space->before);
	/* A file that has grown has most of its room at the end. */
	if (n_blocks - get_end(space, space->last) > get_run_end(space) - space->pos) {
		space->before = space->last;
		space->pos = get_end(space, space->before);
	}
	return 0;
}

void keep_space_finish(struct keep_space *space) {
	free(space->places);
	*space = (struct keep_space){.pos = 0};
}

/* Gives up the oldest record: where it follows the free room here that becomes longer, else the
 * next record goes to its place. */
static void give_up_oldest(struct keep_space *space) {
	uint32_t right = space->before == NONE ? space->first : get(space, space->before)->right;

	if (right != space->oldest) {
		space->before = get(space, space->oldest)->left;
		space->pos = get_end(space, space->before);
	}
	remove_place(space, space->oldest);
	space->n_overwritten++;
}

int keep_space_take(struct keep_space *space, struct keep_entry *entry) {
	int rc;

	if (entry->n_blocks > (space->n_blocks - 1) / 2) {
		return -EFBIG;
	}
	while (get_run_end(space) - space->pos < entry->n_blocks) {
		if (space->oldest == NONE) {
			space->pos = 1;
		} else {
			give_up_oldest(space);
		}
	}
	entry->block = space->pos;
	rc = insert(space, space->before, entry);
	if (rc < 0) {
		return rc;
	}
	space->before = space->youngest;
	space->pos += entry->n_blocks;
	return 0;
}

uint64_t keep_space_get_span_ns(const struct keep_space *space) {
	uint64_t from = get(space, space->oldest)->realtime_ns;
	uint64_t to = get(space, space->youngest)->realtime_ns;

	return to > from ? to - from : 0;
}

void keep_space_avoid(struct keep_space *space) {
	if (space->youngest != NONE) {
		remove_place(space, space->youngest);
	}
	/* Not to the free room before the oldest, which may be the one that cannot be written. */
	space->before = space->oldest == NONE ? NONE : get(space, space->oldest)->left;
	space->pos = space->oldest == NONE ? 1 : get(space, space->oldest)->block;
}
