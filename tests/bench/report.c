/* SPDX-License-Identifier: MIT */
/*
 * Lines of JSON as they come, and a table of all at the end.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"

enum { MAX_ROWS = 96 };

struct spread {
	double p50, p90, p99, p999, max;
};

struct row {
	char name[56], unit[8], floor_name[40];
	struct spread value, floor;
	double ratio, ratio_p99, target, target_p99;
	size_t n;
	double judged; // what the target is of
	bool has_floor, has_target, is_more_better, is_duty;
};

static struct {
	struct row rows[MAX_ROWS];
	size_t n;
} results;

static int compare(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double bench_median(double *samples, size_t n) {
	qsort(samples, n, sizeof(*samples), compare);
	return samples[n / 2];
}

/* The value that a share of all is not worse than; samples are sorted. */
static double quantile(const double *samples, size_t n, double share, bool is_more_better) {
	size_t rank = (size_t)ceil(share * (double)n);

	rank = rank > 0 ? rank - 1 : 0;
	rank = rank < n ? rank : n - 1;
	return samples[is_more_better ? n - 1 - rank : rank];
}

static struct spread spread_of(double *samples, size_t n, bool is_more_better) {
	qsort(samples, n, sizeof(*samples), compare);
	return (struct spread){samples[n / 2], quantile(samples, n, 0.9, is_more_better),
		quantile(samples, n, 0.99, is_more_better),
		quantile(samples, n, 0.999, is_more_better),
		quantile(samples, n, 1, is_more_better)};
}

static double median_ratio(const struct bench_line *line) {
	double *ratios = malloc(line->n * sizeof(*ratios)), median;

	if (!ratios) {
		bench_die("no memory");
	}
	for (size_t i = 0; i < line->n; i++) {
		ratios[i] = line->samples[i] / line->floors[i];
	}
	median = bench_median(ratios, line->n);
	free(ratios);
	return median;
}

static bool is_met(const struct row *r) {
	if (r->is_more_better) {
		return r->judged >= r->target;
	}
	return r->judged <= r->target && (r->target_p99 <= 0 || r->ratio_p99 <= r->target_p99);
}

static void print_spread(const struct spread *s) {
	printf("\"p50\": %.4g, \"p90\": %.4g, \"p99\": %.4g, \"p99.9\": %.4g, \"max\": %.4g",
		s->p50, s->p90, s->p99, s->p999, s->max);
}

static void print_json(const struct row *r) {
	printf("{\"measure\": \"%s\", \"unit\": \"%s\", \"n\": %zu, ", r->name, r->unit, r->n);
	print_spread(&r->value);
	if (r->has_floor) {
		printf(", \"floor\": {\"name\": \"%s\", ", r->floor_name);
		print_spread(&r->floor);
		printf("}, \"ratio\": %.4g, \"ratio_p99\": %.4g", r->ratio, r->ratio_p99);
	}
	if (r->has_target) {
		printf(", \"target\": \"%s %.4g\", \"verdict\": \"%s\"",
			r->is_more_better ? ">=" : "<=", r->target, is_met(r) ? "met" : "MISSED");
	}
	printf("}\n");
	fflush(stdout);
}

static struct row row_make(const struct bench_line *line) {
	struct row r = {.n = line->n,
		.target = line->target,
		.target_p99 = line->target_p99,
		.has_floor = line->floors != NULL,
		.has_target = line->target > 0 || line->has_target_0,
		.is_more_better = line->is_more_better,
		.is_duty = line->is_duty};
	double paired = r.has_floor && line->is_paired ? median_ratio(line) : 0;

	snprintf(r.name, sizeof(r.name), "%s", line->name);
	snprintf(r.unit, sizeof(r.unit), "%s", line->unit);
	snprintf(
		r.floor_name, sizeof(r.floor_name), "%s", line->floor_name ? line->floor_name : "");
	r.value = spread_of(line->samples, line->n, line->is_more_better);
	if (r.has_floor) {
		r.floor = spread_of(line->floors, line->n_floors, line->is_more_better);
		r.ratio = line->is_paired ? paired : r.value.p50 / r.floor.p50;
		r.ratio_p99 = r.value.p99 / r.floor.p99;
	}
	r.judged = r.has_floor && !line->is_absolute ? r.ratio : r.value.p50;
	return r;
}

void bench_report(const struct bench *b, const struct bench_line *line) {
	if (line->n == 0 || (line->floors && line->n_floors == 0) || results.n == MAX_ROWS) {
		bench_die("a measure has no values");
	}
	results.rows[results.n] = row_make(line);
	if (b->is_json) {
		print_json(&results.rows[results.n]);
	}
	results.n++;
}

static void print_row(const struct row *r) {
	char floor[24] = "-", ratio[24] = "-", target[24] = "-";

	if (r->has_floor) {
		snprintf(floor, sizeof(floor), "%.4g", r->floor.p50);
		snprintf(ratio, sizeof(ratio), "%.2f", r->ratio);
	}
	if (r->has_target) {
		snprintf(target, sizeof(target), "%s %.2f",
			r->is_more_better ? ">=" : "<=", r->target);
	}
	printf("%-48s %-6s %9.4g %9.4g %9.4g  %-30s %9s %6s %8s %s\n", r->name, r->unit,
		r->value.p50, r->value.p99, r->value.max, r->has_floor ? r->floor_name : "-", floor,
		ratio, target, r->has_target && !is_met(r) ? "MISSED" : "");
}

int report_finish(const struct bench *b) {
	int n_missed = 0, n_failed = 0;

	if (b->has_table) {
		printf("\n%-48s %-6s %9s %9s %9s  %-30s %9s %6s %8s\n", "MEASURE", "UNIT", "P50",
			"P99", "MAX", "FLOOR", "P50", "RATIO", "TARGET");
	}
	for (size_t i = 0; i < results.n; i++) {
		const struct row *r = &results.rows[i];

		n_missed += r->has_target && !is_met(r);
		n_failed += r->has_target && !is_met(r) && r->is_duty;
		if (b->has_table) {
			print_row(r);
		}
	}
	if (b->has_table) {
		printf("%d targets missed, %d of them duties\n", n_missed, n_failed);
	}
	for (size_t i = 0; i < results.n; i++) {
		const struct row *r = &results.rows[i];

		if (r->has_target && !is_met(r) && r->is_duty) {
			fprintf(stderr, "zoe-bench: a duty is missed: %s: %.4g %s\n", r->name,
				r->value.p50, r->unit);
		}
	}
	return n_failed;
}

static void find_cpu(char *name, size_t size) {
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[256];

	snprintf(name, size, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		const char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) == 0 && colon) {
			snprintf(name, size, "%.*s", (int)strcspn(colon + 2, "\n\"\\"), colon + 2);
			break;
		}
	}
	if (file) {
		fclose(file);
	}
}

void report_host(const struct bench *b) {
	char cpu[128];
	struct utsname name;
	double load[3] = {0};

	find_cpu(cpu, sizeof(cpu));
	if (uname(&name) != 0 || getloadavg(load, 3) < 1) {
		bench_die("the machine does not say what it is");
	}
	if (b->is_json) {
		printf("{\"cpu\": \"%s\", \"cores\": %ld, \"kernel\": \"%s\", \"load\": %.2f, "
		       "\"zoetrope\": \"%s\", \"short\": %s}\n",
			cpu, sysconf(_SC_NPROCESSORS_ONLN), name.release, load[0],
			zoe_get_version(), b->is_short ? "true" : "false");
		fflush(stdout);
	} else {
		printf("%s, %ld cores, Linux %s, load %.2f; zoetrope %s%s\n", cpu,
			sysconf(_SC_NPROCESSORS_ONLN), name.release, load[0], zoe_get_version(),
			b->is_short ? ", a short run" : "");
	}
}

void report_progress(const char *name) {
	if (isatty(STDERR_FILENO)) {
		fprintf(stderr, "zoe-bench: %s ...\n", name);
	}
}
