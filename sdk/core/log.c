/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#define STRANGERS_AT_ONCE 20.0
#define STRANGERS_A_SECOND 5.0

static struct {
	enum log_level level;
	const char *name;          // borrowed, static
	double strangers, time;    // lines of theirs that may be written, when that was so
	unsigned long n_unwritten; // that were not
} sink = {.level = LOG_LEVEL_INFO, .name = "zoetrope"};

/* $JOURNAL_STREAM names the journal's end by device and inode, and is inherited by those whose
 * stderr is something else: systemd.exec(5). */
static bool is_journal(void) {
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_set_level(enum log_level level) {
	sink.level = level;
}

void log_set_name(const char *name) {
	sink.name = name;
}

static void attr_printf(2, 0) sink_write(enum log_level level, const char *format, va_list args) {
	/* syslog(3)'s priorities, as sd-daemon(3) wants them in front of a line. */
	static const char *const priority[] = {"<3>", "<4>", "<6>", "<7>"};
	char line[1024];

	vsnprintf(line, sizeof(line), format, args);
	fprintf(stderr, "%s%s: %s\n", is_journal() ? priority[level] : "", sink.name, line);
}

void log_line(enum log_level level, const char *format, ...) {
	va_list args;

	if (level > sink.level) {
		return;
	}
	va_start(args, format);
	sink_write(level, format, args);
	va_end(args);
}

/* Returns: whether one more line of a stranger's doing may be written. */
static bool sink_admit_stranger(void) {
	struct timespec now;
	double time;

	clock_gettime(CLOCK_MONOTONIC, &now);
	time = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	sink.strangers += (time - sink.time) * STRANGERS_A_SECOND; /* full at first: time is 0 */
	sink.time = time;
	if (sink.strangers > STRANGERS_AT_ONCE) {
		sink.strangers = STRANGERS_AT_ONCE;
	}
	if (sink.strangers < 1.0) {
		sink.n_unwritten++;
		return false;
	}
	sink.strangers -= 1.0;
	return true;
}

void log_stranger(const char *format, ...) {
	va_list args;

	if (sink.level < LOG_LEVEL_WARNING || !sink_admit_stranger()) {
		return;
	}
	if (sink.n_unwritten > 0) {
		log_warn("%lu more lines like the next were not written", sink.n_unwritten);
		sink.n_unwritten = 0;
	}
	va_start(args, format);
	sink_write(LOG_LEVEL_WARNING, format, args);
	va_end(args);
}
