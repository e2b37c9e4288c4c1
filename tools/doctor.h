/* SPDX-License-Identifier: MIT */
#ifndef DOCTOR_H
#define DOCTOR_H
/*
 * zoe doctor's findings: what was looked at, what is wrong with it, and what to do.
 * Owns:     nothing; a finding is printed as it is made.
 * Threads:  one.
 * Includes: tool.h.
 */
#include "tool.h"

enum verdict { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_ERROR, DOCTOR_UNKNOWN };

struct doctor {
	struct tool *tool;
	unsigned n_findings, n_warnings, n_errors;
};

/* One finding. remedy: what to do about it; "" where it is fine. */
struct finding {
	enum verdict verdict;
	const char *subject; // "kernel", one word
	char text[320], remedy[320];
};
void doctor_tell(struct doctor *doctor, const struct finding *finding);

/* The machine: kernel, limits, memory. */
void doctor_check_kernel(struct doctor *doctor);
void doctor_check_futex(struct doctor *doctor);
void doctor_check_files(struct doctor *doctor);
void doctor_check_maps(struct doctor *doctor);
void doctor_check_memory(struct doctor *doctor);

/* The socket, and whoever listens there; then what it says. */
void doctor_check_socket(struct doctor *doctor);
void doctor_check_broker(struct doctor *doctor);
#endif
