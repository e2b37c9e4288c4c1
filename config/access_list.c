/* SPDX-License-Identifier: MIT */
#include "access_list.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

#define DATABASE_MAX_BYTES (1024u * 1024u)

/* What of the user database is asked for. */
struct question {
	const char *name;
	bool is_group;
};

void access_list_finish(struct access_list *access) {
	free(access->uids);
	free(access->gids);
	*access = (struct access_list){0};
}

int access_list_copy(struct access_list *to, const struct access_list *from) {
	*to = (struct access_list){.any = from->any, .owner = from->owner};
	to->uids = calloc(from->n_uids + 1, sizeof(uid_t));
	to->gids = calloc(from->n_gids + 1, sizeof(gid_t));
	if (!to->uids || !to->gids) {
		access_list_finish(to);
		return -ENOMEM;
	}
	for (; to->n_uids < from->n_uids; to->n_uids++) {
		to->uids[to->n_uids] = from->uids[to->n_uids];
	}
	for (; to->n_gids < from->n_gids; to->n_gids++) {
		to->gids[to->n_gids] = from->gids[to->n_gids];
	}
	return 0;
}

/* Returns: 0 and the id; -ENOENT unknown; -ERANGE buf is too small; else what the database said. */
static int ask(const struct question *question, char *buf, size_t len, uint32_t *id) {
	int r;

	if (question->is_group) {
		struct group entry, *found = NULL;

		r = getgrnam_r(question->name, &entry, buf, len, &found);
		if (r == 0 && found) {
			*id = found->gr_gid;
			return 0;
		}
	} else {
		struct passwd entry, *found = NULL;

		r = getpwnam_r(question->name, &entry, buf, len, &found);
		if (r == 0 && found) {
			*id = found->pw_uid;
			return 0;
		}
	}
	return r == 0 || r == ESRCH ? -ENOENT : -r; // some databases say ESRCH
}

/* A name, or a number where nobody is called so. Returns: 0; -ENOENT; -ENOMEM; other -errno. */
static int resolve(const struct question *question, uint32_t *id) {
	int r = -ERANGE;

	for (size_t len = 4096; r == -ERANGE && len <= DATABASE_MAX_BYTES; len *= 4) {
		cleanup_free char *buf = malloc(len);

		if (!buf) {
			return -ENOMEM;
		}
		r = ask(question, buf, len, id);
	}
	size_t n_digits = strspn(question->name, "0123456789");
	if (r < 0 && n_digits > 0 && n_digits <= 10 && !question->name[n_digits]) {
		unsigned long number = strtoul(question->name, NULL, 10);

		if (number < UINT32_MAX) { // (uid_t)-1 stands for nobody at all
			*id = (uint32_t)number;
			return 0;
		}
	}
	return r;
}

/* The name that leads to a number. Returns: 0; -ENOENT there is none; -ENOMEM; other -errno. */
static int ask_name(uint32_t id, bool is_group, char *buf, size_t len, const char **name) {
	int r;

	if (is_group) {
		struct group entry, *found = NULL;

		r = getgrgid_r(id, &entry, buf, len, &found);
		*name = r == 0 && found ? found->gr_name : NULL;
	} else {
		struct passwd entry, *found = NULL;

		r = getpwuid_r(id, &entry, buf, len, &found);
		*name = r == 0 && found ? found->pw_name : NULL;
	}
	return *name ? 0 : r == 0 ? -ENOENT : -r;
}

static bool is_plain(const char *name) {
	return name[0] && !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					     "0123456789._-")];
}

static void print_id(FILE *out, uint32_t id, bool is_group) {
	const char *kind = is_group ? "group" : "user", *name = NULL;
	uint32_t back = 0;
	int r = -ERANGE;

	for (size_t len = 4096; r == -ERANGE && len <= DATABASE_MAX_BYTES; len *= 4) {
		cleanup_free char *buf = malloc(len);

		r = buf ? ask_name(id, is_group, buf, len, &name) : -ENOMEM;
		if (r == 0 && is_plain(name) &&
			resolve(&(struct question){name, is_group}, &back) == 0 && back == id) {
			fprintf(out, "%s:%s", kind, name);
			return;
		}
	}
	fprintf(out, "%s:%" PRIu32, kind, id);
}

void access_list_print(FILE *out, const struct access_list *access) {
	const char *comma = "";

	fputc('[', out);
	if (access->owner) {
		fputs("owner", out);
		comma = ", ";
	}
	if (access->any) {
		fprintf(out, "%sany", comma);
		comma = ", ";
	}
	for (size_t i = 0; i < access->n_uids; i++, comma = ", ") {
		fputs(comma, out);
		print_id(out, access->uids[i], false);
	}
	for (size_t i = 0; i < access->n_gids; i++, comma = ", ") {
		fputs(comma, out);
		print_id(out, access->gids[i], true);
	}
	fputc(']', out);
}

char *access_list_get_text(const struct access_list *access) {
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out) {
		return NULL;
	}
	access_list_print(out, access);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

static bool is_same(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b) {
	return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof(*a)) == 0);
}

bool access_list_is_equal(const struct access_list *a, const struct access_list *b) {
	return a->any == b->any && a->owner == b->owner &&
	       is_same(a->uids, a->n_uids, b->uids, b->n_uids) &&
	       is_same(a->gids, a->n_gids, b->gids, b->n_gids);
}

static int read_who(struct access_list *access, const char *right, const struct tree_node *node,
	struct config_errors *errors) {
	const char *text = node->kind == TREE_SCALAR ? node->text : "";
	bool is_user = strncmp(text, "user:", 5) == 0;
	struct question question = {.is_group = strncmp(text, "group:", 6) == 0};
	uint32_t id = 0;

	if (strcmp(text, "any") == 0) {
		access->any = true;
		return 0;
	}
	if (strcmp(text, "owner") == 0) {
		access->owner = true;
		return 0;
	}
	if (node->kind == TREE_MAP) {
		config_errors_add(errors, node->line, node->col,
			"%s: write user:NAME or group:NAME without a blank", right);
		return 0;
	}
	question.name = text + (is_user ? 5 : question.is_group ? 6 : 0);
	if (!(is_user || question.is_group) || !*question.name) {
		config_errors_add(errors, node->line, node->col,
			"%s: '%.80s' is nobody; write owner, any, user:NAME or group:NAME", right,
			text);
		return 0;
	}
	int r = resolve(&question, &id);
	if (r == -ENOMEM) {
		return r;
	}
	if (r < 0) {
		config_errors_add(errors, node->line, node->col,
			"%s: no %s '%.80s' on this machine%s%s", right, is_user ? "user" : "group",
			question.name, r == -ENOENT ? "" : ": ", r == -ENOENT ? "" : strerror(-r));
		return 0;
	}
	if (is_user) {
		access->uids[access->n_uids++] = id;
	} else {
		access->gids[access->n_gids++] = id;
	}
	return 0;
}

static int id_compare(const void *left, const void *right) {
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return a < b ? -1 : a > b;
}

/* In order, each once, so that equal lists are equal. Returns: how many are left. */
static size_t sort_ids(uint32_t *ids, size_t n_ids) {
	size_t n = 0;

	qsort(ids, n_ids, sizeof(*ids), id_compare);
	for (size_t i = 0; i < n_ids; i++) {
		if (n == 0 || ids[n - 1] != ids[i]) {
			ids[n++] = ids[i];
		}
	}
	return n;
}

int access_list_read(struct access_list *access, const char *right, const struct tree_node *node,
	struct config_errors *errors) {
	struct access_list list cleanup_with(access_list_finish) = {0};

	if (node->kind != TREE_LIST) {
		config_errors_add(errors, node->line, node->col,
			"%s: a list is expected, like [owner, group:video], not %s", right,
			value_describe(node));
		return 0;
	}
	list.uids = calloc(node->n_entries + 1, sizeof(uid_t));
	list.gids = calloc(node->n_entries + 1, sizeof(gid_t));
	if (!list.uids || !list.gids) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < node->n_entries; i++) {
		int r = read_who(&list, right, node->entries[i].value, errors);

		if (r < 0) {
			return r;
		}
	}
	list.n_uids = sort_ids(list.uids, list.n_uids);
	list.n_gids = sort_ids(list.gids, list.n_gids);
	access_list_finish(access);
	*access = list;
	list = (struct access_list){0};
	return 0;
}
