/* SPDX-License-Identifier: MIT */
#ifndef ZOE_CORE_ATTR_H
#define ZOE_CORE_ATTR_H
/*
 * Compiler attributes and scope clean-up, used by everything in the tree.
 * Owns:     nothing.
 * Threads:  any.
 * Includes: the C library only.
 */
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup_with(fn) __attribute__((cleanup(fn)))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define attr_printf(fmt, args) __attribute__((format(printf, fmt, args)))
#define n_elements(array) (sizeof(array) / sizeof((array)[0]))

static inline void cleanup_free_fn(void *pointer) {
	free(*(void **)pointer);
}
#define cleanup_free cleanup_with(cleanup_free_fn)

static inline void cleanup_fd_fn(int *fd) {
	if (*fd >= 0) {
		close(*fd);
	}
}
#define cleanup_fd cleanup_with(cleanup_fd_fn)

/* Takes the descriptor out of a variable that would close it. */
static inline int steal_fd(int *fd) {
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Takes the pointer out of a variable that would free it. */
static inline void *steal_pointer(void *pointer) {
	void **from = pointer;
	void *taken = *from;

	*from = NULL;
	return taken;
}
#endif
