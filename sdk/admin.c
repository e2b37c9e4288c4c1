/* SPDX-License-Identifier: MIT */
/*
 * What admins ask of a broker: a reload of its config, a program off a stream.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zoe/zoe.h>

#include "watch.h"

/* The broker knows these by its own names. */
static_assert((int)ZOE_RELOAD_ERROR == (int)ZOE_MSG_RELOAD_ERROR, "reload");
static_assert((int)ZOE_RELOAD_WARNING == (int)ZOE_MSG_RELOAD_WARNING, "reload");
static_assert((int)ZOE_RELOAD_KEEP == (int)ZOE_MSG_RELOAD_KEEP, "reload");
static_assert((int)ZOE_RELOAD_CHANGE == (int)ZOE_MSG_RELOAD_CHANGE, "reload");
static_assert((int)ZOE_RELOAD_ADD == (int)ZOE_MSG_RELOAD_ADD, "reload");
static_assert((int)ZOE_RELOAD_REMOVE == (int)ZOE_MSG_RELOAD_REMOVE, "reload");
static_assert((int)ZOE_RELOAD_PEER == (int)ZOE_MSG_RELOAD_PEER, "reload");

struct reload {
	zoe_reload_fn fn;
	void *user;
};

static int reload_tell(void *user, const struct zoe_packet *packet) {
	const struct reload *reload = user;
	struct zoe_msg_reload_line m;

	if (!(packet->header.flags & ZOE_MSG_MORE)) {
		return 0;
	}
	if (!zoe_packet_get(packet, sizeof(m))) {
		return -EPROTO;
	}
	memcpy(&m, packet->bytes, sizeof(m));
	if (m.kind < ZOE_MSG_RELOAD_ERROR || m.kind > ZOE_MSG_RELOAD_PEER) {
		return 0; /* a newer broker's kind of line */
	}
	m.name[sizeof(m.name) - 1] = 0;
	m.app[sizeof(m.app) - 1] = 0;
	m.text[sizeof(m.text) - 1] = 0;
	return reload->fn(reload->user,
		&(struct zoe_reload_line){.struct_size = sizeof(struct zoe_reload_line),
			.kind = (enum zoe_reload_kind)m.kind,
			.line = m.line,
			.column = m.col,
			.name = m.name,
			.text = m.text,
			.app = m.app,
			.role = m.role,
			.uid = m.uid,
			.pid = m.pid});
}

int zoe_client_reload(
	struct zoe_client *c, int is_dry_run, zoe_reload_fn fn, void *user, int timeout_ms) {
	struct zoe_deadline deadline = zoe_deadline_init(timeout_ms);
	struct reload reload = {fn, user};
	struct zoe_msg_reload request;
	struct zoe_question q = {
		.request = &request.header, .packet = reload_tell, .user = &reload};

	if (zoe_client_is_forked(c)) {
		return zoe_client_fail_forked(c);
	}
	memset(&request, 0, sizeof(request));
	zoe_msg_init(&request, ZOE_MSG_RELOAD, 0);
	request.flags = is_dry_run ? ZOE_RELOAD_DRY_RUN : 0;
	return zoe_client_ask(c, &q, &deadline);
}

static int kick_tell(void *user, const struct zoe_packet *packet) {
	const struct zoe_msg_kicked *reply = zoe_packet_get(packet, sizeof(*reply));

	if (!reply) {
		return -EPROTO;
	}
	*(uint32_t *)user = reply->n_kicked;
	return 0;
}

/* Returns: false: it is a name, or no pid. */
static bool parse_pid(const char *who, int32_t *pid) {
	char *end;
	long value;

	if (!who[0] || strspn(who, "0123456789") != strlen(who)) {
		return false;
	}
	errno = 0;
	value = strtol(who, &end, 10);
	if (errno || value < 1 || value > INT32_MAX) {
		return false;
	}
	*pid = (int32_t)value;
	return true;
}

int zoe_client_kick(struct zoe_client *c, const char *stream, const char *who, uint32_t *n_kicked,
	int timeout_ms) {
	struct zoe_deadline deadline = zoe_deadline_init(timeout_ms);
	struct zoe_msg_kick request;
	uint32_t n = 0;
	struct zoe_question q = {.request = &request.header, .packet = kick_tell, .user = &n};
	int error;

	if (zoe_client_is_forked(c)) {
		return zoe_client_fail_forked(c);
	}
	memset(&request, 0, sizeof(request));
	zoe_msg_init(&request, ZOE_MSG_KICK, 0);
	if (!stream[0] || strlen(stream) >= ZOE_NAME_BYTES || !who[0] ||
		(!parse_pid(who, &request.pid) && strlen(who) >= sizeof(request.app))) {
		return zoe_client_fail(c, -EINVAL,
			"kick '%.63s' off stream '%.96s': a name is too long, or missing", who,
			stream);
	}
	zoe_wire_set_text(request.name, sizeof(request.name), stream);
	zoe_wire_set_text(request.app, sizeof(request.app), request.pid ? "" : who);
	error = zoe_client_ask(c, &q, &deadline);
	if (!error && n_kicked) {
		*n_kicked = n;
	}
	return error;
}
