/* SPDX-License-Identifier: MIT */
#include "value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "access_list.h"
#include "log.h"

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit byte_units[] = {{"", 1}, {"KiB", UINT64_C(1) << 10},
	{"MiB", UINT64_C(1) << 20}, {"GiB", UINT64_C(1) << 30}, {NULL, 0}};
static const struct unit time_units[] = {{"ms", 1}, {"s", 1000}, {NULL, 0}};
static const struct unit no_units[] = {{"", 1}, {NULL, 0}};

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static const struct unit *get_units(const struct schema_key *key) {
	switch (key->type) {
	case SCHEMA_BYTES:
	case SCHEMA_SMALL_BYTES:
	case SCHEMA_PAYLOAD:
		return byte_units;
	case SCHEMA_TIME:
		return time_units;
	case SCHEMA_COUNT:
	case SCHEMA_TEXT:
	case SCHEMA_PATH:
	case SCHEMA_MODE:
	case SCHEMA_LEVEL:
	case SCHEMA_FULL:
	case SCHEMA_FORMAT:
	case SCHEMA_WHO:
	case SCHEMA_TABLE:
	case SCHEMA_MAP:
		break;
	}
	return no_units;
}

/* A value on its way. */
struct reading {
	const struct schema_key *key;
	const struct tree_node *node;
	struct config_errors *errors;
};

const char *value_get_level_name(int level) {
	return level >= 0 && (size_t)level < n_elements(level_names) ? level_names[level] : "info";
}

const char *value_describe(const struct tree_node *node) {
	if (node->kind != TREE_SCALAR) {
		return node->kind == TREE_LIST ? "a list" : "a map";
	}
	return node->text[0] || node->is_quoted ? "text" : "nothing";
}

/* The largest unit that divides the number. */
void value_format_number(char *text, size_t size, const struct schema_key *key, uint64_t number) {
	const struct unit *units = get_units(key), *unit = units;

	for (const struct unit *larger = units; larger->name; larger++) {
		unit = number % larger->factor == 0 && (number > 0 || units == time_units) ? larger
											   : unit;
	}
	snprintf(text, size, "%" PRIu64 "%s", number / unit->factor, unit->name);
}

static void complain(const struct reading *in, const char *why) {
	config_errors_add(in->errors, in->node->line, in->node->col, "%s: '%.80s' %s",
		in->key->name, in->node->text, why);
}

/* Reads "64MiB" by a table of units. Returns: whether *value is set. */
static bool read_number(
	const struct reading *in, const struct unit *units, const char *how, uint64_t *value) {
	const char *text = in->node->text;
	char limit[32];
	uint64_t number = 0;
	bool is_over = false;
	const char *at = text;

	for (; isdigit((unsigned char)*at); at++) {
		is_over |= __builtin_mul_overflow(number, 10u, &number) ||
			   __builtin_add_overflow(number, (uint64_t)(*at - '0'), &number);
	}
	bool has_digits = at > text;
	at += strspn(at, " ");
	const struct unit *unit = units;
	while (unit->name && strcmp(unit->name, at) != 0) {
		unit++;
	}
	bool is_plain_zero = has_digits && number == 0 && *at == '\0';
	if (!has_digits || (!unit->name && !is_plain_zero)) {
		complain(in, how);
		return false;
	}
	is_over |= !is_plain_zero && __builtin_mul_overflow(number, unit->factor, &number);
	if (is_over || number > in->key->max) {
		value_format_number(limit, sizeof(limit), in->key, in->key->max);
		config_errors_add(in->errors, in->node->line, in->node->col,
			"%s: %.40s is too large, at most %s", in->key->name, text, limit);
		return false;
	}
	if (number < in->key->min) {
		value_format_number(limit, sizeof(limit), in->key, in->key->min);
		config_errors_add(in->errors, in->node->line, in->node->col,
			"%s: %.40s is too small, need at least %s", in->key->name, text, limit);
		return false;
	}
	*value = number;
	return true;
}

static void read_count(const struct reading *in, uint32_t *field) {
	uint64_t value = 0;

	if (read_number(in, no_units, "is not a whole number", &value)) {
		*field = (uint32_t)value;
	}
}

static bool read_bytes(const struct reading *in, uint64_t *value) {
	return read_number(in, byte_units,
		"is not a size; write bytes, or a whole number with KiB, MiB or GiB", value);
}

static void read_mode(const struct reading *in, uint32_t *field) {
	const char *text = in->node->text;
	size_t n = strspn(text, "01234567");

	if (n < 3 || n > 4 || text[n] || (n == 4 && text[0] != '0')) {
		complain(in, "is not a mode; write one like \"0660\"");
		return;
	}
	*field = (uint32_t)strtoul(text, NULL, 8);
}

static void read_level(const struct reading *in, int *field) {
	for (size_t i = 0; i < n_elements(level_names); i++) {
		if (strcmp(level_names[i], in->node->text) == 0) {
			*field = (int)i;
			return;
		}
	}
	complain(in, "is not a level; write error, warning, info or debug");
}

static void read_full(const struct reading *in, bool *blocks) {
	if (strcmp(in->node->text, "drop") != 0 && strcmp(in->node->text, "block") != 0) {
		complain(in, "is not a way to go on; write drop or block");
		return;
	}
	*blocks = strcmp(in->node->text, "block") == 0;
}

static int read_text(const struct reading *in, char **field) {
	const char *text = in->node->text;

	if (in->key->type == SCHEMA_PATH && text[0] != '/') {
		complain(in, "is not a path that begins with '/'");
		return 0;
	}
	if (strlen(text) > in->key->max) {
		config_errors_add(in->errors, in->node->line, in->node->col,
			"%s: %zu bytes are too long, at most %" PRIu64, in->key->name, strlen(text),
			in->key->max);
		return 0;
	}
	char *copy = strdup(text);
	if (!copy) {
		return -ENOMEM;
	}
	free(*field);
	*field = copy;
	return 0;
}

/* A picture's size is fine, and the word after it is no format. */
static bool complain_of_format(const struct reading *in) {
	const char *text = in->node->text, *near = NULL, *name;
	const char *word = text + strspn(text, "0123456789xX");
	size_t nearest = SIZE_MAX;
	uint32_t fourcc;

	if (word == text || *word != ' ' || zoe_format_find_fourcc(word + strspn(word, " "))) {
		return false;
	}
	word += strspn(word, " ");
	for (unsigned i = 0; (fourcc = zoe_format_get_known(i, NULL)) != 0; i++) {
		name = zoe_format_get_name(fourcc);
		size_t distance = name_get_distance(word, name);

		if (distance < nearest && name_is_near(word, name)) {
			nearest = distance;
			near = name;
		}
	}
	config_errors_add(in->errors, in->node->line, in->node->col,
		"%s: no pixel format '%.40s'%s%s%s", in->key->name, word,
		near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	return true;
}

static void read_format(const struct reading *in, struct stream_config *stream) {
	struct zoe_format format = {0};
	int r = zoe_format_parse(&format, in->node->text);

	if (r == -EOVERFLOW) {
		complain(in, "is too large; a side is at most 65535, a frame less than 4 GiB");
	} else if (r < 0 && !complain_of_format(in)) {
		complain(in, "is not a picture; write one like '1920x1080 XR24'");
	} else if (r == 0) {
		stream->max_format = format;
		stream->max_bytes = format.size_bytes;
	}
}

static void read_payload(const struct reading *in, struct stream_config *stream) {
	if (read_bytes(in, &stream->max_bytes)) {
		stream->max_format = (struct zoe_format){0};
	}
}

static int read_scalar(const struct reading *in, void *target) {
	void *field = (char *)target + in->key->offset;
	uint64_t value = 0;

	switch (in->key->type) {
	case SCHEMA_COUNT:
		read_count(in, field);
		break;
	case SCHEMA_BYTES:
		read_bytes(in, field);
		break;
	case SCHEMA_SMALL_BYTES:
		if (read_bytes(in, &value)) {
			*(uint32_t *)field = (uint32_t)value;
		}
		break;
	case SCHEMA_TIME:
		read_number(
			in, time_units, "is not a time; write a whole number with ms or s", field);
		break;
	case SCHEMA_TEXT:
	case SCHEMA_PATH:
		return read_text(in, field);
	case SCHEMA_MODE:
		read_mode(in, field);
		break;
	case SCHEMA_LEVEL:
		read_level(in, field);
		break;
	case SCHEMA_FULL:
		read_full(in, field);
		break;
	case SCHEMA_FORMAT:
		read_format(in, target);
		break;
	case SCHEMA_PAYLOAD:
		read_payload(in, target);
		break;
	case SCHEMA_WHO:
	case SCHEMA_TABLE:
	case SCHEMA_MAP:
		break;
	}
	return 0;
}

int value_read(const struct schema_key *key, const struct tree_node *node, void *target,
	struct config_errors *errors) {
	void *field = (char *)target + key->offset;
	struct reading in = {key, node, errors};

	if (key->type == SCHEMA_MAP) {
		*(const struct tree_node **)field = node;
		return 0;
	}
	if (key->type == SCHEMA_WHO) {
		return access_list_read(field, key->name, node, errors);
	}
	if (node->kind != TREE_SCALAR ||
		(node->text[0] == '\0' && !node->is_quoted && key->type != SCHEMA_TEXT)) {
		config_errors_add(errors, node->line, node->col,
			"%s: one value is expected, not %s", key->name, value_describe(node));
		return 0;
	}
	return read_scalar(&in, target);
}
