/* SPDX-License-Identifier: MIT */
/* Three writers, four readers: each frame goes to exactly one reader, and none is left over. */
#include <stdatomic.h>
#include <sys/mman.h>

#include "scenario.h"

enum { N_WRITERS = 3, N_READERS = 4, N_EACH = 200, N_FRAMES = N_WRITERS * N_EACH };

static const char stream[] = "reliable/work";

struct tally {
	_Atomic unsigned n_readers, n_writers, n_had[N_FRAMES], n_read[N_READERS];
};

static struct tally *tally;

static struct zoe_consumer *join(struct zoe_client *client) {
	const struct zoe_consumer_options options = {.struct_size = sizeof(options),
		.delivery = ZOE_QUEUE_RELIABLE,
		.group = "workers",
		.timeout_ms = SCENARIO_TIMEOUT_MS};
	struct zoe_consumer *consumer = NULL;

	expect_rc(client, zoe_consumer_open(client, stream, &options, &consumer), 0);
	return consumer;
}

/* A stream ends with its last producer: nobody may start late. */
static void meet(_Atomic unsigned *n_there, unsigned n_all) {
	const struct timespec pause = {.tv_nsec = 1000000};

	for (unsigned i = 0; atomic_load_explicit(n_there, memory_order_seq_cst) < n_all; i++) {
		expect(i < SCENARIO_TIMEOUT_MS);
		nanosleep(&pause, NULL);
	}
}

static int read_some(unsigned reader) {
	const struct timespec work = {.tv_nsec = 200000};
	struct zoe_client *client = make_client();
	struct zoe_consumer *consumer = join(client);
	const struct zoe_frame *frame = NULL;
	int rc;

	atomic_fetch_add_explicit(&tally->n_readers, 1, memory_order_seq_cst);
	while ((rc = zoe_consumer_next(consumer, &frame, SCENARIO_TIMEOUT_MS)) == 0) {
		expect(frame->user[0] < N_FRAMES && frame->lost == 0);
		atomic_fetch_add_explicit(&tally->n_had[frame->user[0]], 1, memory_order_relaxed);
		atomic_fetch_add_explicit(&tally->n_read[reader], 1, memory_order_relaxed);
		nanosleep(&work, NULL); /* or one of them would have it all */
		zoe_frame_release(frame);
	}
	expect_rc(client, rc, -ENODATA);
	zoe_client_destroy(client);
	return 0;
}

static int write_some(unsigned writer) {
	struct zoe_client *client = make_client();
	struct zoe_producer *producer = produce(client, stream, "64x64 XR24", 1);

	atomic_fetch_add_explicit(&tally->n_writers, 1, memory_order_seq_cst);
	meet(&tally->n_writers, N_WRITERS);
	for (unsigned i = 0; i < N_EACH; i++) {
		struct zoe_slot *slot = take_slot(client, producer);

		slot->user[0] = writer * N_EACH + i;
		expect_rc(client, zoe_producer_publish(producer, slot), 0);
	}
	expect_rc(client, zoe_producer_end(producer), 0);
	zoe_client_destroy(client);
	return 0;
}

static pid_t start(int (*fn)(unsigned), unsigned argument) {
	pid_t pid = fork();

	expect(pid >= 0);
	if (pid == 0) {
		exit(fn(argument));
	}
	return pid;
}

int main(void) {
	pid_t pids[N_READERS + N_WRITERS];

	tally = mmap(
		NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(tally != MAP_FAILED);
	for (unsigned i = 0; i < N_READERS; i++) {
		pids[i] = start(read_some, i);
	}
	meet(&tally->n_readers, N_READERS);
	for (unsigned i = 0; i < N_WRITERS; i++) {
		pids[N_READERS + i] = start(write_some, i);
	}
	for (unsigned i = 0; i < N_READERS + N_WRITERS; i++) {
		int status = 0;

		expect(waitpid(pids[i], &status, 0) == pids[i] && status == 0);
	}
	for (unsigned i = 0; i < N_FRAMES; i++) {
		expect(tally->n_had[i] == 1);
	}
	for (unsigned i = 0; i < N_READERS; i++) {
		expect(tally->n_read[i] > 0);
	}
	return 0;
}
