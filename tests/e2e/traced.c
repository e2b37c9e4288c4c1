/* SPDX-License-Identifier: MIT */
#include "traced.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define SYSCALL_STOP (SIGTRAP | 0x80)

struct traced_page {
	_Atomic uint32_t is_armed, n_calls, is_dead;
	_Atomic int32_t pid;
	uint32_t kill_at;
};

/* Kills it without letting it do what it is about to do. */
static void tracee_kill(struct traced_page *page, pid_t pid) {
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
	atomic_store_explicit(&page->is_dead, 1, memory_order_release);
	_exit(0);
}

/* Counts entries into system calls; every second stop is the way out of one. */
static void tracer_run(struct traced_page *page, pid_t pid) {
	bool is_inside = false;
	int status;

	while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
		int signal_number = WSTOPSIG(status);

		if (signal_number == SYSCALL_STOP) {
			is_inside = !is_inside;
			signal_number = 0;
			if (is_inside &&
				atomic_load_explicit(&page->is_armed, memory_order_acquire) &&
				atomic_fetch_add_explicit(&page->n_calls, 1, memory_order_relaxed) +
						1 ==
					page->kill_at) {
				tracee_kill(page, pid);
			}
		} else if (signal_number == SIGTRAP) {
			signal_number = 0; /* its exec */
		}
		if (ptrace(PTRACE_SYSCALL, pid, NULL, (long)signal_number) < 0) {
			break;
		}
	}
	atomic_store_explicit(&page->is_dead, 1, memory_order_release);
	_exit(0);
}

static void tracer_start(struct traced_page *page, const struct broker *broker) {
	pid_t pid;
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		broker_exec(broker);
	}
	atomic_store_explicit(&page->pid, (int32_t)pid, memory_order_release);
	/* It stops behind its exec. */
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status) ||
		ptrace(PTRACE_SETOPTIONS, pid, NULL,
			(long)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) < 0 ||
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0) {
		_exit(2);
	}
	tracer_run(page, pid);
}

void traced_start(
	struct traced *traced, const struct broker *broker, uint32_t kill_at, bool at_once) {
	void *page = mmap(NULL, sizeof(*traced->page), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(page, MAP_FAILED);
	traced->page = page;
	traced->page->kill_at = kill_at;
	atomic_store_explicit(&traced->page->is_armed, at_once, memory_order_release);
	traced->tracer = fork();
	assert_true(traced->tracer >= 0);
	if (traced->tracer == 0) {
		tracer_start(traced->page, broker);
	}
	if (!at_once) {
		broker_wait_answer(broker);
	}
}

void traced_arm(struct traced *traced) {
	atomic_store_explicit(&traced->page->is_armed, 1, memory_order_release);
}

bool traced_is_dead(const struct traced *traced) {
	return atomic_load_explicit(&traced->page->is_dead, memory_order_acquire) != 0;
}

uint32_t traced_end(struct traced *traced) {
	pid_t pid = atomic_load_explicit(&traced->page->pid, memory_order_acquire);
	uint32_t n = atomic_load_explicit(&traced->page->n_calls, memory_order_relaxed);

	if (!traced_is_dead(traced) && pid > 0) {
		kill(pid, SIGKILL);
	}
	process_wait(traced->tracer);
	munmap(traced->page, sizeof(*traced->page));
	traced->page = NULL;
	return n;
}
