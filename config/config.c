/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "access_list.h"
#include "check.h"
#include "errors.h"
#include "name.h"
#include "schema.h"
#include "value.h"
#include "yaml_tree.h"

static void stream_finish(struct stream_config *stream) {
	free(stream->name);
	free(stream->description);
	access_list_finish(&stream->produce);
	access_list_finish(&stream->consume);
	access_list_finish(&stream->reliable);
	access_list_finish(&stream->list);
	access_list_finish(&stream->admin);
	*stream = (struct stream_config){0};
}

void config_destroy(struct config *config) {
	if (!config) {
		return;
	}
	for (size_t i = 0; i < config->n_streams; i++) {
		stream_finish(&config->streams[i]);
	}
	free(config->streams);
	access_list_finish(&config->admin);
	free(config->broker.socket);
	free(config);
}

static void config_destroy_fn(struct config **config) {
	config_destroy(*config);
}

/* A stream begins as the defaults are. On failure *to is to be finished all the same. */
static int stream_copy(struct stream_config *to, const struct stream_config *from) {
	*to = *from;
	to->name = NULL;
	to->description = strdup(from->description);
	to->produce = to->consume = to->reliable = to->list = to->admin = (struct access_list){0};
	int r = to->description ? 0 : -ENOMEM;
	r = r < 0 ? r : access_list_copy(&to->produce, &from->produce);
	r = r < 0 ? r : access_list_copy(&to->consume, &from->consume);
	r = r < 0 ? r : access_list_copy(&to->reliable, &from->reliable);
	r = r < 0 ? r : access_list_copy(&to->list, &from->list);
	return r < 0 ? r : access_list_copy(&to->admin, &from->admin);
}

static int read_stream(struct stream_config *stream, const struct tree_entry *entry,
	struct config_errors *errors) {
	const struct tree_node *key = entry->key;

	stream->name = strdup(key->text);
	if (!stream->name) {
		return -ENOMEM;
	}
	stream->line = key->line;
	stream->col = key->col;
	stream->is_pattern = strchr(key->text, '*') != NULL;
	check_name(stream, errors);
	int r = schema_read(&schema_stream, entry->value, stream, false, errors);
	if (r == 0 && entry->value->kind == TREE_MAP) {
		check_stream(stream, entry->value, errors);
	}
	if (!stream->is_pattern) {
		stream->max_streams = 1;
	}
	return r;
}

static int read_streams(struct config *config, const struct tree_node *map,
	const struct stream_config *defaults, struct config_errors *errors) {
	if (map->kind != TREE_MAP) {
		config_errors_add(errors, map->line, map->col,
			"streams is a map of names to what holds for them, not %s%s",
			value_describe(map),
			value_describe(map)[0] == 'n' ? "; write 'streams: {}' for none" : "");
		return 0;
	}
	if (map->n_entries > CONFIG_MAX_STREAMS) {
		config_errors_add(errors, map->line, map->col,
			"streams: %zu are too many, at most %u", map->n_entries,
			CONFIG_MAX_STREAMS);
		return 0;
	}
	config->streams = calloc(map->n_entries + 1, sizeof(*config->streams));
	if (!config->streams) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < map->n_entries; i++) {
		struct stream_config *stream = &config->streams[config->n_streams++];
		int r = stream_copy(stream, defaults);

		r = r < 0 ? r : read_stream(stream, &map->entries[i], errors);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int read_document(
	struct config *config, const struct tree_node *root, struct config_errors *errors) {
	struct stream_config defaults cleanup_with(stream_finish) = {0};
	struct config_document document = {0};

	int r = schema_set_defaults(&schema_broker, &config->broker);
	r = r < 0 ? r : schema_set_defaults(&schema_stream, &defaults);
	r = r < 0 ? r : schema_read(&schema_document, root, &document, false, errors);
	if (r < 0 || root->kind != TREE_MAP) {
		return r;
	}
	check_document(&document, root, errors);
	if (document.broker) {
		r = schema_read(&schema_broker, document.broker, &config->broker, false, errors);
	}
	if (r == 0 && document.defaults) {
		r = schema_read(&schema_stream, document.defaults, &defaults, true, errors);
		check_one_size(document.defaults, errors);
	}
	if (r == 0) {
		r = access_list_copy(&config->admin, &defaults.admin);
		config->admin_source = schema_get_source(
			&schema_access, schema_find(&schema_access, "admin"), &defaults);
	}
	if (r == 0 && document.streams) {
		r = read_streams(config, document.streams, &defaults, errors);
	}
	return r;
}

/* Parses what *errors was begun with. */
static int parse(struct config **out, struct config_errors *errors) {
	struct tree tree cleanup_with(tree_finish) = {0};
	struct config *config cleanup_with(config_destroy_fn) = calloc(1, sizeof(*config));

	if (!config) {
		return -ENOMEM;
	}
	if (errors->source_len > CONFIG_MAX_FILE_BYTES) {
		config_errors_add(errors, 0, 0, "%zu bytes are too large for a config, at most %u",
			errors->source_len, CONFIG_MAX_FILE_BYTES);
		return -EINVAL;
	}
	int r = tree_init(&tree, errors->source, errors->source_len, errors);
	r = r < 0 ? r : read_document(config, tree.root, errors);
	if (r == -ENOMEM) {
		return r;
	}
	if (!config_errors_has_any(errors)) {
		check_patterns(config, errors);
		check_memory(config, errors);
	}
	if (r < 0 || config_errors_has_any(errors)) {
		config_errors_sort(errors);
		return -EINVAL;
	}
	*out = steal_pointer(&config);
	return 0;
}

int config_parse(struct config **out, const char *text, size_t len, const char *label,
	struct config_errors *errors) {
	/* An editor's byte order mark is no character of the text. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	int r = config_errors_begin(errors, label, text, len);
	return r < 0 ? r : parse(out, errors);
}

struct file {
	char *text;
	size_t len;
	uint32_t mode;
};

/* Reads a whole file. Returns: 0; -errno with a sentence in errors. */
static int read_file(struct file *file, const char *path, struct config_errors *errors) {
	/* O_NONBLOCK: a FIFO is to be refused, not waited for. */
	int fd cleanup_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		int r = -errno;

		config_errors_add(errors, 0, 0, "cannot open: %s", strerror(-r));
		return r;
	}
	if (!S_ISREG(st.st_mode)) {
		config_errors_add(errors, 0, 0, "not a regular file");
		return -EINVAL;
	}
	if (st.st_size > (off_t)CONFIG_MAX_FILE_BYTES) {
		config_errors_add(errors, 0, 0, "%jd bytes are too large for a config, at most %u",
			(intmax_t)st.st_size, CONFIG_MAX_FILE_BYTES);
		return -EINVAL;
	}
	/* One byte more than allowed, to see a file that grows meanwhile. */
	cleanup_free char *buf = malloc(CONFIG_MAX_FILE_BYTES + 1);
	if (!buf) {
		return -ENOMEM;
	}
	size_t n = 0;
	while (n < CONFIG_MAX_FILE_BYTES + 1) {
		ssize_t got = read(fd, buf + n, CONFIG_MAX_FILE_BYTES + 1 - n);

		if (got < 0 && errno != EINTR) {
			int r = -errno;

			config_errors_add(errors, 0, 0, "cannot read: %s", strerror(-r));
			return r;
		}
		if (got == 0) {
			break;
		}
		n += got > 0 ? (size_t)got : 0;
	}
	*file = (struct file){.text = steal_pointer(&buf), .len = n, .mode = st.st_mode & 07777};
	return 0;
}

int config_load(struct config **out, const char *path, struct config_errors *errors) {
	struct file file = {0};

	int r = config_errors_begin(errors, path, NULL, 0);
	r = r < 0 ? r : read_file(&file, path, errors);
	r = r < 0 ? r : config_parse(out, file.text, file.len, path, errors);
	if (r == 0) {
		(*out)->file_mode = file.mode;
	}
	free(file.text);
	return r;
}

int config_load_default(struct config **out) {
	const char *text = config_get_default_text();
	struct config_errors errors;

	config_errors_init(&errors);
	int r = config_parse(out, text, strlen(text), "(built in)", &errors);
	config_errors_finish(&errors);
	return r;
}
