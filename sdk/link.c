/* SPDX-License-Identifier: MIT */
#include "link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ring_wait.h"

enum { BACK_OFF_FIRST_MS = 10, BACK_OFF_LAST_MS = 500 };

void zoe_link_init(struct zoe_link *link, struct zoe_client *client) {
	*link = (struct zoe_link){.client = client, .fd = -1, .epoll = -1};
}

/* A forked child may have the socket open too: closing ours would neither tell the broker nor take
 * it out of the epoll set. */
static void link_close(struct zoe_link *link) {
	if (link->fd < 0) {
		return;
	}
	if (link->epoll >= 0) {
		epoll_ctl(link->epoll, EPOLL_CTL_DEL, link->fd, NULL);
	}
	shutdown(link->fd, SHUT_RDWR);
	close(steal_fd(&link->fd));
}

void zoe_link_drop(struct zoe_link *link) {
	uint32_t next = link->back_off_ms ? link->back_off_ms * 2 : BACK_OFF_FIRST_MS;

	link_close(link);
	link->n_notes = 0;
	link->state = ZOE_LINK_DOWN;
	link->back_off_ms = next < BACK_OFF_LAST_MS ? next : BACK_OFF_LAST_MS;
	link->retry_ns = zoe_now_ns() + link->back_off_ms * UINT64_C(1000000);
}

void zoe_link_finish(struct zoe_link *link) {
	link_close(link);
	*link = (struct zoe_link){.fd = -1, .epoll = -1};
}

/* The i-th place to look for a socket. Returns: false past the last; path "" = skip. */
static bool socket_path(const struct zoe_client *c, unsigned i, char *path, size_t size) {
	const char *from = NULL;
	int n = 0;

	path[0] = 0;
	if (c->socket[0]) {
		snprintf(path, size, "%s", c->socket);
		return i == 0;
	}
	if (i == 0) {
		from = secure_getenv("ZOETROPE_SOCKET");
		n = from ? snprintf(path, size, "%s", from) : 0;
	} else if (i == 1) {
		from = secure_getenv("XDG_RUNTIME_DIR");
		n = from ? snprintf(path, size, "%s/zoetrope/socket", from) : 0;
	} else {
		n = snprintf(path, size, "/run/zoetrope/socket");
	}
	if (n < 0 || (size_t)n >= size) {
		path[0] = 0;
	}
	return i < 3;
}

static int socket_connect(const char *path, int *out) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cleanup_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return -errno;
	}
	memcpy(address.sun_path, path, strnlen(path, sizeof(address.sun_path) - 1));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		return -errno;
	}
	*out = steal_fd(&fd);
	return 0;
}

/* Tries all places; remembers each for the sentence. */
static int link_dial(struct zoe_link *link) {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)], tried[400] = "";
	size_t len = 0;
	int error = -ENOENT;

	for (unsigned i = 0; socket_path(link->client, i, path, sizeof(path)); i++) {
		int one, n;

		if (!path[0]) {
			continue;
		}
		one = socket_connect(path, &link->fd);
		if (one == 0) {
			return 0;
		}
		if (error == -ENOENT) {
			error = one;
		}
		n = snprintf(tried + len, sizeof(tried) - len, "%s%s (%s)", len ? ", " : "", path,
			strerror(-one));
		len = n < 0 || len + (size_t)n >= sizeof(tried) ? len : len + (size_t)n;
	}
	return zoe_client_fail(
		link->client, error, "cannot reach a broker (zoetroped): tried %s", tried);
}

static int link_hello(struct zoe_link *link) {
	struct zoe_msg_hello hello;
	int error;

	memset(&hello, 0, sizeof(hello));
	zoe_msg_init(&hello, ZOE_MSG_HELLO, ++link->serial);
	hello.protocol_version = ZOE_PROTOCOL_VERSION;
	hello.ring_version = ZOE_RING_VERSION;
	zoe_wire_set_text(hello.app, sizeof(hello.app), link->client->app);
	error = zoe_wire_send(link->fd, &hello.header, NULL, 0);
	return error ? zoe_client_fail(
			       link->client, error, "cannot greet the broker: %s", strerror(-error))
		     : 0;
}

static int link_start(struct zoe_link *link) {
	int error;

	if (zoe_now_ns() < link->retry_ns) {
		return -EAGAIN;
	}
	error = link_dial(link);
	if (!error) {
		error = link_hello(link);
	}
	if (error) {
		zoe_link_drop(link);
		return error;
	}
	if (link->epoll >= 0) {
		struct epoll_event event = {.events = EPOLLIN};

		epoll_ctl(link->epoll, EPOLL_CTL_ADD, link->fd, &event);
	}
	link->state = ZOE_LINK_HELLO;
	return -EAGAIN;
}

static int link_receive(struct zoe_link *link) {
	int error;

	if (link->fd < 0) {
		return -EAGAIN;
	}
	error = zoe_wire_receive(link->fd, link->client->packet);
	if (error) {
		zoe_packet_finish(link->client->packet);
	}
	if (error && error != -EAGAIN) {
		zoe_link_drop(link);
		return zoe_client_fail(link->client, error, "the broker's connection is lost: %s",
			error == -EPIPE ? "it hung up" : strerror(-error));
	}
	return error;
}

static int link_welcome(struct zoe_link *link) {
	const struct zoe_msg_welcome *welcome;
	struct zoe_msg_echo echo;
	int error = link_receive(link);

	if (error) {
		return error;
	}
	welcome = zoe_packet_get(link->client->packet, sizeof(*welcome));
	if (link->client->packet->header.status < 0) {
		error = zoe_client_fail_packet(link->client, link->client->packet);
	} else if (!welcome || welcome->header.type != ZOE_MSG_HELLO) {
		error = zoe_client_fail(
			link->client, -EPROTO, "the broker's greeting is not understood");
	} else if (welcome->ring_version != ZOE_RING_VERSION) {
		error = zoe_client_fail(link->client, -EPROTO,
			"the broker speaks ring version %u, this library %u", welcome->ring_version,
			ZOE_RING_VERSION);
	} else {
		memset(&echo, 0, sizeof(echo));
		zoe_msg_init(&echo, ZOE_MSG_ECHO, 0);
		echo.nonce = welcome->nonce;
		link->broker_id = welcome->broker_id;
		error = zoe_wire_send(link->fd, &echo.header, NULL, 0);
		if (error) {
			zoe_client_fail(link->client, error, "cannot greet the broker: %s",
				strerror(-error));
		}
	}
	zoe_packet_finish(link->client->packet);
	if (error) {
		zoe_link_drop(link);
		return error;
	}
	link->state = ZOE_LINK_UP;
	link->back_off_ms = 0;
	link->epoch++;
	return 0;
}

int zoe_link_step(struct zoe_link *link) {
	if (link->state == ZOE_LINK_DOWN) {
		int error = link_start(link);

		if (link->state == ZOE_LINK_DOWN) {
			return error;
		}
	}
	return link->state == ZOE_LINK_HELLO ? link_welcome(link) : 0;
}

int zoe_link_connect(struct zoe_link *link, const struct zoe_deadline *deadline) {
	for (;;) {
		int error = zoe_link_step(link);

		if (error != -EAGAIN) {
			return error;
		}
		if (zoe_deadline_left(deadline) == 0) {
			return zoe_client_fail(link->client,
				deadline->end_ns ? -ETIMEDOUT : -EAGAIN,
				"connect to the broker: no answer in time");
		}
		zoe_link_poll(link, deadline, 10);
	}
}

static int link_send(
	struct zoe_link *link, const struct zoe_msg_header *msg, const int *fds, uint32_t n_fds) {
	int error = zoe_wire_send(link->fd, msg, fds, n_fds);

	if (error && error != -EAGAIN) {
		/* What the broker said last may still lie there: leave the socket readable, EOF
		 * follows. */
		shutdown(link->fd, SHUT_WR);
		return zoe_client_fail(
			link->client, error, "cannot send to the broker: %s", strerror(-error));
	}
	return error;
}

/* Returns: 0 none is left; as link_send(). */
static int link_send_notes(struct zoe_link *link) {
	uint32_t n_sent = 0;
	int error = 0;

	while (n_sent < link->n_notes && error == 0) {
		error = link_send(link, &link->notes[n_sent].header, NULL, 0);
		n_sent += error == 0;
	}
	if (n_sent > 0) {
		link->n_notes -= n_sent;
		memmove(link->notes, link->notes + n_sent, link->n_notes * sizeof(*link->notes));
	}
	return error;
}

int zoe_link_send(struct zoe_link *link, const struct zoe_msg_header *msg) {
	return zoe_link_send_fds(link, msg, NULL, 0);
}

int zoe_link_send_fds(
	struct zoe_link *link, const struct zoe_msg_header *msg, const int *fds, uint32_t n_fds) {
	int error;

	if (link->state != ZOE_LINK_UP) {
		return -EAGAIN;
	}
	error = link_send_notes(link);
	return error ? error : link_send(link, msg, fds, n_fds);
}

/* An acknowledgement says all that one before it said. Returns: the one that waits; NULL. */
static struct zoe_link_note *link_find_ack(struct zoe_link *link) {
	for (uint32_t i = 0; i < link->n_notes; i++) {
		if (link->notes[i].header.type == ZOE_MSG_ROSTER_ACK) {
			return &link->notes[i];
		}
	}
	return NULL;
}

void zoe_link_post(struct zoe_link *link, const struct zoe_link_note *note) {
	struct zoe_link_note *ack;

	if (zoe_link_send(link, &note->header) != -EAGAIN || link->state != ZOE_LINK_UP) {
		return; /* without a connection there is nothing to leave */
	}
	ack = note->header.type == ZOE_MSG_ROSTER_ACK ? link_find_ack(link) : NULL;
	if (ack) {
		*ack = *note;
	} else if (link->n_notes < ZOE_LINK_NOTES) {
		link->notes[link->n_notes++] = *note;
	} else {
		zoe_link_drop(link);
	}
}

int zoe_link_receive(struct zoe_link *link) {
	/* The greeting is link_welcome()'s, whenever it comes. */
	if (link->state != ZOE_LINK_UP) {
		return -EAGAIN;
	}
	(void)link_send_notes(link); /* what went wrong is told by the receive */
	return link_receive(link);
}

void zoe_link_hang_up(struct zoe_link *link, int longest_ms) {
	struct zoe_deadline deadline = zoe_deadline_init(longest_ms);
	int error = -EAGAIN;

	while (error == -EAGAIN && link->n_notes > 0 && zoe_deadline_left(&deadline) > 0) {
		struct pollfd pfd = {.fd = link->fd, .events = POLLOUT};

		poll(&pfd, 1, zoe_deadline_poll_ms(&deadline, longest_ms));
		error = link_send_notes(link);
	}
	error = link->fd < 0 || shutdown(link->fd, SHUT_WR) < 0 ? -EPIPE : 0;

	while (!error || error == -EAGAIN) {
		if (zoe_deadline_left(&deadline) == 0) {
			return;
		}
		zoe_link_poll(link, &deadline, longest_ms);
		error = zoe_wire_receive(link->fd, link->client->packet);
		zoe_packet_finish(link->client->packet);
	}
}

void zoe_link_poll(
	const struct zoe_link *link, const struct zoe_deadline *deadline, int longest_ms) {
	struct pollfd pfd = {.fd = link->fd, .events = POLLIN};

	poll(&pfd, 1, zoe_deadline_poll_ms(deadline, longest_ms));
}
