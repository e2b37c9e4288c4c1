/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_H
#define SANDBOX_H
/*
 * What the broker gives up: privileges at its start, and most system calls once it runs.
 * Owns:     nothing.
 * Threads:  one, before the loop runs.
 * Includes: the C library; libseccomp, if it was there to build with.
 * Who takes the broker over by a packet or a lying ring can then start no program, look into no
 * process, make no file and speak to no network. What only an intruder would call kills it; all
 * else that is not on the list answers ENOSYS, as a kernel that has never heard of it: a C library
 * of the future then falls back to what is on the list.
 */

/* No tracing and no pidfd_getfd by the same user, no new privileges by exec, and as many
 * descriptors as the hard limit allows. Returns: 0; -errno. */
int sandbox_enter(void);

/* The filter of system calls, for good. The config can be read anew under it, names of users
 * and groups included, as long as their database is files or a service behind a Unix socket.
 * Returns: 0; -EOPNOTSUPP built without it, or with a sanitizer, which needs more than we allow;
 * -EINVAL the kernel has none; -errno. */
int sandbox_filter(void);
#endif
