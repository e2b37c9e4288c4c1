/* SPDX-License-Identifier: MIT */
#include "ring_wait.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_A_SECOND INT64_C(1000000000)
#define NS_A_MS INT64_C(1000000)

/* Linux 5.16; Debian 12's headers have both. */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

enum { LOOKS_A_CLOCK = 16 };

/* Tells the CPU that this is a loop of looks. */
static void cpu_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

uint64_t zoe_now_ns(void) {
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * (uint64_t)NS_A_SECOND + (uint64_t)ts.tv_nsec;
}

/* The futex word of a 64-bit word: its low half (little-endian only, as is the layout). */
static const void *low_half(const _Atomic zoe_u64 *word) {
	return word;
}

static void futex_wake_all(const void *word) {
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static int64_t clamp_sleep(int64_t timeout_ns) {
	int64_t longest = ZOE_MAX_SLEEP_MS * NS_A_MS;

	return timeout_ns < 0 || timeout_ns > longest ? longest : timeout_ns;
}

static int futex_wait_one(const void *word, uint32_t value, int64_t timeout_ns) {
	struct timespec ts = {timeout_ns / NS_A_SECOND, timeout_ns % NS_A_SECOND};

	if (syscall(SYS_futex, word, FUTEX_WAIT, value, &ts, NULL, 0) < 0 && errno == ETIMEDOUT) {
		return -ETIMEDOUT;
	}
	return 0;
}

static int futex_wait_many(struct futex_waitv *words, unsigned n, int64_t timeout_ns) {
	uint64_t end = zoe_now_ns() + (uint64_t)timeout_ns;
	struct timespec ts = {
		(time_t)(end / (uint64_t)NS_A_SECOND), (long)(end % (uint64_t)NS_A_SECOND)};

	if (syscall(SYS_futex_waitv, words, n, 0, &ts, CLOCK_MONOTONIC) < 0) {
		return -errno;
	}
	return 0;
}

static struct futex_waitv wait_word(const void *word, uint32_t value) {
	return (struct futex_waitv){
		.val = value, .uaddr = (uintptr_t)word, .flags = FUTEX_32 /* shared */};
}

void zoe_bell_ring(int fd) {
	if (fd >= 0) {
		/* A full socket has rung already; a dead one rings for nobody. MSG_DONTWAIT,
		 * because the other end cannot make this one blocking, as it could with an eventfd.
		 */
		(void)!send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
}

void zoe_writer_wake(const struct zoe_writer *w, const struct zoe_wakes *wakes, const int *bell) {
	const struct zoe_ring_page *page = zoe_ring_get_page(&w->ring);
	uint64_t left = wakes->bells;

	if (wakes->flags & ZOE_WAKE_HEAD) {
		futex_wake_all(low_half(&page->head));
	}
	if (wakes->flags & ZOE_WAKE_SPACE) {
		futex_wake_all(&page->space);
	}
	/* [WAKE] {-1} relaxed: a hint. Another user's consumer could requeue the sleepers of head
	 * onto a word of its own; each then still hears its own word. */
	if (wakes->seats && (atomic_load_explicit(&w->ring.control->state, memory_order_relaxed) &
				    ZOE_CONTROL_MULTI_UID)) {
		for (uint32_t i = 0; i < w->n_seats; i++) {
			if ((wakes->seats >> i & 1) && w->seats[i].seat) {
				futex_wake_all(&w->seats[i].seat->waiting);
			}
		}
	}
	while (left) {
		unsigned i = (unsigned)__builtin_ctzll(left);

		left &= left - 1;
		zoe_bell_ring(bell[i]);
	}
}

void zoe_seat_wake(struct zoe_seat *seat, const struct zoe_wakes *wakes) {
	if (wakes->flags & ZOE_WAKE_SPACE) {
		futex_wake_all(&seat->bell);
	}
}

void zoe_ring_wake_all(const struct zoe_ring *ring) {
	futex_wake_all(low_half(&zoe_ring_get_page(ring)->head));
	futex_wake_all(&zoe_ring_get_page(ring)->space);
}

/* One word is a third cheaper than two (tests/bench: latency), and two are needed only where seats
 * belong to several users: a hostile one could requeue the sleepers of head onto a word of its own,
 * and each then still hears its own word. */
static int sleep_on_head(const struct zoe_reader *r, uint32_t head_low, int64_t timeout_ns) {
	const struct zoe_ring_page *page = zoe_ring_get_page(&r->ring);
	struct futex_waitv words[2] = {
		wait_word(&r->seat->waiting, 1), wait_word(low_half(&page->head), head_low)};
	/* [LIVE] {-1} relaxed: a hint; a sleep that began before the second user came is bounded.
	 */
	uint32_t state = atomic_load_explicit(&r->ring.control->state, memory_order_relaxed);
	int result = -ENOSYS;

	if (state & ZOE_CONTROL_MULTI_UID) { /* {sleep.futex} */
		result = futex_wait_many(words, 2, timeout_ns);
	}
	return result == -ENOSYS ? futex_wait_one(low_half(&page->head), head_low, timeout_ns)
				 : result;
}

int zoe_reader_wait(struct zoe_reader *r, uint64_t want, int64_t timeout_ns) {
	const struct zoe_ring_page *page = zoe_ring_get_page(&r->ring);
	uint64_t head;
	int result = 0;

	timeout_ns = clamp_sleep(timeout_ns);
	/* [SLEEP] {sleep.waiting} SC store before {sleep.head} the SC look at head: the publisher
	 * looks the other way round. */
	atomic_store_explicit(&r->seat->waiting, 1, memory_order_seq_cst);
	head = atomic_load_explicit(&page->head, memory_order_seq_cst);
	if (zoe_head_seq(head) <= want && !(head & ZOE_HEAD_CLOSED)) {
		result = sleep_on_head(r, (uint32_t)head, timeout_ns);
	}
	/* [SLEEP] {sleep.done} relaxed: at worst one wake-up too many. */
	atomic_store_explicit(&r->seat->waiting, 0, memory_order_relaxed);
	return result == -ETIMEDOUT ? -ETIMEDOUT : 0;
}

int zoe_reader_spin(const struct zoe_reader *r, uint64_t want, uint64_t spin_ns) {
	uint64_t end = spin_ns ? zoe_now_ns() + spin_ns : 0;

	while (end != 0) {
		for (unsigned i = 0; i < LOOKS_A_CLOCK; i++) {
			int is_closed;

			if (zoe_ring_get_head(r, &is_closed) > want || is_closed) {
				return 1;
			}
			cpu_relax();
		}
		if (zoe_now_ns() >= end) {
			break;
		}
	}
	return 0;
}

void zoe_writer_look(const struct zoe_writer *w, struct zoe_space_seen *seen) {
	const struct zoe_ring_page *page = zoe_ring_get_page(&w->ring);

	/* [BELL] {wait.head} {wait.space} {wait.bell} SC: after the bit in space_waiting is set,
	 * before the last acquire. */
	seen->head_low = (uint32_t)atomic_load_explicit(&page->head, memory_order_seq_cst);
	seen->space = atomic_load_explicit(&page->space, memory_order_seq_cst);
	for (uint32_t i = 0; i < w->n_seats; i++) {
		const struct zoe_seat *seat = w->seats[i].seat;

		seen->bell[i] = seat ? atomic_load_explicit(&seat->bell, memory_order_seq_cst) : 0;
	}
}

int zoe_writer_wait(
	const struct zoe_writer *w, const struct zoe_space_seen *seen, int64_t timeout_ns) {
	const struct zoe_ring_page *page = zoe_ring_get_page(&w->ring);
	struct futex_waitv words[2 + ZOE_MAX_SEATS];
	unsigned n = 0;
	int result;

	timeout_ns = clamp_sleep(timeout_ns);
	words[n++] = wait_word(low_half(&page->head), seen->head_low);
	words[n++] = wait_word(&page->space, seen->space);
	for (uint32_t i = 0; i < w->n_seats; i++) {
		if (w->seats[i].seat) {
			words[n++] = wait_word(&w->seats[i].seat->bell, seen->bell[i]);
		}
	}
	result = futex_wait_many(words, n, timeout_ns); /* {wait.sleep} */
	if (result == -ENOSYS) {
		/* Before Linux 5.16 only one word can be waited for: look every 2 ms. */
		result = futex_wait_one(&page->space, seen->space,
			timeout_ns < 2 * NS_A_MS ? timeout_ns : 2 * NS_A_MS);
	}
	return result == -ETIMEDOUT ? -ETIMEDOUT : 0;
}
