/* SPDX-License-Identifier: MIT */
#include "memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static int memfd_open(const char *name) {
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, flags | MFD_NOEXEC_SEAL);

	if (fd < 0 && errno == EINVAL) {
		fd = memfd_create(name, flags); /* Linux before 6.3 */
	}
	return fd < 0 ? -errno : fd;
}

static bool memfd_set_immutable(int fd) {
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0) {
		return false;
	}
	flags |= FS_IMMUTABLE_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

static int memfd_open_again(int fd) {
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC);
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
	if (fchmod(rw, 0400) < 0 ||
		fcntl(rw, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		return -errno;
	}
	(void)memfd_set_immutable(rw);
	ro = memfd_open_again(rw);
	if (ro < 0) {
		return ro;
	}
	*memory = (struct memfd){.rw = steal_fd(&rw), .ro = ro, .bytes = (size_t)bytes};
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

	return fd >= 0 && memfd_set_immutable(fd) ? "mode+immutable" : "mode";
}
