/* SPDX-License-Identifier: MIT */
/*
 * A private broker: started in a directory of its own, ended with the bench.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

/* Nothing lingers: the broker would free one measure's frames during the next, and be seen at it.
 */
static const char config[] =
	"version: 1\n"
	"broker: {memory_limit: 4GiB}\n"
	"streams:\n"
	"  \"**\": {max_frame: 1920x1080 XR24, slots: 6, consumers: 16, linger: 0s}\n"
	"  \"deep/**\": {max_frame: 64x64 XR24, slots: 64, consumers: 16, linger: 0s}\n"
	"  \"big/**\": {max_frame: 3840x2160 XR24, slots: 6, consumers: 2, hold: 1, linger: 0s}\n"
	"  \"flow/**\": {max_frame: 3840x2160 XR24, slots: 16, consumers: 2, hold: 1,\n"
	"    when_full: block, patience: 60s, linger: 0s}\n"
	"  \"flow20/**\": {max_frame: 512x512 XR24, slots: 20, consumers: 2, hold: 1,\n"
	"    when_full: block, patience: 60s, linger: 0s}\n";

/* In the script's own directory, where it gives one: it removes that, whatever becomes of us. */
static void directory_make(struct bench *b) {
	const char *given = getenv("ZOE_BENCH_DIR");

	snprintf(b->directory, sizeof(b->directory), "%.40s/zoe-bench-XXXXXX",
		given ? given : "/tmp");
	if (!mkdtemp(b->directory)) {
		bench_die("no temporary directory");
	}
}

static void broker_exec(const struct bench *b, const char *path) {
	if (!freopen("/dev/null", "w", stderr)) {
		_exit(126);
	}
	execlp(b->broker_path, b->broker_path, "--socket", b->socket, "--config", path,
		(char *)NULL);
	_exit(127);
}

double broker_start(struct bench *b) {
	struct zoe_client *client;
	char path[80];
	double began, ms;
	FILE *file;

	directory_make(b);
	snprintf(path, sizeof(path), "%s/c.yaml", b->directory);
	snprintf(b->socket, sizeof(b->socket), "%s/socket", b->directory);
	file = fopen(path, "w");
	if (!file || fputs(config, file) < 0 || fclose(file) != 0) {
		bench_die("cannot write the config");
	}
	began = bench_now_us();
	b->broker = bench_fork();
	if (b->broker == 0) {
		broker_exec(b, path);
	}
	client = bench_connect(b);
	while (zoe_client_connect(client, 100) != 0) {
		if (waitpid(b->broker, NULL, WNOHANG) != 0 || bench_now_us() - began > 5e6) {
			bench_die("the broker does not start");
		}
		bench_pause_us(50);
	}
	ms = (bench_now_us() - began) / 1e3;
	zoe_client_destroy(client);
	return ms;
}

void broker_stop(struct bench *b) {
	static const char *const names[] = {"c.yaml", "socket", "socket.lock"};

	if (b->broker <= 0) {
		return;
	}
	kill(b->broker, SIGTERM);
	waitpid(b->broker, NULL, 0);
	b->broker = 0;
	for (unsigned i = 0; i < 3; i++) {
		char path[80];

		snprintf(path, sizeof(path), "%s/%s", b->directory, names[i]);
		unlink(path);
	}
	rmdir(b->directory);
}

double broker_cpu_us(const struct bench *b) {
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(b->broker, &clock) != 0 || clock_gettime(clock, &ts) != 0) {
		bench_die("the broker is gone");
	}
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

/* utime + stime of proc(5)'s stat, in ticks. */
long broker_cpu_ticks(const struct bench *b) {
	char path[64], text[1024], *at;
	unsigned long user = 0, kernel = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)b->broker);
	file = fopen(path, "r");
	if (!file || !fgets(text, sizeof(text), file)) {
		bench_die("the broker is gone");
	}
	fclose(file);
	at = strrchr(text, ')');
	if (!at || sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
			   &kernel) != 2) {
		bench_die("cannot read the broker's stat");
	}
	return (long)(user + kernel);
}
