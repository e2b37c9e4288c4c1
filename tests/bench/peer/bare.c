/* SPDX-License-Identifier: MIT */
/*
 * The floor: slots and a futex in shared memory, nothing else. No pins, no names, no repair: a
 * reader that is late sees torn pictures, which trial.c counts.
 */
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "peer.h"

struct ring {
	_Alignas(64) _Atomic uint32_t head;
	_Alignas(64) _Atomic uint32_t taken; // of the one reader of FLOW
	_Alignas(4096) uint8_t slot[SLOTS][FRAME_BYTES];
};

static struct ring *ring;
static uint32_t seen;
static bool is_lossless;

static const char *version(void) {
	return "of this run";
}

static void word_wait(_Atomic uint32_t *word, uint32_t value, int timeout_ms) {
	struct timespec ts = {timeout_ms / 1000, timeout_ms % 1000 * 1000000};

	syscall(SYS_futex, word, FUTEX_WAIT, value, &ts, NULL, 0);
}

static void word_wake(_Atomic uint32_t *word) {
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static int prepare(const struct trial *t) {
	ring = mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	is_lossless = t->deed == FLOW;
	return ring == MAP_FAILED ? -1 : 0;
}

/* fork() does not copy the page tables of shared memory. */
static int produce(const struct trial *t) {
	(void)t;
	return madvise(ring, sizeof(*ring), MADV_POPULATE_WRITE);
}

static int consume(const struct trial *t, unsigned index) {
	(void)t;
	(void)index;
	seen = atomic_load_explicit(&ring->head, memory_order_acquire);
	return madvise(ring, sizeof(*ring), MADV_POPULATE_READ);
}

static uint8_t *acquire(void) {
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint32_t taken = atomic_load_explicit(&ring->taken, memory_order_acquire);

	while (is_lossless && head - taken >= SLOTS) {
		word_wait(&ring->taken, taken, 1000);
		taken = atomic_load_explicit(&ring->taken, memory_order_acquire);
	}
	return ring->slot[head % SLOTS];
}

static int publish(void) {
	atomic_fetch_add_explicit(&ring->head, 1, memory_order_release);
	word_wake(&ring->head);
	return 0;
}

static const uint8_t *next(int timeout_ms) {
	if (atomic_load_explicit(&ring->head, memory_order_acquire) == seen) {
		word_wait(&ring->head, seen, timeout_ms);
	}
	if (atomic_load_explicit(&ring->head, memory_order_acquire) == seen) {
		return NULL;
	}
	return ring->slot[seen % SLOTS];
}

static void release(void) {
	seen++;
	if (is_lossless) {
		atomic_store_explicit(&ring->taken, seen, memory_order_release);
		word_wake(&ring->taken);
	}
}

const struct peer peer = {
	.version = version,
	.deeds = 1 << IN_PLACE | 1 << COPY | 1 << FLOW | 1 << STOPPED,
	.prepare = prepare,
	.produce = produce,
	.consume = consume,
	.acquire = acquire,
	.publish = publish,
	.next = next,
	.release = release,
};
