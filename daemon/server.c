/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "activation.h"
#include "cgroup.h"
#include "client.h"
#include "log.h"
#include "memfd.h"
#include "memory.h"
#include "reload.h"
#include "ring_wait.h"

#define BACKLOG 64
#define MAX_ACCEPTS_AT_ONCE 16
#define PAUSE_S 0.1

static void server_on_pause(struct ev_loop *loop, struct ev_timer *timer, int events) {
	struct server *server = container_of(timer, struct server, pause);

	(void)events;
	ev_io_start(loop, &server->accept);
}

/* What waits stays in the queue meanwhile, and the loop would spin on it. */
static void server_pause(struct server *server, const char *why) {
	log_warn("cannot accept: %s", why);
	ev_io_stop(server->loop, &server->accept);
	ev_timer_set(&server->pause, PAUSE_S, 0.0);
	ev_timer_start(server->loop, &server->pause);
}

static void server_on_accept(struct ev_loop *loop, struct ev_io *io, int events) {
	struct server *server = container_of(io, struct server, accept);

	(void)loop;
	if (events & EV_ERROR) {
		server_pause(server, "the socket cannot be watched");
		return;
	}
	for (int i = 0; i < MAX_ACCEPTS_AT_ONCE; i++) {
		int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			(void)client_create(server, fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			   errno == ENOBUFS) {
			server_pause(server, strerror(errno));
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

static void server_on_signal(struct signals *signals, int signum) {
	struct server *server = container_of(signals, struct server, signals);

	if (signum == SIGHUP) {
		reload_on_hangup(server);
		return;
	}
	log_debug("signal %d: ends", signum);
	notify_stopping(&server->notify);
	ev_break(server->loop, EVBREAK_ALL);
}

/* Last thing before the loop sleeps: nobody is in the middle of anything. */
static void server_on_settle(struct ev_loop *loop, struct ev_prepare *watcher, int events) {
	struct server *server = container_of(watcher, struct server, settle);

	(void)loop;
	(void)events;
	client_end_doomed(server);
	registry_tell_watchers(server);
	client_end_doomed(server);
	loop_tend();
}

/* Whether a socket can be made at that path; makes its directory if only that is missing. */
static bool server_can_bind(const char *path) {
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir) {
		return true;
	}
	*slash = '\0';
	if (mkdir(dir, 0755) < 0 && errno != EEXIST) {
		return false;
	}
	return access(dir, W_OK | X_OK) == 0;
}

static int server_set_path(struct server *server, const char *path) {
	/* SOCKET.new and SOCKET.lock are to fit as well. */
	if (strlen(path) + strlen(".lock") >= sizeof(server->socket_path)) {
		log_err("socket '%s': the path is too long, at most %zu bytes", path,
			sizeof(server->socket_path) - strlen(".lock") - 1);
		return -ENAMETOOLONG;
	}
	snprintf(server->socket_path, sizeof(server->socket_path), "%s", path);
	return 0;
}

/* --socket, the config and $ZOETROPE_SOCKET are orders; the others are tried in turn. */
static int server_choose_path(struct server *server, const struct server_options *options) {
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	const char *order = options->socket;
	char path[512];

	if (!order) {
		order = options->config->broker.socket;
	}
	if (!order) {
		order = getenv("ZOETROPE_SOCKET");
	}
	if (order && order[0]) {
		(void)server_can_bind(order); /* for its directory; bind says the rest */
		return server_set_path(server, order);
	}
	if (runtime && runtime[0]) {
		snprintf(path, sizeof(path), "%s/zoetrope/socket", runtime);
		if (server_can_bind(path)) {
			return server_set_path(server, path);
		}
	}
	if (server_can_bind("/run/zoetrope/socket")) {
		return server_set_path(server, "/run/zoetrope/socket");
	}
	log_err("no directory for the socket: neither $XDG_RUNTIME_DIR/zoetrope nor "
		"/run/zoetrope can be written; use --socket");
	return -EACCES;
}

static int server_lock(struct server *server) {
	char path[sizeof(server->socket_path) + 8], text[32] = "";
	cleanup_fd int fd = -1;

	snprintf(path, sizeof(path), "%s.lock", server->socket_path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0) {
		int r = -errno;

		log_err("socket '%s': cannot open its lock: %s", server->socket_path, strerror(-r));
		return r;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		log_err("socket '%s': a broker runs already, pid %d", server->socket_path,
			n > 0 ? atoi(text) : 0);
		return -EADDRINUSE;
	}
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, strlen(text), 0) < 0) {
		log_warn("socket '%s': cannot write its lock: %s", server->socket_path,
			strerror(errno));
	}
	server->lock = steal_fd(&fd);
	return 0;
}

/* Bound under another name and renamed, so that a leftover is no obstacle and nobody can connect
 * before the mode is set. */
static int server_bind(struct server *server, int fd) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char path[sizeof(server->socket_path) + 8];
	int one = 1;

	snprintf(path, sizeof(path), "%s.new", server->socket_path);
	zoe_wire_set_text(address.sun_path, sizeof(address.sun_path), path);
	(void)unlink(path);
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0 ||
		bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		return -errno;
	}
	if (chmod(path, server->config->broker.socket_mode) < 0 || listen(fd, BACKLOG) < 0 ||
		rename(path, server->socket_path) < 0) {
		int r = -errno;

		(void)unlink(path);
		return r;
	}
	return 0;
}

static int server_listen(struct server *server) {
	cleanup_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = fd < 0 ? -errno : server_bind(server, fd);

	if (r < 0) {
		log_err("socket '%s': cannot listen: %s", server->socket_path, strerror(-r));
		return r;
	}
	server->listener = steal_fd(&fd);
	return 0;
}

static void server_watch(struct server *server) {
	struct ev_loop *loop = server->loop;

	ev_io_init(&server->accept, server_on_accept, server->listener, EV_READ);
	ev_timer_init(&server->pause, server_on_pause, 0.0, 0.0);
	ev_prepare_init(&server->settle, server_on_settle);
	ev_io_start(loop, &server->accept);
	ev_prepare_start(loop, &server->settle);
}

/* Beyond the cgroup's limit the kernel would end processes; something is left for their own. */
static void server_set_memory_limit(struct server *server) {
	uint64_t most = cgroup_get_memory_max("/proc/self/cgroup", "/sys/fs/cgroup");
	uint64_t limit = server->config->broker.memory_limit;

	server->memory_limit = limit;
	if (most != UINT64_MAX && limit > most / 5 * 4) {
		server->memory_limit = most / 5 * 4;
		log_warn("memory_limit: lowered from %llu to %llu bytes, 80 %% of the cgroup's "
			 "memory.max",
			(unsigned long long)limit, (unsigned long long)server->memory_limit);
	}
}

void server_apply_config(struct server *server) {
	const struct broker_config *broker = &server->config->broker;

	server->load_ns = zoe_now_ns();
	server->failure_ns = 0;
	log_set_level((enum log_level)broker->log_level);
	server_set_memory_limit(server);
	if (server->listener >= 0 && !server->is_activated &&
		chmod(server->socket_path, broker->socket_mode) < 0) {
		log_warn("socket '%s': cannot set its mode: %s", server->socket_path,
			strerror(errno));
	}
}

/* The service manager's socket if it gave one, whatever else is said about a path; else a path and
 * its lock. */
static int server_find_place(struct server *server, const struct server_options *options) {
	const char *order = options->socket ? options->socket : options->config->broker.socket;
	int r = activation_take(
		&server->listener, server->socket_path, sizeof(server->socket_path));

	if (r < 0) {
		return r;
	}
	server->is_activated = server->listener >= 0;
	if (!server->is_activated) {
		r = server_choose_path(server, options);
		return r < 0 ? r : server_lock(server);
	}
	if (order && strcmp(order, server->socket_path) != 0) {
		log_warn("socket '%s': is not used, the service manager has opened '%s'", order,
			server->socket_path);
	}
	/* The manager runs one of us; the lock tells those whom it does not run. */
	return server_can_bind(server->socket_path) ? server_lock(server) : 0;
}

static int server_open(struct server *server, const struct server_options *options) {
	int r = server_find_place(server, options);

	if (r == 0) {
		r = registry_init(server);
		if (r < 0) {
			log_err("cannot set up the streams: %s", strerror(-r));
		}
	}
	if (r == 0 && !server->is_activated) {
		r = server_listen(server);
	}
	if (r == 0) {
		r = signals_init(&server->signals, server->loop, server_on_signal);
		if (r < 0) {
			log_err("cannot wait for signals: %s", strerror(-r));
		}
	}
	if (r == 0) {
		server_watch(server);
		notify_init(&server->notify, server);
	}
	return r;
}

int server_create(struct server **out, const struct server_options *options) {
	struct server *server = calloc(1, sizeof(*server));
	int r;

	if (!server) {
		log_err("out of memory");
		return -ENOMEM;
	}
	server->lock = server->listener = server->notify.fd = -1;
	server->config = options->config;
	server->config_path = options->config_path ? options->config_path : "(built in)";
	server->has_file = options->config_path != NULL;
	server->uid = geteuid();
	server->start_ns = zoe_now_ns();
	server_apply_config(server);
	list_init(&server->clients);
	list_init(&server->doomed);
	list_init(&server->configs);
	list_init(&server->registry.streams);
	list_init(&server->registry.parked);
	server->protection = memfd_get_protection();
	server->loop = loop_create();
	if (!server->loop || getrandom(&server->broker_id, sizeof(server->broker_id), 0) < 0 ||
		getrandom(&server->last_consumer, sizeof(server->last_consumer), 0) < 0 ||
		getrandom(&server->last_group, sizeof(server->last_group), 0) < 0) {
		log_err("cannot make the event loop");
		server_destroy(server);
		return -ENOMEM;
	}
	r = server_open(server, options);
	if (r < 0) {
		server_destroy(server);
		return r;
	}
	*out = server;
	return 0;
}

void server_run(struct server *server) {
	log_info("ready on %s, pid %d, config %s, protection %s", server->socket_path,
		(int)getpid(), server->config_path, server->protection);
	notify_ready(&server->notify);
	ev_run(server->loop, 0);
}

void server_destroy(struct server *server) {
	struct client *client, *after;

	if (!server) {
		return;
	}
	if (server->listener >= 0) {
		if (!server->is_activated) {
			(void)unlink(server->socket_path);
		}
		close(server->listener);
	}
	/* Rings stay as they are: those who use them go on. */
	registry_finish(server);
	list_for_each_safe(client, after, &server->clients, link) {
		client_abandon(client);
	}
	reload_finish(server);
	cleanup_fd_fn(&server->lock);
	notify_finish(&server->notify);
	signals_finish(&server->signals);
	loop_destroy(server->loop);
	free(server);
}
