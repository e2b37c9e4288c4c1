/* SPDX-License-Identifier: MIT */
/*
 * The broker's filter of system calls, from inside: each claim in a child of its own, because there
 * is no way out of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "sandbox.h"

#define NO_FILTER 77

/* Returns: 0 as claimed. */
typedef int (*inmate_fn)(void);

/* Runs it behind the filter. Returns: what it returned; 128 + signal. Skips where there is none. */
static int run_inside(inmate_fn inmate) {
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		if (sandbox_enter() < 0) {
			_exit(99);
		}
		switch (sandbox_filter()) {
		case 0:
			_exit(inmate());
		case -EOPNOTSUPP:
		case -EINVAL:
			_exit(NO_FILTER);
		default:
			_exit(98);
		}
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_FILTER) {
		print_message("skipped: there is no filter in this build or kernel\n");
		skip();
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int is_refused(long result) {
	return result == -1 && errno == ENOSYS;
}

static int start_program(void) {
	execl("/bin/true", "true", (char *)NULL);
	return 1;
}

static int start_program_of_fd(void) {
	(void)syscall(SYS_execveat, 0, "", NULL, NULL, 0x1000);
	return 1;
}

static int trace(void) {
	(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	return 1;
}

static int read_process(void) {
	char byte;
	struct iovec mine = {&byte, 1}, other = {&byte, 1};

	(void)process_vm_readv(getppid(), &mine, 1, &other, 1, 0);
	return 1;
}

static void test_sandbox_kills_who_starts_programs_or_looks_into_others(void **state) {
	(void)state;
	assert_int_equal(run_inside(start_program), 128 + SIGSYS);
	assert_int_equal(run_inside(start_program_of_fd), 128 + SIGSYS);
	assert_int_equal(run_inside(trace), 128 + SIGSYS);
	assert_int_equal(run_inside(read_process), 128 + SIGSYS);
}

static int speak_to_networks(void) {
	static const int families[] = {AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		if (!is_refused(socket(families[i], SOCK_DGRAM, 0))) {
			return 1;
		}
	}
	return 0;
}

static void test_sandbox_has_no_network(void **state) {
	(void)state;
	assert_int_equal(run_inside(speak_to_networks), 0);
}

static int make_files(void) {
	static const int flags[] = {O_WRONLY, O_RDWR | O_CREAT, O_RDWR | O_TRUNC,
		O_RDONLY | O_TRUNC, O_RDONLY | O_CREAT, O_WRONLY | O_CREAT | O_APPEND};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (!is_refused(open("/tmp/zoe-sandbox-test", flags[i] | O_CLOEXEC, 0600))) {
			return 1;
		}
	}
	return !is_refused(rename("/tmp/zoe-sandbox-a", "/tmp/zoe-sandbox-b"));
}

static void test_sandbox_makes_no_file(void **state) {
	(void)state;
	assert_int_equal(run_inside(make_files), 0);
	assert_int_equal(access("/tmp/zoe-sandbox-test", F_OK), -1);
}

static int make_code(void) {
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED || !is_refused(mprotect(page, 4096, PROT_READ | PROT_EXEC))) {
		return 1;
	}
	page = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return page != MAP_FAILED;
}

static void test_sandbox_makes_no_code(void **state) {
	(void)state;
	assert_int_equal(run_inside(make_code), 0);
}

static int meddle_with_processes(void) {
	struct rlimit files = {.rlim_cur = 10, .rlim_max = 10};

	return !(is_refused(kill(getppid(), 0)) && is_refused(fork()) &&
		 is_refused(syscall(SYS_tgkill, getppid(), getppid(), 0)) &&
		 is_refused(setrlimit(RLIMIT_NOFILE, &files)) && is_refused(setuid(65534)));
}

static void test_sandbox_meddles_with_no_process(void **state) {
	(void)state;
	assert_int_equal(run_inside(meddle_with_processes), 0);
}

static int abort_itself(void) {
	abort();
}

static void test_sandbox_may_abort(void **state) {
	(void)state;
	assert_int_equal(run_inside(abort_itself), 128 + SIGABRT);
}

/* What one memfd goes through in daemon/memfd.c. */
static int lend_memory(void) {
	int flags = 0, fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	char path[64];
	void *map;

	if (fd < 0 || ftruncate(fd, 4096) < 0 || fchmod(fd, 0400) < 0) {
		return 1;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		return 2;
	}
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0 && errno == ENOSYS) {
		return 3;
	}
	if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0 && errno == ENOSYS) {
		return 4;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (open(path, O_RDONLY | O_CLOEXEC) < 0 || fchmod(fd, 0600) < 0 ||
		open(path, O_RDWR | O_CLOEXEC) < 0) {
		return 5;
	}
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return map == MAP_FAILED ? 6 : 0;
}

static int hold_clients(void) {
	int pair[2], waiting;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		return 1;
	}
	if (send(pair[0], "x", 1, MSG_DONTWAIT) != 1 || ioctl(pair[1], SIOCOUTQ, &waiting) < 0) {
		return 2;
	}
	return syscall(SYS_pidfd_open, getpid(), 0) < 0 ? 3 : 0;
}

static void test_sandbox_lets_the_broker_do_its_work(void **state) {
	(void)state;
	assert_int_equal(run_inside(lend_memory), 0);
	assert_int_equal(run_inside(hold_clients), 0);
}

/* One that is in no file takes the question through all databases, plugins included. */
static int ask_for_user(void) {
	struct passwd entry, *found = NULL;
	char buf[4096];
	int r = getpwnam_r("zoe-nobody-at-all", &entry, buf, sizeof(buf), &found);

	if (found || (r != 0 && r != ENOENT && r != ESRCH)) {
		return 1;
	}
	r = getpwnam_r("root", &entry, buf, sizeof(buf), &found);
	return r != 0 || !found || found->pw_uid != 0;
}

static int load_config(void) {
	struct config *config = NULL;
	struct config_errors errors;
	int r;

	config_errors_init(&errors);
	r = config_load(&config, getenv("ZOETROPE_EXAMPLE_CONFIG"), &errors);
	config_errors_print(&errors, stderr, isatty(STDERR_FILENO));
	config_errors_finish(&errors);
	config_destroy(config);
	return r != 0;
}

static void test_sandbox_lets_the_config_be_read_anew(void **state) {
	(void)state;
	assert_int_equal(run_inside(ask_for_user), 0);
	assert_int_equal(run_inside(load_config), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sandbox_kills_who_starts_programs_or_looks_into_others),
		cmocka_unit_test(test_sandbox_has_no_network),
		cmocka_unit_test(test_sandbox_makes_no_file),
		cmocka_unit_test(test_sandbox_makes_no_code),
		cmocka_unit_test(test_sandbox_meddles_with_no_process),
		cmocka_unit_test(test_sandbox_may_abort),
		cmocka_unit_test(test_sandbox_lets_the_broker_do_its_work),
		cmocka_unit_test(test_sandbox_lets_the_config_be_read_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
