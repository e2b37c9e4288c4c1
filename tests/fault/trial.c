/* SPDX-License-Identifier: MIT */
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "flow.h"

#define FLOW_MS 20000
#define END_MS 4000
#define IDLE_MS 3000

static const char *const page_names[N_TARGETS] = {"broker.page", "flow.page"};

static int write_text(const char *path, const char *text) {
	FILE *file = fopen(path, "we");

	if (!file) {
		return -errno;
	}
	fputs(text, file);
	return fclose(file) == 0 ? 0 : -errno;
}

static int page_create(struct fault_page **out, const char *path) {
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *map = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof(**out)) == 0) {
		map = mmap(NULL, sizeof(**out), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	if (fd >= 0) {
		close(fd);
	}
	*out = map == MAP_FAILED ? NULL : map;
	return *out ? 0 : -EIO;
}

int stage_init(struct stage *stage, const char *broker, const char *shim) {
	int r;

	memset(stage, 0, sizeof(*stage));
	stage->broker = broker;
	stage->shim = shim;
	snprintf(stage->dir, sizeof(stage->dir), "/tmp/zoe-fault-XXXXXX");
	if (!mkdtemp(stage->dir)) {
		return -errno;
	}
	snprintf(stage->socket, sizeof(stage->socket), "%s/socket", stage->dir);
	snprintf(stage->config, sizeof(stage->config), "%s/zoetrope.yaml", stage->dir);
	snprintf(stage->log, sizeof(stage->log), "%s/log", stage->dir);
	r = write_text(stage->config, FLOW_CONFIG);
	for (unsigned i = 0; i < N_TARGETS && r == 0; i++) {
		snprintf(stage->page_path[i], sizeof(stage->page_path[i]), "%s/%s", stage->dir,
			page_names[i]);
		r = page_create(&stage->pages[i], stage->page_path[i]);
	}
	return r;
}

void stage_finish(struct stage *stage) {
	static const char *const names[] = {"zoetrope.yaml", "log", "socket", "socket.lock",
		"socket.new", "broker.page", "flow.page"};
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", stage->dir, names[i]);
		unlink(path);
	}
	rmdir(stage->dir);
	for (unsigned i = 0; i < N_TARGETS; i++) {
		if (stage->pages[i]) {
			munmap(stage->pages[i], sizeof(*stage->pages[i]));
		}
	}
	memset(stage, 0, sizeof(*stage));
}

static uint32_t get(const _Atomic uint32_t *field) {
	return atomic_load_explicit(field, memory_order_acquire);
}

static uint64_t get_frames(const _Atomic uint64_t *field) {
	return atomic_load_explicit(field, memory_order_acquire);
}

static void set(_Atomic uint32_t *field, uint32_t value) {
	atomic_store_explicit(field, value, memory_order_relaxed);
}

static int32_t get_account(const _Atomic int32_t *field) {
	return atomic_load_explicit(field, memory_order_acquire);
}

static void pause_ms(unsigned ms) {
	const struct timespec pause = {.tv_nsec = (long)ms * 1000000};

	nanosleep(&pause, NULL);
}

/* Only the first thing that goes wrong is of interest. */
__attribute__((format(printf, 2, 3))) static void set_wrong(
	struct outcome *outcome, const char *format, ...) {
	va_list args;

	if (outcome->verdict == VERDICT_WRONG) {
		return;
	}
	outcome->verdict = VERDICT_WRONG;
	va_start(args, format);
	vsnprintf(outcome->why, sizeof(outcome->why), format, args);
	va_end(args);
}

static void exec_with_shim(const struct stage *stage, enum target target, const char *const *argv) {
	int log = open(stage->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	char *const *args;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(log, STDERR_FILENO);
	setenv("LD_PRELOAD", stage->shim, 1);
	setenv(FAULT_PAGE_ENV, stage->page_path[target], 1);
	memcpy(&args, &argv, sizeof(args)); /* execv() only reads them */
	execv(argv[0], args);
	_exit(127);
}

static pid_t start(const struct stage *stage, enum target target, const char *const *argv) {
	pid_t pid = fork();

	if (pid == 0) {
		exec_with_shim(stage, target, argv);
	}
	return pid;
}

static void pages_reset(struct stage *stage, const struct trial *trial) {
	struct fault_page *page = stage->pages[trial->target];

	for (unsigned i = 0; i < N_TARGETS; i++) {
		memset(stage->pages[i], 0, sizeof(*stage->pages[i]));
	}
	set(&page->call, (uint32_t)trial->call);
	set(&page->nth, trial->nth);
	set(&page->error, (uint32_t)trial->error);
	set(&page->mutant, (uint32_t)trial->mutant);
	set(&stage->pages[TARGET_BROKER]->is_open, 1);
	/* Without an eventfd, libev takes a pipe: one descriptor more. */
	stage->n_more_fds = trial->target == TARGET_BROKER && trial->call == FAULT_eventfd;
}

/* Returns: whether the broker runs; broker_status if not. */
static bool broker_runs(void *user) {
	struct stage *stage = user;

	if (stage->broker_pid &&
		waitpid(stage->broker_pid, &stage->broker_status, WNOHANG) == stage->broker_pid) {
		stage->broker_pid = 0;
	}
	return stage->broker_pid != 0;
}

/* What the flow said was wrong, into why. */
static void find_reason(const struct stage *stage, char *why, size_t size) {
	static const char mark[] = "flow: WRONG: ";
	char line[512];
	FILE *file = fopen(stage->log, "re");

	while (file && fgets(line, sizeof(line), file)) {
		char *at = strstr(line, mark);

		if (at) {
			at[strcspn(at, "\n")] = '\0';
			snprintf(why, size, "%s", at + strlen(mark));
		}
	}
	if (file) {
		fclose(file);
	}
}

static bool log_has(const struct stage *stage, const char *word) {
	char text[8192];
	FILE *file = fopen(stage->log, "re");
	size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	if (file) {
		fclose(file);
	}
	text[n] = '\0';
	return strstr(text, word) != NULL;
}

/* Blocks at rest may be more: libev's arrays are kept as they have grown. They count at the end. */
static bool holds_more(const struct holdings *now, const struct holdings *before, bool is_idle) {
	return now->n_fds > before->n_fds || now->n_maps > before->n_maps ||
	       (!is_idle && now->n_blocks > before->n_blocks);
}

static struct holdings get_holdings(const struct stage *stage) {
	const struct fault_page *page = stage->pages[TARGET_BROKER];

	return (struct holdings){.n_fds = get_account(&page->n_fds) - stage->n_more_fds,
		.n_blocks = get_account(&page->asleep_blocks),
		.n_maps = get_account(&page->asleep_maps)};
}

static void check_end(struct stage *stage, struct outcome *outcome) {
	struct holdings now = get_holdings(stage);
	const struct baseline *base = stage->baseline;

	if (!get(&stage->pages[TARGET_BROKER]->has_ended)) {
		set_wrong(outcome, "the broker did not end by itself");
	} else if (base && holds_more(&now, &base->end, false)) {
		set_wrong(outcome,
			"the broker ended with %d descriptors, %d blocks, %d mappings; without "
			"the fault %d, %d, %d",
			now.n_fds, now.n_blocks, now.n_maps, base->end.n_fds, base->end.n_blocks,
			base->end.n_maps);
	}
}

/* The broker has ended before it answered: that is its right, if it says why. */
static void check_refusal(struct stage *stage, struct outcome *outcome) {
	int status = stage->broker_status;

	if (WIFSIGNALED(status)) {
		set_wrong(outcome, "the broker died of signal %d", WTERMSIG(status));
	} else if (WEXITSTATUS(status) != 1) {
		set_wrong(outcome, "the broker ended with %d", WEXITSTATUS(status));
	} else if (!log_has(stage, "zoetroped: ") && !log_has(stage, "error: ")) {
		set_wrong(outcome, "the broker ended without a sentence");
	} else if (log_has(stage, "ready on")) {
		set_wrong(outcome, "the broker ended after it was ready");
	}
	check_end(stage, outcome);
	if (outcome->verdict != VERDICT_WRONG) {
		outcome->verdict = VERDICT_REFUSED;
	}
}

static void kill_flow(struct stage *stage) {
	if (stage->flow_pid) {
		kill(stage->flow_pid, SIGKILL);
		waitpid(stage->flow_pid, NULL, 0);
		stage->flow_pid = 0;
	}
}

static void run_flow(struct stage *stage, struct outcome *outcome) {
	const char *argv[] = {"/proc/self/exe", "--flow", stage->socket, NULL};
	uint64_t deadline = get_ms() + FLOW_MS;
	int status = 0;

	stage->flow_pid = start(stage, TARGET_SDK, argv);
	while (waitpid(stage->flow_pid, &status, WNOHANG) == 0) {
		honest_pump(&stage->honest);
		if (!broker_runs(stage) || get_ms() > deadline) {
			set_wrong(outcome, stage->broker_pid ? "the flow hangs"
							     : "the broker ended on the way");
			kill_flow(stage);
			return;
		}
	}
	stage->flow_pid = 0;
	if (WIFSIGNALED(status)) {
		set_wrong(outcome, "the flow died of signal %d", WTERMSIG(status));
	} else if (WEXITSTATUS(status) != 0) {
		char why[256] = "it does not say why";

		find_reason(stage, why, sizeof(why));
		set_wrong(outcome, "the flow: %s", why);
	}
}

static void wait_idle(struct stage *stage, struct outcome *outcome) {
	uint64_t deadline = get_ms() + IDLE_MS;
	const struct holdings *base = stage->baseline ? &stage->baseline->idle : NULL;
	struct holdings now;

	do {
		pause_ms(base ? 2 : 400);
		now = get_holdings(stage);
	} while (base && holds_more(&now, base, true) && get_ms() < deadline);
	if (base && holds_more(&now, base, true)) {
		set_wrong(outcome,
			"the idle broker holds %d descriptors, %d blocks, %d mappings; without the "
			"fault %d, %d, %d",
			now.n_fds, now.n_blocks, now.n_maps, base->n_fds, base->n_blocks,
			base->n_maps);
	}
}

static void end_broker(struct stage *stage, struct outcome *outcome) {
	uint64_t deadline = get_ms() + END_MS;

	if (broker_runs(stage)) {
		kill(stage->broker_pid, SIGTERM);
	}
	while (broker_runs(stage) && get_ms() < deadline) {
		pause_ms(1);
	}
	if (stage->broker_pid) {
		set_wrong(outcome, "the broker does not end at TERM");
		kill(stage->broker_pid, SIGKILL);
		waitpid(stage->broker_pid, &stage->broker_status, 0);
		stage->broker_pid = 0;
	} else if (WIFSIGNALED(stage->broker_status)) {
		set_wrong(outcome, "the broker died of signal %d", WTERMSIG(stage->broker_status));
	} else if (WEXITSTATUS(stage->broker_status) != 0) {
		set_wrong(outcome, "the broker ended with %d", WEXITSTATUS(stage->broker_status));
	}
	check_end(stage, outcome);
}

static void run_all(struct stage *stage, const struct trial *trial, struct outcome *outcome) {
	run_flow(stage, outcome);
	if (outcome->verdict != VERDICT_WRONG) {
		honest_drain(&stage->honest, get_frames(&stage->pages[TARGET_SDK]->n_published));
	}
	if (stage->honest.wrong[0]) {
		set_wrong(outcome, "%s", stage->honest.wrong);
	}
	honest_close(&stage->honest);
	if (outcome->verdict != VERDICT_WRONG) {
		wait_idle(stage, outcome);
		if (stage->baseline == NULL) {
			return;
		}
	}
	end_broker(stage, outcome);
	outcome->n_refused = stage->honest.n_refused + get(&stage->pages[TARGET_SDK]->n_refused);
	outcome->n_lost = get_frames(&stage->pages[TARGET_SDK]->n_lost);
	if (outcome->verdict == VERDICT_FINE && trial->nth &&
		!get(&stage->pages[trial->target]->n_hits)) {
		outcome->verdict = VERDICT_MISSED;
	}
}

void trial_run(struct stage *stage, const struct trial *trial, struct outcome *outcome) {
	const char *argv[] = {
		stage->broker, "--socket", stage->socket, "--config", stage->config, NULL};
	int r;

	memset(outcome, 0, sizeof(*outcome));
	memset(&stage->honest, 0, sizeof(stage->honest));
	unlink(stage->log);
	pages_reset(stage, trial);
	stage->broker_pid = start(stage, TARGET_BROKER, argv);
	r = honest_open(&stage->honest, stage->socket, broker_runs, stage);
	if (r == 0) {
		run_all(stage, trial, outcome);
		return;
	}
	honest_close(&stage->honest);
	if (r == -ESRCH) {
		check_refusal(stage, outcome);
		return;
	}
	set_wrong(outcome, "%s", stage->honest.wrong[0] ? stage->honest.wrong : strerror(-r));
	end_broker(stage, outcome);
}

void stage_print_log(const struct stage *stage) {
	char line[512];
	FILE *file = fopen(stage->log, "re");

	while (file && fgets(line, sizeof(line), file)) {
		printf("    %s", line);
	}
	if (file) {
		fclose(file);
	}
}

int baseline_take(struct stage *stage, struct baseline *baseline) {
	static const struct trial none = {.target = TARGET_BROKER};
	struct outcome outcome;

	stage->baseline = NULL;
	trial_run(stage, &none, &outcome);
	baseline->idle = get_holdings(stage);
	if (stage->broker_pid) {
		end_broker(stage, &outcome);
	}
	baseline->end = get_holdings(stage);
	for (unsigned target = 0; target < N_TARGETS; target++) {
		for (unsigned i = 0; i < FAULT_N_CALLS; i++) {
			baseline->counts[target][i] = get(&stage->pages[target]->counts[i]);
		}
	}
	if (outcome.verdict != VERDICT_FINE) {
		printf("without any fault: %s\n", outcome.why);
		stage_print_log(stage);
		return -1;
	}
	stage->baseline = baseline;
	return 0;
}
