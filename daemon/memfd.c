/* SPDX-License-Identifier: MIT */
#include "memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x0020 /* comes with MFD_NOEXEC_SEAL */
#endif
#define OUR_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static int memfd_open(const char *name) {
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL) {
		fd = memfd_create(name, flags); /* Linux before 6.3 */
	}
	return fd < 0 ? -errno : fd;
}

static bool memfd_set_immutable(int fd, bool is_immutable) {
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0) {
		return false;
	}
	flags = is_immutable ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

static int memfd_open_again(int fd, int mode) {
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, mode | O_CLOEXEC);
	return again < 0 ? -errno : again;
}

int memfd_init(struct memfd *memory, const char *name, uint64_t bytes) {
	cleanup_fd int rw = memfd_open(name);
	int ro;

	if (rw < 0) {
		return rw;
	}
	if (bytes > INT64_MAX || ftruncate(rw, (off_t)bytes) < 0) {
		return -EFBIG;
	}
	if (fchmod(rw, 0400) < 0 || fcntl(rw, F_ADD_SEALS, OUR_SEALS) < 0) {
		return -errno;
	}
	(void)memfd_set_immutable(rw, true);
	ro = memfd_open_again(rw, O_RDONLY);
	if (ro < 0) {
		return ro;
	}
	*memory = (struct memfd){.rw = steal_fd(&rw), .ro = ro, .bytes = (size_t)bytes};
	return 0;
}

/* Nobody can name a memfd but who makes it. */
static bool memfd_is_called(int fd, const char *name) {
	char path[32], target[256], wanted[256];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	snprintf(wanted, sizeof(wanted), "/memfd:%s (deleted)", name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0) {
		return false;
	}
	target[n] = '\0';
	return strcmp(target, wanted) == 0;
}

bool memfd_is_ours(int fd, const char *name, bool *is_writable) {
	int seals = fcntl(fd, F_GET_SEALS), mode = fcntl(fd, F_GETFL);
	struct stat st;

	if (seals < 0 || (seals & ~F_SEAL_EXEC) != OUR_SEALS || mode < 0 || fstat(fd, &st) < 0 ||
		st.st_uid != geteuid() || !memfd_is_called(fd, name)) {
		return false;
	}
	*is_writable = (mode & O_ACCMODE) == O_RDWR;
	return true;
}

int memfd_adopt(struct memfd *memory, const char *name, int *fd) {
	bool is_writable;
	struct stat st;
	int ro;

	if (!memfd_is_ours(*fd, name, &is_writable) || fstat(*fd, &st) < 0 || st.st_size < 0) {
		return -EPERM;
	}
	if (!is_writable) {
		*memory = (struct memfd){.rw = -1, .ro = steal_fd(fd), .bytes = (size_t)st.st_size};
		return 0;
	}
	ro = memfd_open_again(*fd, O_RDONLY);
	if (ro < 0) {
		return ro;
	}
	*memory = (struct memfd){.rw = steal_fd(fd), .ro = ro, .bytes = (size_t)st.st_size};
	return 0;
}

int memfd_open_rw(struct memfd *memory) {
	bool was_immutable = memfd_set_immutable(memory->ro, false);
	int rw;

	if (fchmod(memory->ro, 0600) < 0) {
		return -errno;
	}
	rw = memfd_open_again(memory->ro, O_RDWR);
	(void)fchmod(memory->ro, 0400);
	if (was_immutable) {
		(void)memfd_set_immutable(memory->ro, true);
	}
	if (rw < 0) {
		return rw;
	}
	memory->rw = rw;
	return 0;
}

void memfd_close_rw(struct memfd *memory) {
	cleanup_fd_fn(&memory->rw);
	memory->rw = -1;
}

void memfd_finish(struct memfd *memory) {
	cleanup_fd_fn(&memory->rw);
	cleanup_fd_fn(&memory->ro);
	*memory = MEMFD_NONE;
}

int memfd_map(const struct memfd *memory, bool is_writable, void **out) {
	int prot = is_writable ? PROT_READ | PROT_WRITE : PROT_READ;
	void *map = mmap(
		NULL, memory->bytes, prot, MAP_SHARED, is_writable ? memory->rw : memory->ro, 0);

	if (map == MAP_FAILED) {
		return -errno;
	}
	*out = map;
	return 0;
}

const char *memfd_get_protection(void) {
	cleanup_fd int fd = memfd_open("zoetrope.probe");

	return fd >= 0 && memfd_set_immutable(fd, true) ? "mode+immutable" : "mode";
}
