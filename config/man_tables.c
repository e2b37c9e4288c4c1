/* SPDX-License-Identifier: MIT */
/*
 * man_tables <zoetrope.5.scd: prints the page with its tables as the schema says. A table stands
 * between the lines "; table NAME" and "; end of table".
 */
#include <string.h>

#include "config.h"
#include "schema.h"
#include "value_text.h"

#define LINE_BYTES 1024

static const struct named_table {
	const char *name;
	const struct schema *schema;
} tables[] = {
	{"broker", &schema_broker},
	{"per_user", &schema_per_user},
	{"stream", &schema_stream},
	{"access", &schema_access},
};

static void put_key(const struct schema_key *key) {
	const char *none = key->type == SCHEMA_TABLE ? "see below" : "none";
	bool is_list = key->type == SCHEMA_WHO;

	printf("|  %s\n:  ", key->name);
	value_print_range(stdout, key);
	printf("%s\n", key->only_patterns ? ", patterns only" : "");
	if (key->default_text && !*key->default_text) {
		puts(":  \"\"");
	} else {
		printf(":  %s%s%s\n", is_list ? "[" : "",
			key->default_text ? key->default_text : none, is_list ? "]" : "");
	}
	printf(":  %s\n", key->help);
}

static void put_table(const char *name) {
	for (size_t i = 0; i < n_elements(tables); i++) {
		const struct schema *schema = tables[i].schema;

		if (strcmp(tables[i].name, name) != 0) {
			continue;
		}
		puts("[[ *key*\n:[ *value*\n:[ *default*\n:[ *meaning*");
		for (size_t j = 0; j < schema->n_keys; j++) {
			put_key(&schema->keys[j]);
		}
		putchar('\n');
		return;
	}
	printf("no table '%s'\n", name);
}

int main(void) {
	static const char begin[] = "; table ", end[] = "; end of table\n";
	char line[LINE_BYTES];
	bool is_within = false;

	while (fgets(line, sizeof(line), stdin)) {
		if (strcmp(line, end) == 0) {
			is_within = false;
		}
		if (!is_within) {
			fputs(line, stdout);
		}
		if (strncmp(line, begin, strlen(begin)) == 0) {
			is_within = true;
			line[strcspn(line, "\n")] = '\0';
			put_table(line + strlen(begin));
		}
	}
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
