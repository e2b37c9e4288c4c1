/* SPDX-License-Identifier: MIT */
/*
 * zoe list: which streams there are, once or as they come and go.
 */
#include <string.h>

#include "stream_text.h"
#include "table.h"
#include "tool.h"

enum { ANSWER_MS = 5000 };

struct list {
	struct table table;
	bool is_json;
	unsigned n_streams; // told so far
};

static int print_json(void *user, enum zoe_change change, const struct zoe_stream_info *info) {
	struct list *list = user;

	if (change == ZOE_ADDED) {
		printf("%s{", list->n_streams++ == 0 ? "[\n" : ",\n");
		json_stream(stdout, info);
		printf("}");
	}
	return 0;
}

static int collect(void *user, enum zoe_change change, const struct zoe_stream_info *info) {
	struct list *list = user;
	struct table *t = &list->table;
	char word[WORD_SIZE];

	if (change != ZOE_ADDED) {
		return 0;
	}
	list->n_streams++;
	table_add(t, "%s", info->name);
	table_add(t, "%s", word_format(word, &info->format));
	table_add(t, "%s", word_fps(word, info));
	table_add(t, "%u/%u", info->n_consumers, info->max_consumers);
	table_add(t, "%s", word_age(word, info->last_publish_ns));
	table_add(t, "%s", word_producer(word, info));
	return 0;
}

static int get_answer_ms(const struct tool *tool) {
	return tool->timeout_ms < 0 ? ANSWER_MS : tool->timeout_ms;
}

static int print_once(struct tool *tool) {
	static const char *const titles[] = {"NAME", "FORMAT", "FPS", "READERS", "AGE", "BY"};
	struct list list = {.table.n_columns = n_elements(titles)};
	int rc;

	for (size_t i = 0; i < n_elements(titles); i++) {
		table_add(&list.table, "%s", titles[i]);
	}
	rc = zoe_client_list(
		tool->client, tool->is_json ? print_json : collect, &list, get_answer_ms(tool));
	if (rc < 0) {
		rc = tool_fail_client(tool);
	} else if (tool->is_json) {
		printf("%s\n", list.n_streams == 0 ? "[]" : "\n]");
	} else if (list.n_streams == 0) {
		printf("no streams that you may see\n");
	} else {
		table_print(&list.table, stdout);
	}
	table_finish(&list.table);
	return rc;
}

/* One line of `list -w`; it does not know what comes, so its columns are of fixed width. */
static int print_change(void *user, enum zoe_change change, const struct zoe_stream_info *info) {
	static const char *const names[] = {"added", "changed", "removed", "synced"};
	const struct list *list = user;
	char format[WORD_SIZE], fps[WORD_SIZE], by[WORD_SIZE], safe[WORD_SIZE], name[WORD_SIZE + 4];

	if ((unsigned)change > ZOE_SYNCED || (change == ZOE_SYNCED && !list->is_json)) {
		return tool_flush();
	}
	if (list->is_json) {
		printf("{\"change\": \"%s\"", names[change]);
		if (info != NULL) {
			printf(", ");
			json_stream(stdout, info);
		}
		printf("}\n");
		return tool_flush();
	}
	printf("%-8s %-20s %-16s %6s %3u/%-3u %s\n", names[change],
		tool_printable(info->name, name, sizeof(name)), word_format(format, &info->format),
		word_fps(fps, info), info->n_consumers, info->max_consumers,
		tool_printable(word_producer(by, info), safe, sizeof(safe)));
	return tool_flush();
}

static int watch(struct tool *tool) {
	struct list list = {.is_json = tool->is_json};
	int fd = zoe_client_get_fd(tool->client);
	int rc;

	if (fd < 0 || zoe_client_connect(tool->client, get_answer_ms(tool)) < 0 ||
		zoe_client_watch(tool->client, print_change, &list) < 0) {
		return tool_fail_client(tool);
	}
	do {
		rc = zoe_client_dispatch(tool->client);
		if (rc != 0) {
			return rc < 0 ? tool_fail_client(tool) : TOOL_FAILED;
		}
	} while (tool_wait_until(fd, UINT64_MAX) >= 0);
	return TOOL_DONE;
}

int list_run(struct tool *tool, int argc, char **argv) {
	const char *is_watching = NULL;
	const struct tool_option options[] = {
		{"watch", 'w', false, &is_watching}, {NULL, 0, false, NULL}};
	int n_args, rc;

	rc = tool_parse(tool, argc, argv, options, &n_args);
	if (rc >= 0) {
		return rc;
	}
	if (n_args != 0) {
		return tool_fail_usage(tool, "takes no argument, but got '%s'", argv[1]);
	}
	if (tool_connect(tool) != 0) {
		return TOOL_FAILED;
	}
	return is_watching != NULL ? watch(tool) : print_once(tool);
}
