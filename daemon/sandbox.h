/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_H
#define SANDBOX_H
/*
 * What the broker gives up at its start.
 * Owns:     nothing.
 * Threads:  one, before the loop runs.
 * Includes: the C library only.
 */

/* No tracing and no pidfd_getfd by the same user, no new privileges by exec, and as many
 * descriptors as the hard limit allows. Returns: 0; -errno. */
int sandbox_enter(void);
#endif
