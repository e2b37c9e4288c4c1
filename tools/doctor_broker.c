/* SPDX-License-Identifier: MIT */
#include "doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "stream_text.h"

enum { ANSWER_MS = 3000 };

/* The i-th place where programs look for the broker. Returns: false past the last; "" = unset. */
static bool get_place(const struct doctor *doctor, unsigned i, char *path, size_t size) {
	const char *from = NULL;

	path[0] = '\0';
	if (doctor->tool->socket) {
		snprintf(path, size, "%s", doctor->tool->socket);
		return i == 0;
	}
	if (i == 0) {
		from = getenv("ZOETROPE_SOCKET");
		snprintf(path, size, "%s", from ? from : "");
	} else if (i == 1) {
		from = getenv("XDG_RUNTIME_DIR");
		snprintf(path, size, "%s%s", from ? from : "", from ? "/zoetrope/socket" : "");
	} else {
		snprintf(path, size, "/run/zoetrope/socket");
	}
	return i < 3;
}

/* Returns: 0; -errno of connect(). */
static int try_connect(const char *path) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cleanup_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return -errno;
	}
	if (strlen(path) >= sizeof(address.sun_path)) {
		return -ENAMETOOLONG;
	}
	memcpy(address.sun_path, path, strlen(path));
	return connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
}

static void explain_connect(struct finding *f, const char *path, int error) {
	const char *why = "the path leads to something else than a socket of zoetroped";

	switch (error) {
	case -ENOENT:
		why = "start zoetroped, or name its socket by --socket or $ZOETROPE_SOCKET";
		break;
	case -ECONNREFUSED:
		why = "nobody listens: its broker is gone (systemctl status zoetroped); a new one "
		      "takes the place over";
		break;
	case -EACCES:
	case -EPERM:
		why = "who may knock is broker: socket_mode: in the config and the mode of the "
		      "directories above";
		break;
	case -EAGAIN:
		why = "the broker does not accept: it is stopped, or flooded";
		break;
	case -ENAMETOOLONG:
		why = "a socket's path has at most 107 bytes";
		break;
	default:
		break;
	}
	snprintf(f->text, sizeof(f->text), "%.200s: %s", path, strerror(-error));
	snprintf(f->remedy, sizeof(f->remedy), "%s", why);
}

/* A symbolic link of a process that says which namespace it is in. */
static bool is_same_namespace(const char *kind, int32_t pid, bool *is_same) {
	char path[64], own[64] = "", other[64] = "";
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	n = readlink(path, own, sizeof(own) - 1);
	if (n < 0) {
		return false;
	}
	snprintf(path, sizeof(path), "/proc/%" PRId32 "/ns/%s", pid, kind);
	n = readlink(path, other, sizeof(other) - 1);
	*is_same = strcmp(own, other) == 0;
	return n >= 0;
}

void doctor_check_socket(struct doctor *doctor) {
	struct finding f = {.subject = "socket"};
	char path[256], last[256] = "";
	int error = -ENOENT;

	for (unsigned i = 0; get_place(doctor, i, path, sizeof(path)); i++) {
		int r = path[0] ? try_connect(path) : -ENOENT;

		if (r == 0) {
			snprintf(f.text, sizeof(f.text), "%.250s: somebody listens", path);
			doctor_tell(doctor, &f);
			return;
		}
		/* The one that is there and does not answer tells most. */
		if (path[0] && (last[0] == '\0' || (error == -ENOENT && r != -ENOENT))) {
			snprintf(last, sizeof(last), "%s", path);
			error = r;
		}
	}
	f.verdict = DOCTOR_ERROR;
	explain_connect(&f, last, error);
	doctor_tell(doctor, &f);
}

/* What the broker's answer has for us. */
struct audit {
	struct doctor *doctor;
	uint32_t n_all, n_streams, n_usable;
	uint64_t memory_bytes, limit_bytes, failure_ns;
	int32_t pid;
	char config[256], protection[32], version[32], hog[128];
	uint64_t hog_bytes;
};

static int note(void *user, const struct zoe_status *status) {
	struct audit *audit = user;
	const struct zoe_broker_info *b = status->broker;
	const struct zoe_stream_info *s = status->stream;

	if (b) {
		audit->memory_bytes = b->memory_bytes;
		audit->limit_bytes = b->memory_limit_bytes;
		audit->failure_ns = b->failure_ns;
		audit->pid = b->pid;
		audit->n_all = b->n_streams;
		snprintf(audit->config, sizeof(audit->config), "%s", b->config);
		snprintf(audit->protection, sizeof(audit->protection), "%s", b->protection);
		snprintf(audit->version, sizeof(audit->version), "%s", b->version);
	}
	if (s) {
		audit->n_streams++;
		audit->n_usable += (s->may & (ZOE_MAY_PRODUCE | ZOE_MAY_CONSUME)) != 0;
		if (s->memory_bytes > audit->hog_bytes) {
			audit->hog_bytes = s->memory_bytes;
			snprintf(audit->hog, sizeof(audit->hog), "%s", s->name);
		}
	}
	return 0;
}

static void tell_config(const struct audit *audit) {
	struct finding f = {.subject = "config"};

	snprintf(f.text, sizeof(f.text), "%s", audit->config);
	if (audit->failure_ns != 0) {
		f.verdict = DOCTOR_WARNING;
		snprintf(f.text, sizeof(f.text),
			"%.200s: it was changed, and the reload failed: the one before holds",
			audit->config);
		snprintf(f.remedy, sizeof(f.remedy), "zoe check %.200s, then zoe reload",
			audit->config);
	}
	doctor_tell(audit->doctor, &f);
}

static void tell_rights(const struct audit *audit) {
	struct finding f = {.subject = "access"};

	snprintf(f.text, sizeof(f.text), "uid %u sees %u streams, and may use %u of them",
		(unsigned)geteuid(), audit->n_streams, audit->n_usable);
	if (audit->n_all == 0) {
		snprintf(f.text, sizeof(f.text),
			"there is no stream: one of a pattern comes with its producer");
	} else if (audit->n_usable == 0) {
		f.verdict = DOCTOR_WARNING;
		snprintf(f.remedy, sizeof(f.remedy),
			"see access: in the config; a group counts from the next login on");
	}
	doctor_tell(audit->doctor, &f);
}

static void tell_lent(const struct audit *audit) {
	struct finding f = {.subject = "lent"};
	char lent[WORD_SIZE], limit[WORD_SIZE];

	snprintf(f.text, sizeof(f.text), "%s of %s (memory_limit)",
		word_bytes(lent, audit->memory_bytes), word_bytes(limit, audit->limit_bytes));
	if (audit->memory_bytes > audit->limit_bytes / 10 * 8) {
		f.verdict = DOCTOR_WARNING;
		snprintf(f.remedy, sizeof(f.remedy),
			"the next stream may be refused; most has '%.100s' (%s): zoe status",
			audit->hog, word_bytes(lent, audit->hog_bytes));
	}
	doctor_tell(audit->doctor, &f);
}

static void tell_protection(const struct audit *audit) {
	struct finding f = {.subject = "protection"};
	bool has_flag = strcmp(audit->protection, "mode+immutable") == 0;

	snprintf(f.text, sizeof(f.text), "%s: readers of %s cannot write", audit->protection,
		has_flag ? "any user" : "other users");
	if (!has_flag) {
		snprintf(f.remedy, sizeof(f.remedy),
			"against readers of the broker's own user too: CAP_LINUX_IMMUTABLE for "
			"zoetroped");
	}
	doctor_tell(audit->doctor, &f);
}

static void tell_clock(const struct audit *audit) {
	struct finding f = {.subject = "clock"};
	bool is_same = false;

	if (!is_same_namespace("time", audit->pid, &is_same)) {
		f.verdict = DOCTOR_UNKNOWN;
		snprintf(f.text, sizeof(f.text),
			"the broker's time namespace is not for this user to see");
	} else if (!is_same) {
		f.verdict = DOCTOR_WARNING;
		snprintf(f.text, sizeof(f.text), "the broker is in another time namespace");
		snprintf(f.remedy, sizeof(f.remedy),
			"CLOCK_MONOTONIC differs: ages and latencies are wrong, frames flow");
	} else {
		snprintf(f.text, sizeof(f.text), "the same time namespace as the broker");
	}
	doctor_tell(audit->doctor, &f);
}

void doctor_check_broker(struct doctor *doctor) {
	struct finding f = {.subject = "broker"};
	struct audit audit = {.doctor = doctor};
	int timeout_ms = doctor->tool->timeout_ms < 0 ? ANSWER_MS : doctor->tool->timeout_ms;
	int r;

	if (doctor->n_errors > 0 || tool_connect(doctor->tool) != 0) {
		return; /* nobody to ask, and that was said */
	}
	r = zoe_client_status(doctor->tool->client, NULL, note, &audit, timeout_ms);
	if (r < 0) {
		f.verdict = DOCTOR_ERROR;
		snprintf(f.text, sizeof(f.text), "%.300s",
			zoe_client_get_error(doctor->tool->client));
		snprintf(f.remedy, sizeof(f.remedy),
			r == -ETIMEDOUT ? "it is stopped, or busy: see its log"
					: "see its log for the reason");
		doctor_tell(doctor, &f);
		return;
	}
	snprintf(f.text, sizeof(f.text), "zoetroped %s, pid %" PRId32, audit.version, audit.pid);
	doctor_tell(doctor, &f);
	tell_config(&audit);
	tell_rights(&audit);
	tell_lent(&audit);
	tell_protection(&audit);
	tell_clock(&audit);
}
