/* SPDX-License-Identifier: MIT */
#include "health.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "attr.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* Field 22 of proc(5)'s stat, the first 19 of which follow the name in parentheses. */
static uint64_t health_read_start_time(pid_t pid) {
	char path[32], text[1024];
	const char *at;
	cleanup_fd int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return 0;
	}
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0) {
		return 0;
	}
	text[n] = '\0';
	at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++) {
		at = strchr(at + 1, ' ');
	}
	return at ? strtoull(at + 1, NULL, 10) : 0;
}

static int health_open_by_number(pid_t pid, uint64_t *start_time) {
	uint64_t before = health_read_start_time(pid);
	cleanup_fd int fd = -1;

	if (pid <= 0) {
		return -EOPNOTSUPP;
	}
	fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0) {
		return -errno;
	}
	if (before == 0 || health_read_start_time(pid) != before) {
		return -ESRCH;
	}
	*start_time = before;
	return steal_fd(&fd);
}

int health_open(int socket, pid_t pid, uint64_t *start_time) {
	int fd = -1;
	socklen_t size = sizeof(fd);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0) {
		*start_time = 0;
		return fd;
	}
	if (errno != ENOPROTOOPT) {
		return -errno;
	}
	return health_open_by_number(pid, start_time);
}

bool health_is_same(pid_t pid, uint64_t start_time) {
	return start_time == 0 || health_read_start_time(pid) == start_time;
}

bool health_is_dead(int pidfd) {
	struct pollfd fd = {.fd = pidfd, .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}
