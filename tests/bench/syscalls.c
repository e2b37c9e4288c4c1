/* SPDX-License-Identifier: MIT */
/*
 * A child that the kernel kills at its first system call publishes and takes frames. Every 100 ms
 * the library looks at the broker's socket: a child that was killed so late is asked again.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

enum { FRAMES = 10000, TRIES = 20, LATE_US = 90000, SERVICE_US = 110000 };

struct progress {
	double began_us, last_us;
	uint32_t n_frames;
};

static void forbid_syscalls(void) {
	/* exit_group ends the child; clock_gettime is no system call but where the vdso is off. */
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {sizeof(rules) / sizeof(rules[0]), rules};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
		_exit(2);
	}
}

static int turn(struct zoe_producer *producer, struct zoe_consumer *consumer) {
	const struct zoe_frame *frame;
	struct zoe_slot *slot;

	if (zoe_producer_acquire(producer, NULL, &slot, 1000) != 0 ||
		zoe_producer_publish(producer, slot) != 0 ||
		zoe_consumer_next(consumer, &frame, 1000) != 0) {
		return -EIO;
	}
	zoe_frame_release(frame);
	return 0;
}

static void turn_silently(const struct bench *b, struct progress *progress) {
	struct zoe_client *client = bench_connect(b);
	struct zoe_producer *producer = bench_produce(client, "silent", 64, 64);
	struct zoe_consumer *consumer = bench_consume(client, "silent", ZOE_EVERY);

	bench_wait_wanted(producer);
	turn(producer, consumer);
	bench_pause_us(SERVICE_US);
	/* Both look at their sockets now, and then not for 100 ms. */
	zoe_consumer_take_events(consumer);
	if (turn(producer, consumer) != 0) {
		_exit(3);
	}
	progress->began_us = progress->last_us = bench_now_us();
	forbid_syscalls();
	while (progress->n_frames < FRAMES) {
		if (turn(producer, consumer) != 0) {
			syscall(SYS_exit_group, 4);
		}
		progress->n_frames++;
		progress->last_us = bench_now_us();
	}
	syscall(SYS_exit_group, 0);
}

/* Returns: 0 no system call; 1 one was made; -EAGAIN it may have been the look at the socket. */
static int try_once(const struct bench *b, struct progress *progress) {
	pid_t child;
	int status;

	*progress = (struct progress){0};
	child = bench_fork();
	if (child == 0) {
		turn_silently(b, progress);
	}
	if (waitpid(child, &status, 0) != child) {
		bench_die("the silent child is lost");
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && progress->n_frames == FRAMES) {
		return 0;
	}
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS) {
		bench_die("the silent child failed");
	}
	return bench_now_us() - progress->began_us > LATE_US ? -EAGAIN : 1;
}

void measure_syscalls(const struct bench *b) {
	struct progress *progress = bench_share(sizeof(*progress));
	int result = -EAGAIN;
	double value;

	for (unsigned i = 0; i < TRIES && result == -EAGAIN; i++) {
		result = try_once(b, progress);
	}
	if (result == -EAGAIN) {
		bench_die("the machine is too busy to count system calls");
	}
	value = result;
	bench_report(
		b, &(struct bench_line){.name = "system calls, 10000 frames published and taken",
			   .unit = "calls",
			   .samples = &value,
			   .n = 1,
			   .has_target_0 = true,
			   .is_duty = true});
	munmap(progress, sizeof(*progress));
}
