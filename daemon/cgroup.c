/* SPDX-License-Identifier: MIT */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attr.h"

/* Returns: 0 and a string; -errno. */
static int read_text(const char *path, char *text, size_t size) {
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	if (n < 0) {
		return -errno;
	}
	text[n] = '\0';
	return 0;
}

/* The path after "0::", of a hierarchy that is v2's. Returns: false there is none. */
static bool find_group(char *text, const char **group) {
	char *line, *rest = NULL;

	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, "0::/", 4) == 0) {
			*group = line + 3;
			return true;
		}
	}
	return false;
}

static uint64_t read_max(const char *dir) {
	char path[4200], text[64], *end;
	uint64_t value;
	int n = snprintf(path, sizeof(path), "%s/memory.max", dir);

	if (n < 0 || (size_t)n >= sizeof(path) || read_text(path, text, sizeof(text)) < 0) {
		return UINT64_MAX; /* the topmost has none */
	}
	errno = 0;
	value = strtoull(text, &end, 10);
	return end == text || errno ? UINT64_MAX : value; /* "max" */
}

uint64_t cgroup_get_memory_max(const char *self, const char *root) {
	char text[4096], dir[4096];
	uint64_t least = UINT64_MAX;
	const char *group;
	size_t root_len = strlen(root);
	int n;

	if (read_text(self, text, sizeof(text)) < 0 || !find_group(text, &group)) {
		return UINT64_MAX;
	}
	n = snprintf(dir, sizeof(dir), "%s%s", root, group);
	if (n < 0 || (size_t)n >= sizeof(dir)) {
		return UINT64_MAX;
	}
	while (strlen(dir) >= root_len) {
		uint64_t max = read_max(dir);
		char *slash = strrchr(dir, '/');

		least = max < least ? max : least;
		if (!slash) {
			break;
		}
		*slash = '\0';
	}
	return least;
}
