/* SPDX-License-Identifier: MIT */
#ifndef ACCESS_H
#define ACCESS_H
/*
 * Who may produce, consume and see a stream, by the kernel's word on who asks.
 * Owns:     struct credentials owns its list of groups.
 * Threads:  one.
 * Includes: config.h.
 */
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config.h"

struct credentials {
	pid_t pid; // 0 if it is not visible from here
	uid_t uid;
	gid_t *gids;
	size_t n_gids;
};

enum right { RIGHT_PRODUCE, RIGHT_CONSUME, RIGHT_RELIABLE, RIGHT_LIST, RIGHT_ADMIN };

/* Asks the kernel who connected the socket. Returns: 0; -ENOMEM; -errno of getsockopt. */
int credentials_init(struct credentials *who, int socket);
void credentials_finish(struct credentials *who);

/* Whether the list holds who; owner is the user whom "owner" stands for. Root passes everywhere. */
bool access_list_has(const struct access_list *list, const struct credentials *who, uid_t owner);

/* owner is the user whom "owner" stands for. Root passes everywhere. */
bool access_may(const struct stream_config *stream, enum right right, const struct credentials *who,
	uid_t owner);

/* Whether all whom the old list holds are in the new one, whoever they may be. */
bool access_list_covers(const struct access_list *new_list, const struct access_list *old_list);

/* Whether the stream is known to exist: a right to use it is one to see it. */
bool access_may_see(const struct stream_config *stream, const struct credentials *who, uid_t owner);

/* Who is in the list, as the config spells it with numbers: "owner, uid 1001, gid 44". */
void access_list_describe(const struct access_list *list, char *text, size_t size);

/* The same for who holds a right. */
void access_describe(const struct stream_config *stream, enum right right, char *text, size_t size);
#endif
