/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zoe/consumer.h>
#include <zoe/producer.h>

#include "bench.h"

enum { READERS = 4, JOIN_FRAMES = 30 };

static char directory[48] = "/tmp/zoe-bench-XXXXXX"; // the script's own, where it gives one

static const char config[] = "version: 1\n"
			     "broker: {memory_limit: 2GiB}\n"
			     "streams:\n"
			     "  \"**\": {max_frame: 1920x1080 XR24, slots: 6, consumers: 16}\n";

static void pause_us(double us) {
	struct timespec ts = {
		(time_t)(us / 1e6), (long)((us - (double)(long)(us / 1e6) * 1e6) * 1e3)};

	nanosleep(&ts, NULL);
}

/* The script removes its own, whatever becomes of us. */
static void directory_make(void) {
	const char *given = getenv("ZOE_BENCH_DIR");

	if (given && strlen(given) < sizeof(directory)) {
		memcpy(directory, given, strlen(given) + 1);
	} else if (!mkdtemp(directory)) {
		bench_die("no temporary directory");
	}
}

void broker_start(struct bench *b, const char *program) {
	struct zoe_client *client;
	char path[64];
	double began;
	FILE *file;

	directory_make();
	snprintf(path, sizeof(path), "%s/c.yaml", directory);
	snprintf(b->socket, sizeof(b->socket), "%s/socket", directory);
	file = fopen(path, "w");
	if (!file || fputs(config, file) < 0 || fclose(file) != 0) {
		bench_die("cannot write the config");
	}
	began = bench_now_us();
	b->broker = bench_fork();
	if (b->broker == 0) {
		if (!freopen("/dev/null", "w", stderr)) {
			_exit(126);
		}
		execl(program, program, "--socket", b->socket, "--config", path, (char *)NULL);
		_exit(127);
	}
	client = bench_connect(b);
	while (zoe_client_connect(client, 100) != 0) {
		if (bench_now_us() - began > 5e6) {
			bench_die("the broker does not answer");
		}
		pause_us(100);
	}
	b->ready_ms = (bench_now_us() - began) / 1e3;
	zoe_client_destroy(client);
}

void broker_stop(struct bench *b) {
	char path[64];

	kill(b->broker, SIGTERM);
	waitpid(b->broker, NULL, 0);
	snprintf(path, sizeof(path), "%s/c.yaml", directory);
	unlink(path);
	snprintf(path, sizeof(path), "%s/socket.lock", directory);
	unlink(path);
	rmdir(directory);
}

/* utime + stime of proc(5)'s stat, in ticks. */
static long ticks_of(pid_t pid) {
	char path[64], text[1024], *at;
	unsigned long user = 0, kernel = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
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

static double rss_kib_of(pid_t pid) {
	char path[64], line[256];
	double kib = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "VmRSS: %lf", &kib) == 1) {
			break;
		}
	}
	if (file) {
		fclose(file);
	}
	return kib;
}

/* Sees at least n_frames, or the figure would be that of a broker with nobody attached. */
static void read_for(const struct bench *b, double seconds, unsigned n_frames) {
	struct zoe_consumer_options options = {
		.struct_size = sizeof(options), .delivery = ZOE_EVERY, .timeout_ms = 5000};
	struct zoe_client *client = bench_connect(b);
	double end = bench_now_us() + seconds * 1e6;
	struct zoe_consumer *consumer;
	const struct zoe_frame *frame;
	unsigned n_seen = 0;

	if (zoe_consumer_open(client, "flow", &options, &consumer) != 0) {
		_exit(1);
	}
	while (bench_now_us() < end) {
		if (zoe_consumer_next(consumer, &frame, 100) == 0) {
			n_seen++;
			zoe_frame_release(frame);
		}
	}
	zoe_client_destroy(client);
	_exit(n_seen >= n_frames ? 0 : 1);
}

static long flow(struct bench *b, struct zoe_producer *producer, double seconds) {
	unsigned n_frames = (unsigned)(seconds * 60);
	long before = 0;

	for (unsigned i = 0; i < n_frames; i++) {
		struct zoe_slot *slot;

		if (i == JOIN_FRAMES) {
			before = ticks_of(b->broker); /* everybody has attached */
		}
		pause_us(16667);
		if (zoe_producer_acquire(producer, NULL, &slot, 1000) != 0 ||
			zoe_producer_publish(producer, slot) != 0) {
			bench_die("frames do not flow");
		}
	}
	return ticks_of(b->broker) - before;
}

static double attach_ms(struct bench *b) {
	struct zoe_consumer_options options = {.struct_size = sizeof(options), .timeout_ms = 1000};
	double samples[21];

	for (unsigned i = 0; i < 21; i++) {
		struct zoe_client *client = bench_connect(b);
		double began = bench_now_us();
		struct zoe_consumer *consumer;
		const struct zoe_frame *frame;

		if (zoe_consumer_open(client, "flow", &options, &consumer) != 0 ||
			zoe_consumer_next(consumer, &frame, 1000) != 0) {
			bench_die("cannot attach");
		}
		samples[i] = (bench_now_us() - began) / 1e3;
		zoe_frame_release(frame);
		zoe_client_destroy(client);
	}
	return bench_spread(samples, 21).p50;
}

void measure_broker(struct bench *b) {
	struct zoe_producer_options options = {.struct_size = sizeof(options), .timeout_ms = 1000};
	double seconds = b->is_short ? 3 : 30;
	struct zoe_client *client = bench_connect(b);
	struct zoe_producer *producer;
	pid_t readers[READERS];
	long ticks;

	zoe_format_init(&options.format, ZOE_FORMAT_XR24, 1920, 1080);
	if (zoe_producer_open(client, "flow", &options, &producer) != 0) {
		bench_die(zoe_client_get_error(client));
	}
	for (unsigned i = 0; i < READERS; i++) {
		readers[i] = bench_fork();
		if (readers[i] == 0) {
			read_for(b, seconds + 2, (unsigned)(seconds * 60) - JOIN_FRAMES);
		}
	}
	ticks = flow(b, producer, seconds);
	for (unsigned i = 0; i < READERS; i++) {
		bench_join(readers[i], "a reader did not see the frames flow");
	}
	bench_add(b, &(struct bench_result){"broker CPU, 1080p60 to 4 readers", "ticks",
			     (double)ticks, 0, 0, true});
	bench_add(b, &(struct bench_result){"broker resident memory", "KiB", rss_kib_of(b->broker),
			     0, 4096, true});
	bench_add(
		b, &(struct bench_result){"broker exec to ready", "ms", b->ready_ms, 0, 20, false});
	bench_add(b, &(struct bench_result){
			     "attach to first frame, p50", "ms", attach_ms(b), 0, 1, false});
	zoe_client_destroy(client);
}
