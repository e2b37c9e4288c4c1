/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
	__has_feature(memory_sanitizer)
#define IS_SANITIZED
#endif
#endif

int sandbox_enter(void) {
	struct rlimit files;

	if (prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) < 0) {
		return -errno;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) < 0) {
		return -errno;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) < 0) {
		return -errno;
	}
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0) {
		return -errno;
	}
	return 0;
}

#if defined(HAVE_SECCOMP) && !defined(IS_SANITIZED)

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "attr.h"

/* Names, because not every architecture has all of them: those that it lacks are left out. */
static const char *const allowed[] = {
	/* the loop */
	"epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll",
	"eventfd2", "timerfd_create", "timerfd_settime", "clock_gettime", "clock_gettime64",
	"clock_getres", "gettimeofday", "clock_nanosleep", "nanosleep", "restart_syscall",
	/* clients, and the databases of users behind Unix sockets */
	"accept4", "connect", "getsockopt", "setsockopt", "getsockname", "getpeername", "sendmsg",
	"sendto", "recvmsg", "recvfrom", "shutdown", "pidfd_open", "futex", "futex_wake",
	/* memory, its own and what it lends */
	"memfd_create", "ftruncate", "fchmod", "munmap", "mremap", "madvise", "brk", "getrandom",
	/* the config, /proc, the log */
	"read", "pread64", "readv", "write", "writev", "close", "lseek", "_llseek", "fstat",
	"newfstatat", "fstatat64", "stat", "lstat", "statx", "access", "faccessat", "faccessat2",
	"readlink", "readlinkat", "getdents64", "getcwd", "fcntl", "fcntl64", "fadvise64",
	/* the socket's mode and its end */
	"chmod", "fchmodat", "fchmodat2", "unlink", "unlinkat",
	/* the C library */
	"getpid", "gettid", "getppid", "getuid", "geteuid", "getgid", "getegid", "getgroups",
	"uname", "sysinfo", "sched_getaffinity", "sched_yield", "getrlimit", "rt_sigaction",
	"rt_sigprocmask", "rt_sigreturn", "set_robust_list", "rseq", "exit", "exit_group"};

/* What nobody calls by mistake. */
static const char *const deadly[] = {
	"execve", "execveat", "ptrace", "process_vm_readv", "process_vm_writev"};

/* One call that is allowed where an argument, under a mask, has a value. */
struct condition {
	const char *name;
	unsigned arg;
	uint64_t mask, value;
};

#define AN_INT UINT32_MAX /* the kernel looks at no more of it */
#define OPEN_MASK (O_ACCMODE | O_CREAT | O_TRUNC)
#define WRITE_AND_EXEC (PROT_WRITE | PROT_EXEC)

static const struct condition conditions[] = {
	{"socket", 0, AN_INT, AF_UNIX}, {"socketpair", 0, AN_INT, AF_UNIX},
	/* Databases of users are plugins, and so there must be a way to map a program: but none
	 * that was written into memory. */
	{"mmap", 2, WRITE_AND_EXEC, 0}, {"mmap", 2, WRITE_AND_EXEC, PROT_WRITE},
	{"mmap", 2, WRITE_AND_EXEC, PROT_EXEC}, {"mprotect", 2, PROT_EXEC, 0},
	{"ioctl", 1, AN_INT, FS_IOC_GETFLAGS}, {"ioctl", 1, AN_INT, FS_IOC_SETFLAGS},
	{"ioctl", 1, AN_INT, SIOCOUTQ}, {"ioctl", 1, AN_INT, SIOCINQ},
	{"ioctl", 1, AN_INT, TCGETS}, // isatty() of stderr
	/* No file is made or cut. Read-write, because a broker that comes back opens the rings of
	 * the last one anew. */
	{"openat", 2, OPEN_MASK, O_RDONLY}, {"openat", 2, OPEN_MASK, O_RDWR},
	{"open", 1, OPEN_MASK, O_RDONLY}, {"open", 1, OPEN_MASK, O_RDWR},
	{"prlimit64", 2, UINT64_MAX, 0}, // a question
};

/* Returns: 0, also where this architecture has no such call; -errno. */
static int filter_add(scmp_filter_ctx filter, uint32_t action, const char *name,
	const struct scmp_arg_cmp *condition) {
	int number = seccomp_syscall_resolve_name(name);
	int r;

	if (number == __NR_SCMP_ERROR) {
		return 0; /* a call that is newer than libseccomp */
	}
	r = condition ? seccomp_rule_add_array(filter, action, number, 1, condition)
		      : seccomp_rule_add_array(filter, action, number, 0, NULL);
	return r == -EDOM ? 0 : r;
}

static int filter_add_conditions(scmp_filter_ctx filter) {
	int r = 0;

	for (size_t i = 0; i < n_elements(conditions) && r == 0; i++) {
		const struct condition *c = &conditions[i];
		struct scmp_arg_cmp compare = {.arg = c->arg,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = c->mask,
			.datum_b = c->value};

		r = filter_add(filter, SCMP_ACT_ALLOW, c->name, &compare);
	}
	return r;
}

/* Signals for nobody but itself: abort(), where the C library finds its heap broken. */
static int filter_add_abort(scmp_filter_ctx filter) {
	struct scmp_arg_cmp own = {.arg = 0, .op = SCMP_CMP_EQ, .datum_a = (scmp_datum_t)getpid()};

	return filter_add(filter, SCMP_ACT_ALLOW, "tgkill", &own);
}

static int filter_fill(scmp_filter_ctx filter) {
	/* By number in a tree instead of in a row: each call then passes few comparisons. Not every
	 * libseccomp can. */
	(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	for (size_t i = 0; i < n_elements(allowed) && r == 0; i++) {
		r = filter_add(filter, SCMP_ACT_ALLOW, allowed[i], NULL);
	}
	for (size_t i = 0; i < n_elements(deadly) && r == 0; i++) {
		r = filter_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], NULL);
	}
	r = r < 0 ? r : filter_add_conditions(filter);
	return r < 0 ? r : filter_add_abort(filter);
}

int sandbox_filter(void) {
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r = filter ? filter_fill(filter) : -ENOMEM;

	if (r == 0) {
		r = seccomp_load(filter);
	}
	seccomp_release(filter);
	return r;
}

#else

int sandbox_filter(void) {
	return -EOPNOTSUPP;
}

#endif
