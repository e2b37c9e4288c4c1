/* SPDX-License-Identifier: MIT */
#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "list.h"
#include "log.h"
#include "memory.h"
#include "ring_wait.h"
#include "server.h"

#define STATUS_S 1.0 /* at most one status line in so long */
#define USEC 1e-6

static int notify_send(const struct notify *notify, const char *text) {
	ssize_t n = sendto(notify->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
		(const struct sockaddr *)&notify->address, notify->address_size);

	return n < 0 ? -errno : 0;
}

static void notify_describe(const struct notify *notify, char *text, size_t size) {
	struct server *server = notify->server;

	snprintf(text, size,
		"%" PRIu32 " streams, %" PRIu32 " clients, %" PRIu64 " of %" PRIu64 " MiB lent",
		server->registry.n_streams, server->n_clients, memory_get_used(server) >> 20,
		server->memory_limit >> 20);
}

static void notify_print_state(const struct notify *notify, char *text, size_t size) {
	switch (notify->state) {
	case NOTIFY_READY:
		snprintf(text, size, "READY=1\n");
		break;
	case NOTIFY_RELOADS:
		/* Type=notify-reload (systemd 253) wants to know which HUP this answers. */
		snprintf(text, size, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n",
			zoe_now_ns() / 1000);
		break;
	case NOTIFY_STOPS:
		snprintf(text, size, "STOPPING=1\n");
		break;
	case NOTIFY_STARTS:
	default:
		text[0] = '\0';
		break;
	}
}

/* Tells state and status. What finds the manager busy is told again a second later. */
static void notify_tell(struct notify *notify) {
	char state[64], status[sizeof(notify->told)], text[sizeof(state) + sizeof(status) + 16];

	notify_print_state(notify, state, sizeof(state));
	notify_describe(notify, status, sizeof(status));
	snprintf(text, sizeof(text), "%sSTATUS=%s\n", state, status);
	memcpy(notify->told, status, sizeof(status));
	if (notify_send(notify, text) == -EAGAIN) {
		notify->told[0] = '\0';
	}
	ev_timer_again(notify->server->loop, &notify->status);
}

static void notify_on_status(struct ev_loop *loop, struct ev_timer *timer, int events) {
	struct notify *notify = container_of(timer, struct notify, status);
	char status[sizeof(notify->told)];

	(void)events;
	notify_describe(notify, status, sizeof(status));
	if (strcmp(status, notify->told) == 0) {
		ev_timer_stop(loop, timer); /* nothing is left to tell, and the loop may sleep */
	} else {
		notify_tell(notify);
	}
}

static void notify_on_watchdog(struct ev_loop *loop, struct ev_timer *timer, int events) {
	struct notify *notify = container_of(timer, struct notify, watchdog);

	(void)loop;
	(void)events;
	(void)notify_send(notify, "WATCHDOG=1\n");
}

/* A path, or with @ in front a name that is in no file system. Returns: 0; -EINVAL. */
static int notify_set_address(struct notify *notify, const char *name) {
	size_t len = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || len < 2 ||
		len >= sizeof(notify->address.sun_path)) {
		return -EINVAL;
	}
	notify->address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(notify->address.sun_path, name, len);
	if (name[0] == '@') {
		notify->address.sun_path[0] = '\0';
	}
	notify->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return 0;
}

/* Half the time that the manager gives us between two signs of life. Returns: 0 it asks for none.
 */
static double notify_get_pace(void) {
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	char *end = NULL;
	unsigned long long time;

	if (!usec || (pid && strtol(pid, NULL, 10) != (long)getpid())) {
		return 0.0;
	}
	errno = 0;
	time = strtoull(usec, &end, 10);
	if (errno || end == usec || *end || time == 0) {
		log_warn("$WATCHDOG_USEC '%s' is no time, sends no signs of life", usec);
		return 0.0;
	}
	return (double)time * USEC / 2;
}

void notify_init(struct notify *notify, struct server *server) {
	const char *name = getenv("NOTIFY_SOCKET");
	double pace;

	*notify = (struct notify){.server = server, .fd = -1};
	ev_timer_init(&notify->status, notify_on_status, 0.0, STATUS_S);
	ev_timer_init(&notify->watchdog, notify_on_watchdog, 0.0, 0.0);
	if (!name || !name[0]) {
		return;
	}
	if (notify_set_address(notify, name) < 0) {
		log_warn("$NOTIFY_SOCKET '%s' is no socket's name, tells nobody", name);
		return;
	}
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify->fd < 0) {
		log_warn("cannot tell '%s' anything: %s", name, strerror(errno));
		return;
	}
	pace = notify_get_pace();
	if (pace > 0.0) {
		notify->watchdog.repeat = pace;
		ev_timer_again(server->loop, &notify->watchdog);
	}
}

void notify_finish(struct notify *notify) {
	if (notify->server) {
		ev_timer_stop(notify->server->loop, &notify->status);
		ev_timer_stop(notify->server->loop, &notify->watchdog);
		cleanup_fd_fn(&notify->fd);
	}
	*notify = (struct notify){.fd = -1};
}

static void notify_set_state(struct notify *notify, enum notify_state state) {
	notify->state = state;
	if (notify->fd >= 0) {
		notify_tell(notify);
	}
}

void notify_ready(struct notify *notify) {
	notify_set_state(notify, NOTIFY_READY);
}

void notify_reloading(struct notify *notify) {
	notify_set_state(notify, NOTIFY_RELOADS);
}

void notify_stopping(struct notify *notify) {
	notify_set_state(notify, NOTIFY_STOPS);
}

void notify_status(struct notify *notify) {
	if (notify->fd >= 0 && notify->state != NOTIFY_STARTS && !ev_is_active(&notify->status)) {
		ev_timer_again(notify->server->loop, &notify->status);
	}
}
