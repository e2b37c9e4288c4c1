/* SPDX-License-Identifier: MIT */
/*
 * zoe-bench ZOETROPED [--short]
 *
 * What a frame costs, beside what the machine charges for the bare deed in the same run: in-place
 * latency with a sleeping reader / a bare futex wake, acquire + publish in ns, push / the best bare
 * copy, the broker's CPU, memory and time to ready. Ratios are what to compare; absolute numbers
 * belong to one machine at one moment. A missed target is printed as MISSED and does not fail the
 * run, but for the broker's: it must cost nothing while frames flow.
 */
#include "bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX_RESULTS = 32 };

static struct {
	struct bench_result rows[MAX_RESULTS];
	size_t n;
} results;

double bench_now_us(void) {
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

void bench_die(const char *what) {
	fprintf(stderr, "zoe-bench: %s\n", what);
	exit(1);
}

pid_t bench_fork(void) {
	pid_t parent = getpid(), child = fork();

	if (child < 0) {
		bench_die("cannot fork");
	}
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent) {
			_exit(1); /* it died before we asked */
		}
	}
	return child;
}

void bench_join(pid_t child, const char *what) {
	int status;

	if (waitpid(child, &status, 0) < 0 || status != 0) {
		bench_die(what);
	}
}

struct zoe_client *bench_connect(const struct bench *b) {
	struct zoe_client_options options = {
		.struct_size = sizeof(options), .socket = b->socket, .app_name = "bench"};
	struct zoe_client *client;

	if (zoe_client_create(&client, &options) != 0) {
		bench_die("no client");
	}
	return client;
}

static int compare(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct spread bench_spread(double *samples, size_t n) {
	qsort(samples, n, sizeof(*samples), compare);
	return (struct spread){samples[n / 2], samples[n * 99 / 100], samples[n - 1]};
}

void bench_add(struct bench *b, const struct bench_result *result) {
	double judged = result->floor > 0 ? result->value / result->floor : result->value;

	if (results.n < MAX_RESULTS) {
		results.rows[results.n++] = *result;
	}
	printf("{\"measure\": \"%s\", \"value\": %.3f, \"unit\": \"%s\"", result->name,
		result->value, result->unit);
	if (result->floor > 0) {
		printf(", \"floor\": %.3f, \"ratio\": %.3f", result->floor, judged);
	}
	printf("}\n");
	fflush(stdout);
	b->n_failed += result->is_duty && judged > result->target;
}

/* Copies are better when larger: their target is a least ratio, given as a negative number. */
static bool is_met(const struct bench_result *r) {
	double judged = r->floor > 0 ? r->value / r->floor : r->value;

	return r->target < 0 ? judged >= -r->target : judged <= r->target;
}

static void table_print(void) {
	printf("\n%-44s %12s %12s %7s %9s\n", "MEASURE", "VALUE", "FLOOR", "RATIO", "TARGET");
	for (size_t i = 0; i < results.n; i++) {
		const struct bench_result *r = &results.rows[i];
		char floor[24] = "-", ratio[24] = "-", target[24] = "-";

		if (r->floor > 0) {
			snprintf(floor, sizeof(floor), "%.2f", r->floor);
			snprintf(ratio, sizeof(ratio), "%.2f", r->value / r->floor);
		}
		if (r->target != 0 || r->is_duty) {
			snprintf(target, sizeof(target), "%s %.2f", r->target < 0 ? ">=" : "<=",
				r->target < 0 ? -r->target : r->target);
		}
		printf("%-44s %8.2f %-3s %12s %7s %9s %s\n", r->name, r->value, r->unit, floor,
			ratio, target,
			target[0] == '-' ? ""
			: is_met(r)      ? ""
					 : "MISSED");
	}
}

int main(int argc, char **argv) {
	struct bench b = {.is_short = argc > 2 && strcmp(argv[2], "--short") == 0};

	if (argc < 2 || (argc > 2 && !b.is_short)) {
		fprintf(stderr, "usage: zoe-bench ZOETROPED [--short]\n");
		return 2;
	}
	broker_start(&b, argv[1]);
	measure_cost(&b);
	measure_latency(&b);
	measure_push(&b);
	measure_broker(&b);
	broker_stop(&b);
	table_print();
	return b.n_failed ? 1 : 0;
}
