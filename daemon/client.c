/* SPDX-License-Identifier: MIT */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include "adopt.h"
#include "consumer.h"
#include "health.h"
#include "label.h"
#include "log.h"
#include "move.h"
#include "producer.h"
#include "request.h"
#include "server.h"
#include "status.h"
#include "stream.h"

#define MAX_CLIENTS_OF_A_USER 64u
#define MAX_CLIENTS_OF_OUR_USER 512u
#define MAX_PACKETS_AT_ONCE 16     /* then it is the others' turn */
#define PATIENT_QUEUE_BYTES 65536u /* beyond this no request is read */
#define MAX_QUEUE_BYTES (8u << 20)
#define MAX_LOANS_UNREAD 32u          /* messages with descriptors: 16 are SEATs, few the rest */
#define LEAST_LOANS_BYTES (24u << 10) /* that the kernel counts for so many */
#define HELLO_S 5.0
#define STUCK_S 5.0
#define HELD_S 1.0 /* how often frames that a lost connection holds are looked at */
#define LOST_S 0.2 /* for a process to die after its socket closed */
#define RETRY_S 0.01

struct message {
	struct list link; // client.queue
	uint32_t n_fds;
	int fds[ZOE_MSG_MAX_FDS];
	struct zoe_msg_header header; // and the rest behind it
};

static void message_destroy(struct client *client, struct message *message) {
	client->queue_bytes -= message->header.size;
	for (uint32_t i = 0; i < message->n_fds; i++) {
		close(message->fds[i]);
	}
	list_remove(&message->link);
	free(message);
}

static void client_clear_queue(struct client *client) {
	while (!list_is_empty(&client->queue)) {
		message_destroy(client, list_entry(client->queue.next, (struct message *)0, link));
	}
}

static void client_set_timer(struct client *client, double seconds) {
	client->timer.repeat = seconds; /* 0 stops it */
	ev_timer_again(client->server->loop, &client->timer);
}

static void client_update_io(struct client *client) {
	int events = client->queue_bytes <= PATIENT_QUEUE_BYTES ? EV_READ : 0;

	if (!list_is_empty(&client->queue) && !client->is_backing_off) {
		events |= EV_WRITE;
	}
	if (client->state == CLIENT_LOST || client->is_doomed) {
		events = 0;
	}
	ev_io_stop(client->server->loop, &client->io);
	ev_io_set(&client->io, client->socket, events);
	if (events) {
		ev_io_start(client->server->loop, &client->io);
	}
}

bool client_can_receive(const struct client *client) {
	return client->state != CLIENT_LOST && !client->is_doomed && !client->is_dead &&
	       !client->is_evicted;
}

bool client_is_drained(const struct client *client) {
	return client_can_receive(client) && list_is_empty(&client->queue);
}

void client_doom(struct client *client) {
	if (!client->is_doomed) {
		client->is_doomed = true;
		list_append(&client->server->doomed, &client->doom_link);
		client_update_io(client);
	}
}

static int message_create(
	struct message **out, const struct zoe_msg_header *msg, const int *fds, uint32_t n_fds) {
	struct message *message = malloc(sizeof(*message) - sizeof(message->header) + msg->size);

	if (!message) {
		return -ENOMEM;
	}
	list_init(&message->link);
	memcpy(&message->header, msg, msg->size);
	for (message->n_fds = 0; message->n_fds < n_fds; message->n_fds++) {
		int fd = fcntl(fds[message->n_fds], F_DUPFD_CLOEXEC, 3);

		if (fd < 0) {
			while (message->n_fds > 0) {
				close(message->fds[--message->n_fds]);
			}
			free(message);
			return -EMFILE;
		}
		message->fds[message->n_fds] = fd;
	}
	*out = message;
	return 0;
}

static void client_enqueue(
	struct client *client, const struct zoe_msg_header *msg, const int *fds, uint32_t n_fds) {
	struct message *message = NULL;
	int r = message_create(&message, msg, fds, n_fds);

	if (r == 0 && client->queue_bytes + msg->size > MAX_QUEUE_BYTES) {
		list_append(&client->queue, &message->link);
		client->queue_bytes += msg->size;
		r = -ENOBUFS;
	} else if (r == 0) {
		if (list_is_empty(&client->queue) && client->state == CLIENT_READY) {
			client_set_timer(client, STUCK_S);
		}
		list_append(&client->queue, &message->link);
		client->queue_bytes += msg->size;
		client_update_io(client);
	}
	if (r < 0) {
		log_stranger("client %d: dropped, cannot queue what it does not read: %s",
			(int)client->who.pid, strerror(-r));
		client_doom(client);
	}
}

static void client_back_off(struct client *client) {
	client->is_backing_off = true;
	ev_timer_again(client->server->loop, &client->retry);
}

/* The kernel's own want, not the client's fault: what is to be sent or read stays as it is. */
static bool is_passing(int error) {
	return error == -ETOOMANYREFS || error == -ENOBUFS || error == -ENOMEM;
}

/* The descriptors in flight to all clients are counted against the broker's user as a whole, so
 * that no client may collect them. The kernel does not say how many a client has not read, but how
 * many bytes of packets, at 768 and more a packet; and none at all is a fresh start. */
static bool client_may_be_lent(struct client *client) {
	int bytes = 0;

	if (ioctl(client->socket, SIOCOUTQ, &bytes) == 0 && bytes == 0) {
		client->n_loans = 0;
	}
	client->n_loans++;
	return client->n_loans <= MAX_LOANS_UNREAD || bytes < (int)LEAST_LOANS_BYTES;
}

void client_send(
	struct client *client, const struct zoe_msg_header *msg, const int *fds, uint32_t n_fds) {
	int r = -EAGAIN;

	if (!client_can_receive(client)) {
		return;
	}
	if (n_fds > 0 && !client_may_be_lent(client)) {
		log_stranger(
			"client %d (%s): dropped, it does not read the descriptors it asked for",
			(int)client->who.pid, client->app);
		client_doom(client);
		return;
	}
	if (list_is_empty(&client->queue)) {
		r = zoe_wire_send(client->socket, msg, fds, n_fds);
	}
	if (is_passing(r)) {
		client_back_off(client);
		r = -EAGAIN;
	}
	if (r == -EAGAIN) {
		client_enqueue(client, msg, fds, n_fds);
	} else if (r < 0) {
		/* What it said last is still to be read, and then the end of file. */
		log_debug("client %d: cannot send: %s", (int)client->who.pid, strerror(-r));
	}
}

static void client_on_drained(struct client *client) {
	struct stream *stream;

	client_set_timer(client, 0.0);
	if (client->producer) {
		producer_continue(client->producer);
	}
	if (client->consumer && client->consumer->stream) {
		move_check_heard(client->consumer->stream);
	}
	if (client->has_missed_changes) {
		client->has_missed_changes = false;
		list_for_each(stream, &client->server->registry.streams, link) {
			status_send_stream(client, stream, ZOE_MSG_CHANGED);
		}
	}
}

static void client_flush(struct client *client) {
	while (!list_is_empty(&client->queue)) {
		struct message *message = list_entry(client->queue.next, (struct message *)0, link);
		int r = zoe_wire_send(
			client->socket, &message->header, message->fds, message->n_fds);

		if (is_passing(r)) {
			client_back_off(client);
		}
		if (r == -EAGAIN || is_passing(r)) {
			client_update_io(client);
			return;
		}
		message_destroy(client, message);
		if (client->state == CLIENT_READY && !client->is_evicted) {
			client_set_timer(client, STUCK_S);
		}
	}
	client_update_io(client);
	if (client->state == CLIENT_READY && !client->is_evicted) {
		client_on_drained(client);
	}
}

void client_refuse(struct client *client, const struct zoe_msg_header *request, int error,
	const char *format, ...) {
	struct zoe_msg_error msg;
	va_list args;

	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, request->type, request->serial);
	msg.header.status = error;
	va_start(args, format);
	vsnprintf(msg.text, sizeof(msg.text), format, args);
	va_end(args);
	label_clean(msg.text); /* names are quoted as they came, and end on terminals */
	log_debug("client %d (%s): refused: %s", (int)client->who.pid, client->app, msg.text);
	client_send(client, &msg.header, NULL, 0);
}

void client_evict(struct client *client, uint32_t type, int error, const char *sentence) {
	struct zoe_msg_error msg;

	if (client->is_evicted) {
		return;
	}
	log_info("client %d (%s): %s", (int)client->who.pid, client->app, sentence);
	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, type, 0);
	msg.header.status = error;
	zoe_wire_set_text(msg.text, sizeof(msg.text), sentence);
	client_send(client, &msg.header, NULL, 0);
	client->is_evicted = true;
	if (client->state == CLIENT_READY) {
		client_set_timer(client, STUCK_S);
	}
}

void client_reject(
	struct client *client, const struct zoe_msg_header *request, const char *sentence) {
	log_stranger(
		"client %d (%s): dropped, it sent %s", (int)client->who.pid, client->app, sentence);
	client_refuse(client, request, -EPROTO, "protocol error: %s", sentence);
	client_doom(client);
}

/* Returns: whether there may be more to read. */
static bool client_read_packet(struct client *client) {
	struct zoe_packet *packet = &client->server->packet;
	int r = zoe_wire_receive(client->socket, packet);

	if (r == -EAGAIN || is_passing(r)) {
		return false;
	}
	if (r == -EPROTO || r == -EMFILE) {
		struct zoe_msg_header none = {0};

		client_reject(client, &none, "a packet of a wrong size");
	} else if (r < 0) {
		client_doom(client);
	} else if (client->is_evicted) {
		log_debug("client %d: said something after its end", (int)client->who.pid);
	} else if (packet->pid != client->who.pid) {
		client_reject(client, &packet->header, "a packet from another process");
	} else {
		request_handle(client, packet);
	}
	zoe_packet_finish(packet);
	return !client->is_doomed;
}

static void client_on_io(struct ev_loop *loop, struct ev_io *io, int events) {
	struct client *client = container_of(io, struct client, io);

	(void)loop;
	if (events & EV_ERROR) {
		client_back_off(client); /* the loop has stopped to watch it */
	}
	if (events & EV_WRITE) {
		client_flush(client);
	}
	for (int i = 0; (events & EV_READ) && i < MAX_PACKETS_AT_ONCE; i++) {
		if (client->is_doomed || client->queue_bytes > PATIENT_QUEUE_BYTES ||
			!client_read_packet(client)) {
			break;
		}
	}
}

static void client_on_death(struct ev_loop *loop, struct ev_io *io, int events) {
	struct client *client = container_of(io, struct client, death);

	ev_io_stop(loop, io);
	if (events & EV_ERROR) {
		client_back_off(client); /* it lives, for all we know */
		return;
	}
	/* Its last words may be END or LEAVE. There is an end to them: it writes no more. */
	while (!client->is_doomed && client->state != CLIENT_LOST) {
		if (!client_read_packet(client)) {
			break;
		}
	}
	client->is_dead = true;
	client_doom(client);
}

static void client_on_timer(struct ev_loop *loop, struct ev_timer *timer, int events) {
	struct client *client = container_of(timer, struct client, timer);

	(void)events;
	ev_timer_stop(loop, timer);
	if (client->state == CLIENT_LOST && consumer_holds_frames(client->consumer)) {
		client_set_timer(client, HELD_S);
		return;
	}
	if (client->state == CLIENT_READY && !client->is_evicted) {
		log_stranger("client %d (%s): dropped, it has not read for %.0f s",
			(int)client->who.pid, client->app, STUCK_S);
	} else if (client->state != CLIENT_LOST && client->state != CLIENT_READY) {
		log_debug("client %d: dropped, it did not say HELLO", (int)client->who.pid);
	}
	client_doom(client);
}

static void client_on_retry(struct ev_loop *loop, struct ev_timer *timer, int events) {
	struct client *client = container_of(timer, struct client, retry);

	(void)events;
	ev_timer_stop(loop, timer);
	client->is_backing_off = false;
	if (!client->is_dead && client->pidfd >= 0) {
		ev_io_start(loop, &client->death);
	}
	if (client_can_receive(client) || (client->is_evicted && !client->is_doomed)) {
		client_flush(client);
	}
}

static uint32_t client_count_of_user(const struct server *server, uid_t uid) {
	const struct client *client;
	uint32_t n = 0;

	list_for_each(client, &server->clients, link) {
		n += client->who.uid == uid;
	}
	return n;
}

static int client_identify(struct client *client) {
	const struct server *server = client->server;
	uint32_t limit = MAX_CLIENTS_OF_A_USER;
	int r = credentials_init(&client->who, client->socket);

	if (r < 0) {
		return r;
	}
	if (client->who.uid == server->uid || client->who.uid == 0) {
		limit = MAX_CLIENTS_OF_OUR_USER;
	}
	if (client_count_of_user(server, client->who.uid) >= limit) {
		return -EUSERS;
	}
	client->pidfd = health_open(client->socket, client->who.pid, &client->start_time);
	if (client->pidfd < 0) {
		return client->pidfd;
	}
	return getrandom(&client->nonce, sizeof(client->nonce), 0) < 0 ? -errno : 0;
}

/* Nothing comes in any more, and what is there is taken out as all else is: left to close(2), the
 * kernel would close what lies in it, be it ever so slow. */
static void client_hang_up(struct client *client) {
	struct zoe_packet *packet = &client->server->packet;
	int r;

	if (client->socket < 0) {
		return;
	}
	(void)shutdown(client->socket, SHUT_RD);
	do {
		r = zoe_wire_receive(client->socket, packet);
		zoe_packet_finish(packet);
		/* An empty packet has a sender; the end of the file has none. */
	} while (r == 0 || packet->uid != (uid_t)-1);
	close(steal_fd(&client->socket));
}

static void client_free(struct client *client) {
	struct ev_loop *loop = client->server->loop;

	ev_io_stop(loop, &client->io);
	ev_io_stop(loop, &client->death);
	ev_timer_stop(loop, &client->timer);
	ev_timer_stop(loop, &client->retry);
	client_clear_queue(client);
	client_hang_up(client);
	cleanup_fd_fn(&client->pidfd);
	hand_in_destroy(client->hand_in);
	credentials_finish(&client->who);
	list_remove(&client->link);
	list_remove(&client->doom_link);
	free(client);
}

static void client_turn_away(struct client *client, int error) {
	struct zoe_msg_header hello = {.type = ZOE_MSG_HELLO};
	const char *why = strerror(-error);

	if (error == -EUSERS) {
		why = "too many connections of one user";
	} else if (error == -EOPNOTSUPP) {
		why = "its pid is not visible to the broker (a container?), which needs Linux 6.5";
	}
	log_stranger(
		"client %d, uid %u: turned away: %s", (int)client->who.pid, client->who.uid, why);
	client_refuse(client, &hello, error, "turned away: %s", why);
}

static struct client *client_alloc(struct server *server, int socket) {
	struct client *client = calloc(1, sizeof(*client));

	if (!client) {
		return NULL;
	}
	client->server = server;
	client->socket = socket;
	client->pidfd = -1;
	list_init(&client->link);
	list_init(&client->doom_link);
	list_init(&client->queue);
	ev_io_init(&client->io, client_on_io, socket, EV_READ);
	ev_io_init(&client->death, client_on_death, -1, EV_READ);
	ev_timer_init(&client->timer, client_on_timer, 0.0, 0.0);
	ev_timer_init(&client->retry, client_on_retry, 0.0, RETRY_S);
	return client;
}

int client_create_absent(struct client **out, struct server *server, double seconds) {
	struct client *client = client_alloc(server, -1);

	if (!client) {
		return -ENOMEM;
	}
	client->state = CLIENT_LOST;
	client->is_absent = true;
	client->who.uid = (uid_t)-1;
	zoe_wire_set_text(client->app, sizeof(client->app), "(not back yet)");
	list_append(&server->clients, &client->link);
	server->n_clients++;
	client_set_timer(client, seconds);
	*out = client;
	return 0;
}

int client_create(struct server *server, int socket) {
	struct client *client = client_alloc(server, socket);
	int r;

	if (!client) {
		close(socket);
		return -ENOMEM;
	}
	r = client_identify(client);
	if (r < 0) {
		client_turn_away(client, r);
		client_free(client);
		return r;
	}
	list_append(&server->clients, &client->link);
	server->n_clients++;
	notify_status(&server->notify);
	ev_io_start(server->loop, &client->io);
	ev_io_set(&client->death, client->pidfd, EV_READ);
	ev_io_start(server->loop, &client->death);
	client_set_timer(client, HELLO_S);
	return 0;
}

void client_abandon(struct client *client) {
	if (client->consumer) {
		cleanup_fd_fn(&client->consumer->bell);
	}
	free(client->producer);
	free(client->consumer);
	free(client->turn);
	client_free(client);
}

/* Its process may still write into what it has mapped: it gets a moment to die. Or it holds frames,
 * which stay as they are until it lets go of them. */
static void client_lose(struct client *client) {
	if (client->consumer) {
		consumer_detach(client->consumer);
	}
	client->state = CLIENT_LOST;
	client_clear_queue(client);
	client_update_io(client);
	ev_timer_stop(client->server->loop, &client->retry);
	client_hang_up(client);
	client_set_timer(client, LOST_S);
}

static void client_end(struct client *client) {
	struct server *server = client->server;
	bool is_dead = client->is_dead || health_is_dead(client->pidfd);

	list_remove(&client->doom_link);
	client->is_doomed = false;
	if (!is_dead && client->state != CLIENT_LOST &&
		(client->producer || consumer_holds_frames(client->consumer))) {
		client_lose(client);
		return;
	}
	client->is_dead = true; /* nothing is sent to it from here on */
	producer_destroy(client->producer, is_dead ? PRODUCER_DIED : PRODUCER_VANISHED);
	consumer_destroy(client->consumer);
	turn_destroy(client->turn);
	server->n_clients--;
	notify_status(&server->notify);
	client_free(client);
}

/* A process that comes back is not about to die: what its lost connections held is free, above all
 * for itself. */
static void client_end_lost(struct server *server, pid_t pid) {
	struct client *client, *after;

	list_for_each_safe(client, after, &server->clients, link) {
		if (client->state == CLIENT_LOST && client->who.pid == pid &&
			!consumer_holds_frames(client->consumer)) {
			client_end(client);
		}
	}
}

void client_set_ready(struct client *client) {
	if (!health_is_same(client->who.pid, client->start_time)) {
		log_stranger("client %d: dropped, another process has its number now",
			(int)client->who.pid);
		client_doom(client);
		return;
	}
	client_end_lost(client->server, client->who.pid);
	client->state = CLIENT_READY;
	client_set_timer(client, list_is_empty(&client->queue) ? 0.0 : STUCK_S);
}

void client_end_doomed(struct server *server) {
	while (!list_is_empty(&server->doomed)) {
		client_end(list_entry(server->doomed.next, (struct client *)0, doom_link));
	}
}
