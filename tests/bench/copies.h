/* SPDX-License-Identifier: MIT */
#ifndef COPIES_H
#define COPIES_H
/*
 * The bare ways to move bytes: what a push and a read are held against.
 * Owns:     nothing.
 * Threads:  any.
 * Includes: nothing of the project.
 */
#include <stddef.h>
#include <stdint.h>

typedef void (*copy_fn)(void *to, const void *from, size_t size);

struct copy_way {
	const char *name;
	copy_fn copy;
};
/* Those that this CPU can, ended by a NULL name. */
const struct copy_way *copy_ways(void);

/* Bytes that bypass the cache on their way out, fenced; `to` is a multiple of 64. */
void copy_streaming(void *to, const void *from, size_t size);

/* Looks at every byte. Returns: their sum, so that no compiler leaves the loop out. */
uint64_t read_all(const void *from, size_t size);
#endif
