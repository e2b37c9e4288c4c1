/* SPDX-License-Identifier: MIT */
#include "access.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include "attr.h"

/* What the kernel says of users and groups that have no number in this namespace. */
#define OVERFLOW_UID 65534u
#define OVERFLOW_GID 65534u

static int credentials_read_groups(struct credentials *who, int socket, gid_t primary) {
	gid_t *gids = NULL;
	socklen_t size = 0;
	int r = 0;

	/* The first call fails with ERANGE and says how many there are. */
	if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) < 0 && errno != ERANGE) {
		return -errno;
	}
	gids = malloc(size + sizeof(*gids));
	if (!gids) {
		return -ENOMEM;
	}
	if (size > 0 && getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, gids, &size) < 0) {
		r = -errno;
		free(gids);
		return r;
	}
	who->gids = gids;
	who->n_gids = size / sizeof(*gids);
	who->gids[who->n_gids++] = primary;
	return 0;
}

int credentials_init(struct credentials *who, int socket) {
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
		return -errno;
	}
	*who = (struct credentials){.pid = peer.pid, .uid = peer.uid};
	return credentials_read_groups(who, socket, peer.gid);
}

void credentials_finish(struct credentials *who) {
	free(who->gids);
	*who = (struct credentials){0};
}

static const struct access_list *access_get_list(
	const struct stream_config *stream, enum right right) {
	switch (right) {
	case RIGHT_PRODUCE:
		return &stream->produce;
	case RIGHT_CONSUME:
		return &stream->consume;
	case RIGHT_RELIABLE:
		return &stream->reliable;
	case RIGHT_ADMIN:
		return &stream->admin;
	case RIGHT_LIST:
		break;
	}
	return &stream->list;
}

static bool access_has_uid(const struct access_list *list, uid_t uid) {
	for (size_t i = 0; i < list->n_uids; i++) {
		if (list->uids[i] == uid) {
			return true;
		}
	}
	return false;
}

static bool access_has_group(const struct access_list *list, const struct credentials *who) {
	for (size_t i = 0; i < list->n_gids; i++) {
		for (size_t j = 0; j < who->n_gids; j++) {
			if (list->gids[i] == who->gids[j] && who->gids[j] != OVERFLOW_GID) {
				return true;
			}
		}
	}
	return false;
}

bool access_list_has(const struct access_list *list, const struct credentials *who, uid_t owner) {
	if (list->any || who->uid == 0) {
		return true;
	}
	if (who->uid == OVERFLOW_UID) {
		return false; /* might be anybody */
	}
	if (list->owner && who->uid == owner) {
		return true;
	}
	return access_has_uid(list, who->uid) || access_has_group(list, who);
}

static bool access_has_gid(const struct access_list *list, gid_t gid) {
	for (size_t i = 0; i < list->n_gids; i++) {
		if (list->gids[i] == gid) {
			return true;
		}
	}
	return false;
}

bool access_list_covers(const struct access_list *new_list, const struct access_list *old_list) {
	if (new_list->any) {
		return true;
	}
	if (old_list->any || (old_list->owner && !new_list->owner)) {
		return false;
	}
	for (size_t i = 0; i < old_list->n_uids; i++) {
		if (!access_has_uid(new_list, old_list->uids[i])) {
			return false;
		}
	}
	for (size_t i = 0; i < old_list->n_gids; i++) {
		if (!access_has_gid(new_list, old_list->gids[i])) {
			return false;
		}
	}
	return true;
}

bool access_may(const struct stream_config *stream, enum right right, const struct credentials *who,
	uid_t owner) {
	return access_list_has(access_get_list(stream, right), who, owner);
}

bool access_may_see(
	const struct stream_config *stream, const struct credentials *who, uid_t owner) {
	return access_may(stream, RIGHT_LIST, who, owner) ||
	       access_may(stream, RIGHT_CONSUME, who, owner) ||
	       access_may(stream, RIGHT_PRODUCE, who, owner);
}

struct access_text {
	char *at;
	size_t left;
	bool is_first;
};

static void attr_printf(2, 3) access_text_add(struct access_text *text, const char *format, ...) {
	va_list args;
	int n = snprintf(text->at, text->left, "%s", text->is_first ? "" : ", ");

	if (n < 0 || (size_t)n >= text->left) {
		return;
	}
	text->at += n;
	text->left -= (size_t)n;
	text->is_first = false;
	va_start(args, format);
	n = vsnprintf(text->at, text->left, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= text->left) {
		return;
	}
	text->at += n;
	text->left -= (size_t)n;
}

void access_list_describe(const struct access_list *list, char *text, size_t size) {
	struct access_text out = {.at = text, .left = size, .is_first = true};

	text[0] = '\0';
	if (list->any) {
		access_text_add(&out, "any");
	}
	if (list->owner) {
		access_text_add(&out, "owner");
	}
	for (size_t i = 0; i < list->n_uids; i++) {
		access_text_add(&out, "uid %u", list->uids[i]);
	}
	for (size_t i = 0; i < list->n_gids; i++) {
		access_text_add(&out, "gid %u", list->gids[i]);
	}
	if (out.is_first) {
		access_text_add(&out, "nobody");
	}
}

void access_describe(
	const struct stream_config *stream, enum right right, char *text, size_t size) {
	access_list_describe(access_get_list(stream, right), text, size);
}
