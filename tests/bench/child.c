/* SPDX-License-Identifier: MIT */
/*
 * Clock, children, memory they share, and ways to attach: what every measure needs.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

uint64_t bench_now_ns(void) {
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

double bench_now_us(void) {
	return (double)bench_now_ns() / 1e3;
}

void bench_pause_us(double us) {
	uint64_t ns = (uint64_t)(us * 1e3);
	struct timespec ts = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	nanosleep(&ts, NULL);
}

void *bench_share(size_t size) {
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		bench_die("no memory to share");
	}
	return at;
}

unsigned char *bench_frames(size_t size) {
	int fd = memfd_create("bench", MFD_CLOEXEC);
	unsigned char *at = NULL;

	if (fd >= 0 && ftruncate(fd, (off_t)size) == 0) {
		at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	}
	if (!at || at == MAP_FAILED) {
		bench_die("no memory for frames");
	}
	close(fd);
	memset(at, 1, size);
	return at;
}

pid_t bench_fork(void) {
	pid_t parent = getpid(), child = fork();

	if (child < 0) {
		bench_die("cannot fork");
	}
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
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

struct zoe_producer *bench_produce(
	struct zoe_client *client, const char *stream, uint32_t width, uint32_t height) {
	struct zoe_producer_options options = {.struct_size = sizeof(options), .timeout_ms = 5000};
	struct zoe_producer *producer = NULL;

	if (zoe_format_init(&options.format, ZOE_FORMAT_XR24, width, height) != 0 ||
		zoe_producer_open(client, stream, &options, &producer) != 0) {
		bench_die(zoe_client_get_error(client));
	}
	return producer;
}

struct zoe_consumer *bench_consume(
	struct zoe_client *client, const char *stream, enum zoe_delivery delivery) {
	struct zoe_consumer_options options = {
		.struct_size = sizeof(options), .delivery = delivery, .timeout_ms = 5000};
	struct zoe_consumer *consumer;

	if (zoe_consumer_open(client, stream, &options, &consumer) != 0) {
		bench_die(zoe_client_get_error(client));
	}
	return consumer;
}

void bench_wait_wanted(struct zoe_producer *producer) {
	for (unsigned i = 0; zoe_producer_is_wanted(producer) != 1; i++) {
		if (i == 5000) {
			bench_die("the reader does not come");
		}
		bench_pause_us(1000);
	}
}
