/* SPDX-License-Identifier: MIT */
#ifndef FAULT_PAGE_H
#define FAULT_PAGE_H
/*
 * What the driver of the fault run and the process under test share: which call is to fail, how
 * often each was made, and what the process still holds.
 * Owns:     nothing; the driver keeps the file, shim.c maps it in the process under test.
 * Threads:  one in each process; every field has one writer at a time.
 * Includes: the C library only.
 */
#include <stdatomic.h>
#include <stdint.h>

/* One line for each thing that can fail: what it is called here, and the errors it is to give. The
 * first error is the one the short run takes. */
#define FAULT_CALLS(X)                                                                             \
	X(malloc, ENOMEM, 0, 0)                                                                    \
	X(open, EMFILE, ENOMEM, EINTR)                                                             \
	X(fopen, EMFILE, ENOMEM, 0)                                                                \
	X(read, EINTR, EIO, EAGAIN)                                                                \
	X(pread, EIO, 0, 0)                                                                        \
	X(pwrite, ENOSPC, 0, 0)                                                                    \
	X(fstat, ENOMEM, 0, 0)                                                                     \
	X(access, EACCES, 0, 0)                                                                    \
	X(mkdir, EACCES, ENOSPC, 0)                                                                \
	X(chmod, EPERM, 0, 0)                                                                      \
	X(fchmod, EPERM, 0, 0)                                                                     \
	X(rename, ENOSPC, 0, 0)                                                                    \
	X(unlink, EPERM, 0, 0)                                                                     \
	X(flock, EINTR, ENOLCK, 0)                                                                 \
	X(ftruncate, ENOSPC, EINTR, 0)                                                             \
	X(readlink, ENOMEM, 0, 0)                                                                  \
	X(close, EINTR, EIO, 0)                                                                    \
	X(mmap, ENOMEM, 0, 0)                                                                      \
	X(madvise, ENOMEM, EINVAL, 0)                                                              \
	X(memfd_create, EMFILE, ENOMEM, 0)                                                         \
	X(fcntl, EMFILE, ENOMEM, 0)                                                                \
	X(ioctl, ENOTTY, EPERM, 0)                                                                 \
	X(socket, EMFILE, ENOBUFS, 0)                                                              \
	X(socketpair, EMFILE, 0, 0)                                                                \
	X(bind, EADDRINUSE, ENOSPC, 0)                                                             \
	X(listen, EADDRINUSE, 0, 0)                                                                \
	X(accept, EMFILE, ECONNABORTED, EINTR)                                                     \
	X(connect, EAGAIN, ECONNREFUSED, EINTR)                                                    \
	X(send, EAGAIN, ENOBUFS, EINTR)                                                            \
	X(sendmsg, ENOBUFS, EAGAIN, EINTR)                                                         \
	X(recv, EINTR, EAGAIN, ENOMEM)                                                             \
	X(recvmsg, EINTR, EAGAIN, ENOMEM)                                                          \
	X(shutdown, ENOTCONN, 0, 0)                                                                \
	X(getsockopt, ENOPROTOOPT, EMFILE, ENOMEM)                                                 \
	X(setsockopt, ENOMEM, 0, 0)                                                                \
	X(epoll_create, EMFILE, ENOMEM, 0)                                                         \
	X(epoll_ctl, ENOMEM, ENOSPC, 0)                                                            \
	X(epoll_wait, EINTR, 0, 0)                                                                 \
	X(poll, EINTR, ENOMEM, 0)                                                                  \
	X(eventfd, EMFILE, 0, 0)                                                                   \
	X(pipe, EMFILE, 0, 0)                                                                      \
	X(timerfd_create, EMFILE, 0, 0)                                                            \
	X(timerfd_settime, EINVAL, 0, 0)                                                           \
	X(getrandom, EINTR, ENOSYS, 0)                                                             \
	X(prctl, EPERM, 0, 0)                                                                      \
	X(getrlimit, EPERM, 0, 0)                                                                  \
	X(setrlimit, EPERM, 0, 0)                                                                  \
	X(seccomp, ENOMEM, 0, 0)                                                                   \
	X(signalfd, EMFILE, 0, 0)                                                                  \
	X(sigaction, EINVAL, 0, 0)                                                                 \
	X(getpw, EIO, ENOMEM, 0)                                                                   \
	X(pidfd_open, EMFILE, ENOSYS, 0)                                                           \
	X(futex_wait, EINTR, EAGAIN, 0)                                                            \
	X(futex_waitv, EINTR, ENOSYS, 0)

enum fault_call {
#define FAULT_NAME(name, a, b, c) FAULT_##name,
	FAULT_CALLS(FAULT_NAME)
#undef FAULT_NAME
		FAULT_N_CALLS
};

/* What the process does wrong from the fault on, as if its clean-up had been forgotten: the run
 * must see each. */
enum fault_mutant {
	FAULT_MUTANT_NONE,
	FAULT_MUTANT_FD,    // its next close() closes nothing
	FAULT_MUTANT_BLOCK, // its next free() frees nothing
	FAULT_MUTANT_MAP,   // its next munmap() unmaps nothing
	FAULT_MUTANT_CRASH, // it dies
	FAULT_MUTANT_HANG,  // it sleeps
	FAULT_N_MUTANTS
};

struct fault_page {
	_Atomic uint32_t is_open;   // calls count, and fail, only while it is 1
	_Atomic uint32_t call, nth; // what is to fail: enum fault_call, from 1; nth 0 = nothing
	_Atomic uint32_t error;     // the errno it gives
	_Atomic uint32_t mutant;    // enum fault_mutant
	_Atomic uint32_t n_hits;    // 1 once it has failed
	_Atomic uint32_t has_ended; // it came to its exit()
	_Atomic int32_t n_blocks;   // of memory it has
	_Atomic int32_t n_maps;     // of its making
	_Atomic int32_t n_fds;      // as of its last sleep in epoll_wait(), or its end
	_Atomic int32_t asleep_blocks, asleep_maps; // as of the same moment
	_Atomic uint32_t counts[FAULT_N_CALLS];

	/* Of the flow: what it has done. */
	_Atomic uint32_t step;        // where it is
	_Atomic uint32_t n_refused;   // calls of the library that failed and were made again
	_Atomic uint64_t n_published; // frames 1 .. n_published
	_Atomic uint64_t n_lost;      // frames that its consumers were told they missed
};

#define FAULT_PAGE_ENV "ZOE_FAULT_PAGE"
#endif
