/* SPDX-License-Identifier: MIT */
/*
 * The fault run: fails each call of the broker and of the library in turn, and looks for crashes,
 * hangs, leaks and lost frames. See --help.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flow.h"
#include "trial.h"

#define MAX_TRIALS 20000
#define MAX_JOBS 16
#define N_ERRORS 3
#define MAX_TOLD 12 // trials that go wrong, with their logs

struct call {
	const char *name;
	int errors[N_ERRORS];
};
static const struct call calls[] = {
#define FAULT_ROW(name, a, b, c) {#name, {a, b, c}},
	FAULT_CALLS(FAULT_ROW)
#undef FAULT_ROW
};
static const char *const target_names[N_TARGETS] = {"broker", "sdk"};
static const char *const mutant_names[FAULT_N_MUTANTS] = {
	"none", "fd", "block", "map", "crash", "hang"};

struct options {
	const char *broker, *shim, *socket;
	unsigned sample, jobs, seed; // sample 0 = all
	unsigned n_without;          // trials without a fault, instead
	int call, target;            // -1 = all
	uint32_t nth;                // 0 = all
	bool is_mutants, is_verbose;
};

struct plan {
	struct trial trials[MAX_TRIALS];
	unsigned n;
};

/* What the workers fill in; each its own trials. */
struct results {
	struct outcome outcomes[MAX_TRIALS];
	_Atomic unsigned next, n_told;
};

static void print_help(void) {
	printf("Usage: fault --broker FILE --shim FILE [--sample N] [--seed N] [--jobs N]\n"
	       "             [--target broker|sdk] [--call NAME] [--nth N] [--mutants]\n"
	       "Runs a broker and programs that hand frames around, again and again, each time "
	       "with\n"
	       "one call of the broker or of the library failing.\n\n"
	       "  --sample N   N trials of all, drawn by the seed (default: all of them)\n"
	       "  --without N  N trials without a fault, to see that it is not the run itself\n"
	       "  --mutants    the same with what the run must catch: it fails if it does not\n");
}

static int find_name(const char *name, const char *what) {
	for (int i = 0; i < FAULT_N_CALLS && what[0] == 'c'; i++) {
		if (strcmp(calls[i].name, name) == 0) {
			return i;
		}
	}
	for (int i = 0; i < N_TARGETS && what[0] == 't'; i++) {
		if (strcmp(target_names[i], name) == 0) {
			return i;
		}
	}
	fprintf(stderr, "fault: no %s '%s'\n", what, name);
	exit(2);
}

static void options_parse(struct options *options, int argc, char **argv) {
	static const struct option table[] = {{"broker", required_argument, NULL, 'b'},
		{"shim", required_argument, NULL, 'p'}, {"flow", required_argument, NULL, 'f'},
		{"sample", required_argument, NULL, 'n'}, {"seed", required_argument, NULL, 's'},
		{"jobs", required_argument, NULL, 'j'}, {"target", required_argument, NULL, 't'},
		{"call", required_argument, NULL, 'c'}, {"nth", required_argument, NULL, 'i'},
		{"mutants", no_argument, NULL, 'm'}, {"without", required_argument, NULL, 'w'},
		{"verbose", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {0}};
	int option;

	while ((option = getopt_long(argc, argv, "h", table, NULL)) >= 0) {
		switch (option) {
		case 'b':
			options->broker = optarg;
			break;
		case 'p':
			options->shim = optarg;
			break;
		case 'f':
			options->socket = optarg;
			break;
		case 'n':
			options->sample = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 's':
			options->seed = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'j':
			options->jobs = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 't':
			options->target = find_name(optarg, "target");
			break;
		case 'c':
			options->call = find_name(optarg, "call");
			break;
		case 'i':
			options->nth = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'w':
			options->n_without = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'm':
			options->is_mutants = true;
			break;
		case 'v':
			options->is_verbose = true;
			break;
		case 'h':
			print_help();
			exit(0);
		default:
			exit(2);
		}
	}
}

static void plan_add_call(struct plan *plan, const struct options *options,
	const struct trial *what, uint32_t count) {
	for (uint32_t nth = 1; nth <= count; nth++) {
		for (unsigned i = 0; i < N_ERRORS && calls[what->call].errors[i]; i++) {
			if ((options->nth && options->nth != nth) || plan->n == MAX_TRIALS) {
				continue;
			}
			plan->trials[plan->n] = *what;
			plan->trials[plan->n].nth = nth;
			plan->trials[plan->n++].error = calls[what->call].errors[i];
		}
	}
}

static void plan_make(
	struct plan *plan, const struct options *options, const struct baseline *baseline) {
	for (int target = 0; target < N_TARGETS; target++) {
		for (int call = 0; call < FAULT_N_CALLS; call++) {
			struct trial what = {
				.target = (enum target)target, .call = (enum fault_call)call};

			if ((options->target < 0 || options->target == target) &&
				(options->call < 0 || options->call == call)) {
				plan_add_call(plan, options, &what, baseline->counts[target][call]);
			}
		}
	}
}

/* Draws the sample to the front. Calls that are made often would take it all: each trial's chance
 * is that of its call. */
static void plan_draw(struct plan *plan, const struct options *options) {
	unsigned seed = options->seed, n = 0;
	uint32_t of_call[N_TARGETS][FAULT_N_CALLS] = {0}, n_calls = 0;

	if (!options->sample || options->sample >= plan->n) {
		return;
	}
	for (unsigned i = 0; i < plan->n; i++) {
		const struct trial *trial = &plan->trials[i];

		n_calls += of_call[trial->target][trial->call]++ == 0;
	}
	for (unsigned i = 0; i < plan->n; i++) {
		const struct trial *trial = &plan->trials[i];
		uint32_t share = of_call[trial->target][trial->call] * n_calls;

		seed = seed * 1103515245u + 12345u;
		if ((seed >> 8) % share < options->sample) {
			plan->trials[n++] = *trial;
		}
	}
	plan->n = n;
}

/* Each of these must be caught: its clean-up is left out, it dies, it hangs. */
static void plan_make_mutants(struct plan *plan) {
	static const struct trial trials[] = {
		{TARGET_SDK, FAULT_fcntl, 2, EMFILE, FAULT_MUTANT_FD},
		{TARGET_SDK, FAULT_mmap, 4, ENOMEM, FAULT_MUTANT_MAP},
		{TARGET_SDK, FAULT_malloc, 9, ENOMEM, FAULT_MUTANT_BLOCK},
		{TARGET_SDK, FAULT_recvmsg, 9, EINTR, FAULT_MUTANT_CRASH},
		{TARGET_BROKER, FAULT_memfd_create, 3, EMFILE, FAULT_MUTANT_FD},
		{TARGET_BROKER, FAULT_memfd_create, 3, EMFILE, FAULT_MUTANT_BLOCK},
		{TARGET_BROKER, FAULT_sendmsg, 4, EINTR, FAULT_MUTANT_CRASH},
		{TARGET_BROKER, FAULT_sendmsg, 4, EINTR, FAULT_MUTANT_HANG},
	};

	memcpy(plan->trials, trials, sizeof(trials));
	plan->n = sizeof(trials) / sizeof(trials[0]);
}

static void tell_wrong(
	const struct stage *stage, const struct trial *trial, const struct outcome *outcome) {
	printf("%s: %s %u, %s: %s\n", target_names[trial->target], calls[trial->call].name,
		trial->nth, strerrorname_np(trial->error), outcome->why);
	stage_print_log(stage);
	fflush(stdout);
}

/* Each worker takes the next number; nothing is published by it. */
static bool is_to_tell(struct results *results) {
	return atomic_fetch_add_explicit(&results->n_told, 1, memory_order_relaxed) < MAX_TOLD;
}

static int work(const struct options *options, const struct baseline *baseline,
	const struct plan *plan, struct results *results) {
	struct stage stage;
	unsigned i;

	if (stage_init(&stage, options->broker, options->shim) < 0) {
		return 1;
	}
	stage.baseline = baseline;
	while ((i = atomic_fetch_add_explicit(&results->next, 1, memory_order_relaxed)) < plan->n) {
		struct outcome *outcome = &results->outcomes[i];

		trial_run(&stage, &plan->trials[i], outcome);
		if (options->is_verbose || (outcome->verdict == VERDICT_WRONG &&
						   !options->is_mutants && is_to_tell(results))) {
			tell_wrong(&stage, &plan->trials[i], outcome);
		}
	}
	stage_finish(&stage);
	return 0;
}

static int work_all(const struct options *options, const struct baseline *baseline,
	const struct plan *plan, struct results *results) {
	unsigned jobs = options->jobs < MAX_JOBS ? options->jobs : MAX_JOBS;
	int status, failed = 0;

	fflush(stdout);
	for (unsigned i = 0; i < jobs; i++) {
		if (fork() == 0) {
			exit(work(options, baseline, plan, results));
		}
	}
	while (wait(&status) > 0) {
		failed |= status;
	}
	return failed ? -1 : 0;
}

struct row {
	unsigned n[N_VERDICTS], n_trials, n_refused;
	uint64_t n_lost;
};

static void row_print(const struct row *row, const char *target, const char *call, unsigned count) {
	printf("%-7s %-16s %6u %7u %6u %8u %7u %7u %6u %6u\n", target, call, count, row->n_trials,
		row->n[VERDICT_FINE], row->n[VERDICT_REFUSED], row->n[VERDICT_MISSED],
		row->n_refused, (unsigned)row->n_lost, row->n[VERDICT_WRONG]);
}

static void row_add(struct row *row, const struct outcome *outcome) {
	row->n[outcome->verdict]++;
	row->n_trials++;
	row->n_refused += outcome->n_refused;
	row->n_lost += outcome->n_lost;
}

/* Returns: how many went wrong. */
static unsigned print_table(
	const struct baseline *baseline, const struct plan *plan, const struct results *results) {
	struct row rows[N_TARGETS][FAULT_N_CALLS] = {0}, sum = {0};

	for (unsigned i = 0; i < plan->n; i++) {
		const struct trial *trial = &plan->trials[i];

		row_add(&rows[trial->target][trial->call], &results->outcomes[i]);
		row_add(&sum, &results->outcomes[i]);
	}
	printf("%-7s %-16s %6s %7s %6s %8s %7s %7s %6s %6s\n", "in", "call", "made", "trials",
		"fine", "no start", "missed", "retries", "lost", "wrong");
	for (unsigned target = 0; target < N_TARGETS; target++) {
		for (unsigned call = 0; call < FAULT_N_CALLS; call++) {
			if (rows[target][call].n_trials) {
				row_print(&rows[target][call], target_names[target],
					calls[call].name, baseline->counts[target][call]);
			}
		}
	}
	row_print(&sum, "all", "", 0);
	return sum.n[VERDICT_WRONG];
}

/* Returns: how many mutants were not caught. */
static unsigned print_mutants(const struct plan *plan, const struct results *results) {
	unsigned n_missed = 0;

	for (unsigned i = 0; i < plan->n; i++) {
		const struct trial *trial = &plan->trials[i];
		bool is_caught = results->outcomes[i].verdict == VERDICT_WRONG;

		printf("%-7s %-6s at %s %u: %s: %s\n", target_names[trial->target],
			mutant_names[trial->mutant], calls[trial->call].name, trial->nth,
			is_caught ? "caught" : "MISSED", results->outcomes[i].why);
		n_missed += !is_caught;
	}
	return n_missed;
}

static void *share(size_t size) {
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? NULL : map;
}

static int run(const struct options *options) {
	static struct plan plan;
	struct results *results = share(sizeof(*results));
	struct baseline baseline;
	struct stage stage;
	int r = results ? stage_init(&stage, options->broker, options->shim) : -ENOMEM;

	if (r < 0) {
		fprintf(stderr, "fault: cannot make a directory: %s\n", strerror(-r));
		return 2;
	}
	r = baseline_take(&stage, &baseline);
	stage_finish(&stage);
	if (r < 0) {
		return 1;
	}
	if (options->is_mutants) {
		plan_make_mutants(&plan);
	} else if (options->n_without) {
		plan.n = options->n_without < MAX_TRIALS ? options->n_without : MAX_TRIALS;
	} else {
		plan_make(&plan, options, &baseline);
		printf("%u trials, seed %u\n", plan.n, options->seed);
		plan_draw(&plan, options);
	}
	if (work_all(options, &baseline, &plan, results) < 0 || plan.n == 0) {
		return 2;
	}
	return (options->is_mutants ? print_mutants(&plan, results)
				    : print_table(&baseline, &plan, results)) != 0;
}

/* The process under test: its page is where the shim has it. */
static int run_flow(const char *socket) {
	const char *path = getenv(FAULT_PAGE_ENV);
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *map =
		mmap(NULL, sizeof(struct fault_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED) {
		return 2;
	}
	close(fd);
	return flow_run(map, socket);
}

int main(int argc, char **argv) {
	struct options options = {.call = -1,
		.target = -1,
		.jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
		.seed = (unsigned)getpid()};

	options_parse(&options, argc, argv);
	(void)signal(SIGPIPE, SIG_IGN);
	if (options.socket) {
		return run_flow(options.socket);
	}
	if (!options.broker || !options.shim) {
		print_help();
		return 2;
	}
	return run(&options);
}
