/* SPDX-License-Identifier: MIT */
#ifndef CGROUP_H
#define CGROUP_H
/*
 * How much memory the cgroups (v2) of this process leave it.
 * Owns:     nothing.
 * Threads:  one.
 * Includes: the C library.
 */
#include <stdint.h>

/* The lowest memory.max of the cgroup that the file `self` (/proc/self/cgroup) names, and of those
 * above it, below the mount point `root`. Returns: UINT64_MAX = no limit, or none that can be read.
 */
uint64_t cgroup_get_memory_max(const char *self, const char *root);
#endif
