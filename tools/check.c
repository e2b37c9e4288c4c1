/* SPDX-License-Identifier: MIT */
/*
 * zoe check: says what is wrong with a config, and what is odd about it, without a broker.
 */
#include <errno.h>
#include <string.h>

#include "config.h"
#include "tool.h"

#define MIB (1024u * 1024u)

struct verdict {
	const char *path;
	bool is_ok;
	size_t n_streams;
	uint64_t bytes, limit;              // that the named streams need, and may have
	const struct config_errors *errors; // or warnings
};

static void print_list(const char *name, const struct config_errors *errors, bool is_empty) {
	printf(", \"%s\": [", name);
	for (size_t i = 0; i < errors->n_errors && !is_empty; i++) {
		const struct config_error *error = &errors->list[i];

		printf("%s{\"line\": %u, \"column\": %u, \"message\": ", i == 0 ? "" : ", ",
			error->line, error->col);
		tool_print_json_string(stdout, error->message);
		printf("}");
	}
	printf("]");
}

static void print_json(const struct verdict *v) {
	printf("{\"file\": ");
	tool_print_json_string(stdout, v->path);
	printf(", \"ok\": %s, \"streams\": %zu", v->is_ok ? "true" : "false", v->n_streams);
	printf(", \"needed_bytes\": %llu, \"limit_bytes\": %llu", (unsigned long long)v->bytes,
		(unsigned long long)v->limit);
	print_list("errors", v->errors, v->errors->are_warnings);
	print_list("warnings", v->errors, !v->errors->are_warnings);
	printf("}\n");
}

static void print_text(const struct verdict *v) {
	const struct config_errors *errors = v->errors;

	if (errors->n_errors > 0 || errors->n_dropped > 0) {
		config_errors_print(errors, stderr, isatty(STDERR_FILENO));
	}
	if (!v->is_ok) {
		return;
	}
	printf("%s: ok: %zu stream%s", v->path, v->n_streams, v->n_streams == 1 ? "" : "s");
	if (v->bytes > 0) {
		printf("; the named ones need %llu of %llu MiB, with a producer and a consumer "
		       "each",
			(unsigned long long)((v->bytes + MIB - 1) / MIB),
			(unsigned long long)(v->limit / MIB));
	}
	putchar('\n');
}

static int check(
	const struct tool *tool, const char *path, bool is_strict, struct config_errors *errors) {
	struct config *config = NULL;
	struct verdict verdict = {.path = path, .errors = errors};
	int rc = config_load(&config, path, errors);

	if (rc == 0) {
		config_find_warnings(config, errors);
		verdict.is_ok = !is_strict || errors->n_errors == 0;
		verdict.n_streams = config->n_streams;
		verdict.bytes = config_get_bytes(config);
		verdict.limit = config->broker.memory_limit;
	}
	config_destroy(config);
	if (tool->is_json) {
		print_json(&verdict);
	} else if (rc < 0 && errors->n_errors == 0) {
		return tool_fail("%s: %s", path, strerror(-rc));
	} else {
		print_text(&verdict);
	}
	return verdict.is_ok ? TOOL_DONE : TOOL_FAILED;
}

/* Where zoetroped looks; without a home, where root's does. */
static void get_default_path(char *path, size_t size) {
	const char *config_home = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (geteuid() != 0 && config_home != NULL && config_home[0] != '\0') {
		snprintf(path, size, "%s/zoetrope/zoetrope.yaml", config_home);
	} else if (geteuid() != 0 && home != NULL && home[0] != '\0') {
		snprintf(path, size, "%s/.config/zoetrope/zoetrope.yaml", home);
	} else {
		snprintf(path, size, "/etc/zoetrope/zoetrope.yaml");
	}
}

int check_run(struct tool *tool, int argc, char **argv) {
	const char *schema = NULL, *strict = NULL;
	const struct tool_option options[] = {{"schema", 0, false, &schema},
		{"strict", 0, false, &strict}, {NULL, 0, false, NULL}};
	struct config_errors *errors;
	char default_path[4096];
	int n_args, rc;

	rc = tool_parse(tool, argc, argv, options, &n_args);
	if (rc >= 0) {
		return rc;
	}
	if (schema != NULL && n_args > 0) {
		return tool_fail_usage(tool, "--schema takes no FILE, but got '%s'", argv[1]);
	}
	if (schema != NULL) {
		config_print_json_schema(stdout);
		return TOOL_DONE;
	}
	if (n_args > 1) {
		return tool_fail_usage(tool, "takes one FILE, but got '%s' too", argv[2]);
	}
	get_default_path(default_path, sizeof(default_path));
	errors = calloc(1, sizeof(*errors));
	if (errors == NULL) {
		return tool_fail("check: out of memory");
	}
	config_errors_init(errors);
	rc = check(tool, n_args == 1 ? argv[1] : default_path, strict != NULL, errors);
	config_errors_finish(errors);
	free(errors);
	return rc;
}
