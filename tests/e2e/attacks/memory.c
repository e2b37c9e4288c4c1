/* SPDX-License-Identifier: MIT */
/*
 * Attacks on the memory that is lent: who was lent it to look at, wants to write it; who was lent
 * it to write, wants to cut it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "honest.h"
#include "rogue.h"

static const char *const parts[] = {"ring", "frames", "control"};

/* Returns: a writable descriptor of the same file; -errno. */
static int reopen(int fd) {
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	return again < 0 ? -errno : again;
}

static void memory_reopen_as_stranger(const struct scene *scene) {
	struct rogue r;
	int fd = reopen(scene->plain_fd);

	/* The control: without the mode, nothing keeps a stranger out. */
	attack_claim(fd >= 0, "a plain memfd cannot be opened anew either: %s", strerror(-fd));
	attack_saw("plain memfd opens anew");
	close(fd);
	rogue_consume(&r, scene, "desk");
	for (unsigned i = 0; i < 3; i++) {
		fd = reopen(r.fds[i]);
		attack_claim(fd == -EACCES || fd == -EPERM, "%s: opened anew: %d", parts[i], fd);
		attack_claim(fchmod(r.fds[i], 0666) < 0, "%s: fchmod is allowed", parts[i]);
	}
	attack_saw("ours: %s", strerror(-fd));
	rogue_close(&r);
}

/* No boundary between programs of one user, but where the immutable flag is. */
static void memory_reopen_as_owner(const struct scene *scene) {
	bool is_immutable = strcmp(scene->protection, "mode+immutable") == 0;
	struct rogue r;

	rogue_consume(&r, scene, "desk");
	for (unsigned i = 0; i < 3; i++) {
		int fd;

		(void)!fchmod(r.fds[i], 0600);
		fd = reopen(r.fds[i]);
		(void)!fchmod(r.fds[i], 0400);
		attack_claim((fd < 0) == is_immutable, "%s: with protection %s: %d", parts[i],
			scene->protection, fd);
		if (fd >= 0) {
			close(fd);
		}
	}
	attack_saw(is_immutable ? "blocked by the immutable flag"
				: "opens anew, as documented: one user is no boundary");
	rogue_close(&r);
}

static void memory_steal_from_processes(const struct scene *scene) {
	char path[64];

	for (unsigned i = 0; i <= N_HONEST; i++) {
		pid_t pid = i < N_HONEST ? scene->honest[i] : scene->broker->pid;
		int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

		snprintf(path, sizeof(path), "/proc/%d/fd/3", (int)pid);
		attack_claim(open(path, O_RDWR | O_CLOEXEC) < 0 && errno == EACCES,
			"%s can be opened", path);
		snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
		attack_claim(open(path, O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES,
			"%s can be opened", path);
		for (int fd = 3; fd < 16; fd++) {
			attack_claim(syscall(SYS_pidfd_getfd, pidfd, fd, 0) < 0 && errno == EPERM,
				"pidfd_getfd takes %d of %d", fd, (int)pid);
		}
		close(pidfd);
	}
	attack_saw("%d processes keep theirs", N_HONEST + 1);
}

/* The same uid as the broker's, without any capability: the broker is not dumpable. */
static void memory_steal_from_broker(const struct scene *scene) {
	char path[64];

	if (geteuid() == 0) {
		attack_saw("root may");
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/fd/3", (int)scene->broker->pid);
	attack_claim(open(path, O_RDWR | O_CLOEXEC) < 0, "%s can be opened", path);
	attack_saw("%s", strerror(errno));
}

static void memory_map_writable(const struct scene *scene) {
	struct rogue r;

	rogue_consume(&r, scene, "desk");
	for (unsigned i = 0; i < 3; i++) {
		void *at = r.maps[i].at;

		attack_claim(mprotect(at, r.maps[i].bytes, PROT_READ | PROT_WRITE) < 0 &&
				     errno == EACCES,
			"%s: mprotect is allowed", parts[i]);
		attack_claim(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r.fds[i], 0) ==
				     MAP_FAILED,
			"%s: maps writable", parts[i]);
		attack_claim(mremap(at, 0, r.maps[i].bytes, MREMAP_MAYMOVE) == MAP_FAILED ||
				     mprotect(at, r.maps[i].bytes, PROT_WRITE) < 0,
			"%s: a second map is writable", parts[i]);
	}
	attack_saw("mprotect: %s", strerror(EACCES));
	rogue_close(&r);
}

/* The kernel's ways round a mapping's rights. */
static void memory_write_round_the_rights(const struct scene *scene) {
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC), fds[2];
	struct rogue r;

	rogue_consume(&r, scene, "desk");
	attack_claim(pipe(fds) == 0, "no pipe");
	for (unsigned i = 0; i < 3; i++) {
		_Atomic uint32_t *at = r.maps[i].at;
		uint32_t before = atomic_load_explicit(at, memory_order_relaxed);

		attack_claim(mem < 0 || pwrite(mem, "evil", 4, (off_t)(uintptr_t)at) < 0,
			"%s: /proc/self/mem writes", parts[i]);
		(void)!write(fds[1], "evil", 4);
		attack_claim(
			read(fds[0], at, 4) < 0 && errno == EFAULT, "%s: read(2) writes", parts[i]);
		attack_claim(
			madvise(at, 4096, MADV_REMOVE) < 0, "%s: MADV_REMOVE punches", parts[i]);
		attack_claim(syscall(SYS_futex, at, FUTEX_WAKE_OP, 0, 0, at,
				     FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 0)) < 0 &&
				     errno == EFAULT,
			"%s: FUTEX_WAKE_OP writes", parts[i]);
		attack_claim(atomic_load_explicit(at, memory_order_relaxed) == before ||
				     i == ROGUE_FRAMES,
			"%s: has changed", parts[i]);
		(void)!read(fds[0], &before, 4);
	}
	attack_saw("mem, read, MADV_REMOVE, FUTEX_WAKE_OP: none writes");
	rogue_close(&r);
}

/* Tries what a descriptor might let one do to a file. */
static void cut(int fd, bool is_writable, const char *part) {
	int flags = FS_IMMUTABLE_FL;

	attack_claim(ftruncate(fd, 0) < 0, "%s: cut", part);
	attack_claim(ftruncate(fd, INT64_C(1) << 30) < 0, "%s: grown", part);
	attack_claim(fallocate(fd, 0, 0, INT64_C(1) << 30) < 0, "%s: allocated beyond", part);
	attack_claim(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) < 0, "%s: sealed", part);
	attack_claim(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE) < 0, "%s: sealed", part);
	attack_claim(ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0, "%s: flags are set", part);
	if (!is_writable) {
		attack_claim(pwrite(fd, "evil", 4, 0) < 0, "%s: written", part);
		attack_claim(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) < 0,
			"%s: punched", part);
	}
}

static void memory_cut_what_is_lent(const struct scene *scene) {
	struct rogue r;

	rogue_consume(&r, scene, "desk");
	for (unsigned i = 0; i < 3; i++) {
		cut(r.fds[i], false, parts[i]);
	}
	cut(r.fds[ROGUE_SEAT], true, "seat");
	attack_saw("sizes, seals and flags stay");
	rogue_close(&r);
}

/* A producer may write, but not cut: holes read as zeroes, and are no faults. */
static void memory_cut_as_producer(const struct scene *scene) {
	struct zoe_client *c = broker_connect(scene->broker);
	struct zoe_consumer *s = consume(c, "loose", ZOE_LATEST, 1);
	const struct zoe_frame *frame = NULL;
	struct zoe_client *d = broker_connect(scene->broker);
	struct zoe_producer *p = produce(d, "loose", 1);
	struct rogue r;
	unsigned sum = 0;

	rogue_produce(&r, scene, "loose");
	attack_claim(p && s && r.status == 0 && publish(p, 3) == 0, "cannot begin");
	attack_claim(zoe_consumer_next(s, &frame, DEADLINE_MS) == 0, "no frame");
	for (unsigned i = 0; i < 2; i++) {
		cut(r.fds[i], true, parts[i]);
		(void)!fallocate(r.fds[i], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			(off_t)r.maps[i].bytes);
	}
	cut(r.fds[ROGUE_CONTROL], false, "control");
	for (uint64_t i = 0; frame && i < frame->format.size_bytes; i++) {
		sum += frame->plane[0][i];
	}
	attack_saw("the held frame still reads, sum %u", sum);
	zoe_frame_release(frame);
	zoe_client_destroy(c);
	zoe_client_destroy(d);
	rogue_close(&r);
}

const struct attack memory_attacks[] = {
	{"memory: open anew, other user", ATTACK_NEEDS_STRANGER, memory_reopen_as_stranger},
	{"memory: open anew, same user", ATTACK_AS_OURSELVES, memory_reopen_as_owner},
	{"memory: steal descriptors", ATTACK_NEEDS_STRANGER, memory_steal_from_processes},
	{"memory: steal from the broker", ATTACK_AS_OURSELVES, memory_steal_from_broker},
	{"memory: mprotect, mmap, mremap", ATTACK_AS_STRANGER, memory_map_writable},
	{"memory: write round the rights", ATTACK_AS_STRANGER, memory_write_round_the_rights},
	{"memory: cut what a reader has", ATTACK_AS_STRANGER, memory_cut_what_is_lent},
	{"memory: cut what a producer has", ATTACK_AS_STRANGER, memory_cut_as_producer},
	{NULL, ATTACK_AS_STRANGER, NULL},
};
