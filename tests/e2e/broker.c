/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ms(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int count_fds(pid_t pid) {
	char path[64];
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir) {
		return -1; /* the broker lets nobody but root look into it */
	}
	while (readdir(dir)) {
		n++;
	}
	closedir(dir);
	return pid == getpid() ? n - 1 : n; /* without the directory's own */
}

/* Until something that sends no event has come about, a look at a time. */
static void pause_until(uint64_t deadline, const char *what) {
	static const struct timespec ms = {.tv_nsec = 2000000};

	if (now_ms() > deadline) {
		fail_msg("no %s in time", what);
	}
	nanosleep(&ms, NULL);
}

int process_wait(pid_t pid) {
	uint64_t deadline = now_ms() + DEADLINE_MS;
	int status = 0;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		pause_until(deadline, "end of a process");
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void broker_exec(const struct broker *broker) {
	const char *program = getenv("ZOETROPED");
	int log = open(broker->log, O_WRONLY | O_CREAT | O_APPEND, 0600);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(log, STDERR_FILENO);
	for (int fd = STDERR_FILENO + 1; fd < 1024; fd++) {
		close(fd);
	}
	execl(program ? program : "./zoetroped", "zoetroped", "--socket", broker->socket,
		"--config", broker->config, (char *)NULL);
	_exit(127);
}

void broker_wait_answer(const struct broker *broker) {
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct zoe_client_options options = {
		.struct_size = sizeof(options), .socket = broker->socket};
	struct zoe_client *client = NULL;

	assert_int_equal(zoe_client_create(&client, &options), 0);
	while (zoe_client_connect(client, 100) < 0) {
		pause_until(deadline, "answer of the broker");
	}
	zoe_client_destroy(client);
}

void broker_start(struct broker *broker) {
	broker->pid = fork();
	assert_true(broker->pid >= 0);
	if (broker->pid == 0) {
		broker_exec(broker);
	}
	broker_wait_answer(broker);
}

void broker_kill(struct broker *broker) {
	kill(broker->pid, SIGKILL);
	assert_int_equal(process_wait(broker->pid), 128 + SIGKILL);
	broker->pid = 0;
}

static int read_text(const char *path, char *text, size_t size) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	text[n > 0 ? n : 0] = '\0';
	if (fd >= 0) {
		close(fd);
	}
	return n < 0 ? -1 : 0;
}

int broker_run_second(const struct broker *broker, char *text, size_t size) {
	struct broker second = *broker;
	int status;

	snprintf(second.log, sizeof(second.log), "%s/second", broker->dir);
	second.pid = fork();
	if (second.pid == 0) {
		broker_exec(&second);
	}
	status = process_wait(second.pid);
	assert_int_equal(read_text(second.log, text, size), 0);
	return status;
}

int broker_setup(void **state) {
	const char *yaml = *state;
	struct broker *broker = calloc(1, sizeof(*broker));
	FILE *file;

	if (!broker) {
		return -1;
	}
	broker->n_fds = count_fds(getpid());
	snprintf(broker->dir, sizeof(broker->dir), "/tmp/zoe-e2e-XXXXXX");
	if (!mkdtemp(broker->dir) || chmod(broker->dir, 0755) < 0) {
		free(broker);
		return -1;
	}
	snprintf(broker->socket, sizeof(broker->socket), "%s/socket", broker->dir);
	snprintf(broker->config, sizeof(broker->config), "%s/zoetrope.yaml", broker->dir);
	snprintf(broker->log, sizeof(broker->log), "%s/log", broker->dir);
	file = fopen(broker->config, "we");
	if (file) {
		fputs(yaml, file);
		fclose(file);
	}
	*state = broker;
	broker_start(broker);
	return 0;
}

static void remove_dir(const struct broker *broker) {
	static const char *const names[] = {
		"zoetrope.yaml", "log", "second", "socket.lock", "socket"};
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", broker->dir, names[i]);
		unlink(path);
	}
	rmdir(broker->dir);
}

int broker_teardown(void **state) {
	struct broker *broker = *state;
	int status = 0, n_fds;
	bool has_socket = false;
	char log[4096];

	children_kill();
	if (broker->pid) {
		kill(broker->pid, SIGCONT);
		kill(broker->pid, SIGTERM);
		status = process_wait(broker->pid);
		has_socket = access(broker->socket, F_OK) == 0;
	}
	n_fds = count_fds(getpid());
	if (status != 0 && read_text(broker->log, log, sizeof(log)) == 0) {
		print_error("broker's exit status %d, log:\n%s\n", status, log);
	}
	if (has_socket || n_fds != broker->n_fds) {
		print_error("socket left: %d; descriptors: %d before, %d after\n", has_socket,
			broker->n_fds, n_fds);
		status = -1;
	}
	remove_dir(broker);
	free(broker);
	return status ? -1 : 0;
}

struct zoe_client *broker_connect(const struct broker *broker) {
	struct zoe_client_options options = {
		.struct_size = sizeof(options), .socket = broker->socket, .app_name = "test"};
	struct zoe_client *client = NULL;

	if (zoe_client_create(&client, &options) < 0) {
		abort();
	}
	return client;
}

static int note_status(void *user, const struct zoe_status *status) {
	struct stream_state *state = user;
	const struct zoe_stream_info *stream = status->stream;

	if (stream) {
		snprintf(state->region, sizeof(state->region), "%s", stream->region);
		snprintf(state->producer, sizeof(state->producer), "%s", stream->producer);
		state->generation = stream->generation;
		state->n_producers = stream->n_producers;
		state->n_consumers = stream->n_consumers;
		state->head_seq = stream->head_seq;
	}
	if (status->peer) {
		state->n_peers++;
		state->n_held += status->peer->held;
	}
	return 0;
}

int stream_get_state(const struct broker *broker, const char *stream, struct stream_state *state) {
	struct zoe_client *client = broker_connect(broker);
	int r;

	memset(state, 0, sizeof(*state));
	r = zoe_client_status(client, stream, note_status, state, DEADLINE_MS);
	zoe_client_destroy(client);
	return r;
}

void stream_wait(const struct broker *broker, const char *stream, const struct stream_state *want) {
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct stream_state now;

	for (;;) {
		assert_int_equal(stream_get_state(broker, stream, &now), 0);
		if (now.n_producers == want->n_producers && now.n_consumers == want->n_consumers &&
			now.n_held == want->n_held) {
			return;
		}
		if (now_ms() > deadline) {
			print_error("producers %u, consumers %u, held %u\n", now.n_producers,
				now.n_consumers, now.n_held);
		}
		pause_until(deadline, "return of seats and slots");
	}
}

void stream_wait_generation(const struct broker *broker, const char *stream, uint32_t generation) {
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct stream_state now;

	do {
		pause_until(deadline, "new generation");
		assert_int_equal(stream_get_state(broker, stream, &now), 0);
	} while (now.generation < generation);
}

void broker_wait_fds(const struct broker *broker, int n_fds) {
	uint64_t deadline = now_ms() + DEADLINE_MS;
	int now;

	while ((now = count_fds(broker->pid)) > n_fds) {
		if (now_ms() > deadline) {
			print_error("the broker had %d descriptors, and has %d\n", n_fds, now);
		}
		pause_until(deadline, "end of the broker's descriptors");
	}
}
