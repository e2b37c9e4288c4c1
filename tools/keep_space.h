/* SPDX-License-Identifier: MIT */
#ifndef KEEP_SPACE_H
#define KEEP_SPACE_H
/*
 * Where in a file of `zoe keep` the next record goes: behind the youngest, over the oldest.
 * Owns:     its list of records, from init to finish.
 * Threads:  one.
 * Includes: keep_file.h for struct keep_entry.
 * In a file of one size that is a ring. In one that has grown, records that stand side by side need
 * not follow each other in time; then the next place is that of the oldest, wherever it is.
 */
#include "keep_file.h"

struct keep_space {
	struct keep_place *places;         // index 0 is none
	uint32_t n_allocated, spare;       // spare: the first of the unused
	uint32_t oldest, youngest;         // by time
	uint32_t first, last;              // by place
	uint64_t pos, n_blocks;            // the next record's place; of the file
	uint32_t before;                   // the record before pos, by place
	uint64_t n_records, n_overwritten; // there now; given up so far
};

/* Takes over the records of a file that was opened. Returns: 0; -ENOMEM. */
int keep_space_init(struct keep_space *space, const struct keep_file *file, uint64_t n_blocks);
void keep_space_finish(struct keep_space *space);

/* Finds room for a record's n_blocks, giving up the oldest as needed, and counts it as the
 * youngest. Returns: 0 and entry->block; -EFBIG more than half of the file; -ENOMEM. */
int keep_space_take(struct keep_space *space, struct keep_entry *entry);
/* How much time the records span, by when they were written. */
uint64_t keep_space_get_span_ns(const struct keep_space *space);
/* The youngest could not be written, perhaps as the disk has no room there: what follows goes over
 * the oldest, if there is one. */
void keep_space_avoid(struct keep_space *space);
#endif
