/* SPDX-License-Identifier: MIT */
#ifndef FAULT_TRIAL_H
#define FAULT_TRIAL_H
/*
 * One trial: a broker, the flow and the others, with one fault in the broker or in the flow.
 * Owns:     a stage is a directory and the pages in it; a trial's processes end with it.
 * Threads:  one a stage.
 * Includes: page.h, honest.h.
 */
#include <sys/types.h>

#include "honest.h"
#include "page.h"

enum target { TARGET_BROKER, TARGET_SDK, N_TARGETS };

struct trial {
	enum target target;
	enum fault_call call;
	uint32_t nth; // from 1; 0 = no fault
	int error;
	enum fault_mutant mutant;
};

enum verdict {
	VERDICT_FINE,    // nobody noticed, or a call was refused and worked the second time
	VERDICT_REFUSED, // the broker did not start, and said why
	VERDICT_MISSED,  // so many calls were not made this time
	VERDICT_WRONG,
	N_VERDICTS
};

struct outcome {
	enum verdict verdict;
	unsigned n_refused; // calls that had to be made again
	uint64_t n_lost;    // by the flow's own consumers, who were told
	char why[320];      // of VERDICT_WRONG
};

/* What a process holds at rest. */
struct holdings {
	int32_t n_fds, n_blocks, n_maps;
};

/* A run without a fault: what there is to fail, and what the broker holds when it is idle again
 * and when it ends. */
struct baseline {
	uint32_t counts[N_TARGETS][FAULT_N_CALLS];
	struct holdings idle, end;
};

struct stage {
	char dir[64], socket[96], config[96], log[96], page_path[N_TARGETS][96];
	struct fault_page *pages[N_TARGETS];
	const char *broker, *self, *shim; // programs and the library to preload
	const struct baseline *baseline;  // borrowed; NULL while it is being made
	pid_t broker_pid, flow_pid;       // 0 = not running
	int broker_status;                // once it has ended
	int32_t n_more_fds;               // that the broker may have than without the fault
	struct honest honest;
};

/* Returns: 0; -errno. */
int stage_init(struct stage *stage, const char *broker, const char *shim);
void stage_finish(struct stage *stage);

void trial_run(struct stage *stage, const struct trial *trial, struct outcome *outcome);
/* The log of the last trial, to standard output. */
void stage_print_log(const struct stage *stage);
/* Returns: 0, or -1 and why is told: it must be fine. */
int baseline_take(struct stage *stage, struct baseline *baseline);
#endif
