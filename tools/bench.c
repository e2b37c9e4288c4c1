/* SPDX-License-Identifier: MIT */
/*
 * zoe bench: runs the bench, which is a program of its own, with a broker of its own. Both are
 * looked for beside this one: where it was installed, or where it was built.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

enum { PATH_BYTES = 4096, MAX_MEASURES = 32 };

struct place {
	const char *bench, *broker; // from the directory that zoe is in
};

static const struct place places[] = {
	{"../tests/bench/zoe-bench", "../daemon/zoetroped"},
	{"../libexec/zoetrope/zoe-bench", "zoetroped"},
};

struct programs {
	char bench[PATH_BYTES], broker[PATH_BYTES];
};

/* Returns: 0; -ENOENT. */
static int find_programs(struct programs *p) {
	char own[PATH_BYTES - 64];
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;

	own[len > 0 ? len : 0] = '\0';
	slash = strrchr(own, '/');
	if (slash == NULL) {
		return -ENOENT;
	}
	*slash = '\0';
	for (size_t i = 0; i < n_elements(places); i++) {
		snprintf(p->bench, sizeof(p->bench), "%s/%s", own, places[i].bench);
		snprintf(p->broker, sizeof(p->broker), "%s/%s", own, places[i].broker);
		if (access(p->bench, X_OK) == 0 && access(p->broker, X_OK) == 0) {
			return 0;
		}
	}
	return -ENOENT;
}

int bench_run(struct tool *tool, int argc, char **argv) {
	const char *is_short = NULL;
	const struct tool_option options[] = {
		{"short", 's', false, &is_short}, {NULL, 0, false, NULL}};
	static char broker[] = "--broker", brief[] = "--short", json[] = "--json";
	struct programs programs;
	char *args[MAX_MEASURES + 6] = {programs.bench, broker, programs.broker};
	int n_args, n = 3, rc = tool_parse(tool, argc, argv, options, &n_args);

	if (rc >= 0) {
		return rc;
	}
	if (n_args > MAX_MEASURES) {
		return tool_fail_usage(tool, "takes at most %d measures", MAX_MEASURES);
	}
	if (find_programs(&programs) != 0) {
		return tool_fail("bench: zoe-bench and zoetroped are not installed beside zoe");
	}
	if (is_short != NULL) {
		args[n++] = brief;
	}
	if (tool->is_json) {
		args[n++] = json;
	}
	for (int i = 1; i <= n_args; i++) {
		args[n++] = argv[i];
	}
	execv(args[0], args);
	return tool_fail("bench: cannot run '%s': %s", args[0], strerror(errno));
}
