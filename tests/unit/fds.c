/* SPDX-License-Identifier: MIT */
/* Linked into every unit test: it fails where it ends with other descriptors than it began with. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define MAX_FDS 1024

static int n_fds;

static int count_fds(void) {
	int n = 0;

	for (int fd = 0; fd < MAX_FDS; fd++) {
		n += fcntl(fd, F_GETFD) >= 0;
	}
	return n;
}

__attribute__((constructor)) static void fds_note(void) {
	n_fds = count_fds();
}

__attribute__((destructor)) static void fds_check(void) {
	int n = count_fds();

	if (n != n_fds) {
		fprintf(stderr, "descriptors: %d at the end, %d at the start\n", n, n_fds);
		_exit(1);
	}
}
