/* SPDX-License-Identifier: MIT */
/*
 * The admin's file, or what somebody made of it. Input: the text.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "fuzz.h"

static void check_stream(const struct config *config, const struct stream_config *s) {
	must(s->name && s->name[0] && strlen(s->name) <= CONFIG_MAX_NAME_BYTES);
	must(s->description && s->is_pattern == (strchr(s->name, '*') != NULL));
	must(s->max_bytes >= 1 && s->max_bytes <= UINT32_MAX);
	must(!s->max_format.fourcc || zoe_format_check(&s->max_format, s->max_bytes) == 0);
	must(s->slots >= 2 && s->slots <= 4096);
	must(s->producers >= 1 && s->producers <= 64 && s->open >= 1 && s->open <= 8);
	must(s->consumers >= 1 && s->consumers <= 64 && s->hold >= 1 && s->hold <= 8);
	must(s->patience_ms >= 1 && s->patience_ms <= 3600000 && s->metadata_bytes <= 65536);
	must(s->max_streams >= 1 && s->max_streams <= 4096 &&
		(s->is_pattern || s->max_streams == 1));
	must(stream_config_get_n_slots(s) <= 65535);
	must(stream_config_get_bytes(s) > 0);
	must(s->line >= 1 && s->col >= 1);
	if (!s->is_pattern) {
		must(name_is_valid(s->name));
		must(config_match(config, s->name) == s);
	}
}

static void check_config(const struct config *config) {
	must(config->broker.socket_mode <= 0777);
	must(!config->broker.socket || config->broker.socket[0] == '/');
	must(config->broker.settle_ms <= 60000);
	for (size_t i = 0; i < config->n_streams; i++) {
		check_stream(config, &config->streams[i]);
	}
	(void)config_match(config, "a/b");
	(void)config_suggest(config, "dekt");
}

/* A stranger's file must not command the terminal it is shown on. */
static void check_printed(const char *text, size_t size) {
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		must(c != 0x7f && (c >= ' ' || c == '\n' || c == '\t'));
		must(c != 0xc2 || i + 1 == size || (text[i + 1] & 0xe0) != 0x80); /* C1 */
	}
}

/* Every error has a place in the text and a sentence, in the text's order. */
static void check_errors(const struct config_errors *errors) {
	char *printed = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&printed, &size);

	must(out && errors->n_errors > 0 && errors->n_errors <= CONFIG_MAX_ERRORS);
	for (size_t i = 0; i < errors->n_errors; i++) {
		const struct config_error *e = &errors->list[i];

		must(e->message && e->message[0]);
		must((e->line == 0) == (e->col == 0));
		must(i == 0 || e->line >= errors->list[i - 1].line);
	}
	config_errors_print(errors, out, true);
	must(fclose(out) == 0 && size > 0);
	check_printed(printed, size);
	free(printed);
}

/* Returns: what --print-config says, with remarks if there is a label; the caller frees it. */
static char *print(const struct config *config, const char *label, size_t *size) {
	char *text = NULL;
	FILE *out = open_memstream(&text, size);

	must(out);
	config_print(config, out, label);
	must(fclose(out) == 0 && *size > 0);
	return text;
}

static struct config *parse(const char *text, size_t size) {
	struct config *config = NULL;
	struct config_errors errors;
	int r;

	config_errors_init(&errors);
	r = config_parse(&config, text, size, "printed.yaml", &errors);
	if (r != 0) {
		config_errors_print(&errors, stderr, true);
	}
	must(r == 0);
	config_errors_finish(&errors);
	return config;
}

/* What is printed means the same: it is a config, and printed again it is the same text. */
static void check_print(const struct config *config) {
	size_t size = 0, size_again = 0;
	char *text = print(config, "fuzz.yaml", &size), *text_again;
	struct config *again = parse(text, size);

	free(text);
	text = print(config, NULL, &size);
	text_again = print(again, NULL, &size_again);
	must(size == size_again && memcmp(text, text_again, size) == 0);
	config_destroy(again);
	free(text);
	free(text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct config *config = NULL;
	struct config_errors errors;
	int r;

	config_errors_init(&errors);
	r = config_parse(&config, (const char *)data, size, "fuzz.yaml", &errors);
	if (r == 0) {
		must(config && errors.n_errors == 0);
		check_config(config);
		check_print(config);
	} else {
		must(r == -EINVAL && !config);
		check_errors(&errors);
	}
	config_destroy(config);
	config_errors_finish(&errors);
	return 0;
}
