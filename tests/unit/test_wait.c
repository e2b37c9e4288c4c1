/* SPDX-License-Identifier: MIT */
/* The two rules of waiting that no model can say: what a hostile consumer does to sleepers and
 * bells, and what it would do without the rule. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "ring_check.h"
#include "ring_wait.h"

enum { MS = 1000000, SOON_MS = 250, N_RINGS = 10000 };

struct fixture {
	struct zoe_control_page control;
	struct zoe_seat seat;
	uint32_t elsewhere; // where the attacker moves sleepers to
	struct zoe_writer writer;
	struct zoe_reader reader;
	uint64_t slept_ms;
};

static void *map_shared(size_t size) {
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static int setup(void **state) {
	struct zoe_geometry_request request = {.depth = 2, .spares = 4, .frame_bytes = 64};
	struct fixture *f = map_shared(sizeof(*f));
	struct zoe_ring ring = {.control = &f->control};

	assert_int_equal(zoe_geometry_init(&ring.geo, &request), 0);
	ring.ring = map_shared((size_t)ring.geo.ring_bytes);
	zoe_ring_format(&ring, 1);
	f->writer.ring = ring;
	f->writer.owner = zoe_owner_pack(1, 0);
	f->writer.seats[0] = (struct zoe_writer_seat){.seat = &f->seat, .hold = 1};
	zoe_writer_count(&f->writer);
	f->reader = (struct zoe_reader){.ring = ring, .seat = &f->seat, .start = 1};
	*state = f;
	return 0;
}

static int teardown(void **state) {
	struct fixture *f = *state;

	munmap(f->reader.ring.ring, (size_t)f->reader.ring.geo.ring_bytes);
	munmap(f, sizeof(*f));
	return 0;
}

static void pause_ms(long ms) {
	struct timespec ts = {.tv_nsec = ms * MS};

	nanosleep(&ts, NULL);
}

static void *sleep_for_a_frame(void *argument) {
	struct fixture *f = argument;
	uint64_t began = zoe_now_ns();

	zoe_reader_wait(&f->reader, 1, -1);
	f->slept_ms = (zoe_now_ns() - began) / MS;
	return NULL;
}

static void publish(struct fixture *f) {
	static const int no_bells[ZOE_MAX_SEATS] = {-1};
	struct zoe_wakes wakes = {0};
	uint32_t slot;
	uint64_t seq;

	assert_int_equal(zoe_ring_acquire(&f->writer, &slot, &wakes), ZOE_RING_OK);
	assert_int_equal(zoe_ring_publish(&f->writer, slot, &seq, &wakes), ZOE_RING_OK);
	zoe_writer_wake(&f->writer, &wakes, no_bells);
}

/* A consumer of another user moves whoever sleeps on head to a word of its own, before the frame
 * comes. Returns: how long the reader slept after all, ms. */
static uint64_t sleep_under_attack(struct fixture *f) {
	const _Atomic zoe_u64 *head = &zoe_ring_get_page(&f->reader.ring)->head;
	long n_moved = 0;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, sleep_for_a_frame, f), 0);
	for (unsigned i = 0; n_moved < 1 && i < 5000; i++) {
		pause_ms(1); /* until it sleeps */
		n_moved = syscall(SYS_futex, head, FUTEX_CMP_REQUEUE, 0, (long)INT_MAX,
			&f->elsewhere, (uint32_t)atomic_load_explicit(head, memory_order_relaxed));
	}
	assert_int_equal(n_moved, 1);
	publish(f);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return f->slept_ms;
}

static void test_wait_requeued_sleeper_hears_its_own_word(void **state) {
	struct fixture *f = *state;

	atomic_store_explicit(&f->control.state, ZOE_CONTROL_MULTI_UID, memory_order_relaxed);
	assert_in_range(sleep_under_attack(f), 0, SOON_MS);
}

/* What the rule is for: on the head word alone the sleeper is gone until its bound. */
static void test_wait_without_its_own_word_it_sleeps_the_whole_bound(void **state) {
	assert_in_range(sleep_under_attack(*state), ZOE_MAX_SLEEP_MS - 50, 10000);
}

static void test_wait_stuffed_doorbell_holds_nobody_up(void **state) {
	uint64_t began = zoe_now_ns();
	int ends[2];

	(void)state;
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
	/* The consumer never reads, fills its own end, and makes it blocking. */
	while (send(ends[1], "", 1, MSG_DONTWAIT) == 1) {
	}
	assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
	for (unsigned i = 0; i < N_RINGS; i++) {
		zoe_bell_ring(ends[0]);
	}
	close(ends[1]);
	zoe_bell_ring(ends[0]); /* and goes away: no SIGPIPE */
	close(ends[0]);
	zoe_bell_ring(-1);
	assert_in_range((zoe_now_ns() - began) / MS, 0, 5000);
}

/* What the rule is for: the open file of an eventfd is shared, and so is its O_NONBLOCK. */
static void test_wait_an_eventfd_as_doorbell_would_hang(void **state) {
	uint64_t most = UINT64_MAX - 1, one = 1;
	int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), status;
	pid_t pid;

	(void)state;
	assert_true(bell >= 0);
	assert_int_equal(
		write(bell, &most, sizeof(most)), sizeof(most)); /* the consumer fills it */
	assert_int_equal(
		fcntl(bell, F_SETFL, 0), 0); /* and makes it blocking: the producer's too */
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		_exit(write(bell, &one, sizeof(one)) == sizeof(one) ? 0
								    : 1); /* the producer rings */
	}
	pause_ms(200);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0); /* and hangs */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(bell);
}

int main(void) {
#define WAIT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WAIT(test_wait_requeued_sleeper_hears_its_own_word),
		WAIT(test_wait_without_its_own_word_it_sleeps_the_whole_bound),
		WAIT(test_wait_stuffed_doorbell_holds_nobody_up),
		WAIT(test_wait_an_eventfd_as_doorbell_would_hang),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
