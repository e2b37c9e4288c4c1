/* SPDX-License-Identifier: MIT */
#include "sandbox.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

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
