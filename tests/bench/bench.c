/* SPDX-License-Identifier: MIT */
/*
 * zoe-bench [--broker ZOETROPED] [--short] [--json] [--table] [MEASURE...]
 *
 * What a frame costs, beside what the machine charges for the bare deed in the same run. Ratios are
 * what to compare; absolute numbers belong to one machine at one moment. A missed target is printed
 * as MISSED and does not fail the run, but for the duties: no frame lost to a stranger, no system
 * call where nobody sleeps, no CPU of the broker while frames flow.
 */
#include "bench.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct measure {
	const char *name;
	void (*run)(const struct bench *b);
	const char *help;
};

static const struct measure measures[] = {
	{"cost", measure_cost,
		"acquire + publish of a frame with 0, 8, 64 readers attached and none asleep;\n"
		"             floor: the compare-exchanges that its rules ask of a CPU"},
	{"syscalls", measure_syscalls,
		"system calls in 10,000 frames published and taken; there must be none"},
	{"pingpong", measure_pingpong,
		"one way between two processes that look all the time;\n"
		"             floor: a cache line between them"},
	{"latency", measure_latency,
		"from publish to the reader's hand at 60 and 1000 frames a second;\n"
		"             floor: a bare futex wake, alone and with the memory that any ring\n"
		"             touches; a socket in epoll, and in an epoll in epoll; a word looked "
		"at"},
	{"cold", measure_cold,
		"publish and take on a CPU that has just slept; floor: the same at once again"},
	{"fanout", measure_fanout,
		"the same with 1, 4, 8, 16 sleeping readers; floor: as many on one futex"},
	{"cpu", measure_cpu,
		"CPU time of producer, readers and broker a frame, 1080p60 to 8 readers;\n"
		"             floor: the same by a bare futex"},
	{"bad", measure_bad,
		"one reader of four slow, or stopped with a frame in hand: what the others get;\n"
		"             floor: what they get while it behaves"},
	{"push", measure_push, "copy-in at 1 MiB, 1080p and 4K; floor: the best bare copy"},
	{"threshold", measure_threshold,
		"non-temporal copies from 128 KiB to 8 MiB; floor: memcpy of the same"},
	{"flow", measure_flow,
		"as fast as it goes between two processes: in place, and copy-in with a full "
		"read;\n"
		"             floor: a bare ring"},
	{"attach", measure_attach,
		"a reader's way to its first frame, and the broker's to its first client;\n"
		"             floor: a connection's first answer, and exec of the same program"},
};
enum { N_MEASURES = sizeof(measures) / sizeof(measures[0]) };

void bench_die(const char *what) {
	fprintf(stderr, "zoe-bench: %s\n", what);
	exit(1);
}

static void print_usage(FILE *to) {
	fprintf(to, "usage: zoe-bench [--broker ZOETROPED] [--short] [--json] [--table] "
		    "[MEASURE...]\n\n"
		    "  --short    a minute instead of ten\n"
		    "  --json     a line of JSON a measure, and no table unless --table asks\n"
		    "  --broker   the program to measure; it runs in a directory of its own\n\n"
		    "Measures, all by default:\n");
	for (size_t i = 0; i < N_MEASURES; i++) {
		fprintf(to, "  %-10s %s\n", measures[i].name, measures[i].help);
	}
}

static void parse(struct bench *b, int argc, char **argv) {
	static const struct option table[] = {{"broker", required_argument, NULL, 'b'},
		{"short", no_argument, NULL, 's'}, {"json", no_argument, NULL, 'j'},
		{"table", no_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "b:sjth", table, NULL)) >= 0) {
		switch (option) {
		case 'b':
			b->broker_path = optarg;
			break;
		case 's':
			b->is_short = true;
			break;
		case 'j':
			b->is_json = true;
			break;
		case 't':
			b->has_table = true;
			break;
		case 'h':
			print_usage(stdout);
			exit(0);
		default:
			exit(2);
		}
	}
	b->has_table |= !b->is_json;
}

static bool is_asked(const char *name, int argc, char **argv) {
	for (int i = optind; i < argc; i++) {
		if (strcmp(argv[i], name) == 0) {
			return true;
		}
	}
	return optind == argc;
}

static void check_names(int argc, char **argv) {
	for (int i = optind; i < argc; i++) {
		size_t k = 0;

		while (k < N_MEASURES && strcmp(argv[i], measures[k].name) != 0) {
			k++;
		}
		if (k == N_MEASURES) {
			fprintf(stderr, "zoe-bench: no measure '%s'; --help lists them\n", argv[i]);
			exit(2);
		}
	}
}

static struct bench b = {.broker_path = "zoetroped"};
static pid_t self;

/* However the bench ends, its broker and its directory go. Children have nothing to tidy. */
static void tidy(void) {
	if (getpid() == self) {
		broker_stop(&b);
	}
}

/* All that it interrupts is the bench's own, and ends here: what tidy() calls need not be safe to
 * go on after. */
static void handle_signal(int number) {
	tidy();
	_exit(128 + number);
}

int main(int argc, char **argv) {
	int n_failed;

	parse(&b, argc, argv);
	check_names(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	self = getpid();
	atexit(tidy);
	signal(SIGINT, handle_signal);
	signal(SIGTERM, handle_signal);
	signal(SIGHUP, handle_signal);
	report_host(&b);
	broker_start(&b);
	for (size_t i = 0; i < N_MEASURES; i++) {
		if (is_asked(measures[i].name, argc, argv)) {
			report_progress(measures[i].name);
			measures[i].run(&b);
		}
	}
	broker_stop(&b);
	n_failed = report_finish(&b);
	return n_failed ? 1 : 0;
}
