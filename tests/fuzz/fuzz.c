/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { N_FDS = 256 };

void input_copy(struct input *in, void *to, size_t size) {
	size_t n = size < in->left ? size : in->left;

	memset(to, 0, size);
	if (n > 0) {
		memcpy(to, in->at, n);
	}
	in->at += n;
	in->left -= n;
}

uint8_t input_u8(struct input *in) {
	uint8_t value;

	input_copy(in, &value, sizeof(value));
	return value;
}

uint16_t input_u16(struct input *in) {
	uint16_t value;

	input_copy(in, &value, sizeof(value));
	return value;
}

uint32_t input_u32(struct input *in) {
	uint32_t value;

	input_copy(in, &value, sizeof(value));
	return value;
}

uint64_t input_u64(struct input *in) {
	uint64_t value;

	input_copy(in, &value, sizeof(value));
	return value;
}

uint32_t input_below(struct input *in, uint32_t n) {
	return input_u8(in) % n;
}

noreturn void must_fail(const char *claim, const char *file, int line) {
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, claim);
	abort();
}

void touch(const void *at, size_t size) {
	static volatile uint8_t sum;
	const uint8_t *bytes = at;
	uint8_t x = 0;

	for (size_t i = 0; i < size; i++) {
		x ^= bytes[i];
	}
	sum = x;
	(void)sum;
}

unsigned fds_count(void) {
	static struct pollfd fds[N_FDS];
	unsigned n = 0;

	for (int i = 0; i < N_FDS; i++) {
		fds[i] = (struct pollfd){.fd = i};
	}
	must(poll(fds, N_FDS, 0) >= 0);
	for (int i = 0; i < N_FDS; i++) {
		n += (fds[i].revents & POLLNVAL) == 0;
	}
	return n;
}

int memory_make(size_t size, void **map) {
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	must(fd >= 0);
	must(ftruncate(fd, (off_t)size) == 0);
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
	*map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(*map != MAP_FAILED);
	return fd;
}

void temporary_make(char *path, size_t size) {
	must(path != NULL); /* or gcc's sanitizers see a way to the second snprintf() without */
	snprintf(path, size, "/dev/shm/zoe-fuzz.XXXXXX");
	if (!mkdtemp(path)) {
		snprintf(path, size, "/tmp/zoe-fuzz.XXXXXX");
		must(mkdtemp(path) != NULL);
	}
}
