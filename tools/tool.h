/* SPDX-License-Identifier: MIT */
#ifndef TOOL_H
#define TOOL_H
/*
 * What the commands of zoe share: common options, the client, the end by signal, and messages.
 * Owns:     the client, which ends in tool_finish(), and the signal pipe, which ends with zoe.
 * Threads:  one.
 * Includes: the public headers and sdk/core/attr.h only.
 * Exit codes: 0 done (an end by Ctrl-C that left everything whole included), 1 failed with one
 * sentence, 2 usage.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <zoe/consumer.h>
#include <zoe/producer.h>
#include <zoe/zoe.h>

#include "attr.h"

enum { TOOL_DONE = 0, TOOL_FAILED = 1, TOOL_USAGE = 2 };

struct command;

struct tool {
	const struct command *command; // borrowed, static
	struct zoe_client *client;     // made by tool_connect()
	const char *socket;            // --socket; borrowed from argv; NULL = search
	int timeout_ms;                // --timeout; -1 = for ever
	bool is_json;                  // --json
	bool is_quiet;                 // --quiet: no progress
	bool has_waited;               // "waiting for" was printed
	bool has_frame;                // tool_next() has given one
};

struct command {
	const char *name;
	int (*run)(struct tool *tool, int argc, char **argv); // argv[0] is the command's name
	const char *summary;                                  // one line
	const char *usage;                                    // "STREAM FILE|- [--new]"
	const char *help; // options and examples, printed after the usage
};

/* An option table entry of a command; the common ones (--socket, --timeout, --json, --quiet,
 * --help) are added by tool_parse(). */
struct tool_option {
	const char *name; // without dashes
	char letter;      // 0 = none
	bool has_value;
	const char **value; // set to the argument, or to "" for a flag that was given
};

/* Parses options anywhere among the arguments; argv is reordered so that the *n_args positional
 * ones stand at argv[1..n_args]. options ends with a NULL name.
 * Returns: -1 go on; else the exit code (--help was printed: 0; bad usage, with its sentence: 2).
 */
int tool_parse(
	struct tool *tool, int argc, char **argv, const struct tool_option *options, int *n_args);

/* Makes the client (no I/O). Returns: 0; TOOL_FAILED with its sentence. */
int tool_connect(struct tool *tool);
void tool_finish(struct tool *tool);

/* Makes INT and TERM end waits instead of the program. Returns: 0; TOOL_FAILED. */
int tool_catch_signals(void);
/* Has INT or TERM come? Every wait of the SDK is ended by it soon: use timeouts <= TOOL_TICK_MS. */
bool tool_is_stopped(void);
enum { TOOL_TICK_MS = 200 };
/* Readable once INT or TERM has come; borrowed. */
int tool_get_stop_fd(void);
/* Sleeps until a CLOCK_MONOTONIC time, or until fd (-1 = none) is readable, or a signal.
 * Returns: 1 readable; 0 time; -ECANCELED a signal. */
int tool_wait_until(int fd, uint64_t time_ns);
uint64_t tool_get_now_ns(void);
/* Hands what was printed on to stdout's reader. Returns: 0; TOOL_FAILED nobody reads any more
 * (nothing is said), or with its sentence. */
int tool_flush(void);

/* Prints "zoe: SENTENCE". Returns TOOL_FAILED, TOOL_USAGE. */
int tool_fail(const char *format, ...) attr_printf(1, 2);
int tool_fail_usage(const struct tool *tool, const char *format, ...) attr_printf(2, 3);
/* The client's sentence. Returns TOOL_FAILED. */
int tool_fail_client(const struct tool *tool);

/* Opens a consumer or producer, waiting as --timeout says; says what it waits for, on a
 * terminal at once, else after a second.
 * Returns: 0; TOOL_FAILED with its sentence; TOOL_DONE + 100 = stopped by signal (say nothing). */
enum { TOOL_STOPPED = 100 };
int tool_open_consumer(struct tool *tool, const char *stream,
	const struct zoe_consumer_options *opt, struct zoe_consumer **out);
int tool_open_producer(struct tool *tool, const char *stream,
	const struct zoe_producer_options *opt, struct zoe_producer **out);
/* The next frame, waiting at most timeout_ms (-1 = for ever), ended by a signal; prints "waiting
 * for stream 'x' ..." once if nothing comes for a second and the stream has shown nothing yet. A
 * stream that ended before is waited for; one that ends after its first frame is -ENODATA.
 * Returns: 0; -ECANCELED a signal; else as zoe_consumer_next(). */
int tool_next(struct tool *tool, struct zoe_consumer *consumer, const struct zoe_frame **out,
	int timeout_ms);

/* Parsers of option values. Return: 0; -EINVAL. */
int tool_parse_u64(const char *text, uint64_t *out);
int tool_parse_size(const char *text, uint32_t *width, uint32_t *height); // "1280x720"
int tool_parse_duration_ms(const char *text, int *out);                   // "1500", "1500ms", "2s"
int tool_parse_bytes(const char *text, uint64_t *out);             // "65536", "512MiB", "2GiB"
int tool_parse_delivery(const char *text, enum zoe_delivery *out); // "every", "queue-reliable" ...
int tool_parse_fps(const char *text, double *out); // "60", "59.94", "30000/1001"; 0 = no limit

/* A string as JSON, quotes included; control bytes and bad UTF-8 escaped. */
void tool_print_json_string(FILE *to, const char *text);
/* A string for a terminal: control bytes as '?'. Returns buf. */
const char *tool_printable(const char *text, char *buf, size_t size);

/* Prints every pixel format with its other spellings: --format help. */
void tool_print_formats(FILE *to);

/* Commands, one a file; the table with their help is commands.c. */
extern const struct command commands[]; // ends with a NULL name
int bench_run(struct tool *tool, int argc, char **argv);
int capture_run(struct tool *tool, int argc, char **argv);
int check_run(struct tool *tool, int argc, char **argv);
int complete_run(struct tool *tool, int argc, char **argv);
int doctor_run(struct tool *tool, int argc, char **argv);
int kick_run(struct tool *tool, int argc, char **argv);
int keep_run(struct tool *tool, int argc, char **argv);
int list_run(struct tool *tool, int argc, char **argv);
int play_run(struct tool *tool, int argc, char **argv);
int push_run(struct tool *tool, int argc, char **argv);
int recover_run(struct tool *tool, int argc, char **argv);
int record_run(struct tool *tool, int argc, char **argv);
int reload_run(struct tool *tool, int argc, char **argv);
int snap_run(struct tool *tool, int argc, char **argv);
int status_run(struct tool *tool, int argc, char **argv);
int top_run(struct tool *tool, int argc, char **argv);
int verify_run(struct tool *tool, int argc, char **argv);
#endif
