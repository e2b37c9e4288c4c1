/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

static struct {
	enum log_level level;
	const char *name; // borrowed, static
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

void log_line(enum log_level level, const char *format, ...) {
	/* syslog(3)'s priorities, as sd-daemon(3) wants them in front of a line. */
	static const char *const priority[] = {"<3>", "<4>", "<6>", "<7>"};
	va_list args;
	char line[1024];

	if (level > sink.level) {
		return;
	}
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	fprintf(stderr, "%s%s: %s\n", is_journal() ? priority[level] : "", sink.name, line);
}
