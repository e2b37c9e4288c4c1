/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_H
#define CONFIG_H
/*
 * The admin's word, zoetrope.yaml, as plain structs: which streams there are, how large, and who
 * may feed or see them.
 * Owns:     a struct config owns all it points at, until config_destroy; config_match and
 *           config_suggest lend from it. struct config_errors is the caller's, init to finish.
 * Threads:  none of its own; parsing asks the user database and is for one thread at a time. A
 *           parsed config is never written again and may be read by any.
 * Includes: zoe/frame.h and the C library. Knows no daemon, no socket, no libyaml.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <zoe/frame.h>

#define CONFIG_MAX_FILE_BYTES (1024u * 1024u)
#define CONFIG_MAX_ERRORS 50
#define CONFIG_MAX_NAME_BYTES 96
#define CONFIG_MAX_KEYS 24

/* Where a value comes from; all 0 if no line says it. */
struct config_source {
	uint32_t line, col; // 1-based, of its key
	bool is_default;    // it stands under `defaults`
};

/* Who holds a right. Nobody, if all is false and empty; root passes everywhere. */
struct access_list {
	bool any;
	bool owner;  // on a name: the broker's user; on a pattern: the user who produces the stream
	uid_t *uids; // user:NAME; in order, each once
	size_t n_uids;
	gid_t *gids; // group:NAME; in order, each once
	size_t n_gids;
};

struct stream_config {
	char *name; // "desk", or the pattern "game/*"
	bool is_pattern;
	char *description;            // never NULL
	struct zoe_format max_format; // the largest picture; fourcc 0 where max_bytes was given
	uint64_t max_bytes;           // payload of the largest frame, always set, >= 1
	uint32_t slots;               // newest frames that stay readable, 2-4096
	uint32_t producers;           // at once, 1-64
	uint32_t open;                // slots a producer may hold at once, 1-8
	uint32_t consumers;           // at once, 1-64
	uint32_t hold;                // frames a consumer may hold at once, 1-8
	uint32_t max_fps;             // that producers are asked for; 0 = no limit
	bool blocks;                  // when_full: block
	uint64_t patience_ms;         // of producers with a reliable consumer, 1 to 3,600,000
	uint32_t metadata_bytes;      // of a frame, 0-65536
	uint32_t max_streams;         // live streams of a pattern, 1-4096; always 1 for a name
	uint64_t linger_ms;           // a stream is gone this long after its last client
	struct access_list produce, consume, reliable, list, admin;
	uint32_t line, col;                            // where it stands, 1-based
	struct config_source sources[CONFIG_MAX_KEYS]; // of its values, in the schema's order
};

/* What one user may take together; root and the broker's own user are exempt. */
struct per_user_config {
	uint64_t memory_bytes;
	uint32_t streams;   // made by patterns, 1-4096
	uint32_t consumers; // 1-65536
};

struct broker_config {
	char *socket;          // NULL: choose by the environment
	uint32_t socket_mode;  // permission bits, 0666 unless said
	uint64_t memory_limit; // bytes lent, all streams together
	struct per_user_config per_user;
	uint64_t settle_ms; // after a restart: how long reliable consumers are waited for, 0-60,000
	int log_level;      // enum log_level of sdk/core/log.h
	struct config_source sources[CONFIG_MAX_KEYS]; // of its values, in the schema's order
};

struct config {
	struct broker_config broker;
	struct access_list admin; // of broker-wide acts: that of `defaults`
	struct config_source admin_source;
	struct stream_config *streams; // in the file's order
	size_t n_streams;
	uint32_t file_mode; // permission bits of the file; 0 without one
};

struct config_error {
	uint32_t line, col; // 1-based; 0: about the file as a whole
	char *message;
};

/* Everything that is wrong with one text, in the text's order; or all that is odd about one that
 * loads. */
struct config_errors {
	bool are_warnings;
	char *label;  // the file's path
	char *source; // the text, for carets; NULL if it could not be read
	size_t source_len;
	struct config_error list[CONFIG_MAX_ERRORS];
	size_t n_errors;
	size_t n_dropped; // found beyond CONFIG_MAX_ERRORS
};

void config_errors_init(struct config_errors *errors);
void config_errors_finish(struct config_errors *errors);

/* Writes one "PATH:LINE:COL: error: sentence" (or warning) per entry, followed by the line of the
 * text and a caret under the place if caret is set. */
void config_errors_print(const struct config_errors *errors, FILE *out, bool caret);

/* Reads and checks a file. A file that does not open, is no regular file or exceeds
 * CONFIG_MAX_FILE_BYTES is an error of the list too. *errors is initialised by the caller and
 * starts over with each call. Blocks on the disk and the user database.
 * Returns: 0; -EINVAL the text is wrong, *errors says why; -ENOMEM; else what open, fstat or read
 * said, *errors has the sentence. */
int config_load(struct config **out, const char *path, struct config_errors *errors);

/* As config_load, for a text of any bytes; label stands for the path in messages.
 * Returns: 0; -EINVAL *errors says why; -ENOMEM. */
int config_parse(struct config **out, const char *text, size_t len, const char *label,
	struct config_errors *errors);

/* What loads and is probably not what its writer means: streams that nobody can use, people that
 * the socket shuts out, patterns that no name reaches. *errors is as config_load has left it, with
 * no error; its list holds the warnings then. */
void config_find_warnings(const struct config *config, struct config_errors *errors);

/* What holds without a file: any name, for the broker's own user only, with small limits.
 * Returns: 0; -ENOMEM. */
int config_load_default(struct config **out);

/* The text that config_load_default parses; static. */
const char *config_get_default_text(void);

/* Prints the config as YAML that reads as the same one, each default filled in. With a label (the
 * file's path) remarks say which line each value comes from. May ask the user database for names.
 */
void config_print(const struct config *config, FILE *out, const char *label);

/* Prints the JSON Schema (draft 7) of a config, for editors. It knows the keys, their types and
 * ranges; whether users exist and memory suffices is for config_load to say. */
void config_print_json_schema(FILE *out);

void config_destroy(struct config *config);

/* The entry that rules a name: the name itself, else the pattern with the longest literal prefix.
 * Borrowed from config. Returns: NULL if the name is invalid or no entry covers it. */
const struct stream_config *config_match(const struct config *config, const char *name);

/* The configured name (no pattern) that looks most like a mistyped one; borrowed from config.
 * Returns: NULL if none is near. */
const char *config_suggest(const struct config *config, const char *name);

/* Single edits (insert, drop, change, swap neighbours) between two names of at most
 * CONFIG_MAX_NAME_BYTES; SIZE_MAX if one is longer. */
size_t name_get_distance(const char *a, const char *b);

/* Whether one may well be a mistyped other; for suggestions among names of one's own choice, such
 * as those that the asker may list. */
bool name_is_near(const char *typed, const char *meant);

/* Most slots that a stream can need: slots, and all that its clients may hold. */
uint64_t stream_config_get_n_slots(const struct stream_config *stream);

/* Memory that a stream needs with its largest frames, one producer and one consumer, bytes. */
uint64_t stream_config_get_bytes(const struct stream_config *stream);

/* What a stream's change asks of the broker. */
enum stream_change {
	STREAM_CHANGE_ACCESS = 1,    // who may do what
	STREAM_CHANGE_LIMITS = 2,    // what the broker alone asks, the next time it does
	STREAM_CHANGE_SIZE = 4,      // how large a region's frames may be made from now on
	STREAM_CHANGE_TERMS = 8,     // what producers are told with their region
	STREAM_CHANGE_GEOMETRY = 16, // how a region's memory is cut
};

/* Compares all but the entry's place in its file. What differs is printed to out unless it is
 * NULL: "slots 6 -> 8, access.list [owner] -> [any]". May ask the user database for names to print.
 * Returns: bits of enum stream_change; 0 nothing differs. */
uint32_t stream_config_get_changes(
	const struct stream_config *before, const struct stream_config *after, FILE *out);

/* As above for the broker's own settings. Returns: whether anything differs. */
bool broker_config_get_changes(
	const struct broker_config *before, const struct broker_config *after, FILE *out);

/* What all named streams need so, together. */
uint64_t config_get_bytes(const struct config *config);

/* A stream's name: 1-96 bytes of [A-Za-z0-9._:+@-] in parts between "/", no "." or ".." part. */
bool name_is_valid(const char *name);
#endif
