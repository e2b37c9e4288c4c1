/* SPDX-License-Identifier: MIT */
#include "broker.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CHILDREN 64

static pid_t children[MAX_CHILDREN]; // 0 = free

static void children_change(pid_t from, pid_t to) {
	for (int i = 0; i < MAX_CHILDREN; i++) {
		if (children[i] == from) {
			children[i] = to;
			return;
		}
	}
}

struct child child_start(const struct broker *broker, child_fn function) {
	struct child child;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	child.pid = fork();
	assert_true(child.pid >= 0);
	if (child.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ends[0]);
		_exit(function(broker, ends[1]));
	}
	close(ends[1]);
	child.pipe = ends[0];
	children_change(0, child.pid);
	return child;
}

void child_wait_ready(const struct child *child) {
	struct pollfd ready = {.fd = child->pipe, .events = POLLIN};
	char byte = 0;

	assert_int_equal(poll(&ready, 1, DEADLINE_MS), 1);
	assert_int_equal(read(child->pipe, &byte, 1), 1);
}

int child_join(struct child *child) {
	int status = process_wait(child->pid);

	children_change(child->pid, 0);
	close(child->pipe);
	return status;
}

void child_kill(struct child *child) {
	kill(child->pid, SIGKILL);
	assert_int_equal(child_join(child), 128 + SIGKILL);
}

void children_kill(void) {
	for (int i = 0; i < MAX_CHILDREN; i++) {
		if (children[i]) {
			kill(children[i], SIGKILL);
			waitpid(children[i], NULL, 0);
			children[i] = 0;
		}
	}
}

void child_check(bool is_true, const char *file, int line) {
	if (!is_true) {
		fprintf(stderr, "%s:%d: failed in a child\n", file, line);
		_exit(1);
	}
}

void child_say_ready(int pipe) {
	char byte = 1;

	child_check(write(pipe, &byte, 1) == 1, __FILE__, __LINE__);
}
