/* SPDX-License-Identifier: MIT */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

enum { FEW_FILES = 256, FEW_MAPS = 8192 };
#define SMALL_MEMORY (UINT64_C(512) << 20)

/* A number that stands behind a word in a file of /proc. Returns: false if it is not there. */
static bool read_number(const char *path, const char *word, uint64_t *out) {
	FILE *file = fopen(path, "re");
	char line[256];
	bool is_found = false;

	while (file && !is_found && fgets(line, sizeof(line), file)) {
		is_found = strncmp(line, word, strlen(word)) == 0 &&
			   sscanf(line + strlen(word), "%" SCNu64, out) == 1;
	}
	if (file) {
		fclose(file);
	}
	return is_found;
}

static bool has_memfd(unsigned flags) {
	cleanup_fd int fd = memfd_create("zoe-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

	return fd >= 0;
}

static bool has_peer_pidfd(void) {
	cleanup_fd int one = -1;
	cleanup_fd int other = -1;
	cleanup_fd int pidfd = -1;
	socklen_t size = sizeof(pidfd);
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		return false;
	}
	one = ends[0];
	other = ends[1];
	return getsockopt(one, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0;
}

void doctor_check_kernel(struct doctor *doctor) {
	struct finding f = {.subject = "kernel"};
	bool has_peer = has_peer_pidfd();
	struct utsname name;

	uname(&name);
	snprintf(f.text, sizeof(f.text),
		"%s %s, %s; sealed memory: %s, never executable: %s; "
		"a peer's process by its socket: %s",
		name.sysname, name.release, name.machine, has_memfd(0) ? "yes" : "no",
		has_memfd(MFD_NOEXEC_SEAL) ? "yes" : "no (needs 6.3)",
		has_peer ? "yes" : "no (needs 6.5)");
	if (!has_memfd(0)) {
		f.verdict = DOCTOR_ERROR;
		snprintf(f.remedy, sizeof(f.remedy),
			"the kernel must have CONFIG_MEMFD_CREATE, and no filter may forbid it");
	} else if (!has_peer) {
		f.verdict = DOCTOR_WARNING;
		snprintf(f.remedy, sizeof(f.remedy),
			"programs in containers with pids of their own are turned away; all else "
			"works");
	}
	doctor_tell(doctor, &f);
}

void doctor_check_futex(struct doctor *doctor) {
	struct finding f = {.subject = "waiting"};
	long r = syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0);

	if (r < 0 && errno == ENOSYS) {
		f.verdict = DOCTOR_WARNING;
		snprintf(f.text, sizeof(f.text), "no futex_waitv");
		snprintf(f.remedy, sizeof(f.remedy),
			"needs Linux 5.16, or a sandbox that allows it: until then producers that "
			"wait look every 2 ms");
	} else {
		snprintf(f.text, sizeof(f.text), "futex_waitv is there");
	}
	doctor_tell(doctor, &f);
}

void doctor_check_files(struct doctor *doctor) {
	struct finding f = {.subject = "files"};
	struct rlimit limit = {0};

	getrlimit(RLIMIT_NOFILE, &limit);
	snprintf(f.text, sizeof(f.text), "a process here may open %llu files (at most %llu)",
		(unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
	if (limit.rlim_cur < FEW_FILES) {
		f.verdict = DOCTOR_WARNING;
		snprintf(f.remedy, sizeof(f.remedy),
			"raise it (ulimit -n, LimitNOFILE=): a producer needs two for each "
			"consumer, at least %u in all",
			(unsigned)FEW_FILES);
	}
	doctor_tell(doctor, &f);
}

void doctor_check_maps(struct doctor *doctor) {
	struct finding f = {.subject = "mappings"};
	struct rlimit limit = {0};
	uint64_t n = 0;

	getrlimit(RLIMIT_AS, &limit);
	if (!read_number("/proc/sys/vm/max_map_count", "", &n)) {
		f.verdict = DOCTOR_ERROR;
		snprintf(f.text, sizeof(f.text), "/proc is not there, or not to be read");
		snprintf(f.remedy, sizeof(f.remedy),
			"mount it: the broker opens its memory anew through /proc/self/fd");
	} else if (limit.rlim_cur != RLIM_INFINITY || n < FEW_MAPS) {
		f.verdict = DOCTOR_WARNING;
		snprintf(f.text, sizeof(f.text), "%" PRIu64 " mappings, address space %s", n,
			limit.rlim_cur == RLIM_INFINITY ? "unlimited" : "limited");
		snprintf(f.remedy, sizeof(f.remedy),
			"frames are mapped whole, spare slots included: ulimit -v unlimited, "
			"vm.max_map_count 65530");
	} else {
		snprintf(
			f.text, sizeof(f.text), "%" PRIu64 " mappings, address space unlimited", n);
	}
	doctor_tell(doctor, &f);
}

/* What the cgroup of this process leaves; the kernel charges frames to who touches them first. */
static bool read_cgroup_limit(uint64_t *bytes) {
	char line[512], path[600];
	FILE *file = fopen("/proc/self/cgroup", "re");
	bool is_found = false;

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "0::", 3) == 0) {
			line[strcspn(line, "\n")] = '\0';
			snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", line + 3);
			is_found = read_number(path, "", bytes);
		}
	}
	if (file) {
		fclose(file);
	}
	return is_found;
}

void doctor_check_memory(struct doctor *doctor) {
	struct finding f = {.subject = "memory"};
	uint64_t available_kib = 0, cgroup = 0;
	bool has_limit = read_cgroup_limit(&cgroup);

	if (!read_number("/proc/meminfo", "MemAvailable:", &available_kib)) {
		f.verdict = DOCTOR_UNKNOWN;
		snprintf(f.text, sizeof(f.text), "/proc/meminfo does not say");
	} else {
		snprintf(f.text, sizeof(f.text), "%" PRIu64 " MiB available", available_kib / 1024);
	}
	if (has_limit) {
		size_t n = strlen(f.text);

		snprintf(f.text + n, sizeof(f.text) - n, ", %" PRIu64 " MiB for this cgroup",
			cgroup >> 20);
	}
	if (available_kib != 0 &&
		(available_kib * 1024 < SMALL_MEMORY || (has_limit && cgroup < SMALL_MEMORY))) {
		f.verdict = DOCTOR_WARNING;
		snprintf(f.remedy, sizeof(f.remedy),
			"a 4K stream with 6 slots lends 200 MiB: lower slots and memory_limit in "
			"the config, or free memory");
	}
	doctor_tell(doctor, &f);
}
