/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into the process under test: counts its calls into libc, fails the one it is told to,
 * and keeps account of memory, mappings and descriptors.
 *
 * Only what is called through the dynamic linker passes here; strdup(), fopen() and the like reach
 * malloc() so, but not open(): fopen() has a wrapper of its own. The accounts are kept whether
 * calls count or not.
 */
#include "page.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define MAX_FRAMES 16
#define MAX_FDS 256

/* glibc's own names for what we stand in front of: dlsym() would allocate on the way. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void __libc_free(void *block);

static struct fault_page *page;
static bool forgets_fd, forgets_block, forgets_map;

static void find(void *real, const char *name) {
	void *at = dlsym(RTLD_NEXT, name);

	memcpy(real, &at, sizeof(at));
}

static void add(_Atomic int32_t *account, int32_t n) {
	if (page) {
		/* The driver looks only at rest: relaxed. */
		atomic_fetch_add_explicit(account, n, memory_order_relaxed);
	}
}

static uint32_t get(const _Atomic uint32_t *field) {
	return atomic_load_explicit(field, memory_order_relaxed);
}

/* Where it struck, for addr2line(1); into the process's standard error. */
static void tell(enum fault_call call) {
	static const char *const names[] = {
#define FAULT_NAME(name, a, b, c) #name,
		FAULT_CALLS(FAULT_NAME)
#undef FAULT_NAME
	};
	void *frames[MAX_FRAMES];
	int n = backtrace(frames, MAX_FRAMES);

	dprintf(STDERR_FILENO, "fault: %s fails here:\n", names[call]);
	backtrace_symbols_fd(frames + 2, n > 2 ? n - 2 : 0, STDERR_FILENO);
}

static void misbehave(void) {
	switch ((enum fault_mutant)get(&page->mutant)) {
	case FAULT_MUTANT_FD:
		forgets_fd = true;
		break;
	case FAULT_MUTANT_BLOCK:
		forgets_block = true;
		break;
	case FAULT_MUTANT_MAP:
		forgets_map = true;
		break;
	case FAULT_MUTANT_CRASH:
		raise(SIGSEGV);
		break;
	case FAULT_MUTANT_HANG:
		for (;;) {
			pause();
		}
	case FAULT_MUTANT_NONE:
	case FAULT_N_MUTANTS:
	default:
		break;
	}
}

/* Counts a call. Returns: whether it is to fail; errno is set then. */
static bool strikes(enum fault_call call) {
	uint32_t nth;

	if (!page || !get(&page->is_open)) {
		return false;
	}
	nth = atomic_fetch_add_explicit(&page->counts[call], 1, memory_order_relaxed) + 1;
	if (get(&page->call) != (uint32_t)call || get(&page->nth) != nth) {
		return false;
	}
	atomic_store_explicit(&page->is_open, 0, memory_order_relaxed);
	tell(call);
	atomic_fetch_add_explicit(&page->n_hits, 1, memory_order_relaxed);
	atomic_store_explicit(&page->is_open, 1, memory_order_relaxed);
	misbehave();
	errno = (int)get(&page->error);
	return true;
}

static int32_t count_fds(void) {
	int32_t n = 0;

	for (int fd = 0; fd < MAX_FDS; fd++) {
		n += syscall(SYS_fcntl, fd, F_GETFD) >= 0;
	}
	return n;
}

static void note_rest(void) {
	int error = errno;

	if (page) {
		atomic_store_explicit(&page->asleep_blocks,
			atomic_load_explicit(&page->n_blocks, memory_order_relaxed),
			memory_order_relaxed);
		atomic_store_explicit(&page->asleep_maps,
			atomic_load_explicit(&page->n_maps, memory_order_relaxed),
			memory_order_relaxed);
		atomic_store_explicit(&page->n_fds, count_fds(), memory_order_release);
	}
	errno = error;
}

__attribute__((constructor)) static void shim_start(void) {
	const char *path = getenv(FAULT_PAGE_ENV);
	void *frames[MAX_FRAMES], *map;
	int fd;

	(void)backtrace(frames, MAX_FRAMES); /* the first loads a library */
	fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0) : -1;
	if (fd < 0) {
		return;
	}
	map = (void *)syscall(
		SYS_mmap, NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
	syscall(SYS_close, fd);
	page = map == MAP_FAILED ? NULL : map;
}

__attribute__((destructor)) static void shim_end(void) {
	if (page) {
		note_rest();
		atomic_store_explicit(&page->has_ended, 1, memory_order_release);
	}
}

void *malloc(size_t size) {
	void *block = strikes(FAULT_malloc) ? NULL : __libc_malloc(size);

	add(&page->n_blocks, block != NULL);
	return block;
}

void *calloc(size_t n, size_t size) {
	void *block = strikes(FAULT_malloc) ? NULL : __libc_calloc(n, size);

	add(&page->n_blocks, block != NULL);
	return block;
}

void *realloc(void *old, size_t size) {
	void *block = strikes(FAULT_malloc) ? NULL : __libc_realloc(old, size);

	if (!old) {
		add(&page->n_blocks, block != NULL);
	} else if (size == 0) {
		add(&page->n_blocks, -1);
	}
	return block;
}

void *reallocarray(void *old, size_t n, size_t size) {
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(old, bytes);
}

void free(void *block) {
	if (block && forgets_block) {
		forgets_block = false;
		return;
	}
	add(&page->n_blocks, block ? -1 : 0);
	__libc_free(block);
}

int munmap(void *at, size_t size) {
	if (forgets_map) {
		forgets_map = false;
		return 0;
	}
	add(&page->n_maps, -1);
	return (int)syscall(SYS_munmap, at, size);
}

int close(int fd) {
	bool is_struck = strikes(FAULT_close);
	int error = errno;

	if (forgets_fd) {
		forgets_fd = false;
		return 0;
	}
	if (!is_struck) {
		return (int)syscall(SYS_close, fd);
	}
	syscall(SYS_close, fd); /* Linux closes it all the same */
	errno = error;
	return -1;
}

static void *map(void *at, size_t size, int prot, int flags, int fd, int64_t offset) {
	static void *(*real)(void *, size_t, int, int, int, int64_t);
	void *to;

	if (strikes(FAULT_mmap)) {
		return MAP_FAILED;
	}
	if (!real) {
		find(&real, "mmap64");
	}
	to = real(at, size, prot, flags, fd, offset);
	add(&page->n_maps, to != MAP_FAILED);
	return to;
}

void *mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset) {
	return map(at, size, prot, flags, fd, offset);
}

void *mmap64(void *at, size_t size, int prot, int flags, int fd, off64_t offset) {
	return map(at, size, prot, flags, fd, offset);
}

/* A function that fails by -1 (or what `failure` says) and errno. */
#define FAULT_WRAP(call, failure, type, name, params, args)                                        \
	type name params {                                                                         \
		static type(*real) params;                                                         \
                                                                                                   \
		if (strikes(FAULT_##call)) {                                                       \
			return failure;                                                            \
		}                                                                                  \
		if (!real) {                                                                       \
			find(&real, #name);                                                        \
		}                                                                                  \
		return real args;                                                                  \
	}

FAULT_WRAP(fopen, NULL, FILE *, fopen, (const char *path, const char *mode), (path, mode))
FAULT_WRAP(fopen, NULL, FILE *, fopen64, (const char *path, const char *mode), (path, mode))
FAULT_WRAP(read, -1, ssize_t, read, (int fd, void *to, size_t size), (fd, to, size))
FAULT_WRAP(pread, -1, ssize_t, pread, (int fd, void *to, size_t size, off_t at), (fd, to, size, at))
FAULT_WRAP(pread, -1, ssize_t, pread64, (int fd, void *to, size_t size, off64_t at),
	(fd, to, size, at))
FAULT_WRAP(pwrite, -1, ssize_t, pwrite, (int fd, const void *from, size_t size, off_t at),
	(fd, from, size, at))
FAULT_WRAP(pwrite, -1, ssize_t, pwrite64, (int fd, const void *from, size_t size, off64_t at),
	(fd, from, size, at))
FAULT_WRAP(fstat, -1, int, fstat, (int fd, struct stat *to), (fd, to))
FAULT_WRAP(fstat, -1, int, fstat64, (int fd, struct stat64 *to), (fd, to))
FAULT_WRAP(access, -1, int, access, (const char *path, int mode), (path, mode))
FAULT_WRAP(mkdir, -1, int, mkdir, (const char *path, mode_t mode), (path, mode))
FAULT_WRAP(chmod, -1, int, chmod, (const char *path, mode_t mode), (path, mode))
FAULT_WRAP(fchmod, -1, int, fchmod, (int fd, mode_t mode), (fd, mode))
FAULT_WRAP(rename, -1, int, rename, (const char *from, const char *to), (from, to))
FAULT_WRAP(unlink, -1, int, unlink, (const char *path), (path))
FAULT_WRAP(flock, -1, int, flock, (int fd, int how), (fd, how))
FAULT_WRAP(ftruncate, -1, int, ftruncate, (int fd, off_t size), (fd, size))
FAULT_WRAP(ftruncate, -1, int, ftruncate64, (int fd, off64_t size), (fd, size))
FAULT_WRAP(readlink, -1, ssize_t, readlink, (const char *path, char *to, size_t size),
	(path, to, size))
FAULT_WRAP(madvise, -1, int, madvise, (void *at, size_t size, int how), (at, size, how))
FAULT_WRAP(memfd_create, -1, int, memfd_create, (const char *name, unsigned flags), (name, flags))
FAULT_WRAP(socket, -1, int, socket, (int domain, int type, int protocol), (domain, type, protocol))
FAULT_WRAP(socketpair, -1, int, socketpair, (int domain, int type, int protocol, int fds[2]),
	(domain, type, protocol, fds))
FAULT_WRAP(bind, -1, int, bind, (int fd, const struct sockaddr *at, socklen_t size), (fd, at, size))
FAULT_WRAP(listen, -1, int, listen, (int fd, int backlog), (fd, backlog))
FAULT_WRAP(accept, -1, int, accept4, (int fd, struct sockaddr *at, socklen_t *size, int flags),
	(fd, at, size, flags))
FAULT_WRAP(connect, -1, int, connect, (int fd, const struct sockaddr *to, socklen_t size),
	(fd, to, size))
FAULT_WRAP(send, -1, ssize_t, send, (int fd, const void *from, size_t size, int flags),
	(fd, from, size, flags))
FAULT_WRAP(send, -1, ssize_t, sendto,
	(int fd, const void *from, size_t size, int flags, const struct sockaddr *to,
		socklen_t len),
	(fd, from, size, flags, to, len))
FAULT_WRAP(sendmsg, -1, ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags),
	(fd, msg, flags))
FAULT_WRAP(
	recv, -1, ssize_t, recv, (int fd, void *to, size_t size, int flags), (fd, to, size, flags))
FAULT_WRAP(recvmsg, -1, ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags))
FAULT_WRAP(shutdown, -1, int, shutdown, (int fd, int how), (fd, how))
FAULT_WRAP(getsockopt, -1, int, getsockopt,
	(int fd, int level, int name, void *value, socklen_t *size), (fd, level, name, value, size))
FAULT_WRAP(setsockopt, -1, int, setsockopt,
	(int fd, int level, int name, const void *value, socklen_t size),
	(fd, level, name, value, size))
FAULT_WRAP(getsockopt, -1, int, getsockname, (int fd, struct sockaddr *at, socklen_t *size),
	(fd, at, size))
FAULT_WRAP(epoll_create, -1, int, epoll_create, (int size), (size))
FAULT_WRAP(epoll_create, -1, int, epoll_create1, (int flags), (flags))
FAULT_WRAP(epoll_ctl, -1, int, epoll_ctl, (int epoll, int what, int fd, struct epoll_event *event),
	(epoll, what, fd, event))
FAULT_WRAP(eventfd, -1, int, eventfd, (unsigned value, int flags), (value, flags))
FAULT_WRAP(pipe, -1, int, pipe, (int fds[2]), (fds))
FAULT_WRAP(pipe, -1, int, pipe2, (int fds[2], int flags), (fds, flags))
FAULT_WRAP(timerfd_create, -1, int, timerfd_create, (int clock, int flags), (clock, flags))
FAULT_WRAP(timerfd_settime, -1, int, timerfd_settime,
	(int fd, int flags, const struct itimerspec *value, struct itimerspec *old),
	(fd, flags, value, old))
FAULT_WRAP(getrandom, -1, ssize_t, getrandom, (void *to, size_t size, unsigned flags),
	(to, size, flags))
FAULT_WRAP(sigaction, -1, int, sigaction,
	(int signum, const struct sigaction *action, struct sigaction *old), (signum, action, old))
FAULT_WRAP(getpw, errno, int, getpwnam_r,
	(const char *name, struct passwd *to, char *text, size_t size, struct passwd **out),
	(name, to, text, size, out))
FAULT_WRAP(getpw, errno, int, getpwuid_r,
	(uid_t uid, struct passwd *to, char *text, size_t size, struct passwd **out),
	(uid, to, text, size, out))

FAULT_WRAP(
	signalfd, -1, int, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))

/* libseccomp as a whole: what it calls itself neither counts nor fails. Without memory it leaks,
 * and may load a filter that kills, which is beyond its callers. */
#define FAULT_WRAP_LIBRARY(call, failure, type, name, params, args)                                \
	type name params;                                                                          \
	type name params {                                                                         \
		static type(*real) params;                                                         \
		uint32_t was_open = page ? get(&page->is_open) : 0;                                \
		type result;                                                                       \
                                                                                                   \
		if (strikes(FAULT_##call)) {                                                       \
			return failure;                                                            \
		}                                                                                  \
		if (!real) {                                                                       \
			find(&real, #name);                                                        \
		}                                                                                  \
		if (was_open) {                                                                    \
			atomic_store_explicit(&page->is_open, 0, memory_order_relaxed);            \
		}                                                                                  \
		result = real args;                                                                \
		if (was_open) {                                                                    \
			atomic_store_explicit(&page->is_open, 1, memory_order_relaxed);            \
		}                                                                                  \
		return result;                                                                     \
	}
FAULT_WRAP_LIBRARY(seccomp, NULL, void *, seccomp_init, (uint32_t action), (action))
FAULT_WRAP_LIBRARY(seccomp, -ENOMEM, int, seccomp_attr_set,
	(void *filter, int attribute, uint32_t value), (filter, attribute, value))
FAULT_WRAP_LIBRARY(seccomp, -ENOMEM, int, seccomp_rule_add_array,
	(void *filter, uint32_t action, int number, unsigned n, const void *rules),
	(filter, action, number, n, rules))
FAULT_WRAP_LIBRARY(seccomp, -ENOMEM, int, seccomp_load, (const void *filter), (filter))

int epoll_wait(int epoll, struct epoll_event *events, int n, int timeout) {
	static int (*real)(int, struct epoll_event *, int, int);

	if (strikes(FAULT_epoll_wait)) {
		return -1;
	}
	if (!real) {
		find(&real, "epoll_wait");
	}
	if (timeout != 0) {
		note_rest();
	}
	return real(epoll, events, n, timeout);
}

int poll(struct pollfd *fds, nfds_t n, int timeout) {
	static int (*real)(struct pollfd *, nfds_t, int);

	if (strikes(FAULT_poll)) {
		return -1;
	}
	if (!real) {
		find(&real, "poll");
	}
	if (timeout != 0) {
		note_rest(); /* libev's way of waiting where there is no epoll */
	}
	return real(fds, n, timeout);
}

/* Those with three dots: their arguments are numbers and pointers, each a register wide. */
#define FAULT_WRAP_OPEN(name)                                                                      \
	int name(const char *path, int flags, ...) {                                               \
		va_list args;                                                                      \
		mode_t mode;                                                                       \
                                                                                                   \
		va_start(args, flags);                                                             \
		mode = va_arg(args, mode_t);                                                       \
		va_end(args);                                                                      \
		return strikes(FAULT_open)                                                         \
			       ? -1                                                                \
			       : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);            \
	}
FAULT_WRAP_OPEN(open)
FAULT_WRAP_OPEN(open64)

#define FAULT_WRAP_DOTS(call, number, name, second)                                                \
	int name(int fd, second what, ...) {                                                       \
		va_list args;                                                                      \
		long value;                                                                        \
                                                                                                   \
		va_start(args, what);                                                              \
		value = va_arg(args, long);                                                        \
		va_end(args);                                                                      \
		return strikes(FAULT_##call) ? -1 : (int)syscall(number, fd, what, value);         \
	}
FAULT_WRAP_DOTS(fcntl, SYS_fcntl, fcntl, int)
FAULT_WRAP_DOTS(fcntl, SYS_fcntl, fcntl64, int)
FAULT_WRAP_DOTS(ioctl, SYS_ioctl, ioctl, unsigned long)

int prctl(int what, ...) {
	va_list args;
	long a, b, c, d;

	va_start(args, what);
	a = va_arg(args, long);
	b = va_arg(args, long);
	c = va_arg(args, long);
	d = va_arg(args, long);
	va_end(args);
	return strikes(FAULT_prctl) ? -1 : (int)syscall(SYS_prctl, what, a, b, c, d);
}

/* The C++ face of these two differs from the C one, by glibc's enum of resources. */
FAULT_WRAP(getrlimit, -1, int, getrlimit64, (__rlimit_resource_t what, struct rlimit64 *to),
	(what, to))
FAULT_WRAP(setrlimit, -1, int, setrlimit64, (__rlimit_resource_t what, const struct rlimit64 *from),
	(what, from))

static bool syscall_strikes(long number, long operation) {
	if (number == SYS_pidfd_open) {
		return strikes(FAULT_pidfd_open);
	}
	if (number == SYS_futex_waitv) {
		return strikes(FAULT_futex_waitv);
	}
	return number == SYS_futex && operation == FUTEX_WAIT && strikes(FAULT_futex_wait);
}

long syscall(long number, ...) {
	static long (*real)(long, ...);
	va_list args;
	long a[6];

	va_start(args, number);
	for (unsigned i = 0; i < 6; i++) {
		a[i] = va_arg(args, long);
	}
	va_end(args);
	if (syscall_strikes(number, a[1])) {
		return -1;
	}
	if (!real) {
		find(&real, "syscall");
	}
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
