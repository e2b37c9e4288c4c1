/* SPDX-License-Identifier: MIT */
#include "activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "attr.h"
#include "log.h"

#define FIRST_FD 3

/* How many descriptors were handed to this very process. Returns: -EINVAL the number is none. */
static int activation_count(void) {
	const char *pid = getenv("LISTEN_PID"), *n_fds = getenv("LISTEN_FDS");
	char *end = NULL;
	long n;

	if (!pid || !n_fds || strtol(pid, NULL, 10) != (long)getpid()) {
		return 0;
	}
	n = strtol(n_fds, &end, 10);
	return end == n_fds || *end || n < 0 || n > 1024 ? -EINVAL : (int)n;
}

static int get_option(int fd, int option) {
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -1 : value;
}

/* The socket's path. Returns: 0; -EINVAL it is no socket that clients could find. */
static int activation_get_path(int fd, char *path, size_t size) {
	struct sockaddr_un address = {0};
	socklen_t len = sizeof(address);

	if (get_option(fd, SO_DOMAIN) != AF_UNIX || get_option(fd, SO_TYPE) != SOCK_SEQPACKET ||
		get_option(fd, SO_ACCEPTCONN) != 1) {
		return -EINVAL;
	}
	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0 || address.sun_path[0] != '/' ||
		strlen(address.sun_path) >= size) {
		return -EINVAL;
	}
	snprintf(path, size, "%s", address.sun_path);
	return 0;
}

int activation_take(int *out, char *path, size_t size) {
	int n = activation_count(), one = 1;

	*out = -1;
	if (n == 0) {
		return 0;
	}
	if (n != 1) {
		log_err("$LISTEN_FDS '%s': one socket is expected", getenv("LISTEN_FDS"));
		return -EINVAL;
	}
	if (activation_get_path(FIRST_FD, path, size) < 0) {
		log_err("the socket that was handed over is not a listening SEQPACKET socket with "
			"an absolute path (ListenSequentialPacket=)");
		return -EINVAL;
	}
	/* Since Linux 6.16 a connection takes this option over when it is made, not when it is
	 * accepted: too late then for those who have knocked already. */
	if (get_option(FIRST_FD, SO_PASSCRED) != 1) {
		log_warn("socket '%s': was opened without PassCredentials=yes, its first clients "
			 "may be turned away",
			path);
	}
	if (setsockopt(FIRST_FD, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0 ||
		fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) < 0 ||
		fcntl(FIRST_FD, F_SETFL, O_NONBLOCK) < 0) {
		log_err("cannot take the socket that was handed over: %s", strerror(errno));
		return -EINVAL;
	}
	*out = FIRST_FD;
	return 0;
}
