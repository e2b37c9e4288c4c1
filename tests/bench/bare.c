/* SPDX-License-Identifier: MIT */
#include "bare.h"

#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void cpu_relax(void) {
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

int bare_epoll_of(int fd) {
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		_exit(1);
	}
	return epoll;
}

void bare_epoll_sleep(int epoll) {
	struct epoll_event event;

	epoll_wait(epoll, &event, 1, 1000);
}

static void ring_put(struct bare_ring *ring, uint32_t i) {
	uint32_t slot = i % BARE_SLOTS;
	unsigned char header[BARE_HEADER] = {0};

	memcpy(header, &i, sizeof(i));
	memcpy(ring->header[slot], header, sizeof(header));
	atomic_store_explicit(&ring->order[slot], i + 1, memory_order_release);
	atomic_store_explicit(&ring->state[slot * 8], i + 1, memory_order_release);
}

/* Order, pin, state, header: what the promise costs that a slot does not change. A waiter that
 * comes late finds another number's, which costs as much. */
static void ring_take(struct bare_ring *ring, uint32_t i) {
	uint32_t slot = (uint32_t)(atomic_load_explicit(
					   &ring->order[i % BARE_SLOTS], memory_order_acquire) -
				   1) %
			BARE_SLOTS;
	unsigned char header[BARE_HEADER];

	atomic_store_explicit(&ring->pin[0], slot + 1, memory_order_seq_cst);
	(void)atomic_load_explicit(&ring->state[slot * 8], memory_order_seq_cst);
	memcpy(header, ring->header[slot], sizeof(header));
	/* The compiler must not see that nobody looks at it. */
	__asm__ volatile("" : : "r"(header) : "memory");
}

static void sleep_once(const struct bare_waiter *w, uint32_t seen) {
	switch (w->how) {
	case PACED_SLEEP:
	case PACED_RING:
		syscall(SYS_futex, &w->bare->word, FUTEX_WAIT, seen, NULL, NULL, 0);
		break;
	case PACED_POLL:
	case PACED_NEST:
		bare_epoll_sleep(w->epoll);
		break;
	case PACED_BUSY:
	default:
		cpu_relax();
		break;
	}
}

uint64_t bare_wait(const struct bare_waiter *w, uint32_t seen) {
	bool is_poll = w->how == PACED_POLL || w->how == PACED_NEST;
	char byte;

	/* Acquire: what was stored before the word. */
	while (atomic_load_explicit(&w->bare->word, memory_order_acquire) == seen) {
		sleep_once(w, seen);
	}
	if (is_poll && recv(w->socket, &byte, 1, 0) != 1) {
		_exit(1);
	}
	if (w->how == PACED_RING) {
		ring_take(&w->bare->ring, seen);
	}
	/* Relaxed: stored before the word. */
	return atomic_load_explicit(&w->bare->sent_ns[seen], memory_order_relaxed);
}

void bare_send(struct bare *bare, enum paced_how how, const int *sockets, uint32_t n) {
	/* Relaxed: only we write it. */
	uint32_t i = atomic_load_explicit(&bare->word, memory_order_relaxed);

	atomic_store_explicit(&bare->sent_ns[i], bench_now_ns(), memory_order_relaxed);
	if (how == PACED_RING) {
		ring_put(&bare->ring, i);
	}
	atomic_fetch_add_explicit(&bare->word, 1, memory_order_release);
	if (how == PACED_SLEEP || how == PACED_RING) {
		syscall(SYS_futex, &bare->word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	}
	for (uint32_t k = 0; (how == PACED_POLL || how == PACED_NEST) && k < n; k++) {
		if (send(sockets[k], "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) != 1) {
			bench_die("a reader does not listen");
		}
	}
}
