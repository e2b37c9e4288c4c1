/* SPDX-License-Identifier: MIT */
#ifndef ACTIVATION_H
#define ACTIVATION_H
/*
 * The socket that a service manager has opened for the broker, as sd_listen_fds(3) has it.
 * Owns:     nothing; the descriptor is the caller's.
 * Threads:  one, before the loop runs.
 * Includes: the C library.
 * By it the broker can start when the first client knocks, and be restarted without a moment in
 * which nobody can knock. Name and mode of the socket are then the manager's.
 */
#include <stddef.h>

/* Takes the only descriptor that was handed over, if it is a listening SEQPACKET socket of the file
 * system. Logs what is wrong with it.
 * Returns: 0, *fd is -1 if none was handed over, else path is the socket's; -EINVAL. */
int activation_take(int *fd, char *path, size_t size);
#endif
