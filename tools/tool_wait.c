/* SPDX-License-Identifier: MIT */
/*
 * Waits that a signal ends: for a time, a stream, a frame.
 * Owns:     the pipe that the signal handler writes to.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "tool.h"

#define SECOND_NS UINT64_C(1000000000)
enum { LEAST_TRY_MS = 20, ENDED_MS = 5 };

/* A signal handler knows nothing but globals. */
static volatile sig_atomic_t is_stopped;
static int stop_pipe[2] = {-1, -1};

static void handle_signal(int number) {
	int error = errno;

	(void)number;
	is_stopped = 1;
	(void)!write(stop_pipe[1], "", 1);
	errno = error;
}

int tool_catch_signals(void) {
	struct sigaction action = {.sa_handler = handle_signal};

	if (pipe2(stop_pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
		return tool_fail("signals: %s", strerror(errno));
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	action.sa_handler = SIG_IGN; /* a reader that leaves is an error of write() */
	sigaction(SIGPIPE, &action, NULL);
	return 0;
}

bool tool_is_stopped(void) {
	return is_stopped != 0;
}

int tool_get_stop_fd(void) {
	return stop_pipe[0];
}

uint64_t tool_get_now_ns(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

int tool_wait_until(int fd, uint64_t time_ns) {
	struct pollfd fds[2] = {
		{.fd = stop_pipe[0], .events = POLLIN}, {.fd = fd, .events = POLLIN}};

	while (!tool_is_stopped()) {
		uint64_t now = tool_get_now_ns();
		uint64_t left = time_ns > now ? time_ns - now : 0;
		struct timespec wait = {(time_t)(left / SECOND_NS), (long)(left % SECOND_NS)};
		int n = ppoll(fds, 2, time_ns == UINT64_MAX ? NULL : &wait, NULL);

		if (n > 0 && fds[1].revents != 0) {
			return 1;
		}
		if (n == 0) {
			return 0;
		}
	}
	return -ECANCELED;
}

/* One wait cut into short ones. */
struct patience {
	uint64_t start_ns, end_ns; // CLOCK_MONOTONIC; UINT64_MAX = for ever
};

static struct patience patience_init(int timeout_ms) {
	struct patience p = {tool_get_now_ns(), UINT64_MAX};

	if (timeout_ms >= 0) {
		p.end_ns = p.start_ns + (uint64_t)timeout_ms * 1000000;
	}
	return p;
}

static int patience_get_try_ms(const struct patience *p) {
	uint64_t now = tool_get_now_ns();
	uint64_t left_ms = p->end_ns > now ? (p->end_ns - now + 999999) / 1000000 : 0;

	return left_ms < TOOL_TICK_MS ? (int)left_ms : TOOL_TICK_MS;
}

/* Says once, after a second (at once on a terminal), what is waited for. */
static void tell_waiting(struct tool *tool, const struct patience *p, const char *stream) {
	uint64_t waited = tool_get_now_ns() - p->start_ns;
	char safe[128];

	if (tool->has_waited || tool->has_frame || tool->is_quiet ||
		(waited < SECOND_NS && !isatty(STDERR_FILENO))) {
		return;
	}
	tool->has_waited = true;
	fprintf(stderr, "zoe: waiting for stream '%s' ...\n",
		tool_printable(stream, safe, sizeof(safe)));
}

/* After a try that failed. Returns: 0 try again; TOOL_FAILED; TOOL_STOPPED. */
static int judge_open(struct tool *tool, const struct patience *p, const char *stream, int rc) {
	if (tool_is_stopped()) {
		return TOOL_STOPPED;
	}
	if ((rc != -ETIMEDOUT && rc != -EAGAIN) || patience_get_try_ms(p) == 0) {
		return tool_fail_client(tool);
	}
	tell_waiting(tool, p, stream);
	return 0;
}

static int get_open_ms(const struct patience *p) {
	int try_ms = patience_get_try_ms(p);

	return try_ms < LEAST_TRY_MS ? LEAST_TRY_MS : try_ms;
}

int tool_open_consumer(struct tool *tool, const char *stream,
	const struct zoe_consumer_options *opt, struct zoe_consumer **out) {
	struct zoe_consumer_options options = *opt;
	struct patience p = patience_init(tool->timeout_ms);
	int rc;

	do {
		options.timeout_ms = get_open_ms(&p);
		rc = zoe_consumer_open(tool->client, stream, &options, out);
		if (rc == 0) {
			return 0;
		}
		rc = judge_open(tool, &p, stream, rc);
	} while (rc == 0);
	return rc;
}

int tool_open_producer(struct tool *tool, const char *stream,
	const struct zoe_producer_options *opt, struct zoe_producer **out) {
	struct zoe_producer_options options = *opt;
	struct patience p = patience_init(tool->timeout_ms);
	int rc;

	do {
		options.timeout_ms = get_open_ms(&p);
		rc = zoe_producer_open(tool->client, stream, &options, out);
		if (rc == 0) {
			return 0;
		}
		rc = judge_open(tool, &p, stream, rc);
	} while (rc == 0);
	return rc;
}

/* Whether a try that gave no frame may be followed by another. A stream that ended before its first
 * frame was seen is waited for like one that has no producer yet. */
static bool is_worth_waiting(const struct tool *tool, int rc) {
	return rc == -ETIMEDOUT || rc == -EAGAIN || (rc == -ENODATA && !tool->has_frame);
}

int tool_next(struct tool *tool, struct zoe_consumer *consumer, const struct zoe_frame **out,
	int timeout_ms) {
	struct patience p = patience_init(timeout_ms);

	while (!tool_is_stopped()) {
		int try_ms = patience_get_try_ms(&p);
		int rc = zoe_consumer_next(consumer, out, try_ms);

		if (!is_worth_waiting(tool, rc)) {
			tool->has_frame = tool->has_frame || rc == 0;
			return rc;
		}
		if (try_ms == 0 || patience_get_try_ms(&p) == 0) {
			return rc == -ENODATA ? -ETIMEDOUT : rc;
		}
		tell_waiting(tool, &p, zoe_consumer_get_name(consumer));
		if (rc == -ENODATA) {
			tool_wait_until(-1, tool_get_now_ns() + ENDED_MS * UINT64_C(1000000));
		}
	}
	return -ECANCELED;
}
