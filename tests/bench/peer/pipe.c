/* SPDX-License-Identifier: MIT */
/* A pipe of 1 MiB a reader, written to in turn. SOCKET: a Unix stream socket instead. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "peer.h"

static int fds[MAX_READERS][2]; // read end, write end
static unsigned n_fds, mine;
static uint8_t *buffer;

static const char *version(void) {
	static struct utsname u;

	uname(&u);
	return u.release;
}

static int prepare(const struct trial *t) {
	for (n_fds = 0; n_fds < t->n_readers; n_fds++) {
#ifdef SOCKET
		int size = 1 << 20; // the kernel allows net.core.wmem_max of it

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds[n_fds]) != 0) {
			return -1;
		}
		setsockopt(fds[n_fds][1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
#else
		if (pipe2(fds[n_fds], O_CLOEXEC) != 0) {
			return -1;
		}
		fcntl(fds[n_fds][1], F_SETPIPE_SZ, 1 << 20);
#endif
	}
	return 0;
}

static int produce(const struct trial *t) {
	(void)t;
	for (unsigned i = 0; i < n_fds; i++) {
		close(fds[i][0]);
	}
	return 0;
}

static int consume(const struct trial *t, unsigned index) {
	(void)t;
	mine = index;
	for (unsigned i = 0; i < n_fds; i++) {
		close(fds[i][1]);
		if (i != mine) {
			close(fds[i][0]);
		}
	}
	buffer = malloc(FRAME_BYTES);
	return buffer ? 0 : -1;
}

static int write_all(int fd, const uint8_t *from) {
	for (size_t done = 0; done < FRAME_BYTES;) {
		ssize_t n = write(fd, from + done, FRAME_BYTES - done);

		if (n < 0 && errno != EINTR) {
			return -1;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int send_to_all(const uint8_t *picture) {
	for (unsigned i = 0; i < n_fds; i++) {
		if (write_all(fds[i][1], picture) != 0) {
			return -1;
		}
	}
	return 0;
}

static const uint8_t *next(int timeout_ms) {
	struct pollfd p = {.fd = fds[mine][0], .events = POLLIN};

	if (poll(&p, 1, timeout_ms) != 1) {
		return NULL;
	}
	for (size_t done = 0; done < FRAME_BYTES;) {
		ssize_t n = read(fds[mine][0], buffer + done, FRAME_BYTES - done);

		if (n == 0 || (n < 0 && errno != EINTR)) {
			poll(NULL, 0, timeout_ms); // the producer has left
			return NULL;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	return buffer;
}

static void release(void) {
}

const struct peer peer = {
	.version = version,
	.deeds = 1 << COPY | 1 << FLOW | 1 << STOPPED,
	.prepare = prepare,
	.produce = produce,
	.consume = consume,
	.send = send_to_all,
	.next = next,
	.release = release,
};
