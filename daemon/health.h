/* SPDX-License-Identifier: MIT */
#ifndef HEALTH_H
#define HEALTH_H
/*
 * Whether a client's process lives: by pidfd, which no other process can come to stand for.
 * Owns:     nothing; descriptors are the caller's.
 * Threads:  one.
 * Includes: the C library.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens a pidfd of the process that connected the socket. Before Linux 6.5 it is one of whoever has
 * the number pid now, and *start_time is to be compared later; else *start_time is 0.
 * Returns: the descriptor; -ESRCH it is dead; -EOPNOTSUPP its pid is not visible from here;
 * -EMFILE, -ENFILE. */
int health_open(int socket, pid_t pid, uint64_t *start_time);

/* Whether the process with that number is still the one that started then. */
bool health_is_same(pid_t pid, uint64_t start_time);

/* Whether a pidfd's process has ended. */
bool health_is_dead(int pidfd);
#endif
