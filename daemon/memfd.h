/* SPDX-License-Identifier: MIT */
#ifndef MEMFD_H
#define MEMFD_H
/*
 * Sealed shared memory that can be lent read-only and stays so.
 * Owns:     its two descriptors, and no mapping.
 * Threads:  one.
 * Includes: attr.h.
 *
 * Mode 0400 keeps other users from opening a read-only descriptor anew for writing; where the
 * capability allows, the immutable flag keeps everybody from it. Descriptors and mappings that
 * were writable before stay so.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

struct memfd {
	int rw, ro;
	size_t bytes;
};

#define MEMFD_NONE ((struct memfd){.rw = -1, .ro = -1})

/* Makes zeroed, sealed memory under a name for /proc.
 * Returns: 0; -EMFILE, -ENFILE, -ENOMEM, -EFBIG. */
int memfd_init(struct memfd *memory, const char *name, uint64_t bytes);

/* Whether a client's descriptor is memory that this user's broker made under this name, now or
 * before: by owner, seals and name, which nobody else can give to a memfd. May the client write? */
bool memfd_is_ours(int fd, const char *name, bool *is_writable);

/* Takes over *fd (it becomes -1), in which a client hands such memory back.
 * Returns: 0, rw is -1 where the client could only read; -EPERM it is something else; -EMFILE. */
int memfd_adopt(struct memfd *memory, const char *name, int *fd);

/* Opens adopted memory for writing, as its owner may. Returns: 0; -EPERM, -EACCES; -EMFILE. */
int memfd_open_rw(struct memfd *memory);
void memfd_close_rw(struct memfd *memory);
void memfd_finish(struct memfd *memory);

/* Maps all of it. The caller owns the mapping: munmap. Returns: 0; -ENOMEM. */
int memfd_map(const struct memfd *memory, bool is_writable, void **out);

/* How far this process can protect what it lends: "mode" or "mode+immutable"; static. */
const char *memfd_get_protection(void);
#endif
