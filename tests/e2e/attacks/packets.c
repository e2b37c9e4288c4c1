/* SPDX-License-Identifier: MIT */
/*
 * Attacks by packets that no library sends: cut, lying, out of turn, with too much in them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rogue.h"

static struct zoe_msg_header make_list(void) {
	return (struct zoe_msg_header){.type = ZOE_MSG_LIST, .size = sizeof(struct zoe_msg_header)};
}

/* Sends bytes on a connection of their own, which must be dropped. */
static void expect_drop(int fd, const void *bytes, size_t size) {
	attack_claim(raw_send(fd, bytes, size) == 0, "cannot send %zu bytes", size);
	raw_expect_drop(fd);
}

static void packets_cut(const struct scene *scene) {
	struct zoe_msg_consume msg;
	unsigned n = 0;

	memset(&msg, 0, sizeof(msg));
	zoe_msg_init(&msg, ZOE_MSG_CONSUME, 1);
	for (size_t size = 1; size < sizeof(msg); size += 9, n++) {
		expect_drop(raw_open(scene->broker), &msg, size);
		msg.header.size = (uint32_t)size; /* and once more, without a lie */
		if (size >= sizeof(msg.header)) {
			expect_drop(raw_open(scene->broker), &msg, size);
		}
		msg.header.size = sizeof(msg);
	}
	attack_saw("%u sizes, each dropped", n);
}

static void packets_lie_about_their_size(const struct scene *scene) {
	static const uint32_t sizes[] = {
		0, 1, 23, 25, 4096, ZOE_MSG_MAX + 1, INT32_MAX, UINT32_MAX};
	struct zoe_msg_header list = make_list();

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		list.size = sizes[i];
		expect_drop(raw_open(scene->broker), &list, sizeof(list));
	}
	attack_saw("each dropped");
}

static void packets_too_large(const struct scene *scene) {
	static unsigned char bytes[8 * ZOE_MSG_MAX];
	struct zoe_msg_header list = make_list();

	for (size_t size = ZOE_MSG_MAX + 1; size <= sizeof(bytes); size *= 2) {
		list.size = (uint32_t)size;
		memcpy(bytes, &list, sizeof(list));
		expect_drop(raw_connect(scene->broker), bytes, size);
		expect_drop(raw_open(scene->broker), bytes, size);
	}
	attack_saw("each dropped");
}

/* Empty packets look like the end of a file, with or without descriptors. */
static void packets_empty(const struct scene *scene) {
	for (unsigned i = 0; i < 20; i++) {
		expect_drop(i % 2 ? raw_open(scene->broker) : raw_connect(scene->broker), "", 0);
	}
	attack_saw("each dropped");
}

static void packets_of_unknown_types(const struct scene *scene) {
	static const uint32_t types[] = {0, 17, 63, ZOE_MSG_ADDED, ZOE_MSG_SEAT, ZOE_MSG_MOVED,
		ZOE_MSG_DEMOTED, 4096, 0x80000000u, UINT32_MAX};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct zoe_msg_region msg;

		memset(&msg, 0, sizeof(msg));
		zoe_msg_init(&msg, types[i], 1);
		expect_drop(raw_open(scene->broker), &msg, sizeof(msg));
	}
	attack_saw("each dropped");
}

static void packets_out_of_turn(const struct scene *scene) {
	struct zoe_msg_header list = make_list();
	int fd;

	expect_drop(raw_connect(scene->broker), &list, sizeof(list));
	fd = raw_connect(scene->broker);
	raw_hello(fd);
	expect_drop(fd, &list, sizeof(list));
	fd = raw_connect(scene->broker); /* another's nonce */
	raw_echo(fd, raw_hello(fd) + 1);
	raw_expect_drop(fd);
	fd = raw_open(scene->broker); /* twice */
	raw_echo(fd, 0);
	raw_expect_drop(fd);
	attack_saw("before HELLO, before ECHO, twice: dropped");
}

/* Requests of another part than the one that the client has. */
static void packets_of_another_part(const struct scene *scene) {
	struct zoe_msg_header msg = {.type = ZOE_MSG_BELL, .size = sizeof(msg), .serial = 2};
	struct zoe_msg_grow grow;
	struct zoe_msg_ack ack;
	struct rogue r;

	memset(&grow, 0, sizeof(grow));
	memset(&ack, 0, sizeof(ack));
	zoe_msg_init(&grow, ZOE_MSG_GROW, 3);
	zoe_msg_init(&ack, ZOE_MSG_ROSTER_ACK, 3);
	rogue_consume(&r, scene, "desk");
	attack_claim(rogue_ask(r.socket, &grow.header) < 0, "a consumer may GROW");
	rogue_close(&r);
	rogue_consume(&r, scene, "desk");
	attack_claim(rogue_ask(r.socket, &ack.header) < 0, "a consumer may acknowledge");
	rogue_close(&r);
	rogue_consume(&r, scene, "desk");
	msg.type = ZOE_MSG_END;
	attack_claim(rogue_ask(r.socket, &msg) < 0, "a consumer may END");
	rogue_close(&r);
	rogue_produce(&r, scene, "loose");
	msg.type = ZOE_MSG_BELL;
	attack_claim(rogue_ask(r.socket, &msg) < 0, "a producer may have a BELL");
	rogue_close(&r);
	attack_saw("GROW, ROSTER_ACK, END of a consumer, BELL of a producer: refused");
}

/* A connection is its process's: a child may not speak in its name. */
static void packets_from_another_process(const struct scene *scene) {
	int fd = raw_open(scene->broker), status = 0;
	pid_t pid;

	attack_claim(rogue_list(fd) > 0, "it may not speak itself");
	pid = fork();
	if (pid == 0) {
		struct zoe_msg_header list = make_list();

		_exit(raw_send(fd, &list, sizeof(list)) == 0 ? 0 : 1);
	}
	attack_claim(waitpid(pid, &status, 0) == pid && status == 0, "the child cannot send");
	raw_expect_drop(fd);
	attack_saw("dropped");
}

/* Descriptors that nobody asked for. */
static void packets_with_descriptors(const struct scene *scene) {
	static const uint32_t numbers[] = {1, ZOE_MSG_MAX_FDS, ZOE_MSG_MAX_FDS + 1, 64, 253};
	struct zoe_msg_header list = make_list();
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), n_sent = 0;

	for (unsigned i = 0; i < 100; i++) {
		int fd = raw_open(scene->broker);

		for (unsigned k = 0; k < 4; k++) {
			n_sent += raw_send_fds(fd, &list, null,
					  numbers[(i + k) % (sizeof(numbers) / 4)]) == 0;
		}
		(void)rogue_drain(fd);
		close(fd);
	}
	close(null);
	attack_saw("%d packets got through", n_sent);
}

/* A TCP connection whose close(2) waits for a peer that does not read: who closes it last waits.
 * Returns: it; peer: the other end. */
static int make_lingering(int *peer) {
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct linger linger = {.l_onoff = 1, .l_linger = 4};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(address);
	char bytes[4096] = {0};

	if (bind(listener, (const struct sockaddr *)&address, size) < 0 ||
		listen(listener, 1) < 0 ||
		getsockname(listener, (struct sockaddr *)&address, &size) < 0 ||
		connect(fd, (const struct sockaddr *)&address, size) < 0) {
		return -errno;
	}
	*peer = accept(listener, NULL, NULL);
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(listener);
	return fd;
}

static void packets_with_a_slow_close(const struct scene *scene) {
	struct zoe_msg_header list = make_list();
	int peers[3], fds[3], n_sent = 0;

	for (unsigned i = 0; i < 3; i++) {
		int fd = make_lingering(&peers[i]);

		if (fd < 0) {
			attack_saw("no network here");
			return;
		}
		fds[i] = raw_open(scene->broker);
		if (i == 2) {
			zoe_wire_send(fds[i], &list, NULL, 0);
			close(fds[i]); /* the packet is never read, or after the end */
			fds[i] = raw_open(scene->broker);
		}
		n_sent += raw_send_fds(fds[i], &list, fd, i == 1 ? 9 : 1) == 0;
		close(fd);
	}
	for (unsigned i = 0; i < 3; i++) {
		close(fds[i]);
	}
	attack_saw("%d got through", n_sent);
	poll(NULL, 0, 1500);
	for (unsigned i = 0; i < 3; i++) {
		close(peers[i]);
	}
}

static const char *const bad_names[] = {"", "/", "a//b", "/a", "a/", ".", "..", "a/../b", "a b",
	"play/\x1b[2J", "play/\x07", "play/a\nb", "play/\x7f",
	"play/\xc2\x9b"
	"31m",
	"play/\xe2\x80\xae"
	"gnp",
	"play/\xff\xfe", "play/%s%n", "play/'", "play/\\", "play/$(id)", "play/*", "play/\xc0\xaf"};

static void packets_with_bad_names(const struct scene *scene) {
	struct zoe_msg_produce msg;
	int fd = raw_open(scene->broker);

	for (size_t i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++) {
		memset(&msg, 0, sizeof(msg));
		zoe_msg_init(&msg, ZOE_MSG_PRODUCE, 7);
		zoe_wire_set_text(msg.name, sizeof(msg.name), bad_names[i]);
		attack_claim(rogue_ask(fd, &msg.header) == -EINVAL, "name %zu is taken", i);
	}
	memset(msg.name, 'a', sizeof(msg.name)); /* no end */
	attack_claim(rogue_ask(fd, &msg.header) == -EPROTO, "a name without end is taken");
	close(fd);
	attack_saw("%zu refused", sizeof(bad_names) / sizeof(bad_names[0]) + 1);
}

/* Is every byte of it fit for a terminal: printable ASCII, or a character beyond the controls? */
static bool text_is_tame(const char *text, size_t size) {
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i],
			      next = i + 1 < size ? (unsigned char)text[i + 1] : 0;

		if ((c < 0x20 && c != '\n') || c == 0x7f || c == 0xff || c == 0xfe) {
			return false;
		}
		if ((c == 0xc2 && next < 0xa0) || c == 0xc0 || (c == 0xe2 && next == 0x80)) {
			return false; /* C1, overlong, marks of direction */
		}
	}
	return true;
}

struct label {
	char text[256];
	unsigned n;
};

static int note_label(void *user, const struct zoe_status *status) {
	struct label *label = user;

	if (status->peer) {
		snprintf(label->text, sizeof(label->text), "%s", status->peer->app);
		attack_claim(text_is_tame(label->text, strlen(label->text)), "app is wild");
		label->n++;
	}
	if (status->stream) {
		attack_claim(
			text_is_tame(status->stream->producer, strlen(status->stream->producer)),
			"producer is wild");
	}
	return 0;
}

static void expect_tame_output(const struct scene *scene, const char *command) {
	static char text[65536], line[256];
	size_t size;
	FILE *out;

	snprintf(line, sizeof(line), "ZOETROPE_SOCKET=%s %s %s 2>&1", scene->broker->socket,
		scene->zoe, command);
	out = popen(line, "re");
	attack_claim(out != NULL, "cannot run '%s'", line);
	if (!out) {
		return;
	}
	size = fread(text, 1, sizeof(text), out);
	attack_claim(size > 100 && text_is_tame(text, size), "zoe %s prints wild bytes", command);
	attack_claim(pclose(out) == 0, "zoe %s fails", command);
}

static void packets_with_terminal_escapes(const struct scene *scene) {
	static const char app[] = "\x1b]0;owned\x07\x1b[2J\xc2\x9b"
				  "31m\xe2\x80\xae"
				  "gnp\xff\r\nroot";
	struct zoe_client_options options = {
		.struct_size = sizeof(options), .socket = scene->broker->socket, .app_name = app};
	struct zoe_client *c = NULL, *other = broker_connect(scene->broker);
	struct label label = {.n = 0};

	attack_claim(zoe_client_create(&c, &options) == 0 && consume(c, "loose", ZOE_EVERY, 1) &&
			     produce(c, "loose", 1),
		"cannot attach");
	attack_claim(zoe_client_status(other, "loose", note_label, &label, DEADLINE_MS) == 0 &&
			     label.n == 2,
		"is not seen");
	attack_saw("shown as '%s'", label.text);
	if (scene->zoe) {
		expect_tame_output(scene, "list");
		expect_tame_output(scene, "status");
		expect_tame_output(scene, "status loose");
	}
	zoe_client_destroy(c);
	zoe_client_destroy(other);
}

const struct attack packet_attacks[] = {
	{"packets: cut short", ATTACK_AS_STRANGER, packets_cut},
	{"packets: lies about size", ATTACK_AS_STRANGER, packets_lie_about_their_size},
	{"packets: too large", ATTACK_AS_STRANGER, packets_too_large},
	{"packets: empty", ATTACK_AS_STRANGER, packets_empty},
	{"packets: unknown types", ATTACK_AS_STRANGER, packets_of_unknown_types},
	{"packets: out of turn", ATTACK_AS_STRANGER, packets_out_of_turn},
	{"packets: another part's requests", ATTACK_AS_STRANGER, packets_of_another_part},
	{"packets: from another process", ATTACK_AS_STRANGER, packets_from_another_process},
	{"packets: descriptors unasked", ATTACK_AS_STRANGER, packets_with_descriptors},
	{"packets: slow to close", ATTACK_AS_STRANGER, packets_with_a_slow_close},
	{"packets: bad names", ATTACK_AS_STRANGER, packets_with_bad_names},
	{"packets: terminal escapes", ATTACK_AS_STRANGER, packets_with_terminal_escapes},
	{NULL, ATTACK_AS_STRANGER, NULL},
};
